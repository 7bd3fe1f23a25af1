"""The frames of a person that are nearest to a pose: whose pixels a generator may take.

Two poses are compared around the neck and in lengths of the torso, so that where a person stands and how large does not count. The cost
of a reference is the root of the weighted mean, over the joints that the pose has, of

- the squared distance to the same joint of the reference, or a fixed cost for one that the reference does not have: nothing can be
  taken from there. Joints that the pose does not have are left out;
- the squared difference of where body and head turn to (0 for the same way, 4 for front against back): by the order of shoulders and
  hips, and by the ears, eyes and nose that are seen. It counts little up to a turn by 60 degrees, and much beyond.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from toolkit.skeletons import (
    L_ANKLE,
    L_EAR,
    L_ELBOW,
    L_EYE,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_EAR,
    R_ELBOW,
    R_EYE,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    K,
)
from toolkit.structures import InputError

BONES = np.array([
    (R_SHOULDER, R_HIP), (L_SHOULDER, L_HIP), (R_HIP, R_KNEE), (L_HIP, L_KNEE), (R_KNEE, R_ANKLE), (L_KNEE, L_ANKLE),
    (R_SHOULDER, R_ELBOW), (L_SHOULDER, L_ELBOW), (R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST), (R_SHOULDER, L_SHOULDER)])
LENGTHS = np.array([1, 1, .9, .9, .9, .9, .6, .6, .5, .5, .65], np.float32)
"""Lengths of the bones of an average body that nothing foreshortens, in lengths of the torso."""
BODY, HEAD = K, K + 1
"""Behind the joints: where the body and the head turn to, (towards the camera, to the right of the picture)."""
WEIGHTS = np.ones(K + 2, np.float32)
WEIGHTS[[R_EYE, L_EYE, R_EAR, L_EAR]] = .5
WEIGHTS[[BODY, HEAD]] = .3, .1
"""Of the squared differences. Large weights of the turns choose frames whose limbs are elsewhere: on held-out frames of nine clips, in
which nobody turns round, LPIPS by copying alone was .0503 with 2 and 1, and .0492 with these."""
FAR, FAR_TURN = np.array([2, 1], np.float32), 1.
"""Further weights of what the squared differences of body and head exceed: 1 is a turn by 60 degrees."""
LACKING = .5
"""Cost of a joint that the reference does not have, in lengths of the torso."""
CHANGE = .04
"""Cost of another reference than that of the frame before, in lengths of the torso."""
APART = 2
"""References of one frame are at least so many frames apart in a clip: the next frame shows the same again."""
CANDIDATES, FEW = 64, 2048
"""How many frames a tree proposes; up to ``FEW`` frames are all compared."""
ONE_EAR = .8
"""Turn (-1..1) of a head of which one ear is seen."""


def features(poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses in the form in which they are compared.

    Args:
        poses: (N, 18, 3) in pixels, confidence 0 = missing.

    Returns:
        (N, 20, 2) float32, joints in lengths of the torso around the neck and where body and head turn to, 0 where missing; and
        (N, 20) bool, which are there.
    """
    poses = np.asarray(poses, np.float32)
    at, seen = poses[..., :2], poses[..., 2] > 0
    scale = _body_scale(at, seen)
    at = (at - _center(at, seen, scale)[:, None]) / scale[:, None, None]
    turns, known = zip(_body_turn(at, seen), _head_turn(at, seen))
    points = np.concatenate([at, np.stack(turns, 1)], 1)
    there = np.concatenate([seen, np.stack(known, 1)], 1)
    return np.where(there[..., None], points, 0).astype(np.float32), there


