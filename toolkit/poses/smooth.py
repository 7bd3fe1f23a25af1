"""Clean a clip's poses: drop weak joints, fill short gaps, smooth over time."""

import numpy as np

from toolkit.skeletons import torso_scale


def fill_gaps(poses: np.ndarray, max_gap: int = 5) -> np.ndarray:
    """Fill short gaps of each joint by straight lines in time.

    Args:
        poses: (T, K, 3); confidence 0 = missing.
        max_gap: longest gap that is filled, in frames. Gaps at the start and end of the clip stay.

    Returns:
        (T, K, 3) float32, a new array. Filled joints get the smaller confidence of the two frames around the gap.
    """
    poses = np.array(poses, np.float32)
    for joint in range(poses.shape[1]):
        track = poses[:, joint]
        known = np.flatnonzero(track[:, 2] > 0)
        for a, b in zip(known, known[1:]):
            if 1 < b - a <= max_gap + 1:
                weight = (np.arange(1, b - a) / (b - a))[:, None]
                track[a + 1:b, :2] = (1 - weight) * track[a, :2] + weight * track[b, :2]
                track[a + 1:b, 2] = min(track[a, 2], track[b, 2])
    return poses


class OneEuro:
    """One-Euro filter (Casiez et al. 2012) for points, in one direction of time: strong smoothing at rest, little when moving fast.

    The cutoff frequency is ``min_cutoff + beta * speed``; a point that was missing starts anew.

    Args:
        fps: frames per second.
        min_cutoff: cutoff at rest, Hz.
        beta: cutoff gained per unit of speed (Hz per body size a second).
        d_cutoff: cutoff of the speed itself, Hz.
    """

    def __init__(self, fps: float, min_cutoff: float = 1.7, beta: float = 1.0, d_cutoff: float = 1.0):
        if fps <= 0:
            raise ValueError(f'fps must be positive, got {fps}')
        self.fps, self.min_cutoff, self.beta, self.d_cutoff = fps, min_cutoff, beta, d_cutoff
        self.last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __call__(self, points: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Filter tracks of points from their beginning.

        Args:
            points: (T, K, 2) in body sizes.
            present: (T, K) bool.

        Returns:
            (T, K, 2); missing points as they were.
        """
        self.last = None
        out = [self.step(*both) for both in zip(np.asarray(points, np.float64), present)]
        return np.array(out).reshape(np.shape(points))

    def step(self, points: np.ndarray, present: np.ndarray, fps: float | None = None) -> np.ndarray:
        """Filter the next frame, as live video needs it.

        Args:
            points: (K, 2) in body sizes.
            present: (K,) bool.
            fps: one over the seconds since the frame before; by default that of the filter.

        Returns:
            (K, 2) float64; missing points as they were.
        """
        points, fps = np.array(points, np.float64), fps or self.fps
        if self.last is None:
            self.last = points, present, np.zeros_like(points)
            return points
        before, was, speed = self.last
        known = (present & was)[:, None]
        rate = (points - before) * fps
        speed = np.where(known, speed + self._weight(self.d_cutoff, fps) * (rate - speed), 0)
        cutoff = self.min_cutoff + self.beta * np.linalg.norm(speed, axis=-1, keepdims=True)
        points = np.where(known, before + self._weight(cutoff, fps) * (points - before), points)
        self.last = points, present, speed
        return points

    @staticmethod
    def _weight(cutoff, fps: float):
        """Share of the new value in a first-order low-pass filter."""
        step = 2 * np.pi * cutoff / fps
        return step / (step + 1)


def smooth_poses(poses: np.ndarray, fps: float) -> np.ndarray:
    """Smooth each joint's track with the One-Euro filter: the average of a pass forwards and one backwards, without lag.

    Speeds are measured in body sizes (the clip's median torso scale, else a fifth of its joints' extent), so that the settings do
    not depend on the resolution.

    Args:
        poses: (T, K, 3) in pixels.
        fps: frames per second.

    Returns:
        (T, K, 3) float32; confidences and missing joints unchanged.
    """
    poses = np.array(poses, np.float32)
    present = poses[..., 2] > 0
    if len(poses) < 2 or not present.any():
        return poses
    points, size = poses[..., :2].astype(np.float64), body_size(poses)
    euro = OneEuro(fps)
    smoothed = (euro(points / size, present) + euro(points[::-1] / size, present[::-1])[::-1]) / 2
    poses[..., :2] = np.where(present[..., None], smoothed * size, points)
    return poses


def body_size(poses: np.ndarray) -> float:
    """Typical torso length of a clip in pixels: median torso scale, else a fifth of the diagonal around all joints; at least 1."""
    scales = torso_scale(poses)
    if (scales > 0).any():
        return max(float(np.median(scales[scales > 0])), 1.0)
    points = poses[poses[..., 2] > 0][:, :2]
    return max(float(np.hypot(*np.ptp(points, axis=0))) / 5, 1.0) if len(points) else 1.0


def clean_poses(poses: np.ndarray, fps: float, smooth: bool = True) -> np.ndarray:
    """Drop joints of a confidence below 0.1, fill gaps of up to 5 frames, smooth.

    Args:
        poses: (T, K, 3) as an estimator gives them.
        fps: frames per second.
        smooth: apply :func:`smooth_poses`.

    Returns:
        (T, K, 3) float32, a new array.
    """
    poses = np.array(poses, np.float32)
    poses[poses[..., 2] < 0.1] = 0
    poses = fill_gaps(poses)
    return smooth_poses(poses, fps) if smooth else poses
