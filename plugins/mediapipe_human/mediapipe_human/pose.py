"""MediaPipe's BlazePose as pose estimator."""

import numpy as np

from mediapipe_human.solution import PoseSolution
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import BLAZEPOSE33, to_openpose18


@POSE_ESTIMATORS.register_module()
class MediaPipePose:
    """BlazePose (Bazarevsky et al. 2020), 33 landmarks of one person, given as OpenPose-18.

    A landmark's visibility is its confidence. Landmarks outside the frame, which BlazePose guesses, are missing. Every call starts
    afresh, so that the same frames give the same poses.

    Args:
        tracking: follow the person from frame to frame (faster and steadier); set it to False for unrelated pictures.
        threshold: landmarks of less visibility are missing.
        min_detection_confidence: of the person detector.
        min_tracking_confidence: below it the detector runs again.

    Raises:
        InputError: mediapipe is not installed.
    """

    name = 'mediapipe_pose'

    def __init__(
        self, tracking: bool = True, threshold: float = 0.1, min_detection_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5):
        self.threshold = threshold
        self.solution = PoseSolution(tracking, False, min_detection_confidence, min_tracking_confidence)
        self.version = self.solution.version

    def landmarks(self, frames: np.ndarray) -> np.ndarray:
        """All landmarks, unfiltered.

        Args:
            frames: (T, H, W, 3) uint8 RGB.

        Returns:
            (T, 33, 3) float32 x, y in pixels and visibility; zero in frames without a person.
        """
        height, width = frames.shape[1:3]
        out = np.zeros((len(frames), len(BLAZEPOSE33), 3), np.float32)
        for t, result in enumerate(self.solution.run(frames)):
            if result.pose_landmarks is not None:
                points = result.pose_landmarks.landmark
                out[t] = [(p.x * width - 0.5, p.y * height - 0.5, p.visibility) for p in points]
        return out

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Estimate poses.

        Args:
            frames: (T, H, W, 3) uint8 RGB, consecutive frames of one clip.

        Returns:
            (T, 18, 3) float32; missing joints are zero.
        """
        points = self.landmarks(frames)
        outside = (points[..., :2] < -0.5).any(-1) | (points[..., 0] > frames.shape[2] - 0.5) | (points[..., 1] > frames.shape[1] - 0.5)
        points[outside | (points[..., 2] < self.threshold)] = 0
        return to_openpose18(points, 'blazepose33')
