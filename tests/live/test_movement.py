"""Poses without looking ahead: smoothing, fitting, and estimators of each kind, frame by frame."""

import numpy as np
import pytest

from tests.stick_people import stick_pose
from toolkit.live.movement import HOLD, CausalSmoother, Mover, finder
from toolkit.poses.decode import Person
from toolkit.poses.retarget import PoseNormalizer
from toolkit.poses.smooth import OneEuro
from toolkit.skeletons import R_WRIST
from toolkit.structures import InputError

STICK = stick_pose(100, 50, 40)
THERE = STICK[:, 2] > 0


def test_steps_are_the_filter_of_a_whole_track():
    points = np.random.default_rng(0).normal(size=(30, 4, 2))
    present = np.random.default_rng(1).random((30, 4)) > .2
    euro = OneEuro(25)
    whole, euro.last = euro(points, present), None
    assert np.array_equal(whole, [euro.step(*both, fps=25) for both in zip(points, present)])


def test_smoothing_holds_still_people_still_and_follows_with_little_lag():
    rng, smooth = np.random.default_rng(0), CausalSmoother()
    smooth.resize(40)
    noisy = [STICK + np.pad(rng.normal(0, 1., (18, 2)), ((0, 0), (0, 1))).astype(np.float32) * THERE[:, None] for _ in range(60)]
    out = np.stack([smooth(pose, t / 25) for t, pose in enumerate(noisy)])
    assert out[20:, THERE, :2].std(0).mean() < .6 * np.stack(noisy)[20:, THERE, :2].std(0).mean() and not out[:, ~THERE].any()
    smooth, speed = CausalSmoother(), 4.
    smooth.resize(40)
    for t in range(50):
        pose = STICK + np.float32([speed * t, 0, 0]) * THERE[:, None]
        lag = pose[R_WRIST, 0] - smooth(pose, t / 25)[R_WRIST, 0]
    assert 0 <= lag < 2.5 * speed


def test_a_lost_joint_stays_for_a_moment_and_weak_ones_are_missing():
    smooth, lost, weak = CausalSmoother(), STICK.copy(), STICK.copy()
    lost[R_WRIST] = 0
    weak[R_WRIST, 2] = .05
    smooth(STICK, 0.)
    assert np.allclose(smooth(weak, HOLD / 2)[R_WRIST], STICK[R_WRIST])
    assert not smooth(lost, 2 * HOLD)[R_WRIST].any()


def walking(frames, size=20, x=30):
    return np.stack([stick_pose(x + t / 4, 20 + .4 * (t % 7), size) for t in range(frames)])


def test_movement_ends_up_fitted_as_a_whole_video_would_be():
    target = walking(30, size=30, x=100)
    source = walking(48)
    mover = Mover((192, 128), target)
    got = [mover(pose, (96, 64), t / 25) for t, pose in enumerate(source)]
    assert not got[0].any() and got[3].any(), 'nobody knows how tall they are at first'
    late = [mover(source[-1], (96, 64), 3 + t / 25) for t in range(30)]
    wanted = PoseNormalizer.fit(source, target, median_window=1)(source[-1:])[0]
    assert np.abs(late[-1] - wanted).max() < 2
    steps = np.abs(np.diff(np.stack(got[4:]), axis=0)).max()
    assert steps < 4, 'a better fit takes over little by little'


def test_who_shows_too_little_for_long_is_painted_as_soon_as_they_show_more():
    mover, near = Mover((192, 128), walking(30, size=30, x=100)), walking(400)
    near[:, 1:14] = 0  # a face alone
    assert not any(mover(pose, (96, 64), t / 25).any() for t, pose in enumerate(near))
    far = walking(12)
    far[::2, 1:14] = 0
    shown = [mover(pose, (96, 64), 20 + t).any() for t, pose in enumerate(far)]
    assert shown.index(True) == 5, 'the third frame with shoulders'


def test_a_person_to_whom_nothing_can_be_fitted_is_refused_before_anybody_moves():
    face = walking(30)
    face[:, 1:14] = 0
    with pytest.raises(InputError, match='PERSON shows too little of a body.*--retarget off'):
        Mover((192, 128), face)


def test_another_size_of_the_frames_begins_anew():
    mover = Mover((192, 128), walking(30, size=30, x=100))
    small = [mover(pose, (96, 64), t / 25) for t, pose in enumerate(walking(20))]
    large = [mover(pose, (192, 128), 1 + t / 25) for t, pose in enumerate(walking(20) * np.float32([2, 2, 1]))]
    assert not large[0].any() and np.abs(large[-1] - small[-1]).max() < 3


def test_without_a_person_to_fit_to_the_middle_of_the_frame_is_taken():
    mover = Mover((96, 64), None)
    pose = mover(STICK, (192, 256), 0.)
    assert np.allclose(pose[0, :2], ((100 - 64 + .5) / 2 - .5, (50 + .5) / 2 - .5)) and pose[0, 2] == 1


class Tracks:
    """Follows through a clip; says how often it was begun."""

    begun = 0

    def track(self, frames, last=None):
        Tracks.begun += 1
        for frame in frames:
            yield np.full((18, 3), frame[0, 0, 0], np.float32)


class LooksAhead:
    """Wants two frames before it says anything."""

    def track(self, frames, last=None):
        first = next(frames)
        next(frames)
        yield np.full((18, 3), first[0, 0, 0], np.float32)


class Detects:
    """Two people, the prominent one of whom changes."""

    def detect(self, frames):
        near, far = stick_pose(30, 20, 10 + 20 * (frames[0, 0, 0, 0] % 2)), stick_pose(100, 20, 20)
        return [[Person(near, 1.), Person(far, 1.)]]


def picture(value, size=(20, 30)):
    return np.full((*size, 3), value, np.uint8)


def test_estimators_of_each_kind_find_frame_by_frame():
    find = finder(Tracks())
    assert [find(picture(v))[0, 0] for v in (3, 5)] == [3, 5] and Tracks.begun == 1
    assert find(picture(7, (30, 20)))[0, 0] == 7 and Tracks.begun == 2, 'a frame of another size begins anew'
    find = finder(Detects())
    assert [find(picture(v))[0, 0] for v in (0, 1, 0)] == [100, 100, 100], 'who was there before is kept'
    assert finder(lambda frames: frames[:, :18, :1, 0].repeat(3, 2))(picture(9, (20, 20))).shape == (18, 3)
    with pytest.raises(InputError, match='looks at later frames'):
        finder(LooksAhead())(picture(1))


def test_poses_of_a_file_are_refused():
    class Reads:
        def people_of_frames(self, *given):
            return []

    with pytest.raises(InputError, match='reads the poses of a video from a file'):
        finder(Reads())
