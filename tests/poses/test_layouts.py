"""Keypoint layouts to OpenPose-18."""

import numpy as np
import pytest
import torch

from toolkit.skeletons import BLAZEPOSE33, COCO17, INDEX, NECK, scale_points, to_openpose18, torso_scale


def numbered(layout):
    keypoints = np.ones((len(layout), 3), np.float32)
    keypoints[:, 0] = np.arange(len(layout))
    keypoints[:, 1] = 100 + np.arange(len(layout))
    return keypoints


def test_coco_permutation():
    pose = to_openpose18(numbered(COCO17), 'coco17')
    expected = [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert pose[:, 0].tolist() == expected
    assert pose[:, 1].tolist() == [100 + e for e in expected]
    assert (pose[:, 2] == 1).all()


@pytest.mark.parametrize(('left', 'right', 'neck'), [(0.4, 0.9, 0.4), (0.9, 0.2, 0.2), (0, 1, 0), (1, 0, 0)])
def test_neck_confidence_is_the_smaller_shoulder(left, right, neck):
    keypoints = numbered(COCO17)
    keypoints[[5, 6], 2] = left, right
    pose = to_openpose18(keypoints, 'coco17')
    assert pose[NECK, 2] == np.float32(neck)
    if neck == 0:
        assert not pose[NECK].any()


def test_blazepose_order():
    pose = to_openpose18(numbered(BLAZEPOSE33), 'blazepose33')
    expected = [0, 11.5, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7]
    assert pose[:, 0].tolist() == expected


def test_torso_scale_needs_all_four_joints():
    pose = np.zeros((2, 18, 3), np.float32)
    for name, x, y in (('right_shoulder', 0, 0), ('right_hip', 0, 30), ('left_shoulder', 10, 0), ('left_hip', 10, 40)):
        pose[:, INDEX[name]] = x, y, 1
    pose[1, INDEX['left_hip']] = 0
    assert torso_scale(pose).tolist() == [pytest.approx(np.sqrt((900 + 1600) / 2)), 0]


def test_scaling_keeps_pixel_centers_at_integers_and_the_kind_of_numbers():
    assert [scale_points(x, 2) for x in (-.5, 0, 9.5)] == [-.5, .5, 19.5], 'borders stay borders'
    points = np.array([[0, 1], [3, 5]], np.float32)
    moved = scale_points(points, np.array([2, .5], np.float32))
    assert moved.dtype == np.float32 and moved.tolist() == [[.5, .25], [6.5, 2.25]]
    assert scale_points(torch.arange(3), 4).tolist() == [1.5, 5.5, 9.5]


def test_joints_of_which_no_name_is_known_are_not_taken_for_missing_ones():
    with pytest.raises(ValueError, match='none of the joints Nose, LeftEye is known; expected names such as nose, neck'):
        to_openpose18(np.ones((5, 2, 3)), ('Nose', 'LeftEye'))
    assert to_openpose18(np.ones((2, 3)), ('nose', 'LeftEye'))[0].tolist() == [1, 1, 1]
