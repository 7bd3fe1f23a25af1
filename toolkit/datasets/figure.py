"""A person's torso put together from all frames of their footage: what no single frame shows whole."""

import cv2
import numpy as np
import torch

from toolkit.masks.geometry import body_scale, clean_pose, part_shapes
from toolkit.skeletons import (
    HEAD_JOINTS,
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    PARTS,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    K,
)
from toolkit.warpers.part_affine import PartAffineWarper

FRAMES = 24
"""So many frames of the footage are looked at."""
LIMBS = (
    (NECK, R_SHOULDER, -80), (R_SHOULDER, R_ELBOW, -40), (R_ELBOW, R_WRIST, -40),
    (NECK, L_SHOULDER, 80), (L_SHOULDER, L_ELBOW, 40), (L_ELBOW, L_WRIST, 40),
    (NECK, R_HIP, -13), (R_HIP, R_KNEE, -10), (R_KNEE, R_ANKLE, -10), (NECK, L_HIP, 13), (L_HIP, L_KNEE, 10), (L_KNEE, L_ANKLE, 10))
"""Bones and where they point to in the spread pose, in degrees from straight down, those of the left side to the right."""
UNSHORTENED = 80
"""Percentile of a bone's lengths that is taken for its own: most are foreshortened."""
MARGIN = .35
"""Around the joints, in body scales."""
EDGE = .03
"""Rim of the torso that is left out, in body scales: it is to fill holes, not to make anybody larger."""
BESIDE, ALIKE = .25, 40
"""What is nearer to the torso than this, in body scales, and has its color there, in levels of 0..255, belongs to it, too."""
SEEN, SELDOM = .5, 8
"""Coverage from which on a frame shows a pixel; one that less than an eighth of the frames show is taken for an error of labels."""
UNKNOWN = 256
TORSO = 0
ARMS = [number + 1 for number, name in enumerate(PARTS) if 'arm' in name]


