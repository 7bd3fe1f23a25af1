"""GrabCut masks on drawn people."""

import cv2
import numpy as np
import pytest

from toolkit.masks.geometry import part_shapes
from toolkit.masks.pose_grabcut import PoseGrabCut
from toolkit.registry import SEGMENTORS
from toolkit.structures import InputError

STANDING = np.array([
    (64, 30), (64, 48), (49, 49), (38, 70), (26, 88), (79, 49), (86, 72), (90, 94), (55, 103), (54, 136), (53, 169), (73, 103),
    (74, 136), (75, 169), (60, 27), (68, 27), (56, 29), (72, 29)], np.float32)


def scene(frames=2):
    """A colored person, a little slimmer than the shapes, on a striped wall."""
    rng = np.random.default_rng(0)
    pose = np.concatenate([STANDING, np.ones((18, 1))], 1).astype(np.float32)
    shape = cv2.erode(part_shapes(pose, 192, 128).any(0).astype(np.uint8), np.ones((5, 5)))
    wall = np.where((np.arange(128) // 12 % 2)[None, :, None], (90, 110, 120), (150, 160, 150))
    picture = np.where(shape[..., None], (190, 60, 40), wall)
    pictures = np.clip(picture + rng.normal(0, 5, (frames, 192, 128, 3)), 0, 255).astype(np.uint8)
    return pictures, np.repeat(pose[None], frames, 0), shape > 0


def iou(mask, truth):
    return ((mask > 0.5) & truth).sum() / ((mask > 0.5) | truth).sum()


@pytest.mark.parametrize('coherence', [0.0, 0.5])
def test_finds_the_person(coherence):
    frames, poses, truth = scene()
    masks = PoseGrabCut(coherence=coherence)(frames, poses)
    assert masks.shape == (2, 192, 128) and masks.dtype == np.float32 and masks.min() >= 0 and masks.max() <= 1
    assert min(iou(m, truth) for m in masks) > 0.85


def test_works_at_reduced_size():
    frames, poses, truth = scene(1)
    assert iou(PoseGrabCut(max_side=96)(frames, poses)[0], truth) > 0.75


def test_masks_do_not_depend_on_what_was_cut_out_before():
    """So a preparation that was stopped goes on to the same bits."""
    frames, poses, _ = scene()
    mixed = np.random.default_rng(0).integers(0, 256, frames.shape, np.uint8)
    np.testing.assert_array_equal(*(PoseGrabCut()(mixed, poses) for _ in range(2)))


def test_frame_without_pose_is_empty():
    frames, poses, _ = scene(2)
    poses[0] = 0
    masks = SEGMENTORS.build(dict(type='PoseGrabCut', iterations=1))(frames, poses)
    assert masks[0].max() == 0 and masks[1].max() == 1


def test_pose_outside_of_the_frame_is_empty():
    frames, poses, _ = scene(1)
    poses[..., 0] += 500
    assert PoseGrabCut()(frames, poses).max() == 0


def test_wrong_use_is_named():
    frames, poses, _ = scene(1)
    with pytest.raises(InputError, match='give it poses'):
        PoseGrabCut()(frames, None)
    with pytest.raises(InputError, match='one pose each'):
        PoseGrabCut()(frames, poses[:0])
    with pytest.raises(InputError, match='uint8 RGB, got float32'):
        PoseGrabCut()(frames / np.float32(255), poses)
    with pytest.raises(InputError, match='coherence'):
        PoseGrabCut(coherence=1)
