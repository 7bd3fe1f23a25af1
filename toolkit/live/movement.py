"""From a frame to the pose to paint, without looking ahead: find, smooth, fit to the person who is painted."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from toolkit.clips.crop import center_crop
from toolkit.poses.decode import REACH, pose_distance
from toolkit.poses.retarget import PoseNormalizer
from toolkit.poses.smooth import OneEuro, body_size
from toolkit.skeletons import L_ANKLE, L_SHOULDER, NECK, R_ANKLE, R_SHOULDER, K
from toolkit.structures import InputError

WEAK = .1
"""Joints of less confidence are missing."""
HOLD = .2
"""Seconds for which a joint that is lost stays where it was."""
PAUSE = 1.
"""Who was away for so many seconds is smoothed anew."""
FIRST, LAST = 3, 384
"""The fit to the body is made after 3 frames that show somebody, and again whenever there are twice as many, up to 384. As long as they
show too little for a first one, only those with both shoulders count, and it is tried with each."""
BLEND = 1.
"""Seconds over which a new fit takes over from the one before."""


def finder(estimator: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A pose estimator of any kind (:mod:`toolkit.preparing.poses`) as a function of one frame after the other.

    Args:
        estimator: a ``POSE_ESTIMATORS`` part.

    Returns:
        (H, W, 3) uint8 RGB -> (18, 3) in pixels. Where an estimator finds several people, the largest is taken and followed.

    Raises:
        InputError: an estimator that reads poses of a known video from a file.
    """
    if hasattr(estimator, 'people_of_frames'):
        raise InputError(f'{type(estimator).__name__} reads the poses of a video from a file; live needs one that looks at pictures')
    if hasattr(estimator, 'track'):
        return _Tracker(estimator)
    if hasattr(estimator, 'detect'):
        return _Follower(estimator)
    return lambda frame: np.asarray(estimator(frame[None])[0], np.float32)


class _Tracker:
    """An estimator that takes an iterator of frames. It begins anew with a frame of another size."""

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.size, self.inbox = estimator, None, deque()

    def _frames(self) -> Iterator[np.ndarray]:
        while True:
            if not self.inbox:
                raise InputError(f'{type(self.estimator).__name__} looks at later frames before it gives a pose; live cannot')
            yield self.inbox.popleft()

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        if frame.shape != self.size:
            self.size, self.inbox = frame.shape, deque()
            self.poses = iter(self.estimator.track(self._frames()))
        self.inbox.append(frame)
        return np.asarray(next(self.poses), np.float32)


class _Follower:
    """An estimator that finds everybody: who was there before, or else the most prominent one."""

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.known = estimator, None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        people = self.estimator.detect(frame[None])[0]
        if not people:
            return np.zeros((K, 3), np.float32)
        nearest = min(people, key=lambda p: pose_distance(p.pose, self.known.pose)) if self.known else None
        if nearest is None or pose_distance(nearest.pose, self.known.pose) > REACH * self.known.size:
            nearest = max(people, key=lambda p: p.prominence)
        self.known = nearest
        return np.asarray(nearest.pose, np.float32)


class CausalSmoother:
    """Smooths poses as they come, by the time that has passed: drops weak joints, holds those that are lost for a moment.

    Attributes:
        body: length of the torso in pixels, in which speeds are measured.
    """

    def __init__(self) -> None:
        self.euro, self.body, self.time = OneEuro(25), 1., None
        self.held, self.seen_at = np.zeros((K, 3), np.float32), np.full(K, -np.inf)

    def __call__(self, pose: np.ndarray, time: float) -> np.ndarray:
        """The next frame.

        Args:
            pose: (18, 3) in pixels.
            time: in seconds; later than the one before.

        Returns:
            (18, 3) float32, a new array.
        """
        pose = np.array(pose, np.float32)
        pose[pose[:, 2] < WEAK] = 0
        there = pose[:, 2] > 0
        lost = ~there & (time - self.seen_at < HOLD)
        pose[lost] = self.held[lost]
        self.seen_at[there], self.held[there] = time, pose[there]
        passed = None if self.time is None else time - self.time
        if passed is None or not 0 < passed < PAUSE:
            self.euro.last = None
        present = pose[:, 2] > 0
        pose[:, :2] = self.body * self.euro.step(pose[:, :2] / self.body, present, 1 / passed if passed and passed > 0 else None)
        pose[~present] = 0
        self.time = time
        return pose

    def resize(self, body: float) -> None:
        """Measure speeds in another length; what is known of the frames before stays."""
        if self.euro.last:
            points, present, speed = self.euro.last
            self.euro.last = points * self.body / body, present, speed * self.body / body
        self.body = body


