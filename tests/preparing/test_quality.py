import re

import numpy as np
import pytest

from toolkit.preparing.quality import (
    border_contact,
    describe_frames,
    jitter,
    joint_coverage,
    left_right_swaps,
    measure_poses,
    person_switches,
    picture_cuts,
    present,
)
from toolkit.skeletons import INDEX, MIRROR_JOINT


def test_jitter_is_zero_for_steady_motion_and_known_for_a_shake(stick, still):
    poses = np.stack([stick(100 + 3 * t, 50, 40) for t in range(10)])
    values = jitter(poses)
    assert np.isnan(values[[0, -1]]).all() and np.abs(values[1:-1]).max() < 1e-5
    poses = still()
    poses[::2, :, 0] += 4 * (poses[::2, :, 2] > 0)
    np.testing.assert_allclose(jitter(poses)[1:-1], 8 / 40, rtol=1e-5)
    poses[5] = 0
    assert np.isnan(jitter(poses)[4:7]).all()


def test_a_jump_to_another_person_is_found_but_running_is_not(stick, still):
    times = np.arange(20) / 25
    poses = still()
    poses[9:] = stick(300, 50, 40)
    assert person_switches(poses, times) == [9]
    run = np.stack([stick(100 + 40 * .2 * t, 50, 40) for t in range(20)])
    assert person_switches(run, times) == []
    slow = np.stack([stick(100 + 40 * t, 50, 40) for t in range(20)])
    assert person_switches(slow, times * 5) == [] and person_switches(slow, times) == list(range(1, 20))


def test_exchanged_sides_are_found(still):
    poses = still()
    poses[8:12] = poses[8:12][:, MIRROR_JOINT]
    assert left_right_swaps(poses) == [8, 12]
    assert left_right_swaps(still()) == []
    assert MIRROR_JOINT[INDEX['left_knee']] == INDEX['right_knee'] and MIRROR_JOINT[INDEX['nose']] == INDEX['nose']


def test_coverage_and_presence(still):
    poses = still()[:4]
    poses[0] = 0
    poses[1, INDEX['left_ankle']] = 0
    assert joint_coverage(poses)[INDEX['left_ankle']] == .5 and joint_coverage(poses)[INDEX['nose']] == .75
    assert present(poses).tolist() == [False, True, True, True]


def test_border_contact():
    mask = np.zeros((100, 60), np.float32)
    mask[40:, 20:40] = 1
    assert border_contact(mask, (0, 0, 60, 100)).tolist() == [False, False, False, True]
    assert border_contact(mask, (0, 0, 30, 100)).tolist() == [False, False, True, True]
    assert not border_contact(mask[:99] * 0, (0, 0, 60, 99)).any()
    assert not border_contact(mask, (60, 0, 60, 100)).any(), 'nothing of the source picture is there'


def test_describe_frames():
    assert describe_frames([3, 5, 6, 7, 20]) == '3, 5-7, 20'
    assert describe_frames(list(range(0, 20, 2)), limit=3) == '0, 2, 4 and 7 more places'


@pytest.mark.parametrize('change, message', [
    (dict(people=[1] * 10 + [2] * 10), 'two or more people in 10 of 20.*--follow says whom'),
    (dict(gaps=[4]), 'missing before frame 4'),
    (dict(still=[9.] * 10 + [0.] * 10), '10 of 20 frames repeat'), (dict(absent=slice(5, 9)), r'not seen in 4 of 20 frames \(5-8\)'),
    (dict(jump=9), 'jump to another person at frame 9'), (dict(shake=5), 'poses shake by 0.250')])
def test_what_is_wrong_is_warned_of(stick, still, change, message):
    poses = still()
    poses[change.get('absent', slice(0, 0))] = 0
    if 'jump' in change:
        poses[9:] = stick(300, 50, 40)
    poses[::2, :, 0] += change.get('shake', 0) * (poses[::2, :, 2] > 0)
    quality = measure_poses(
        poses, poses, np.arange(20) / 25, np.array(change.get('people', [1] * 20)), np.array(change.get('still', [9.] * 20)),
        change.get('gaps', []))
    assert len(quality.warnings) == 1 and re.search(message, quality.warnings[0])
    assert quality.as_dict()['verdict'] == 'warnings'


def test_a_good_clip_has_no_warnings(still):
    quality = measure_poses(still(), still(), np.arange(20) / 25, np.full(20, -1), np.full(20, 3.), [])
    assert quality.as_dict()['verdict'] == 'ok' and quality.as_dict()['presence'] == 1


def test_cuts_are_told_from_motion():
    rng = np.random.default_rng(0)
    still = rng.uniform(.3, 2, 60)
    still[0] = np.inf
    assert picture_cuts(still) == []
    still[20:40] = np.linspace(2, 7, 20)
    assert picture_cuts(still) == [], 'fast motion'
    still[30:] = rng.uniform(.3, 2, 30)
    still[30] = 25
    assert picture_cuts(still) == [30]
    repeated = np.zeros(40)
    repeated[::2] = 6
    assert picture_cuts(repeated) == [], 'each frame shown twice'
    assert picture_cuts(np.array([np.inf])) == []