def whole_figure(frames: np.ndarray, parts: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The torso of a person with arms and legs spread: each pixel's median over the frames that show it, carried there.

    What an arm hides in one frame another one shows, and where labels of parts are wrong in some frames most are right. What no frame
    shows is painted over from around. Cloth beside it that labels gave to an arm belongs to it, too. It is the torso alone: other parts
    are seldom hidden.

    Args:
        frames: (N, H, W, 3) uint8 RGB.
        parts: (N, H, W) uint8 labels.
        poses: (N, 18, 3) in pixels of these frames.

    Returns:
        Frame (H, W, 3) uint8, black around the torso, labels (H, W) uint8 and pose (18, 3).
    """
    height, width = frames.shape[1:3]
    pose = spread_pose(poses, height, width)
    torsos = parts == TORSO + 1
    figure, body = _median(frames, torsos, poses, pose)
    wider, there = _median(frames, np.stack([_grown(*one) for one in zip(torsos, parts, poses)]), poses, pose)
    if body.any():
        around = _filled(figure, body)
        alike = there & ~body & (np.abs(wider.astype(np.int16) - around).max(-1) < ALIKE)
        alike &= cv2.morphologyEx((alike | body).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
        figure, body = np.where(alike[..., None], wider, figure), body | alike
        hidden = part_shapes(pose, height, width)[TORSO] & ~body & _hull(body)
        figure, body = np.where(hidden[..., None], around, figure), body | hidden
    edge = np.ones((3, 3), np.uint8)
    labels = cv2.erode(body.astype(np.uint8), edge, iterations=max(1, round(EDGE * float(body_scale(pose)))))
    return figure, labels * np.uint8(TORSO + 1), pose


def _median(frames: np.ndarray, where: np.ndarray, poses: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What frames show of the torso under another pose, (H, W, 3) uint8, and where enough of them do, (H, W) bool.

    Args:
        frames, poses: see :func:`whole_figure`.
        where: (N, H, W) bool, what counts as torso in each frame.
        pose: (18, 3), the other one.
    """
    target, warper = torch.from_numpy(pose)[None], PartAffineWarper(merge='over', joint_overlap=0)
    layers = np.full(frames.shape, UNKNOWN, np.int16)
    for layer, frame, torso, source in zip(layers, frames, where, poses):
        maps, labels = torch.from_numpy(frame).movedim(-1, 0)[None].float() / 255, torch.from_numpy(torso * np.uint8(TORSO + 1))[None]
        warp = warper(maps, torch.from_numpy(np.float32(source))[None], target, labels)
        seen = warp.coverage[0, 0].numpy() > SEEN
        colors = (warp.maps / warp.coverage.clamp(min=SEEN))[0].movedim(0, -1).numpy()
        layer[seen] = np.rint(255 * colors[seen].clip(0, 1))
    layers.sort(axis=0)
    known = (layers[..., 0] < UNKNOWN).sum(0)
    middle = np.broadcast_to(np.maximum(known - 1, 0)[None, ..., None] // 2, (1, *frames.shape[1:]))
    body = known >= max(len(frames) // SELDOM, 1)
    return np.where(body[..., None], np.take_along_axis(layers, middle, 0)[0], 0).astype(np.uint8), body


def _grown(torso: np.ndarray, parts: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """The torso and what is next to it of arms: those that hang beside it are often given some of its cloth."""
    radius = max(1, round(BESIDE * float(body_scale(clean_pose(pose)))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return torso | (cv2.dilate(torso.astype(np.uint8), disc) > 0) & np.isin(parts, ARMS)


def _hull(body: np.ndarray) -> np.ndarray:
    """(H, W) bool: each row from the first to the last pixel of the body."""
    return np.logical_or.accumulate(body, 1) & np.logical_or.accumulate(body[:, ::-1], 1)[:, ::-1]


def _filled(figure: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The figure with everything around and inside of it painted from its nearest pixels."""
    _, labels = cv2.distanceTransformWithLabels((~body).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colors = np.zeros((labels.max() + 1, 3), np.uint8)
    colors[labels[body]] = figure[body]
    return cv2.GaussianBlur(colors[labels], (0, 0), 3)


def spread_pose(poses: np.ndarray, height: int, width: int) -> np.ndarray:
    """A pose of a person of these poses, seen from where they mostly are, with arms and legs spread, in the middle of a picture.

    Args:
        poses: (N, 18, 3) in pixels.
        height, width: of the picture; the pose is made smaller where it does not fit.

    Returns:
        (18, 3) float32. Joints that no pose has are missing.
    """
    poses = np.stack([clean_pose(pose) for pose in poses])
    seen, pose = poses[..., 2] > 0, np.zeros((K, 3), np.float32)
    sides = seen[:, R_SHOULDER] & seen[:, L_SHOULDER]
    facing = np.median(np.sign(poses[sides, L_SHOULDER, 0] - poses[sides, R_SHOULDER, 0])) if sides.any() else 1
    pose[NECK] = 0, 0, 1
    for start, end, angle in LIMBS:
        both = seen[:, start] & seen[:, end]
        if both.any() and pose[start, 2] > 0:
            length = np.percentile(np.linalg.norm(poses[both, end, :2] - poses[both, start, :2], axis=1), UNSHORTENED)
            way = np.sin(np.radians(angle)) * (facing or 1), np.cos(np.radians(angle))
            pose[end] = *(pose[start, :2] + length * np.array(way)), 1
    for joint in HEAD_JOINTS:
        both = seen[:, NECK] & seen[:, joint]
        if both.any():
            pose[joint] = *np.median(poses[both, joint, :2] - poses[both, NECK, :2], 0), 1
    there = pose[:, 2] > 0
    margin = MARGIN * float(body_scale(pose))
    low, high = pose[there, :2].min(0) - margin, pose[there, :2].max(0) + margin
    size = np.array([width, height], np.float32)
    scale = min(1, *(size / np.maximum(high - low, 1)))
    pose[there, :2] = (pose[there, :2] - (low + high) / 2) * scale + (size - 1) / 2
    return pose
