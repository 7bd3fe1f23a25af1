"""Gap filling and the One-Euro filter."""

import numpy as np
import pytest

from toolkit.poses.smooth import OneEuro, clean_poses, fill_gaps, smooth_poses
from toolkit.skeletons import L_HIP, L_SHOULDER, R_HIP, R_SHOULDER, R_WRIST, K


def standing(frames):
    """A person with a torso of 100 px; the right wrist is free to be moved."""
    poses = np.zeros((frames, K, 3), np.float32)
    for joint, x, y in ((R_SHOULDER, 80, 100), (L_SHOULDER, 120, 100), (R_HIP, 80, 200), (L_HIP, 120, 200), (R_WRIST, 50, 150)):
        poses[:, joint] = x, y, 1
    return poses


def test_gaps_up_to_the_limit_are_filled_linearly():
    poses = np.zeros((12, K, 3), np.float32)
    poses[[0, 6, 11], 3] = (0, 0, 0.9), (60, 30, 0.5), (100, 100, 1)
    filled = fill_gaps(poses, max_gap=5)
    np.testing.assert_allclose(filled[:7, 3, 0], np.arange(7) * 10, atol=1e-5)
    np.testing.assert_allclose(filled[1:6, 3, 2], 0.5)
    assert (filled[7:11, 3, 2] > 0).all()
    assert (poses[1:6] == 0).all()
    assert (fill_gaps(poses, max_gap=4)[1:6, 3] == 0).all()


def test_ends_are_not_filled():
    poses = np.zeros((6, K, 3), np.float32)
    poses[2:4, 0] = 5, 5, 1
    assert (fill_gaps(poses)[[0, 1, 4, 5], 0] == 0).all()


def test_constant_tracks_stay():
    poses = standing(30)
    np.testing.assert_allclose(smooth_poses(poses, 25), poses, atol=1e-4)


def test_noise_shrinks_and_missing_joints_stay_missing():
    noise = np.random.default_rng(0).normal(0, 2, (200, 2)).astype(np.float32)
    poses = standing(200)
    poses[:, R_WRIST, :2] += noise
    smoothed = smooth_poses(poses, 25)
    assert smoothed[:, R_WRIST, :2].std(0).max() < 0.5 * noise.std()
    assert (smoothed[:, 0] == 0).all()
    assert np.array_equal(smoothed[..., 2], poses[..., 2])


def test_steady_motion_has_no_lag():
    poses = standing(100)
    speed = 4.0
    poses[:, R_WRIST, 0] += speed * np.arange(100)
    both = smooth_poses(poses, 25)[20:80, R_WRIST, 0] - poses[20:80, R_WRIST, 0]
    assert np.abs(both).max() < 0.1


def test_smoothing_does_not_depend_on_the_resolution():
    poses = standing(60)
    poses[:, R_WRIST, :2] += np.random.default_rng(1).normal(0, 3, (60, 2)).astype(np.float32)
    larger = poses * np.float32([3, 3, 1])
    np.testing.assert_allclose(smooth_poses(larger, 25)[..., :2], 3 * smooth_poses(poses, 25)[..., :2], rtol=1e-4)


def test_a_point_that_was_missing_starts_anew():
    points = np.zeros((4, 1, 2))
    points[3] = 7.0
    present = np.array([[True], [True], [False], [True]])
    assert np.array_equal(OneEuro(25)(points, present), points)
    with pytest.raises(ValueError, match='fps'):
        OneEuro(0)


def test_clean_poses_drops_fills_and_smooths():
    poses = standing(20)
    poses[5, R_WRIST] = 400, 400, 0.05
    cleaned = clean_poses(poses, 25)
    np.testing.assert_allclose(cleaned[5, R_WRIST], (50, 150, 1), atol=1e-3)
    assert poses[5, R_WRIST, 0] == 400
    assert clean_poses(np.zeros((0, K, 3), np.float32), 25).shape == (0, K, 3)
