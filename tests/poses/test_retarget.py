"""Pose normalization between two people."""


import numpy as np
import pytest

from toolkit.poses.retarget import PoseNormalizer, median_window_at
from toolkit.skeletons import JOINTS, L_ANKLE, L_HIP, L_SHOULDER, NECK, NOSE, R_ANKLE, R_HIP, R_SHOULDER, K
from toolkit.structures import InputError

UPPER = [i for i, name in enumerate(JOINTS) if 'hip' not in name and 'knee' not in name and 'ankle' not in name]


def walker(frames=60, steps=30.0, seed=0):
    """Somebody who walks towards the camera and back, growing from 200 to 260 px, with small motion of every joint."""
    rng = np.random.default_rng(seed)
    body = np.zeros((K, 2))
    body[:, 0] = rng.uniform(-30, 30, K)
    body[:, 1] = rng.uniform(-190, -20, K)
    body[NOSE], body[NECK] = (0, -200), (0, -170)
    body[[R_SHOULDER, L_SHOULDER]] = (-20, -165), (20, -165)
    body[[R_HIP, L_HIP]] = (-12, -100), (12, -100)
    body[[R_ANKLE, L_ANKLE]] = (-10, 0), (10, 0)
    depth = 0.5 - 0.5 * np.cos(np.linspace(0, 4 * np.pi, frames))
    poses = np.ones((frames, K, 3), np.float32)
    poses[..., :2] = body * (1 + 0.3 * depth)[:, None, None] + np.array([150, 300]) + (steps * depth)[:, None, None] * np.array([0, 1])
    return poses


def moved(poses, scale, x, y):
    out = poses.copy()
    out[..., :2] = np.where(poses[..., 2:] > 0, poses[..., :2] * scale + (x, y), 0)
    return out


@pytest.mark.parametrize('scale', [0.4, 1.0, 1.9])
def test_scaled_and_shifted_person_is_recovered_exactly(scale):
    source = walker()
    target = moved(source, scale, 70, -40)
    normalizer = PoseNormalizer.fit(source, target, median_window=1)
    assert normalizer.mode == 'feet'
    np.testing.assert_allclose(normalizer(source)[..., :2], target[..., :2], atol=1e-2)


@pytest.mark.parametrize(('missing', 'mode'), [([R_ANKLE], 'torso'), ([i for i in range(K) if i not in UPPER], 'shoulders')])
def test_without_feet_torso_or_shoulders_serve(missing, mode):
    source = walker()
    source[:, missing] = 0
    target = moved(source, 0.7, 30, 10)
    normalizer = PoseNormalizer.fit(source, target, median_window=1)
    assert normalizer.mode == mode
    mapped = normalizer(source)
    np.testing.assert_allclose(mapped[..., :2], target[..., :2], atol=1e-2)
    assert (mapped[:, missing] == 0).all()


def test_foot_lands_on_the_target_line_at_both_ends_of_the_walk():
    source = walker(steps=40.0)
    target = moved(walker(steps=20.0, seed=1), 1.5, 200, 0)
    normalizer = PoseNormalizer.fit(source, target, median_window=1)
    foot = normalizer(source)[:, [R_ANKLE, L_ANKLE], 1].max(-1)
    toes = source[:, [R_ANKLE, L_ANKLE], 1].max(-1)
    assert foot[toes.argmax()] == pytest.approx(normalizer.target.close, abs=1e-2)
    far = np.abs(toes - normalizer.source.far).argmin()
    assert foot[far] == pytest.approx(normalizer.target.far, abs=1e-2)


def test_who_stands_on_one_leg_is_as_tall_as_on_two():
    both = walker()
    one = both.copy()
    one[:, L_ANKLE, 1] -= 80
    scale = PoseNormalizer.fit(one, both, median_window=1)(one)[:, R_HIP, 1] - both[:, R_HIP, 1]
    assert np.abs(scale).max() < 1, 'the lifted foot does not make the person smaller'


def test_somebody_standing_still_does_not_walk_the_targets_range():
    source = walker(steps=0.0)
    target = walker(steps=60.0)
    normalizer = PoseNormalizer.fit(source, target, median_window=1)
    foot = normalizer(source)[:, [R_ANKLE, L_ANKLE], 1].max(-1)
    assert np.isfinite(foot).all()
    assert np.ptp(foot) < 1


def test_frames_without_ankles_keep_the_last_transform():
    source = walker()
    target = moved(source, 0.5, 10, 20)
    normalizer = PoseNormalizer.fit(source, target, median_window=1)
    broken = source.copy()
    broken[30:33, [R_ANKLE, L_ANKLE]] = 0
    mapped = normalizer(broken)
    np.testing.assert_allclose(mapped[30:33, NOSE, :2], source[30:33, NOSE, :2] * 0.5 + (10, 20), atol=1e-2)
    broken[:, [R_ANKLE, L_ANKLE]] = 0
    np.testing.assert_allclose(normalizer(broken)[:, NOSE, :2], source[:, NOSE, :2] * 0.5 + (10, 20), atol=1e-2)


