"""MediaPipe's BlazePose as pose estimator."""

from collections.abc import Iterable, Iterator

import numpy as np

from mediapipe_human.people import find_person, surroundings
from mediapipe_human.solution import PoseSolution, Session, is_installed
from toolkit.poses.decode import REACH, REACH_GROWTH, Person, pose_distance
from toolkit.poses.follow import Follow
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
    follows = True
    is_installed = staticmethod(is_installed)

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

    def track(self, frames: Iterable[np.ndarray], last: np.ndarray | None = None, follow: Follow | None = None) -> Iterator[np.ndarray]:
        """Follow one person through a clip, frame by frame.

        Args:
            frames: frames (H, W, 3) uint8 RGB of one clip from its beginning.
            last: not used: MediaPipe cannot go on from a pose.
            follow: which of several people, see :func:`toolkit.poses.follow.choose_person`; None for whom MediaPipe finds. Who was
                chosen is kept: where MediaPipe goes over to somebody else, it is started anew around the last pose, and if that does
                not help the frame has nobody.

        Yields:
            For each frame the pose, (18, 3) float32; missing joints are zero.

        Raises:
            InputError: nobody is at the point to follow.
        """
        with self.solution.session() as session:
            if follow is None:
                yield from (self._pose(session, frame) for frame in frames)
            else:
                yield from self._followed(session, frames, follow)

    def _pose(self, session: Session, frame: np.ndarray) -> np.ndarray:
        """(18, 3) of the person whom the session is at."""
        points, landmarks = np.zeros((len(BLAZEPOSE33), 3), np.float32), session.process(frame).pose_landmarks
        if landmarks is not None:
            height, width = frame.shape[:2]
            points[:] = [(p.x * width - 0.5, p.y * height - 0.5, p.visibility) for p in landmarks.landmark]
            outside = (points[:, :2] < -0.5).any(-1) | (points[:, 0] > width - 0.5) | (points[:, 1] > height - 0.5)
            points[outside | (points[:, 2] < self.threshold)] = 0
        return to_openpose18(points, 'blazepose33')

    def _anew(self, session: Session, frame: np.ndarray) -> np.ndarray:
        session.close()
        return self._pose(session, frame)

    def _followed(self, session: Session, frames: Iterable[np.ndarray], follow: Follow) -> Iterator[np.ndarray]:
        known, lost = None, 0
        for frame in frames:
            if known is None:
                known = find_person(frame, follow, lambda picture: self._anew(session, picture))
                session.close()
            pose = np.zeros((K, 3), np.float32)
            if known is not None:
                reach = REACH * known.size * (1 + lost * REACH_GROWTH)
                tries = [lambda picture: self._pose(session, picture)] if not lost and session.at_work else []
                around = surroundings(frame, known.pose, 1 + lost * REACH_GROWTH)
                for number, look in enumerate([*tries, lambda picture: self._anew(session, picture)]):
                    found = look(frame if number < len(tries) else around)
                    if pose_distance(found, known.pose) < reach:
                        pose, known, lost = found, Person(found, 1.), -1
                        break
                lost += 1
            yield pose
