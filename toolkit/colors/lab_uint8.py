"""Fast conversion between 8-bit sRGB and Lab in numpy, for recolouring frames on a CPU. Same constants as :mod:`toolkit.colors.lab`."""

import cv2
import numpy as np

from toolkit.colors.lab import FROM_XYZ, TO_XYZ, WHITE

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS > .04045, ((_LEVELS + .055) / 1.055)**2.4, _LEVELS / 12.92).astype(np.float32)
_TO_XYZ = (np.array(TO_XYZ) / np.array(WHITE)[:, None]).T.astype(np.float32)
_FROM_XYZ = (np.array(FROM_XYZ) * np.array(WHITE)).T.astype(np.float32)
_STEPS = 65535
_RAMP = np.arange(_STEPS + 1) / _STEPS
_GAMMA = np.rint(255 * np.where(_RAMP > .0031308, 1.055 * _RAMP**(1 / 2.4) - .055, 12.92 * _RAMP)).astype(np.uint8)


def rgb8_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert 8-bit sRGB to Lab.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (..., 3) float32 L in [0, 100], a, b; within 0.002 of the exact value.
    """
    xyz = _LINEAR[rgb.reshape(-1, 3)] @ _TO_XYZ
    f = cv2.pow(xyz, 1 / 3) if len(xyz) else xyz
    dark = xyz <= .008856
    if dark.any():
        f[dark] = 7.787 * xyz[dark] + np.float32(16 / 116)
    lab = np.empty_like(f)
    lab[:, 0] = 116 * f[:, 1] - 16
    lab[:, 1] = 500 * (f[:, 0] - f[:, 1])
    lab[:, 2] = 200 * (f[:, 1] - f[:, 2])
    return lab.reshape(rgb.shape)


def lab_to_linear(lab: np.ndarray) -> np.ndarray:
    """Convert Lab to linear RGB without clipping.

    Args:
        lab: (..., 3) float.

    Returns:
        (..., 3) float32; outside of [0, 1] where sRGB cannot show the colour.
    """
    lab = lab.reshape(-1, 3).astype(np.float32, copy=False)
    f = np.empty_like(lab)
    f[:, 1] = (lab[:, 0] + 16) / 116
    f[:, 0] = f[:, 1] + lab[:, 1] / 500
    f[:, 2] = np.maximum(f[:, 1] - lab[:, 2] / 200, 0)
    xyz = f * f * f
    dark = f <= .2068966
    if dark.any():
        xyz[dark] = (f[dark] - np.float32(16 / 116)) / np.float32(7.787)
    return xyz @ _FROM_XYZ


def lab_to_rgb8(lab: np.ndarray) -> np.ndarray:
    """Convert Lab to 8-bit sRGB; what sRGB cannot show is clipped (see :func:`toolkit.colors.gamut.limit_chroma`).

    Args:
        lab: (..., 3) float.

    Returns:
        (..., 3) uint8; differs from exact rounding by at most one level, in few pixels.
    """
    linear = np.clip(lab_to_linear(lab) * np.float32(_STEPS) + np.float32(.5), 0, _STEPS)
    return _GAMMA[linear.astype(np.int32)].reshape(lab.shape)
