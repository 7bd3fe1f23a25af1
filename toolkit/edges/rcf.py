"""RCF: richer convolutional features for edge detection, VGG-16 version."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.edges.network import NetworkEdgeDetector
from toolkit.network_files import read_state
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError, find_weights
from toolkit.weights import check_state

STAGE_WIDTHS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
STAGE_STRIDES = (1, 2, 4, 8, 8)
CROP_OFFSETS = (0, 1, 2, 4, 0)
"""Rows and columns dropped at the top left after upsampling; stage 5 is shifted by half a step of stage 4 and needs none."""
MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


def bilinear_kernel(size: int) -> Tensor:
    """Kernel (1, 1, size, size), size twice the stride, of a transposed convolution that interpolates linearly."""
    factor = (size + 1) // 2
    line = 1 - (torch.arange(size) - (factor - 0.5)).abs() / factor
    return (line[:, None] * line)[None, None]


class RCFNetwork(nn.Module):
    """VGG-16 whose every convolution contributes to one score map per stage; five maps are upsampled, cropped and fused.

    The fourth pooling has stride 1 and the fifth stage dilation 2. 14,803,781 parameters; the upsampling kernels are fixed. Parameter
    names are the published ones.

    Source: Liu et al., "Richer convolutional features for edge detection", CVPR 2017.

    Convention:
        Pixel centers at integers: all five score maps are aligned with the input's pixels (transposed convolution, crop from the top
        left by :data:`CROP_OFFSETS`).
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for stage, widths in enumerate(STAGE_WIDTHS, 1):
            dilation = 2 if stage == 5 else 1
            for layer, width in enumerate(widths, 1):
                self.add_module(f'conv{stage}_{layer}', nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation))
                self.add_module(f'conv{stage}_{layer}_down', nn.Conv2d(width, 21, 1))
                channels = width
            self.add_module(f'score_dsn{stage}', nn.Conv2d(21, 1, 1))
        self.score_fuse = nn.Conv2d(5, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Fused edge logits (B, 1, H, W) of images (B, 3, H, W) float, BGR in 0..255, any size from 9 x 9 on."""
        return self.score_fuse(torch.cat(self.side_logits(images), 1))

    def side_logits(self, images: Tensor) -> list[Tensor]:
        """The five side outputs (B, 1, H, W), finest first, of images as in :meth:`forward`."""
        x, sides = images - images.new_tensor(MEAN_BGR)[:, None, None], []
        for stage, widths in enumerate(STAGE_WIDTHS, 1):
            if stage > 1:
                x = F.max_pool2d(x, 2, stride=1 if stage == 5 else 2, ceil_mode=True)
            summed = 0
            for layer in range(1, len(widths) + 1):
                x = F.relu(self.get_submodule(f'conv{stage}_{layer}')(x))
                summed = summed + self.get_submodule(f'conv{stage}_{layer}_down')(x)
            sides.append(self.upsample(self.get_submodule(f'score_dsn{stage}')(summed), stage, images.shape[2:]))
        return sides

    @staticmethod
    def upsample(score: Tensor, stage: int, size: tuple[int, int]) -> Tensor:
        """Bring the score map (B, 1, h, w) of a stage, 1..5, to the (B, 1, H, W) pixels of the input."""
        stride, offset = STAGE_STRIDES[stage - 1], CROP_OFFSETS[stage - 1]
        if stride > 1:
            score = F.conv_transpose2d(score, bilinear_kernel(2 * stride).to(score), stride=stride)
        return score[..., offset:offset + size[0], offset:offset + size[1]]


def published(path: str | Path) -> tuple[dict, dict[str, Tensor], dict[str, str]]:
    """Read published weights and bring their names to those of :class:`RCFNetwork`.

    Known formats: a state dict, plain or in a checkpoint, ``module.`` before its names, a fusion named ``score_final``, stored
    upsampling kernels (left out: they are fixed), safetensors.

    Args:
        path: file of torch.save or safetensors.

    Returns:
        No options of the detector; the network's state dict; and keys that have no place in it, with the reason.

    Raises:
        InputError: unreadable, unsafe or of another network.
    """
    found = read_state(path)
    left = {key: 'upsampling is a fixed bilinear one' for key in found if 'deconv' in key or 'upsample' in key}
    state = {key.replace('score_final', 'score_fuse'): value for key, value in found.items() if key not in left}
    with torch.device('meta'):
        network = RCFNetwork()
    expected = network.state_dict()
    wrong = [f'{key} is {tuple(state[key].shape)} in the file, {tuple(expected[key].shape)} in RCF' for key in expected
             if key in state and state[key].shape != expected[key].shape]
    wrong += [f'{key} is missing' for key in expected if key not in state]
    wrong += [f'{key} is unknown' for key in state if key not in expected]
    if wrong:
        raise InputError(f'{path} does not fit RCF (VGG-16): {len(wrong)} missing, unknown or misshapen entries, first '
                         f'{"; ".join(wrong[:4])}')
    check_state(network, state, path)
    return {}, {key: value.float() for key, value in state.items()}, left


@EDGE_DETECTORS.register_module()
class RCF(NetworkEdgeDetector):
    """Edges from :class:`RCFNetwork`: the fused map.

    Args:
        weights: file name or path, searched in the weight folders.
        scales: image sizes whose maps are averaged; (0.5, 1, 1.5) is the published multi-scale test.
        device: 'cpu', 'cuda', or None for a GPU where there is one.
        batch_size: frames per pass.

    Raises:
        MissingWeightsError: the weights are not found.
        InputError: the file holds other weights.
    """

    name = 'RCF'
    version = '1'

    def __init__(
        self,
        weights: str = 'bsds500_pascal_model.pth',
        scales: tuple[float, ...] = (1.0,),
        device: str | None = None,
        batch_size: int = 4,
    ) -> None:
        path = find_weights(weights)
        if not scales or min(scales) <= 0:
            raise InputError(f'RCF needs at least one scale > 0, got {scales}')
        _, state, _ = published(path)
        with torch.device('meta'):
            network = RCFNetwork()
        network.load_state_dict(state, assign=True)
        super().__init__(network, device, batch_size)
        self.scales = tuple(scales)

    def probability(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) edge probability of images (B, 3, H, W) BGR in 0..255, averaged over the scales."""
        size, total = images.shape[2:], 0
        for scale in self.scales:
            scaled = images if scale == 1 else F.interpolate(
                images, [max(round(s * scale), 1) for s in size], mode='bilinear', align_corners=False)
            edges = self.network(scaled).sigmoid()
            total = total + (edges if scale == 1 else F.interpolate(edges, size, mode='bilinear', align_corners=False))
        return total / len(self.scales)
