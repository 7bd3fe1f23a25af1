"""CIE L*a*b* (D65) to and from sRGB, and which colors sRGB can show. Differentiable, on any device.

Same constants as scikit-image. Ranges: L in [0, 100]; a and b of sRGB colors lie within about [-86, 98] and [-108, 95].
"""

import torch
from torch import Tensor

TO_XYZ = ((.412453, .357580, .180423), (.212671, .715160, .072169), (.019334, .119193, .950227))
FROM_XYZ = ((3.24048134, -1.53715152, -.49853633), (-.96925495, 1.87599, .04155593), (.05564664, -.20404134, 1.05731107))
WHITE = (.95047, 1., 1.08883)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Lab (..., 3), L in [0, 100], of sRGB (..., 3) float in [0, 1]."""
    linear = torch.where(rgb > .04045, ((rgb.clamp_min(.04045) + .055) / 1.055)**2.4, rgb / 12.92)
    xyz = linear @ rgb.new_tensor(TO_XYZ).T / rgb.new_tensor(WHITE)
    f = torch.where(xyz > .008856, xyz.clamp_min(.008856)**(1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """sRGB (..., 3) in [0, 1], clipped to what sRGB can show, of Lab (..., 3)."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    f = torch.stack([a / 500 + y, y, (y - b / 200).clamp_min(0)], -1)
    xyz = torch.where(f > .2068966, f**3, (f - 16 / 116) / 7.787) * lab.new_tensor(WHITE)
    linear = (xyz @ lab.new_tensor(FROM_XYZ).T).clamp_min(0)
    rgb = torch.where(linear > .0031308, 1.055 * linear.clamp_min(.0031308)**(1 / 2.4) - .055, 12.92 * linear)
    return rgb.clamp(0, 1)


def lightness_to_gray(lightness: Tensor) -> Tensor:
    """The gray (...) in [0, 1] of sRGB that has the lightness (...) in [0, 100]."""
    f = (lightness + 16) / 116
    y = torch.where(f > .2068966, f**3, (f - 16 / 116) / 7.787).clamp_min(0)
    return torch.where(y > .0031308, 1.055 * y.clamp_min(.0031308)**(1 / 2.4) - .055, 12.92 * y).clamp(0, 1)


def in_gamut(lab: Tensor) -> Tensor:
    """Whether 8-bit sRGB can show Lab colors (..., 3), (...) bool.

    The round trip through clipped, rounded sRGB then moves them by a dE76 below 1. Source: interactive-deep-colorization (Zhang et
    al. 2017).
    """
    return (rgb_to_lab((lab_to_rgb(lab) * 255).round() / 255) - lab).norm(dim=-1) < 1
