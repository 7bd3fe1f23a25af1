"""What the discriminators of CycleGAN see of a window: frames, three consecutive frames together, or heads."""

import torch
from torch import Tensor

from toolkit.model_parts.head_crops import HeadCrops

SUFFIXES = {'gan': '', 'temporal': '_time', 'face': '_face'}
"""Place of a discriminator's losses -> what follows the person in the discriminator's name."""
TRIPLE = 3
"""Frames that a temporal discriminator sees together."""
CHANNELS = dict(gan=3, temporal=3 * TRIPLE, face=HeadCrops.channels)
"""Channels that each discriminator sees."""
PICTURES = dict(gan=slice(None), temporal=slice(None), face=slice(3))
"""Which of them are pictures."""


def discriminator_input(kind: str, head_crops: HeadCrops, frames: Tensor, poses: Tensor, anchors: Tensor | None = None) -> Tensor:
    """What a discriminator sees of a window, (N, C, H, W), C of :data:`CHANNELS`.

    Args:
        kind: of the discriminator, a key of :data:`SUFFIXES`.
        head_crops: that cuts heads out.
        frames: (B, T, 3, H, W).
        poses: (B, T, 18, 3), the poses the frames should show.
        anchors: (2, 3), see :meth:`toolkit.model_parts.head_crops.HeadCrops.__call__`.
    """
    if kind == 'temporal':
        return triples(frames)
    frames = frames.flatten(0, 1)
    return head_crops(frames, poses.flatten(0, 1), anchors) if kind == 'face' else frames


def triples(frames: Tensor) -> Tensor:
    """All runs of three consecutive frames: (B, T, 3, H, W) -> (B * (T - 2), 9, H, W), oldest frame first."""
    return torch.cat([frames[:, i:frames.shape[1] - TRIPLE + 1 + i].flatten(0, 1) for i in range(TRIPLE)], 1)
