"""One crop for a whole clip: around the person, centered, or given; and what it does to frames and poses."""

from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.skeletons import L_ANKLE, L_HIP, L_KNEE, R_ANKLE, R_HIP, R_KNEE, scale_points, torso_scale
from toolkit.structures import InputError

THRESHOLD = .1
HEAD, SIDE, FOOT = .55, .3, .3
"""How far the body reaches beyond its joints, in torso lengths: above the face, around arms and hips, below the ankles."""
ANKLES = (R_ANKLE, L_ANKLE)
LEG_BELOW = {R_HIP: 2., L_HIP: 2., R_KNEE: 1., L_KNEE: 1.}
"""Length of the leg below a joint, in torso lengths."""
LEAST_SHOWN = .1
"""Share of each side of a window that must lie on the frame."""
TIGHT = .6
"""Share of these margins that is always kept; the rest is given up where it would need more picture than there is."""


@dataclass(frozen=True)
class Crop:
    """A window of the source frame, scaled to the size of the clip. It may reach beyond the frame; there the border is repeated.

    Attributes:
        x, y, w, h: window in source pixels; x, y of its upper left corner.
        height, width: size of the clip.
    """

    x: int
    y: int
    w: int
    h: int
    height: int
    width: int

    @property
    def scale(self) -> tuple[float, float]:
        """Clip pixels per source pixel along x and y."""
        return self.width / self.w, self.height / self.h

    def frame(self, frame: np.ndarray) -> np.ndarray:
        """Cut and scale, (H, W, 3) uint8 -> (height, width, 3); area averaging when made smaller, cubic when made larger."""
        rows, columns = frame.shape[:2]
        x0, y0, x1, y1 = max(self.x, 0), max(self.y, 0), min(self.x + self.w, columns), min(self.y + self.h, rows)
        out = frame[y0:y1, x0:x1]
        pad = (y0 - self.y, self.y + self.h - y1, x0 - self.x, self.x + self.w - x1)
        if any(pad):
            out = cv2.copyMakeBorder(out, *pad, cv2.BORDER_REPLICATE)
        how = cv2.INTER_AREA if self.w >= self.width else cv2.INTER_CUBIC
        return cv2.resize(out, (self.width, self.height), interpolation=how)

    def pose(self, pose: np.ndarray) -> np.ndarray:
        """Poses (..., K, 3) of source frames in pixels of the clip; missing joints stay zero."""
        out = np.array(pose, np.float32)
        for axis, (origin, scale) in enumerate(zip((self.x, self.y), self.scale)):
            out[..., axis] = scale_points(out[..., axis] - origin, scale)
        out[out[..., 2] <= 0] = 0
        return out

    def padding(self, rows: int, columns: int) -> float:
        """Share of the window that lies beyond a source frame of this size, in [0, 1]."""
        inside = (min(self.x + self.w, columns) - max(self.x, 0)) * (min(self.y + self.h, rows) - max(self.y, 0))
        return 1 - max(inside, 0) / (self.w * self.h)


