"""BicycleGAN's encoder: counts, sizes, what it sees, and how it starts."""

import pytest
import torch
from torch import nn

from toolkit.encoders.resnet_encoder import PreactivationBlock, ResNetEncoder
from toolkit.structures import InputError


@pytest.mark.parametrize('n_down, nz, count', [(5, 16, 2_594_144), (5, 8, 2_590_032), (4, 16, 1_348_192), (4, 8, 1_344_080)])
@pytest.mark.parametrize('norm', ['none', 'instance', 'instance_but_first'])
def test_parameter_counts(n_down, nz, count, norm):
    with torch.device('meta'):
        assert sum(p.numel() for p in ResNetEncoder(nz, n_down=n_down, norm=norm).parameters()) == count


def test_maps_at_384_x_256():
    sizes, work = [], []
    net = ResNetEncoder(16)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda m, a, out: work.append(out[0, 0].numel() * m.weight.numel()))
    for layer in (net.stem, *net.blocks):
        layer.register_forward_hook(lambda m, a, out: sizes.append(tuple(out.shape[1:])))
    with torch.no_grad():
        mu, logvar = net(torch.zeros(1, 3, 384, 256))
    assert sizes == [(64, 192, 128), (128, 96, 64), (192, 48, 32), (256, 24, 16), (256, 12, 8)]
    assert mu.shape == logvar.shape == (1, 16)
    assert round(sum(work) / 1e9, 1) == 6.8


def test_a_unit_of_the_last_map_sees_154_pixels():
    torch.manual_seed(0)
    net = ResNetEncoder(2, nef=4)
    x = torch.randn(1, 3, 352, 352, requires_grad=True)
    maps = net.blocks(net.stem(x))
    maps[..., 5, 5].sum().backward()
    seen = x.grad.abs().sum((0, 1, 2)).nonzero()
    assert seen.max() - seen.min() + 1 == 154


@pytest.mark.parametrize('pooling, changes', [('adaptive', True), ('avg8', False)])
def test_the_lower_third_of_the_picture(pooling, changes):
    torch.manual_seed(0)
    net = ResNetEncoder(4, nef=4, pooling=pooling)
    x = torch.randn(1, 3, 384, 256)
    without = x.clone()
    without[:, :, 330:] = 0
    with torch.no_grad():
        assert torch.equal(net(x)[0], net(without)[0]) is not changes


def test_poolings_agree_at_256_x_256_and_avg8_refuses_other_sizes():
    torch.manual_seed(0)
    literal, ours = ResNetEncoder(4, nef=4, pooling='avg8'), ResNetEncoder(4, nef=4)
    ours.load_state_dict(literal.state_dict())
    x = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        torch.testing.assert_close(literal(x), ours(x))
        for size in ((192, 256), (512, 256)):
            with pytest.raises(InputError, match="pooling='adaptive'"):
                literal(torch.zeros(1, 3, *size))


def test_block_agrees_with_its_description():
    torch.manual_seed(0)
    block, x = PreactivationBlock(4, 6, 'instance', 'instance').double(), torch.randn(2, 4, 10, 8).double()

    def norm_act(h):
        h = (h - h.mean((2, 3), keepdim=True)) / (h.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        return torch.where(h > 0, h, 0.2 * h)

    def halve(h):
        return (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4

    before = x.clone()
    expected = halve(block.conv2(norm_act(block.conv1(norm_act(x))))) + block.shortcut(halve(x))
    torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before)


def test_norms_where_they_belong():
    def norms(kind):
        return [(type(b.norm1), type(b.norm2)) for b in ResNetEncoder(2, nef=8, n_down=3, norm=kind).blocks]

    none, instance, group = nn.Identity, nn.InstanceNorm2d, nn.GroupNorm
    assert norms('none') == [(none, none)] * 2
    assert norms('instance') == [(instance, instance)] * 2
    assert norms('instance_but_first') == [(none, instance), (instance, instance)]
    assert norms('group32') == [(group, group)] * 2
    assert [b.norm1.num_groups for b in ResNetEncoder(2, norm='group32').blocks] == [16, 32, 32, 32]


def test_it_starts_with_little_noise_around_a_mean_that_differs_between_pictures():
    torch.manual_seed(0)
    pictures = torch.linspace(-1, 1, 8)[:, None, None, None] * torch.ones(1, 3, 64, 64)
    with torch.no_grad():
        mu, logvar = ResNetEncoder(8)(pictures)
        literal_mu, literal_logvar = ResNetEncoder(8, init='xavier', logvar_bias=0.0)(pictures)
    torch.testing.assert_close((0.5 * logvar).exp(), torch.full((8, 8), 0.135), atol=0.05, rtol=0)
    assert mu.std(0).mean() > 0.1
    assert literal_mu.std(0).mean() < 1e-4 and literal_logvar.abs().max() < 1e-3


def test_codes_are_float32_under_autocast():
    net = ResNetEncoder(4, nef=4, n_down=3)
    with torch.autocast('cpu', torch.bfloat16):
        mu, logvar = net(torch.randn(1, 3, 32, 32))
    assert mu.dtype == logvar.dtype == torch.float32


def test_wrong_options_and_pictures():
    for options, message in [(dict(norm='batch'), "norm='batch'"), (dict(init='normal'), "init='normal'"),
                             (dict(pooling='max'), "pooling='max'"), (dict(nz=0), 'got 0 and 5')]:
        with pytest.raises(InputError, match=message):
            ResNetEncoder(**{'nz': 2, 'nef': 4, **options})
    with pytest.raises(InputError, match='16 x 64.*at least 32'):
        ResNetEncoder(2, nef=4)(torch.zeros(1, 3, 16, 64))
