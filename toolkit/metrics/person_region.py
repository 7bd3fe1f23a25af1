"""Where the flesh and clothes of a posed person are for certain: bones thickened, but not up to the outline."""

import cv2
import numpy as np

from toolkit.skeletons import (
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    torso_scale,
)

BONES = (
    (R_SHOULDER, R_ELBOW, 0.07), (R_ELBOW, R_WRIST, 0.05), (L_SHOULDER, L_ELBOW, 0.07), (L_ELBOW, L_WRIST, 0.05),
    (R_HIP, R_KNEE, 0.10), (R_KNEE, R_ANKLE, 0.07), (L_HIP, L_KNEE, 0.10), (L_KNEE, L_ANKLE, 0.07))
"""Joint pairs and radii in body scales (:func:`toolkit.skeletons.torso_scale`)."""
TORSO = (R_SHOULDER, L_SHOULDER, L_HIP, R_HIP)
HEAD_RISE, HEAD_RADIUS = 0.42, 0.17
SUBPIXEL_BITS = 4


def person_region(pose: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixels that belong to the person if they stand in this pose.

    The torso's hull, arms and legs as capsules thinner than those of a slim person, and a disc in the middle of the head, which is
    found above the neck, so that poses with and without a face give the same region. No outline is in it, and hardly any background.

    Args:
        pose: (K, 3) x, y in pixels and confidence; 0 = missing. Bones with a missing end are left out.
        height, width: of the frame.

    Returns:
        (H, W) bool; empty without shoulders and hips.
    """
    region = np.zeros((height, width), np.uint8)
    scale = float(torso_scale(pose))
    if scale <= 0:
        return region.astype(bool)
    joints = pose[:, :2].astype(np.float64)
    cv2.fillConvexPoly(region, cv2.convexHull(fixed(joints[list(TORSO)])), 1, cv2.LINE_8, SUBPIXEL_BITS)
    for a, b, radius in BONES:
        if pose[a, 2] > 0 and pose[b, 2] > 0:
            thickness = max(1, round(2 * radius * scale))
            start, end = (tuple(fixed(joints[j]).tolist()) for j in (a, b))
            cv2.line(region, start, end, 1, thickness, cv2.LINE_8, SUBPIXEL_BITS)
    if pose[NECK, 2] > 0:
        up = joints[NECK] - joints[[R_HIP, L_HIP]].mean(0)
        center = joints[NECK] + HEAD_RISE * scale * up / max(np.linalg.norm(up), 1e-6)
        cv2.circle(region, tuple(fixed(center).tolist()), round(HEAD_RADIUS * scale * 2**SUBPIXEL_BITS), 1, -1, cv2.LINE_8,
                   SUBPIXEL_BITS)
    return region.astype(bool)


def fixed(points: np.ndarray) -> np.ndarray:
    """Coordinates as OpenCV's fixed-point numbers."""
    return np.rint(points * 2**SUBPIXEL_BITS).astype(np.int32)
