"""Several videos prepared by a program, and by several at once."""

import dataclasses
import multiprocessing
import os
import time

import numpy as np
import pytest

from tests.stick_people import write_frames
from toolkit.clips.clip import find_clips
from toolkit.clips.size import agreed_size, given_size, size_in_use
from toolkit.preparing import batch as module
from toolkit.preparing.batch import VideoBatch
from toolkit.preparing.settings import PrepareSettings
from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS
from toolkit.structures import InputError


class StandingPose:
    """At a frame of the brightness ``hangs`` it says so and does not come back."""

    name, version, hangs, said = 'StandingPose', '1', None, None

    def __call__(self, frames):
        if self.hangs and abs(int(frames.max()) - self.hangs) < 4:
            self.said.set()
            time.sleep(100)
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

    def call(brightness, out='out', size=(96, 64), **options):
        videos = [write_frames(tmp_path / f'{name}.mp4', [np.full((96, 64, 3), value, np.uint8)] * 6, pix_fmt='yuv420p')
                  for name, value in brightness.items()]
        parts = dict(pose=dict(type='StandingPose'), edges=dict(type='Everything'), mask=dict(type='Everything'))
        return VideoBatch(videos, tmp_path / out, PrepareSettings(*size), **parts, **options)

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


def test_no_clip_is_made_inside_of_a_clip_where_nobody_would_find_it(make, tmp_path):
    assert make(dict(bright=120)).run() == 0
    before = contents(tmp_path / 'out')
    with pytest.raises(InputError, match='bright: is a prepared clip, .* give the folder that it is in'):
        make(dict(brighter=130), out='out/bright')
    assert contents(tmp_path / 'out') == before


@pytest.mark.parametrize('size', [(96, 64), ()])
def test_a_crop_that_does_not_fit_one_video_does_not_end_the_batch(make, tmp_path, capsys, size):
    batch = make(dict(a=100, b=130), size=size, keep_going=True)
    write_frames(tmp_path / 'a.mp4', [np.full((48, 32, 3), 100, np.uint8)] * 6, pix_fmt='yuv420p')
    for job in batch.jobs:
        job.settings = dataclasses.replace(job.settings, crop=(40, 0, 64, 96), min_person=10)
    assert batch.run() == 1
    assert 'FAILED a: ' in (said := capsys.readouterr().err) and 'a.mp4: crop 40,0,64,96' in said
    assert [clip.name for clip in find_clips(tmp_path / 'out')] == ['b']


def test_a_clip_that_was_made_otherwise_is_told_before_any_other_is_made(make, tmp_path):
    for size in ((96, 64), ()):
        assert make(dict(b=130), out=f'{size}').run() == 0
        with pytest.raises(InputError, match="b: made before with other input .person was 'person', now 'ann'"):
            make(dict(a=100, b=130), out=f'{size}', size=size, person='ann')
        assert [clip.name for clip in find_clips(tmp_path / f'{size}')] == ['b']


def test_a_size_that_is_given_is_told_to_others(make, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(StandingPose, '__call__', lambda self, frames, call=StandingPose.__call__: (
        seen.append(size_in_use(tmp_path / 'out')), call(self, frames))[1])
    assert make(dict(a=100)).run() == 0 and set(seen) == {(96, 64)} and size_in_use(tmp_path / 'out') is None


def test_two_commands_for_one_new_folder_make_clips_of_one_size(make, tmp_path):
    batch = make(dict(a=100), size=())
    with agreed_size(tmp_path / 'out', lambda: (64, 96)):
        assert batch.run() == 0 and find_clips(tmp_path / 'out')[0].width == 96
        with agreed_size(tmp_path / 'out', lambda: (32, 32), ['a']) as size:
            assert size == (64, 96)
    with given_size(tmp_path / 'out', 32, 96), agreed_size(tmp_path / 'out', lambda: (32, 32), ['a']) as size:
        assert size == (32, 96), 'the wish of another process'
    left = tmp_path / 'out' / f'.size.32x32.{"0" * 32}.lock'
    left.touch()
    with agreed_size(tmp_path / 'out', lambda: (64, 128), ['a']) as size:
        assert size == (64, 128), 'nobody makes clips of the other sizes any more'
        assert not left.exists()
    left.touch()
    assert make(dict(a=100), size=()).run() == 0 and not list((tmp_path / 'out').glob('.size*'))


VIDEOS = dict(a=100, b=130, c=160, d=190)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def start(monkeypatch, make, hangs=None):
    """Begin to prepare in a process of its own; wait until it hangs where it shall."""
    context = multiprocessing.get_context('fork')
    said = context.Event()
    with monkeypatch.context() as patch:
        patch.setattr(StandingPose, 'hangs', hangs)
        patch.setattr(StandingPose, 'said', said)
        process = context.Process(target=lambda: os._exit(make(VIDEOS).run()))
        process.start()
    assert hangs is None or said.wait(60)
    return process


def test_two_processes_share_the_clips_and_one_that_is_killed_is_made_up_for(make, tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'PAUSE', 0.05)
    assert make(VIDEOS, out='alone').run() == 0
    first = start(monkeypatch, make, hangs=VIDEOS['b'])
    second = start(monkeypatch, make)
    for _ in range(600):
        if len(find_clips(tmp_path / 'out')) == 3:
            break
        time.sleep(0.1)
    assert [clip.name for clip in find_clips(tmp_path / 'out')] == ['a', 'c', 'd'] and second.is_alive(), 'b is waited for'
    first.kill()
    first.join()
    second.join(60)
    assert second.exitcode == 0 and [clip.name for clip in find_clips(tmp_path / 'out')] == list('abcd')
    alone = {name: data for name, data in contents(tmp_path / 'alone').items() if not name.endswith(('.html', '.lock'))}
    shared = {name: data for name, data in contents(tmp_path / 'out').items() if not name.endswith(('.html', '.lock'))}
    assert alone == shared


def test_clips_that_another_process_has_finished_meanwhile_decide_the_size(make, tmp_path):
    batch = make(dict(a=100, b=130), size=())
    assert batch.size is None and make(dict(a=100)).run() == 0
    assert batch.run() == 0
    assert {(clip.height, clip.width) for clip in find_clips(tmp_path / 'out')} == {(96, 64)}


def test_a_clip_that_another_process_is_making_is_not_overwritten(make, monkeypatch, capsys):
    other = start(monkeypatch, make, hangs=VIDEOS['b'])
    try:
        assert make(VIDEOS, overwrite=True).run() == 1
    finally:
        other.kill()
        other.join()
    assert 'FAILED b' in capsys.readouterr().err
