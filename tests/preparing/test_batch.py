"""Several videos prepared by a program."""

import numpy as np
import pytest

from tests.stick_people import write_frames
from toolkit.preparing.batch import VideoBatch
from toolkit.preparing.settings import PrepareSettings
from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS
from toolkit.structures import InputError


class StandingPose:
    name, version = 'StandingPose', '1'

    def __call__(self, frames):
        height, width = frames.shape[1:3]
        shape = np.array([(.25, .1), (.25, .2), (.15, .2), (.1, .3), (.1, .4), (.35, .2), (.4, .3), (.4, .4), (.2, .5), (.2, .7),
                          (.2, .9), (.3, .5), (.3, .7), (.3, .9), (.22, .08), (.28, .08), (.2, .1), (.3, .1)])
        pose = np.concatenate([shape * (width, height), np.ones((18, 1))], 1).astype(np.float32)
        return np.stack([pose * (frame.max() > 40) for frame in frames])


class Everything:
    name, version = 'Everything', '1'

    def __call__(self, frames, poses=None):
        return np.ones(frames.shape[:3], np.float32)


@pytest.fixture
def make(monkeypatch, tmp_path):
    """A batch of videos, by name and brightness."""
    for registry, part in ((POSE_ESTIMATORS, StandingPose), (SEGMENTORS, Everything), (EDGE_DETECTORS, Everything)):
        monkeypatch.setitem(registry._module_dict, part.__name__, part)
    for variable in ('RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(variable, raising=False)

    def call(brightness, **options):
        videos = [write_frames(tmp_path / f'{name}.mp4', [np.full((96, 64, 3), value, np.uint8)] * 6, pix_fmt='yuv420p')
                  for name, value in brightness.items()]
        parts = dict(pose=dict(type='StandingPose'), edges=dict(type='Everything'), mask=dict(type='Everything'))
        return VideoBatch(videos, tmp_path / 'out', PrepareSettings(96, 64), **parts, **options)

    return call


def test_a_clip_that_fails_is_told_and_the_others_are_made(make, tmp_path, capsys):
    batch = make(dict(dark=0, bright=120), person='ann', keep_going=True)
    assert not (tmp_path / 'out' / 'bright').exists(), 'nothing is prepared yet'
    assert batch.run() == 1
    said = capsys.readouterr()
    assert 'FAILED dark: ' in said.err and 'ready bright: 6 frames of 96x64' in said.out and 'report.html' in said.out
    assert (tmp_path / 'out' / 'bright' / 'manifest.json').exists()
    assert make(dict(bright=120), person='ann').run() == 0


def test_what_cannot_be_is_found_before_any_work(make, tmp_path):
    with pytest.raises(InputError, match='nowhere.mp4: no such file'):
        VideoBatch([tmp_path / 'nowhere.mp4'], tmp_path / 'out')
    with pytest.raises(InputError, match='name is for a single video, but 2 are given'):
        make(dict(bright=120, brighter=130), name='one')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'bright').write_text('mine')
    with pytest.raises(InputError, match='bright'):
        make(dict(bright=120))
    assert (tmp_path / 'out' / 'bright').read_text() == 'mine'
