"""Poses of one person without end: those of their own clips, with limbs turned, and the movements of others."""

from collections.abc import Sequence

import numpy as np

from toolkit.poses.retarget import PoseNormalizer
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
)
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

CHAINS = ((R_SHOULDER, R_ELBOW, R_WRIST), (L_SHOULDER, L_ELBOW, L_WRIST), (R_HIP, R_KNEE, R_ANKLE), (L_HIP, L_KNEE, L_ANKLE))
TURNS = np.array([1, 1, .4, .4])
"""How far arms and legs are turned, in shares of ``turn``: legs stand on the floor."""
HEAD_TURN = .25
SHORTEST = .75
"""Limbs are foreshortened down to this share of their length."""
SPEED = .1
"""Change of an angle from frame to frame, in shares of ``turn``."""
SELDOM = .05
"""A joint that fewer of the own frames show is in no sampled pose: the footage shows nothing there."""
ACTION_FRAMES, ACTION_SIZE = 60, 256
OWN, TURNED = .3, .65
"""Chances: own poses below the first, turned ones below the second, other people's above."""


class SampledPoses:
    """Draws short movements of a person.

    About a third are the person's own, a third these with limbs turned and foreshortened, a third movements of others, moved and
    scaled to the person (:class:`toolkit.poses.retarget.PoseNormalizer`).

    Args:
        own: (N, 18, 3) poses of the person, in pixels of the frames to paint.
        size: (H, W) of these.
        movements: poses (T, 18, 3) of others in pixels of their frames; none are those of the toolkit's synthetic actions.
        turn: standard deviation of the angles of arms, in degrees.

    Raises:
        InputError: own poses that show too little of a person to fit others to.
    """

    def __init__(self, own: np.ndarray, size: Sequence[int], movements: Sequence[np.ndarray] = (), turn: float = 25.) -> None:
        self.size, self.turn = tuple(size), np.radians(turn)
        self.seen = (own[..., 2] > 0).mean(0) >= SELDOM
        own = np.repeat(own, 3, 0) if len(own) < 3 else own
        groups = [[poses] for poses in movements] or [synthetic_movements()]
        self.others = [fitted(moved) for group in groups for fitted in [PoseNormalizer.fit(np.concatenate(group), own)]
                       for moved in group]

    def __call__(self, window: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a movement.

        Args:
            window: (T, 18, 3), consecutive own poses to begin with.
            rng: draws everything.

        Returns:
            (T, 18, 3) float32 in pixels of the frames to paint; joints outside of these are missing.
        """
        kind, frames = rng.random(), len(window)
        others = [poses for poses in self.others if len(poses) >= frames]
        if kind < OWN:
            return np.array(window, np.float32)
        if kind < TURNED or not others:
            return self._inside(self._turned(window, rng))
        poses = others[rng.integers(len(others))]
        start = rng.integers(len(poses) - frames + 1)
        return self._inside(np.where(self.seen[:, None], poses[start:start + frames], 0))

    def _turned(self, window: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Own poses with turned limbs; the angles change evenly from frame to frame."""
        angles = rng.normal(0, self.turn, (4, 2)) * TURNS[:, None]
        speeds = rng.normal(0, SPEED * self.turn, (4, 2)) * TURNS[:, None]
        lengths, head = rng.uniform(SHORTEST, 1, (4, 2)), rng.normal(0, HEAD_TURN * self.turn)
        out = np.array(window, np.float32)
        for t, pose in enumerate(out):
            for chain, turns, shares in zip(CHAINS, angles + t * speeds, lengths):
                turn_chain(pose, chain, turns, shares)
            if pose[NECK, 2] > 0:
                for joint in HEAD_JOINTS:
                    if pose[joint, 2] > 0:
                        pose[joint, :2] = pose[NECK, :2] + _rotated(pose[joint, :2] - pose[NECK, :2], head)
        return out

    def _inside(self, poses: np.ndarray) -> np.ndarray:
        height, width = self.size
        x, y = poses[..., 0], poses[..., 1]
        outside = (x < -.5) | (x >= width - .5) | (y < -.5) | (y >= height - .5) | (poses[..., 2] <= 0)
        return np.where(outside[..., None], 0, poses).astype(np.float32)


def turn_chain(pose: np.ndarray, chain: Sequence[int], angles: Sequence[float], shares: Sequence[float]) -> None:
    """Turn an arm or a leg of a pose (18, 3) around its first joint, and its lower half around the second. In place.

    Args:
        pose: in pixels; where a joint is missing, what hangs on it stays as it is.
        chain: its three joints.
        angles: radians, of the whole limb and, on top, of its lower half.
        shares: lengths of both halves in shares of what they were.
    """
    first, second, third = chain
    if (pose[[first, second], 2] <= 0).any():
        return
    lower = pose[third, :2] - pose[second, :2]
    pose[second, :2] = pose[first, :2] + shares[0] * _rotated(pose[second, :2] - pose[first, :2], angles[0])
    if pose[third, 2] > 0:
        pose[third, :2] = pose[second, :2] + shares[1] * _rotated(lower, angles[0] + angles[1])


def _rotated(way: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([way[0] * cos - way[1] * sin, way[0] * sin + way[1] * cos])


def synthetic_movements() -> list[np.ndarray]:
    """Poses (T, 18, 3) of the toolkit's synthetic actions, one array an action."""
    people = SyntheticActions(ACTION_SIZE, ACTION_SIZE, actors=1, frames=ACTION_FRAMES)
    return [np.stack([people.pose(0, action, t) for t in range(ACTION_FRAMES)]) for action in people.action_names]


def check_turn(turn: float) -> None:
    """Raises:
        InputError: an angle that cannot be.
    """
    if not 0 <= turn <= 180:
        raise InputError(f'turn={turn}, expected the standard deviation of the angles of arms, 0 to 180 degrees')
