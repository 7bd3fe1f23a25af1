"""MediaPipe's pose solution: BlazePose with optional person mask, started quietly and anew for every clip."""

import atexit
import contextlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from toolkit.structures import InputError

COMPLEXITY = 1
"""The 'full' model, the only one the mediapipe wheel ships; the others would be downloaded."""
_quiet = threading.RLock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native code writes to the process's standard error; Python exceptions pass.

    One thread at a time: of two that overlap, the later one would put back what the other had put there, and all would be lost for
    good.
    """
    with _quiet:
        sys.stderr.flush()
        saved = os.dup(2)
        try:
            with open(os.devnull, 'wb') as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def is_installed() -> bool:
    """Whether there is a mediapipe that has the pose solution, which versions after 0.10.21 may lack; it is not imported."""
    found = importlib.util.find_spec('mediapipe')
    folders = found and found.submodule_search_locations or ()
    return any(Path(folder, 'python', 'solutions', 'pose.py').is_file() for folder in folders)


def import_pose():
    """Import MediaPipe's pose solution without its start-up messages.

    Raises:
        InputError: it is not installed.
    """
    os.environ.setdefault('GLOG_minloglevel', '2')
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    try:
        with quiet_stderr():
            from mediapipe.python.solutions import pose
    except ImportError as error:
        raise InputError(f'the mediapipe package is needed ({error}); install the plugin with its requirements') from error
    return pose


class PoseSolution:
    """Runs BlazePose over clips.

    Args:
        tracking: use each frame's result to find the person in the next one; False looks for the person in every frame afresh.
        segmentation: also make person masks.
        min_detection_confidence: of the person detector.
        min_tracking_confidence: below it the detector runs again.
    """

    def __init__(self, tracking: bool, segmentation: bool, min_detection_confidence: float, min_tracking_confidence: float):
        self._pose = import_pose().Pose
        self.version = importlib.metadata.version('mediapipe')
        self.options = dict(
            static_image_mode=not tracking, model_complexity=COMPLEXITY, smooth_landmarks=False, enable_segmentation=segmentation,
            smooth_segmentation=False, min_detection_confidence=min_detection_confidence,
            min_tracking_confidence=min_tracking_confidence)

    @contextlib.contextmanager
    def session(self) -> Iterator['Session']:
        """One clip from its beginning, independent of earlier clips."""
        session = Session(self._pose, self.options)
        try:
            yield session
        finally:
            session.close()

    def run(self, frames: Iterable[np.ndarray]) -> Iterator:
        """Process a clip from its beginning. Frames are taken one by one.

        Args:
            frames: (T, H, W, 3), or an iterable of frames (H, W, 3); uint8 RGB.

        Yields:
            For each frame MediaPipe's result with ``pose_landmarks`` and ``segmentation_mask`` (None where nobody is found).

        Raises:
            InputError: frames of another shape or type.
        """
        with self.session() as session:
            for frame in frames:
                yield session.process(frame)


_open = weakref.WeakSet()


@atexit.register
def close_sessions() -> None:
    """Close what is at work still: MediaPipe waits for ever when it is closed while the interpreter ends."""
    for session in list(_open):
        session.close()


class Session:
    """BlazePose at work on one clip: each frame's result tells where to look in the next. Made by :meth:`PoseSolution.session`."""

    def __init__(self, pose, options: dict):
        self._pose, self._options, self._solution = pose, options, None
        _open.add(self)

    def process(self, frame: np.ndarray):
        """The next frame, (H, W, 3) uint8 RGB -> MediaPipe's result."""
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
            raise InputError(f'a frame of shape {frame.shape} and type {frame.dtype}, expected (H, W, 3) uint8 RGB')
        frame = np.ascontiguousarray(frame)
        if self._solution is not None:
            return self._solution.process(frame)
        with quiet_stderr():
            self._solution = self._pose(**self._options)
            return self._solution.process(frame)

    @property
    def at_work(self) -> bool:
        """Whether a frame has been processed since the start or since :meth:`close`."""
        return self._solution is not None

    def close(self) -> None:
        """Forget the person; the next frame is looked at as a first one."""
        if self._solution is not None:
            self._solution.close()
            self._solution = None
