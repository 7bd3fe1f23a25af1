"""How near estimated feature maps, stick figure and edges, are to those of the real frames."""

import cv2
import numpy as np

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.registry import METRICS

EDGE_THRESHOLD = 0.2


def edge_f1(estimated: np.ndarray, real: np.ndarray, threshold: float = EDGE_THRESHOLD, tolerance: float = 0.0) -> np.ndarray:
    """F1 of edge pixels.

    Precision is the share of estimated edge pixels that have a real one within ``tolerance``, recall the share of real ones that have
    an estimated one; F1 is their harmonic mean. Pixels are not matched one to one.

    Args:
        estimated: (N, H, W) uint8 edge maps.
        real: (N, H, W) uint8.
        threshold: share of 255 above which a pixel is an edge.
        tolerance: Euclidean distance in pixels; 0 compares pixel with pixel.

    Returns:
        (N,) float64 in [0, 1], higher is better; 1 where neither has an edge, 0 where only one has.

    Raises:
        ValueError: shapes differ.
    """
    if estimated.shape != real.shape or real.ndim != 3:
        raise ValueError(f'edge maps must be two (N, H, W) of one shape, got {estimated.shape} and {real.shape}')
    return np.array([_f1(e > 255 * threshold, r > 255 * threshold, tolerance) for e, r in zip(estimated, real)], np.float64)


def _f1(estimated: np.ndarray, real: np.ndarray, tolerance: float) -> float:
    if not estimated.any() or not real.any():
        return float(estimated.any() == real.any())
    precision, recall = _found(estimated, real, tolerance), _found(real, estimated, tolerance)
    return 2 * precision * recall / max(precision + recall, 1e-12)


def _found(these: np.ndarray, among: np.ndarray, tolerance: float) -> float:
    distance = cv2.distanceTransform((~among).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[these] <= tolerance + 1e-3).mean())


@METRICS.register_module()
class FeatureMapError(ClipMetric):
    """L1 and edge F1 of the maps in ``features`` against ``real_features``, both (T, H, W, 4) uint8.

    Args:
        threshold: share of 255 above which a pixel is an edge.
        tolerance: of the tolerant F1, as a share of the frame's diagonal; 0.0075 is the one of the Berkeley benchmark.
        kwargs: of :class:`toolkit.metrics.base.ClipMetric`.
    """

    default_prefix = 'features'

    def __init__(self, threshold: float = EDGE_THRESHOLD, tolerance: float = 0.0075, **kwargs) -> None:
        super().__init__(**kwargs)
        self.threshold, self.tolerance = threshold, tolerance
        where = 'levels of 0..255, whole frame'
        what = f'F1 of edge pixels (above {threshold} of 255), per frame'
        self.definitions = {
            'l1': Definition(f'mean absolute difference over all four channels, {where}', 'lower'),
            'pose_l1': Definition(f'mean absolute difference of the stick figure, {where}', 'lower'),
            'edge_l1': Definition(f'mean absolute difference of the edge channel, {where}', 'lower'),
            'edge_f1': Definition(f'{what}, pixel against pixel', 'higher'),
            'edge_f1_near': Definition(f'{what}, found within {tolerance} of the diagonal', 'higher')}

    def update(self, state: dict, sample: dict) -> None:
        """Differences of the scored frames: sums, which are exact, and a value a frame where the frame is what counts."""
        if 'features' not in sample or not sample['scored'].any():
            return
        estimated, real = sample['features'][sample['scored']], sample['real_features'][sample['scored']]
        difference = np.abs(estimated.astype(np.int16) - real)
        edges = estimated[..., 3], real[..., 3], self.threshold
        near = self.tolerance * float(np.hypot(*real.shape[1:3]))
        for key, values in (('l1', difference), ('pose_l1', difference[..., :3]), ('edge_l1', difference[..., 3])):
            total, count = state.get(key, (0, 0))
            state[key] = total + int(values.sum(dtype=np.int64)), count + values.size
        for key, values in (('edge_f1', edge_f1(*edges)), ('edge_f1_near', edge_f1(*edges, near))):
            state.setdefault(key, []).append(values)

    def compute(self, state: dict) -> dict[str, Measure]:
        """Means over the scored frames."""
        if not state:
            return {key: Measure(None, reason='the model gives no feature maps') for key in self.definitions}
        values = {key: np.concatenate(state[key]) for key in ('edge_f1', 'edge_f1_near')}
        means = {key: total / count for key, (total, count) in ((key, state[key]) for key in ('l1', 'pose_l1', 'edge_l1'))}
        means |= {key: float(v.mean()) for key, v in values.items()}
        return {key: Measure(means[key], len(values['edge_f1'])) for key in self.definitions}