class Mover:
    """Poses of the frames that come, smoothed and fitted to the person who is painted.

    How tall somebody is and where they walk is learned while they move: a first fit after three frames, better ones later, each of
    which takes over little by little. With a frame of another size everything begins anew.

    Args:
        size: (H, W) of the frames to generate.
        target: (T, 18, 3) poses of the person who is painted, in pixels of those frames; None lays the middle of the frame over them.

    Raises:
        InputError: the target shows too little of the person.
    """

    def __init__(self, size: tuple[int, int], target: np.ndarray | None) -> None:
        self.size, self.target = size, None if target is None else np.repeat(target, FIRST, 0) if len(target) < FIRST else target
        if target is not None:
            try:
                PoseNormalizer.fit(self.target, self.target)
            except InputError as error:
                raise InputError('PERSON shows too little of a body, not both shoulders, so that no movement can be fitted to it: give '
                                 'another clip, or leave movements as they are with --retarget off') from error
        self.frame: tuple[int, int] | None = None
        self.begin()

    def begin(self) -> None:
        """Forget who was seen; the next frames are fitted anew."""
        self.smooth = CausalSmoother()
        self._seen: list[np.ndarray] = []
        self._next, self._fits, self._since, self._last = FIRST, [], 0., None

    def __call__(self, pose: np.ndarray, frame: tuple[int, int], time: float) -> np.ndarray:
        """The next frame.

        Args:
            pose: (18, 3) in pixels of the frame.
            frame: (H, W) of it.
            time: in seconds.

        Returns:
            (18, 3) float32 in pixels of the frame to generate; all zero as long as too little of anybody was seen.
        """
        if frame != self.frame:
            self.frame = frame
            self.begin()
        pose = self.smooth(pose, time)
        self._learn(pose, time)
        if self.target is None:
            return center_crop(*frame, *self.size).pose(pose)
        if not self._fits or not (pose[:, 2] > 0).any():
            return np.zeros((K, 3), np.float32)
        pair = np.stack([pose if self._last is None else self._last, pose])
        if (pose[[R_ANKLE, L_ANKLE], 2] > 0).all():
            self._last = pose
        moved = [fit(pair)[-1] for fit in self._fits]
        share = np.clip((time - self._since) / BLEND, 0, 1) if len(moved) > 1 else 1
        return moved[-1] if share == 1 else (1 - share) * moved[0] + share * moved[-1]

    def _learn(self, pose: np.ndarray, time: float) -> None:
        if len(self._seen) >= LAST or not (pose[:, 2] > 0).any():
            return
        self._seen.append(pose)
        if len(self._seen) < self._next:
            return
        self._next *= 2
        seen = np.stack(self._seen)
        self.smooth.resize(body_size(seen))
        if self.target is None:
            return
        try:
            fit = PoseNormalizer.fit(seen, self.target, median_window=1)
        except InputError as error:
            if 'target' in str(error):
                raise
            self._seen = [pose for pose in self._seen if (pose[[R_SHOULDER, L_SHOULDER, NECK], 2] > 0).all()]
            self._next = FIRST
            return
        self._fits, self._since = [*self._fits[-1:], fit], time
