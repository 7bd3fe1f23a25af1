"""MediaPipe's BlazePose as pose estimator."""

from collections.abc import Iterable, Iterator

import numpy as np

from mediapipe_human.solution import PoseSolution
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import BLAZEPOSE33, K, to_openpose18


@POSE_ESTIMATORS.register_module()
class MediaPipePose:
    """BlazePose (Bazarevsky et al. 2020), 33 landmarks of one person, given as OpenPose-18.

    A landmark's visibility is its confidence. Landmarks outside the frame, which BlazePose guesses, are missing. Every call starts
    afresh, so that the same frames give the same poses; :meth:`track` takes a clip of any length as one stream.

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

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Estimate poses.

        Args:
            frames: (T, H, W, 3) uint8 RGB, consecutive frames of one clip.

        Returns:
            (T, 18, 3) float32; missing joints are zero.
        """
        return np.array(list(self.track(frames)), np.float32).reshape(-1, K, 3)

    def track(self, frames: Iterable[np.ndarray], last: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Follow one person through a clip, frame by frame.

        Args:
            frames: frames (H, W, 3) uint8 RGB of one clip from its beginning.
            last: not used: MediaPipe cannot go on from a pose.

        Yields:
            For each frame the pose, (18, 3) float32; missing joints are zero.
        """
        sizes = []

        def noted() -> Iterator[np.ndarray]:
            for frame in frames:
                sizes[:] = frame.shape[:2]
                yield frame

        for result in self.solution.run(noted()):
            points = np.zeros((len(BLAZEPOSE33), 3), np.float32)
            if result.pose_landmarks is not None:
                height, width = sizes
                points[:] = [(p.x * width - 0.5, p.y * height - 0.5, p.visibility) for p in result.pose_landmarks.landmark]
                outside = (points[:, :2] < -0.5).any(-1) | (points[:, 0] > width - 0.5) | (points[:, 1] > height - 0.5)
                points[outside | (points[:, 2] < self.threshold)] = 0
            yield to_openpose18(points, 'blazepose33')
