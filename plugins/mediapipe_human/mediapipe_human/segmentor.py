"""MediaPipe's person mask as segmenter."""

from collections.abc import Iterable, Iterator

import numpy as np

from mediapipe_human.people import surroundings
from mediapipe_human.solution import PoseSolution, Session, is_installed
from toolkit.preparing.quality import mask_agreement
from toolkit.registry import SEGMENTORS

MISFIT = .5
"""Where a smaller share of the joints lies on the mask, it is of somebody else."""
REST = 8
"""Frames to wait before the next try where starting anew did not help."""


@SEGMENTORS.register_module()
class MediaPipeSegmentor:
    """The person mask of BlazePose: whole bodies, only the person whose pose is given, or found.

    Args:
        tracking: follow the person from frame to frame; set it to False for unrelated pictures.
        min_detection_confidence: of the person detector.
        min_tracking_confidence: below it the detector runs again.

    Raises:
        InputError: mediapipe is not installed.
    """

    name = 'mediapipe_segmentor'
    is_installed = staticmethod(is_installed)

    def __init__(self, tracking: bool = True, min_detection_confidence: float = 0.5, min_tracking_confidence: float = 0.5):
        self.solution = PoseSolution(tracking, True, min_detection_confidence, min_tracking_confidence)
        self.version = self.solution.version

    def __call__(self, frames: np.ndarray, poses: np.ndarray | None = None) -> np.ndarray:
        """Segment the person.

        Args:
            frames: (T, H, W, 3) uint8 RGB, consecutive frames of one clip.
            poses: (T, 18, 3) in pixels of the frames: whom to segment; None for whom MediaPipe finds.

        Returns:
            (T, H, W) float32 person probability in [0, 1]; zero in frames where nobody is found.
        """
        return np.array(list(self.track(frames, poses)), np.float32).reshape(frames.shape[:3])

    def track(self, frames: Iterable[np.ndarray], poses: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Segment the person through a clip, frame by frame.

        Where the mask does not hold the joints of the pose, MediaPipe has found somebody else or nobody. It then starts anew on the
        surroundings of the pose, and goes on with the person it finds there.

        Args:
            frames: frames (H, W, 3) uint8 RGB of one clip from its beginning.
            poses: see :meth:`__call__`.

        Yields:
            For each frame the mask, (H, W) float32 in [0, 1].
        """
        rest = 0
        with self.solution.session() as session:
            for t, frame in enumerate(frames):
                pose = None if poses is None else poses[t]
                mask, rest = self._mask(session, frame), rest - 1
                agreement = 1. if pose is None else mask_agreement(mask, pose)
                if agreement < MISFIT and rest < 0:
                    session.close()
                    other = self._mask(session, surroundings(frame, pose))
                    if mask_agreement(other, pose) > agreement:
                        mask = other
                    else:
                        rest = REST
                yield mask

    @staticmethod
    def _mask(session: Session, frame: np.ndarray) -> np.ndarray:
        mask = session.process(frame).segmentation_mask
        return np.zeros(frame.shape[:2], np.float32) if mask is None else np.clip(mask, 0, 1)

