"""A person's torso put together from all frames of their footage: what no single frame shows whole."""

import cv2
import numpy as np
import torch

from toolkit.masks.geometry import body_scale, clean_pose, part_shapes
from toolkit.masks.parts import part_labels
from toolkit.skeletons import (
    HEAD_JOINTS,
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
SEEN, SELDOM = .5, 8
"""Coverage from which on a frame shows a pixel; one that less than an eighth of the frames show is taken for an error of labels."""
UNKNOWN = 256
TORSO = 0


def whole_figure(frames: np.ndarray, parts: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The torso of a person with arms and legs spread: each pixel's median over the frames that show it, carried there.

    What an arm hides in one frame another one shows, and where labels of parts are wrong in some frames most are right. What no frame
    shows is painted over from around. It is the torso alone: other parts are seldom hidden.

    Args:
        frames: (N, H, W, 3) uint8 RGB.
        parts: (N, H, W) uint8 labels.
        poses: (N, 18, 3) in pixels of these frames.

    Returns:
        Frame (H, W, 3) uint8, black around the torso, labels (H, W) uint8 and pose (18, 3).
    """
    height, width = frames.shape[1:3]
    pose = spread_pose(poses, height, width)
    target = torch.from_numpy(pose)[None]
    warper, layers = PartAffineWarper(merge='over', joint_overlap=0), np.full(frames.shape, UNKNOWN, np.int16)
    for layer, frame, labels, source in zip(layers, frames, parts, poses):
        maps = torch.from_numpy(frame).movedim(-1, 0)[None].float() / 255
        torso = torch.from_numpy(labels * (labels == TORSO + 1))[None]
        warp = warper(maps, torch.from_numpy(np.float32(source))[None], target, torso)
        seen = warp.coverage[0, 0].numpy() > SEEN
        colors = (warp.maps / warp.coverage.clamp(min=SEEN))[0].movedim(0, -1).numpy()
        layer[seen] = np.rint(255 * colors[seen].clip(0, 1))
    layers.sort(axis=0)
    known = (layers[..., 0] < UNKNOWN).sum(0)
    middle = np.maximum(known - 1, 0)[None, ..., None] // 2
    figure = np.take_along_axis(layers, np.broadcast_to(middle, (1, *frames.shape[1:])), 0)[0]
    body = known >= max(len(frames) // SELDOM, 1)
    hidden = part_shapes(pose, height, width)[TORSO] & ~body & _hull(body)
    figure = np.where(body[..., None], figure, 0).astype(np.uint8)
    if hidden.any() and body.any():
        figure = np.where(hidden[..., None], _filled(figure, body), figure)
        body |= hidden
    labels = part_labels(pose, body) == TORSO + 1
    labels = cv2.erode(labels.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(1, round(EDGE * float(body_scale(pose)))))
    return figure, labels, pose


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
