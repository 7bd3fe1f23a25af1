"""Which colours sRGB can show: the largest chroma of each lightness and hue, and all integer (a, b) of a lightness."""

from functools import lru_cache

import cv2
import numpy as np
import torch

from toolkit.colors.lab import in_gamut
from toolkit.colors.lab_uint8 import lab_to_linear

LIMIT = 110
"""Integer grid of a and b: [-110, 110], the nominal range of the colorization network."""
_LIGHTNESS_STEPS, _HUE_STEPS = 200, 360
_TOLERANCE = 1e-4


@lru_cache(1)
def chroma_limits() -> np.ndarray:
    """Largest chroma in gamut, by bisection at constant lightness and hue.

    Returns:
        (201, 361) float32: lightness 0, 0.5 .. 100 by hue 0, 1 .. 360 degrees.
    """
    lightness = np.linspace(0, 100, _LIGHTNESS_STEPS + 1, dtype=np.float32)[:, None]
    hue = np.radians(np.linspace(0, 360, _HUE_STEPS + 1, dtype=np.float32))[None]
    shape = (lightness.size, hue.size)
    lab = np.empty((*shape, 3), np.float32)
    lab[..., 0] = lightness
    low, high = np.zeros(shape, np.float32), np.full(shape, 150, np.float32)
    for _ in range(12):
        middle = (low + high) / 2
        lab[..., 1], lab[..., 2] = middle * np.cos(hue), middle * np.sin(hue)
        linear = lab_to_linear(lab).reshape(*shape, 3)
        inside = (linear.min(-1) >= -_TOLERANCE) & (linear.max(-1) <= 1 + _TOLERANCE)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


def limit_chroma(lab: np.ndarray) -> np.ndarray:
    """Bring colours into gamut by reducing their chroma; lightness and hue stay.

    Clipping RGB instead would change the lightness, and with it folds and texture.

    Args:
        lab: (..., 3) float32.

    Returns:
        (..., 3) float32; colours within the gamut are returned as they are.
    """
    flat = lab.reshape(-1, 3)
    if not len(flat):
        return lab.copy()
    chroma, hue = cv2.cartToPolar(np.ascontiguousarray(flat[:, 1]), np.ascontiguousarray(flat[:, 2]), angleInDegrees=True)
    row = np.clip(flat[:, 0] * np.float32(_LIGHTNESS_STEPS / 100) + np.float32(.5), 0, _LIGHTNESS_STEPS).astype(np.int32)
    column = (hue.reshape(-1) * np.float32(_HUE_STEPS / 360) + np.float32(.5)).astype(np.int32)
    limit = chroma_limits().reshape(-1)[row * (_HUE_STEPS + 1) + column]
    factor = np.minimum(limit / np.maximum(chroma.reshape(-1), np.float32(1e-6)), 1)
    out = flat.copy()
    out[:, 1:] *= factor[:, None]
    return out.reshape(lab.shape)


def is_in_gamut(lightness: float, a: float, b: float) -> bool:
    """Whether 8-bit sRGB can show one colour, see :func:`toolkit.colors.lab.in_gamut`."""
    return bool(in_gamut(torch.tensor([lightness, a, b], dtype=torch.float64)))


@lru_cache(128)
def colors_of(lightness: int) -> np.ndarray:
    """All colours of a lightness on the integer grid of a and b that 8-bit sRGB can show.

    Args:
        lightness: whole number in 0..100.

    Returns:
        (N, 2) int16 of (a, b), read-only.
    """
    axis = torch.arange(-LIMIT, LIMIT + 1, dtype=torch.float32)
    ab = torch.cartesian_prod(axis, axis)
    lab = torch.cat([torch.full((len(ab), 1), float(lightness)), ab], 1)
    colors = ab[in_gamut(lab)].numpy().astype(np.int16)
    colors.setflags(write=False)
    return colors
