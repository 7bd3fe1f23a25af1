"""MediaPipe's person mask as segmenter."""

import numpy as np

from mediapipe_human.solution import PoseSolution
from toolkit.registry import SEGMENTORS


@SEGMENTORS.register_module()
class MediaPipeSegmentor:
    """The person mask of BlazePose: whole bodies, only the person whose pose is found.

    Args:
        tracking: follow the person from frame to frame; set it to False for unrelated pictures.
        min_detection_confidence: of the person detector.
        min_tracking_confidence: below it the detector runs again.

    Raises:
        InputError: mediapipe is not installed.
    """

    name = 'mediapipe_segmentor'

    def __init__(self, tracking: bool = True, min_detection_confidence: float = 0.5, min_tracking_confidence: float = 0.5):
        self.solution = PoseSolution(tracking, True, min_detection_confidence, min_tracking_confidence)
        self.version = self.solution.version

    def __call__(self, frames: np.ndarray, poses: np.ndarray | None = None) -> np.ndarray:
        """Segment the person.

        Args:
            frames: (T, H, W, 3) uint8 RGB, consecutive frames of one clip.
            poses: not needed; taken because all segmenters are called alike.

        Returns:
            (T, H, W) float32 person probability in [0, 1]; zero in frames where nobody is found.
        """
        masks = np.zeros(frames.shape[:3], np.float32)
        for t, result in enumerate(self.solution.run(frames)):
            if result.segmentation_mask is not None:
                masks[t] = np.clip(result.segmentation_mask, 0, 1)
        return masks
