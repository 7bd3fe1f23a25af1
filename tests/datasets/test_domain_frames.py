"""Frames of the two persons of a transfer."""

import numpy as np
import pytest

from toolkit.clips.clip import ClipWriter
from toolkit.datasets.domain_frames import domain_frames
from toolkit.structures import InputError


@pytest.fixture
def root(tmp_path, stick):
    """Two clips of ann, one of bob; frame t of a clip is of color (number, t); in frame 1 nobody is seen."""
    for number, (person, action) in enumerate((('ann', 'jump'), ('ann', 'wave'), ('bob', 'jump'))):
        writer = ClipWriter(tmp_path / f'{person}_{action}', f'{person}_{action}', person, action, 32, 24, 25)
        flat = np.zeros((32, 24), np.float32)
        for t in range(4):
            pose = stick(10, 8, 4) if t != 1 else np.zeros((18, 3), np.float32)
            writer.add(np.full((32, 24, 3), (number, t, 0), np.uint8), pose, flat, flat, flat.astype(np.uint8))
        writer.finish()
    return str(tmp_path)


def test_frames_with_somebody_of_the_clips_in_use(root):
    two = dict(type='UnpairedClips', a=dict(root=root, persons=['ann'], cache='decoded'),
               b=dict(root=root, persons=['bob'], exclude=[3, 4]), window=3, size=(64, 48), transforms=[dict(type='RandomFlip')])
    frames = domain_frames(two)
    seen = {name: [tuple(domain[i][0][0, 0, :2].tolist()) for i in range(len(domain))] for name, domain in frames.items()}
    assert seen == {'a': [(n, t) for n in (0, 1) for t in (0, 2, 3)], 'b': [(2, 0), (2, 2)]}
    frame, pose = frames['a'][4]
    assert frame.shape == (64, 48, 3) and frame.dtype == np.uint8
    assert np.array_equal(pose, frames['a'].poses[4]) and frames['a'].poses.shape == (6, 18, 3)
    small = domain_frames(dict(two, size=None))['a'].poses
    assert frames['a'].poses[0, 0, :2] == pytest.approx((small[0, 0, :2] + 0.5) * 2 - 0.5)


def test_two_persons_are_needed(root):
    assert len(domain_frames(dict(type='UnpairedClips', a=root, b=root))['b']) == 9
    with pytest.raises(InputError, match='a ClipWindows does not show two persons'):
        domain_frames(dict(type='ClipWindows', root=root))
