"""What a person's arms and legs look like, by all frames of their footage, and part labels that hold nothing else."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.masks.geometry import body_scale, clean_pose
from toolkit.skeletons import LIMB_PARTS, MIRROR_PART

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
RIM, STEP = 3, 2
"""Colors are taken at each second of the distances, and not at the last three, where the scene shines in."""
STRANGE = 90
"""Difference from all colors of a limb, summed over RGB in levels of 0..255, from which on a pixel may be something else."""
NEAR, SMOOTH = 7, 5
"""Sides of windows in pixels: where colors of a part are looked up, and for the majority of neighbors."""
WIDE_LIKE, STRANGE_LIKE = 1.25, .5
"""What is too wide, or strange, is given away where the color of the other part is nearer than so many times those of the limb."""
CHAINS = ((2, 4), (3, 5), (6, 8), (7, 9))
"""The parts of each leg and arm."""
LEVELS = 16
"""Colors are compared in steps of so many levels."""
AROUND = 40
"""What is further away in pixels is no neighbor."""
INNER = {part: (.2, .8 if part in (2, 3, 6, 7) else 2.) for part in LIMB_PARTS}
"""Where along each bone colors are known: at bent joints other things are taken for the limb. Feet and hands have their own."""
OUTSIDE = 255
"""Stands for the label of what lies beside the picture."""
UNKNOWN = 9.
"""Stands for a width that is not known."""


class Limbs:
    """Widths and colors of the limbs of one person. Labels of parts give an arm that hangs beside the body some of the cloth next to
    it, and one that is behind the body all of it; where the same arm is seen against the scene, it is certain.

    From the bone outwards, each frame shows on each side of each place along a limb where its label ends: at the scene, which counts,
    or at another part, which does not. The width is that of most frames; the colors are those inside of it. A side that is never seen
    against the scene is as wide as the other one; one that neither is stays as it is. Left and right have the same colors.

    Args:
        frames: N pictures (H, W, 3) uint8 RGB; sizes may differ.
        parts: N label maps (H, W) uint8.
        poses: (N, 18, 3), each in pixels of its map.
    """

    def __init__(self, frames: Sequence[np.ndarray], parts: Sequence[np.ndarray], poses: Sequence[np.ndarray]) -> None:
        poses = np.stack([clean_pose(pose) for pose in poses])
        scales = np.asarray(body_scale(poses), np.float32)
        self.lengths = {part: self._usual_length(poses, scales, *joints) for part, joints in LIMB_PARTS.items()}
        self._colors: dict[int, list] = {part: [[] for _ in ALONG] for part in LIMB_PARTS}
        smooth = [cv2.blur(frame, (3, 3)) for frame in frames]
        self.widths = {part: self._measured(part, smooth, parts, poses, scales) for part in LIMB_PARTS}
        self._far = {part: self._distances(part) for part in LIMB_PARTS}
        del self._colors

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
        there = scale > 0 and pose[start, 2] > 0 and pose[end, 2] > 0
        if not there or np.linalg.norm(way) <= max(FORESHORTENED * self.lengths[part] * scale, 1e-3):
            return None
        return pose[start, :2], way

    def _distances(self, part: int) -> list[np.ndarray | None]:
        """For each place along a limb how far each color is from those that were seen there or next to it, in steps of :data:`LEVELS`:
        (16, 16, 16), None where nothing was seen."""
        seen = [a + b for a, b in zip(self._colors[part], self._colors[MIRROR_PART[part]])]
        near = [np.array(sum(seen[max(i - 1, 0):i + 2], []), np.int16).reshape(-1, 3) // LEVELS for i in range(len(ALONG))]
        grid = np.stack(np.meshgrid(*3 * [np.arange(256 // LEVELS, dtype=np.int16)], indexing='ij'), -1)
        return [LEVELS * np.min([np.abs(grid - color).sum(-1) for color in np.unique(colors, axis=0)], 0) if len(colors) else None
                for colors in near]

    def _measured(self, part: int, frames: Sequence[np.ndarray], parts: Sequence[np.ndarray], poses: np.ndarray,
                  scales: np.ndarray) -> np.ndarray:
        """(2, A) widths in body scales on both sides of the places :data:`ALONG`, infinite where nothing is known. Notes colors."""
        ends, found = np.zeros((len(poses), 2, len(ALONG)), np.int64), {}
        for number, (labels, pose, scale) in enumerate(zip(parts, poses, scales)):
            bone = self._bone(part, pose, scale)
            if bone is None:
                continue
            origin, way = bone
            sideways = np.array([-way[1], way[0]]) / np.linalg.norm(way) * scale
            sideways = np.stack([sideways, -sideways])[:, None, None] * ACROSS[:, None]
            found[number] = x, y = np.moveaxis(np.rint(origin + ALONG[:, None, None] * way + sideways).astype(int), -1, 0)
            height, width = labels.shape
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            label = np.where(inside, labels[y.clip(0, height - 1), x.clip(0, width - 1)], OUTSIDE)
            first = (label != part + 1).argmax(2)
            ends[number] = first * (np.take_along_axis(label, first[..., None], 2)[..., 0] == 0)
        both = (ends > 0).all(1, keepdims=True)
        certain = both.sum(0) >= LEAST_FRAMES
        ends = np.where(certain & ~both, 0, ends)   # where frames show both sides, one side alone may be the rim of something before it
        for number, side, place in zip(*np.nonzero(ends)):
            x, y = (at[side, place] for at in found[number])
            self._colors[part][place] += [frames[number][y[i], x[i]] for i in range(0, max(ends[number, side, place] - RIM, 1), STEP)]
        widths = np.where(ends > 0, ACROSS[ends], np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', RuntimeWarning)
            widths = np.where((ends > 0).sum(0) >= LEAST_FRAMES, np.nanpercentile(widths, WIDEST, axis=0), np.inf)
        widths, bone = np.where(np.isfinite(widths), widths, widths[::-1]).astype(np.float32), (ALONG >= 0) & (ALONG <= 1)
        for side in widths:
            known = np.isfinite(side)
            side[bone] = np.interp(ALONG[bone], ALONG[known], side[known]) if known.any() else np.inf
        return widths

    def cut(self, frame: np.ndarray, parts: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Labels of a frame. What is wider than a limb, or has colors that it never had, is given to the nearest part that looks so.

        Args:
            frame: (H, W, 3) uint8 RGB.
            parts: (H, W) uint8.
            pose: (18, 3) in pixels.

        Returns:
            (H, W) uint8.
        """
        pose = clean_pose(pose)
        scale, out = float(body_scale(pose)), parts.copy()
        for chain in CHAINS if scale > 0 else ():
            doubtful = [self._doubtful(part, frame, parts, pose, scale) for part in chain]
            y, x, most = (np.concatenate(values) for values in zip(*doubtful))
            if len(y):
                _give_away(frame, parts, out, np.array(chain) + 1, y, x, most)
        return out

    def _doubtful(self, part: int, frame: np.ndarray, parts: np.ndarray, pose: np.ndarray, scale: float) -> tuple[np.ndarray, ...]:
        """Where a limb is too wide or strange, y and x (N,), and how far another part's colors may be to get it (N,)."""
        bone, (y, x) = self._bone(part, pose, scale), np.nonzero(parts == part + 1)
        if bone is None:
            return y[:0], x[:0], np.empty(0, np.float32)
        origin, way = bone
        dx, dy, length = x - origin[0], y - origin[1], np.linalg.norm(way)
        along, across = (dx * way[0] + dy * way[1]) / length**2, (dy * way[0] - dx * way[1]) / length
        sides = [np.interp(along, ALONG, side) for side in np.where(np.isfinite(self.widths[part]), self.widths[part], UNKNOWN)]
        wide = np.abs(across) / scale > np.where(across >= 0, *sides) + MARGIN
        places = np.rint((along.clip(*INNER[part]) - ALONG[0]) / (ALONG[1] - ALONG[0])).astype(int)
        own, colors = np.zeros(len(y), np.float32), frame[y, x] // LEVELS
        for place in np.unique(places):
            if (far := self._far[part][place]) is not None:
                here = places == place
                own[here] = far[tuple(colors[here].T)]
        found = wide | (own > STRANGE)
        return y[found], x[found], (np.where(wide, WIDE_LIKE, STRANGE_LIKE) * own)[found]


