"""Global pose normalization: move and scale one person's poses into the place and size of another.

Source: Everybody Dance Now (Chan et al. 2019) and its released code, corrected: joints are found by name (the code took an ear for an
ankle), the pivot is the foot of the current frame (the code kept that of the first frame, so that feet missed their place), a person's
height reaches to the lower foot (the code took the middle of both, so that who lifts a leg seemed small), and the lengths of the two
walking ranges are compared after scaling.
"""

from dataclasses import dataclass

import numpy as np

from toolkit.skeletons import L_ANKLE, L_EAR, L_HIP, L_SHOULDER, NECK, NOSE, R_ANKLE, R_EAR, R_HIP, R_SHOULDER, torso_scale
from toolkit.structures import InputError

ALPHA = 0.5
"""How far above the median the far end of the walking range may lie, relative to the close end."""
NEAR = 0.05
STILL = 0.01
"""In heights of the person: feet that move up or down the picture by less stand still, and what is measured of it is jitter."""
CLOSE_HEIGHT = 0.9
MEDIAN_WINDOW, USUAL_RATE = 7, 25
MIN_FRAMES = 3
SHARE = 0.1
"""Of the frames with a person: feet or a torso in fewer of them are taken for errors of the pose estimator."""


@dataclass
class _Range:
    """Where a person's feet go in a video, and how tall they are there (pixels)."""

    far: float
    close: float
    height_far: float
    height_close: float
    x: float

    @property
    def length(self) -> float:
        return self.close - self.far


@dataclass
class _Anchor:
    """A person without feet: size of the body and the typical place of the point that stands for it (pixels)."""

    size: float
    x: float
    y: float


