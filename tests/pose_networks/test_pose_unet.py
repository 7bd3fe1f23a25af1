"""PoseUNet: its size, its maps, and that it can be rebuilt from its state."""

import pytest
import torch

from toolkit.pose_networks.pose_unet import PoseUNet
from toolkit.registry import POSE_NETWORKS
from toolkit.structures import InputError
from toolkit.weights import unpack_config


def test_number_of_parameters():
    assert sum(p.numel() for p in PoseUNet().parameters()) == 907_961


@pytest.mark.parametrize('stride', [1, 2, 4])
def test_maps_lie_at_the_stride(stride):
    network = PoseUNet((4, 6, 8), stride)
    assert network.multiple == 4 * stride
    heat, paf = network(torch.zeros(2, 3, 48, 32))
    assert heat.shape == (2, 19, 48 // stride, 32 // stride) and paf.shape == (2, 38, 48 // stride, 32 // stride)


def test_a_step_to_the_side_moves_the_maps_along():
    torch.manual_seed(0)
    network = PoseUNet((4, 6, 8)).eval()
    picture = torch.rand(1, 3, 64, 64)
    heat, moved = (network(x)[0] for x in (picture, torch.roll(picture, 8, -1)))
    assert torch.allclose(heat[..., 14:18], moved[..., 18:22], atol=1e-6), 'cells are where their pixels are'


def test_it_is_rebuilt_from_its_state():
    torch.manual_seed(0)
    network = PoseUNet((4, 6), 4, 128).eval()
    state = network.state_dict()
    again = POSE_NETWORKS.build(unpack_config(state['_extra_state'])).eval()
    again.load_state_dict(state)
    picture = torch.rand(1, 3, 32, 32)
    assert again.height == 128 and torch.equal(network(picture)[1], again(picture)[1])


def test_weights_of_another_stride_are_refused():
    with pytest.raises(InputError, match='stride=4, this one has 2'):
        PoseUNet((4, 6), 2).load_state_dict(PoseUNet((4, 6), 4).state_dict())


@pytest.mark.parametrize('options', [dict(stride=3), dict(widths=(8,))])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match='expected a stride of 1, 2 or 4 and at least two widths'):
        PoseUNet(**options)
