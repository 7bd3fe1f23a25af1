"""How sharp the generated person is, compared with the real one."""

import cv2
import numpy as np

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.registry import METRICS

FLAT = 'the real frames are flat inside the mask: sharpness has no reference'


def laplacian_strength(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean absolute Laplacian (N,) float64, in levels of 0..255, of the luma inside a mask.

    Frames are (N, H, W, 3) uint8 RGB, masks (N, H, W) bool, none empty.
    """
    luma = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames)
    return np.array([np.abs(cv2.Laplacian(y, cv2.CV_32F))[m].mean(dtype=np.float64) for y, m in zip(luma, mask)])


@METRICS.register_module()
class Sharpness(ClipMetric):
    """Mean :func:`laplacian_strength` in the true mask, generated / real, mean over clips: finds the blur that PSNR and L1 reward."""

    default_prefix = 'sharpness'
    needs_truth = True

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.definitions = {'person': Definition(
            'mean |Laplacian| of luma inside the true mask, generated / real; blur is below 1', 'one')}

    def update(self, state: dict, sample: dict) -> None:
        """Strengths of the frames that show a person."""
        chosen = sample['scored'] & sample['mask'].any((1, 2))
        for key in ('generated', 'real'):
            state.setdefault(key, []).append(laplacian_strength(sample[key][chosen], sample['mask'][chosen]))

    def compute(self, state: dict) -> dict[str, Measure]:
        """The clip's ratio."""
        generated, real = (np.concatenate(state[key]) for key in ('generated', 'real'))
        if not len(real):
            return {'person': Measure(None, reason='no scored frame shows a person (empty masks)')}
        if real.mean() == 0:
            return {'person': Measure(None, reason=FLAT)}
        return {'person': Measure(float(generated.mean() / real.mean()), len(real))}
