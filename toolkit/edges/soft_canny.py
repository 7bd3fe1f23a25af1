"""Edge detector without weights: thinned gradient magnitude."""

import cv2
import numpy as np

from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError


@EDGE_DETECTORS.register_module()
class SoftCanny:
    """Continuous edge strength from luminance gradients, thinned to ridges; the default where no weights are at hand.

    Strength is the gradient magnitude of the Gaussian-smoothed luminance, divided by a high percentile of the frame. Thinning keeps
    strength only where it has a ridge across the edge: it is limited by the (negative) second derivative along the gradient, so
    that lines get thin but keep continuous values, unlike hard non-maximum suppression.

    Args:
        sigma: standard deviation of the smoothing in pixels.
        percentile: the strength that becomes 1, in per cent of the frame's pixels.
        thin: thin edges to ridges; False gives the plain gradient magnitude.
        knee: lifts weak edges (face, folds) next to strong ones, e -> e (1 + knee) / (e + knee); None = proportional to the gradient.
        noise: share of the largest strength that is subtracted first, so that noise is not lifted.
        min_strength: lower bound of the divisor in gray levels per pixel, so that noise of an empty frame is not blown up.

    Raises:
        InputError: an option out of range, or frames that are not (T, H, W, 3) uint8.
    """

    name = 'SoftCanny'
    version = '1'

    def __init__(self, sigma: float = 1.0, percentile: float = 99.0, thin: bool = True, knee: float | None = 0.5, noise: float = 0.03,
                 min_strength: float = 8.0) -> None:
        if sigma <= 0 or not 0 < percentile <= 100 or (knee is not None and knee <= 0) or not 0 <= noise < 1 or min_strength <= 0:
            raise InputError('SoftCanny needs sigma > 0, 0 < percentile <= 100, knee > 0 or None, 0 <= noise < 1 and min_strength > 0, '
                             f'got sigma={sigma}, percentile={percentile}, knee={knee}, noise={noise}, min_strength={min_strength}')
        self.sigma, self.percentile, self.thin, self.knee, self.noise = sigma, percentile, thin, knee, noise
        self.min_strength = min_strength

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Edges (T, H, W) float32 in [0, 1] of frames (T, H, W, 3) uint8 RGB."""
        check_frames(frames)
        return np.stack([self._edges(frame) for frame in frames]) if len(frames) else np.zeros(frames.shape[:3], np.float32)

    def _edges(self, frame: np.ndarray) -> np.ndarray:
        gray = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), self.sigma)
        gx, gy = cv2.Scharr(gray, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(gray, cv2.CV_32F, 0, 1, scale=1 / 32)
        strength = cv2.magnitude(gx, gy)
        if self.thin:
            strength = cv2.min(strength, self._ridge(strength, gx, gy))
        sample = np.ascontiguousarray(strength[::2, ::2]).reshape(-1)
        rank = min(int(len(sample) * self.percentile / 100), len(sample) - 1)
        top = max(float(np.partition(sample, rank)[rank]), self.min_strength)
        gain = 1 / (top * (1 - self.noise))
        share = cv2.min(cv2.max(cv2.addWeighted(strength, gain, strength, 0, -self.noise / (1 - self.noise)), 0), 1)
        return share if self.knee is None else cv2.divide(share, share + np.float32(self.knee), scale=1 + self.knee)

    @staticmethod
    def _ridge(strength: np.ndarray, gx: np.ndarray, gy: np.ndarray) -> np.ndarray:
        """Minus twice the second derivative of the strength along the gradient, at least 0."""
        along = cv2.multiply(cv2.Sobel(strength, cv2.CV_32F, 2, 0, ksize=1), cv2.multiply(gx, gx))
        along += cv2.multiply(cv2.Sobel(strength, cv2.CV_32F, 0, 2, ksize=1), cv2.multiply(gy, gy))
        along += cv2.multiply(cv2.Sobel(strength, cv2.CV_32F, 1, 1, ksize=3, scale=1 / 2), cv2.multiply(gx, gy))
        squared = cv2.multiply(strength, strength)
        squared += np.float32(1e-6)
        return cv2.max(cv2.divide(along, squared, scale=-2), 0)


def check_frames(frames: np.ndarray) -> None:
    """Check that frames are (T, H, W, 3) uint8.

    Raises:
        InputError: they are not.
    """
    if not isinstance(frames, np.ndarray) or frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        what = f'{frames.dtype} {frames.shape}' if isinstance(frames, np.ndarray) else type(frames).__name__
        raise InputError(f'frames must be (T, H, W, 3) uint8 RGB, got {what}; add a first axis for a single frame')
