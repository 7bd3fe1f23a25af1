"""The search of references: exact facts about costs, neighbors, missing joints, facing and time."""

import numpy as np
import pytest

from tests.stick_people import stick_pose
from toolkit.datasets.references import APART, LACKING, WEIGHTS, PoseSearch, ReferenceTrack, features
from toolkit.skeletons import L_EAR, L_EYE, L_WRIST, MIRROR_JOINT, NECK, NOSE, R_EAR, R_EYE, R_WRIST
from toolkit.structures import InputError


def waving(count, seed=0, missing=0.0, turn=0.0):
    """Poses of somebody whose arms move smoothly."""
    rng = np.random.default_rng(seed)
    poses = np.stack([stick_pose(60, 30, 20)] * count)
    t = np.arange(count)
    for joint in (3, 4, 6, 7, 9, 10, 12, 13):
        for axis in (0, 1):
            poses[:, joint, axis] += 8 * np.sin(t * rng.uniform(.01, .2) + rng.uniform(0, 6))
    poses[..., :2] += rng.normal(0, .3, (count, 18, 2)) * (poses[..., 2:] > 0)
    poses[rng.random((count, 18)) < missing] = 0
    return poses


def search_of(poses, clips=None, few=10**9):
    return PoseSearch(poses, np.zeros(len(poses), int) if clips is None else clips, np.arange(len(poses)), few)


def moved(pose, x=0, y=0, scale=1.0):
    out = pose.copy()
    out[:, :2] = (out[:, :2] * scale + (x, y)) * (out[:, 2:] > 0)
    return out


def test_place_and_size_do_not_count():
    pose = waving(1)[0]
    search = search_of(np.stack([moved(pose, 30, -5, 1.7), moved(pose, 0, 0, .6)]))
    points, seen = features(pose[None])
    np.testing.assert_allclose(search.costs(points[0], seen[0]), 0, atol=1e-5)


def test_a_joint_that_the_pose_lacks_is_left_out_and_one_that_the_reference_lacks_costs():
    pose = stick_pose(60, 30, 20)
    away, without = pose.copy(), pose.copy()
    away[R_WRIST, :2] += 40
    without[R_WRIST] = 0
    search = search_of(np.stack([away, without, pose]))
    points, seen = features(without[None])
    assert search.costs(points[0], seen[0])[1] == 0 and search.nearest(without, 1) != [0]
    points[0], seen[0] = (value[0] for value in features(pose[None]))
    costs = search.costs(points[0], seen[0])
    assert costs[2] == 0 < costs[1] < costs[0], 'a torso away is worse than not to be seen'
    np.testing.assert_allclose(costs[1], LACKING / np.sqrt(WEIGHTS[seen[0]].sum()), rtol=.1)


@pytest.mark.parametrize('missing', [0.0, 0.03])
def test_the_tree_finds_what_comparing_all_finds(missing):
    poses = waving(6000, missing=missing)
    tree, everything = search_of(poses, few=100), search_of(poses)
    assert tree.tree is not None and everything.tree is None
    asked = waving(40, 5, missing)
    found = [(tree.nearest(p, 2), everything.nearest(p, 2)) for p in asked]
    equal = np.mean([a == b for a, b in found])
    assert equal == 1 if not missing else equal >= .9
    allowed = np.arange(6000) % 7 == 0
    some = [(tree.nearest(p, 2, allowed), everything.nearest(p, 2, allowed)) for p in asked]
    assert all(set(a) <= set(np.flatnonzero(allowed)) for a, _ in some) and np.mean([a == b for a, b in some]) >= .85


