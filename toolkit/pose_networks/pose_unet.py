"""From a picture to the maps that OpenPose makes of it, for people of a few dozen pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.registry import POSE_NETWORKS
from toolkit.skeletons import LIMBS, K
from toolkit.structures import InputError
from toolkit.weights import ConfiguredNetwork


def _unit(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(True))


def _pair(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_unit(in_channels, out_channels, stride), _unit(out_channels, out_channels))


@POSE_NETWORKS.register_module()
class PoseUNet(ConfiguredNetwork):
    """Joint heatmaps and part affinity fields (Cao et al. 2017) from a U-Net (Ronneberger et al. 2015): 907,961 parameters.

    The extra state holds :attr:`config`, so that a network can be rebuilt from a checkpoint alone.

    Args:
        widths: channels after the stem and after each further halving.
        stride: pixels of a cell of the maps, 1, 2 or 4.
        height: of the frames it is trained on, in pixels; it finds people of about the size they have there.

    Attributes:
        multiple: sides of pictures must be multiples of it.

    Raises:
        InputError: unknown stride, fewer than two widths.
    """

    described_as = 'pose network'

    def __init__(self, widths: Sequence[int] = (32, 64, 96, 128), stride: int = 2, height: int = 96) -> None:
        super().__init__()
        if stride not in (1, 2, 4) or len(widths) < 2:
            raise InputError(f'PoseUNet: stride={stride} and widths={tuple(widths)}, expected a stride of 1, 2 or 4 and at least two '
                             f'widths')
        self.stride, self.height, self.multiple = stride, height, stride * 2**(len(widths) - 1)
        self.stem = nn.Sequential(_unit(3, widths[0], min(stride, 2)), _unit(widths[0], widths[0], max(stride // 2, 1)))
        self.downs = nn.ModuleList(_pair(a, b, 2) for a, b in zip(widths, widths[1:]))
        self.ups = nn.ModuleList(_pair(a + b, a) for a, b in zip(widths[-2::-1], widths[:0:-1]))
        self.head = nn.Conv2d(widths[0], K + 1 + 2 * len(LIMBS), 1)
        self.config = dict(type='PoseUNet', widths=list(widths), stride=stride, height=height)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Heatmaps and fields, float32, as :mod:`toolkit.pose_networks` says."""
        steps = [self.stem(images)]
        for down in self.downs:
            steps.append(down(steps[-1]))
        x = steps.pop()
        for up in self.ups:
            beside = steps.pop()
            x = up(torch.cat([F.interpolate(x, beside.shape[-2:], mode='bilinear', align_corners=False), beside], 1))
        heat, paf = self.head(x).float().split([K + 1, 2 * len(LIMBS)], 1)
        return heat, paf
