"""The OpenPose-18 skeleton, its limbs, colors and ten parts, and conversions to it from other keypoint layouts.

Left and right are the person's. Source: OpenPose (Cao et al. 2017), COCO-18 layout; parts as in Deformable GAN (Siarohin et al. 2018).
"""

import numpy as np

JOINTS = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip',
    'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle', 'right_eye', 'left_eye', 'right_ear', 'left_ear')
K = len(JOINTS)
INDEX = {name: i for i, name in enumerate(JOINTS)}
(NOSE, NECK, R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST, R_HIP, R_KNEE, R_ANKLE, L_HIP, L_KNEE, L_ANKLE, R_EYE, L_EYE,
 R_EAR, L_EAR) = range(K)

LIMB_JOINTS = (R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST, R_HIP, R_KNEE, R_ANKLE, L_HIP, L_KNEE, L_ANKLE)
"""The 12 joints of arms and legs, for comparing pose estimators."""

def _other_side(joint: str) -> str:
    side, _, rest = joint.partition('_')
    return {'left': 'right', 'right': 'left'}.get(side, side) + f'_{rest}'


MIRROR_JOINT = np.array([INDEX.get(_other_side(name), i) for i, name in enumerate(JOINTS)])
"""(K,) For each joint the one that takes its place in a mirrored picture."""

JOINT_COLORS = np.array([
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85), (0, 255, 170),
    (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170),
    (255, 0, 85)], np.uint8)
"""(K, 3) RGB. Limb i is drawn in color i."""

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16),
    (0, 15), (15, 17), (2, 16), (5, 17))
"""19 joint pairs; the last two (shoulder-ear) serve assembly of people only and are not drawn."""

LIMB_PAFS = (
    (12, 13), (20, 21), (14, 15), (16, 17), (22, 23), (24, 25), (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (28, 29), (30, 31),
    (34, 35), (32, 33), (36, 37), (18, 19), (26, 27))
"""For each limb its (x, y) channels among the 38 part affinity fields."""

DRAWN_LIMBS = 17

PARTS = (
    'torso', 'head', 'right_upper_leg', 'left_upper_leg', 'right_lower_leg', 'left_lower_leg', 'right_upper_arm', 'left_upper_arm',
    'right_lower_arm', 'left_lower_arm')
"""Part i has label i + 1 in label maps."""
P = len(PARTS)
TORSO_JOINTS = (R_HIP, L_HIP, L_SHOULDER, R_SHOULDER)
HEAD_JOINTS = (NOSE, R_EYE, L_EYE, R_EAR, L_EAR)
LIMB_PARTS = {
    2: (R_HIP, R_KNEE), 3: (L_HIP, L_KNEE), 4: (R_KNEE, R_ANKLE), 5: (L_KNEE, L_ANKLE), 6: (R_SHOULDER, R_ELBOW),
    7: (L_SHOULDER, L_ELBOW), 8: (R_ELBOW, R_WRIST), 9: (L_ELBOW, L_WRIST)}
"""Part index -> its two joints."""
MIRROR_PART = (0, 1, 3, 2, 5, 4, 7, 6, 9, 8)
UPPER_PARTS = (0, 6, 7, 8, 9)
LOWER_PARTS = (2, 3, 4, 5)
REGIONS = ('up', 'down')
"""Halves of the body that have clothes and colors of their own, in the order of their channels and codes."""

COCO17 = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
    'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle')
BLAZEPOSE33 = (
    'nose', 'left_eye_inner', 'left_eye', 'left_eye_outer', 'right_eye_inner', 'right_eye', 'right_eye_outer', 'left_ear', 'right_ear',
    'mouth_left', 'mouth_right', 'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist',
    'left_pinky', 'right_pinky', 'left_index', 'right_index', 'left_thumb', 'right_thumb', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle', 'left_heel', 'right_heel', 'left_foot_index', 'right_foot_index')
BODY25 = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist', 'mid_hip', 'right_hip',
    'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle', 'right_eye', 'left_eye', 'right_ear', 'left_ear',
    'left_big_toe', 'left_small_toe', 'left_heel', 'right_big_toe', 'right_small_toe', 'right_heel')
