"""A small network that says where a person is, and the segmentor that holds one that was trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.edges.soft_canny import check_frames
from toolkit.registry import SEGMENTORS
from toolkit.structures import InputError
from toolkit.weights import EXTRA_STATE, ConfiguredNetwork, load_state, read_checkpoint, trained_checkpoint, unpack_config

CONFIG = 'configs/baselines/cycada_segmentor.py'
CHUNK = 32


def _unit(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1), nn.InstanceNorm2d(out_channels), nn.ReLU(True))


class SegmentationUNet(ConfiguredNetwork):
    """Logits of the person from a U-Net (Ronneberger et al. 2015) of a few hundred thousand weights.

    The extra state holds :attr:`config`, so that a network can be rebuilt from a checkpoint alone.

    Args:
        widths: channels at full size and after each halving, at least two.

    Raises:
        InputError: fewer than two widths.
    """

    described_as = 'segmentation network'

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 96, 128)) -> None:
        super().__init__()
        if len(widths) < 2:
            raise InputError(f'SegmentationUNet: widths={tuple(widths)}, expected at least two')
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Sequential(_unit(a, b, 2), _unit(b, b)) for a, b in zip(widths, widths[1:]))
        self.ups = nn.ModuleList(_unit(a + b, a) for a, b in zip(widths[-2::-1], widths[:0:-1]))
        self.head = nn.Conv2d(widths[0], 1, 1)
        self.config = dict(widths=list(widths))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> logits (B, 1, H, W) float32 of the person."""
        steps = [F.relu(self.stem(images))]
        for down in self.downs:
            steps.append(down(steps[-1]))
        x = steps.pop()
        for up in self.ups:
            beside = steps.pop()
            x = up(torch.cat([F.interpolate(x, beside.shape[-2:], mode='bilinear', align_corners=False), beside], 1))
        return self.head(x).float()


@SEGMENTORS.register_module()
class TrainedSegmentor(nn.Module):
    """The network of :class:`toolkit.models.segmentor_training.SegmentorTraining`, which knows the people it was trained on.

    Args:
        checkpoint: of a run of ``configs/baselines/cycada_segmentor.py``, or its work dir, whose last checkpoint is taken.

    Raises:
        MissingWeightsError: no checkpoint; the message says which command makes it.
        InputError: a checkpoint of something else.
    """

    name, version = 'trained_segmentor', '1'

    def __init__(self, checkpoint: str | Path) -> None:
        super().__init__()
        path = trained_checkpoint(checkpoint, 'segmentor', CONFIG)
        state = {key[6:]: value for key, value in read_checkpoint(path)['state_dict'].items() if key.startswith('net_s.')}
        if EXTRA_STATE not in state:
            raise InputError(f'{path} holds no segmentation network; it must be a checkpoint of {CONFIG}')
        self.network = SegmentationUNet(**unpack_config(state[EXTRA_STATE]))
        load_state(self.network, state, path)
        self.requires_grad_(False).eval()

    def logits(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> logits (B, 1, H, W); gradients flow to the pictures."""
        return self.network(images)

    @torch.no_grad()
    def __call__(self, frames: np.ndarray, poses: np.ndarray | None = None) -> np.ndarray:
        """Masks (T, H, W) float32 in [0, 1] of frames (T, H, W, 3) uint8; poses are not looked at.

        Raises:
            InputError: frames of another shape or type.
        """
        check_frames(frames)
        pictures = torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, 1).split(CHUNK)
        return torch.cat([self.logits(part.float() / 127.5 - 1).sigmoid()[:, 0] for part in pictures]).numpy()
