"""Structural similarity, on one scale and on five."""

import numpy as np
import pytorch_msssim
import torch

from toolkit.metrics.pictures import PictureMetric, in_chunks
from toolkit.registry import METRICS

WINDOW = 11
MS_SSIM_SIDE = (WINDOW - 1) * 2**4


def ssim(generated: np.ndarray, real: np.ndarray, device: torch.device | str = 'cpu') -> np.ndarray:
    """Structural similarity (Wang et al. 2004).

    Gaussian window of 11 pixels, sigma 1.5, only where it lies inside the picture; K1 = 0.01, K2 = 0.03; data range 255; mean over
    pixels and RGB channels, no luma conversion.

    Args:
        generated, real: (N, H, W, 3) uint8, sides of at least 11 pixels.
        device: where to compute.

    Returns:
        (N,) float64 in [-1, 1], 1 for equal pictures. Higher is better.

    Raises:
        TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`; a side below 11.
    """
    if min(real.shape[1:3]) < WINDOW:
        raise ValueError(f'SSIM needs sides of at least {WINDOW} px, got {real.shape[1]}x{real.shape[2]}')
    return in_chunks(lambda g, r: pytorch_msssim.ssim(g, r, data_range=255, size_average=False), generated, real, device=device)


def ms_ssim(generated: np.ndarray, real: np.ndarray, device: torch.device | str = 'cpu') -> np.ndarray:
    """Multi-scale structural similarity (Wang et al. 2003).

    Five scales with weights .0448 .2856 .3001 .2363 .1333, 2x2 average pooling between them, the window of :func:`ssim`; negative
    contrast-structure terms count as 0 (else their powers are not numbers); data range 255; mean over RGB channels.

    Args:
        generated, real: (N, H, W, 3) uint8, sides above 160 pixels.
        device: where to compute.

    Returns:
        (N,) float64 in [0, 1], 1 for equal pictures. Higher is better.

    Raises:
        TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`; a side that is not above 160.
    """
    if min(real.shape[1:3]) <= MS_SSIM_SIDE:
        raise ValueError(f'MS-SSIM needs sides above {MS_SSIM_SIDE} px, got {real.shape[1]}x{real.shape[2]}')
    return in_chunks(lambda g, r: pytorch_msssim.ms_ssim(g, r, data_range=255, size_average=False), generated, real, device=device)


@METRICS.register_module()
class SSIM(PictureMetric):
    """:func:`ssim` per frame, mean over the frames of a clip, then over clips."""

    default_prefix = 'ssim'
    text = 'SSIM, Gaussian window 11, sigma 1.5, valid, data range 255, mean over RGB, per frame'

    def unfit(self, height: int, width: int) -> str:
        """Sides below the window cannot be measured."""
        return '' if min(height, width) >= WINDOW else f'SSIM needs sides of at least {WINDOW} px, got {height}x{width}'

    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """(N,) in [-1, 1]."""
        return ssim(generated, real, self.device)


@METRICS.register_module()
class MSSSIM(PictureMetric):
    """:func:`ms_ssim` per frame, mean over the frames of a clip, then over clips; 'n/a' for sides of 160 pixels or less."""

    default_prefix = 'ms_ssim'
    text = 'MS-SSIM, 5 scales, Gaussian window 11, sigma 1.5, data range 255, mean over RGB, per frame'

    def unfit(self, height: int, width: int) -> str:
        """Five scales of an 11-pixel window need a side above 160."""
        return '' if min(height, width) > MS_SSIM_SIDE else f'MS-SSIM needs a side above {MS_SSIM_SIDE} px, got {height}x{width}'

    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """(N,) in [0, 1]."""
        return ms_ssim(generated, real, self.device)
