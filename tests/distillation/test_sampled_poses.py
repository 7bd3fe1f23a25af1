"""Poses without end: limbs turn around their joints, others' movements fit the person, and nothing is drawn that no footage shows."""

import numpy as np
import pytest

from tests.stick_people import stick_pose
from toolkit.distillation.sampled_poses import CHAINS, OWN, SHORTEST, TURNED, SampledPoses, check_turn, turn_chain
from toolkit.skeletons import L_ANKLE, L_HIP, L_KNEE, NECK, R_ANKLE, R_ELBOW, R_KNEE, R_SHOULDER, R_WRIST
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

SIZE = 192, 128


class Chance(np.random.Generator):
    """Random numbers whose first share is known, so that the kind of pose is."""

    def __new__(cls, share, seed=0):
        made = super().__new__(cls, np.random.PCG64(seed))
        made.share = share
        return made

    def __init__(self, share, seed=0):
        super().__init__(np.random.PCG64(seed))
        self.share = share

    def random(self, *size):
        share, self.share = self.share, None
        return super().random(*size) if share is None else share


@pytest.fixture(scope='module')
def own():
    return np.stack([stick_pose(60 + t % 3, 40 + t % 2, 32) for t in range(20)])


@pytest.fixture(scope='module')
def sampler(own):
    return SampledPoses(own, SIZE)


def lengths(pose):
    return np.array([[np.linalg.norm(pose[b, :2] - pose[a, :2]) for a, b in zip(chain, chain[1:])] for chain in CHAINS])


def test_a_chain_turns_around_its_first_joint_and_its_lower_half_around_the_second():
    pose = np.zeros((18, 3), np.float32)
    pose[[R_SHOULDER, R_ELBOW, R_WRIST]] = (10, 10, 1), (10, 20, 1), (10, 28, 1)
    turn_chain(pose, (R_SHOULDER, R_ELBOW, R_WRIST), (np.pi / 2, -np.pi / 2), (1, .5))
    np.testing.assert_allclose(pose[[R_SHOULDER, R_ELBOW, R_WRIST], :2], [(10, 10), (0, 10), (0, 14)], atol=1e-5)
    pose[R_ELBOW] = 0
    before = pose.copy()
    turn_chain(pose, (R_SHOULDER, R_ELBOW, R_WRIST), (1, 1), (1, 1))
    np.testing.assert_array_equal(pose, before)


def test_own_poses_are_the_window_itself(own, sampler):
    np.testing.assert_array_equal(sampler(own[3:5], Chance(OWN - .01)), own[3:5])


def test_turned_limbs_are_no_longer_than_before_and_the_torso_stays(own, sampler):
    drawn = np.stack([sampler(own[:2], Chance(TURNED - .01, seed)) for seed in range(50)])
    there = drawn[..., 2] > 0
    shares = np.stack([lengths(pose) / lengths(own[0]) for pose in drawn[:, 0] if (pose[:14, 2] > 0).all()])
    assert len(shares) > 25 and shares.max() <= 1 + 1e-4 and shares.min() >= SHORTEST - 1e-4
    np.testing.assert_array_equal(drawn[:, 0, [NECK, R_SHOULDER, L_HIP]], np.stack([own[0, [NECK, R_SHOULDER, L_HIP]]] * 50))
    ways = drawn[:, 0, [R_WRIST, R_ANKLE], :2] - own[0, [R_WRIST, R_ANKLE], :2]
    arm, leg = (np.linalg.norm(ways[there[:, 0, joint], i], axis=-1).mean() for i, joint in enumerate((R_WRIST, R_ANKLE)))
    assert arm > 8 and leg < 2 * arm, 'arms are turned further than legs, which are longer'
    moved = np.linalg.norm(drawn[:, 1, R_WRIST, :2] - drawn[:, 0, R_WRIST, :2], axis=-1)
    assert .2 < np.median(moved) < 8, 'a movement, and no jump'


def test_movements_of_others_have_the_size_and_place_of_the_person(own, sampler):
    drawn = np.concatenate([sampler(own[:2], Chance(TURNED + .01, seed)) for seed in range(60)])
    torso = np.linalg.norm(drawn[:, NECK, :2] - (drawn[:, L_HIP, :2] + drawn[:, 8, :2]) / 2, axis=-1)
    own_torso = np.linalg.norm(own[0, NECK, :2] - (own[0, L_HIP, :2] + own[0, 8, :2]) / 2)
    assert .6 < np.median(torso) / own_torso < 1.4
    assert abs(np.median(drawn[:, NECK, 0]) - own[0, NECK, 0]) < 12
    assert len({pose.tobytes() for pose in drawn}) > 100, 'never the same again'


def test_joints_outside_of_the_frame_or_never_seen_are_missing(own):
    legless = own.copy()
    legless[:, [R_KNEE, L_KNEE, R_ANKLE, L_ANKLE]] = 0
    sampler = SampledPoses(legless, (100, 70))
    for seed in range(30):
        drawn = sampler(legless[:2], Chance(seed / 30, seed)) if seed / 30 >= OWN else np.zeros((1, 18, 3))
        seen = drawn[drawn[..., 2] > 0]
        assert not drawn[:, [R_KNEE, L_KNEE, R_ANKLE, L_ANKLE]].any()
        assert (seen[:, 0] < 69.5).all() and (seen[:, 1] < 99.5).all() and (seen >= -.5).all()


def test_movements_that_are_given_take_the_place_of_the_synthetic_ones(own):
    lifted = np.repeat(own[:1], 9, 0)
    lifted[:, R_WRIST, 1] -= np.arange(9) * 4
    given = SampledPoses(own, SIZE, [lifted])
    assert len(given.others) == 1 and len(SampledPoses(own, SIZE).others) == 16
    too_short = SampledPoses(own, SIZE, [lifted[:3]])
    assert too_short(own[:4], Chance(.99)).shape == (4, 18, 3), 'turned poses where no movement is as long as the window'


def test_a_synthetic_pose_is_that_of_the_rendered_frame():
    people = SyntheticActions(height=64, width=48, frames=6)
    np.testing.assert_array_equal(people.pose(2, 'kick', 3), people.render(2, 'kick', 3).pose)
    with pytest.raises(InputError, match='t must be a frame'):
        people.pose(2, 'kick', 6)


@pytest.mark.parametrize('turn', [-1, 181])
def test_angles_that_cannot_be_are_refused(turn):
    with pytest.raises(InputError, match='0 to 180'):
        check_turn(turn)
