"""TIN2: a traditional-method-inspired edge network of 0.24 million parameters."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.edges.network import NetworkEdgeDetector
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import find_weights
from toolkit.weights import load_state, read_checkpoint

DILATIONS = (4, 8, 12, 16)


class Enrichment(nn.Module):
    """Sum of a convolution's activation and its dilated versions.

    Args:
        channels: input channels.
        width: output channels.
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        for i, dilation in enumerate(DILATIONS, 1):
            self.add_module(f'conv{i}', nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H, W)."""
        x = F.relu(self.conv(x))
        return x + sum(F.relu(self.get_submodule(f'conv{i}')(x)) for i in range(1, len(DILATIONS) + 1))


class TIN2Network(nn.Module):
    """Two stages of two convolutions; every activation is enriched and scored, both stages are fused.

    Source: Wibisono and Hang, "Traditional method inspired deep neural network for edge detection", ICIP 2020. Parameter names are
    the published ones.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for stage, width in ((1, 16), (2, 64)):
            for layer in (1, 2):
                self.add_module(f'conv{stage}_{layer}', nn.Conv2d(channels, width, 3, padding=1))
                self.add_module(f'em{stage}_{layer}', Enrichment(width))
                self.add_module(f'conv{stage}_{layer}_down', nn.Conv2d(32, 8, 1))
                channels = width
            self.add_module(f'score_stage{stage}', nn.Conv2d(8, 1, 1))
        self.score_final = nn.Conv2d(2, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Fused edge logits (B, 1, H, W) of images (B, 3, H, W) float, BGR in 0..255."""
        x, scores = images, []
        for stage in (1, 2):
            if stage == 2:
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            summed = 0
            for name in (f'{stage}_1', f'{stage}_2'):
                x = F.relu(self.get_submodule(f'conv{name}')(x))
                summed = summed + self.get_submodule(f'conv{name}_down')(self.get_submodule(f'em{name}')(x))
            score = self.get_submodule(f'score_stage{stage}')(summed)
            scores.append(F.interpolate(score, images.shape[2:], mode='bilinear', align_corners=True) if stage == 2 else score)
        return self.score_final(torch.cat(scores, 1))


@EDGE_DETECTORS.register_module()
class TIN2(NetworkEdgeDetector):
    """Edges from :class:`TIN2Network`.

    Args:
        weights: file name or path of its safetensors weights, searched in the weight folders.
        device: 'cpu', 'cuda', or None for a GPU where there is one.
        batch_size: frames per pass.

    Raises:
        MissingWeightsError: the weights are not found.
    """

    name = 'TIN2'
    version = '1'

    def __init__(self, weights: str = 'tin2_edges.safetensors', device: str | None = None, batch_size: int = 4) -> None:
        path = find_weights(weights)
        network = TIN2Network()
        load_state(network, read_checkpoint(path)['state_dict'], path)
        super().__init__(network, device, batch_size)
