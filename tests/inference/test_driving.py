"""What a painter is given of a driving clip is what a data set gives of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.datasets.test_footage import make_clip as filmed
from tests.models.cycle_gan_parts import build
from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.clips.crop import Crop
from toolkit.datasets import scene
from toolkit.datasets.plate import background_plate
from toolkit.datasets.windows import ClipWindows
from toolkit.inference.driving import driving_poses, frame_steps
from toolkit.inference.loading import Trained
from toolkit.progress import Progress
from toolkit.skeletons import NOSE, R_HIP, R_WRIST
from toolkit.structures import InputError

NAMES = ('frames', 'masks', 'edges', 'poses', 'pose_maps', 'regions')


@pytest.mark.parametrize('size', [(96, 64), (48, 32)])
def test_steps_of_a_clip_are_those_of_its_item(clips, size):
    clip, item = clips[0], ClipWindows(clips[0].folder, window=None, size=size)[0]
    poses = driving_poses(clip, None, size)
    steps = list(frame_steps(NAMES, poses, size, clip))
    assert len(steps) == len(clip) and list(steps[0]) == list(NAMES)
    for name in NAMES:
        assert steps[0][name].shape[:2] == (1, 1)
        assert torch.equal(torch.cat([step[name][0] for step in steps]), item[name]), name


def test_only_what_is_asked_for_is_read(clips):
    assert list(next(frame_steps(('pose_maps',), clips[0].poses, (96, 64)))) == ['pose_maps']


@pytest.mark.parametrize('wish, words', [
    (dict(retarget='maybe'), 'retarget must be one of'), (dict(direction='aa'), 'direction must be one of'),
    (dict(max_frames=0), 'at least 1'), (dict(max_frames=2.5), 'at least 1, got 2.5'),
    (dict(content='nobody.png'), 'nobody.png: no such file'), (dict(size=96), 'a height and a width in pixels, got 96'),
    (dict(size=(96, 64, 3)), 'got 96x64x3'), (dict(size=(96., 64.)), 'got 96.0x64.0'),
    (dict(colors='#c03030'), "expected Colors.up='#c03030'.*, got '#c03030'"),
    (dict(references='me.mp4'), r"references: expected a list, got 'me.mp4'; give \['me.mp4'\] for that one")])
def test_wishes_that_cannot_be(clips, wish, words):
    with pytest.raises(InputError, match=words):
        apis.Request(clips[0].folder, **wish)


def test_poses_of_one_video_are_moved_between_its_crops(clips):
    """The driving clip shows the whole video, the content clip a part of it, twice as large."""
    driving, content, said = Clip(clips[0].folder), Clip(clips[1].folder), []
    driving.person = content.person
    driving.manifest['source'] = dict(sha256='a', crop=[0, 0, 64, 96])
    content.manifest['source'] = dict(sha256='a', crop=[16, 24, 32, 48])
    for size, factor in (((96, 64), 1), ((192, 128), 2)):
        seen = Crop(16 * factor, 24 * factor, 32 * factor, 48 * factor, *size).pose(driving_poses(driving, None, size))
        found = driving_poses(driving, content, size, say=said.append)
        np.testing.assert_allclose(found, seen, atol=1e-3)
        assert 'not fitted' in said[-1] and 'same video' in said[-1] and np.abs(found - driving_poses(driving, None, size)).max() > 10
        back = driving_poses(content, driving, size)
        np.testing.assert_allclose(back[..., 0], (driving_poses(content, None, size)[..., 0] + .5) / 2 + 16 * factor - .5, atol=1e-3)
    np.testing.assert_array_equal(driving_poses(driving, content, (96, 64), 'off'), driving.poses, 'as it was asked for')


@pytest.mark.parametrize('crop', [None, [0, 0, 0, 96], [0, 0, 64], 'all'])
def test_poses_of_one_video_are_fitted_where_a_crop_is_not_known(clips, crop):
    driving, content, said = Clip(clips[0].folder), Clip(clips[1].folder), []
    driving.person = content.person = 'person'
    driving.manifest['source'], content.manifest['source'] = dict(sha256='a', crop=[0, 0, 64, 96]), dict(sha256='a', crop=crop)
    driving_poses(driving, content, (96, 64), say=said.append)
    assert said[-1].startswith('poses fitted to')


def test_quick_movement_of_a_slow_clip_is_not_flattened(clips):
    """Arms that go up and down once a second, at five frames a second."""
    driving, content = Clip(clips[0].folder), Clip(clips[1].folder)
    driving.person, driving.fps = 'somebody', 5.
    poses = np.repeat(driving.poses[:1], 40, 0)
    poses[:, R_WRIST, 1] += 10 * np.cos(2 * np.pi * np.arange(40) / 5)
    driving._poses = poses
    fitted = driving_poses(driving, content, (96, 64))
    scale = np.ptp(fitted[0, [NOSE, R_HIP], 1]) / np.ptp(poses[0, [NOSE, R_HIP], 1])
    assert np.ptp(fitted[5:-5, R_WRIST, 1]) == pytest.approx(scale * np.ptp(poses[:, R_WRIST, 1]), rel=.02)


@pytest.mark.parametrize('empty', [0, 1])
def test_a_clip_that_cannot_be_fitted_is_named(clips, empty):
    pair = [Clip(clip.folder) for clip in clips[:2]]
    for clip, name in zip(pair, ('somebody', 'another')):
        clip.person = name
    pair[empty]._poses = np.zeros_like(pair[empty].poses)
    with pytest.raises(InputError, match=f'{pair[empty].folder}: shows both shoulders in too few .*--retarget off'):
        driving_poses(*pair, (96, 64))


def test_what_the_report_of_a_clip_warns_of_is_said(monkeypatch, tmp_path):
    class Ear(Progress):
        def say(self, line):
            said.append(line)

    said, made = [], SimpleNamespace(manifest=dict(report=dict(warnings=['the pose may jump to another person at frame 7'])))
    monkeypatch.setattr('toolkit.inference.clips.prepare', lambda *given, **named: made)
    assert apis.as_clip('dancer.mp4', tmp_path, None, Ear()) is made
    assert said == ['dancer.mp4: warning: the pose may jump to another person at frame 7']


def test_a_transfer_says_where_the_camera_of_the_driving_clip_moves(tmp_path, monkeypatch):
    said, trained = [], Trained(build(foreground={}).eval(), Config(), (96, 64))
    monkeypatch.setattr(scene, 'print_log', lambda text, logger, level: said.append(text))
    for name, pan, count in (('still', 0, 0), ('pan', 1.5, 1)):
        clip = filmed(tmp_path / name / 'clip', size=(96, 64), pan=pan)
        chosen = apis.choose(trained, apis.Request(clip.folder), tmp_path / 'work', progress=False)
        np.testing.assert_array_equal(chosen.openings[0]['plate'][0].permute(1, 2, 0), background_plate(clip))
        assert ['the camera moves' in text for text in said] == [True] * count
