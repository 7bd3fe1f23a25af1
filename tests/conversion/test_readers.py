"""Pose network, edge detector and colorizer: converted by the reader that reads published files, and used by their parts."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from toolkit.colors import siggraph17
from toolkit.colors.siggraph17 import SIGGRAPH17
from toolkit.conversion.convert import convert_file
from toolkit.edges.rcf import RCF, RCFNetwork
from toolkit.network_files import open_network
from toolkit.poses import openpose
from toolkit.poses.openpose import OpenPose
from toolkit.structures import InputError


@pytest.fixture
def thin(monkeypatch):
    """A body network that is quick to make."""
    monkeypatch.setattr(openpose, 'BACKBONE', (('conv1_1', 4), 'pool', 'pool', 'pool', ('conv4_4_CPM', 128)))
    monkeypatch.setattr(openpose, 'STAGES', 1)


def test_openpose(thin, tmp_path):
    source, images = OpenPose(weights=None), torch.rand(1, 3, 32, 24)
    back = {module: layer for layer, module in openpose._caffe_names().items()}
    state = {f'{back[k.rpartition(".")[0]]}.{k.rpartition(".")[2]}': v for k, v in source.state_dict().items()}
    torch.save({**state, 'prelu.weight': torch.zeros(1)}, tmp_path / 'body_pose_model.pth')
    found = convert_file('openpose', tmp_path / 'body_pose_model.pth', tmp_path / 'body.safetensors')
    assert found.left == {'prelu.weight': 'no layer of the body network'}
    for network in (OpenPose(weights=str(tmp_path / 'body.safetensors')), open_network(tmp_path / 'body.safetensors')):
        assert all(torch.equal(a, b) for a, b in zip(network.heatmaps(images), source.heatmaps(images)))


def test_rcf(tmp_path):
    torch.manual_seed(0)
    network, frames = RCFNetwork(), np.random.default_rng(0).integers(0, 256, (1, 24, 16, 3), np.uint8)
    state = {f'module.{key.replace("score_fuse", "score_final")}': value for key, value in network.state_dict().items()}
    torch.save({'epoch': 3, 'state_dict': {**state, 'module.weight_deconv2': torch.zeros(1, 1, 4, 4)}}, tmp_path / 'rcf.pth')
    found = convert_file('rcf', tmp_path / 'rcf.pth', tmp_path / 'rcf.safetensors')
    assert found.left == {'weight_deconv2': 'upsampling is a fixed bilinear one'}
    edges = RCF(str(tmp_path / 'rcf.pth'), device='cpu')(frames)
    np.testing.assert_array_equal(edges, RCF(str(tmp_path / 'rcf.safetensors'), device='cpu')(frames))
    np.testing.assert_array_equal(edges, open_network(tmp_path / 'rcf.safetensors')(frames))


def test_weights_that_are_not_finite_are_refused(thin, tmp_path):
    for code, network in (('openpose', OpenPose(weights=None)), ('rcf', RCFNetwork())):
        state = network.state_dict()
        state[next(iter(state))].view(-1)[0] = float('nan')
        torch.save(state, tmp_path / f'{code}.pth')
        with pytest.raises(InputError, match='not finite'):
            convert_file(code, tmp_path / f'{code}.pth', tmp_path / f'{code}.safetensors')
        assert not (tmp_path / f'{code}.safetensors').exists()


@pytest.mark.parametrize('kind', [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_weights_of_another_kind_are_refused(thin, tmp_path, kind):
    for code, network in (('openpose', OpenPose(weights=None)), ('rcf', RCFNetwork())):
        torch.save({key: value.to(kind) for key, value in network.state_dict().items()}, tmp_path / f'{code}.pth')
        with pytest.raises(InputError, match=f'of another kind: .* is {kind} in the file'):
            convert_file(code, tmp_path / f'{code}.pth', tmp_path / f'{code}.safetensors')


class Small(torch.nn.Module):
    """Stands for the colorization network, whose forward pass tests/colors checks."""

    def __init__(self):
        super().__init__()
        self.model1 = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.BatchNorm2d(8))


def test_colorization_keeps_the_center_of_its_mask(tmp_path, monkeypatch):
    monkeypatch.setattr(siggraph17, 'SIGGRAPH17Network', Small)
    state = {key: value for key, value in Small().state_dict().items() if 'num_batches' not in key}
    torch.save(state, tmp_path / 'latest_net_G.pth')
    torch.save(state, tmp_path / 'pytorch.pth')
    with pytest.raises(InputError, match='say mask_cent=0'):
        convert_file('colorization', tmp_path / 'latest_net_G.pth', tmp_path / 'a.safetensors')
    convert_file('colorization', tmp_path / 'latest_net_G.pth', tmp_path / 'a.safetensors', mask_cent=.25)
    convert_file('colorization', tmp_path / 'pytorch.pth', tmp_path / 'b.safetensors')
    for name, center in (('a', .25), ('b', .5)):
        colorizer = SIGGRAPH17(str(tmp_path / f'{name}.safetensors'))
        assert colorizer.mask_cent == center
        weights = load_file(tmp_path / 'a.safetensors')
        assert all(torch.equal(value, weights[key]) for key, value in colorizer.network.state_dict().items())
