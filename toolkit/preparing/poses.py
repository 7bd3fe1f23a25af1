"""Pass 1 of a preparation: who is where in each frame. Frames are made small as they are decoded, and taken one by one.

What an estimator offers decides how it is asked:

* ``track(frames, last=None)``: an iterator of frames (H, W, 3) -> an iterator of poses (18, 3). One person is followed, and one call
  lasts through the clip. An estimator with ``resumes = True`` goes on exactly from ``last``, the pose of the frame before. Others have
  a state that cannot be kept, so after an interruption they look at the clip from its first frame again. With ``follows = True``
  it also takes ``follow``, see :func:`toolkit.poses.follow.choose_person`.
* ``detect(frames)``: (T, H, W, 3) -> for each frame its people. They are linked over the whole clip by
  :func:`toolkit.poses.decode.follow_person`, by where they are alone: their ``id`` does not count, as a tracker would number people
  anew after an interruption.
* ``people_of_frames(numbers, size, total, names)``: no picture is needed; the people of these source frames, in source pixels, linked
  alike. With ``check_pixels(stored, shown)`` it can refuse a video whose pixels are not square: sizes (H, W) of its frames as they are
  stored and as they are shown.
* a call alone: (T, H, W, 3) -> (T, 18, 3), for estimators that look at each frame by itself; called with 64 frames at a time.

Each gives as many results as it got frames, else poses would belong to other frames than theirs.
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toolkit.clips.checks import FARTHEST
from toolkit.doors import read_json
from toolkit.files import make_folder, replacing, write_file, write_json
from toolkit.poses.array_files import read_stored
from toolkit.poses.decode import Person, count_people, follow_person
from toolkit.poses.draw import draw_pose_on
from toolkit.poses.follow import Follow, NobodyThereError, choose_person
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import JOINTS, K, scale_points
from toolkit.structures import InputError

STORED = ('poses', 'scores', 'number', 'times', 'index', 'people', 'still')
POSE_CHUNK = 64
"""Frames of one file of the working folder."""
DETECT_BATCH = 16
POSE_SIDE = 1024
"""Longest side of the frames that estimators see."""
COUNT_EVERY = 8
SAMPLE_HEIGHT = 360
THUMBNAIL = (128, 128)


@dataclass
class Found:
    """What pass 1 knows of T frames.

    Attributes:
        poses: (T, 18, 3) float32 in source pixels.
        times: (T,) seconds.
        people: (T,) how many people were counted; -1 where nobody counted.
        still: (T,) mean absolute difference to the frame before, in gray levels; infinite in the first frame.
    """

    poses: np.ndarray
    times: np.ndarray
    people: np.ndarray
    still: np.ndarray


@dataclass
class _Row:
    """One frame on its way through the estimator."""

    time: float
    index: int
    still: float
    picture: np.ndarray | None
    people: list[Person] | None = None
    count: int = -1


def batches(frames: Iterable[np.ndarray], number: int) -> Iterator[np.ndarray]:
    """Arrays (T, H, W, 3) of ``number`` frames, the last one shorter. Frames are copied in as they come."""
    batch, count = None, 0
    for frame in frames:
        if batch is None:
            batch = np.empty((number, *frame.shape), frame.dtype)
        batch[count] = frame
        count += 1
        if count == number:
            yield batch
            batch, count = None, 0
    if count:
        yield batch[:count]


class PosePass:
    """Finds the poses of one video, resumable after any chunk of frames.

    Args:
        estimator: see the module.
        folder: working folder; one file for each 64 frames.
        size: (H, W) of the source.
        source_frames: how many frames the source has.
        progress: called with the number of frames done.
        names: if the source is pictures, the file name of each under its number.
        follow: whom to follow, see :func:`toolkit.poses.follow.choose_person`; points in source pixels.
    """

    def __init__(self, estimator, folder: Path, size: tuple[int, int], source_frames: int, progress: Callable[[int], None],
                 names: dict[int, str] | None = None, follow: Follow | None = None):
        self.estimator, self.folder, self.size, self.source_frames, self.progress = estimator, folder, size, source_frames, progress
        self.names = names
        self.of_files = getattr(estimator, 'people_of_frames', None)
        self.follow, self.total, self.small_size = follow, 0, size

    def check(self, indices: list[int], stored: tuple[int, int]) -> None:
        """Let an estimator that reads files look, before any decoding, whether they are of this video and reach these frames.

        Args:
            indices: numbers of source frames.
            stored: (H, W) of the source before its pixels were made square.
        """
        if self.of_files:
            self.of_files(indices, self.size, self.source_frames, self.names)
            if stored != self.size and hasattr(self.estimator, 'check_pixels'):
                self.estimator.check_pixels(stored, self.size)

    def run(self, sampled: Iterable[tuple], key: dict, problems: Callable[[], list[str]]) -> tuple[Found | None, list[str]]:
        """Find the poses, or take those of an earlier run.

        Args:
            sampled: (frame, time, number of the source frame) of the frames to look at, of at most 1024 pixels a side.
            key: what must be equal for the work of an earlier run to be taken.
            problems: called after the last frame; messages about damage in the video.

        Returns:
            What was found, None without any frame; and the messages.
        """
        if not (self.folder / 'key.json').exists() or read_json(self.folder / 'key.json') != key:
            shutil.rmtree(self.folder)
            make_folder(self.folder)
            write_json(self.folder / 'key.json', key, lasting=True)
        complete = self.folder / 'poses.json'
        if not complete.exists():
            self._observe(sampled)
            write_json(complete, dict(chunks=-(-self.total // POSE_CHUNK), problems=problems(), small=self.small_size),
                       lasting=True)
        state = read_json(complete)
        return self._collect(state) if state['chunks'] else None, state['problems']

    def _file(self, number: int) -> Path:
        return self.folder / f'poses_{number:05d}.npz'

    def _stored(self, number: int) -> dict[str, np.ndarray]:
        try:
            return read_stored(self._file(number), STORED)
        except InputError as error:
            raise InputError(f'{error}; remove the folder {self.folder.parent}, then the clip is made from the beginning') from error

    def _ready(self) -> tuple[int, np.ndarray | None]:
        """How many frames need not be looked at again, and the last one's pose."""
        number = 0
        while self._file(number).exists():
            number += 1
        if not number:
            return 0, None
        if hasattr(self.estimator, 'track'):
            if not getattr(self.estimator, 'resumes', False):
                return 0, None
            return number * POSE_CHUNK, self._stored(number - 1)['poses'][-1]
        return number * POSE_CHUNK, None

    def _observe(self, sampled: Iterable[tuple]) -> None:
        ready, last = self._ready()
        waiting: deque[_Row] = deque()

        def frames() -> Iterator[np.ndarray]:
            before = None
            for frame, time, index in sampled:
                thumbnail = cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.int16)
                still = np.inf if before is None else float(np.abs(before - thumbnail).mean())
                before, number, self.small_size = thumbnail, self.total, frame.shape[:2]
                self.total += 1
                if number < ready:
                    if self.total % POSE_CHUNK == 0:
                        self.progress(self.total)
                    continue
                waiting.append(_Row(time, index, still, _sample(frame) if number % POSE_CHUNK == 0 else None))
                yield frame

        chunk, number, given, stream = [], ready // POSE_CHUNK, 0, frames()
        for people, count in self._people(stream, last):
            given += 1
            if not waiting:
                raise self._miscounted('poses', given, given - 1)
            row = waiting.popleft()
            for person in people:
                self._check_joints(person.pose, row.index)
            row.people, row.count = people, count
            chunk.append(row)
            if len(chunk) == POSE_CHUNK:
                self._write(chunk, number)
                chunk, number = [], number + 1
        next(stream, None)
        if waiting:
            raise self._miscounted('poses', given, given + len(waiting))
        if chunk:
            self._write(chunk, number)

    def _people(self, frames: Iterator[np.ndarray], last: np.ndarray | None) -> Iterator[tuple[list[Person], int]]:
        """People of each frame and how many they are; single-person estimators give one each, who may have no joint."""
        estimator = self.estimator
        if self.of_files:
            yield from (([], -1) for _ in frames)
        elif hasattr(estimator, 'track'):
            options = dict(follow=self._in_small()) if self.follow else {}
            with self._telling_source_pixels():
                yield from ((_only(pose), -1) for pose in estimator.track(frames, last, **options))
        elif hasattr(estimator, 'detect'):
            for batch in batches(frames, DETECT_BATCH):
                found = list(estimator.detect(batch))
                if len(found) != len(batch):
                    raise self._miscounted('lists of people', len(found), len(batch))
                yield from ((people, count_people(people)) for people in found)
        else:
            for batch in batches(frames, POSE_CHUNK):
                poses, count = np.array(estimator(batch), np.float32), np.full(len(batch), -1)
                if len(poses) != len(batch):
                    raise self._miscounted('poses', len(poses), len(batch))
                if hasattr(estimator, 'num_people'):
                    count[::COUNT_EVERY] = estimator.num_people(batch[::COUNT_EVERY])
                yield from ((_only(pose), int(n)) for pose, n in zip(poses, count))

    def _miscounted(self, what: str, number: int, frames: int) -> InputError:
        return InputError(f'the pose estimator {type(self.estimator).__name__} returned {number} {what} for {frames} frames; expected '
                          f'one each')

    def _check_joints(self, pose: np.ndarray, frame: int) -> None:
        if pose.shape != (K, 3):
            raise InputError(f'the pose estimator {type(self.estimator).__name__} gave a pose of shape {pose.shape}; expected '
                             f'{(K, 3)}, the joints of OpenPose. toolkit.skeletons.to_openpose18 makes them of other layouts, such as '
                             f'coco17')
        wrong = np.argwhere(~(np.abs(pose) <= FARTHEST) & ~(pose[:, 2:] <= 0))
        if len(wrong):
            joint, axis = wrong[0]
            raise InputError(
                f'the pose estimator {type(self.estimator).__name__} gave frame {frame} of the video the {JOINTS[joint]} with '
                f'{("x", "y", "confidence")[axis]} = {pose[joint, axis]:g}; expected a number of at most {FARTHEST:g}, and the '
                'confidence 0 where a joint is not seen')

    def _in_small(self) -> Follow:
        """Whom to follow, points in pixels of the small frames."""
        if isinstance(self.follow, str):
            return self.follow
        return tuple(scale_points(v, self._factor) for v in self.follow)

    @contextmanager
    def _telling_source_pixels(self) -> Iterator[None]:
        """Where nobody is at the point that the user gave: the message speaks of pixels of the source, not of the small frames."""
        try:
            yield
        except NobodyThereError as error:
            raise error.enlarged(1 / self._factor) from error

    @property
    def _factor(self) -> float:
        """Size of the small frames over that of the source."""
        return min(1., POSE_SIDE / max(self.size))

    def _write(self, chunk: list[_Row], number: int) -> None:
        people = [person for row in chunk for person in row.people]
        poses = np.array([person.pose for person in people], np.float32).reshape(-1, K, 3)
        if chunk[0].picture is not None:
            picture, factor = chunk[0].picture, np.array([*(a / b for a, b in zip(chunk[0].picture.shape[1::-1],
                                                                                 self.small_size[::-1])), 1], np.float32)
            for person in chunk[0].people:
                picture = draw_pose_on(picture, person.pose * factor)
            write_picture(self._file(number).with_suffix('.jpg'), picture)
        with replacing(self._file(number), lasting=True) as file:
            np.savez(
                file, poses=poses, scores=np.array([person.score for person in people], np.float64),
                number=np.array([len(row.people) for row in chunk]), times=np.array([row.time for row in chunk]),
                index=np.array([row.index for row in chunk]),
                people=np.array([row.count for row in chunk], np.int32), still=np.array([row.still for row in chunk], np.float32))
        self.progress(number * POSE_CHUNK + len(chunk))

    def _collect(self, state: dict) -> Found:
        """Everything found, with one person followed through the clip."""
        parts = []
        for i in range(state['chunks']):
            parts.append(self._stored(i))
        found = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        poses = found['poses']
        if self.of_files:
            everybody = self.of_files(found['index'].tolist(), self.size, self.source_frames, self.names)
            for frame, people in zip(found['index'].tolist(), everybody):
                for person in people:
                    self._check_joints(person.pose, frame)
            poses = follow_person(everybody, chosen=self.follow and choose_person(everybody, self.follow))
            found['people'] = np.array([count_people(people) for people in everybody], np.int32)
        else:
            if hasattr(self.estimator, 'detect') and not hasattr(self.estimator, 'track'):
                everybody = iter(zip(poses, found['scores'].tolist()))
                people = [[Person(*next(everybody)) for _ in range(n)] for n in found['number']]
                with self._telling_source_pixels():
                    chosen = self.follow and choose_person(people, self._in_small())
                poses = follow_person(people, chosen=chosen)
            scale = np.array([self.size[1] / state['small'][1], self.size[0] / state['small'][0]], np.float32)
            poses[..., :2] = scale_points(poses[..., :2], scale)
            poses[poses[..., 2] <= 0] = 0
        return Found(poses, found['times'], found['people'], found['still'])


def can_follow(estimator) -> bool:
    """Whether an estimator, or its class, can be told which of several people to follow."""
    return hasattr(estimator, 'people_of_frames') or (
        getattr(estimator, 'follows', False) if hasattr(estimator, 'track') else hasattr(estimator, 'detect'))


def check_can_follow(estimator) -> None:
    """Refuse an estimator that finds one person and cannot be told which.

    Raises:
        InputError: names those that can.
    """
    if not can_follow(estimator):
        able = sorted(name for name, part in POSE_ESTIMATORS.module_dict.items() if can_follow(part))
        raise InputError(f'follow: {type(estimator).__name__} finds one person and cannot be told which; pose estimators that can: '
                         f'{", ".join(able)}')


def _only(pose: np.ndarray) -> list[Person]:
    return [Person(np.asarray(pose, np.float32), 1.)]


def _sample(frame: np.ndarray) -> np.ndarray:
    """The frame 360 pixels high, for the report."""
    width = max(1, round(frame.shape[1] * SAMPLE_HEIGHT / frame.shape[0]))
    return cv2.resize(frame, (width, SAMPLE_HEIGHT), interpolation=cv2.INTER_AREA)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture (H, W, 3) uint8 RGB as JPEG."""
    write_file(path, cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
