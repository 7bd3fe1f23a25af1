"""The skeleton: from the angles of a choreography and the size of an actor to points in the room."""

import math
from dataclasses import dataclass

import numpy as np

from toolkit.skeletons import JOINTS
from toolkit.synthetic.actors import Actor

HIP, TORSO, ANKLE = 0.515, 0.303, 0.047
HIP_SIDE, SHOULDER_SIDE, SHOULDER_UP = 0.054, 0.102, -0.020
UPPER_ARM, FOREARM, HAND = 0.172, 0.150, 0.100
THIGH, SHANK = 0.236, 0.233
HEAD_AXES = np.array([0.047, 0.066, 0.054])
FACE = {
    'nose': (0, -0.30, 1.12), 'right_eye': (-0.43, 0.03, 0.88), 'left_eye': (0.43, 0.03, 0.88), 'right_ear': (-1.0, -0.10, -0.05),
    'left_ear': (1.0, -0.10, -0.05)}
"""Joints of the head in units of its half-axes; x to the person's left, y up, z out of the face."""
UP = np.array([0.0, 1.0, 0.0])


@dataclass
class Skeleton:
    """A posed body in world coordinates.

    Attributes:
        points: name -> (3,) meters: the 18 joints, 'pelvis', 'chest_top' (base of the neck), 'head', and 'hand' and 'toe' of
            each side.
        up: (3,) unit vector, up along the torso.
        left: (3,) unit vector, to the left along the shoulders.
        forward: (3,) unit vector, out of the chest.
        head_yaw: radians, positive to image right.
        head_pitch: radians, positive looks down.
        head_roll: radians, positive tips the head to image right.
        head_axes: (3,) half-axes of the head, meters.
        turn: radians, heading of the body (mean of hips and shoulders), positive to image right.
    """

    points: dict[str, np.ndarray]
    up: np.ndarray
    left: np.ndarray
    forward: np.ndarray
    head_yaw: float
    head_pitch: float
    head_roll: float
    head_axes: np.ndarray
    turn: float

    def joints(self) -> np.ndarray:
        """(18, 3) world coordinates in the order of :data:`toolkit.skeletons.JOINTS`."""
        return np.stack([self.points[name] for name in JOINTS])


def turned(vector: np.ndarray, angle: float) -> np.ndarray:
    """Rotate (3,) about the vertical by ``angle`` radians; a positive angle turns what faces the camera to image right."""
    cos, sin = math.cos(angle), math.sin(angle)
    x, y, z = vector
    return np.array([x * cos + z * sin, y, z * cos - x * sin])


