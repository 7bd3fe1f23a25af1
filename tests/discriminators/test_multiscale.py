"""MultiscaleDiscriminator: counts, sizes, agreement with plain layers, norms."""

import pytest
import torch
from torch import nn

from tests.helpers import count
from toolkit.discriminators.multiscale import MultiscaleDiscriminator
from toolkit.registry import DISCRIMINATORS
from toolkit.structures import InputError


@pytest.mark.parametrize('options, parameters', [
    (dict(input_nc=6), 8_303_427),
    (dict(input_nc=14), 8_328_003),
    (dict(input_nc=20), 8_346_435),
    (dict(input_nc=6, num_scales=2), 5_535_618),
    (dict(input_nc=14, num_scales=2), 5_552_002),
    (dict(input_nc=14, norm='spectral'), 8_328_003),
    (dict(input_nc=6, num_scales=1, norm='batch'), 2_769_601),
    (dict(input_nc=3, num_scales=1, padding=1), 2_764_737),
    (dict(input_nc=8, num_scales=1, padding=1), 2_769_857),
    (dict(input_nc=12, num_scales=1, padding=1), 2_773_953),
])
def test_parameter_count(options, parameters):
    with torch.device('meta'):
        discriminator = DISCRIMINATORS.build(dict(type='MultiscaleDiscriminator', **options))
    assert count(discriminator) == parameters


def test_map_sizes_at_384x256():
    with torch.device('meta'):
        outputs = MultiscaleDiscriminator(14)(torch.zeros(1, 14, 384, 256))
    assert [tuple(o.shape[1:]) for o in outputs[0]] == [(64, 193, 129), (128, 97, 65), (256, 49, 33), (512, 50, 34), (1, 51, 35)]
    assert [tuple(scale[-1].shape[1:]) for scale in outputs] == [(1, 51, 35), (1, 27, 19), (1, 15, 11)]


def test_patchgan_of_pix2pix():
    with torch.device('meta'):
        outputs = MultiscaleDiscriminator(3, num_scales=1, padding=1)(torch.zeros(1, 3, 384, 256))
    assert tuple(outputs[0][-1].shape) == (1, 1, 46, 30)


def test_agrees_with_plain_layers():
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(5, ndf=8, num_scales=2)
    x = torch.randn(2, 5, 40, 32)
    inputs = [x, nn.functional.avg_pool2d(x, 3, 2, 1) / nn.functional.avg_pool2d(torch.ones_like(x), 3, 2, 1)]
    for scale, picture, outputs in zip(discriminator.scales, inputs, discriminator(x)):
        state = list(scale.state_dict().values())
        plain = nn.Sequential(
            nn.Conv2d(5, 8, 4, 2, 2), nn.LeakyReLU(0.2),
            nn.Conv2d(8, 16, 4, 2, 2), nn.InstanceNorm2d(16), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, 2, 2), nn.InstanceNorm2d(32), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, 1, 2), nn.InstanceNorm2d(64), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 4, 1, 2))
        plain.load_state_dict(dict(zip(plain.state_dict(), state)))
        torch.testing.assert_close(outputs[-1], plain(picture), atol=1e-5, rtol=0)
        torch.testing.assert_close(outputs[1], plain[:5](picture), atol=1e-5, rtol=0)


def test_features_are_not_overwritten():
    """LeakyReLU works in place: each returned map must be behind it, and stay so."""
    torch.manual_seed(0)
    outputs = MultiscaleDiscriminator(3, ndf=4, num_scales=1)(torch.randn(1, 3, 32, 32))[0]
    for feature in outputs[:-1]:
        assert feature.min() < 0 < feature.max()
        assert -feature.min() < feature.max()


def test_receptive_field_is_70():
    discriminator = MultiscaleDiscriminator(1, ndf=4, num_scales=1, norm='none')
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    prediction = discriminator(x)[0][-1]
    prediction[0, 0, prediction.shape[2] // 2, prediction.shape[3] // 2].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_spectral_norm_bounds_every_convolution():
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(3, ndf=8, num_scales=1, norm='spectral')
    for parameter in discriminator.parameters():
        parameter.data *= 50
    for _ in range(30):
        discriminator(torch.randn(1, 3, 32, 32))
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 5
    for conv in convolutions:
        largest = torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize('norm', ['instance', 'batch', 'spectral', 'none'])
def test_trains(norm):
    discriminator = MultiscaleDiscriminator(3, ndf=4, num_scales=2, norm=norm)
    outputs = discriminator(torch.randn(2, 3, 32, 24))
    sum(scale[-1].mean() for scale in outputs).backward()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_errors():
    with pytest.raises(InputError, match='spectral'):
        MultiscaleDiscriminator(3, norm='layer')
    with pytest.raises(InputError, match='num_scales'):
        MultiscaleDiscriminator(3, num_scales=0)
    with pytest.raises(InputError, match=r'\(B, 3, H, W\)'):
        MultiscaleDiscriminator(3, ndf=4)(torch.zeros(1, 4, 32, 32))
