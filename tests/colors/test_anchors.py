"""Hint points."""

import numpy as np

from toolkit.colors.anchors import ANCHORS, Hints, joint_points, make_hints
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.skeletons import L_KNEE, NOSE, R_SHOULDER


def test_anchors_are_means_of_joints():
    for region in ANCHORS:
        for anchor in ANCHORS[region]:
            assert abs(sum(anchor.values()) - 1) < 1e-6


def test_points_of_missing_joints_are_left_out(person):
    pose = person.pose.copy()
    assert len(joint_points(pose, 'up')) == len(ANCHORS['up'])
    pose[R_SHOULDER] = 0
    assert len(joint_points(pose, 'up')) == sum(R_SHOULDER not in anchor for anchor in ANCHORS['up'])


def test_own_points_lie_in_the_region_and_protected_ones_keep_their_color(person):
    lab, weight = rgb8_to_lab(person.frame), person.garments[0].astype(np.float32)
    hints = make_hints(lab, weight, person.pose, 'up', (30, -20), person.parts == 0)
    x, y = hints.points.T
    assert (~hints.protected).sum() >= 6 and hints.protected.sum() >= 12
    assert (weight[y, x] > .5).tolist() == (~hints.protected).tolist()
    assert (hints.ab[~hints.protected] == (30, -20)).all()
    np.testing.assert_array_equal(hints.ab[hints.protected], lab[y, x, 1:][hints.protected])
    assert person.pose[NOSE, :2].round().astype(int).tolist() in hints.points[hints.protected].tolist()
    assert person.pose[L_KNEE, :2].round().astype(int).tolist() in hints.points[hints.protected].tolist()


def test_a_region_without_joints_still_gets_a_point(person):
    weight = np.zeros(person.mask.shape, np.float32)
    weight[60:64, 60:64] = 1
    hints = make_hints(rgb8_to_lab(person.frame), weight, np.zeros((18, 3), np.float32), 'up', (5, 5), person.parts == 0)
    assert (~hints.protected).sum() == 1


def test_maps_clip_patches_at_the_border_and_protection_wins():
    hints = Hints(np.array([(0, 0), (3, 1)]), np.array([(9, 8), (1, 2)], np.float32), np.array([True, False]), patch=3)
    ab, mask = hints.maps(4, 6)
    assert mask.sum() == 4 + 9
    assert ab[1, 1].tolist() == [9, 8] and ab[1, 3].tolist() == [1, 2] and ab[3, 5].tolist() == [0, 0]