def _give_away(frame: np.ndarray, parts: np.ndarray, out: np.ndarray, chain: np.ndarray, y: np.ndarray, x: np.ndarray,
               most: np.ndarray) -> None:
    """Give those of the doubtful pixels of an arm or a leg that look like the nearest other part to it.

    Args:
        frame: (H, W, 3).
        parts: (H, W) labels.
        out: the same, changed in place.
        chain: labels of the arm or leg.
        y, x: (N,) where.
        most: (N,) how far their colors may be from those of the other part.
    """
    top, left, reach = max(y.min() - AROUND, 0), max(x.min() - AROUND, 0), AROUND + 1
    window = slice(top, y.max() + reach), slice(left, x.max() + reach)
    frame, parts, out, y, x = frame[window], parts[window], out[window], y - top, x - left
    others = (parts > 0) & ~np.isin(parts, chain)
    if not others.any():
        return
    place = _nearest(others, y, x)
    other = np.abs(frame[y, x] - _around(frame, others)[place]).sum(-1)
    votes = np.zeros(parts.shape, np.float32)
    votes[y, x] = np.where(other < most, 1, -1)
    away = cv2.blur(votes, (SMOOTH, SMOOTH))[y, x] > 0
    out[y[away], x[away]] = parts[place][away]


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
