"""A clip in parts gives the numbers of the whole, and only a part is in memory."""

import numpy as np
import pytest
import torch

from toolkit.metrics.identity import KEPT_PIXELS, KINDS, PersonPixels
from toolkit.metrics.parts import ClipParts
from toolkit.registry import METRICS, POSE_ESTIMATORS
from toolkit.structures import InputError

FRAMES, H, W = 21, 64, 48
PERSON = [(24, 10), (24, 18), (17, 18), (14, 26), (13, 34), (31, 18), (34, 26), (35, 34), (19, 36), (18, 46), (18, 57), (29, 36),
          (30, 46), (30, 57), (22, 8), (26, 8), (20, 9), (28, 9)]


@POSE_ESTIMATORS.register_module()
class Walker:
    """A tracker: where it says the person is depends on how many frames it has followed, and a little on the frame."""

    name, version = 'walker', '1'

    def __call__(self, frames):
        return np.stack(list(self.track(frames)))

    def track(self, frames):
        for t, frame in enumerate(frames):
            pose = np.ones((18, 3), np.float32)
            pose[:, :2] = (np.array(PERSON) + (t / 8, frame.mean() / 100)) * frame.shape[0] / H
            yield pose


@pytest.fixture
def clip():
    """A noisy clip of a person whose mask grows, of a transfer with a true result; the content frame is frame 0."""
    rng = np.random.default_rng(0)
    generated, real, source = (rng.integers(0, 255, (FRAMES, H, W, 3)).astype(np.uint8) for _ in range(3))
    mask = np.zeros((FRAMES, H, W), bool)
    for t in range(FRAMES):
        mask[t, 8:20 + 2 * t, 12:36] = t % 5 > 0
    poses = np.ones((FRAMES, 18, 3), np.float32)
    poses[..., :2] = np.array(PERSON) + rng.normal(size=(FRAMES, 18, 2)) / 2
    return dict(clip='clip', generated=generated, real=real, mask=mask, poses=poses, scored=np.arange(FRAMES) > 0, detected=poses + 1,
                features=generated[..., [0, 1, 2, 0]], real_features=real[..., [0, 1, 2, 1]], direction='ab', has_truth=True,
                input=dict(frames=source, mask=mask[::-1].copy(), poses=poses[::-1].copy()))


def part_of(value, span):
    if isinstance(value, dict):
        return {k: part_of(v, span) for k, v in value.items()}
    return value[span] if isinstance(value, np.ndarray) else value


def heights(sample):
    def of(masks):
        return float(np.median([np.ptp(np.flatnonzero(m.any(1))) + 1 for m in masks if m.any()]))
    return {**sample, 'person_height': of(sample['mask']), 'input': {**sample['input'], 'person_height': of(sample['input']['mask'])}}


DOMAINS = {name: [(np.full((H, W, 3), level, np.uint8), np.array([(*xy, 1) for xy in PERSON], np.float32))] * 3
           for name, level in (('a', 60), ('b', 180))}


@pytest.mark.parametrize('config', [
    dict(type='PSNR'), dict(type='L1'), dict(type='SSIM'), dict(type='LPIPS', net='squeeze'), dict(type='MaskArea'),
    dict(type='Sharpness'), dict(type='FeatureMapError'), dict(type='PoseAccuracy'), dict(type='PCK', pose_estimator='Walker'),
    dict(type='PCK', pose_estimator='Walker', against='input'), dict(type='Identity', pose_estimator='Walker'),
    dict(type='Identity', region='input'), dict(type='Temporal', net='squeeze'), dict(type='Temporal', against='input'),
    dict(type='FID', features=lambda frames: frames.reshape(len(frames), -1)[:, :12].astype(np.float32))], ids=lambda c: c['type'])
def test_parts_give_the_numbers_of_the_whole(clip, config):
    metric = METRICS.build(config)
    if metric.needs_domains:
        metric.fit(DOMAINS)
    whole, measurement = metric.measure(clip), metric.begin()
    for start in (0, 1, 6, 11, 16):
        stop = {0: 1, 1: 6}.get(start, start + 5)
        measurement.add(part_of(heights(clip), slice(start, stop)))
    row = measurement.row()
    assert row['clip'] == 'clip' and row['measures'].keys() == whole['measures'].keys()
    for key, measure in whole['measures'].items():
        value = measure['value']
        assert row['measures'][key] == {**measure, 'value': value if value is None else pytest.approx(value, rel=1e-5)}
    assert row.get('features') == whole.get('features')


def test_two_models_are_measured_side_by_side(clip):
    metric = METRICS.build(dict(type='PCK', pose_estimator='Walker'))
    samples = [heights(clip), heights(dict(clip, generated=clip['generated'] // 2))]
    expected = [metric.measure(sample) for sample in samples]
    measurements = [metric.begin(), metric.begin()]
    for start in range(0, FRAMES, 7):
        for measurement, sample in zip(measurements, samples):
            measurement.add(part_of(sample, slice(start, start + 7)))
    assert [measurement.row() for measurement in measurements] == expected


def test_pixels_are_thinned_out_evenly(monkeypatch):
    monkeypatch.setattr('toolkit.metrics.identity.KEPT_PIXELS', 100)
    person, rng, start = PersonPixels(), np.random.default_rng(0), 0
    while start < 1000:
        stop = start + int(rng.integers(0, 60))
        person.add({kind: np.arange(start, stop, dtype=np.float32)[:, None].repeat(size, 1) for kind, size in KINDS.items()})
        start = stop
    kept = person.pixels()['color'][:, 0]
    assert 50 <= len(kept) <= 100 and set(np.diff(kept)) == {16.0} and KEPT_PIXELS == 2**19


class Whole:
    """A dataset that knows whole clips only."""

    def __getitem__(self, index):
        masks = torch.zeros(7, 1, 8, 6, dtype=torch.uint8)
        for t in range(7):
            masks[t, 0, :t] = 255
        return dict(frames=torch.arange(7)[:, None, None, None], masks=masks, truth_frames=torch.arange(7) + 50, clip='clip', index=3,
                    content_frame=torch.arange(7))


def test_items_of_any_dataset_are_cut():
    parts = ClipParts(Whole(), 0, limit=5, length=2)
    assert parts.frames == 5 and parts.person_heights() == {'masks': 2.5}
    seen = list(parts)
    assert [part['frames'].flatten().tolist() for part in seen] == [[0, 1], [2, 3], [4]]
    assert [part['truth_frames'].flatten().tolist() for part in seen] == [[50, 51], [52, 53], [54]]
    assert [int(part['index']) for part in seen] == [3, 5, 7] and all(part['content_frame'].shape == (1, 7) for part in seen)


def test_what_an_item_of_others_lacks_is_named():
    with pytest.raises(InputError, match="'poses' is needed, but the data set gives frames, masks, .*list_parts.py DATASETS"):
        next(iter(ClipParts(Whole(), 0)))['poses']
    with pytest.raises(InputError, match='the data set gives items of type tuple, expected dicts'):
        ClipParts([(1, 2)], 0)
