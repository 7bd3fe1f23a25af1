"""Transforms between poses: closed form, regularized fits and every degenerate case."""

import numpy as np
import pytest
import torch

from toolkit.masks.geometry import body_scale
from toolkit.skeletons import (
    HEAD_JOINTS,
    L_ELBOW,
    L_HIP,
    L_SHOULDER,
    LIMB_PARTS,
    NECK,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    TORSO_JOINTS,
    P,
    torso_scale,
)
from toolkit.structures import InputError
from toolkit.warpers.affine import fit_points, limb_affine, part_affines

STANDING = np.array([
    (100, 60), (100, 90), (75, 92), (65, 130), (60, 165), (125, 92), (135, 130), (142, 165), (85, 180), (83, 235), (82, 290),
    (115, 180), (117, 235), (118, 290), (94, 54), (106, 54), (86, 58), (114, 58)], float)


def pose(points=STANDING, missing=()):
    out = np.concatenate([points, np.ones((18, 1))], 1)
    out[list(missing)] = 0
    return torch.from_numpy(out)[None]


def random_pose(rng):
    return pose(STANDING + rng.normal(0, 8, STANDING.shape))


def apply(matrix, points):
    return points @ np.asarray(matrix)[:, :2].T + np.asarray(matrix)[:, 2]


def test_limb_closed_form_equals_least_squares_of_rectangle_corners():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a1, b1, a2, b2 = rng.uniform(0, 300, (4, 2))
        s1, s2 = rng.uniform(40, 160, 2)
        reach = rng.uniform(0, 0.5)

        def corners(a, b, s, reach=reach):
            start, end = a + 0.1 * (a - b), b + reach * (b - a)
            side = 0.2 * s * np.array([-(b - a)[1], (b - a)[0]]) / np.linalg.norm(b - a)
            return np.stack([start + side, start - side, end - side, end + side])

        target = np.concatenate([corners(a2, b2, s2), np.ones((4, 1))], 1)
        expected = np.linalg.lstsq(target, corners(a1, b1, s1), rcond=None)[0].T
        got = limb_affine(*(torch.from_numpy(v) for v in (a1, b1, a2, b2)), torch.tensor(s1).double(), torch.tensor(s2).double())
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_limb_transform_uses_torso_scale_and_takes_target_joints_to_source_joints():
    rng = np.random.default_rng(1)
    source, target = random_pose(rng), random_pose(rng)
    matrices, valid, mirrored = part_affines(source, target)
    assert valid.all() and not mirrored.any() and matrices.dtype == torch.float64
    ratio = torso_scale(source[0].numpy()) / torso_scale(target[0].numpy())
    for part, (a, b) in LIMB_PARTS.items():
        x, y = target[0, [a, b], :2].numpy(), source[0, [a, b], :2].numpy()
        np.testing.assert_allclose(apply(matrices[0, part], x), y, atol=1e-9)
        lengths = np.linalg.norm(y[1] - y[0]) / np.linalg.norm(x[1] - x[0])
        assert np.linalg.det(matrices[0, part, :, :2].numpy()) == pytest.approx(lengths * ratio, rel=1e-5)


def test_unregularized_torso_is_plain_least_squares():
    rng = np.random.default_rng(2)
    source, target = random_pose(rng), random_pose(rng)
    matrices, _, _ = part_affines(source, target, regularization=0)
    for part, joints in ((0, TORSO_JOINTS), (1, (*HEAD_JOINTS, R_SHOULDER, L_SHOULDER))):
        x = np.concatenate([target[0, joints, :2].numpy(), np.ones((len(joints), 1))], 1)
        expected = np.linalg.lstsq(x, source[0, joints, :2].numpy(), rcond=None)[0].T
        np.testing.assert_allclose(matrices[0, part].numpy(), expected, atol=1e-8)


def test_regularized_fit_minimizes_its_objective():
    rng = np.random.default_rng(3)
    x, y = torch.from_numpy(rng.normal(0, 30, (2, 5, 2)))
    weights, mu = torch.from_numpy(rng.uniform(0.5, 1, 5)), torch.tensor(800.0).double()
    affine, similar = fit_points(x, y, weights, mu)

    def cost(m):
        return (weights * ((x @ m[:, :2].T + m[:, 2] - y)**2).sum(-1)).sum() + mu * ((m[:, :2] - similar[:, :2])**2).sum()

    variable = affine.clone().requires_grad_()
    gradient, = torch.autograd.grad(cost(variable), variable)
    assert gradient.abs().max() < 1e-8 * float(cost(affine))
    assert torch.equal(similar[0, 0], similar[1, 1]) and torch.equal(similar[0, 1], -similar[1, 0])