def _body_scale(at: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Length of the torso in pixels, (N,): the upper quartile of what the bones say, since most are foreshortened."""
    both = seen[:, BONES].all(-1)
    said = np.linalg.norm(at[:, BONES[:, 0]] - at[:, BONES[:, 1]], axis=-1) / LENGTHS
    said = -np.sort(-np.where(both, said, -1), 1)
    place = (both.sum(1) - 1).clip(0) / 4
    low, row = place.astype(int), np.arange(len(said))
    scale = said[row, low] + (place - low) * (said[row, np.ceil(place).astype(int)] - said[row, low])
    for i in np.flatnonzero(scale <= 0):
        there = at[i, seen[i]]
        scale[i] = np.ptp(there, 0).max() if len(there) else 0
    return np.maximum(scale, 1)


def _center(at: np.ndarray, seen: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The neck, (N, 2); where it is missing what is next to it."""
    def middle(right: int, left: int) -> tuple[np.ndarray, np.ndarray]:
        return (at[:, right] + at[:, left]) / 2, seen[:, right] & seen[:, left]

    center = (at * seen[..., None]).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    hips, known = middle(R_HIP, L_HIP)
    center = np.where(known[:, None], hips - np.stack([np.zeros_like(scale), scale], 1), center)
    shoulders, known = middle(R_SHOULDER, L_SHOULDER)
    center = np.where(known[:, None], shoulders, center)
    return np.where(seen[:, NECK, None], at[:, NECK], center)


def _direction(front: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(N, 2) of the share towards the camera and of the side, which is cut to what the former leaves."""
    room = np.sqrt(1 - front**2)
    return np.stack([front, np.clip(side, -1, 1) * room], 1)


def _body_turn(at: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    widths, known = [], []
    for right, left in ((R_SHOULDER, L_SHOULDER), (R_HIP, L_HIP)):
        widths.append(at[:, left, 0] - at[:, right, 0])
        known.append(seen[:, right] & seen[:, left])
    widths, known = np.stack(widths, 1), np.stack(known, 1)
    front = (widths * known).sum(1) / np.maximum((known * np.array([.65, .45])).sum(1), 1e-6)
    side = np.where(seen[:, NOSE], at[:, NOSE, 0] / .2, 0)
    return _direction(np.clip(front, -1, 1), side), known.any(1)


def _head_turn(at: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    right, left = seen[:, R_EAR], seen[:, L_EAR]
    turn = np.zeros(len(at), np.float32)
    for (a, b), reach in (((R_EYE, L_EYE), 1), ((R_EAR, L_EAR), .5)):
        known = seen[:, a] & seen[:, b] & seen[:, NOSE]
        span = np.abs(at[:, a, 0] - at[:, b, 0])
        offset = at[:, NOSE, 0] - (at[:, a, 0] + at[:, b, 0]) / 2
        turn = np.where(known, offset / np.maximum(reach * span, .05), turn)
    turn = np.where(right & ~left, ONE_EAR, np.where(left & ~right, -ONE_EAR, np.clip(turn, -1, 1)))
    face = seen[:, NOSE] | seen[:, R_EYE] | seen[:, L_EYE]
    front = np.where(face, 1, -1) * np.sqrt(1 - turn**2)
    return np.stack([front, turn], 1), face | right | left


class PoseSearch:
    """Finds frames of a person by pose, fast also among 100,000.

    Up to :data:`FEW` frames are all compared. Of more, a k-d tree over features in which what is missing stands where it is on average
    proposes :data:`CANDIDATES`, which are then compared exactly. What a pose lacks is filled in from the best found, and asked again.

    Args:
        poses: (N, 18, 3) in pixels.
        clips: (N,) number of the clip of each.
        frames: (N,) number of the frame in its clip.
        few: see above.
    """

    def __init__(self, poses: np.ndarray, clips: Sequence[int], frames: Sequence[int], few: int = FEW) -> None:
        self.clips, self.frames = np.asarray(clips, np.int64), np.asarray(frames, np.int64)
        self.points, self.seen = features(poses)
        self.tree = None
        if len(self) > few:
            self._mean = self.points.sum(0) / np.maximum(self.seen.sum(0), 1)[:, None]
            self.tree = cKDTree(self._coordinates(self.points, self.seen, self._mean), leafsize=32, balanced_tree=False)

    def __len__(self) -> int:
        return len(self.clips)

    @staticmethod
    def _coordinates(points: np.ndarray, seen: np.ndarray, stand_in: np.ndarray) -> np.ndarray:
        filled = np.where(seen[..., None], points, stand_in) * np.sqrt(WEIGHTS)[:, None]
        return filled.reshape(*filled.shape[:-2], -1)

    def costs(self, point: np.ndarray, seen: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Costs of references for a pose, see the module.

        Args:
            point, seen: (20, 2) and (20,) of :func:`features`.
            rows: which references.

        Returns:
            (N,) in lengths of the torso.
        """
        wanted = np.flatnonzero(seen)
        if not len(wanted):
            return np.zeros(len(self.clips[rows]), np.float32)
        difference = self.points[rows][:, wanted] - point[wanted]
        squares = np.einsum('njc,njc->nj', difference, difference)
        squares = np.where(self.seen[rows][:, wanted], squares, LACKING**2)
        total, turns = squares @ WEIGHTS[wanted], wanted >= BODY
        total += (squares[:, turns] - FAR_TURN).clip(0) @ FAR[wanted[turns] - BODY]
        return np.sqrt(total / WEIGHTS[wanted].sum())

    def _candidates(self, point: np.ndarray, seen: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
        """Rows that are worth comparing."""
        if self.tree is None:
            return np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        rows, stand_in = np.empty(0, np.int64), self._mean
        for _ in range(1 if seen.all() else 2):
            found = self.tree.query(self._coordinates(point, seen, stand_in), CANDIDATES)[1]
            rows = np.union1d(rows, found if allowed is None else found[allowed[found]])
            if len(rows) <= CANDIDATES // 2:
                return np.flatnonzero(allowed)
            best = rows[self.costs(point, seen, rows).argmin()]
            stand_in = np.where(self.seen[best][:, None], self.points[best], stand_in)
        return rows

    def nearest(self, pose: np.ndarray, count: int, allowed: np.ndarray | None = None, before: Sequence[int] = (),
                change: float = CHANGE) -> list[int]:
        """The references of a pose, the best one first.

        Args:
            pose: (18, 3) in pixels.
            count: how many. Where there are fewer, the last one is repeated.
            allowed: (N,) bool, which frames may be taken; all by default.
            before: the references of the frame before; another one in the same place costs ``change``.
            change: that cost.

        Returns:
            ``count`` rows, at least :data:`APART` frames apart in a clip.

        Raises:
            InputError: no frame may be taken.
        """
        points, seen = features(pose[None])
        rows = self._candidates(points[0], seen[0], allowed)
        rows = np.union1d(rows, [row for row in before if allowed is None or allowed[row]]).astype(np.int64)
        if not len(rows):
            raise InputError('no frame is left to take a reference from')
        costs, chosen = self.costs(points[0], seen[0], rows), []
        for place in range(count):
            if place:
                last = chosen[-1]
                costs[(self.clips[rows] == self.clips[last]) & (np.abs(self.frames[rows] - self.frames[last]) < APART)] = np.inf
            total = costs + change * (rows != before[place]) if len(before) else costs
            best = total.argmin()
            chosen.append(int(rows[best]) if np.isfinite(total[best]) else chosen[-1])
        return chosen


class ReferenceTrack:
    """References of the frames of one video, one frame after the other: they change only where it is worth it.

    Args:
        search: where they are found.
        count: of each frame.
        change: cost of another reference than that of the frame before, in lengths of the torso.
    """

    def __init__(self, search: PoseSearch, count: int, change: float = CHANGE) -> None:
        self.search, self.count, self.change, self.before = search, count, change, []

    def __call__(self, pose: np.ndarray, allowed: np.ndarray | None = None) -> list[int]:
        """References of the next frame.

        Args:
            pose: (18, 3) in pixels.
            allowed: (N,) bool, which frames may be taken.

        Returns:
            Rows of the search. A frame without any joint keeps those of the frame before.
        """
        if not self.before or (pose[:, 2] > 0).any():
            self.before = self.search.nearest(pose, self.count, allowed, self.before, self.change)
        return self.before
