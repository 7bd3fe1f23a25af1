"""Mean absolute difference."""

import numpy as np

from toolkit.metrics.pictures import PictureMetric, check_pair
from toolkit.registry import METRICS


def l1(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Mean absolute difference over all pixels and channels of a picture.

    Args:
        generated, real: (N, H, W, 3) uint8.

    Returns:
        (N,) float64 in 0..255. Lower is better.

    Raises:
        TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`.
    """
    check_pair(generated, real)
    return np.array([np.abs(g.astype(np.int16) - r).mean() for g, r in zip(generated, real)], np.float64)


@METRICS.register_module()
class L1(PictureMetric):
    """:func:`l1` per frame, mean over the frames of a clip, then over clips."""

    default_prefix = 'l1'
    better = 'lower'
    text = 'mean absolute difference in levels of 0..255, RGB, per frame'

    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """(N,) in 0..255."""
        return l1(generated, real)
