"""The generator of posewarp: a picture taken apart into body parts and scene. Source: Balakrishnan et al. 2018, section 3."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.unet import UNet
from toolkit.skeletons import K, P
from toolkit.warpers.affine import part_affines

REACH = 8.0
"""Largest change of a mask's logarithm that the networks can say."""
LEAST = 1e-4


class Layers(NamedTuple):
    """What :class:`LayeredGenerator` makes.

    Attributes:
        picture: (B, 3, H, W) in [-1, 1].
        masks: (B, 11, H, W) of the source, which sum up to 1: ten parts, then the scene.
        person: (B, 3, H, W), painted.
        matte: (B, 1, H, W) in [0, 1], where the person is in the picture.
        scene: (B, 3, H, W), filled.
    """

    picture: Tensor
    masks: Tensor
    person: Tensor
    matte: Tensor
    scene: Tensor


class LayeredGenerator(nn.Module):
    r"""Source picture and two poses -> picture, by soft masks, affine warps, a painted person and a filled scene.

    1. :math:`M = \mathrm{softmax}(\log \hat M + \Delta M)`, a prior from the pose and a network's correction;
    2. each part :math:`M_i \odot I` is carried to the target pose by its own affine transform;
    3. one network paints the person, and a matte, from the carried parts and the target pose;
    4. one network fills the scene :math:`M_{bg} \odot I` where the person was, from noise there;
    5. ``picture = matte person + (1 - matte) scene``.

    Args:
        ngf: channels after the first convolution of each U-Net.
        n_down: halvings of each U-Net; the sides of pictures must be multiples of 2**n_down.
    """

    def __init__(self, ngf: int = 64, n_down: int = 6) -> None:
        super().__init__()
        self.segment = UNet(3 + K, P + 1, n_down, ngf)
        self.paint = UNet(3 * P + K, 4, n_down, ngf)
        self.fill = UNet(4, 3, n_down, ngf)

    def forward(self, source: Tensor, prior: Tensor, spots: Tensor, source_pose: Tensor, target_pose: Tensor, noise: Tensor) -> Layers:
        """Paint.

        Args:
            source: (B, 3, H, W) in [-1, 1].
            prior: (B, 10, H, W) in [0, 1], about where the parts of the source are.
            spots: (B, 36, H, W), of the source's joints, then of the target's.
            source_pose, target_pose: (B, 18, 3) in pixels.
            noise: (B, 3, H, W), what the scene is filled from.

        Raises:
            InputError: a size that does not fit.
        """
        behind = (1 - prior).prod(1, keepdim=True)
        change = REACH * self.segment(torch.cat([source, spots[:, :K]], 1)).float()
        masks = (torch.cat([prior, behind], 1).clamp_min(LEAST).log() + change).softmax(1)
        parts = (masks[:, :P, None] * (source[:, None] + 1)).flatten(0, 1)
        carried = carry_parts(parts, source_pose, target_pose)
        painted = self.paint(torch.cat([carried.flatten(1, 2), spots[:, K:]], 1)).float()
        person, matte = painted[:, :3], torch.sigmoid(REACH * painted[:, 3:])
        still = masks[:, P:]
        scene = self.fill(torch.cat([torch.lerp(noise, source, still), still], 1)).float()
        return Layers(torch.lerp(scene, person, matte), masks, person, matte, scene)


def carry_parts(parts: Tensor, source_pose: Tensor, target_pose: Tensor) -> Tensor:
    """Move each part by its own transform.

    Args:
        parts: (B * 10, C, H, W).
        source_pose, target_pose: (B, 18, 3) in pixels.

    Returns:
        (B, 10, C, H, W), bilinear; 0 outside, and where a pose does not show the part.
    """
    matrices, valid, _ = part_affines(source_pose.to(parts.device), target_pose.to(parts.device))
    matrices = matrices.flatten(0, 1).to(parts.dtype)
    height, width = parts.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(size, device=parts.device, dtype=parts.dtype) for size in (height, width)), indexing='ij')
    with torch.autocast(parts.device.type, enabled=False):  # bfloat16 has no odd numbers beyond 256
        places = torch.einsum('bij,hwj->bhwi', matrices[..., :2], torch.stack([x, y], -1)) + matrices[:, None, None, :, 2]
    grid = 2 * (places + 0.5) / parts.new_tensor([width, height]) - 1
    carried = F.grid_sample(parts, grid, align_corners=False)
    return carried.unflatten(0, valid.shape) * valid[:, :, None, None, None]
