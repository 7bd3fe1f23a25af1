"""Part labels, shapes and body scale."""

import numpy as np
import pytest
import torch

from tests.helpers import pose_of
from toolkit.masks.geometry import body_scale, hull_distance, part_shapes, segment_distance
from toolkit.masks.parts import part_labels
from toolkit.skeletons import (
    HEAD_JOINTS,
    L_ELBOW,
    L_HIP,
    LIMB_PARTS,
    NECK,
    NOSE,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_SHOULDER,
    R_WRIST,
    P,
    torso_scale,
)
from toolkit.structures import InputError

H, W = 384, 256
STANDING = np.array([
    (128, 60), (128, 96), (98, 98), (84, 145), (78, 188), (158, 98), (172, 145), (180, 188), (110, 206), (108, 272), (107, 338),
    (146, 206), (148, 272), (149, 338), (121, 53), (135, 53), (112, 58), (144, 58)], np.float32)


def body(pose=None):
    return part_shapes(pose_of(STANDING) if pose is None else pose, H, W).any(0).astype(np.float32)


def at(labels, point):
    return labels[int(round(float(point[1]))), int(round(float(point[0])))]


def test_middle_of_every_bone_has_its_label():
    labels = part_labels(pose_of(STANDING), body())
    assert labels.dtype == np.uint8 and set(np.unique(labels)) == set(range(P + 1))
    for part, (a, b) in LIMB_PARTS.items():
        assert at(labels, (STANDING[a] + STANDING[b]) / 2) == part + 1
    assert at(labels, STANDING[NOSE]) == 2
    assert at(labels, STANDING[[R_SHOULDER, L_HIP]].mean(0)) == 1


def test_labels_cover_the_body_and_nothing_else():
    mask = body()
    labels = part_labels(pose_of(STANDING), mask)
    assert np.array_equal(labels > 0, mask > 0.5)
    half = mask.copy()
    half[:, :128] = 0
    cut = part_labels(pose_of(STANDING), half)
    assert np.array_equal(cut[:, 128:], labels[:, 128:]) and not cut[:, :128].any()


def test_hands_feet_and_hair_go_to_the_nearest_part():
    mask = np.ones((H, W), np.float32)
    labels = part_labels(pose_of(STANDING), mask)
    hand = STANDING[R_WRIST] + 0.4 * (STANDING[R_WRIST] - STANDING[R_ELBOW])
    assert at(labels, hand) == 9
    assert at(labels, STANDING[R_ANKLE] + (-12, 14)) == 5
    assert at(labels, STANDING[NOSE] - (0, 50)) == 2
    assert labels[380, 2] == 0 and labels[2, 252] == 0


def test_reach_limits_labels_to_the_shapes():
    mask = np.ones((H, W), np.float32)
    labels = part_labels(pose_of(STANDING), mask, reach=1.0)
    union = part_shapes(pose_of(STANDING), H, W).any(0)
    assert ((labels > 0) != union).mean() < 1e-3


def test_arm_in_front_of_the_torso_wins():
    points = STANDING.copy()
    points[R_ELBOW], points[R_WRIST] = (100, 150), (135, 160)
    labels = part_labels(pose_of(points), body(pose_of(points)))
    assert at(labels, points[[R_ELBOW, R_WRIST]].mean(0)) == 9
    assert at(labels, (128, 130)) == 1


def test_labels_move_with_the_person():
    mask = body()
    mask[:5] = mask[-5:] = 0
    moved = part_labels(pose_of(STANDING + (9, -5)), np.roll(mask, (-5, 9), (0, 1)))
    assert (moved != np.roll(part_labels(pose_of(STANDING), mask), (-5, 9), (0, 1))).mean() < 1e-4


@pytest.mark.parametrize('missing', [[L_HIP], [R_HIP, L_HIP], [NECK], list(HEAD_JOINTS), [R_ELBOW, L_ELBOW], [R_SHOULDER, R_HIP]])
def test_missing_joints(missing):
    mask = body()
    labels = part_labels(pose_of(STANDING, missing=missing), mask)
    assert not labels[mask < 0.5].any() and (labels > 0).sum() > 0.7 * mask.sum()
    assert at(labels, (128, 150)) == 1
    gone = {part + 1 for part, joints in LIMB_PARTS.items() if set(joints) & set(missing)}
    assert not gone & set(np.unique(labels))


def test_no_pose_or_no_mask_gives_no_label():
    assert not part_labels(np.zeros((18, 3)), np.ones((H, W))).any()
    assert not part_labels(pose_of(STANDING), np.zeros((H, W))).any()
    broken = pose_of(STANDING)
    broken[:, 0] = np.nan
    assert not part_labels(broken, np.ones((H, W))).any()
    with pytest.raises(InputError, match='one frame at a time'):
        part_labels(pose_of(STANDING), np.ones((1, H, W)))


def test_body_scale_is_the_torso_scale_where_the_torso_is_seen():
    pose = pose_of(STANDING)
    assert body_scale(pose) == pytest.approx(torso_scale(pose), rel=1e-5)
    assert float(body_scale(torch.from_numpy(pose).double())) == pytest.approx(float(torso_scale(pose)), rel=1e-5)


def test_body_scale_without_hips_or_bending_forward_stays_near():
    full = float(body_scale(pose_of(STANDING)))
    assert 0.7 * full < float(body_scale(pose_of(STANDING, missing=[R_HIP, L_HIP]))) < 1.4 * full
    bent = STANDING.copy()
    bent[[R_HIP, L_HIP], 1] = 110
    assert 0.4 * full < float(body_scale(pose_of(bent)))
    assert body_scale(pose_of(STANDING, missing=range(18))) == 0
    batch = np.stack([pose_of(STANDING), pose_of(bent)])
    np.testing.assert_allclose(body_scale(batch), [body_scale(p) for p in batch], rtol=1e-6)


def test_distances():
    x, y = np.array([0, 5, 12, 5], np.float32), np.array([0, 3, 0, -4], np.float32)
    np.testing.assert_allclose(segment_distance(x, y, np.array([0, 0]), np.array([10, 0])), [0, 3, 2, 4])
    np.testing.assert_allclose(segment_distance(x, y, np.array([0, 0]), np.array([0, 0])), np.hypot(x, y))
    square = np.array([(0, 0), (10, 10), (10, 0), (0, 10), (5, 5)], np.float32)
    np.testing.assert_allclose(hull_distance(x, y, square), [0, -3, 2, 4], atol=1e-6)
    np.testing.assert_allclose(hull_distance(x, y, square[:1]), np.hypot(x, y))
    np.testing.assert_allclose(hull_distance(x, y, np.array([(0, 0), (4, 0), (10, 0)], np.float32)), [0, 3, 2, 4], atol=1e-6)
