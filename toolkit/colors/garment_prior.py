"""Where clothes, skin, hair, shoes and background are likely to be, by pose and part labels alone."""

from functools import cached_property

import cv2
import numpy as np

from toolkit.colors.garment_colors import BACKGROUND, DOWN, HAIR, SHOE, SKIN, UP, color_cells
from toolkit.masks.geometry import body_scale, clean_pose, head_center
from toolkit.skeletons import (
    L_ANKLE,
    L_ELBOW,
    L_EYE,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    PARTS,
    R_ANKLE,
    R_ELBOW,
    R_EYE,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)

GRID_POINTS = 8000
"""Classes are found on a grid of about so many points in the person's box."""
MARGIN = 8
BORDER = 5
"""Width of the person's border in which pixels may be mixed with background, half of it on either side; 3 for small people."""
SMALL = 60.
"""People of a smaller body scale, in pixels, are small."""
MASK_BORDER = .1
"""Mask values below it are no part of the person."""
VOTE_SIZE = .1
"""Size of a neighborhood in body scales."""
HAND_RADIUS, HAND_REACH = .17, .35
FOOT_RADIUS, FOOT_REACH = .2, .35
FACE_RADIUS = .9
"""Of the face around the nose, in distances between the eyes."""
HEAD_RADIUS = .45
COLLAR, WAIST, WAIST_WIDTH = -.25, 1.02, .09
"""Where the upper and the lower garment begin, along the trunk: 0 = shoulders, 1 = hips."""

_PRIORS = {
    'torso': (.12, .02, 0, .03, .83, 0), 'head': (.5, .5, 0, .03, 0, 0), 'upper_leg': (.25, 0, 0, .03, 0, .72),
    'lower_leg': (.3, 0, .05, .03, 0, .62), 'upper_arm': (.3, .01, 0, .03, .66, 0), 'lower_arm': (.4, 0, 0, .03, .57, 0)}
_NAMES = ('background', *(name.removeprefix('right_').removeprefix('left_') for name in PARTS))
_TABLE = np.array([_PRIORS.get(name, (0, 0, 0, 1, 0, 0)) for name in _NAMES], np.float32).T.copy()
_TORSO, _HEAD = 1, 2
_LEGS = np.array(['leg' in name for name in _NAMES], np.float32)
_ARMS = np.array(['arm' in name for name in _NAMES], np.float32)
_NEAR_HEAD = np.array([name in ('torso', 'upper_arm') for name in _NAMES], np.float32)


