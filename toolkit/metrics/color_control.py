"""What a color code does to pictures: whether the garment follows it, how near it comes, and what else moves."""

from collections.abc import Mapping

import numpy as np


def region_mean(pictures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean (N, C) float64 of each picture (N, H, W, C) inside its region, weights (N, H, W) >= 0; NaN where it is empty."""
    weights = np.asarray(weights, np.float64)
    total = weights.sum((1, 2))
    sums = np.einsum('nhwc,nhw->nc', np.asarray(pictures, np.float64), weights)
    return sums / np.where(total > 0, total, np.nan)[:, None]


def delta_e(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """dE76 (...) >= 0 of Lab colors (..., 3), or the distance in the a, b plane of (a, b) alone, (..., 2)."""
    return np.linalg.norm(np.asarray(first, np.float64) - np.asarray(second, np.float64), axis=-1)


def color_response(delivered: np.ndarray, wanted: np.ndarray) -> float:
    """Share of wanted color changes that was delivered: ``sum(delivered . wanted) / sum(wanted . wanted)``.

    Args:
        delivered: (N, 2) change of a region's mean a, b in generated pictures when its code is exchanged.
        wanted: (N, 2) the same in real, recolored pictures.

    Returns:
        1 where all changes are delivered, 0 where the code does nothing, below 0 for the wrong direction; NaN without wanted change.
        Rows with NaN, regions that are not seen, are left out.
    """
    delivered, wanted = np.asarray(delivered, np.float64), np.asarray(wanted, np.float64)
    seen = np.isfinite(delivered).all(1) & np.isfinite(wanted).all(1)
    total = np.square(wanted[seen]).sum()
    return float((delivered[seen] * wanted[seen]).sum() / total) if total > 0 else float('nan')


def leaks(first: np.ndarray, second: np.ndarray, regions: Mapping[str, np.ndarray]) -> dict[str, tuple[float, int]]:
    """How far each region moved between two versions of the same pictures.

    Args:
        first, second: (N, H, W, 3) Lab.
        regions: name -> (N, H, W) bool.

    Returns:
        name -> sum of the per-pixel dE76 over all pixels of the region, and the number of these pixels: their quotient is the mean,
        and several clips can be added up.
    """
    moved = delta_e(first, second)
    return {name: (float(moved[region].sum()), int(region.sum())) for name, region in regions.items()}


def monotonicity(paths: np.ndarray) -> float:
    """Share of steps along interpolations that go towards their end: about 0.5 for a random walk, 0 where nothing moves.

    Args:
        paths: (N, S, 2) mean a, b at S points along N interpolations between two codes.
    """
    paths = np.asarray(paths, np.float64)
    whole = paths[:, -1:] - paths[:, :1]
    return float(((np.diff(paths, axis=1) * whole).sum(-1) > 0).mean())