def head_rotation(yaw: float, pitch: float) -> np.ndarray:
    """(3, 3) rotation from head coordinates to view coordinates, before rolling."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    return np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])


def build_skeleton(actor: Actor, p: dict[str, np.ndarray]) -> Skeleton:
    """Pose an actor.

    Args:
        actor: whose proportions to use.
        p: parameters of :func:`toolkit.synthetic.choreography.parameters`.
    """
    h = actor.height
    lean, bend, yaw, turn = (math.radians(float(p[name])) for name in ('lean', 'bend', 'yaw', 'turn'))
    up = turned(np.array([math.sin(lean), math.cos(lean) * math.cos(bend), math.cos(lean) * math.sin(bend)]), yaw)
    left = turned(np.array([math.cos(lean), -math.sin(lean), 0.0]), yaw)
    forward = np.cross(left, up)
    pelvis = np.array([float(p['x']), HIP * h + (THIGH + SHANK) * h * (actor.legs - 1) + float(p['y']) - 0.01, float(p['z'])])
    chest_top = pelvis + up * (TORSO * h + float(p['breath']) * 0.004)
    points = {'pelvis': pelvis, 'chest_top': chest_top}
    for side, sign in (('right', -1), ('left', 1)):
        _arm(points, p, side, sign, actor, left, up, forward)
        _leg(points, p, side, sign, actor, yaw)
    points['neck'] = (points['right_shoulder'] + points['left_shoulder']) / 2
    yaw_of_head = 0.7 * yaw + math.radians(float(p['head_yaw']))
    pitch = math.radians(float(p['head_pitch'])) + 0.5 * bend
    roll = (0.6 * lean + math.radians(float(p['head_roll']))) * math.cos(turn)
    head_up = np.array([math.sin(roll), math.cos(roll), 0.0])
    points['head'] = chest_top + (up * 0.055 + head_up * 0.062 + np.array([0, 0, 0.012])) * h
    root = np.array([float(p['x']), 0.0, 0.0])
    points = {name: root + turned(point - root, turn) for name, point in points.items()}
    rotation = head_rotation(yaw_of_head + turn, pitch)
    cos, sin = math.cos(roll), math.sin(roll)
    rotation = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ rotation
    axes = HEAD_AXES * h
    for name, place in FACE.items():
        points[name] = points['head'] + rotation @ (np.array(place) * axes)
    return Skeleton(
        points, turned(up, turn), turned(left, turn), turned(forward, turn), yaw_of_head + turn, pitch, roll, axes, turn + 0.8 * yaw)


def _direction(side: int, raised: float, swing: float) -> np.ndarray:
    """Unit vector in body axes, from the angle off straight down and the swing from sideways to forward, in degrees."""
    raised, swing = math.radians(raised), math.radians(swing)
    return np.array([side * math.sin(raised) * math.cos(swing), -math.cos(raised), math.sin(raised) * math.sin(swing)])


def _arm(points, p, side, sign, actor, left, up, forward) -> None:
    h = actor.height
    upper, fore = p[f'{side}_upper_arm'], p[f'{side}_forearm']
    shrug = min(max((float(upper[0]) - 60) / 110, 0.0), 1.0)
    half_width = SHOULDER_SIDE * h * (1 - 0.13 * shrug) * (0.93 if actor.female else 1.0) * actor.shoulders
    shoulder = points['chest_top'] + left * (sign * half_width) + up * ((0.022 * shrug + SHOULDER_UP) * h)
    down = up * 0.9 + UP * 0.1
    first, second = (left * d[0] + down * d[1] + forward * d[2]
                     for d in (_direction(sign, float(upper[0]), float(upper[1])), _direction(sign, float(fore[0]), float(fore[1]))))
    points[f'{side}_shoulder'] = shoulder
    points[f'{side}_elbow'] = shoulder + first * (UPPER_ARM * h * actor.arms)
    points[f'{side}_wrist'] = points[f'{side}_elbow'] + second * (FOREARM * h * actor.arms)
    points[f'{side}_hand'] = points[f'{side}_wrist'] + second * (HAND * h)


def _leg(points, p, side, sign, actor, yaw) -> None:
    h = actor.height
    hip = points['pelvis'] + turned(np.array([1.0, 0, 0]), 0.6 * yaw) * (sign * HIP_SIDE * h)
    foot = p[f'{side}_foot']
    ankle = np.array([float(foot[0]), ANKLE * h + float(foot[1]), float(foot[2])])
    thigh, shank = THIGH * h * actor.legs, SHANK * h * actor.legs
    reach = ankle - hip
    length = float(np.linalg.norm(reach))
    longest = 0.999 * (thigh + shank)
    if length > longest:
        reach *= longest / length
        ankle, length = hip + reach, longest
    axis = reach / length
    along = (thigh * thigh - shank * shank + length * length) / (2 * length)
    pole = turned(np.array([sign * 0.35, 0, 1.0]), 0.5 * yaw)
    pole -= axis * float(pole @ axis)
    pole /= np.linalg.norm(pole)
    points[f'{side}_hip'] = hip
    points[f'{side}_knee'] = hip + axis * along + pole * math.sqrt(max(thigh * thigh - along * along, 0.0))
    points[f'{side}_ankle'] = ankle
    points[f'{side}_toe'] = ankle + turned(np.array([sign * 0.07, -0.032 * h, 0.115 * h]), 0.5 * yaw)
