"""Frechet inception distance, where the published Inception weights are at hand."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from toolkit.metrics.base import ClipMetric, Definition, Measure, Summary
from toolkit.registry import METRICS
from toolkit.structures import InputError, MissingWeightsError, find_weights, spread

WEIGHTS = ('weights-inception-2015-12-05-6726825d.pth', 'pt_inception-2015-12-05-6726825d.pth')
"""The one published file under the names of its two hosts."""
FEATURES = 2048
ENOUGH = 2048
CHUNK = 16


def frechet_distance(mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray) -> float:
    r"""Squared Frechet distance of two normal distributions (Dowson and Landau 1982).

    :math:`|m_a - m_b|^2 + \mathrm{tr}(C_a + C_b - 2 (C_a C_b)^{1/2})`. The trace of the root is the sum of the square roots of the
    eigenvalues of :math:`C_a^{1/2} C_b C_a^{1/2}`, a symmetric matrix, which stays accurate for singular covariances.

    Args:
        mean_a, mean_b: (D,).
        covariance_a, covariance_b: (D, D) symmetric, positive semi-definite.

    Returns:
        At least 0 but for rounding; 0 for equal distributions.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)).sum()
    return float(np.square(mean_a - mean_b).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross)


def frechet_distance_of(a: np.ndarray, b: np.ndarray) -> float:
    """:func:`frechet_distance` of two sets of features (N, D) and (M, D), N and M at least 2."""
    return frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


class InceptionFeatures:
    """The 2,048 pooled features of the Inception network that FID is defined by, as torch-fidelity computes them.

    Args:
        weights: file of the published weights.
        device: where it computes.

    Raises:
        ImportError: torch-fidelity is not installed.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        self.device = device
        self.network = FeatureExtractorInceptionV3(
            'inception-v3-compat', [str(FEATURES)], feature_extractor_weights_path=str(weights)).to(device).eval()

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) uint8 RGB -> (N, 2048) float32; the network enlarges pictures to 299x299 itself."""
        chunks = [torch.from_numpy(np.ascontiguousarray(frames[i:i + CHUNK])).permute(0, 3, 1, 2).to(self.device)
                  for i in range(0, len(frames), CHUNK)]
        return torch.cat([self.network(chunk)[0] for chunk in chunks]).float().cpu().numpy()


def find_features(device: torch.device) -> tuple[Callable | None, str]:
    """:class:`InceptionFeatures`, or None and why they are not to be had."""
    try:
        weights = find_weights(*WEIGHTS)
        return InceptionFeatures(weights, device), ''
    except MissingWeightsError as error:
        return None, f'FID: {error}'
    except ImportError as error:
        return None, f"FID needs torch-fidelity: pip install 'human-video-toolkit[fid]' ({error})"


@METRICS.register_module()
class FID(ClipMetric):
    """Frechet inception distance (Heusel et al. 2017) between all generated frames of a direction and the target's training frames.

    It is one number of all clips: there is none of a single clip and no interval, and with both directions together it is the mean of
    the two. Below about 2,048 frames it is too high by an amount that depends on the number of frames, so that only equal sets compare.
    Whole frames are compared, background included.

    Args:
        features: frames (N, H, W, 3) uint8 -> (N, D); None takes :class:`InceptionFeatures`. Without its weights FID is 'n/a'.
        frames: training frames of each person, at most, spread evenly.
        kwargs: of :class:`ClipMetric`.

    Raises:
        InputError: fewer than two ``frames``, which have no covariance.
    """

    default_prefix = 'fid'
    needs_domains = True

    def __init__(self, features: Callable[[np.ndarray], np.ndarray] | None = None, frames: int = 5000, **kwargs) -> None:
        super().__init__(**kwargs)
        if frames < 2:
            raise InputError(f'FID: frames must be at least 2, got {frames}')
        self.features, self.unavailable = (features, '') if features else find_features(self.device)
        self.frames = frames
        self.domains: dict[str, np.ndarray] = {}
        self.missing = self.unavailable or 'no training frames of the two persons were shown to this metric'
        self.definitions = {'full': Definition(
            f'Frechet distance of Inception features, all generated frames to training frames of the target person, whole frames; too '
            f'high below {ENOUGH} frames', 'lower')}

    def fit(self, domains: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> None:
        """Compute the features of both persons' training frames, see :meth:`ClipMetric.fit`."""
        if self.unavailable:
            return
        for name, frames in domains.items():
            places = spread(len(frames), self.frames)
            parts = [self.features(np.stack([frames[i][0] for i in places[start:start + CHUNK]]))
                     for start in range(0, len(places), CHUNK)]
            self.domains[name] = np.concatenate(parts).astype(np.float64)
        self.missing = ''

    def update(self, state: dict, sample: dict) -> None:
        """Features of the scored frames, 8 KiB each."""
        state['frames'] = state.get('frames', 0) + int(sample['scored'].sum())
        if 'direction' in sample and sample['scored'].any():
            state.setdefault('features', []).append(self.features(sample['generated'][sample['scored']]).astype('<f4'))

    def compute(self, state: dict) -> dict[str, Measure]:
        """Nothing: a single clip has no FID."""
        return {'full': Measure(None, frames=state['frames'], reason='FID is a number of all clips together')}

    def extra(self, state: dict) -> dict:
        """The clip's features as text."""
        if 'features' not in state:
            return {}
        features = np.concatenate(state['features'])
        return {'features': base64.b64encode(features.tobytes()).decode(), 'size': list(features.shape)}

    def summarize(self, rows: Sequence[dict], prefixed: bool = True) -> dict[str, Summary]:
        """The distance of all rows' frames: of each direction, then their mean."""
        (key, empty), = super().summarize(rows, prefixed).items()
        by_target: dict[str, list[np.ndarray]] = {}
        for row in rows:
            if 'features' in row:
                values = np.frombuffer(base64.b64decode(row['features']), '<f4').reshape(row['size'])
                by_target.setdefault(row['group'][1], []).append(values.astype(np.float64))
        sets = {target: np.concatenate(values) for target, values in by_target.items()}
        if self.missing or min((len(found) for target in sets for found in (sets[target], self.domains[target])), default=0) < 2:
            reason = self.missing or 'fewer than two scored frames of a direction, or fewer than two training frames of its target'
            return {key: Summary(**{**vars(empty), 'reason': reason})}
        value = np.mean([frechet_distance_of(values, self.domains[target]) for target, values in sets.items()])
        clips, frames = sum('features' in row for row in rows), sum(map(len, sets.values()))
        return {key: Summary(
            value=float(value), ci=None, n_clips=clips, n_frames=frames, n_samples=frames, unit='frames', better=empty.better,
            definition=empty.definition, reason='', per_clip=empty.per_clip)}
