"""Shapes of the ten body parts as distance fields of a pose: one geometry for part labels, regions and target masks.

Source: Deformable GAN (Siarohin et al. 2018): limbs of full width 0.4 of the body scale that reach to the
fingers and toes, a head ellipse, a torso quadrilateral grown outwards.
"""

import cv2
import numpy as np

from toolkit.skeletons import (
    HEAD_JOINTS,
    INDEX,
    L_HIP,
    L_SHOULDER,
    LIMB_PARTS,
    NECK,
    NOSE,
    R_HIP,
    R_SHOULDER,
    P,
)

SEGMENTS = (
    ('right_shoulder', 'right_hip', 1.0), ('left_shoulder', 'left_hip', 1.0), ('right_shoulder', 'left_shoulder', 0.75),
    ('neck', 'nose', 0.5), ('right_shoulder', 'right_elbow', 0.62), ('left_shoulder', 'left_elbow', 0.62),
    ('right_elbow', 'right_wrist', 0.52), ('left_elbow', 'left_wrist', 0.52), ('right_hip', 'right_knee', 0.85),
    ('left_hip', 'left_knee', 0.85), ('right_knee', 'right_ankle', 0.85), ('left_knee', 'left_ankle', 0.85))
"""Joint pairs and their typical length in body scales; the first two are the sides of the torso."""
SEGMENT_STARTS = [INDEX[a] for a, _, _ in SEGMENTS]
SEGMENT_ENDS = [INDEX[b] for _, b, _ in SEGMENTS]
SEGMENT_LENGTHS = [length for _, _, length in SEGMENTS]

MIN_SCALE_SHARE = 0.6
LIMB_RADIUS = 0.2
TORSO_GROWTH = 0.15
NECK_GROWTH = 0.25
HEAD_AXES = (0.4, 0.5)
TIP_EXTENSION = {2: 0.0, 3: 0.0, 4: 0.4, 5: 0.4, 6: 0.0, 7: 0.0, 8: 0.45, 9: 0.45}
"""Limb part -> share of its length that it reaches beyond its second joint (foot, hand)."""

INSIDE = 0.6
"""Value of the torso and head fields well inside: a limb nearer than this share of its radius is taken to lie in front of them."""


def clean_pose(pose: np.ndarray) -> np.ndarray:
    """A float32 copy of a pose (K, 3), with joints without confidence or with NaN or infinite coordinates set to zero."""
    pose = np.array(pose, np.float32)
    pose[~(np.isfinite(pose).all(-1) & (pose[:, 2] > 0))] = 0
    return pose


def body_scale(pose):
    """Size of the person in pixels, also where torso joints are missing.

    With all four torso joints it is the root mean square of the two hip-shoulder distances (:func:`toolkit.skeletons.torso_scale`),
    but never less than 0.6 of what all visible segments and their typical lengths suggest, so that bending towards the camera does not
    shrink it to nothing. With an incomplete torso it is what the visible segments suggest.

    Args:
        pose: (..., K, 3) array or tensor without NaN.

    Returns:
        (...) array or tensor of the same kind; 0 where no segment is visible.
    """
    start, end = pose[..., SEGMENT_STARTS, :], pose[..., SEGMENT_ENDS, :]
    typical = pose.new_tensor(SEGMENT_LENGTHS) if hasattr(pose, 'new_tensor') else np.array(SEGMENT_LENGTHS, pose.dtype)
    seen = (start[..., 2] > 0) & (end[..., 2] > 0)
    squared = ((start - end)[..., :2]**2).sum(-1)
    count = (seen * typical).sum(-1)
    estimate = (seen * squared**0.5).sum(-1) / (count + (count == 0))
    complete = seen[..., 0] & seen[..., 1]
    torso = complete * (squared[..., :2].sum(-1) / 2)**0.5
    least = estimate * (complete * MIN_SCALE_SHARE + ~complete * 1.0)
    shrunk = torso < least
    return torso * ~shrunk + least * shrunk


