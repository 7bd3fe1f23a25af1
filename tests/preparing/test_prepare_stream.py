"""Preparing as a stream: memory that does not grow with the video, and one person from the first frame to the last."""

import gc
import pickle
import re
import weakref
from itertools import islice

import av
import numpy as np
import pytest

from toolkit.poses.decode import Person, follow_person
from toolkit.poses.follow import NobodyThereError, choose_among, choose_person
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.preparing import prepare as module
from toolkit.preparing.poses import PosePass
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError

SIZE = dict(height=96, width=64, min_person=10)
FRAMES = 150


class Columns:
    """Everybody in a frame of stub people, left to right: (x of the middle, first row, height)."""

    @staticmethod
    def find(frame):
        body = (frame[..., 0].astype(int) - frame[..., 1] > 80) & (frame[..., 2].astype(int) - frame[..., 1] > 50)
        edges = np.flatnonzero(np.diff(np.pad(body.any(0), 1).astype(int)))
        for start, stop in zip(edges[::2], edges[1::2]):
            rows = np.flatnonzero(body[:, (start + stop) // 2])
            yield (start + stop - 1) / 2, rows[0], rows[-1] - rows[0] + 1


@pytest.fixture
def two(people, tmp_path):
    """Two people; the left one shrinks, the right one grows, from frame 50 on he is the larger one."""
    frames = [people.draw(96, 160, 40, 24, 18 - t / 50, others=[(110, 24, 16 + t / 50)]) for t in range(FRAMES)]
    return people.write(tmp_path / 'two.mp4', frames)


@pytest.fixture
def parts(people, stick):
    """Estimators of each kind, and a segmentor; the last two start with the largest person, whoever that is then."""

    class Everybody:
        name, version = 'Everybody', '1'

        def detect(self, frames):
            return [[Person(stick(x, y + h / 7.4, h / 3.7), h) for x, y, h in Columns.find(frame)] for frame in frames]

        def __call__(self, frames):
            return follow_person(self.detect(frames))

    class Tracker:
        name, version = 'Tracker', '1'

        def __init__(self, fail_at=None):
            self.fail_at, self.frames = fail_at, 0

        def track(self, frames, last=None):
            at = None
            for frame in frames:
                self.frames += 1
                if self.frames == self.fail_at:
                    raise KeyboardInterrupt
                found = list(Columns.find(frame))
                x, y, h = max(found, key=lambda f: f[2]) if at is None else min(found, key=lambda f: abs(f[0] - at))
                at = x
                yield stick(x, y + h / 7.4, h / 3.7)

        def __call__(self, frames):
            return np.stack(list(self.track(frames)))

    class MaskTracker:
        name, version = 'MaskTracker', '1'

        def __init__(self):
            self.poses = None

        def track(self, frames, poses):
            self.poses, value = poses, 0
            for frame in frames:
                value = min(value + 1, 200)
                yield np.full(frame.shape[:2], value / 255, np.float32)

        def __call__(self, frames, poses):
            return np.stack(list(self.track(frames, poses)))

    class Parts:
        everybody, tracker, mask_tracker, edges, mask = Everybody, Tracker, MaskTracker, people.Edges, people.Mask
    return Parts


def source_x(clip):
    """The neck's x in pixels of the source."""
    x, _, w, _ = clip.manifest['source']['crop']
    return (clip.array('raw')[:, 1, 0] + .5) * w / clip.width - .5 + x


def test_few_frames_of_the_source_are_held_at_a_time(people, monkeypatch, tmp_path):
    path = people.write(tmp_path / 'long.mp4', [people.draw(96, 160, 40, 24, 18)] * 100)
    alive, most, real = set(), [0], module.read_video

    class Counted:
        def __init__(self, *arguments):
            self.reader = real(*arguments)

        def at_most(self, max_side):
            return self

        def __getattr__(self, name):
            return getattr(self.reader, name)

        def __iter__(self):
            for number, (frame, *rest) in enumerate(self.reader):
                frame = frame.copy()
                alive.add(number)
                weakref.finalize(frame, alive.discard, number)
                most[0] = max(most[0], len(alive))
                yield frame, *rest
                del frame

    monkeypatch.setattr(module, 'read_video', Counted)
    clip = prepare_video(path, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), **SIZE)
    assert len(clip) == 100 and most[0] <= 4, f'{most[0]} frames of the source in memory at a time'


def test_decoded_frames_are_freed_at_once(people, tmp_path):
    """Of twice as many no more are kept; how many, each thread of the decoder having one, depends on the cores."""
    kept = []
    for frames in (60, 120):
        path = people.write(tmp_path / f'{frames}.mp4', [people.draw(96, 160, 40, 24, 18)] * frames)
        gc.collect()
        gc.disable()
        try:
            kept.append([sum(type(o) is av.VideoFrame for o in gc.get_objects()) for _ in module.read_video(path)][-1])
        finally:
            gc.enable()
    assert kept[0] < 30 and kept[1] - kept[0] < 10, f'{kept} decoded frames of 60 and 120 wait for the garbage collector'


@pytest.mark.parametrize('kind', ['everybody', 'tracker'])
def test_the_person_stays_the_same_through_the_clip(parts, two, tmp_path, kind):
    clip = prepare_video(two, tmp_path / 'out', getattr(parts, kind)(), parts.edges(), parts.mask(), **SIZE)
    x = source_x(clip)
    assert len(clip) == FRAMES and np.ptp(x) < 3, 'the person changes'
    assert not clip.manifest['report']['switches']
    if kind == 'everybody':
        assert clip.array('people').tolist() == [2] * FRAMES, 'all frames are counted'


@pytest.mark.parametrize('stop', [1, 90, 149])
def test_an_interrupted_tracker_ends_as_an_uninterrupted_one(parts, two, tmp_path, stop):
    whole = prepare_video(two, tmp_path / 'whole', parts.tracker(), parts.edges(), parts.mask(), **SIZE)
    with pytest.raises(KeyboardInterrupt):
        prepare_video(two, tmp_path / 'out', parts.tracker(stop), parts.edges(), parts.mask(), **SIZE)
    clip = prepare_video(two, tmp_path / 'out', parts.tracker(), parts.edges(), parts.mask(), **SIZE)
    assert np.array_equal(clip.array('raw'), whole.array('raw')) and np.array_equal(clip.array('people'), whole.array('people'))


def test_a_tracker_that_resumes_gets_the_last_pose_and_the_frames_after_it(parts, two, tmp_path):
    class Resuming(parts.tracker):
        resumes = True

        def track(self, frames, last=None):
            self.last = last
            yield from super().track(frames, last)

    with pytest.raises(KeyboardInterrupt):
        prepare_video(two, tmp_path / 'out', Resuming(140), parts.edges(), parts.mask(), **SIZE)
    again = Resuming()
    prepare_video(two, tmp_path / 'out', again, parts.edges(), parts.mask(), **SIZE)
    assert again.frames == FRAMES - 128 and again.last.shape == (18, 3) and again.last[1, 2] == 1


def test_a_mask_tracker_sees_one_stream_also_after_an_interruption(parts, people, two, tmp_path, monkeypatch):
    clip = prepare_video(two, tmp_path / 'whole', parts.tracker(), parts.edges(), parts.mask_tracker(), **SIZE)
    assert [round(clip.mask(t).max() * 255) for t in (0, 31, 32, 149)] == [1, 32, 33, 150]

    class Failing(people.Edges):
        calls = 0

        def __call__(self, frames):
            Failing.calls += 1
            if Failing.calls == 4:
                raise KeyboardInterrupt
            return super().__call__(frames)

    with pytest.raises(KeyboardInterrupt):
        prepare_video(two, tmp_path / 'out', parts.tracker(), Failing(), parts.mask_tracker(), **SIZE)
    again = prepare_video(two, tmp_path / 'out', parts.tracker(), parts.edges(), parts.mask_tracker(), **SIZE)
    assert all(np.array_equal(again.mask(t), clip.mask(t)) for t in range(FRAMES))


@pytest.mark.parametrize('number, message', [(149, '149 poses for 150 frames'), (40, '40 poses for 41 frames')])
def test_a_tracker_that_ends_early_is_named(parts, two, tmp_path, number, message):
    """Else all poses after a missing one would belong to the frame before theirs."""
    class Short(parts.tracker):
        def track(self, frames, last=None):
            frames = list(frames) if number == FRAMES - 1 else frames
            return islice(super().track(frames), number)

    with pytest.raises(InputError, match=f'the pose estimator Short returned {message}; expected one each'):
        prepare_video(two, tmp_path / 'out', Short(), parts.edges(), parts.mask(), **SIZE)


@pytest.mark.parametrize('keep, number', [(slice(1, None), 15), (slice(0), 0)])
def test_an_estimator_with_other_numbers_of_results_is_named(parts, two, tmp_path, keep, number):
    class Short(parts.everybody):
        def detect(self, frames):
            return super().detect(frames)[keep]

    with pytest.raises(InputError, match=f'Short returned {number} lists of people for 16 frames; expected one each'):
        prepare_video(two, tmp_path / 'out', Short(), parts.edges(), parts.mask(), **SIZE)


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e9])
def test_a_joint_that_is_nowhere_is_named(parts, people, two, tmp_path, value):
    class Wild(people.Pose):
        def __call__(self, frames):
            poses = super().__call__(frames)
            poses[:, 17, :2], poses[:, 17, 2] = np.nan, 0
            poses[len(poses) // 2, 4, 1] = value
            return poses

    with pytest.raises(InputError, match=f'Wild gave frame 32 of the video the right_wrist with y = {re.escape(format(value, "g"))}'):
        prepare_video(two, tmp_path / 'out', Wild(), parts.edges(), parts.mask(), **SIZE)
    value = 50.
    assert len(prepare_video(two, tmp_path / 'out', Wild(), parts.edges(), parts.mask(), **SIZE)) == FRAMES, 'confidence 0 is no joint'


def test_a_joint_in_files_that_is_nowhere_is_named(parts, people, two, tmp_path):
    poses = people.Pose()(np.stack([frame for frame, _ in module.read_video(two)]))
    poses[20, 2, 0] = 2e6
    np.savez(tmp_path / 'poses.npz', poses=poses)
    with pytest.raises(InputError, match=r'KeypointFiles gave frame 20 of the video the right_shoulder with x = 2e\+06'):
        prepare_video(two, tmp_path / 'out', KeypointFiles(tmp_path / 'poses.npz'), parts.edges(), parts.mask(), **SIZE)


@pytest.mark.parametrize('follow, x', [('left', 40), ('right', 110), ('largest', 40), ((110, 40), 110)])
def test_the_person_asked_for_is_followed(parts, two, tmp_path, follow, x):
    clip = prepare_video(two, tmp_path / 'out', parts.everybody(), parts.edges(), parts.mask(), follow=follow, **SIZE)
    assert np.abs(source_x(clip) - x).max() < 3


def test_a_wish_to_follow_somebody_is_never_ignored(parts, two, tmp_path):
    for estimator, follow, message in (
            (parts.tracker(), 'left', 'Tracker finds one person.*KeypointFiles'), (parts.everybody(), (75, 40), 'nobody at 75,40.*40,'),
            (parts.everybody(), (400, 40), 'beyond the frames of 160x96'), (parts.everybody(), 'ann', 'left, right, largest')):
        with pytest.raises(InputError, match=message):
            prepare_video(two, tmp_path / 'out', estimator, parts.edges(), parts.mask(), follow=follow, **SIZE)


@pytest.mark.parametrize('kind', ['detect', 'track'])
def test_where_people_are_is_told_in_pixels_of_the_video(kind, stick, tmp_path):
    person = Person(stick(200, 250, 30), 9.)

    class Found:
        follows = True

    def track(self, frames, last=None, follow=None):
        return (choose_among([person], follow, 'the first frame').pose for _ in frames)

    setattr(Found, kind, track if kind == 'track' else lambda self, frames: [[person]] * len(frames))
    look = PosePass(Found(), tmp_path, (1080, 1920), 2, lambda done: None, follow=(1500, 600))
    x, y = (person.pose[person.pose[:, 2] > 0, :2].mean(0) + .5) * 1920 / 1024 - .5
    with pytest.raises(InputError, match=f'nobody at 1500,600; the middle of who is seen is at {x:.0f},{y:.0f}'):
        look.run([(np.zeros((576, 1024, 3), np.uint8), t / 25, t) for t in range(2)], {}, list)


@pytest.mark.parametrize('follow, x', [(None, 110), ('left', 40)])
def test_somebody_without_any_joint_is_nobody(parts, two, tmp_path, follow, x):
    class WithEmpty(parts.everybody):
        def detect(self, frames):
            return [[Person(np.zeros((18, 3), np.float32), 5.), *people] for people in super().detect(frames)]

    clip = prepare_video(two, tmp_path / 'out', WithEmpty(), parts.edges(), parts.mask(), follow=follow, **SIZE)
    assert np.abs(source_x(clip) - x).max() < 3 and clip.array('people').max() == 2


def test_a_point_is_on_the_person_whose_box_holds_it_though_another_ones_middle_is_nearer(stick):
    tall, small = Person(stick(100, 20, 60), 9.), Person(stick(130, 190, 8), 9.)
    assert choose_among([tall, small], (100, 196), 'here') is tall
    assert choose_among([tall, small], (130, 200), 'here') is small


def test_a_point_may_be_on_somebody_far_away(stick):
    """With less than 30 % of the largest one's prominence they do not count for left and right, but a point says whom it means."""
    near, far = Person(stick(100, 20, 60), 9.), Person(stick(300, 190, 8), 9.)
    assert far.prominence < .3 * near.prominence
    assert choose_person([[], [near, far]], (300, 200)) == (1, far) and choose_person([[near, far]], 'right') == (0, near)


@pytest.mark.parametrize('follow, x', [('left', 40), ('right', 110), ((110, 40), 110)])
def test_whom_to_follow_counts_too_where_a_little_of_everybody_is_seen(parts, two, tmp_path, follow, x):
    """Faces from the side, close to the camera: five joints each, too few for anybody to be there for certain."""
    class Faces(parts.everybody):
        def detect(self, frames):
            found = super().detect(frames)
            for person in sum(found, []):
                person.pose[[0, *range(5, 8), *range(9, 18)]] = 0
            return found

    clip = prepare_video(two, tmp_path / 'out', Faces(), parts.edges(), parts.mask(), follow=follow, **SIZE)
    seen = clip.array('raw')
    assert ((seen[..., 2] > 0).sum(1) == 5).all() and np.abs(source_x(clip) - x).max() < 3


def test_that_nobody_is_at_a_point_reaches_another_process():
    error = NobodyThereError('clip', (1, 2), [(30, 40)])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.point, again.centers) == (str(error), (1, 2), [(30, 40)])
