"""Hint points of a colorizer: joints inside the region get the new color, joints and background outside keep theirs.

Source: Disentangled human action video generation, 3.1 ("controlling the color of body joints inside the respective regions").
"""

from dataclasses import dataclass

import numpy as np

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
)

PATCH = 7
BACKGROUND_POINTS = 8
_T1, _T2 = 1 / 3, 2 / 3
ANCHORS = {
    'up': (
        {R_SHOULDER: 1}, {L_SHOULDER: 1}, {R_SHOULDER: .5, R_ELBOW: .5}, {L_SHOULDER: .5, L_ELBOW: .5}, {R_SHOULDER: .5, L_HIP: .5},
        {L_SHOULDER: .5, R_HIP: .5}, {NECK: _T2, R_HIP: _T1 / 2, L_HIP: _T1 / 2}, {NECK: _T1, R_HIP: _T2 / 2, L_HIP: _T2 / 2},
        {R_ELBOW: .5, R_WRIST: .5}, {L_ELBOW: .5, L_WRIST: .5}),
    'down': (
        {R_HIP: 1}, {L_HIP: 1}, {R_KNEE: 1}, {L_KNEE: 1}, {R_HIP: .5, R_KNEE: .5}, {L_HIP: .5, L_KNEE: .5}, {R_KNEE: .5, R_ANKLE: .5},
        {L_KNEE: .5, L_ANKLE: .5})}
"""Points of each region as weighted means of joints."""
PROTECTED = (NOSE, R_EYE, L_EYE, R_EAR, L_EAR, R_WRIST, L_WRIST, R_ANKLE, L_ANKLE)
JOINTS = {'up': (R_SHOULDER, L_SHOULDER, R_ELBOW, L_ELBOW), 'down': (R_HIP, L_HIP, R_KNEE, L_KNEE)}


@dataclass
class Hints:
    """What a colorizer is told about one region of one frame.

    Attributes:
        points: (N, 2) int x, y of the hint points.
        ab: (N, 2) float32 colors they shall have.
        protected: (N,) bool, True where the color is the original one.
        region_ab: (2,) mean color of the region over the clip, or None.
        patch: side of the square around a point that gets its color, in pixels.
    """

    points: np.ndarray
    ab: np.ndarray
    protected: np.ndarray
    region_ab: np.ndarray | None = None
    patch: int = PATCH

    @classmethod
    def empty(cls, region_ab: np.ndarray | None = None) -> 'Hints':
        """No points, for colorizers that look at none."""
        return cls(np.zeros((0, 2), int), np.zeros((0, 2), np.float32), np.zeros(0, bool), region_ab)

    def maps(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Hint colors and where they are, as pictures; protected points are painted last.

        Returns:
            ab (H, W, 2) float32, 0 without hint; mask (H, W) float32 in {0, 1}.
        """
        ab, mask = np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
        reach = self.patch // 2
        for i in np.argsort(self.protected, kind='stable'):
            x, y = self.points[i]
            box = slice(max(y - reach, 0), max(y + reach + 1, 0)), slice(max(x - reach, 0), max(x + reach + 1, 0))
            ab[box], mask[box] = self.ab[i], 1
        return ab, mask


def joint_points(pose: np.ndarray, region: str) -> np.ndarray:
    """Anchor points (N, 2) float32 of a region, 'up' or 'down', of a pose (K, 3), whose joints are all present."""
    seen = [anchor for anchor in ANCHORS[region] if all(pose[j, 2] > 0 for j in anchor)]
    points = [sum(share * pose[j, :2] for j, share in anchor.items()) for anchor in seen]
    return np.array(points, np.float32).reshape(-1, 2)


def make_hints(lab: np.ndarray, weight: np.ndarray, pose: np.ndarray, region: str, target_ab: tuple[float, float],
               outside: np.ndarray, region_ab: np.ndarray | None = None) -> Hints:
    """Hint points of one region of one frame.

    Args:
        lab: (H, W, 3) float32.
        weight: (H, W) float32, the region.
        pose: (K, 3).
        region: 'up' or 'down'.
        target_ab: color for the points inside the region; where no joint lies inside it, the region's deepest point is taken.
        outside: (H, W) bool, background for the protected random points.
        region_ab: see :class:`Hints`.

    Returns:
        The hints. Protected: head, wrists, ankles, joints of the other region, and 8 background pixels, unless they lie in the region.
    """
    height, width = weight.shape
    own = _inside(joint_points(pose, region), height, width)
    own = own[weight[own[:, 1], own[:, 0]] > .5]
    if not len(own) and weight.max(initial=0) > 0:
        own = np.array([np.unravel_index(np.argmax(weight), weight.shape)[::-1]])
    other = JOINTS['down' if region == 'up' else 'up']
    kept = _inside(pose[[j for j in (*PROTECTED, *other) if pose[j, 2] > 0], :2], height, width)
    background = np.flatnonzero(outside)
    if len(background):
        chosen = np.random.default_rng(0).choice(background, BACKGROUND_POINTS)
        kept = np.concatenate([kept, np.stack([chosen % width, chosen // width], 1)])
    kept = kept[weight[kept[:, 1], kept[:, 0]] == 0]
    points = np.concatenate([own, kept])
    protected = np.arange(len(points)) >= len(own)
    ab = np.where(protected[:, None], lab[points[:, 1], points[:, 0], 1:], np.asarray(target_ab, np.float32))
    return Hints(points, ab.astype(np.float32), protected, region_ab)


def _inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The points that lie in the frame, rounded to pixels."""
    points = np.rint(points).astype(int).reshape(-1, 2)
    return points[(points >= 0).all(1) & (points[:, 0] < width) & (points[:, 1] < height)]
