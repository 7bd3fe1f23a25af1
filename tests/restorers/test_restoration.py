"""The restoration network: size, range, what it sees, and what its weights say of it."""

import pytest
import torch

from tests.helpers import count
from toolkit.registry import DISCRIMINATORS, RESTORERS
from toolkit.restorers.restoration import RestorationNetwork
from toolkit.structures import InputError


@pytest.mark.parametrize('options, expected', [({}, 7_856_516), (dict(sees='warped'), 7_843_972), (dict(ngf=32), 1_974_468)])
def test_parameters(options, expected):
    assert count(RESTORERS.build(dict(type='RestorationNetwork', **options))) == expected


@pytest.mark.parametrize('sees, expected', [('all', 2_773_953), ('warped', 2_769_857)])
def test_parameters_of_the_discriminator_beside_it(sees, expected):
    seen = RestorationNetwork(ngf=2, n_blocks=1, sees=sees).input_nc
    assert count(DISCRIMINATORS.build(dict(type='PatchGAN', input_nc=seen + 4))) == expected


def tiny(**options):
    torch.manual_seed(0)
    return RestorationNetwork(ngf=4, n_blocks=1, **options)


def silence(network, bias):
    """Let the network say tanh(bias) everywhere."""
    head = network.network.head.conv
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, bias)


@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize('bias', [-9.0, 0.0, 9.0])
def test_output_stays_in_range(residual, bias):
    network = tiny(residual=residual)
    silence(network, bias)
    out = network(torch.rand(2, 8, 16, 24))
    assert out.shape == (2, 4, 16, 24) and out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize('sees, kept', [('all', [4, 5, 6, 3]), ('warped', [0, 1, 2, 3])])
def test_it_starts_from_the_warped_edges_and_the_best_stick_figure(sees, kept):
    network, x = tiny(sees=sees), torch.rand(1, 8, 16, 16)
    assert torch.equal(network(x), x[:, kept])


def test_a_crack_whose_first_residual_is_negative_can_be_filled():
    network = tiny()
    silence(network, -0.1)
    out = network(torch.zeros(1, 8, 16, 16))
    assert (out == 0).all()
    (1 - out).abs().sum().backward()
    assert network.network.head.conv.bias.grad.max() < 0, 'a descent step must raise the output'


def test_what_it_sees():
    x = torch.rand(1, 8, 16, 16)
    other = torch.cat([x[:, :4], torch.rand(1, 4, 16, 16)], 1)
    assert not torch.equal(tiny(residual=False)(x), tiny(residual=False)(other))
    blind = tiny(sees='warped', residual=False)
    assert torch.equal(blind(x), blind(other)) and torch.equal(blind(x), blind(x[:, :4]))


def test_weights_of_a_network_that_works_otherwise_are_refused():
    state = tiny(residual=False).state_dict()
    with pytest.raises(InputError, match='residual=False, this one has True'):
        tiny().load_state_dict(state)
    network = tiny(residual=False)
    network.load_state_dict(state)


def test_unknown_option():
    with pytest.raises(InputError, match="sees='pose'"):
        RestorationNetwork(sees='pose')
