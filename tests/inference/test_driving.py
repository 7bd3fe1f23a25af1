"""What a painter is given of a driving clip is what a data set gives of it."""

import pytest
import torch

from toolkit import apis
from toolkit.datasets.windows import ClipWindows
from toolkit.inference.driving import driving_poses, frame_steps
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
    (dict(max_frames=0), 'at least 1'), (dict(content='nobody.png'), 'nobody.png: no such file')])
def test_wishes_that_cannot_be(clips, wish, words):
    with pytest.raises(InputError, match=words):
        apis.Request(clips[0].folder, **wish)