class PersonView:
    """One person in one frame, on a coarse grid in the person's box.

    Args:
        frame: (H, W, 3) uint8 RGB.
        parts: (H, W) uint8 labels.
        mask: (H, W) float in [0, 1] or uint8 in 0..255.
        pose: (18, 3).

    Attributes:
        full_labels, full_mask: (h', w') in the box, labels grown into the soft border of the mask.
        visible: False where there is no pose or label; nothing else is set then.
        scale: body scale in pixels.
        box: rows and columns of the person in the frame, with a margin; step: of the grid.
        border: width of the border of mixed pixels.
        labels: (h, w) uint8 part labels on the grid.
        mask: (h, w) float32. cells: (h, w) int64 color cells. pixels: (h, w, 3) uint8.
        window: side of a neighborhood, in grid points.
    """

    def __init__(self, frame: np.ndarray, parts: np.ndarray, mask: np.ndarray, pose: np.ndarray):
        self.pose = clean_pose(pose)
        self.scale = float(body_scale(self.pose))
        x, y, width, height = cv2.boundingRect((parts > 0).view(np.uint8))
        self.visible = self.scale > 0 and width > 0
        if not self.visible:
            return
        rows = slice(max(y - MARGIN, 0), min(y + height + MARGIN, parts.shape[0]))
        columns = slice(max(x - MARGIN, 0), min(x + width + MARGIN, parts.shape[1]))
        self.box, self.size = (rows, columns), (rows.stop - rows.start, columns.stop - columns.start)
        self.step = step = max(1, round((self.size[0] * self.size[1] / GRID_POINTS)**.5))
        self.full_mask = mask[self.box] / np.float32(255 if mask.dtype == np.uint8 else 1)
        self.border = BORDER if self.scale >= SMALL else 3
        grown = cv2.dilate(parts[self.box], np.ones((self.border, self.border), np.uint8))
        self.full_labels = np.where(parts[self.box] > 0, parts[self.box], grown) * (self.full_mask > MASK_BORDER)
        self.labels, self.mask, self.pixels = (self.on_grid(array) for array in (self.full_labels, self.full_mask, frame[self.box]))
        self.cells = color_cells(self.pixels)
        self.x = np.arange(columns.start + step // 2, columns.stop, step, dtype=np.float32)[None]
        self.y = np.arange(rows.start + step // 2, rows.stop, step, dtype=np.float32)[:, None]
        self.window = max(3, round(VOTE_SIZE * self.scale / step / 2) * 2 + 1)

    def on_grid(self, full: np.ndarray) -> np.ndarray:
        """The grid's points of an array (h', w', ...) over the box."""
        start = self.step // 2
        return np.ascontiguousarray(full[start::self.step, start::self.step])

    def grid_index(self, where: np.ndarray) -> np.ndarray:
        """Nearest grid point, as a flat index, of pixels that are flat indices of the box."""
        height, width = self.labels.shape
        rows, columns = np.divmod(where, self.size[1])
        return np.minimum(rows // self.step, height - 1) * width + np.minimum(columns // self.step, width - 1)

    def enlarge(self, maps: np.ndarray) -> np.ndarray:
        """Bilinearly from the grid to all pixels of the box, (h, w) -> (h', w')."""
        height, width = self.labels.shape
        large = cv2.resize(maps, (width * self.step, height * self.step), interpolation=cv2.INTER_LINEAR)
        missing = [max(n - m, 0) for n, m in zip(self.size, large.shape)]
        if any(missing):
            large = cv2.copyMakeBorder(large, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
        return large[:self.size[0], :self.size[1]]

    @cached_property
    def along_trunk(self) -> np.ndarray:
        """(h, w) float32: 0 at the shoulders, 1 at the hips; 0.5 everywhere without shoulders and neck."""
        top, bottom = self._middle(R_SHOULDER, L_SHOULDER), self._middle(R_HIP, L_HIP)
        top = top if top is not None else self._middle(NECK)
        if top is None:
            return np.full(self.labels.shape, .5, np.float32)
        down = bottom - top if bottom is not None else np.array([0, self.scale], np.float32)
        axis = down / max(float(down @ down), (.35 * self.scale)**2)
        return (self.x - top[0]) * axis[0] + (self.y - top[1]) * axis[1]

    @cached_property
    def from_head(self) -> np.ndarray | None:
        """(h, w) float32 distance to the center of the head in body scales, None where the head is not known."""
        center = head_center(self.pose, self.scale)
        return None if center is None else np.hypot(self.x - center[0], self.y - center[1]) / np.float32(self.scale)

    @cached_property
    def hands(self) -> np.ndarray:
        """(h, w) float32, 1 on hands."""
        return self._tips(((R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST)), HAND_REACH, HAND_RADIUS)

    @cached_property
    def feet(self) -> np.ndarray:
        """(h, w) float32, 1 on feet."""
        return self._tips(((R_KNEE, R_ANKLE), (L_KNEE, L_ANKLE)), FOOT_REACH, FOOT_RADIUS)

    @cached_property
    def face(self) -> np.ndarray:
        """(h, w) bool, a disc around the nose; nothing where no nose is seen."""
        radius = .16 * self.scale
        if self.pose[R_EYE, 2] > 0 and self.pose[L_EYE, 2] > 0:
            apart = float(np.linalg.norm(self.pose[R_EYE, :2] - self.pose[L_EYE, :2]))
            radius = min(max(FACE_RADIUS * apart, .08 * self.scale), .25 * self.scale)
        distance = np.hypot(self.x - self.pose[NOSE, 0], self.y - self.pose[NOSE, 1])
        return (distance < radius) & (self.labels == _HEAD) & (self.pose[NOSE, 2] > 0)

    def _middle(self, *joints: int) -> np.ndarray | None:
        seen = [self.pose[j, :2] for j in joints if self.pose[j, 2] > 0]
        return np.mean(seen, 0) if seen else None

    def _tips(self, pairs: tuple, reach: float, radius: float) -> np.ndarray:
        """Soft discs beyond the last joints of limbs: 1 inside, 0 from 1.4 radii on."""
        discs = np.zeros(self.labels.shape, np.float32)
        for before, joint in pairs:
            if self.pose[joint, 2] > 0:
                step = self.pose[joint, :2] - self.pose[before, :2] if self.pose[before, 2] > 0 else 0
                center = self.pose[joint, :2] + reach * step
                distance = np.hypot(self.x - center[0], self.y - center[1])
                np.maximum(discs, (np.float32(1.4) - distance / np.float32(radius * self.scale)) / np.float32(.4), out=discs)
        return np.minimum(discs, 1, out=discs)

    def seeds(self) -> dict[int, np.ndarray]:
        """Pixels that mostly belong to a class: class -> (N, 3) uint8."""
        labels, v = self.labels, self.along_trunk
        free = (self.hands == 0) & (self.feet == 0)
        where = {
            UP: (labels == _TORSO) & (v > .12) & (v < .75) & free,
            DOWN: ((_LEGS.take(labels) > 0) & (labels < 5) & (v > 1.1) & free) | ((labels == _TORSO) & (v > 1.35) & free),
            SHOE: (self.feet > 0) & (labels > 0), BACKGROUND: self.mask < MASK_BORDER}
        if self.from_head is not None:
            where[HAIR] = (labels == _HEAD) & ~self.face & (v < -.2) & (self.from_head < .55)
        return {kind: self.pixels[chosen] for kind, chosen in where.items()}

    def prior(self) -> np.ndarray:
        """How likely each class is by place alone.

        Returns:
            (6, h, w) float32, not normalized.
        """
        labels, v = self.labels, self.along_trunk
        prior = _TABLE.take(labels, 1)
        upper, lower = prior[UP], prior[DOWN]
        moved = (1 - .5 * _ARMS.take(labels)) * upper / (1 + np.exp((WAIST - v) * np.float32(1 / WAIST_WIDTH)))
        hanging = .3 * np.exp(np.maximum(v - 1, 0) * np.float32(-1 / .15)) * _LEGS.take(labels) * lower
        upper += hanging - moved
        lower += moved - hanging
        if self.from_head is not None:
            near = np.exp(np.maximum(self.from_head - np.float32(HEAD_RADIUS), 0) * np.float32(-1 / .2)) * _NEAR_HEAD.take(labels)
            prior[HAIR] += .5 * near
            prior[SKIN] += .3 * near
            upper += .35 * np.clip((v - COLLAR) * 10, 0, 1) * ((labels == _HEAD) & (self.from_head > .42))
        for kind, discs in ((SKIN, self.hands), (SHOE, self.feet)):
            if discs.any():
                share = np.float32(.7) * discs * (labels > 0)
                prior *= 1 - share
                prior[kind] += share
        prior *= self.mask
        prior[BACKGROUND] += 1 - self.mask
        return prior
