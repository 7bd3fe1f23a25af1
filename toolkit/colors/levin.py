"""Recoloring without weights that respects edges: colorization by optimization.

Source: Colorization using optimization (Levin, Lischinski and Weiss 2004). Neighboring pixels of alike lightness shall have alike
colors; hints are soft constraints. The minimum is one sparse, symmetric, positive definite system.
"""

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from toolkit.colors.anchors import Hints
from toolkit.registry import COLORIZERS

OFFSETS = ((0, 1), (1, 0), (1, 1), (1, -1))
LEAST_AFFINITY = 1e-3


@COLORIZERS.register_module()
class LevinOptimization:
    """Spreads the hint colors over the region along alike lightness, on a grid around the region.

    The region's deep interior is drawn weakly to the target, anchor patches strongly; skin, background and the other garment around the
    region are held at their own colors. In between the edges of the lightness decide, so that a mask that runs over an outline does
    not take the color with it. Texture keeps its lightness; original color differences inside the region (prints) are painted over.

    Args:
        max_points: the grid has at most about so many points; the colors are enlarged bilinearly, the frame's lightness stays whole.
            Cost grows a little faster than linearly: about 0.1 s for the default on one core.
        sigma: lightness difference over which the affinity of neighbors falls to exp(-1/2).
        hint_strength: weight of anchors and of pixels outside the region, against affinities of at most 1.
        pull: weight with which the region's interior is drawn to the target.
        margin: how far around the region the grid reaches, in pixels.
    """

    name = 'LevinOptimization'
    version = '1'
    pointwise = False

    def __init__(self, max_points: int = 8000, sigma: float = 3., hint_strength: float = 10., pull: float = .05, margin: int = 6):
        self.max_points, self.sigma, self.hint_strength, self.pull, self.margin = max_points, sigma, hint_strength, pull, margin

    def __call__(self, lab: np.ndarray, weight: np.ndarray, target_ab: tuple[float, float], hints: Hints) -> np.ndarray:
        """Recolor as :mod:`toolkit.colors` says; outside of the region and its margin are the original colors."""
        out = lab[..., 1:].copy()
        x, y, width, height = cv2.boundingRect((weight > 0).astype(np.uint8))
        if not width:
            return out
        box = (slice(max(y - self.margin, 0), y + height + self.margin), slice(max(x - self.margin, 0), x + width + self.margin))
        hint_ab, hint_mask = (part[box] for part in hints.maps(*weight.shape))
        size = weight[box].shape
        factor = min(1., (self.max_points / (size[0] * size[1]))**.5)
        small = (max(2, round(size[1] * factor)), max(2, round(size[0] * factor)))

        def shrink(a: np.ndarray) -> np.ndarray:
            return cv2.resize(np.ascontiguousarray(a), small, interpolation=cv2.INTER_AREA)

        share, anchored = shrink(weight[box]), shrink(hint_mask)
        original = shrink(lab[box])
        wanted = shrink(hint_ab * hint_mask[..., None]) / np.maximum(anchored, 1e-6)[..., None]
        outside = self.hint_strength * (share < .02)
        anchors = self.hint_strength * anchored * (share > .5)
        pull = self.pull * share
        strength = outside + anchors + pull
        target = outside[..., None] * original[..., 1:] + anchors[..., None] * wanted + pull[..., None] * np.float32(target_ab)
        system = affinity_laplacian(original[..., 0], self.sigma) + sparse.diags((strength + 1e-6).reshape(-1))
        factors = splu(system.tocsc(), permc_spec='MMD_AT_PLUS_A', options=dict(SymmetricMode=True))
        solved = factors.solve(target.reshape(-1, 2).astype(np.float64))
        out[box] = cv2.resize(solved.astype(np.float32).reshape(*small[::-1], 2), size[::-1], interpolation=cv2.INTER_LINEAR)
        return out


def affinity_laplacian(lightness: np.ndarray, sigma: float) -> sparse.csr_matrix:
    """Graph Laplacian of a picture's 8-neighborhood with affinities exp(-dL^2 / (2 sigma^2)).

    Args:
        lightness: (h, w).
        sigma: in units of L.

    Returns:
        (h * w, h * w), symmetric, rows sum to 0.
    """
    height, width = lightness.shape
    index = np.arange(height * width).reshape(height, width)
    rows, columns, values = [], [], []
    for dy, dx in OFFSETS:
        a = slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0))
        b = slice(dy, height), slice(max(dx, 0), width + min(dx, 0))
        affinity = np.exp(-.5 * ((lightness[a] - lightness[b]) / sigma)**2).clip(LEAST_AFFINITY) / np.hypot(dx, dy)
        rows.append(index[a].reshape(-1))
        columns.append(index[b].reshape(-1))
        values.append(affinity.reshape(-1))
    rows, columns, values = (np.concatenate(v) for v in (rows, columns, values))
    upper = sparse.coo_matrix((values, (rows, columns)), shape=(index.size, index.size))
    affinities = (upper + upper.T).tocsr()
    return sparse.diags(np.asarray(affinities.sum(1)).reshape(-1)) - affinities