def segment_distance(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance, float32, of points x, y (shapes that broadcast) to the line segment from a (2,) to b (2,), which may be equal."""
    (ax, ay), (dx, dy) = map(float, a), map(float, b - a)
    length = dx * dx + dy * dy
    px, py = x - np.float32(ax), y - np.float32(ay)
    if length > 1e-12:
        along = np.clip(px * np.float32(dx / length) + py * np.float32(dy / length), 0, 1)
        px, py = px - along * np.float32(dx), py - along * np.float32(dy)
    return np.sqrt(px * px + py * py)


def hull_distance(x: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Signed distance to the convex hull of some points, negative inside.

    Args:
        x: x coordinates; any shape that broadcasts with ``y``.
        y: y coordinates.
        points: (N, 2), N >= 1; may be collinear.

    Returns:
        Signed distances in the broadcast shape, float32.
    """
    hull = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    following = np.roll(hull, -1, 0)
    area = np.sum(hull[:, 0] * following[:, 1] - hull[:, 1] * following[:, 0])
    outline = inside = None
    for a, b in zip(hull, following):
        distance = segment_distance(x, y, a, b)
        outline = distance if outline is None else np.minimum(outline, distance)
        nx, ny = np.sign(area) * (b - a)
        inner = np.float32(nx) * (y - np.float32(a[1])) >= np.float32(ny) * (x - np.float32(a[0]))
        inside = inner if inside is None else inside & inner
    return np.where(inside, -outline, outline) if abs(area) > 1e-6 else outline


def torso_points(pose: np.ndarray, scale: float) -> np.ndarray | None:
    """Corners of the torso: hips, shoulders and a point towards the chin; missing corners are filled in.

    Args:
        pose: (K, 3) clean pose.
        scale: body scale.

    Returns:
        (N, 2), or None where fewer than two of the four torso joints are present.
    """
    seen = {j: pose[j, :2] for j in (R_HIP, L_HIP, L_SHOULDER, R_SHOULDER) if pose[j, 2] > 0}
    if len(seen) < 2:
        return None
    if len(seen) == 3:
        opposite = {R_HIP: (R_SHOULDER, L_HIP, L_SHOULDER), L_HIP: (L_SHOULDER, R_HIP, R_SHOULDER),
                    R_SHOULDER: (R_HIP, L_SHOULDER, L_HIP), L_SHOULDER: (L_HIP, R_SHOULDER, R_HIP)}
        missing = next(j for j in opposite if j not in seen)
        p, q, r = (seen[j] for j in opposite[missing])
        seen[missing] = p + q - r
    elif len(seen) == 2 and set(seen) in ({R_SHOULDER, L_SHOULDER}, {R_HIP, L_HIP}):
        right, left = (seen[j] for j in sorted(seen))
        across = (left - right) / max(float(np.linalg.norm(left - right)), 1e-6)
        down = np.array([-across[1], across[0]], np.float32)
        shoulders = R_SHOULDER in seen
        facing = -(pose[NOSE, :2] - (right + left) / 2) @ down if pose[NOSE, 2] > 0 and shoulders else down[1]
        down = -down if facing < 0 else down
        offset, (r_new, l_new) = (scale * down, (R_HIP, L_HIP)) if shoulders else (-scale * down, (R_SHOULDER, L_SHOULDER))
        seen[r_new], seen[l_new] = right + offset, left + offset
    points = np.stack(list(seen.values()))
    if len(seen) == 4:
        neck = pose[NECK, :2] if pose[NECK, 2] > 0 else (seen[R_SHOULDER] + seen[L_SHOULDER]) / 2
        up = neck - (seen[R_HIP] + seen[L_HIP]) / 2
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        points = np.vstack([points, neck + (NECK_GROWTH - TORSO_GROWTH) * scale * up])
    return points.astype(np.float32)


def head_center(pose: np.ndarray, scale: float) -> np.ndarray | None:
    """Center (2,) of the head: mean of the visible head joints, else half a body scale above the neck.

    The pose (K, 3) is clean; None where neither a head joint nor the neck is present.
    """
    seen = [j for j in HEAD_JOINTS if pose[j, 2] > 0]
    if seen:
        return pose[seen, :2].mean(0)
    if pose[NECK, 2] <= 0:
        return None
    hips = [j for j in (R_HIP, L_HIP) if pose[j, 2] > 0]
    up = pose[NECK, :2] - pose[hips, :2].mean(0) if hips else np.array([0, -1], np.float32)
    return pose[NECK, :2] + 0.5 * scale * up / max(float(np.linalg.norm(up)), 1e-6)


def limb_segment(pose: np.ndarray, part: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Both ends (2,) of a limb part (2..9) of a clean pose (K, 3), with hand or foot; None where one of the two joints is missing."""
    a, b = LIMB_PARTS[part]
    if pose[a, 2] <= 0 or pose[b, 2] <= 0:
        return None
    start, end = pose[a, :2], pose[b, :2]
    return start, end + TIP_EXTENSION[part] * (end - start)


def part_field(
    part: int, pose: np.ndarray, scale: float, x: np.ndarray, y: np.ndarray, floor: float = INSIDE,
) -> np.ndarray | None:
    """How far points are from a part, in sizes of the part: 1 on its outline, smaller inside.

    Args:
        part: part index (0..9).
        pose: (K, 3) clean pose.
        scale: body scale in pixels, > 0.
        x: x coordinates; any shape that broadcasts with ``y``.
        y: y coordinates.
        floor: least value inside torso and head.

    Returns:
        Field values in the broadcast shape, or None where the pose does not show the part.
    """
    if part == 0:
        points = torso_points(pose, scale)
        if points is None:
            return None
        slope = (1 - INSIDE) / (TORSO_GROWTH * scale)
        return np.maximum(INSIDE + hull_distance(x, y, points) * np.float32(slope), np.float32(floor))
    if part == 1:
        center = head_center(pose, scale)
        if center is None:
            return None
        u, v = (x - center[0]) / np.float32(HEAD_AXES[0] * scale), (y - center[1]) / np.float32(HEAD_AXES[1] * scale)
        return np.maximum(np.sqrt(u * u + v * v), np.float32(floor))
    ends = limb_segment(pose, part)
    return None if ends is None else segment_distance(x, y, *ends) / np.float32(LIMB_RADIUS * scale)


def part_box(part: int, pose: np.ndarray, scale: float, height: int, width: int) -> tuple[slice, slice] | None:
    """Rows and columns of a frame that can lie inside a part, two slices, possibly empty; None where the pose does not show the part.

    Args:
        part: part index (0..9).
        pose: (K, 3) clean pose.
        scale: body scale in pixels, > 0.
        height, width: of the frame.
    """
    if part == 0:
        points, margin = torso_points(pose, scale), TORSO_GROWTH
    elif part == 1:
        points, margin = head_center(pose, scale), max(HEAD_AXES)
    else:
        points, margin = limb_segment(pose, part), LIMB_RADIUS
    return None if points is None else box_around(np.atleast_2d(points), margin * scale, height, width)


def box_around(points: np.ndarray, margin: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns, two slices, possibly empty, of a frame within ``margin`` pixels of some points (N, 2)."""
    x0, y0 = np.floor(points.min(0) - margin)
    x1, y1 = np.ceil(points.max(0) + margin) + 1
    rows = slice(int(np.clip(y0, 0, height)), int(np.clip(y1, 0, height)))
    return rows, slice(int(np.clip(x0, 0, width)), int(np.clip(x1, 0, width)))


def part_shapes(pose: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shapes of all parts of a pose, each on its own; they overlap at the joints.

    Args:
        pose: (K, 3).
        height: frame height.
        width: frame width.

    Returns:
        (P, H, W) bool; a part the pose does not show is empty.
    """
    pose = clean_pose(pose)
    shapes = np.zeros((P, height, width), bool)
    scale = float(body_scale(pose))
    if scale <= 0:
        return shapes
    for part in range(P):
        box = part_box(part, pose, scale, height, width)
        if box is not None:
            rows, columns = box
            x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
            y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
            shapes[part][box] = part_field(part, pose, scale, x, y) <= 1
    return shapes
