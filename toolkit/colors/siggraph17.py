"""Recoloring with the user-guided colorization network, for users who have its published weights."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from toolkit.colors.anchors import Hints
from toolkit.colors.siggraph17_network import MULTIPLE, SIGGRAPH17Network
from toolkit.registry import COLORIZERS
from toolkit.structures import InputError, find_weights
from toolkit.weights import load_state, read_checkpoint

MASK_CENTERS = {'caffemodel.pth': 0., 'pytorch.pth': .5, 'siggraph17-df00044c.pth': 0.}
"""Published files, best first, and what each subtracts from its hint mask: 0 if converted from Caffe, 0.5 if trained again."""


@COLORIZERS.register_module()
class SIGGRAPH17:
    """Colors from the lightness picture and hints at joints (Zhang et al. 2017).

    Args:
        weights: name or path of a weight file; None looks for the published ones. ``pytorch.pth`` is known to follow hints only
            near them.
        mask_cent: what to subtract from the hint mask; None goes by the name of the file.
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
        if mask_cent is None and path.name not in MASK_CENTERS:
            raise InputError(
                f'SIGGRAPH17: {path.name} is none of {", ".join(MASK_CENTERS)}; say mask_cent=0 if its weights come from Caffe, 0.5 if '
                'they were trained with PyTorch')
        self.mask_cent = MASK_CENTERS[path.name] if mask_cent is None else mask_cent
        self.version = path.stem
        self.size, self.device = size, torch.device(device)
        self.network = load_network(path).to(self.device)

    @torch.no_grad()
    def __call__(self, lab: np.ndarray, weight: np.ndarray, target_ab: tuple[float, float], hints: Hints) -> np.ndarray:
        """Recolor.

        Args:
            lab: (H, W, 3) float32; only L is looked at.
            weight: (H, W) float32, not used: the hints say where.
            target_ab: color wanted, not used: it is in the hints.
            hints: points and their colors.

        Returns:
            (H, W, 2) float32.
        """
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


def load_network(path: str | Path) -> SIGGRAPH17Network:
    """Read a published weight file.

    Args:
        path: the file; batch counters, which old files lack, may be missing.

    Returns:
        The network in evaluation mode, without gradients.

    Raises:
        InputError: damaged, or not of this network.
    """
    network = SIGGRAPH17Network()
    counters = {k: v for k, v in network.state_dict().items() if k.endswith('num_batches_tracked')}
    load_state(network, {**counters, **read_checkpoint(path)['state_dict']}, path)
    return network.eval().requires_grad_(False)
