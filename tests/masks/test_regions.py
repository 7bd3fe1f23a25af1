"""Upper and lower regions."""

import numpy as np
import pytest

from tests.helpers import pose_of
from toolkit.masks.geometry import body_scale
from toolkit.masks.regions import pose_regions
from toolkit.skeletons import HEAD_JOINTS, L_ELBOW, L_HIP, L_WRIST, NECK, NOSE, R_ANKLE, R_ELBOW, R_HIP, R_KNEE, R_SHOULDER, R_WRIST, K

H, W = 384, 256
STANDING = np.array([
    (128, 60), (128, 96), (98, 98), (70, 140), (40, 170), (158, 98), (172, 145), (180, 188), (110, 206), (108, 272), (107, 338),
    (146, 206), (148, 272), (149, 338), (121, 53), (135, 53), (112, 58), (144, 58)], np.float32)


def at(region, point):
    return region[int(round(float(point[1]))), int(round(float(point[0])))]


def test_torso_and_arms_are_upper_legs_are_lower():
    upper, lower = regions = pose_regions(pose_of(STANDING), H, W)
    assert regions.shape == (2, H, W) and regions.dtype == np.float32 and regions.min() == 0 and regions.max() == 1
    for point in ((128, 150), STANDING[R_SHOULDER], STANDING[[R_SHOULDER, R_ELBOW]].mean(0), STANDING[[R_ELBOW, R_WRIST]].mean(0)):
        assert at(upper, point) == 1 and at(lower, point) == 0
    for point in (STANDING[R_KNEE], STANDING[R_ANKLE]):
        assert at(lower, point) == 1 and at(upper, point) == 0
    assert at(lower, STANDING[R_HIP]) == 1


def test_head_and_hands_beside_the_torso_are_cut_out_of_the_upper_region():
    upper = pose_regions(pose_of(STANDING), H, W)[0]
    hand = STANDING[R_WRIST] + 0.35 * (STANDING[R_WRIST] - STANDING[R_ELBOW])
    assert at(upper, STANDING[NOSE]) == 0 and at(upper, hand) == 0
    points = STANDING.copy()
    points[L_WRIST] = (128, 150)
    hand = points[L_WRIST] + 0.35 * (points[L_WRIST] - points[L_ELBOW])
    assert at(upper, hand) == 1 and at(pose_regions(pose_of(points), H, W)[0], hand) == 1  # the garment around it is seen


def test_no_seams_inside_the_union():
    upper = pose_regions(pose_of(STANDING), H, W)[0]
    line = [at(upper, STANDING[R_SHOULDER] * (1 - s) + STANDING[R_ELBOW] * s) for s in np.linspace(0, 1, 50)]
    assert min(line) > 0.999


def test_dilation_and_scale():
    areas = [pose_regions(pose_of(STANDING), H, W, dilation=d).sum() for d in (0, 0.08, 0.2)]
    assert areas[0] < areas[1] < areas[2]
    full, half = pose_regions(pose_of(STANDING), H, W), pose_regions(pose_of((STANDING + 0.5) / 2 - 0.5), H // 2, W // 2)
    pooled = full.reshape(2, H // 2, 2, W // 2, 2).mean((2, 4))
    assert np.abs(pooled - half).max() < 0.2 and np.abs(pooled - half).mean() < 2e-3


def test_moves_with_the_pose():
    moved = pose_regions(pose_of(STANDING + (10, 4)), H, W)
    np.testing.assert_allclose(moved[:, 14:, 20:], pose_regions(pose_of(STANDING), H, W)[:, 10:-4, 10:-10], atol=1e-4)


@pytest.mark.parametrize('joint', range(K))
def test_any_missing_joint_leaves_the_torso(joint):
    upper, lower = pose_regions(pose_of(STANDING, missing=[joint]), H, W)
    assert at(upper, (128, 150)) == 1 and lower.sum() > 0.4 * pose_regions(pose_of(STANDING), H, W)[1].sum()


def test_upper_body_only_and_empty_poses():
    upper, lower = pose_regions(pose_of(STANDING, missing=[R_HIP, L_HIP, *range(9, 11), 12, 13]), H, W)
    assert at(upper, (128, 150)) == 1 and lower.max() == 0
    assert pose_regions(pose_of(STANDING, missing=range(K)), H, W).max() == 0
    assert pose_regions(pose_of(STANDING + 1e4), H, W).max() == 0
    broken = pose_of(STANDING)
    broken[NECK, 0], broken[R_WRIST, 1] = np.nan, np.inf
    assert np.isfinite(pose_regions(broken, H, W)).all()
    assert np.isfinite(pose_regions(pose_of(np.full((K, 2), 9.0)), H, W)).all()


def test_head_disc_without_face_joints():
    upper = pose_regions(pose_of(STANDING, missing=HEAD_JOINTS), H, W)[0]
    assert at(upper, STANDING[NECK] - (0, 0.5 * float(body_scale(pose_of(STANDING))))) == 0
