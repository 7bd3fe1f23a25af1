"""Recoloring without weights: shift the region's mean color, keep part of its variation."""

import numpy as np

from toolkit.colors.anchors import Hints
from toolkit.registry import COLORIZERS


@COLORIZERS.register_module()
class LabShift:
    """``ab' = target + kappa * (ab - mean of the region)``; prints, seams and stripes stay visible, L is not touched.

    Args:
        kappa: how much of the original color variation is kept; 0 paints the region in one color.

    """

    name = 'LabShift'
    version = '1'
    pointwise = True

    def __init__(self, kappa: float = .6):
        self.kappa = kappa

    def __call__(self, lab: np.ndarray, weight: np.ndarray, target_ab: tuple[float, float], hints: Hints) -> np.ndarray:
        """Recolor as :mod:`toolkit.colors` says.

        Of the hints only ``region_ab`` is used, the mean color of the region over the clip; None takes the mean of this frame.
        """
        ab = lab[..., 1:]
        mean = hints.region_ab if hints.region_ab is not None else np.tensordot(weight, ab, 2) / max(float(weight.sum()), 1e-6)
        offset = np.asarray(target_ab, np.float32) - np.float32(self.kappa) * np.asarray(mean, np.float32)
        return ab * np.float32(self.kappa) + offset
