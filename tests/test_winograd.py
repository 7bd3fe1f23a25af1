"""Gradients of convolutions of 3 x 3 with fewer multiplications: the same numbers, and where they are used."""

import copy

import pytest
import torch
from torch import nn

from toolkit import channels_last, winograd
from toolkit.channels_last import FrozenConv2d, is_channels_last, use_channels_last


def as_channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def uses(monkeypatch):
    """Counts gradients that were found so, of maps of any size."""
    counts, input_gradient = [], winograd.input_gradient
    monkeypatch.setattr(channels_last, 'LEAST_CHANNELS', 1)
    monkeypatch.setattr(channels_last, 'LEAST_PLACES', 1)
    monkeypatch.setattr(winograd, 'input_gradient', lambda *given: counts.append(1) or input_gradient(*given))
    return counts


def frozen(inside=6, outside=8, **options):
    torch.manual_seed(0)
    return nn.Conv2d(inside, outside, **{**dict(kernel_size=3, padding=1), **options}).requires_grad_(False)


def passed(layer, x, half=True):
    """Output and gradient of the input, in double precision."""
    x = as_channels_last(x.clone()).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=half):
        made = layer(x)
    made.backward(torch.randn(made.shape, generator=torch.Generator().manual_seed(1)).to(made.dtype))
    return made.detach().double(), x.grad.double()


@pytest.mark.parametrize('last', [True, False])
@pytest.mark.parametrize('size', [(1, 6, 4, 4), (3, 6, 2, 8), (2, 6, 10, 6)])
def test_it_is_the_gradient_of_the_convolution(size, last):
    """In double precision, where no rounding hides a fault."""
    layer, x = frozen().double(), torch.randn(size, dtype=torch.double, requires_grad=True)
    made = layer(x)
    out = torch.randn_like(made)
    out = as_channels_last(out) if last else out
    found = winograd.input_gradient(out, winograd.transformed(layer.weight, torch.double))
    torch.testing.assert_close(found, torch.autograd.grad(made, x, out)[0], rtol=0, atol=1e-12)
    assert is_channels_last(found)


def test_rounding_is_that_of_half_precision(uses):
    """The output is that of a plain convolution, and the gradient less than three times as far from the exact one."""
    layer, x = frozen(64, 64), torch.randn(1, 64, 16, 16).bfloat16().float()
    plain, ours = copy.deepcopy(layer), copy.deepcopy(layer)
    use_channels_last(plain)
    use_channels_last(ours, True)
    true, plain, ours = passed(layer.double(), x.double(), False), passed(plain, x), passed(ours, x)
    assert len(uses) == 1 and torch.equal(plain[0], ours[0])
    assert 0 < (ours[1] - true[1]).norm() < 3 * (plain[1] - true[1]).norm() and (ours[1] - true[1]).norm() < 0.01 * true[1].norm()


@pytest.mark.parametrize('options, size', [
    (dict(stride=2), (8, 8)), (dict(padding=0), (8, 8)), (dict(kernel_size=5, padding=2), (8, 8)), (dict(groups=2), (8, 8)),
    (dict(dilation=2, padding=2), (8, 8)), (dict(padding_mode='reflect'), (8, 8)), (dict(padding='same'), (8, 8)), ({}, (7, 8)),
    ({}, (8, 7))])
def test_other_convolutions_stay_as_they_are(options, size, uses):
    layer, x = frozen(**options), torch.randn(1, 6, *size)
    plain = copy.deepcopy(layer)
    use_channels_last(plain)
    use_channels_last(layer, True)
    assert type(layer) is FrozenConv2d
    assert all(torch.equal(a, b) for a, b in zip(passed(layer, x), passed(plain, x))) and not uses


def test_where_it_is_used(uses, monkeypatch):
    """In half precision, for weights that get no gradient, many channels and large maps."""
    layer, x = frozen(), torch.randn(1, 6, 8, 8)
    use_channels_last(layer, True)
    passed(layer, x, half=False)
    assert not uses
    passed(layer, x)
    assert len(uses) == 1
    layer.requires_grad_(True)
    passed(layer, x)
    assert layer.weight.grad is not None
    layer.requires_grad_(False)
    for name, value in (('LEAST_CHANNELS', 7), ('LEAST_PLACES', 65)):
        with monkeypatch.context() as patch:
            patch.setattr(channels_last, name, value)
            passed(layer, x)
    assert len(uses) == 1
    passed(layer.to(torch.bfloat16), x.bfloat16(), half=False)
    assert len(uses) == 2


def test_weights_are_transformed_once_and_anew_when_they_change(uses, monkeypatch):
    layer, x, made = frozen(), torch.randn(1, 6, 8, 8), []
    transformed = winograd.transformed
    monkeypatch.setattr(winograd, 'transformed', lambda *given: made.append(1) or transformed(*given))
    use_channels_last(layer, True)
    first = passed(layer, x)
    assert all(torch.equal(a, b) for a, b in zip(first, passed(layer, x))) and len(made) == 1
    layer.load_state_dict({key: 2 * value for key, value in layer.state_dict().items()})
    assert all(torch.equal(2 * a, b) for a, b in zip(first, passed(layer, x))) and len(made) == 2
    layer.weight.data = layer.weight.data / 2
    assert torch.equal(first[1], passed(layer, x)[1]) and len(made) == 3
    before = layer.weight.data_ptr()
    layer.weight.data = layer.weight.data.clone()
    assert layer._kept[2][0].data_ptr() == before, 'other weights may come to lie where those that are known lay'
    layer.bias.data = layer.bias.data / 2
    assert torch.equal(first[0], passed(layer, x)[0])


def test_weights_that_were_kept_in_inference_serve_those_who_learn(uses):
    layer, x = frozen(), torch.randn(1, 6, 8, 8)
    true = passed(layer, x, half=False)
    use_channels_last(layer, True)
    with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16):
        layer(x)
    assert (passed(layer, x)[1] - true[1]).norm() < 0.02 * true[1].norm() and len(uses) == 1


def test_a_second_derivative_is_found(uses):
    """As in a penalty on gradients: the first is then found plainly, the last by Winograd."""
    layer, found = frozen(), []
    for net in (layer, copy.deepcopy(layer)):
        if found:
            use_channels_last(net, True)
        x = as_channels_last(torch.linspace(-1, 1, 384).view(1, 6, 8, 8)).requires_grad_()
        with torch.autocast('cpu', torch.bfloat16, enabled=bool(found)):
            given, = torch.autograd.grad(net(x).float().square().sum(), x, create_graph=True)
        given.float().square().sum().backward()
        found.append(x.grad)
    assert (found[1] - found[0]).norm() < 0.03 * found[0].norm() and len(uses) == 1