@dataclass
class PoseNormalizer:
    """Maps poses of a source video into a target video.

    With feet (mode 'feet'): for a source frame whose lower ankle is at height a, ``p = (a - far_s) / (close_s - far_s)``, the target
    foot is ``m = far_t + p (close_t - far_t)``, the scale runs from far to close like the persons' heights there, and
    ``y' = scale (y - a) + m``, ``x' = scale (x - x_s) + x_t`` with the videos' median mid-hip x. Where less than a tenth of a video's
    frames with a person shows head and ankles, one scale and one shift are used: by torsos and mid-hips (mode 'torso'), or else by
    shoulder widths and necks (mode 'shoulders'). A target that stands still, such as a single picture, says nothing about its walking
    range: the source's movement is then scaled like the body.

    Attributes:
        mode: 'feet', 'torso' or 'shoulders'.
        source: statistics of the source video.
        target: statistics of the target video.
        median_window: length of the median filter over the result, in frames; 1 is off.
    """

    mode: str
    source: _Range | _Anchor
    target: _Range | _Anchor
    median_window: int = MEDIAN_WINDOW

    @classmethod
    def fit(cls, source_poses: np.ndarray, target_poses: np.ndarray, median_window: int = MEDIAN_WINDOW) -> 'PoseNormalizer':
        """Measure both persons.

        Args:
            source_poses: (S, 18, 3) in pixels of the source frames; confidence 0 = missing. One or two frames count as three.
            target_poses: (T, 18, 3) in pixels of the target frames, likewise.
            median_window: see the class.

        Raises:
            InputError: one of the videos shows no shoulders at all.
        """
        both = [np.repeat(poses, MIN_FRAMES, 0) if len(poses) < MIN_FRAMES else poses for poses in (source_poses, target_poses)]
        ranges = [_feet(poses) for poses in both]
        if None not in ranges:
            source, target = ranges
            scale = (target.height_close / source.height_close + target.height_far / source.height_far) / 2
            if scale * source.length < target.length:
                middle, half = (target.far + target.close) / 2, scale * source.length / 2
                target.far, target.close = middle - half, middle + half
            return cls('feet', source, target, median_window)
        for mode, measure in (('torso', _torso), ('shoulders', _shoulders)):
            anchors = [measure(poses) for poses in both]
            if None not in anchors:
                return cls(mode, *anchors, median_window)
        which = 'source' if anchors[0] is None else 'target'
        raise InputError(
            f'pose normalization: the {which} poses show both shoulders in fewer than {MIN_FRAMES} frames; check the {which} video, or '
            'generate without normalization')

    def __call__(self, poses: np.ndarray) -> np.ndarray:
        """Map source poses into the target video.

        Args:
            poses: (T, 18, 3) in pixels of the source frames, consecutive.

        Returns:
            (T, 18, 3) float32 in pixels of the target frames; confidences unchanged, missing joints zero.
        """
        poses = np.array(poses, np.float32)
        present = poses[..., 2:] > 0
        scale, shift_x, shift_y = self._transforms(poses)
        shift = np.stack([shift_x, shift_y], -1)[:, None]
        points = np.where(present, scale[:, None, None] * poses[..., :2] + shift, 0)
        poses[..., :2] = _adaptive_median(points, present[..., 0], self.median_window)
        return poses

    def _transforms(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scale and shifts of each frame, each (T,)."""
        s, t = self.source, self.target
        if self.mode != 'feet':
            scale = np.full(len(poses), t.size / s.size)
            return scale, t.x - scale * s.x, t.y - scale * s.y
        toes, valid = _toes(poses)
        toes = np.where(valid, toes, (s.far + s.close) / 2)
        scale_close, scale_far = t.height_close / s.height_close, t.height_far / s.height_far
        position, gain = np.full(len(toes), 0.5), (scale_close + scale_far) / 2
        if s.length > STILL * s.height_close:
            position = (toes - s.far) / s.length
            if t.length > 1e-3 * t.height_close:
                gain = t.length / s.length
        scale = scale_far + np.clip(position, 0, 1) * (scale_close - scale_far)
        foot = (t.far + t.close) / 2 + gain * (toes - (s.far + s.close) / 2)
        return tuple(_hold(values, valid) for values in (scale, t.x - scale * s.x, foot - scale * toes))


def median_window_at(fps: float) -> int:
    """Length of the median filter for a video of this rate, odd: that of :data:`MEDIAN_WINDOW` frames at :data:`USUAL_RATE` a second,
    so that it does not flatten the movement where frames are further apart; never more frames."""
    return min(MEDIAN_WINDOW, 2 * round((MEDIAN_WINDOW * fps / USUAL_RATE - 1) / 2) + 1)


def _enough(known: np.ndarray, poses: np.ndarray) -> bool:
    """Whether what is known in these frames (T,) is known often enough to be relied on."""
    return known.sum() >= max(MIN_FRAMES, SHARE * (poses[..., 2] > 0).any(-1).sum())


def _toes(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower ankle's y (T,) and where both ankles are present (T,)."""
    ankles = poses[:, [R_ANKLE, L_ANKLE]]
    return ankles[..., 1].max(-1), (ankles[..., 2] > 0).all(-1)


def _mid_hip_x(poses: np.ndarray) -> float | None:
    hips = poses[:, [R_HIP, L_HIP]]
    known = (hips[..., 2] > 0).all(-1)
    return float(np.median(hips[known, :, 0].mean(-1))) if known.any() else None


def _feet(poses: np.ndarray) -> _Range | None:
    """Walking range of a person, or None if head, ankles and hips are not seen often enough."""
    poses = np.asarray(poses, np.float64)
    toes, valid = _toes(poses)
    ears = poses[:, [R_EAR, L_EAR]]
    nose_known, ears_known = poses[:, NOSE, 2] > 0, (ears[..., 2] > 0).all(-1)
    head = np.where(nose_known[:, None], poses[:, NOSE, :2], ears[..., :2].mean(1))
    valid &= nose_known | ears_known
    x = _mid_hip_x(poses)
    if x is None or not _enough(valid, poses):
        return None
    ground = np.stack([poses[:, [R_ANKLE, L_ANKLE], 0].mean(1), toes], -1)
    heights = np.linalg.norm(head - ground, axis=-1)[valid]
    toes = toes[valid]
    close, middle = toes.max(), np.median(toes)
    above = middle - toes
    above = above[(above > 0) & (above < ALPHA * (close - middle))]
    far = middle - above.max() if len(above) else middle
    near = max(NEAR * (close - far), STILL * heights.max())
    height_close = heights[np.abs(toes - close) <= near].max()
    at_far = np.abs(toes - far) <= near
    height_far = heights[at_far].max() if at_far.any() else height_close
    if height_close < CLOSE_HEIGHT * heights.max():
        height_close = heights.max()
    if not (height_close > 0 and height_far > 0):
        return None
    return _Range(float(far), float(close), float(height_far), float(height_close), x)


def _torso(poses: np.ndarray) -> _Anchor | None:
    poses = np.asarray(poses, np.float64)
    scale = torso_scale(poses)
    if not _enough(scale > 0, poses):
        return None
    hips = poses[scale > 0][:, [R_HIP, L_HIP], :2].mean(1)
    return _Anchor(float(np.median(scale[scale > 0])), *(float(v) for v in np.median(hips, 0)))


def _shoulders(poses: np.ndarray) -> _Anchor | None:
    poses = np.asarray(poses, np.float64)
    known = (poses[:, [R_SHOULDER, L_SHOULDER, NECK], 2] > 0).all(-1)
    widths = np.linalg.norm(poses[known, R_SHOULDER, :2] - poses[known, L_SHOULDER, :2], axis=-1)
    if known.sum() < MIN_FRAMES or not widths.max() > 0:
        return None
    return _Anchor(float(np.quantile(widths, 0.9)), *(float(v) for v in np.median(poses[known, NECK, :2], 0)))


def _hold(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Replace values that are not valid by the last valid one before, at the start by the first; by the median of all if none is."""
    if not valid.any():
        return np.full(len(values), np.median(values) if len(values) else 0.0)
    last = np.maximum.accumulate(np.where(valid, np.arange(len(values)), -1))
    return values[np.where(last < 0, np.argmax(valid), last)]


def _adaptive_median(points: np.ndarray, present: np.ndarray, window: int) -> np.ndarray:
    """Median of each joint over the frames of the window in which it is present. points (T, K, 2), present (T, K)."""
    if window <= 1:
        return points
    known = np.where(present[..., None], points, np.nan)
    out = points.copy()
    for t in range(len(points)):
        reach = min(window // 2, t, len(points) - 1 - t)
        for joint in np.flatnonzero(present[t]):
            track = known[t - reach:t + reach + 1, joint]
            out[t, joint] = np.median(track[~np.isnan(track[:, 0])], axis=0)
    return out
