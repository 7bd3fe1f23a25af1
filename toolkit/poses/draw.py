"""Stick figures.

=================  ==========  ====================================  =============================================  ================
style              background  joints                                limbs                                          where they meet
=================  ==========  ====================================  =============================================  ================
openpose_black     black       discs in the joint's color, last     ellipse in the limb's color                   maximum of limbs
openpose           the frame   discs in the joint's color, first    ellipse in the limb's color                   0.4 old, 0.6 new
edn                white       discs in the joint's color, first    ellipse in the color of the limb's 1st joint  0.4 old, 0.6 new
pg                 black       discs of 2 px, last                   smooth white line of 1 px, all 19 limbs        overwritten
=================  ==========  ====================================  =============================================  ================

Sources: OpenPose's demos; Everybody Dance Now (Chan et al. 2019); Deformable GAN (Siarohin et al. 2018).
"""

import math

import cv2
import numpy as np

from toolkit.skeletons import DRAWN_LIMBS, JOINT_COLORS, LIMBS
from toolkit.structures import InputError

STYLES = ('openpose_black', 'openpose', 'edn', 'pg')
NEW_WEIGHT = 0.6
_COLORS = [tuple(map(int, c)) for c in JOINT_COLORS]
_SUBPIXEL_BITS = 4
_SLACK = 1e-6
THRESHOLD = 0.1
"""Joints below this confidence are missing; a limb needs both its joints."""


def default_radius(height: int) -> int:
    """Radius of joints and half width of limbs for pictures of this height: 4 px at 512, at least 1."""
    return max(1, round(4 * height / 512))


def draw_pose(
    pose: np.ndarray, height: int, width: int, style: str = 'openpose_black', radius: float | None = None) -> np.ndarray:
    """Draw one person's stick figure.

    Args:
        pose: (18, 3) x, y in pixels and confidence. Joints may lie outside the picture.
        height: height of the picture, H.
        width: width of the picture, W.
        style: see the table of this module; 'openpose' is drawn on black here, see :func:`draw_pose_on`.
        radius: radius of the joints and half width of the limbs in pixels; by default as the style has it for this height.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: unknown style.
    """
    if style not in STYLES:
        raise InputError(f'unknown drawing style {style!r}, expected one of {", ".join(STYLES)}')
    canvas = np.full((height, width, 3), 255 if style == 'edn' else 0, np.uint8)
    joints = _present(pose)
    if style == 'openpose_black':
        _draw_maximum(canvas, joints, default_radius(height) if radius is None else radius)
    elif style == 'pg':
        _draw_lines(canvas, joints, 2 if radius is None else radius)
    elif style == 'edn':
        limb = max(1, round(4 * height / 1080)) if radius is None else radius
        joint = max(1, round(8 * height / 1080)) if radius is None else radius
        _draw_blended(canvas, joints, joint, limb, first_joint_colors=True)
    else:
        radius = default_radius(height) if radius is None else radius
        _draw_blended(canvas, joints, radius, radius, first_joint_colors=False)
    return canvas