@pytest.mark.parametrize('rigid_head', [False, True])
@pytest.mark.parametrize('scale,angle,shift', [(1, 0, (0, 0)), (1, 0, (13.25, -7)), (1.5, 0.4, (20, 30)), (0.5, -2.0, (5, 200))])
def test_similar_poses_give_the_similarity_for_every_part(scale, angle, shift, rigid_head):
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrices, valid, _ = part_affines(pose(STANDING @ rotation.T + shift), pose(), rigid_head=rigid_head)
    expected = np.concatenate([rotation, np.array(shift)[:, None]], 1)
    assert valid.all()
    np.testing.assert_allclose(matrices[0].numpy(), np.broadcast_to(expected, (P, 2, 3)), atol=1e-9)


def test_side_view_is_not_sheared():
    flat = STANDING.copy()
    flat[[R_SHOULDER, R_HIP, L_SHOULDER, L_HIP]] = (100.5, 92), (100.0, 180), (99.5, 92), (100.2, 178)
    regular, _, _ = part_affines(pose(), pose(flat))
    plain, _, _ = part_affines(pose(), pose(flat), regularization=0, det_range=(0, np.inf))
    assert np.linalg.cond(plain[0, 0, :, :2]) > 10
    assert np.linalg.cond(regular[0, 0, :, :2]) < 1.5


def test_limb_missing_in_target_is_empty():
    matrices, valid, mirrored = part_affines(pose(), pose(missing=[R_WRIST]))
    assert valid[0].tolist() == [i != 8 for i in range(P)] and not mirrored.any()
    assert (matrices[0, 8] == 0).all()


def test_limb_missing_in_source_is_mirrored():
    matrices, valid, mirrored = part_affines(pose(missing=[R_ELBOW]), pose())
    assert valid.all() and mirrored[0].nonzero()[:, 0].tolist() == [6, 8]
    np.testing.assert_allclose(apply(matrices[0, 6], STANDING[[R_SHOULDER, R_ELBOW]]), STANDING[[L_SHOULDER, L_ELBOW]], atol=1e-9)


def test_limb_missing_on_both_sides_is_empty():
    _, valid, mirrored = part_affines(pose(missing=[R_ELBOW, L_ELBOW]), pose())
    assert (~valid[0]).nonzero()[:, 0].tolist() == [6, 7, 8, 9] and not mirrored.any()


def test_limb_without_length_counts_as_missing():
    short = STANDING.copy()
    short[R_ELBOW] = short[R_SHOULDER] + (1.0, 0.5)
    _, valid, _ = part_affines(pose(), pose(short))
    assert not valid[0, 6] and valid[0, 7]
    matrices, valid, mirrored = part_affines(pose(short), pose())
    assert valid[0, 6] and mirrored[0, 6] and matrices.isfinite().all()


def test_a_rigid_head_is_turned_and_not_stretched():
    rng = np.random.default_rng(3)
    source, target = random_pose(rng), random_pose(rng)
    matrices, valid, _ = part_affines(source, target, rigid_head=True)
    linear, joints = matrices[0, 1, :, :2].numpy(), [*HEAD_JOINTS, NECK]
    x, y = (points[0, joints, :2].numpy() for points in (target, source))
    u, _, vt = np.linalg.svd((y - y.mean(0)).T @ (x - x.mean(0)))  # Kabsch's algorithm
    turn = u @ np.diag([1, np.sign(np.linalg.det(u @ vt))]) @ vt
    size = float(body_scale(source) / body_scale(target))
    assert valid[0, 1]
    np.testing.assert_allclose(linear, size * turn, atol=1e-9)
    np.testing.assert_allclose(apply(matrices[0, 1], x.mean(0)), y.mean(0), atol=1e-9)
    leaning = STANDING.copy()
    leaning[[R_SHOULDER, L_SHOULDER]] += (0, 25)
    stretched, rigid = (part_affines(pose(), pose(leaning), rigid_head=on)[0][0, 1, :, :2].numpy() for on in (False, True))
    assert np.linalg.cond(stretched) > 1.2 and np.linalg.cond(rigid) == pytest.approx(1)


