"""FVD: windows, the distance on random features against SciPy's formula, and what is said without weights."""

import json
import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from toolkit.metrics.fvd import FVD, WEIGHTS, WINDOW
from toolkit.structures import InputError

PROJECTION = np.random.default_rng(7).normal(size=(WINDOW * 6 * 5 * 3, 4))


def random_features(videos):
    """Four random projections of a window."""
    return videos.reshape(len(videos), -1) @ PROJECTION / 255


def clip(seed, frames, name):
    rng = np.random.default_rng(seed)
    generated, real = rng.integers(0, 256, (2, frames, 6, 5, 3)).astype(np.uint8)
    return dict(clip=name, generated=generated, real=real // 2, mask=np.ones((frames, 6, 5), bool), scored=np.arange(frames) > 0,
                poses=np.zeros((frames, 18, 3), np.float32))


def test_it_is_the_formula_of_all_windows_of_all_clips():
    metric, clips = FVD(features=random_features), [clip(0, 1 + 3 * WINDOW + 5, 'a'), clip(1, 1 + 4 * WINDOW, 'b')]
    rows = [json.loads(json.dumps(metric.measure(sample))) for sample in clips]
    summary = metric.summarize(rows)['fvd/full']
    sets = []
    for kind in ('generated', 'real'):
        windows = [sample[kind][1 + WINDOW * i:1 + WINDOW * (i + 1)] for sample, count in zip(clips, (3, 4)) for i in range(count)]
        sets.append(np.stack([w.reshape(-1) @ PROJECTION / 255 for w in windows]))
    (mean_a, a), (mean_b, b) = ((s.mean(0), np.cov(s.T)) for s in sets)
    expected = np.square(mean_a - mean_b).sum() + np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert summary.value == pytest.approx(expected, rel=1e-5)
    assert (summary.n_samples, summary.n_frames, summary.n_clips, summary.unit) == (7, 112, 2, 'windows')
    assert rows[0]['measures']['full']['value'] is None and 'all clips together' in rows[0]['measures']['full']['reason']


def test_parts_give_the_windows_of_the_whole():
    metric, whole = FVD(features=random_features), clip(2, 70, 'a')
    measurement = metric.begin()
    for start in range(0, 70, 11):
        measurement.add({k: v[start:start + 11] if isinstance(v, np.ndarray) else v for k, v in whole.items()})
    assert measurement.row() == metric.measure(whole)


def test_the_real_videos_themselves_have_none():
    metric = FVD(features=random_features)
    sample = clip(3, 1 + 5 * WINDOW, 'a')
    assert metric.summarize([metric.measure(dict(sample, generated=sample['real']))])['fvd/full'].value == pytest.approx(0, abs=1e-6)


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    metric = FVD(features=random_features)
    summary = metric.summarize([metric.measure(clip(0, WINDOW + 1, 'a'))])['fvd/full']
    assert summary.value is None and 'fewer than two windows of 16' in summary.reason
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    metric = FVD()
    summary = metric.summarize([metric.measure(clip(0, 60, 'a'))])['fvd/full']
    assert summary.value is None and WEIGHTS in summary.reason


class MadeUpI3D(nn.Module):
    """Takes what the published file takes."""

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool):
        assert not rescale and not resize and return_features
        return torch.stack([x.mean((1, 2, 3, 4)), x.amin((1, 2, 3, 4)), x.amax((1, 2, 3, 4)),
                            torch.full((x.shape[0],), float(x.shape[2] + x.shape[3] * 1000))], 1)


def test_a_torchscript_file_is_told_what_is_done_already(monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)
        torch.jit.script(MadeUpI3D()).save(str(tmp_path / WEIGHTS))
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    metric = FVD(device='cpu')
    assert WEIGHTS in metric.definitions['full'].text
    video = np.zeros((1, WINDOW, 6, 5, 3), np.uint8)
    video[..., :3, :, :] = 255
    mean, low, high, shape = metric.features(video)[0]
    assert [low, high, shape] == pytest.approx([-1, 1, 224016]) and mean == pytest.approx(0, abs=1e-3)
    (tmp_path / WEIGHTS).write_bytes(b'no network')
    with pytest.raises(InputError, match='expected I3D as TorchScript'):
        FVD()
