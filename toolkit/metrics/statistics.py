"""Means over clips with their uncertainty."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def bootstrap_ci(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean (Efron 1979), the same on every call.

    Clips, not frames, are resampled: frames of one clip are alike, so that an interval over frames would be far too narrow.

    Args:
        values: (N,) one value per clip.
        confidence: probability that the interval covers the mean, in (0, 1).
        seed: of the resampling.

    Returns:
        Lower and upper end, or None for fewer than two values: one clip says nothing about how clips differ.

    Raises:
        ValueError: ``confidence`` outside (0, 1).

    Example:
        >>> low, high = bootstrap_ci([1.0, 2.0, 3.0])
        >>> 1.0 <= low < 2.0 < high <= 3.0
        True
    """
    if not 0 < confidence < 1:
        raise ValueError(f'confidence must be between 0 and 1, got {confidence}')
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return None
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values[draws].mean(1), (tail, 1 - tail))
    return float(low), float(high)
