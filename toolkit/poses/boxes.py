"""Boxes around people: x0, y0, x1, y1 in pixels."""

import numpy as np

from toolkit.skeletons import K

Box = tuple[float, float, float, float]


def pose_box(pose: np.ndarray) -> Box | None:
    """Box around the joints of a pose (K, 3), or None without a joint; a twelfth of its height is added above a pose without crown."""
    points = pose[pose[:, 2] > 0, :2]
    if not len(points):
        return None
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    crown = (y1 - y0) / 12 if len(pose) == K else 0
    return float(x0), float(y0 - crown), float(x1), float(y1)


def mask_box(mask: np.ndarray) -> Box | None:
    """Box around the pixels above 0.5 of a mask (H, W), or None without one."""
    ys, xs = np.nonzero(mask > 0.5)
    return None if not len(xs) else (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
