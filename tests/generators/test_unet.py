"""BicycleGAN's U-Net: counts, sizes, agreement with a plain reading of its description, and the code's way to the picture."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.helpers import count
from toolkit.generators.unet import UNet
from toolkit.structures import InputError


@pytest.mark.parametrize('n_down, z_injection, counts', [
    (7, 'all', (42_146_179, 42_465_667, 42_785_155)), (8, 'all', (54_795_651, 55_180_675, 55_565_699)),
    (7, 'input', (41_834_883, 41_843_075, 41_851_267)), (8, 'input', (54_418_819, 54_427_011, 54_435_203))])
def test_parameter_counts(n_down, z_injection, counts):
    with torch.device('meta'):
        assert tuple(count(UNet(4, n_down=n_down, z_dims=(nz,), z_injection=z_injection)) for nz in (8, 16, 24)) == counts


def test_u128_at_384_x_256():
    work, sizes = [], []

    def count(module, args, output):
        kernel = module.weight[0, 0].numel()
        maps = args[0] if isinstance(module, nn.ConvTranspose2d) else output
        work.append(maps[0, 0].numel() * module.in_channels * module.out_channels * kernel)
        sizes.append(tuple(output.shape[1:]))

    with torch.device('meta'):
        net = UNet(4, z_dims=(16,))
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                layer.register_forward_hook(count)
        out = net(torch.zeros(1, 4, 384, 256), torch.zeros(1, 16))
    assert out.shape == (1, 3, 384, 256)
    assert sizes[:7] == [(64, 192, 128), (128, 96, 64), (256, 48, 32), (512, 24, 16), (512, 12, 8), (512, 6, 4), (512, 3, 2)]
    assert round(sum(work) / 1e9, 1) == 9.8


def test_u256_cannot_take_384_x_256_and_says_what_can():
    with torch.device('meta'), pytest.raises(InputError, match='384 x 256 .*multiples of 256.*n_down=7 fits'):
        UNet(4, n_down=8)(torch.zeros(1, 4, 384, 256))


def plain(net, x, z, level=0):
    """Recursion over levels with functional calls, from the description in words."""
    last = net.n_down - 1
    tiled = [] if z is None or level >= net.z_levels else [z[:, :, None, None] * torch.ones_like(x[:, :1])]
    h = torch.cat([x, *tiled], 1)
    conv = next(m for m in net.downs[level] if isinstance(m, nn.Conv2d))
    h = F.conv2d(F.leaky_relu(h, 0.2) if level else h, conv.weight, conv.bias, stride=2, padding=1)
    if 0 < level < last:
        h = (h - h.mean((2, 3), keepdim=True)) / (h.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    if level < last:
        h = plain(net, h, z, level + 1)
    conv = next(m for m in net.ups[level] if isinstance(m, nn.ConvTranspose2d))
    h = F.conv_transpose2d(F.relu(h), conv.weight, conv.bias, stride=2, padding=1)
    if level == 0:
        return torch.tanh(h)
    h = (h - h.mean((2, 3), keepdim=True)) / (h.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    return torch.cat([h, x], 1)


@pytest.mark.parametrize('n_down, nz, z_injection', [(2, 3, 'all'), (5, 3, 'all'), (5, 3, 'input'), (5, 0, 'all')])
def test_agrees_with_its_description(n_down, nz, z_injection):
    torch.manual_seed(0)
    net = UNet(4, n_down=n_down, ngf=4, z_dims=(nz,), z_injection=z_injection).double()
    for p in net.parameters():
        nn.init.normal_(p, 0, 0.1)
    x, z = torch.randn(2, 4, 64, 32).double(), torch.randn(2, nz).double() if nz else None
    torch.testing.assert_close(net(x, z), plain(net, x, z))


@pytest.mark.parametrize('z_injection', ['all', 'input'])
def test_the_code_reaches_the_picture_at_the_start(z_injection):
    torch.manual_seed(0)
    net = UNet(4, n_down=4, ngf=16, z_dims=(8,), z_injection=z_injection)
    x = torch.randn(1, 4, 64, 48)
    with torch.no_grad():
        one, other = net(x, torch.randn(1, 8)), net(x, torch.randn(1, 8))
    assert (one - other).abs().mean() > 0.1 * one.std()


def test_first_weights_are_glorots_with_a_gain_of_002():
    torch.manual_seed(0)
    net = UNet(3, n_down=5)
    assert net.downs[0][0].weight.std().item() == pytest.approx(8.6e-4, rel=0.03)
    assert net.downs[1][1].weight.std().item() == pytest.approx(5.1e-4, rel=0.01)
    assert net.downs[4][1].weight.std().item() == pytest.approx(2.2e-4, rel=0.01)
    assert all((m.bias == 0).all() for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)))


@pytest.mark.parametrize('n_down, dropouts', [(4, 0), (5, 0), (7, 2), (8, 3)])
def test_norms_and_dropouts_where_they_belong(n_down, dropouts):
    with torch.device('meta'):
        net = UNet(3, n_down=n_down, dropout=True)
    kinds = [[type(m) for m in layer] for layer in (*net.downs, *net.ups)]
    assert [nn.InstanceNorm2d in k for k in kinds] == [0 < i < n_down - 1 for i in range(n_down)] + [i > 0 for i in range(n_down)]
    with_dropout = [i for i, k in enumerate(kinds[n_down:]) if nn.Dropout in k]
    assert with_dropout == list(range(4, n_down - 1)) and len(with_dropout) == dropouts
    assert kinds[0] == [nn.Conv2d] and kinds[n_down][-1] is nn.Tanh


def test_bilinear_enlarging():
    net = UNet(4, n_down=3, ngf=4, z_dims=(1, 1), up='bilinear')
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in net.modules())
    assert net(torch.randn(1, 4, 32, 24), torch.randn(1, 2)).shape == (1, 3, 32, 24)


@pytest.mark.parametrize('options, message', [
    (dict(z_injection='film'), "z_injection='film'.*all, input"), (dict(up='nearest'), "up='nearest'"), (dict(n_down=1), 'n_down=1'),
    (dict(norm='layer'), "norm='layer'")])
def test_unknown_options(options, message):
    with pytest.raises(InputError, match=message):
        UNet(3, ngf=4, **{'n_down': 3, **options})


def test_wrong_inputs():
    net, x = UNet(4, n_down=3, ngf=4, z_dims=(1, 1)), torch.zeros(1, 4, 16, 16)
    for args, message in [((torch.zeros(1, 3, 16, 16), torch.zeros(1, 2)), r'expected \(B, 4, H, W\)'),
                          ((x,), 'needs a code of length 2'), ((x, torch.zeros(1, 3)), r'expected \(1, 2\)'),
                          ((x, torch.zeros(2, 2)), r'expected \(1, 2\)'),
                          ((torch.zeros(1, 4, 18, 16), torch.zeros(1, 2)), '18 x 16.*multiples of 8; resize')]:
        with pytest.raises(InputError, match=message):
            net(*args)
    with pytest.raises(InputError, match='without a code got one'):
        UNet(4, n_down=3, ngf=4)(x, torch.zeros(1, 2))
