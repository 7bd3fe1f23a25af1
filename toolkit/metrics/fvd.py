"""Frechet video distance, given the weights of a feature network."""

import base64
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from toolkit.files import source_hash
from toolkit.metrics.base import ClipMetric, Definition, Measure, Summary
from toolkit.metrics.fid import frechet_distance_of
from toolkit.registry import METRICS
from toolkit.structures import InputError, MissingWeightsError, find_weights

WEIGHTS = 'i3d_torchscript.pt'
WINDOW = 16
SIDE = 224
ENOUGH = 256


class I3DFeatures:
    """The 400 logits of I3D, trained on Kinetics-400 (Carreira and Zisserman 2017), of the TorchScript file that StyleGAN-V published.

    Frames are resized to 224 x 224 (bilinear, no corners aligned, no antialiasing) and scaled to [-1, 1] here; the network is told to
    do neither.

    Args:
        weights: the file.
        device: where it computes.

    Raises:
        InputError: not such a file.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        self.device = device
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', FutureWarning)  # no other form of these weights is published
                self.network = torch.jit.load(str(weights), map_location=device).eval()
        except RuntimeError as error:
            raise InputError(f'{weights}: expected I3D as TorchScript ({str(error).splitlines()[0]})') from error

    @torch.no_grad()
    def __call__(self, videos: np.ndarray) -> np.ndarray:
        """(N, 16, H, W, 3) uint8 RGB -> (N, 400) float32."""
        out = []
        for video in videos:
            frames = torch.from_numpy(np.ascontiguousarray(video)).permute(0, 3, 1, 2).to(self.device, torch.float32)
            frames = interpolate(frames, (SIDE, SIDE), mode='bilinear', align_corners=False) / 127.5 - 1
            out.append(self.network(frames.transpose(0, 1)[None], rescale=False, resize=False, return_features=True))
        return torch.cat(out).float().cpu().numpy()


@METRICS.register_module()
class FVD(ClipMetric):
    """Frechet video distance (Unterthiner et al. 2018) between generated and real windows of all clips.

    Windows are 16 consecutive scored frames, one after the other without overlap; what is left at the end of a clip is not used. The
    distance is that of :func:`toolkit.metrics.fid.frechet_distance` of their features, covariances with N - 1. It is one number of all
    clips, without an interval, and far too high below about 256 windows: only equal sets of windows compare. Numbers of other codes do
    not compare with it; they differ in windows, resizing and features.

    Args:
        features: (N, 16, H, W, 3) uint8 -> (N, D); None takes :class:`I3DFeatures`. Without its weights FVD is 'n/a'.
        kwargs: of :class:`ClipMetric`.
    """

    default_prefix = 'fvd'
    needs_truth = True

    def __init__(self, features: Callable[[np.ndarray], np.ndarray] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        network = 'given features'
        self.features = features
        if features is None:
            try:
                path = find_weights(WEIGHTS)
                self.features, network = I3DFeatures(path, self.device), f'I3D logits, {path.name} {source_hash(path)[:8]}'
            except MissingWeightsError as error:
                self.missing, network = f'FVD: {error}', 'I3D logits'
        self.definitions = {'full': Definition(
            f'Frechet distance of features ({network}) of windows of {WINDOW} frames at {SIDE}x{SIDE}, generated to real; too high '
            f'below {ENOUGH} windows', 'lower', 'windows')}

    def update(self, state: dict, sample: dict) -> None:
        """Features of the windows that are whole; up to 15 frames are kept for the next part."""
        chosen = sample['scored']
        state['frames'] = state.get('frames', 0) + int(chosen.sum())
        for kind in ('generated', 'real'):
            rest = [*state.get(f'rest_{kind}', ()), *sample[kind][chosen]]
            while len(rest) >= WINDOW:
                state.setdefault(kind, []).append(self.features(np.stack(rest[:WINDOW])[None])[0].astype('<f4'))
                rest = rest[WINDOW:]
            state[f'rest_{kind}'] = [frame.copy() for frame in rest]

    def compute(self, state: dict) -> dict[str, Measure]:
        """Nothing: a single clip has no FVD."""
        return {'full': Measure(None, frames=state['frames'], reason='FVD is a number of all clips together')}

    def extra(self, state: dict) -> dict:
        """The clip's features as text."""
        if 'real' not in state:
            return {}
        both = np.stack([np.stack(state[kind]) for kind in ('generated', 'real')])
        return {'features': base64.b64encode(both.tobytes()).decode(), 'size': list(both.shape)}

    def summarize(self, rows: Sequence[dict], prefixed: bool = True) -> dict[str, Summary]:
        """The distance of all rows' windows."""
        (key, empty), = super().summarize(rows, prefixed).items()
        found = [np.frombuffer(base64.b64decode(row['features']), '<f4').reshape(row['size']) for row in rows if 'features' in row]
        generated, real = np.concatenate(found, 1).astype(np.float64) if found else np.zeros((2, 0, 1))
        if self.missing or len(real) < 2:
            reason = self.missing or f'fewer than two windows of {WINDOW} scored frames'
            return {key: Summary(**{**vars(empty), 'reason': reason})}
        return {key: Summary(
            value=frechet_distance_of(generated, real), ci=None, n_clips=len(found), n_frames=WINDOW * len(real), n_samples=len(real),
            unit=empty.unit, better=empty.better, definition=empty.definition, reason='', per_clip=empty.per_clip)}
