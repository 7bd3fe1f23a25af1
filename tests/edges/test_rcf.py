"""RCF: size, alignment of its side outputs, published weight formats."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from toolkit.edges.rcf import CROP_OFFSETS, RCF, STAGE_STRIDES, RCFNetwork, bilinear_kernel, published
from toolkit.structures import InputError, MissingWeightsError


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return RCFNetwork().eval()


@pytest.fixture(scope='module')
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp('rcf') / 'bsds500_pascal_model.pth'
    torch.save(network.state_dict(), path)
    return path


def test_parameter_counts(network):
    counts = {'vgg': 0, 'down': 0, 'score': 0}
    for name, parameter in network.named_parameters():
        counts['down' if 'down' in name else 'score' if 'score' in name else 'vgg'] += parameter.numel()
    assert counts == {'vgg': 14_714_688, 'down': 88_977, 'score': 116}
    assert sum(counts.values()) == 14_803_781
    assert sum(bilinear_kernel(2 * s).numel() for s in STAGE_STRIDES[1:]) == 592


def test_names_are_the_published_ones(network):
    names = set(network.state_dict())
    assert {'conv1_1.weight', 'conv5_3.bias', 'conv1_1_down.weight', 'conv5_3_down.bias', 'score_dsn1.weight', 'score_dsn5.bias',
            'score_fuse.weight'} <= names
    assert len(names) == 2 * (13 + 13 + 5 + 1)


def test_linear_ramp_is_aligned_in_every_stage():
    height, width = 96, 64
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing='ij')
    for ramp, axis in ((x, 3), (y, 2)):
        score = ramp[None, None]
        for stage in range(1, 6):
            # average pooling keeps a ramp's pixel centers where max-pooling's receptive fields are centered
            if stage > 1:
                score = torch.nn.functional.avg_pool2d(score, 2, 1 if stage == 5 else 2)
            up = RCFNetwork.upsample(score, stage, (height, width))
            assert up.shape == (1, 1, height, width)
            inner = up[..., 16:-16, 16:-16] - ramp[16:-16, 16:-16]
            assert inner.abs().max() < 1e-3, (stage, axis)


def test_sizes_before_crop_at_384_by_256():
    sizes = []
    for stage, (h, w) in ((2, (192, 128)), (3, (96, 64)), (4, (48, 32)), (5, (47, 31))):
        stride = STAGE_STRIDES[stage - 1]
        up = torch.nn.functional.conv_transpose2d(torch.zeros(1, 1, h, w), bilinear_kernel(2 * stride), stride=stride)
        sizes.append(tuple(up.shape[2:]))
    assert sizes == [(386, 258), (388, 260), (392, 264), (384, 256)]
    assert CROP_OFFSETS == (0, 1, 2, 4, 0)


@pytest.mark.parametrize('size', [(64, 48), (33, 47), (17, 9)])
def test_any_size(network, size):
    with torch.no_grad():
        sides = network.side_logits(torch.rand(1, 3, *size) * 255)
    assert [tuple(s.shape) for s in sides] == [(1, 1, *size)] * 5


def test_detector_loads_published_formats(network, weights, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 24, 3), np.uint8)
    edges = RCF(str(weights), device='cpu', batch_size=1)(frames)
    images = torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        np.testing.assert_allclose(edges, network(images).sigmoid()[:, 0].numpy(), atol=1e-5)
    state = network.state_dict()
    other = {f'module.{k.replace("score_fuse", "score_final")}': v for k, v in state.items()}
    other['module.weight_deconv2'] = bilinear_kernel(4)
    torch.save({'epoch': 9, 'state_dict': other}, tmp_path / 'other.pth')
    save_file(state, tmp_path / 'rcf.safetensors')
    for name in ('other.pth', 'rcf.safetensors'):
        _, loaded, left = published(tmp_path / name)
        assert list(left) == (['weight_deconv2'] if name == 'other.pth' else [])
        assert loaded.keys() == state.keys() and torch.equal(loaded['score_fuse.weight'], state['score_fuse.weight'])


def test_multi_scale_is_the_mean_over_scales(weights):
    frames = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    detectors = RCF(str(weights), scales=(0.5,), device='cpu'), RCF(str(weights), device='cpu')
    both = RCF(str(weights), scales=(0.5, 1.0), device='cpu')(frames)
    np.testing.assert_allclose(both, sum(d(frames) for d in detectors) / 2, atol=1e-6)


def test_wrong_and_missing_weights_are_named(network, tmp_path, monkeypatch):
    torch.save({'conv1_1.weight': torch.zeros(1)}, tmp_path / 'wrong.pth')
    with pytest.raises(InputError, match='wrong.pth does not fit RCF'):
        RCF(str(tmp_path / 'wrong.pth'))
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(InputError, match='list.pth is not a checkpoint'):
        RCF(str(tmp_path / 'list.pth'))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match='bsds500_pascal_model.pth'):
        RCF()
