"""The feature map F of paper A, section 2: stick figure and edges of a content picture under each target pose."""

import torch
from torch import Tensor, nn

from toolkit.registry import WARPERS

POSE_CHANNELS = ('rendered', 'warped')
EDGE_CHANNELS = ('warped', 'real', 'none')


class FeatureMaps(nn.Module):
    """Build F for every frame of a window, the same way in training and in generation.

    The edges of the content picture, inside its body mask, are carried to each target pose part by part and merged by a maximum
    (paper A, equation 1). Background edges are left out on purpose: with a fixed camera the generator learns the background.

    Args:
        warper: config of a ``WARPERS`` part.
        pose_channels: ``'rendered'`` draws each target pose (exact); ``'warped'`` carries the content's stick figure along with its
            edges (the literal reading of the paper).
        edge_channel: ``'warped'`` as above; ``'real'`` takes the target frame's own edges (an upper bound: it needs the target
            frames); ``'none'`` leaves the channel out (stick figure only, as in Everybody Dance Now).
    """

    def __init__(self, warper: dict | None = None, pose_channels: str = 'rendered', edge_channel: str = 'warped') -> None:
        super().__init__()
        if pose_channels not in POSE_CHANNELS:
            raise ValueError(f'pose_channels must be one of {POSE_CHANNELS}, got {pose_channels!r}')
        if edge_channel not in EDGE_CHANNELS:
            raise ValueError(f'edge_channel must be one of {EDGE_CHANNELS}, got {edge_channel!r}')
        self.pose_channels = pose_channels
        self.edge_channel = edge_channel
        self.warper = WARPERS.build(warper or dict(type='PartAffineWarper'))

    @property
    def channels(self) -> int:
        """Channels of F: 3, or 4 with an edge channel."""
        return 3 if self.edge_channel == 'none' else 4

    @property
    def needs_target_frames(self) -> bool:
        """Whether F needs the edges of the frames that are to be generated."""
        return self.edge_channel == 'real'

    def forward(self, batch: dict) -> Tensor:
        """F of a preprocessed batch.

        Args:
            batch: ``poses`` (B, T, K, 3), ``pose_maps`` (B, T, 3, H, W), ``content_pose`` (B, K, 3), ``content_pose_map``
                (B, 3, H, W), ``content_edge`` and ``content_mask`` (B, 1, H, W), ``content_parts`` (B, 1, H, W) uint8, and for
                ``edge_channel='real'`` also ``edges`` and ``masks`` (B, T, 1, H, W). Maps in [0, 1].

        Returns:
            (B, T, C, H, W) in [0, 1] on black, C = :attr:`channels`.
        """
        pose_maps = batch['pose_maps']
        sources = []
        if self.pose_channels == 'warped':
            sources.append(batch['content_pose_map'])
        if self.edge_channel == 'warped':
            sources.append(batch['content_edge'] * batch['content_mask'])
        warped = self._warp(sources, batch) if sources else None
        pose = warped[:, :, :3] if self.pose_channels == 'warped' else pose_maps
        if self.edge_channel == 'none':
            return pose.contiguous()
        edge = warped[:, :, -1:] if self.edge_channel == 'warped' else batch['edges'] * batch['masks']
        return torch.cat([pose, edge], 2)

    def _warp(self, sources: list[Tensor], batch: dict) -> Tensor:
        frames = batch['poses'].shape[1]

        def repeat(x: Tensor) -> Tensor:
            return x.repeat_interleave(frames, 0)

        source = torch.cat(sources, 1)
        warp = self.warper(
            repeat(source), repeat(batch['content_pose']), batch['poses'].flatten(0, 1), repeat(batch['content_parts'][:, 0]))
        return warp.maps.unflatten(0, (-1, frames))
