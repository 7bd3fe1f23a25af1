"""The feature map F of paper A, section 2: stick figure and edges of a content picture under each target pose."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from toolkit import fields
from toolkit.fit import SIDE, check_call
from toolkit.model_parts.frozen_restoration import load_restoration
from toolkit.model_parts.textures import Textures
from toolkit.registry import WARPERS
from toolkit.skeletons import PARTS, K
from toolkit.structures import InputError
from toolkit.warpers.part_affine import Warp, refuse_consecutive

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
        restoration: restore what was warped by a trained, frozen network: see
            :func:`toolkit.model_parts.frozen_restoration.load_restoration`. With ``pose_channels='rendered'`` only its edges are taken.
            Give the warper it was trained with.
        maps: names of added fields (:func:`toolkit.fields.add`) of kind map that stand in F behind the others, in this order. Those
            drawn from poses are taken as they are; those seen in frames are carried from the content frame like its edges, or, with
            ``edge_channel='real'``, are the target frame's own, inside the body mask.
        references: reference frames of each frame whose pixels are carried to its pose and stand in F behind the maps, see
            :class:`toolkit.model_parts.textures.Textures`.
        plate: whether the empty scene stands in F, behind the references.
        texture_warper: config of a ``WARPERS`` part for the references.
        texture_fill: fill what a reference does not show of the torso from what is put together of all frames.
        texture_lightness: take no more than the lightness of the garments of references, so that a color code alone colors them.

    Raises:
        MissingWeightsError: no checkpoint of ``restoration``; the message says which command makes it.
        InputError: a restoration of edges that are not warped, or one that cannot be loaded; a ``consecutive`` warper.
    """

    def __init__(self, warper: dict | None = None, pose_channels: str = 'rendered', edge_channel: str = 'warped',
                 restoration: str | Path | dict | None = None, maps: Sequence[str] = (), references: int = 0, plate: bool = False,
                 texture_warper: dict | None = None, texture_lightness: bool = False, texture_fill: bool = False) -> None:
        super().__init__()
        self.maps = fields.added(maps)
        for field in self.maps:
            if field.kind != 'map':
                raise InputError(f'feature_maps.maps: {field.name!r} is of kind {field.kind}, but F is made of maps, kind map')
        if pose_channels not in POSE_CHANNELS:
            raise InputError(f'feature_maps.pose_channels must be one of {", ".join(POSE_CHANNELS)}, got {pose_channels!r}')
        if edge_channel not in EDGE_CHANNELS:
            raise InputError(f'feature_maps.edge_channel must be one of {", ".join(EDGE_CHANNELS)}, got {edge_channel!r}')
        if restoration is not None and edge_channel != 'warped':
            raise InputError(f"feature_maps.restoration restores warped edges, but edge_channel={edge_channel!r}; set it to 'warped'")
        self.pose_channels = pose_channels
        self.edge_channel = edge_channel
        self.warper = WARPERS.build(warper or dict(type='PartAffineWarper'))
        refuse_consecutive(self.warper, 'feature_maps.warper')
        picture, pose = (2, 1, SIDE, SIDE), (2, K, 3)
        check_call(WARPERS, self.warper, 'FeatureMaps', 'warper', dict(
            maps=picture, source_pose=pose, target_pose=pose, source_parts=(2, SIDE, SIDE)), [picture, picture, (2, len(PARTS))])
        self.restoration = None if restoration is None else load_restoration(restoration)
        for name, value in dict(warper=texture_warper, lightness=texture_lightness, fill=texture_fill).items():
            if value and not references:
                raise InputError(f'feature_maps.texture_{name} is about references, but feature_maps.references=0: set both, or none')
        self.textures = Textures(references, plate, texture_warper, texture_lightness, texture_fill) if references or plate else None

    @property
    def map_channels(self) -> int:
        """Channels of F before the textures: 3, or 4 with an edge channel, and those of the added maps."""
        return (3 if self.edge_channel == 'none' else 4) + sum(field.channels for field in self.maps)

    @property
    def channels(self) -> int:
        """Channels of F."""
        return self.map_channels + (0 if self.textures is None else self.textures.channels)

    @property
    def always_real(self) -> bool:
        """Whether F is that of the real frames anyway, as :meth:`real` makes it."""
        seen = self.edge_channel == 'warped' or (self.edge_channel == 'none' and any(field.source != 'drawn' for field in self.maps))
        return self.pose_channels == 'rendered' and not seen

    @property
    def needs_target_frames(self) -> bool:
        """Whether F needs the edges of the frames that are to be generated."""
        return self.edge_channel == 'real'

    @property
    def target_keys(self) -> tuple[str, ...]:
        """Keys of the target frames themselves that F needs."""
        added = tuple(field.name for field in self.maps if field.source == 'drawn' or self.needs_target_frames)
        textures = () if self.textures is None else self.textures.frame_keys
        return (('edges', 'masks') if self.needs_target_frames else ()) + added + textures

    def networks(self) -> dict[str, nn.Module]:
        """The network inside, if any, see :meth:`toolkit.models.base.VideoModel.networks`."""
        return {} if self.restoration is None else {'restoration': self.restoration}

    def train(self, mode: bool = True) -> 'FeatureMaps':
        """Set training mode; the restoration network stays in eval mode."""
        super().train(mode)
        if self.restoration is not None:
            self.restoration.eval()
        return self

    def forward(self, batch: dict) -> Tensor:
        """F of a preprocessed batch.

        Args:
            batch: ``poses`` (B, T, K, 3), ``pose_maps`` (B, T, 3, H, W), ``content_pose`` (B, K, 3), ``content_pose_map``
                (B, 3, H, W), ``content_edge`` and ``content_mask`` (B, 1, H, W), ``content_parts`` (B, 1, H, W) uint8, and for
                ``edge_channel='real'`` also ``edges`` and ``masks`` (B, T, 1, H, W). Maps in [0, 1]. For textures see
                :meth:`toolkit.model_parts.textures.Textures.forward`.

        Returns:
            (B, T, C, H, W) in [0, 1] on black, C = :attr:`channels`.

        Raises:
            InputError: a batch without one of the added maps, or without what textures are made of.
        """
        return self._with_textures(self._estimated(batch), batch)

    def _estimated(self, batch: dict) -> Tensor:
        """F before the textures."""
        if self.edge_channel == 'real' and self.pose_channels == 'rendered':
            return self._real(batch)
        if self.restoration is not None:
            with torch.no_grad():
                estimated = self.restoration(self.warped(batch).flatten(0, 1)).unflatten(0, batch['poses'].shape[:2])
        else:
            sources = [batch['content_pose_map']] if self.pose_channels == 'warped' else []
            if self.edge_channel == 'warped':
                sources.append(batch['content_edge'] * batch['content_mask'])
            estimated = self._warp(sources, batch)[0] if sources else None
        pose = estimated[:, :, :3] if self.pose_channels == 'warped' else batch['pose_maps']
        if self.edge_channel == 'none':
            return torch.cat([pose, *self._added(batch, False)], 2)
        edge = estimated[:, :, -1:] if self.edge_channel == 'warped' else batch['edges'] * batch['masks']
        return torch.cat([pose, edge, *self._added(batch, self.needs_target_frames)], 2)

    def held(self, content: dict) -> dict:
        """The content of a video as all its frames take it, so that nothing about it is computed twice.

        Args:
            content: the ``content_*`` entries of a preprocessed batch, and what textures need once a video.

        Returns:
            The same, with what the warper prepares of it.
        """
        if not hasattr(self.warper, 'prepare'):
            return content
        return dict(content, content_source=self.warper.prepare(content['content_pose'], content['content_parts'][:, 0]))

    def real(self, batch: dict) -> Tensor:
        """F of the real frames: their stick figures, and their edges inside their masks.

        Args:
            batch: ``pose_maps`` (B, T, 3, H, W), ``edges`` and ``masks`` (B, T, 1, H, W) in [0, 1].

        Returns:
            As :meth:`forward`.
        """
        return self._with_textures(self._real(batch), batch)

    def _with_textures(self, maps: Tensor, batch: dict) -> Tensor:
        return maps if self.textures is None else torch.cat([maps, self.textures(batch)], 2)

    def _real(self, batch: dict) -> Tensor:
        """F of the real frames before the textures."""
        edge = [] if self.edge_channel == 'none' else [batch['edges'] * batch['masks']]
        return torch.cat([batch['pose_maps'], *edge, *self._added(batch, True)], 2)

    def _added(self, batch: dict, real: bool) -> list[Tensor]:
        """The added maps (B, T, C, H, W): of the target frames, or carried there from the content frame."""
        needed = {field.name: field.name if real or field.source == 'drawn' else field.content for field in self.maps}
        for name, key in needed.items():
            if key not in batch:
                raise InputError(f'model.feature_maps.maps has {name!r}, but the batch has no {key!r}: the data set must be one with '
                                 'add_fields, such as ClipWindows, or give it itself')
        carried = [field for field in self.maps if needed[field.name] == field.content]
        found = {field.name: batch[field.name] * (1 if field.source == 'drawn' else batch['masks'])
                 for field in self.maps if field not in carried}
        if carried:
            warped = self._warp([batch[field.content] * batch['content_mask'] for field in carried], batch)[0]
            found |= zip((field.name for field in carried), warped.split([field.channels for field in carried], 2))
        return [found[field.name] for field in self.maps]

    def warped(self, batch: dict) -> Tensor:
        """What a restoration network sees.

        Args:
            batch: see :meth:`forward`.

        Returns:
            (B, T, 8, H, W) in [0, 1]: warped stick figure and edges, stick figure of the target pose, coverage of the warped parts.
        """
        maps, coverage = self._warp([batch['content_pose_map'], batch['content_edge'] * batch['content_mask']], batch)
        return torch.cat([maps, batch['pose_maps'], coverage], 2)

    def _warp(self, sources: list[Tensor], batch: dict) -> tuple[Tensor, Tensor]:
        frames = batch['poses'].shape[1]

        def repeat(x: Tensor) -> Tensor:
            return x.expand(frames, *x.shape[1:]) if len(x) == 1 else x.repeat_interleave(frames, 0)

        source = torch.cat(sources, 1)
        with torch.autocast(source.device.type, enabled=False):
            warp: Warp = self.warper(
                repeat(source), repeat(batch['content_pose']), batch['poses'].flatten(0, 1), repeat(batch['content_parts'][:, 0]),
                *([batch['content_source']] if 'content_source' in batch else []))
        return warp.maps.unflatten(0, (-1, frames)), warp.coverage.unflatten(0, (-1, frames))
