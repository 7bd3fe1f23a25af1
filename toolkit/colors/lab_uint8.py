"""Fast conversion between 8-bit sRGB and Lab in numpy, for recoloring frames on a CPU. Same constants as :mod:`toolkit.colors.lab`.

Planes, (3, N), are computed on: numpy is several times faster on them than on interleaved channels.
"""

import cv2
import numpy as np

from toolkit.colors.lab import FROM_XYZ, TO_XYZ, WHITE

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS > .04045, ((_LEVELS + .055) / 1.055)**2.4, _LEVELS / 12.92).astype(np.float32)
_TO_XYZ = (np.array(TO_XYZ) / np.array(WHITE)[:, None]).astype(np.float32)
_FROM_XYZ = (np.array(FROM_XYZ) * np.array(WHITE)).astype(np.float32)
_STEPS = 65535
_RAMP = np.arange(_STEPS + 1) / _STEPS
_GAMMA = np.rint(255 * np.where(_RAMP > .0031308, 1.055 * _RAMP**(1 / 2.4) - .055, 12.92 * _RAMP)).astype(np.uint8)


def rgb8_to_planes(rgb: np.ndarray) -> np.ndarray:
    """Convert 8-bit sRGB pixels to planes of Lab.

    Args:
        rgb: (N, 3) uint8.

    Returns:
        (3, N) float32 L in [0, 100], a, b.
    """
    if not len(rgb):
        return np.zeros((3, 0), np.float32)
    xyz = _TO_XYZ @ cv2.LUT(np.ascontiguousarray(rgb.T), _LINEAR)
    f = np.cbrt(xyz)
    dark = xyz <= np.float32(.008856)
    if dark.any():
        np.copyto(f, xyz * np.float32(7.787) + np.float32(16 / 116), where=dark)
    lab = np.empty_like(f)
    np.multiply(f[1], 116, out=lab[0])
    lab[0] -= 16
    np.multiply(f[0] - f[1], 500, out=lab[1])
    np.multiply(f[1] - f[2], 200, out=lab[2])
    return lab


def planes_to_linear(lab: np.ndarray) -> np.ndarray:
    """Linear RGB (3, N) float32 of planes of Lab (3, N) float32; outside of [0, 1] where sRGB cannot show the color."""
    f = np.empty_like(lab)
    np.multiply(lab[0] + 16, np.float32(1 / 116), out=f[1])
    np.add(lab[1] * np.float32(1 / 500), f[1], out=f[0])
    np.maximum(f[1] - lab[2] * np.float32(1 / 200), 0, out=f[2])
    xyz = f * f * f
    dark = f <= np.float32(.2068966)
    if dark.any():
        np.copyto(xyz, (f - np.float32(16 / 116)) * np.float32(1 / 7.787), where=dark)
    return _FROM_XYZ @ xyz


def linear_to_rgb8(linear: np.ndarray) -> np.ndarray:
    """8-bit sRGB (N, 3) of planes of linear RGB (3, N) float32, clipped to [0, 1].

    It differs from exact rounding by at most one level, in few pixels.
    """
    index = np.clip(linear * np.float32(_STEPS) + np.float32(.5), 0, _STEPS).astype(np.int64)
    return np.ascontiguousarray(_GAMMA.take(index).T)


def rgb8_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Lab (..., 3) float32, L in [0, 100], of 8-bit sRGB (..., 3)."""
    return np.ascontiguousarray(rgb8_to_planes(rgb.reshape(-1, 3)).T).reshape(rgb.shape)


def lab_to_rgb8(lab: np.ndarray) -> np.ndarray:
    """8-bit sRGB (..., 3) of Lab; what sRGB cannot show is clipped (see :func:`toolkit.colors.gamut.limit_chroma`)."""
    planes = np.ascontiguousarray(lab.reshape(-1, 3).T, np.float32)
    return linear_to_rgb8(planes_to_linear(planes)).reshape(lab.shape)
