"""How wide a person's arms and legs are, by all frames of their footage, and part labels that are no wider."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.masks.geometry import body_scale, clean_pose
from toolkit.skeletons import LIMB_PARTS

ALONG = np.linspace(-.5, 2, 26, dtype=np.float32)
"""Places along a bone, in its lengths, where widths are measured; feet and hands lie behind its end."""
ACROSS = np.linspace(0, .8, 41, dtype=np.float32)
"""Distances from the bone, in body scales."""
LEAST_FRAMES = 3
"""So many frames must show a limb against the scene before its width is believed."""
WIDEST = 85
"""Percentile of the widths that frames show."""
MARGIN = .03
"""What joints may be off, in body scales."""
FORESHORTENED, UNSHORTENED = .5, 80
"""A bone that is shorter than this share of its usual length, a percentile of its lengths, says nothing about widths along it."""
NEAR, SMOOTH = 7, 5
"""Sides of windows in pixels: where colors of a part are looked up, and for the majority of neighbors."""
FOREIGN = 1.25
"""What is too wide stays with a limb whose color is so many times nearer than that of the other part."""
UNKNOWN = 9.
"""Stands for a width that is not known."""


class LimbWidths:
    """Widths of the limbs of one person. Labels of parts give an arm that hangs beside the body some of the cloth next to it; where the
    same arm is seen against the scene, its rim is certain.

    From the bone outwards, each frame shows on each side of each place along a limb where its label ends: at the scene, which counts,
    or at another part, which does not. The width is that of most frames. A side that is never seen against the scene is as wide as the
    other one; one that neither is stays as it is.

    Args:
        parts: N label maps (H, W) uint8; sizes may differ.
        poses: (N, 18, 3), each in pixels of its map.
    """

    def __init__(self, parts: Sequence[np.ndarray], poses: Sequence[np.ndarray]) -> None:
        poses = np.stack([clean_pose(pose) for pose in poses])
        scales = np.asarray(body_scale(poses), np.float32)
        self.lengths = {part: self._usual_length(poses, scales, *joints) for part, joints in LIMB_PARTS.items()}
        self.widths = {part: self._measured(part, parts, poses, scales) for part in LIMB_PARTS}

    @staticmethod
    def _usual_length(poses: np.ndarray, scales: np.ndarray, start: int, end: int) -> float:
        """In body scales; 0 for a limb that no frame shows."""
        both = (poses[:, start, 2] > 0) & (poses[:, end, 2] > 0) & (scales > 0)
        lengths = np.linalg.norm(poses[both, end, :2] - poses[both, start, :2], axis=1) / scales[both]
        return float(np.percentile(lengths, UNSHORTENED)) if both.any() else 0.

    def _bone(self, part: int, pose: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Start and vector of a limb's bone, None where it is missing or too short."""
        start, end = LIMB_PARTS[part]
        way = pose[end, :2] - pose[start, :2]
        if pose[start, 2] <= 0 or pose[end, 2] <= 0 or np.linalg.norm(way) <= max(FORESHORTENED * self.lengths[part] * scale, 1e-3):
            return None
        return pose[start, :2], way

    def _measured(self, part: int, parts: Sequence[np.ndarray], poses: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """(2, A) widths in body scales on both sides of the places :data:`ALONG`, infinite where nothing is known."""
        found = np.full((len(poses), 2, len(ALONG)), np.nan, np.float32)
        for labels, pose, scale, row in zip(parts, poses, scales, found):
            bone = self._bone(part, pose, scale)
            if bone is None or scale <= 0:
                continue
            origin, way = bone
            normal = np.array([-way[1], way[0]]) / np.linalg.norm(way)
            for side in (0, 1):
                at = origin + ALONG[:, None, None] * way + (ACROSS * scale)[None, :, None] * normal * (1 - 2 * side)
                height, width = labels.shape
                x, y = (np.rint(at[..., i]).astype(int) for i in (0, 1))
                inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                label = np.where(inside, labels[y.clip(0, height - 1), x.clip(0, width - 1)], 255)
                other = label != part + 1
                first = other.argmax(1)
                ends = (first > 0) & (label[np.arange(len(ALONG)), first] == 0)
                row[side, ends] = ACROSS[first[ends]]
        known = np.isfinite(found).sum(0) >= LEAST_FRAMES
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', RuntimeWarning)
            widths = np.nanpercentile(found, WIDEST, axis=0)
        widths = np.where(known, widths, np.inf)
        widths, bone = np.where(np.isfinite(widths), widths, widths[::-1]).astype(np.float32), (ALONG >= 0) & (ALONG <= 1)
        for side in widths:
            known = np.isfinite(side)
            side[bone] = np.interp(ALONG[bone], ALONG[known], side[known]) if known.any() else np.inf
        return widths

    def cut(self, frame: np.ndarray, parts: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Labels of a frame, what is wider than a limb given to the part that is nearest, if it has its color.

        Args:
            frame: (H, W, 3) uint8 RGB.
            parts: (H, W) uint8.
            pose: (18, 3) in pixels.

        Returns:
            (H, W) uint8.
        """
        pose = clean_pose(pose)
        scale, out = float(body_scale(pose)), parts
        for part in LIMB_PARTS if scale > 0 else ():
            bone, mine = self._bone(part, pose, scale), parts == part + 1
            if bone is None or not mine.any():
                continue
            (origin, way), (y, x) = bone, np.nonzero(mine)
            x, y, length = x - origin[0], y - origin[1], np.linalg.norm(way)
            along, across = (x * way[0] + y * way[1]) / length**2, (y * way[0] - x * way[1]) / length
            sides = [np.interp(along, ALONG, side) for side in np.where(np.isfinite(self.widths[part]), self.widths[part], UNKNOWN)]
            wide = np.zeros(parts.shape, bool)
            wide[mine] = np.abs(across) / scale > np.where(across >= 0, *sides) + MARGIN
            out = _given_away(frame, out, mine, wide) if wide.any() else out
        return out


def _given_away(frame: np.ndarray, parts: np.ndarray, mine: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Labels in which those of the pixels ``wide`` of a limb ``mine`` that do not look like it belong to the nearest other part."""
    kept, others = mine & ~wide, (parts > 0) & ~mine
    if not kept.any() or not others.any():
        return parts
    y, x = np.nonzero(wide)
    own, other = ((_around(frame, where), _nearest(where, y, x)) for where in (kept, others))
    differences = [np.abs(frame[y, x] - colors[place]).sum(-1) for colors, place in (own, other)]
    votes = np.zeros(parts.shape, np.float32)
    votes[y, x] = np.where(differences[1] < FOREIGN * differences[0], 1, -1)
    away = cv2.blur(votes, (SMOOTH, SMOOTH))[y, x] > 0
    out = parts.copy()
    out[y[away], x[away]] = parts[other[1]][away]
    return out


def _around(frame: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean colors of the pixels of ``where`` near each pixel, (H, W, 3) float32."""
    weights = np.float32(where)
    total = cv2.blur(frame * weights[..., None], (NEAR, NEAR))
    return total / np.maximum(cv2.blur(weights, (NEAR, NEAR)), 1e-6)[..., None]


def _nearest(where: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the pixels of ``where`` that are nearest to places."""
    _, numbers = cv2.distanceTransformWithLabels((~where).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(where)
    order = np.empty(numbers.max() + 1, np.int64)
    order[numbers[rows, columns]] = np.arange(len(rows))
    chosen = order[numbers[y, x]]
    return rows[chosen], columns[chosen]
