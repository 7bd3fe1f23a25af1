"""BicycleGAN's discriminator: counts, sizes, halved channels."""

import pytest
import torch
import torch.nn.functional as F

from toolkit.discriminators.bicycle import BicycleDiscriminator
from toolkit.structures import InputError


@pytest.mark.parametrize('options, counts', [
    (dict(input_nc=3), (2_764_737, 694_241)), (dict(input_nc=3, n_layers=2), None), (dict(input_nc=7), None)])
def test_parameter_counts(options, counts):
    with torch.device('meta'):
        net = BicycleDiscriminator(**options)
    total = sum(p.numel() for p in net.parameters())
    assert total == {(3, 3): 3_458_978, (3, 2): 830_626, (7, 3): 3_465_122}[net.input_nc, options.get('n_layers', 3)]
    if counts:
        assert tuple(sum(p.numel() for p in scale.parameters()) for scale in net.scales) == counts


def test_predictions_at_384_x_256():
    with torch.device('meta'):
        outputs = BicycleDiscriminator(3)(torch.zeros(1, 3, 384, 256))
    assert [tuple(scale[-1].shape) for scale in outputs] == [(1, 1, 46, 30), (1, 1, 22, 14)]
    assert [scale[0].shape[1] for scale in outputs] == [64, 32]


@pytest.mark.parametrize('n_layers, pixels', [(3, 70), (2, 34)])
def test_size_of_its_patches(n_layers, pixels):
    torch.manual_seed(0)
    net = BicycleDiscriminator(1, ndf=4, n_layers=n_layers, num_scales=1, norm='none')
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    prediction = net(x)[0][-1]
    prediction[..., prediction.shape[-2] // 2, prediction.shape[-1] // 2].sum().backward()
    seen = x.grad.abs().sum((0, 1, 2)).nonzero()
    assert seen.max() - seen.min() + 1 == pixels


def test_the_second_scale_sees_the_picture_halved_without_its_border_in_the_mean():
    torch.manual_seed(0)
    net, x = BicycleDiscriminator(2, ndf=4, n_layers=2), torch.randn(1, 2, 48, 32)
    ones = F.avg_pool2d(torch.ones_like(x), 3, 2, 1)
    torch.testing.assert_close(net(x)[1][-1], net.scales[1](F.avg_pool2d(x, 3, 2, 1) / ones)[-1])


def test_first_weights_are_glorots_with_a_gain_of_002():
    torch.manual_seed(0)
    convs = [m for m in BicycleDiscriminator(3).scales[0].modules() if isinstance(m, torch.nn.Conv2d)]
    assert convs[0].weight.std().item() == pytest.approx(8.6e-4, rel=0.03)
    assert convs[1].weight.std().item() == pytest.approx(5.1e-4, rel=0.01)
    assert all((conv.bias == 0).all() for conv in convs)


def test_wrong_options_and_inputs():
    with pytest.raises(InputError, match='num_scales=3 with ndf=2'):
        BicycleDiscriminator(3, ndf=2, num_scales=3)
    with pytest.raises(InputError, match=r'expected \(B, 3, H, W\)'):
        BicycleDiscriminator(3, ndf=4)(torch.zeros(1, 4, 64, 64))
