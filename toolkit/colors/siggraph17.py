"""Recoloring with the user-guided colorization network, for users who have its published weights."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from toolkit.colors.anchors import Hints
from toolkit.colors.siggraph17_network import MULTIPLE, SIGGRAPH17Network
from toolkit.network_files import network_config
from toolkit.registry import COLORIZERS
from toolkit.structures import InputError, find_weights
from toolkit.weights import check_state, read_checkpoint

MASK_CENTERS = {'caffemodel.pth': 0., 'pytorch.pth': .5, 'siggraph17-df00044c.pth': 0.}
"""Published files, best first, and what each subtracts from its hint mask: 0 if converted from Caffe, 0.5 if trained again."""


@COLORIZERS.register_module()
class SIGGRAPH17:
    """Colors from the lightness picture and hints at joints (Zhang et al. 2017).

    Args:
        weights: name or path of a weight file; None looks for the published ones. ``pytorch.pth`` is known to follow hints only
            near them.
        mask_cent: what to subtract from the hint mask; None goes by the name of the file, or by what a converted file says.
        size: height and width the network works at; colors are enlarged to the frame, its lightness stays whole. None is the
            frame's own size.
        device: for the network.

    Raises:
        MissingWeightsError: no weight file.
        InputError: a file of unknown name without ``mask_cent``, or one that does not fit.
    """

    name = 'SIGGRAPH17'
    version = '1'
    pointwise = False

    def __init__(
            self, weights: str | None = None, mask_cent: float | None = None, size: tuple[int, int] | None = None, device: str = 'cpu'):
        path = find_weights(*((weights,) if weights else MASK_CENTERS))
        options, state, _ = published(path, mask_cent)
        self.mask_cent = options['mask_cent']
        self.version = path.stem
        self.size, self.device = size, torch.device(device)
        self.network = SIGGRAPH17Network()
        self.network.load_state_dict(state)
        self.network.eval().requires_grad_(False).to(self.device)

    @torch.no_grad()
    def __call__(self, lab: np.ndarray, weight: np.ndarray, target_ab: tuple[float, float], hints: Hints) -> np.ndarray:
        """Recolor as :mod:`toolkit.colors` says; only L and the hints are looked at."""
        height, width = lab.shape[:2]
        ab, mask = hints.maps(height, width)
        arrays = [np.ascontiguousarray(a[None]) for a in (lab[None, ..., 0], ab.transpose(2, 0, 1), mask[None])]
        arrays = [torch.from_numpy(a).to(self.device) for a in arrays]
        lightness, ab, mask = (_resize(a, self.size) for a in arrays)
        mask = (mask > 0).float()
        if self.size is not None:
            ab = _resize(arrays[1] * arrays[2], self.size) / _resize(arrays[2], self.size).clamp_min(1e-6) * mask
        bottom, right = -lightness.shape[-2] % MULTIPLE, -lightness.shape[-1] % MULTIPLE
        lightness, ab, mask = (F.pad(a, (0, right, 0, bottom), 'replicate') for a in (lightness, ab, mask))
        _, out = self.network(lightness, ab, mask - self.mask_cent)
        out = out[..., :out.shape[-2] - bottom, :out.shape[-1] - right]
        return _resize(out, (height, width))[0].permute(1, 2, 0).contiguous().cpu().numpy()


def _resize(maps: torch.Tensor, size: tuple[int, int] | None) -> torch.Tensor:
    if size is None or tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=False, antialias=True)


def published(path: str | Path, mask_cent: float | None = None) -> tuple[dict, dict[str, torch.Tensor], dict[str, str]]:
    """Read published weights.

    Args:
        path: the file, or one converted from it; batch counters, which old files lack, may be missing.
        mask_cent: see :class:`SIGGRAPH17`.

    Returns:
        ``mask_cent`` as an option of the colorizer; the network's state dict; and keys that have no place in it (none).

    Raises:
        InputError: damaged, not of this network, or of unknown name without ``mask_cent``.
    """
    path, checkpoint = Path(path), read_checkpoint(path)
    told = network_config(checkpoint.get('meta') or {}, path)
    known = MASK_CENTERS.get(path.name) if told is None else told[1].get('mask_cent')
    if mask_cent is None and known is None:
        raise InputError(
            f'SIGGRAPH17: {path.name} is none of {", ".join(MASK_CENTERS)}; say mask_cent=0 if its weights come from Caffe, 0.5 if '
            'they were trained with PyTorch')
    with torch.device('meta'):
        network = SIGGRAPH17Network()
    own, state = network.state_dict(), dict(checkpoint['state_dict'])
    for key, value in own.items():
        if key.endswith('num_batches_tracked'):
            state.setdefault(key, torch.zeros(value.shape, dtype=value.dtype))
    check_state(network, state, path)
    return dict(mask_cent=float(known if mask_cent is None else mask_cent)), {key: state[key].to(own[key].dtype) for key in own}, {}