def test_adaptive_median_removes_an_outlier_and_ignores_missing_joints():
    source = walker()
    source[:] = source[:1]
    spoiled = source.copy()
    spoiled[20, 3, :2] += 500
    spoiled[21, 3] = 0
    normalizer = PoseNormalizer.fit(source, source)
    mapped = normalizer(spoiled)
    np.testing.assert_allclose(mapped[20, 3, :2], source[20, 3, :2], atol=1e-2)
    assert (mapped[21, 3] == 0).all()


def test_nobody_to_measure():
    source = walker()
    with pytest.raises(InputError, match='source'):
        PoseNormalizer.fit(np.zeros_like(source), source)
    with pytest.raises(InputError, match='target'):
        PoseNormalizer.fit(source, np.zeros_like(source))


def test_a_single_picture_as_target_keeps_the_sources_movement():
    source = walker()
    picture = np.repeat(moved(source[:1], 0.5, 10, 20), 3, 0)
    normalizer = PoseNormalizer.fit(source, picture, median_window=1)
    mapped = normalizer(source)
    ankles = mapped[:, [R_ANKLE, L_ANKLE], 1].max(-1)
    expected = source[:, [R_ANKLE, L_ANKLE], 1].max(-1)
    scale = normalizer.target.height_close / normalizer.source.height_close
    assert np.ptp(ankles) == pytest.approx(scale * np.ptp(expected), rel=0.15)


def standing(frames=60, jitter=.6, seed=0):
    """Somebody of 300 px who stands still, as a pose estimator sees it; the ankles go up and down a little."""
    poses = np.repeat(moved(walker(1), 1.5, 0, 0), frames, 0)
    poses[:, [R_ANKLE, L_ANKLE], 1] += np.random.default_rng(seed).uniform(-jitter, jitter, (frames, 1))
    return poses


def test_jitter_of_the_feet_does_not_scale_who_squats():
    """The knees are bent in the very frames whose ankles happen to lie highest among those near the middle."""
    source = standing()
    toes = source[:, R_ANKLE, 1].copy()
    low = toes < np.median(toes)
    source[low, NOSE, 1] += 120
    fitted = PoseNormalizer.fit(source, standing(seed=1), median_window=1)(source)
    height = np.abs(fitted[:, NOSE, 1] - fitted[:, R_ANKLE, 1]) / np.abs(source[:, NOSE, 1] - source[:, R_ANKLE, 1])
    np.testing.assert_allclose(height, 1, atol=.02)


def test_a_jump_is_as_high_as_the_body_is_large_however_still_the_target_stands():
    source = standing()
    source[30:34, :, 1] -= 40
    for jitter in (0, .3, .6):
        fitted = PoseNormalizer.fit(source, moved(standing(jitter=jitter, seed=1), .9, 0, 0), median_window=1)(source)
        rise = fitted[:30, R_ANKLE, 1].mean() - fitted[30:34, R_ANKLE, 1].mean()
        assert rise == pytest.approx(36, abs=1), jitter


@pytest.mark.parametrize('which', ['source', 'target'])
def test_feet_that_are_seen_in_some_frames_only_are_no_measure(which):
    """A half-length portrait with four frames in which the estimator puts ankles at the lower border."""
    both = dict(source=walker(), target=moved(walker(), .5, 10, 20))
    feet = both[which][:, [R_ANKLE, L_ANKLE]].copy()
    both[which][:, [R_ANKLE, L_ANKLE]] = 0
    expected = PoseNormalizer.fit(*both.values(), median_window=1)(both['source'])
    both[which][10:14, [R_ANKLE, L_ANKLE]] = feet[10:14] - (0, 60, 0)
    normalizer = PoseNormalizer.fit(*both.values(), median_window=1)
    assert normalizer.mode == 'torso'
    np.testing.assert_allclose(normalizer(both['source'])[:, NOSE], expected[:, NOSE], atol=1e-2)


def test_a_single_pose_is_fitted():
    source = walker()
    one = PoseNormalizer.fit(source[:1], moved(source[:1], .5, 10, 20))(source[:1])
    np.testing.assert_allclose(one[..., :2], source[:1, :, :2] * .5 + (10, 20), atol=1e-2)


def test_the_median_covers_no_more_time_where_frames_are_far_apart():
    assert [median_window_at(fps) for fps in (1, 5, 10, 15, 24, 25, 30, 60)] == [1, 1, 3, 5, 7, 7, 7, 7]
