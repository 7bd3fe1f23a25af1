"""The generator of Deformable GAN: skips that move with the body. Source: Siarohin et al. 2018, sections 3.2 and 3.3."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.blocks import check_input
from toolkit.registry import WARPERS
from toolkit.skeletons import scale_points
from toolkit.structures import InputError
from toolkit.warpers.affine import part_affines
from toolkit.warpers.part_affine import refuse_consecutive

WIDEST = 8
"""Channels of a level, in those of the first one, at most."""
WARPED_LEVELS = 4
DROPPED = 3
"""Levels with dropout on the way up."""


class JointNorm(nn.Module):
    """Normalization over channels, height and width together, one gain and one offset for all: (B, C, H, W) -> the same.

    1e-3 is added to the standard deviation, not to the variance, as in the authors' code: else weak maps of a few spots stay weak.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.offset = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize."""
        centered = x.float() - x.float().mean((1, 2, 3), keepdim=True)
        deviation = torch.linalg.vector_norm(centered, dim=(1, 2, 3), keepdim=True) / centered[0].numel()**0.5
        return torch.addcmul(self.offset, centered, self.gain / (deviation + 1e-3))


class DeformableGenerator(nn.Module):
    """Two encoders, of the source picture with its pose and of the target pose, and one decoder that sees the skips of both.

    The source's maps of the first four levels are carried to the target pose part by part and merged by their maximum. A level halves
    the size: LeakyReLU 0.2, 4x4 convolution, norm (none at the first and the last one); up: ReLU, 4x4 transposed convolution, norm,
    dropout in the first three. Weights start from Glorot's uniform distribution. 82,080,611 parameters with 6 halvings, 61,109,085
    with 5.

    Args:
        source_nc: channels of the source: picture and spots of its pose.
        target_nc: channels of the target: spots of its pose.
        ngf: channels of the first level; they double up to 8 times that.
        n_down: number of halvings.
        dropout: of the first three levels of the decoder, in training.
        torso_everywhere: the torso's transform carries the whole map, with the scene, as in the authors' code; else the torso alone.
        warper: ``WARPERS`` config of one that cuts parts out of the target (``mask_space='target'``): maps have no labels of parts.

    Raises:
        InputError: fewer than two halvings, or a ``consecutive`` warper.
    """

    def __init__(self, source_nc: int = 21, target_nc: int = 18, ngf: int = 64, n_down: int = 6, dropout: float = 0.5,
                 torso_everywhere: bool = True, warper: dict | None = None) -> None:
        super().__init__()
        if n_down < 2:
            raise InputError(f'model.generator.n_down={n_down}, expected 2 or more')
        self.source_nc, self.multiple, self.torso_everywhere = source_nc, 2**n_down, torso_everywhere
        channels = [ngf * min(2**level, WIDEST) for level in range(n_down + 1)]
        self.source, self.target = (_encoder(nc, channels) for nc in (source_nc, target_nc))
        self.ups = nn.ModuleList()
        coming = 0
        for i, level in enumerate(reversed(range(1, n_down + 1))):
            self.ups.append(nn.Sequential(
                nn.ReLU(), nn.ConvTranspose2d(coming + 2 * channels[level], channels[level], 4, 2, 1, bias=False), JointNorm(),
                *([nn.Dropout(dropout)] if i < DROPPED else [])))
            coming = channels[level]
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(coming + 2 * ngf, 3, 3, padding=1), nn.Tanh())
        self.warper = WARPERS.build(warper or dict(
            type='PartAffineWarper', mask_space='target', sampling='nearest', min_length=0.25, regularization=0.0))
        refuse_consecutive(self.warper, 'model.generator.warper')
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, source: Tensor, target: Tensor, source_pose: Tensor, target_pose: Tensor) -> Tensor:
        """Paint the person of a picture in another pose.

        Args:
            source: (B, source_nc, H, W), H and W multiples of 2**n_down.
            target: (B, target_nc, H, W).
            source_pose, target_pose: (B, 18, 3) in pixels.

        Returns:
            (B, 3, H, W) in [-1, 1].

        Raises:
            InputError: a size that does not fit.
        """
        check_input(source, self.source_nc, self.multiple)
        skips = []
        for level, maps in enumerate(_levels(self.source, source)):
            skips.append(self.carry(maps, source_pose, target_pose, 2**level) if level < WARPED_LEVELS else maps)
        skips = [torch.cat(pair, 1) for pair in zip(skips, _levels(self.target, target))]
        h = self.ups[0](skips.pop())
        for up in self.ups[1:]:
            h = up(torch.cat([h, skips.pop()], 1))
        return self.head(torch.cat([h, skips.pop()], 1))

    def carry(self, maps: Tensor, source_pose: Tensor, target_pose: Tensor, cell: int = 1) -> Tensor:
        """Carry maps from one pose to another.

        Args:
            maps: (B, C, h, w).
            source_pose, target_pose: (B, 18, 3) in pixels.
            cell: pixels of a side of a map's cell.

        Returns:
            (B, C, h, w), not negative.
        """
        if cell > 1:
            source_small, target_small = (torch.cat([scale_points(pose[..., :2], 1 / cell), pose[..., 2:]], -1)
                                          for pose in (source_pose, target_pose))
        else:
            source_small, target_small = source_pose, target_pose
        labels = torch.zeros(len(maps), *maps.shape[2:], dtype=torch.uint8, device=maps.device)
        carried = self.warper(maps.float(), source_small, target_small, labels).maps
        if self.torso_everywhere:
            carried = torch.maximum(carried, carry_whole(maps.float(), source_pose, target_pose, cell))
        return carried.to(maps.dtype)


def carry_whole(maps: Tensor, source_pose: Tensor, target_pose: Tensor, cell: int = 1) -> Tensor:
    """Carry whole maps by the transform of the torso, see :meth:`DeformableGenerator.carry`; 0 where a pose has no torso."""
    matrices, valid, _ = part_affines(source_pose.to(maps.device), target_pose.to(maps.device), regularization=0.0)
    matrix = matrices[:, 0].float()
    height, width = maps.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(size, device=maps.device) for size in (height, width)), indexing='ij')
    places = (torch.stack([x, y], -1) + 0.5) * cell - 0.5
    with torch.autocast(maps.device.type, enabled=False):  # bfloat16 has no odd numbers beyond 256
        places = torch.einsum('bij,hwj->bhwi', matrix[..., :2], places) + matrix[:, None, None, :, 2]
    grid = 2 * (places + 0.5) / (cell * places.new_tensor([width, height])) - 1
    return F.grid_sample(maps, grid, 'nearest', align_corners=False) * valid[:, 0, None, None, None]


def _encoder(input_nc: int, channels: list[int]) -> nn.ModuleList:
    layers = nn.ModuleList([nn.Conv2d(input_nc, channels[0], 3, padding=1)])
    for level, (before, after) in enumerate(zip(channels, channels[1:]), 1):
        norm = [JointNorm()] if level < len(channels) - 1 else []
        layers.append(nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(before, after, 4, 2, 1, bias=False), *norm))
    return layers


def _levels(encoder: nn.ModuleList, x: Tensor) -> list[Tensor]:
    found = []
    for layer in encoder:
        x = layer(x)
        found.append(x)
    return found
