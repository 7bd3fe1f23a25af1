"""FeatureMatchingLoss: weights by hand, no gradient to the real picture."""

import pytest
import torch

from toolkit.discriminators.multiscale import MultiscaleDiscriminator
from toolkit.losses.feature_matching import FeatureMatchingLoss
from toolkit.structures import InputError


@pytest.mark.parametrize('scales', [1, 2, 3])
def test_one_layer_is_the_mean_difference_over_scales(scales):
    fake, real = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    prediction = torch.full((2, 1, 1, 1), 1e9)
    loss = FeatureMatchingLoss()([[fake, prediction]] + [[real, prediction]] * (scales - 1), [[real, -prediction]] * scales)
    torch.testing.assert_close(loss, (fake - real).abs().mean() / scales)


@pytest.mark.parametrize('n_layers, weight', [(3, 1.0), (1, 2.0)])
def test_by_hand(n_layers, weight):
    layers = [torch.full((1, 2, 3, 3), float(i)) for i in range(n_layers + 2)]
    zeros = [torch.zeros_like(layer) for layer in layers]
    loss = FeatureMatchingLoss(n_layers)([layers, layers], [zeros, zeros])
    assert loss.item() == pytest.approx(weight * sum(range(n_layers + 1)))


def test_gradient_reaches_the_fake_picture_only():
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(3, ndf=4)
    fake, real = (torch.randn(1, 3, 32, 32, requires_grad=True) for _ in range(2))
    FeatureMatchingLoss()(discriminator(fake), discriminator(real)).backward()
    assert fake.grad.abs().max() > 0
    assert real.grad is None


def test_equal_pictures_give_zero():
    features = MultiscaleDiscriminator(3, ndf=4)(torch.randn(1, 3, 32, 32))
    assert FeatureMatchingLoss()(features, features).item() == 0


def test_different_discriminators_are_refused():
    with pytest.raises(InputError, match='number of layers'):
        FeatureMatchingLoss()([[torch.zeros(1)] * 5], [[torch.zeros(1)] * 4])


def test_a_discriminator_that_shows_no_layers_is_refused():
    with pytest.raises(InputError, match='returns its scores alone'):
        FeatureMatchingLoss()([[torch.zeros(1)]], [[torch.zeros(1)]])


@pytest.mark.parametrize('n_layers, told', [(2, 1), (1, 0)])
def test_a_discriminator_of_other_layers_is_told_once(monkeypatch, n_layers, told):
    lines, loss = [], FeatureMatchingLoss(n_layers)
    monkeypatch.setattr('toolkit.losses.feature_matching.print_log', lambda text, *args: lines.append(text))
    features = MultiscaleDiscriminator(3, ndf=4, n_layers=1)(torch.randn(1, 3, 32, 32))
    loss(features, features), loss(features, features)
    assert len(lines) == told and all('n_layers=2, but the discriminator has 2 layers' in line and '0.67 times' in line and
                                      'set n_layers=1' in line for line in lines)
