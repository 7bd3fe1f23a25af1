"""MediaPipe's pose solution: BlazePose with optional person mask, started quietly and anew for every clip."""

import contextlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator

import numpy as np

from toolkit.structures import InputError

COMPLEXITY = 1
"""The 'full' model, the only one the mediapipe wheel ships; the others would be downloaded."""


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native code writes to the process's standard error; Python exceptions pass."""
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

    def run(self, frames: np.ndarray) -> Iterator:
        """Process a clip from its beginning, independent of earlier clips.

        Args:
            frames: (T, H, W, 3) uint8 RGB.

        Yields:
            For each frame MediaPipe's result with ``pose_landmarks`` and ``segmentation_mask`` (None where nobody is found).

        Raises:
            InputError: frames of another shape or type.
        """
        frames = np.asarray(frames)
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise InputError(f'frames of shape {frames.shape} and type {frames.dtype}, expected (T, H, W, 3) uint8 RGB')
        with quiet_stderr():
            solution = self._pose(**self.options)
        with contextlib.closing(solution):
            for t, frame in enumerate(frames):
                with quiet_stderr() if t == 0 else contextlib.nullcontext():
                    result = solution.process(np.ascontiguousarray(frame))
                yield result
