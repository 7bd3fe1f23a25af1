"""Which colors sRGB can show: the largest chroma of each lightness and hue, and all integer (a, b) of a lightness."""

from functools import lru_cache

import cv2
import numpy as np
import torch

from toolkit.colors.lab import in_gamut
from toolkit.colors.lab_uint8 import planes_to_linear

LIMIT = 110
"""Integer grid of a and b: [-110, 110], the nominal range of the colorization network."""
_LIGHTNESS_STEPS, _HUE_STEPS = 400, 360
_TOLERANCE = 1e-5


@lru_cache(1)
def chroma_limits() -> np.ndarray:
    """Largest chroma in gamut, by bisection at constant lightness and hue.

    Returns:
        (401, 361) float32: lightness 0, 0.25 .. 100 by hue 0, 1 .. 360 degrees.
    """
    lightness = np.linspace(0, 100, _LIGHTNESS_STEPS + 1, dtype=np.float32)
    hue = np.radians(np.linspace(0, 360, _HUE_STEPS + 1, dtype=np.float32))
    lightness, hue = (v.reshape(-1) for v in np.meshgrid(lightness, hue, indexing='ij'))
    direction = np.stack([np.cos(hue), np.sin(hue)])
    low, high = np.zeros_like(hue), np.full_like(hue, 150)
    for _ in range(12):
        middle = (low + high) / 2
        linear = planes_to_linear(np.concatenate([lightness[None], middle * direction]))
        inside = (linear.min(0) >= -_TOLERANCE) & (linear.max(0) <= 1 + _TOLERANCE)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low.reshape(_LIGHTNESS_STEPS + 1, _HUE_STEPS + 1)


@lru_cache(1)
def _safe_limits() -> np.ndarray:
    """Smallest limit at the corners of each cell of :func:`chroma_limits`, flat, rows of the same length."""
    limits = np.pad(chroma_limits(), ((0, 1), (0, 1)), mode='edge')
    return np.minimum(np.minimum(limits[:-1, :-1], limits[1:, :-1]), np.minimum(limits[:-1, 1:], limits[1:, 1:])).reshape(-1)


def limit_chroma(lab: np.ndarray) -> np.ndarray:
    """Bring colors into gamut by reducing their chroma; lightness and hue stay.

    Clipping RGB instead would change the lightness, and with it folds and texture.

    Args:
        lab: (3, N) float32 planes of Lab, changed in place. Colors within the gamut stay as they are, but at its border may
            lose a few per cent of their chroma.

    Returns:
        ``lab``.
    """
    if lab.shape[1]:
        chroma, hue = (v.reshape(-1) for v in cv2.cartToPolar(lab[1], lab[2], angleInDegrees=True))
        row = np.clip(lab[0] * np.float32(_LIGHTNESS_STEPS / 100), 0, _LIGHTNESS_STEPS).astype(np.int64)
        column = (hue * np.float32(_HUE_STEPS / 360)).astype(np.int64)
        limit = _safe_limits().take(row * (_HUE_STEPS + 1) + column)
        lab[1:] *= np.minimum(limit / np.maximum(chroma, np.float32(1e-6)), 1)
    return lab


def is_in_gamut(lightness: float, a: float, b: float) -> bool:
    """Whether 8-bit sRGB can show one color, see :func:`toolkit.colors.lab.in_gamut`."""
    return bool(in_gamut(torch.tensor([lightness, a, b], dtype=torch.float64)))


@lru_cache(128)
def colors_of(lightness: int) -> np.ndarray:
    """All colors (N, 2) int16, read-only, of a whole lightness in 0..100 on the grid of a and b that 8-bit sRGB can show."""
    axis = torch.arange(-LIMIT, LIMIT + 1, dtype=torch.float32)
    ab = torch.cartesian_prod(axis, axis)
    lab = torch.cat([torch.full((len(ab), 1), float(lightness)), ab], 1)
    colors = ab[in_gamut(lab)].numpy().astype(np.int16)
    colors.setflags(write=False)
    return colors