def test_the_way_somebody_faces_counts():
    front = stick_pose(60, 30, 20)
    front[[R_EYE, L_EYE], :2], front[[R_EYE, L_EYE], 2] = [(58, 28), (62, 28)], 1
    back = front[MIRROR_JOINT].copy()
    back[[NOSE, R_EYE, L_EYE]] = 0
    back[[R_EAR, L_EAR]] = (63, 29, 1), (57, 29, 1)
    side = front.copy()
    side[:, 0] = (60 + .3 * (side[:, 0] - 60)) * (side[:, 2] > 0)
    side[NOSE, 0] += 6
    points, seen = features(np.stack([front, back, side]))
    body, head = points[:, 18], points[:, 19]
    assert body[0, 0] > .9 and body[1, 0] < -.9 and abs(body[2, 0]) < .5 < body[2, 1]
    assert head[0, 0] > .9 and head[1, 0] < -.9 and seen[:, 18:].all()
    bent = front.copy()
    bent[[4, 7], 1] -= 24
    search = search_of(np.stack([back, bent]), clips=[0, 1])
    assert search.nearest(front, 2)[0] == 1, 'raised hands of somebody who faces us, rather than a back with hands in place'
    for turned, other in (front, side), (side, front):
        lifted = turned.copy()
        lifted[[4, 7], 1] -= 8
        assert search_of(np.stack([lifted, other]), clips=[0, 1]).nearest(turned, 2)[0] == 0, 'hands a little higher, not a turn'
    turned = front.copy()
    turned[NOSE, 0] += 3
    turned[[R_EYE, L_EYE], 0] += 1
    other = front.copy()
    other[NOSE, 0] -= 3
    other[[R_EYE, L_EYE], 0] -= 1
    pair = search_of(np.stack([other, turned]), clips=[0, 1])
    assert pair.nearest(turned, 2) == [1, 0] and pair.nearest(other, 2) == [0, 1]


def test_mirrored_poses_have_mirrored_features():
    poses = waving(20, missing=.1)
    mirrored = poses[:, MIRROR_JOINT].copy()
    mirrored[..., 0] = np.where(mirrored[..., 2] > 0, 119 - mirrored[..., 0], 0)
    (one, seen), (other, too) = features(poses), features(mirrored)
    index = np.append(MIRROR_JOINT, [18, 19])
    np.testing.assert_array_equal(seen[:, index], too)
    expected = one[:, index] * (-1, 1)
    expected[:, 18:] = one[:, 18:] * (1, -1)
    np.testing.assert_allclose(other, expected, atol=1e-4)


def test_references_of_a_frame_are_no_neighbors_and_the_last_is_repeated():
    pose = stick_pose(60, 30, 20)
    search = search_of(np.stack([pose] * 9))
    rows = search.nearest(pose, 4)
    gaps = np.abs(np.subtract.outer(rows, rows))[~np.eye(4, dtype=bool)]
    assert gaps.min() >= APART
    assert search_of(pose[None]).nearest(pose, 3) == [0, 0, 0]
    assert search_of(np.stack([pose] * 2)).nearest(pose, 2) == [0, 0], 'the next frame shows the same'
    assert search_of(np.stack([pose] * 2), clips=[0, 1]).nearest(pose, 2) == [0, 1]
    with pytest.raises(InputError, match='no frame is left'):
        search.nearest(pose, 1, np.zeros(9, bool))


def test_references_change_only_where_it_is_worth_it():
    poses = waving(200)
    search, noise = search_of(poses), np.random.default_rng(0)
    asked = waving(60, 3)
    asked[..., :2] += noise.normal(0, .4, (60, 18, 2)) * (asked[..., 2:] > 0)
    calm, nervous = ReferenceTrack(search, 2), ReferenceTrack(search, 2, change=0)
    paths = [np.array([track(p) for p in asked]) for track in (calm, nervous)]
    changes = [(np.diff(path, axis=0) != 0).sum() for path in paths]
    assert changes[0] < .7 * changes[1]
    costs = [search.costs(*(v[0] for v in features(p[None])), np.array([a[0], b[0]])) for p, a, b in zip(asked, *paths)]
    assert all(calm - best <= .04 + 1e-5 for calm, best in costs), 'never worse than the best by more than the cost of a change'
    far = moved(poses[10], 5)
    far[L_WRIST, :2] -= 30
    assert ReferenceTrack(search, 1)(poses[50]) == [50]
    track = ReferenceTrack(search, 1)
    track(poses[50])
    assert track(poses[120]) == [120], 'where it is worth it'
    assert track(np.zeros((18, 3), np.float32)) == [120], 'nobody: as before'


def test_poses_of_which_hardly_anything_is_seen():
    nothing, lone, head = np.zeros((3, 18, 3), np.float32)
    lone[NECK] = 5, 6, 1
    head[[NOSE, R_EYE]] = (5, 5, 1), (6, 4, 1)
    points, _ = features(np.stack([nothing, lone, head]))
    assert np.isfinite(points).all()
    search = search_of(np.stack([lone, head, waving(1)[0]]), clips=[0, 1, 2])
    for pose in (nothing, lone, head):
        assert len(search.nearest(pose, 2)) == 2
