"""Adversarial loss of consecutive frames judged together. Source: Chan et al. 2019, Everybody Dance Now, temporal smoothing."""

import torch
from torch import Tensor

from toolkit.losses.gan import GANLoss
from toolkit.registry import LOSSES
from toolkit.structures import InputError


@LOSSES.register_module()
class TemporalGANLoss(GANLoss):
    """:class:`GANLoss` for a discriminator that sees T consecutive frames at once, and the packing of its input.

    The discriminator has ``input_nc = T * (C + 3)``: 14 for two frames and a feature map of 4 channels. It then judges how the frames
    follow each other, too.

    Args: as :class:`GANLoss`.
    """

    @staticmethod
    def pack(conditions: Tensor, frames: Tensor) -> Tensor:
        """Lay the frames of a window and their conditions side by side in the channels.

        Args:
            conditions: (B, T, C, H, W), what each frame was painted from; at a network's input, so in [-1, 1].
            frames: (B, T, 3, H, W) pictures in [-1, 1].

        Returns:
            (B, T * (C + 3), H, W): [F1, F2, ..., v1, v2, ...], all conditions in order of time, then all frames.

        Raises:
            InputError: batch, number of frames or size differ.
        """
        windows = [(*t.shape[:2], *t.shape[3:]) for t in (conditions, frames)]
        if conditions.ndim != 5 or windows[0] != windows[1]:
            raise InputError(f'conditions of shape {tuple(conditions.shape)} and frames of shape {tuple(frames.shape)}: expected '
                             '(B, T, C, H, W) and (B, T, 3, H, W) with equal B, T, H and W')
        return torch.cat([conditions.flatten(1, 2), frames.flatten(1, 2)], 1)