CPM14 = (
    'head_top', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip',
    'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle')
HALPE26 = (
    *COCO17, 'head', 'neck', 'mid_hip', 'left_big_toe', 'right_big_toe', 'left_small_toe', 'right_small_toe', 'left_heel', 'right_heel')
HALPE136 = (*HALPE26, *(f'face_or_hand_{i}' for i in range(110)))
WHOLEBODY133 = (*COCO17, *(f'foot_face_or_hand_{i}' for i in range(116)))
LAYOUTS = {
    'openpose18': JOINTS, 'coco17': COCO17, 'blazepose33': BLAZEPOSE33, 'body25': BODY25, 'cpm14': CPM14, 'halpe26': HALPE26,
    'halpe136': HALPE136, 'wholebody133': WHOLEBODY133}


def to_openpose18(keypoints: np.ndarray, layout: str | tuple[str, ...]) -> np.ndarray:
    """Convert keypoints of another layout to OpenPose-18.

    Joints are matched by name. Where the layout has no neck, it is the mean of both shoulders with the smaller of their confidences;
    if either shoulder is missing, so is the neck.

    Args:
        keypoints: (..., J, 3), x, y in pixels and confidence; J as the layout has it.
        layout: one of :data:`LAYOUTS`, or the names of the joints.

    Returns:
        (..., 18, 3) float32; a joint the layout does not have is missing (all zero).

    Raises:
        ValueError: unknown layout, wrong number of joints, or names that are all unknown.
    """
    if isinstance(layout, str) and layout not in LAYOUTS:
        raise ValueError(f'unknown keypoint layout {layout!r}, expected one of {sorted(LAYOUTS)}')
    names = LAYOUTS[layout] if isinstance(layout, str) else layout
    keypoints = np.asarray(keypoints, np.float32)
    if keypoints.ndim < 2 or keypoints.shape[-2:] != (len(names), 3):
        raise ValueError(f'layout {layout} has {len(names)} joints of (x, y, confidence), got an array of shape {keypoints.shape}')
    if not set(names) & set(JOINTS):
        raise ValueError(f'none of the joints {", ".join(names)} is known; expected names such as {", ".join(JOINTS[:4])}')
    out = np.zeros((*keypoints.shape[:-2], K, 3), np.float32)
    for i, name in enumerate(JOINTS):
        if name in names:
            out[..., i, :] = keypoints[..., names.index(name), :]
    if 'neck' not in names:
        right, left = out[..., R_SHOULDER, :], out[..., L_SHOULDER, :]
        confidence = np.minimum(right[..., 2], left[..., 2])
        out[..., NECK, :2] = (right[..., :2] + left[..., :2]) / 2
        out[..., NECK, 2] = confidence
    out[out[..., 2] <= 0] = 0
    return out


def scale_points(points, scale):
    """Coordinates in a picture after the picture is resized: pixel centers are at integers, so x becomes (x + .5) * scale - .5.

    Args:
        points: number, array or tensor of coordinates in pixels; or in cells of a map, to have pixels.
        scale: new size / old size, or pixels of a cell; a number, or one for each coordinate of the last axis.

    Returns:
        The same kind as ``points``, in pixels of the resized picture.
    """
    return (points + .5) * scale - .5


def torso_scale(pose: np.ndarray) -> np.ndarray:
    """Body scale (...,) float32 of poses (..., K, 3): root mean square of the two hip-shoulder distances, in pixels.

    0 where one of the four torso joints is missing.
    """
    pose = np.asarray(pose, np.float32)
    right = np.sum((pose[..., R_HIP, :2] - pose[..., R_SHOULDER, :2])**2, -1)
    left = np.sum((pose[..., L_HIP, :2] - pose[..., L_SHOULDER, :2])**2, -1)
    present = (pose[..., TORSO_JOINTS, 2] > 0).all(-1)
    return np.sqrt((right + left) / 2) * present