def center_crop(rows: int, columns: int, height: int, width: int) -> Crop:
    """The largest centered window with the aspect of the clip."""
    factor = min(rows / height, columns / width)
    w, h = max(1, min(round(width * factor), columns)), max(1, min(round(height * factor), rows))
    return Crop((columns - w) // 2, (rows - h) // 2, w, h, height, width)


def given_crop(values: tuple[int, int, int, int], rows: int, columns: int, height: int, width: int) -> Crop:
    """A window the user names.

    Raises:
        InputError: as :func:`check_window`, or so far from the clip's aspect that people would look squeezed (over 2 %).
    """
    check_window(values, rows, columns)
    x, y, w, h = values
    if abs(w * height / (h * width) - 1) > .02:
        raise InputError(
            f'crop {x},{y},{w},{h} has the shape {w}:{h}, the clip {width}:{height} (width:height), the person would be squeezed; for '
            f'this width take height {round(w * height / width)}, for this height take width {round(h * width / height)}')
    return Crop(x, y, w, h, height, width)


def check_window(values: tuple[int, int, int, int], rows: int, columns: int) -> None:
    """See that a window the user names lies on the frame, with a tenth of its width and of its height at least.

    Args:
        values: x, y, width, height in source pixels.
        rows, columns: size of source frames.

    Raises:
        InputError: it is empty, or beyond the frame.
    """
    x, y, w, h = values
    shown = [min(start + length, limit) - max(start, 0) for start, length, limit in ((x, w, columns), (y, h, rows))]
    if w <= 0 or h <= 0 or shown[0] < w * LEAST_SHOWN or shown[1] < h * LEAST_SHOWN:
        raise InputError(f'crop {x},{y},{w},{h} (x, y, width, height) does not lie on the frame of {columns}x{rows} (width x height), '
                         f'or with less than a tenth of a side')


def person_boxes(poses: np.ndarray, margin: float = 1., hidden_legs: bool = False) -> np.ndarray:
    """Boxes around people, estimated from their joints.

    The joints' box is grown by what lies beyond them: head, hands, feet and clothes.

    Args:
        poses: (T, K, 3).
        margin: factor of what is added.
        hidden_legs: add the length of legs that are not seen: 2 torso lengths below the hips, 1 below the knees.

    Returns:
        (T, 4) float32 x0, y0, x1, y1; NaN where a frame has fewer than 4 joints.
    """
    poses = np.asarray(poses, np.float32)
    seen = poses[..., 2] > THRESHOLD
    points = np.where(seen[..., None], poses[..., :2], np.nan)
    boxes = np.full((len(poses), 4), np.nan, np.float32)
    torso = torso_scale(poses)
    usual = np.median(torso[torso > 0]) if (torso > 0).any() else 0
    for t in np.flatnonzero(seen.sum(-1) >= 4):
        low, high = np.nanmin(points[t], 0), np.nanmax(points[t], 0)
        scale = margin * (torso[t] or usual or .4 * float((high - low).max()))
        foot = high[1] + FOOT * scale
        if hidden_legs:
            foot = max([foot, *(points[t, j, 1] + reach * (torso[t] or usual) for j, reach in LEG_BELOW.items()
                                if seen[t, j] and not seen[t, list(ANKLES)].any())])
        boxes[t] = low[0] - SIDE * scale, low[1] - HEAD * scale, high[0] + SIDE * scale, foot
    return boxes


def person_crop(poses: np.ndarray, rows: int, columns: int, height: int, width: int) -> Crop:
    """The smallest window with the clip's aspect that holds the person in all frames, kept on the frame where it fits.

    Boxes are united between their 0.5 and 99.5 percentiles, so that one wild frame does not decide. Where the window does not fit the
    frame, margins are narrowed; where even that is not enough, the window reaches beyond the frame, away from the side at which the
    person is cut off. A person cut off below stays at the lower border, so that repeated rows do not lengthen the legs.

    Args:
        poses: (T, K, 3) in source pixels.
        rows, columns: size of source frames.
        height, width: size of the clip.

    Raises:
        InputError: no person in any frame.
    """
    wide, tight = person_range(poses, rows, columns)
    return window_around(wide, tight, rows, columns, height, width)


def person_range(poses: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes x0, y0, x1, y1 on the frame that hold the person in all frames: with full margins, and with the least ones.

    Args:
        poses: (T, K, 3) in source pixels.
        rows, columns: size of source frames.

    Raises:
        InputError: no person in any frame.
    """
    wide, tight = (_union(person_boxes(poses, margin, hidden_legs=True), rows, columns) for margin in (1., TIGHT))
    if wide is None:
        raise InputError('no person found in any frame, so there is nothing to crop around; try another estimator or a centered crop')
    return wide, tight


def window_around(wide, tight, rows: int, columns: int, height: int, width: int) -> Crop:
    """The window of :func:`person_crop` for the boxes of :func:`person_range`."""
    wanted, least = (max(y1 - y0, (x1 - x0) * height / width, 8.) for x0, y0, x1, y1 in (wide, tight))
    h = max(least, min(wanted, rows, columns * height / width))
    w, h = max(2, round(h * width / height)), max(2, round(h))
    x0, y0, x1, y1 = wide
    x = _place(x0, x1, w, columns)
    y = rows - h if h > rows and y1 >= rows else _place(y0, y1, h, rows)
    return Crop(x, y, w, h, height, width)


def fit_window(values: tuple[int, int, int, int], rows: int, columns: int, height: int, width: int) -> Crop:
    """A window the user names, made longer on one side to the shape of the clip and kept on the frame where it fits.

    Raises:
        InputError: as :func:`check_window`.
    """
    check_window(values, rows, columns)
    x, y, w, h = values
    wide, high = max(w, round(h * width / height)), max(h, round(w * height / width))
    return Crop(_place(x, x + w, wide, columns) if wide > w else x, _place(y, y + h, high, rows) if high > h else y, wide, high, height,
                width)


def _union(boxes: np.ndarray, rows: int, columns: int) -> np.ndarray | None:
    boxes = boxes[~np.isnan(boxes[:, 0])]
    if not len(boxes):
        return None
    low, high = np.percentile(boxes[:, :2], .5, axis=0), np.percentile(boxes[:, 2:], 99.5, axis=0)
    return np.concatenate([np.maximum(low, 0), np.minimum(high, (columns, rows))])


def _place(low: float, high: float, length: int, limit: int) -> int:
    """Start of a window of this length round low..high, on 0..limit if it fits."""
    if length < limit:
        return int(np.clip(round((low + high - length) / 2), 0, limit - length))
    at_start, at_end = low <= 0, high >= limit
    return (limit - length) // 2 if at_start == at_end else 0 if at_start else limit - length
