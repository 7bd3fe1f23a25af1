"""Peak signal-to-noise ratio."""

import numpy as np

from toolkit.metrics.pictures import PictureMetric, check_pair
from toolkit.registry import METRICS

CAP = 100.0


def psnr(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio, ``10 log10(255^2 / MSE)``, MSE over all pixels and channels of a picture.

    Args:
        generated, real: (N, H, W, 3) uint8.

    Returns:
        (N,) float64 in dB; infinite for equal pictures. Higher is better.

    Raises:
        TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`.

    Example:
        >>> a = np.zeros((1, 8, 8, 3), np.uint8)
        >>> round(float(psnr(a, a + 255)[0]), 6)
        0.0
    """
    check_pair(generated, real)
    error = np.array([np.square(g.astype(np.float32) - r).mean(dtype=np.float64) for g, r in zip(generated, real)])
    with np.errstate(divide='ignore'):
        return 10 * np.log10(255.0**2 / error)


@METRICS.register_module()
class PSNR(PictureMetric):
    """:func:`psnr` per frame, mean over the frames of a clip, then over clips; equal frames count as 100 dB."""

    default_prefix = 'psnr'
    text = f'10 log10(255^2/MSE) in dB, RGB, per frame, at most {CAP:.0f}'

    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """(N,) in dB."""
        return np.minimum(psnr(generated, real), CAP)
