"""Upper and lower body regions of a pose: the gates through which color codes enter a generator."""

import numpy as np

from toolkit.masks.geometry import body_scale, box_around, clean_pose, head_center, hull_distance, segment_distance, torso_points
from toolkit.skeletons import (
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)

DILATION = 0.08
SOFTNESS = 0.06
HEAD_RADIUS = 0.36
HAND_RADIUS = 0.17
HAND_REACH = 0.35
TORSO_RADIUS = 0.1
UPPER_BONES = ((R_SHOULDER, R_ELBOW, 0.15), (L_SHOULDER, L_ELBOW, 0.15), (R_ELBOW, R_WRIST, 0.11), (L_ELBOW, L_WRIST, 0.11))
LOWER_BONES = ((R_HIP, L_HIP, 0.1), (R_HIP, R_KNEE, 0.18), (L_HIP, L_KNEE, 0.18), (R_KNEE, R_ANKLE, 0.13), (L_KNEE, L_ANKLE, 0.13))
"""Joint pairs and radii of their capsules in body scales, before dilation."""


def pose_regions(pose: np.ndarray, height: int, width: int, dilation: float = DILATION) -> np.ndarray:
    """Soft regions of upper and lower clothes, from joints only.

    Upper: hull of the torso joints and capsules round the arms, without discs over the head and over hands beside the torso; a hand in
    front of it does not hide the garment around it. Lower: capsules round pelvis and legs. Overlapping capsules are composed with
    ``m * (1 - a) + a``, which leaves no seams.

    Args:
        pose: (K, 3) x, y in pixels and confidence; 0 = missing. Missing joints leave out their capsules; missing torso corners are
            filled in from the others.
        height: frame height.
        width: frame width.
        dilation: how far the regions reach beyond a slim body, in body scales.

    Returns:
        (2, H, W) float32 in [0, 1]: upper, lower. All 0 where the pose is missing.

    Convention:
        Pixel centers at integer coordinates; edges are linear ramps of 0.06 body scales (at least 1 pixel), 0.5 on the outline.
    """
    pose = clean_pose(pose)
    regions = np.zeros((2, height, width), np.float32)
    scale = float(body_scale(pose))
    if scale <= 0:
        return regions
    softness = max(SOFTNESS * scale, 1.0)
    upper, lower = regions
    for region, bones in ((upper, UPPER_BONES), (lower, LOWER_BONES)):
        for a, b, radius in bones:
            if pose[a, 2] > 0 and pose[b, 2] > 0:
                _compose(region, pose[[a, b], :2], (radius + dilation) * scale, softness)
    for elbow, wrist in ((R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST)):
        if pose[wrist, 2] > 0:
            reach = HAND_REACH * (pose[wrist, :2] - pose[elbow, :2]) if pose[elbow, 2] > 0 else 0
            _compose(upper, (pose[wrist, :2] + reach)[None], HAND_RADIUS * scale, softness, cut=True)
    torso = torso_points(pose, scale)
    if torso is not None:
        _compose(upper, torso, (TORSO_RADIUS + dilation) * scale, softness, hull_distance)
    head = head_center(pose, scale)
    if head is not None:
        _compose(upper, head[None], HEAD_RADIUS * scale, softness, cut=True)
    return regions


def _compose(region, points, radius, softness, distance=None, cut=False) -> None:
    """Paint a soft shape over a region in place, or cut it out."""
    rows, columns = box = box_around(points, radius + softness / 2, *region.shape)
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    field = segment_distance(x, y, points[0], points[-1]) if distance is None else distance(x, y, points)
    alpha = np.clip((np.float32(radius) - field) / np.float32(softness) + np.float32(0.5), 0, 1)
    region[box] = region[box] * (1 - alpha) + (0 if cut else alpha)
