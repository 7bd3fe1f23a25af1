"""What footage shows already: pixels of the same person, carried to each pose, and the empty scene."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.colors.lab import lightness_to_gray, rgb_to_lab
from toolkit.fields import REFERENCES
from toolkit.machine import on_device
from toolkit.masks.geometry import body_scale
from toolkit.registry import WARPERS
from toolkit.skeletons import L_ELBOW, L_SHOULDER, L_WRIST, R_ELBOW, R_SHOULDER, R_WRIST
from toolkit.structures import InputError
from toolkit.warpers.part_affine import refuse_consecutive

FEATHER = 3
"""Side of the window, in pixels, over which the edge of what a reference shows fades."""
NOISE = .02
"""How far estimated joints are off between two frames, in body scales. Chosen by copying alone on 8 frames of 8 clips: LPIPS .0450
without, .0429 with it."""
OPENED = .1, .18
"""Movements of an arm, in body scales, from which on holes are filled, and filled wholly."""
ARMS = [R_SHOULDER, R_ELBOW, R_WRIST, L_SHOULDER, L_ELBOW, L_WRIST]
LEAST = 1e-3
"""Coverage below which a pixel counts as not shown."""


class Textures(nn.Module):
    """The last channels of F: for each reference frame its colors under the target pose and where it shows the person, then the plate.

    References are warped at their own size, which may be some times that of the window, and then reduced: what is sampled at a small
    size is blurred. What a reference shows fades towards its rim, so that slivers of a part, and the scene that a mask took for the
    person, weigh nothing.

    With ``lightness`` the garments of references lose their color: each pixel becomes the gray of the same lightness. Folds, prints and
    stripes then come from the footage, and the color from a code alone.

    Args:
        references: reference frames of each frame; 0 for none.
        plate: whether the empty scene is shown.
        warper: ``WARPERS`` config of the references; by default a ``PartAffineWarper`` that lays the parts over each other
            and turns heads as a whole.
        fill: where arms have left the torso and a reference shows nothing, it shows the torso put together from all frames
            (:func:`toolkit.datasets.figure.whole_figure`), which the data set gives as one reference more.
        lightness: see above; two more channels a reference say where its upper and its lower garment are.

    Raises:
        InputError: a number of references below 0, or a ``consecutive`` warper.
    """

    def __init__(self, references: int, plate: bool, warper: Mapping | None = None, lightness: bool = False,
                 fill: bool = False) -> None:
        super().__init__()
        if references < 0:
            raise InputError(f'feature_maps.references={references}, expected the number of reference frames, 0 or more')
        if lightness and not references:
            raise InputError('feature_maps.texture_lightness is about the garments of references, but feature_maps.references=0')
        self.references, self.plate, self.lightness, self.fill = references, plate, lightness, fill
        self.warper = WARPERS.build(dict(warper or dict(type='PartAffineWarper', merge='over', rigid_head=True)))
        refuse_consecutive(self.warper, 'feature_maps.texture_warper')

    @property
    def channels(self) -> int:
        """Four a reference (RGB, coverage), with ``lightness`` six (two garments), and three of the plate."""
        return (4 + 2 * self.lightness) * self.references + 3 * self.plate

    @property
    def frame_keys(self) -> tuple[str, ...]:
        """What is needed of each frame to paint."""
        return (*REFERENCES, *['reference_garments'] * self.lightness) if self.references else ()

    @property
    def item_keys(self) -> tuple[str, ...]:
        """What is needed once a video."""
        return ('plate',) if self.plate else ()

    def check(self, batch: Mapping) -> None:
        """Refuse an item or a batch that lacks what is needed.

        Raises:
            InputError: names the keys and the options.
        """
        missing = [key for key in (*self.frame_keys, *self.item_keys) if key not in batch]
        if missing:
            more = ', garments=True' * self.lightness + ', figure=True' * self.fill
            options = [f'references=dict(count={self.references}{more})'] * bool(self.references) + ['plate=True'] * self.plate
            raise InputError(f'model.feature_maps has references={self.references} and plate={self.plate}, but the data set gives no '
                             f'{", ".join(missing)}: set {" and ".join(options)} in the data set, or leave them out of the model')
        if self.references and (count := batch['reference_poses'].shape[-3]) != self.references + self.fill:
            raise InputError(
                f'model.feature_maps.references={self.references}{" and a figure (texture_fill)" * self.fill}, but the data set gives '
                f'{count} references a frame: set references.count of the data set and references of the model to the same number, and '
                f'references.figure of the data set to texture_fill of the model')

    def forward(self, batch: Mapping) -> Tensor:
        """The textures of a preprocessed batch; no gradient flows.

        Args:
            batch: ``poses`` (B, T, 18, 3) and ``pose_maps`` (B, T, 3, H, W) of the target frames; ``reference_frames``
                (B, T, K, 3, s H, s W) in [-1, 1], ``reference_parts`` (B, T, K, 1, s H, s W) uint8 and ``reference_poses``
                (B, T, K, 18, 3) in pixels of the window; ``plate`` (B, 3, H, W) in [0, 1]; with ``lightness`` also
                ``reference_garments`` (B, T, K, 2, s H, s W) in [0, 1]. Poses may be on the CPU where pictures are on a GPU.

        Returns:
            (B, T, C, H, W) in [0, 1], C = :attr:`channels`. Colors are black where a reference shows nothing.

        Raises:
            InputError: something is missing, or the references are no multiple of the window's size.
        """
        self.check(batch)
        shape = batch['pose_maps'].shape
        found = [self._carried(batch)] if self.references else []
        if self.plate:
            found.append(batch['plate'][:, None].expand(-1, shape[1], -1, -1, -1))
        return torch.cat(found, 2)

    @torch.no_grad()
    def _carried(self, batch: Mapping) -> Tensor:
        """(B, T, 4 K or 6 K, H, W): colors and coverage of each reference, and where its garments are."""
        frames, lead = batch['reference_frames'], batch['reference_frames'].shape[:3]
        height, width = batch['pose_maps'].shape[-2:]
        scale = frames.shape[-1] / width
        if frames.shape[-2] != scale * height:
            raise InputError(f'reference_frames are {frames.shape[-2]}x{frames.shape[-1]}, the frames of the window {height}x{width} '
                             '(height x width): expected the same shape')
        source = _scaled(batch['reference_poses'].flatten(0, 2), scale)
        target = _scaled(batch['poses'][:, :, None].expand(-1, -1, lead[2], -1, -1).flatten(0, 2), scale)
        with torch.autocast(frames.device.type, enabled=False):
            shown = (frames.flatten(0, 2).float() + 1) / 2
            if self.lightness:
                garments = batch['reference_garments'].flatten(0, 2)
                shown = torch.cat([_gray_where(shown, garments.sum(1, keepdim=True).clamp(max=1)), garments], 1)
            warp = self.warper(shown, source, steadied(source, target), batch['reference_parts'].flatten(0, 2)[:, 0])
            maps = torch.cat([warp.maps, warp.coverage], 1)
            if scale != 1:
                maps = _reduced(maps, (height, width))
            if self.fill:
                opened = arms_opened(source.unflatten(0, lead), target.unflatten(0, lead))
                maps = _filled(maps.unflatten(0, lead), on_device(opened, maps.device)).flatten(0, 2)
            coverage = maps[:, -1:]
            carried = torch.where(coverage > LEAST, maps[:, :-1] / coverage.clamp(min=LEAST), 0).clamp(0, 1)
            spread = F.avg_pool2d(coverage, FEATHER, 1, FEATHER // 2, count_include_pad=False)
            rim = torch.minimum(coverage, 2 * spread - 1).clamp(0, 1)
            return torch.cat([carried[:, :3], rim, carried[:, 3:]], 1).unflatten(0, (*lead[:2], -1)).flatten(2, 3)

    def example(self, height: int, width: int, poses: Tensor) -> dict[str, Tensor]:
        """What is needed for a made-up batch of one sample, in the form of items: references that show a torso.

        Args:
            height, width: picture size.
            poses: (1, T, 18, 3), of the batch and of its references.
        """
        batch = {}
        if self.references:
            lead = *poses.shape[:2], self.references + self.fill
            parts = torch.zeros(*lead, 1, height, width, dtype=torch.uint8)
            parts[..., height // 4:3 * height // 4, width // 4:3 * width // 4] = 1
            batch |= dict(reference_frames=torch.zeros(*lead, 3, height, width, dtype=torch.uint8),
                          reference_parts=parts, reference_poses=poses[:, :, None].expand(*lead, *poses.shape[2:]).clone())
            if self.lightness:
                batch |= dict(reference_garments=torch.zeros(*lead, 2, height, width, dtype=torch.uint8))
        return batch | (dict(plate=torch.zeros(1, 3, height, width, dtype=torch.uint8)) if self.plate else {})


def _reduced(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over the pixels of each cell, to the bit as ``mode='area'`` of ``interpolate``, which is several times as slow."""
    times, rest = divmod(maps.shape[-1], size[1])
    if rest or maps.shape[-2] != times * size[0]:
        return F.interpolate(maps, size=size, mode='area')
    total = 0
    for row in range(times):
        for column in range(times):
            total = total + maps[..., row::times, column::times]
    return total / times / times


