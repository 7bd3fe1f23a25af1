"""Part labels: which of the ten body parts each pixel of a person's mask belongs to."""

import numpy as np

from toolkit.masks.geometry import HEAD_AXES, INSIDE, LIMB_RADIUS, TORSO_GROWTH, body_scale, clean_pose, part_field
from toolkit.skeletons import P
from toolkit.structures import InputError

REACH = 4.0
"""Field value up to which a pixel outside of all shapes belongs to the nearest part: 0.6 body scales from its outline."""
TIE = 1e-3
"""Fields closer than this count as equal, and the first part wins: around a joint, both its limbs are equally near."""
STRETCH = {0: TORSO_GROWTH / (1 - INSIDE) / LIMB_RADIUS, 1: sum(HEAD_AXES) / 2 / LIMB_RADIUS}
"""Factors that bring the fields of torso and head, outside of their shapes, to the limbs' unit of distance."""


def part_labels(pose: np.ndarray, mask: np.ndarray, threshold: float = 0.5, reach: float = REACH) -> np.ndarray:
    """Divide a person's mask into ten parts by the pose.

    Every part has a simple shape (limb: capsule of radius 0.2 body scales that includes hand or foot; head: ellipse; torso: grown
    quadrilateral). A pixel of the mask goes to the part it lies deepest in; a pixel outside of all shapes (hair, loose clothes, feet)
    goes to the nearest part if that is within ``reach``. Inside torso and head, the core of an arm or leg wins: it is taken to be in
    front.

    Args:
        pose: (K, 3) x, y in pixels and confidence; 0 = missing.
        mask: (H, W) float in [0, 1], or bool.
        threshold: mask values above it belong to the person.
        reach: how far from a part's bone a pixel may be, in limb radii (1 = only inside the shapes).

    Returns:
        (H, W) uint8: 0 background, 1..10 = index in :data:`toolkit.skeletons.PARTS` + 1. All 0 where the pose shows no part.

    Raises:
        InputError: the mask is not (H, W).

    Convention:
        Pixel centers at integer coordinates. Labels of the source frame, to be used with
        :class:`toolkit.warpers.part_affine.PartAffineWarper`.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise InputError(f'part labels need a mask of shape (H, W), got {mask.shape}: pass one frame at a time')
    labels = np.zeros(mask.shape, np.uint8)
    pose = clean_pose(pose)
    scale = float(body_scale(pose))
    where = np.flatnonzero(mask > threshold)
    if scale <= 0 or not len(where):
        return labels
    y, x = (v.astype(np.float32) for v in np.divmod(where, mask.shape[1]))
    best, chosen = np.full(len(where), reach, np.float32), np.zeros(len(where), np.uint8)
    for part in range(P):
        field = part_field(part, pose, scale, x, y)
        if field is not None:
            field = np.where(field > 1, 1 + (field - 1) * np.float32(STRETCH.get(part, 1)), field)
            nearer = field < best - TIE
            best = np.where(nearer, field, best)
            chosen[nearer] = part + 1
    labels.reshape(-1)[where] = chosen
    return labels
