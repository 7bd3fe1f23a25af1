"""CycleGAN's generator and its PatchGAN: sizes as published, first weights, and errors."""

import pytest
import torch
from torch import nn

from tests.helpers import count
from toolkit.registry import DISCRIMINATORS, GENERATORS
from toolkit.structures import InputError


@pytest.mark.parametrize('options, parameters', [
    (dict(input_nc=3, n_blocks=9), 11_378_179), (dict(input_nc=3, n_blocks=6), 7_837_699), (dict(input_nc=9, n_blocks=9), 11_396_995),
    (dict(input_nc=8, output_nc=4, n_blocks=6), 7_856_516)])
def test_generator_has_its_parameters(options, parameters):
    with torch.device('meta'):
        assert count(GENERATORS.build(dict(type='ResNetGenerator', **options))) == parameters


@pytest.mark.parametrize('channels, parameters', [(3, 2_764_737), (8, 2_769_857), (12, 2_773_953)])
def test_patchgan_has_its_parameters(channels, parameters):
    with torch.device('meta'):
        assert count(DISCRIMINATORS.build(dict(type='PatchGAN', input_nc=channels))) == parameters


@pytest.mark.parametrize('size, cells', [((256, 256), (30, 30)), ((384, 256), (46, 30))])
def test_sizes_at_full_resolution(size, cells):
    with torch.device('meta'):
        x = torch.empty(1, 3, *size)
        scales = DISCRIMINATORS.build(dict(type='PatchGAN', input_nc=3))(x)
        assert len(scales) == 1 and scales[0][-1].shape == (1, 1, *cells)
        assert GENERATORS.build(dict(type='ResNetGenerator', input_nc=3))(x).shape == x.shape


def test_a_prediction_sees_70_pixels():
    net = DISCRIMINATORS.build(dict(type='PatchGAN', input_nc=1, ndf=2, norm='none'))
    x = torch.randn(1, 1, 192, 192, requires_grad=True)
    scores = net(x)[0][-1]
    scores[0, 0, scores.shape[-2] // 2, scores.shape[-1] // 2].backward()
    for axis in (2, 3):
        seen = x.grad[0, 0].abs().sum(3 - axis).nonzero().flatten()
        assert int(seen.max() - seen.min()) + 1 == 70


def test_first_weights():
    torch.manual_seed(0)
    generator = GENERATORS.build(dict(type='ResNetGenerator', input_nc=3, n_blocks=2))
    for net in (generator, DISCRIMINATORS.build(dict(type='PatchGAN', input_nc=3))):
        layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
        assert all(not layer.bias.any() for layer in layers)
        weights = torch.cat([layer.weight.flatten() for layer in layers])
        assert weights.std().item() == pytest.approx(0.02, rel=0.01) and abs(weights.mean().item()) < 1e-4


def test_range_and_no_statistics_between_pictures():
    net = GENERATORS.build(dict(type='ResNetGenerator', input_nc=3, ngf=8, n_blocks=1))
    x = torch.randn(2, 3, 24, 32)
    out = net(x)
    assert out.shape == (2, 3, 24, 32) and out.abs().max() <= 1
    torch.testing.assert_close(out[1:], net(x[1:]))
    assert not list(net.buffers())


def test_sizes_that_do_not_fit():
    net = GENERATORS.build(dict(type='ResNetGenerator', input_nc=3, ngf=8, n_blocks=1))
    with pytest.raises(InputError, match='28 or 32'):
        net(torch.randn(1, 3, 30, 32))
    with pytest.raises(InputError, match='expected'):
        net(torch.randn(1, 4, 32, 32))