def _filled(maps: Tensor, share: Tensor) -> Tensor:
    """(B, T, K + 1, C, H, W) with coverage as the last channel -> (B, T, K, C, H, W): each put over the last, times shares (B, T)."""
    front, behind = maps[:, :, :-1], maps[:, :, -1:] * share[..., None, None, None, None]
    room = ((1 - front[..., -1:, :, :]) / behind[..., -1:, :, :].clamp(min=LEAST)).clamp(0, 1)
    return front + room * behind


def arms_opened(source: Tensor, target: Tensor) -> Tensor:
    """How much arms are elsewhere than in the nearest reference, so that there are holes to fill: (B, T) in [0, 1].

    Where they hardly are, as in a person's own movement, the reference knows better where the torso ends.

    Args:
        source, target: (B, T, K, 18, 3), the first of K is the nearest.
    """
    source, target = source[:, :, 0], target[:, :, 0]
    both = (source[..., 2:] > 0) & (target[..., 2:] > 0)
    way = (target - source)[..., :2] * both
    way = (way - way.sum(-2, keepdim=True) / both.sum(-2, keepdim=True).clamp(min=1)) * both
    moved = way[..., ARMS, :].norm(dim=-1).amax(-1) / body_scale(source).clamp(min=1e-6)
    return ((moved - OPENED[0]) / (OPENED[1] - OPENED[0])).clamp(0, 1)