def draw_pose_on(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Draw a stick figure over a frame, in the style 'openpose'.

    Args:
        frame: (H, W, 3) uint8 RGB; it is not changed.
        pose: (18, 3) in pixels of the frame.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas, radius = np.array(frame), default_radius(len(frame))
    _draw_blended(canvas, _present(pose), radius, radius, first_joint_colors=False)
    return canvas


def ellipse_mask(
    ax: float, ay: float, bx: float, by: float, half_width: float, height: int, width: int) -> tuple[slice, slice, np.ndarray] | None:
    """Rasterise a limb: the ellipse with the joints at the ends of its long axis.

    A pixel is inside iff ``(u / a)^2 + (v / b)^2 <= 1`` with u along the limb and v across it from its middle, a half the joints'
    distance, b the half width.

    Args:
        ax: x of the first joint.
        ay: y of the first joint.
        bx: x of the second joint.
        by: y of the second joint.
        half_width: b, in pixels.
        height, width: of the picture.

    Returns:
        Rows, columns and the bool mask of the bounding box, or None if nothing of it lies in the picture.
    """
    half_x, half_y = (bx - ax) / 2, (by - ay) / 2
    a = math.hypot(half_x, half_y)
    if a == 0:
        return None
    cos, sin = half_x / a, half_y / a
    box = _box(ax + half_x, ay + half_y, math.hypot(half_x, half_width * sin), math.hypot(half_y, half_width * cos), height, width)
    if box is None:
        return None
    rows, columns, y, x = box
    u = x * (cos / a) + y * (sin / a)
    v = y * (cos / half_width) - x * (sin / half_width)
    return rows, columns, u * u + v * v <= 1


def disc_mask(x: float, y: float, radius: float, height: int, width: int) -> tuple[slice, slice, np.ndarray] | None:
    """Rasterise a joint: pixels at most ``radius`` from (x, y).

    Returns:
        Rows, columns and the bool mask of the bounding box, or None if nothing of it lies in the picture (H, W).
    """
    box = _box(x, y, radius, radius, height, width)
    if box is None:
        return None
    rows, columns, dy, dx = box
    return rows, columns, dx * dx + dy * dy <= radius * radius


def _present(pose: np.ndarray) -> list[tuple[float, float] | None]:
    return [(x, y) if c >= THRESHOLD and math.isfinite(x + y) else None for x, y, c in np.asarray(pose, np.float64).tolist()]


def _box(x: float, y: float, half_width: float, half_height: float, height: int, width: int):
    """Rows and columns within reach of (x, y), and their offsets from it as a column and a row of numbers."""
    half_width, half_height = half_width + _SLACK, half_height + _SLACK
    x0, x1 = max(math.ceil(x - half_width), 0), min(math.floor(x + half_width), width - 1)
    y0, y1 = max(math.ceil(y - half_height), 0), min(math.floor(y + half_height), height - 1)
    if x0 > x1 or y0 > y1:
        return None
    return slice(y0, y1 + 1), slice(x0, x1 + 1), (np.arange(y0, y1 + 1) - y)[:, None], np.arange(x0, x1 + 1) - x


def _limbs(joints: list, number: int):
    return ((i, a, joints[a], joints[b]) for i, (a, b) in enumerate(LIMBS[:number]) if joints[a] is not None and joints[b] is not None)


def _draw_maximum(canvas: np.ndarray, joints: list, radius: float) -> None:
    size = canvas.shape[:2]
    for i, _, a, b in _limbs(joints, DRAWN_LIMBS):
        shape = ellipse_mask(*a, *b, radius, *size)
        if shape is not None:
            rows, columns, inside = shape
            for channel, value in enumerate(_COLORS[i]):
                if value:
                    view = canvas[rows, columns, channel]
                    np.maximum(view, np.uint8(value), out=view, where=inside)
    _draw_joints(canvas, joints, radius)


def _draw_joints(canvas: np.ndarray, joints: list, radius: float) -> None:
    for color, joint in zip(JOINT_COLORS, joints):
        shape = None if joint is None else disc_mask(*joint, radius, *canvas.shape[:2])
        if shape is not None:
            rows, columns, inside = shape
            canvas[rows, columns][inside] = color


def _draw_blended(canvas: np.ndarray, joints: list, joint_radius: float, limb_radius: float, first_joint_colors: bool) -> None:
    _draw_joints(canvas, joints, joint_radius)
    for i, first, a, b in _limbs(joints, DRAWN_LIMBS):
        shape = ellipse_mask(*a, *b, limb_radius, *canvas.shape[:2])
        if shape is not None:
            rows, columns, inside = shape
            old = canvas[rows, columns][inside]
            new = JOINT_COLORS[first if first_joint_colors else i]
            canvas[rows, columns][inside] = np.rint((1 - NEW_WEIGHT) * old + NEW_WEIGHT * new).astype(np.uint8)


def _draw_lines(canvas: np.ndarray, joints: list, radius: float) -> None:
    def fixed(point: tuple[float, float]) -> tuple[int, int]:
        return tuple(round(min(max(c, -1e5), 1e5) * 2**_SUBPIXEL_BITS) for c in point)

    for _, _, a, b in _limbs(joints, len(LIMBS)):
        cv2.line(canvas, fixed(a), fixed(b), (255, 255, 255), 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    _draw_joints(canvas, joints, radius)