def test_no_common_head_joint_moves_head_with_neck_and_scale():
    big = STANDING * 2 + (30, 10)
    matrices, valid, _ = part_affines(pose(big, missing=HEAD_JOINTS), pose())
    assert valid[0, 1]
    np.testing.assert_allclose(matrices[0, 1, :, :2].numpy(), 2 * np.eye(2), atol=1e-6)
    np.testing.assert_allclose(apply(matrices[0, 1], STANDING[NECK]), big[NECK], atol=1e-6)
    matrices, valid, _ = part_affines(pose(big, missing=[*HEAD_JOINTS, NECK]), pose())
    middle = [R_SHOULDER, L_SHOULDER]
    np.testing.assert_allclose(apply(matrices[0, 1], STANDING[middle].mean(0)), big[middle].mean(0), atol=1e-6)
    _, valid, _ = part_affines(pose(big, missing=[*HEAD_JOINTS, NECK, L_SHOULDER]), pose())
    assert not valid[0, 1]


def test_one_head_joint_without_shoulders_moves_and_scales():
    keep = HEAD_JOINTS[0]
    missing = [*HEAD_JOINTS[1:], R_SHOULDER, L_SHOULDER]
    matrices, valid, _ = part_affines(pose(STANDING + 10, missing=missing), pose())
    assert valid[0, 1]
    np.testing.assert_allclose(apply(matrices[0, 1], STANDING[keep]), STANDING[keep] + 10, atol=1e-9)


def test_missing_torso_joint_is_fitted_from_the_others():
    matrices, valid, _ = part_affines(pose(STANDING + (9, 4), missing=[R_HIP]), pose())
    assert valid[0, 0]
    np.testing.assert_allclose(matrices[0, 0].numpy(), [[1, 0, 9], [0, 1, 4]], atol=1e-9)


def test_torso_without_common_joints_is_empty_or_held():
    lost = pose(missing=[*TORSO_JOINTS, NECK])
    source, target = torch.cat([pose()] * 3), torch.cat([lost, pose(STANDING + 5), lost])
    _, valid, _ = part_affines(source, target)
    assert valid[:, 0].tolist() == [False, True, False]
    matrices, valid, _ = part_affines(source, target, consecutive=True)
    assert valid[:, 0].tolist() == [False, True, True]
    assert torch.equal(matrices[2, 0], matrices[1, 0]) and not torch.equal(matrices[2, 1], matrices[1, 1])


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_nan_and_infinite_joints_count_as_missing(bad):
    broken, absent = pose(), pose(missing=[R_KNEE, NECK])
    broken[0, [R_KNEE, NECK], 0] = bad
    for got, expected in zip(part_affines(broken, pose()), part_affines(absent, pose())):
        assert torch.equal(got, expected)
    assert part_affines(pose(), broken)[0].isfinite().all()


def test_extreme_area_ratio_falls_back_to_similarity_then_to_empty():
    pointing = STANDING.copy()
    pointing[R_ELBOW] = pointing[R_SHOULDER] + (0.0, 2.1)
    matrices, valid, _ = part_affines(pose(), pose(pointing))
    linear = matrices[0, 6, :, :2].numpy()
    assert valid[0, 6] and 1 / 16 <= abs(np.linalg.det(linear)) <= 16
    np.testing.assert_allclose([linear[0, 0], linear[0, 1]], [linear[1, 1], -linear[1, 0]], atol=1e-12)
    _, valid, _ = part_affines(pose(STANDING * 5), pose())
    assert not valid.any()


def test_collapsed_poses_stay_finite_and_empty():
    point = np.full((18, 2), 50.0)
    for source, target in ((pose(point), pose()), (pose(), pose(point)), (pose(point), pose(point))):
        matrices, valid, _ = part_affines(source, target)
        assert matrices.isfinite().all() and not valid[0, 2:].any()


def test_empty_pose_gives_no_part():
    for source, target in ((pose(missing=range(18)), pose()), (pose(), pose(missing=range(18)))):
        matrices, valid, mirrored = part_affines(source, target)
        assert not valid.any() and not mirrored.any() and (matrices == 0).all()


def test_batch_equals_single_samples():
    rng = np.random.default_rng(5)
    source, target = (torch.cat([random_pose(rng) for _ in range(6)]) for _ in range(2))
    source[torch.from_numpy(rng.random((6, 18)) < 0.2)] = 0
    target[torch.from_numpy(rng.random((6, 18)) < 0.2)] = 0
    batch = part_affines(source, target)
    singles = [part_affines(s[None], t[None]) for s, t in zip(source, target)]
    for i, together in enumerate(batch):
        torch.testing.assert_close(together, torch.cat([s[i] for s in singles]), rtol=0, atol=1e-12)


def test_wrong_shapes_are_named():
    with pytest.raises(InputError, match='source_pose must have shape'):
        part_affines(torch.zeros(18, 3), torch.zeros(1, 18, 3))
    with pytest.raises(InputError, match='expand the source'):
        part_affines(torch.zeros(1, 18, 3), torch.zeros(2, 18, 3))
