"""OpenPose's full body network: size, published weight formats, gradients."""

import pytest
import torch

from toolkit.poses import openpose
from toolkit.poses.openpose import OpenPose
from toolkit.structures import InputError, MissingWeightsError


@pytest.fixture
def thin(monkeypatch):
    """A thin VGG part and no time spent on random weights, so that tests of loading and gradients are quick."""
    monkeypatch.setattr(torch.nn.init, 'kaiming_uniform_', lambda tensor, **kwargs: tensor.data.zero_())
    layers = tuple(layer if layer == 'pool' else (layer[0], 4) for layer in openpose.BACKBONE[:-1])
    monkeypatch.setattr(openpose, 'BACKBONE', (*layers, ('conv4_4_CPM', 128)))


def test_parameter_counts_and_shapes():
    with torch.device('meta'):
        network = OpenPose(weights=None)
        heat, paf = network.heatmaps(torch.zeros(1, 3, 384, 256))
    assert sum(p.numel() for p in network.parameters()) == 52_311_446
    counts = [sum(p.numel() for p in network.get_submodule(n).parameters()) for n in ('model0', 'model1_1', 'model1_2')]
    assert counts == [7_340_480, 528_294, 518_547]
    for stage in range(2, 7):
        assert sum(p.numel() for p in network.get_submodule(f'model{stage}_1').parameters()) == 4_393_638
        assert sum(p.numel() for p in network.get_submodule(f'model{stage}_2').parameters()) == 4_391_187
    assert heat.shape == (1, 18, 48, 32)
    assert paf.shape == (1, 38, 48, 32)


def test_caffe_names_cover_all_layers():
    names = openpose._caffe_names()
    assert len(names) == 92 == len(set(names.values()))
    assert names['conv1_1'] == 'model0.0'
    assert names['conv4_4_CPM'] == 'model0.25'
    assert names['conv5_5_CPM_L1'] == 'model1_1.8'
    assert names['Mconv7_stage6_L2'] == 'model6_2.12'


@pytest.mark.parametrize('form', ['caffe', 'sequential', 'sequential of a parallel model', 'checkpoint'])
def test_both_published_formats_load(thin, tmp_path, form):
    source = OpenPose(weights=None)
    for i, parameter in enumerate(source.parameters()):
        parameter.data.view(-1)[0] = i
    state = source.state_dict()
    if form == 'caffe':
        back = {module: layer for layer, module in openpose._caffe_names().items()}
        state = {f'{back[k.rpartition(".")[0]]}.{k.rpartition(".")[2]}': v for k, v in state.items()}
        assert 'Mconv7_stage6_L2.bias' in state and 'conv4_3_CPM.weight' in state
    elif form == 'sequential of a parallel model':
        state = {f'module.{k}': v for k, v in state.items()}
    elif form == 'checkpoint':
        state = {'state_dict': state, 'epoch': 3}
    path = tmp_path / 'weights.pth'
    torch.save(state, path)
    loaded = OpenPose(weights=str(path))
    assert all(torch.equal(a, b) for a, b in zip(source.state_dict().values(), loaded.state_dict().values()))


def test_gradient_reaches_the_image_and_no_parameter(thin):
    torch.manual_seed(0)
    network = OpenPose(weights=None)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=(2 / parameter[0].numel())**0.5 if parameter.ndim > 1 else 0.1)
    image = torch.rand(1, 3, 32, 24).requires_grad_()
    heat, paf = network.heatmaps(image)
    (heat.mean() + paf.mean()).backward()
    assert image.grad.abs().max() > 0
    assert all(p.grad is None for p in network.parameters())
    assert min(heat.min(), paf.min()) < 0 or max(heat.max(), paf.max()) <= 0, 'the last layers have no ReLU'


def test_input_is_bgr_shifted_by_a_half(thin, monkeypatch):
    network = OpenPose(weights=None)
    seen = []
    network.model0.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    image = torch.stack([torch.full((8, 8), v) for v in (-1.0, 0.0, 1.0)])[None]
    network.fields(image)
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([255 / 256 - 0.5, 127.5 / 256 - 0.5, -0.5])


def test_missing_and_wrong_weights(thin, tmp_path, monkeypatch):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingWeightsError, match='body_pose_model.pth or pose_model.pth'):
        OpenPose()
    torch.save({'conv1_1.weight': torch.zeros(1)}, tmp_path / 'pose_model.pth')
    with pytest.raises(InputError, match='has shape'):
        OpenPose()
    (tmp_path / 'body_pose_model.pth').write_bytes(b'no weights')
    with pytest.raises(InputError, match='body_pose_model.pth is not a checkpoint'):
        OpenPose()