def steadied(source: Tensor, target: Tensor) -> Tensor:
    """Target poses without most of the movement that may be an error of estimated joints: a Wiener filter of each joint's way.

    Somebody who hardly moves is then copied almost as they are, rather than bent by noise. What all joints do together is filtered by
    itself, by half the noise.

    Args:
        source: (N, 18, 3), where pixels are taken from.
        target: (N, 18, 3).

    Returns:
        (N, 18, 3): joints that both have went less far: ``d^3 / (d^2 + noise^2)`` instead of d, see :data:`NOISE`.
    """
    both = (source[..., 2:] > 0) & (target[..., 2:] > 0)
    way, noise = (target - source)[..., :2] * both, NOISE * body_scale(source)[..., None, None]
    common = way.sum(-2, keepdim=True) / both.sum(-2, keepdim=True).clamp(min=1)
    way = _filtered(common, noise / 2) + _filtered(way - common, noise)
    return torch.cat([torch.where(both, source[..., :2] + way, target[..., :2]), target[..., 2:]], -1)


def _filtered(way: Tensor, noise: Tensor) -> Tensor:
    squares = way.square().sum(-1, keepdim=True)
    return way * (squares / (squares + noise.square()).clamp(min=1e-6))


def _gray_where(pictures: Tensor, weights: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] without color where weights (N, 1, H, W) are 1; lightness stays."""
    gray = lightness_to_gray(rgb_to_lab(pictures.movedim(1, -1))[..., 0])[:, None]
    return torch.lerp(pictures, gray.expand_as(pictures), weights.expand_as(pictures))


def _scaled(poses: Tensor, scale: float) -> Tensor:
    """Poses in a picture ``scale`` times as large; pixel centers at integer coordinates."""
    return torch.cat([poses[..., :2] * scale + (scale - 1) / 2, poses[..., 2:]], -1)
