"""The edge detector without weights."""

import numpy as np
import pytest

from toolkit.edges.soft_canny import SoftCanny
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError


def disc_frames(shift=0):
    y, x = np.mgrid[:96, :64]
    disc = np.clip(20.5 - np.hypot(x - 32 - shift, y - 48), 0, 1)
    return np.repeat((60 + 120 * disc)[None, ..., None], 3, -1).astype(np.uint8)


def test_edge_lies_on_the_outline_and_is_thin():
    edges = SoftCanny()(disc_frames())[0]
    y, x = np.mgrid[:96, :64]
    distance = np.abs(np.hypot(x - 32, y - 48) - 20)
    assert edges.dtype == np.float32 and edges.min() == 0 and edges.max() == 1
    assert edges[distance > 3].max() == 0
    assert edges[distance < 0.5].min() > 0.5
    assert (edges > 0.5).sum() < 2.6 * 2 * np.pi * 20


def test_thinning_only_takes_away():
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 48, 3), np.uint8)
    thin, thick = (SoftCanny(thin=t, knee=None, noise=0, min_strength=1e3)(frames) for t in (True, False))
    assert (thin <= thick + 1e-6).all() and thin.sum() < 0.8 * thick.sum()


def test_plain_form_is_gradient_magnitude_over_its_percentile():
    x = np.arange(64)
    ramp = np.repeat(np.repeat((3 * x)[None], 96, 0)[None, ..., None], 3, -1).astype(np.uint8)
    edges = SoftCanny(thin=False, knee=None, noise=0, min_strength=6.0)(ramp)
    np.testing.assert_allclose(edges[0, 8:-8, 8:-8], 0.5, atol=1e-4)


def test_continuous_under_small_motion():
    still, moved = (SoftCanny()(disc_frames(s))[0] for s in (0, 0.1))
    assert np.abs(still - moved).max() < 0.35


def test_flat_and_noisy_frames_are_not_blown_up():
    assert SoftCanny()(np.full((1, 32, 32, 3), 128, np.uint8)).max() == 0
    noise = (128 + np.random.default_rng(0).normal(0, 2, (1, 64, 64, 1))).repeat(3, -1).astype(np.uint8)
    assert SoftCanny()(noise).max() < 0.35


def test_frames_are_independent_and_empty_input_is_fine(monkeypatch):
    frames = np.random.default_rng(1).integers(0, 256, (3, 32, 24, 3), np.uint8)
    together = SoftCanny()(frames)
    assert np.abs(together[1] - SoftCanny()(frames[1:2])[0]).max() < 1e-6, "OpenCV's last bit depends on where an array begins"
    assert SoftCanny()(frames[:0]).shape == (0, 32, 24)
    monkeypatch.setattr(SoftCanny, '_edges', lambda self, frame: frame[..., 0].astype(np.float32))
    assert np.array_equal(SoftCanny()(frames), frames[..., 0]), 'each frame is looked at alone, exactly'


def test_wrong_input_is_named():
    with pytest.raises(InputError, match='T, H, W, 3'):
        SoftCanny()(np.zeros((32, 24, 3), np.uint8))
    with pytest.raises(InputError, match='float32'):
        SoftCanny()(np.zeros((1, 32, 24, 3), np.float32))
    with pytest.raises(InputError, match='sigma'):
        EDGE_DETECTORS.build(dict(type='SoftCanny', sigma=0))
    for value in (0, -5):
        with pytest.raises(InputError, match=f'min_strength > 0, got .*min_strength={value}'):
            SoftCanny(min_strength=value)
