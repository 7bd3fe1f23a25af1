"""TIN2 against the output of the original network."""

import numpy as np
import pytest

from toolkit.edges.network import NetworkEdgeDetector
from toolkit.edges.tin2 import TIN2, TIN2Network
from toolkit.structures import InputError, MissingWeightsError


def test_parameter_count():
    assert sum(p.numel() for p in TIN2Network().parameters()) == 244_229


@pytest.mark.shared
def test_agrees_with_reference(shared_weights):
    reference = np.load(shared_weights / 'tin2_edges.reference.npz')
    detector = TIN2(device='cpu')
    frames = np.ascontiguousarray(reference['image_bgr'][None, :, :, ::-1])
    assert np.abs(detector(frames)[0] - reference['output']).max() < 1e-3
    swapped = detector(np.ascontiguousarray(frames[..., ::-1]))[0]
    assert np.abs(swapped - reference['output']).max() > 1e-2
    assert not any(p.requires_grad for p in detector.network.parameters())


@pytest.mark.shared
def test_batches_equal_single_frames_at_odd_size(shared_weights):
    frames = np.random.default_rng(0).integers(0, 256, (3, 37, 29, 3), np.uint8)
    detector = TIN2(device='cpu', batch_size=2)
    edges = detector(frames)
    assert edges.shape == (3, 37, 29) and edges.dtype == np.float32 and 0 <= edges.min() and edges.max() <= 1
    np.testing.assert_allclose(edges[2], detector(frames[2:])[0], atol=1e-5)
    with pytest.raises(InputError, match='T, H, W, 3'):
        detector(frames[0])


def test_missing_weights_name_the_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(MissingWeightsError, match='tin2_edges.safetensors'):
        TIN2()


@pytest.mark.parametrize('batch_size', [0, -1])
def test_passes_without_frames_are_refused(batch_size):
    with pytest.raises(InputError, match=f'batch_size of at least 1, got {batch_size}'):
        NetworkEdgeDetector(TIN2Network(), 'cpu', batch_size)
