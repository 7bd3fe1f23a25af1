import math

import numpy as np
import pytest

from toolkit.synthetic.actors import make_actor
from toolkit.synthetic.choreography import ACTION_NAMES, ACTIONS, REST, parameters
from toolkit.synthetic.skeleton import FOREARM, SHANK, THIGH, UPPER_ARM, build_skeleton


@pytest.mark.parametrize('name', ACTION_NAMES)
def test_motion_is_smooth(name):
    actor = make_actor(6)
    joints = np.stack([build_skeleton(actor, p).joints() for p in parameters(name, 100)])
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 25
    jerk = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1)
    assert speed.max() < 6.5, 'meters a second'
    assert jerk.max() < 0.09, 'meters'
    assert np.linalg.norm(np.ptp(joints, 0), axis=-1).max() > 0.15, 'something moves'


@pytest.mark.parametrize('name', ACTION_NAMES)
def test_bones_keep_their_length(name):
    actor = make_actor(3)
    for p in parameters(name, 12):
        points = build_skeleton(actor, p).points
        for side in ('right', 'left'):
            for a, b, length in (('shoulder', 'elbow', UPPER_ARM), ('elbow', 'wrist', FOREARM), ('hip', 'knee', THIGH),
                                 ('knee', 'ankle', SHANK)):
                found = math.dist(points[f'{side}_{a}'], points[f'{side}_{b}'])
                assert found == pytest.approx(length * actor.height, rel=0.12)


def test_keyframes_are_in_order_and_known():
    assert len(ACTIONS) == 16
    for keys in ACTIONS.values():
        times = [time for time, _ in keys]
        assert times[0] == 0 and times[-1] == 1 and times == sorted(set(times))
        assert all(set(change) <= set(REST) for _, change in keys)


def test_keyframes_are_reached_and_the_curve_does_not_overshoot():
    turns = np.array([float(p['turn']) for p in parameters('bow', 101)])
    assert turns[20] == pytest.approx(36) and turns[45] == pytest.approx(36)
    assert turns.min() >= -1e-9 and turns.max() <= 36 + 1e-9
    assert np.ptp(turns[20:46]) < 1e-9


def test_some_actions_turn_by_up_to_sixty_degrees():
    most = {}
    for name in ACTION_NAMES:
        most[name] = max(abs(float(p['turn'])) + abs(float(p['yaw'])) for p in parameters(name, 100))
    assert 55 < max(most.values()) < 65
    assert sum(value > 20 for value in most.values()) >= 4


def test_everyone_breathes_alike_at_rest():
    a, b = parameters('bow', 100), parameters('bow', 100)
    assert all(np.array_equal(a[7][key], b[7][key]) for key in a[7])
    assert np.ptp([float(p['breath']) for p in a]) > 1
    assert len(parameters('bow', 1)) == 1 and len(parameters('bow', 37)) == 37


def test_straight_left_is_right_mirrored():
    points = build_skeleton(make_actor(0), {**{k: np.array(v, float) for k, v in REST.items()}, 'breath': np.array(0.0),
                                            'right_upper_arm': np.array((90.0, 0)), 'left_upper_arm': np.array((90.0, 0))}).points
    right, left = points['right_elbow'], points['left_elbow']
    assert right[0] == pytest.approx(-left[0]) and right[1] == pytest.approx(left[1]) and right[0] < -0.4
