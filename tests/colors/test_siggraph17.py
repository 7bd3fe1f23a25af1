"""The colorization network and its weight files."""

import numpy as np
import pytest
import torch

from toolkit.colors.anchors import Hints
from toolkit.colors.siggraph17 import SIGGRAPH17
from toolkit.colors.siggraph17_network import SIGGRAPH17Network
from toolkit.structures import InputError, MissingWeightsError


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return SIGGRAPH17Network().eval()


@pytest.fixture(scope='module')
def folder(network, tmp_path_factory):
    """Published names; as in old files, without batch counters."""
    folder = tmp_path_factory.mktemp('weights')
    state = {k: v for k, v in network.state_dict().items() if not k.endswith('num_batches_tracked')}
    torch.save(state, folder / 'caffemodel.pth')
    for name in ('pytorch.pth', 'siggraph17-df00044c.pth', 'mine.pth'):
        (folder / name).symlink_to(folder / 'caffemodel.pth')
    return folder


def test_number_of_parameters_and_names(network):
    assert sum(p.numel() for p in network.parameters()) == 34_187_027
    names = set(network.state_dict())
    assert {
        'model1.0.weight', 'model1.4.running_mean', 'model3.6.weight', 'model7.6.bias', 'model8up.0.weight', 'model3short8.0.bias',
        'model8.1.weight', 'model8.5.running_var', 'model9.3.weight', 'model10.1.bias', 'model_class.0.weight',
        'model_out.0.bias'} <= names


@torch.no_grad()
def test_output_sizes(network):
    classes, ab = network(torch.full((1, 1, 384, 256), 50.), torch.zeros(1, 2, 384, 256), torch.zeros(1, 1, 384, 256))
    assert classes.shape == (1, 529, 96, 64) and ab.shape == (1, 2, 384, 256)
    assert ab.abs().max() <= 110


@torch.no_grad()
def test_mid_gray_without_hints_enters_as_zeros(network):
    seen = []
    handle = network.model1.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(torch.full((1, 1, 16, 16), 50.), torch.full((1, 2, 16, 16), 55.), torch.full((1, 1, 16, 16), -.5))
    handle.remove()
    assert seen[0].shape == (1, 4, 16, 16)
    assert seen[0][0, :, 0, 0].tolist() == [0, .5, .5, -.5]


@torch.no_grad()
def test_weight_files_load_into_evaluation_mode(network, folder):
    loaded = SIGGRAPH17(str(folder / 'caffemodel.pth')).network
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    inputs = torch.rand(1, 1, 16, 16) * 100, torch.rand(1, 2, 16, 16), torch.ones(1, 1, 16, 16)
    torch.testing.assert_close(loaded(*inputs)[1], network(*inputs)[1])


@pytest.mark.parametrize('name, center', [('caffemodel.pth', 0), ('pytorch.pth', .5), ('siggraph17-df00044c.pth', 0)])
def test_mask_center_goes_with_the_file(folder, name, center):
    assert SIGGRAPH17(str(folder / name)).mask_cent == center


def test_unknown_files_need_a_mask_center_and_missing_ones_are_named(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match='mask_cent'):
        SIGGRAPH17(str(folder / 'mine.pth'))
    assert SIGGRAPH17(str(folder / 'mine.pth'), mask_cent=.5).mask_cent == .5
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    with pytest.raises(MissingWeightsError, match='siggraph17-df00044c.pth'):
        SIGGRAPH17()
    torch.save(dict(other=torch.zeros(2)), tmp_path / 'caffemodel.pth')
    with pytest.raises(InputError, match='caffemodel.pth'):
        SIGGRAPH17()


def test_the_published_file_is_preferred_over_the_retrained_one(folder, monkeypatch):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(folder))
    assert SIGGRAPH17().version == 'caffemodel'


def test_colors_come_at_the_size_of_the_frame_and_hints_reach_the_network(folder):
    colorizer = SIGGRAPH17(str(folder / 'caffemodel.pth'))
    lab = np.random.default_rng(0).uniform(0, 100, (30, 21, 3)).astype(np.float32)
    hints = Hints(np.array([(10, 12)]), np.array([(60, -60)], np.float32), np.array([False]))
    weight = np.ones((30, 21), np.float32)
    with_hint, without = (colorizer(lab, weight, (60, -60), h) for h in (hints, Hints.empty()))
    assert with_hint.shape == (30, 21, 2) and with_hint.dtype == np.float32
    difference = np.abs(with_hint - without).sum(-1)
    assert difference[12, 10] > 0
    small = SIGGRAPH17(str(folder / 'caffemodel.pth'), size=(16, 16))(lab, weight, (60, -60), hints)
    assert small.shape == (30, 21, 2) and np.isfinite(small).all()
