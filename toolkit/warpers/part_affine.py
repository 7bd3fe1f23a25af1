"""Warp source maps to a target pose, part by part, and merge the parts."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.machine import on_device
from toolkit.masks.geometry import part_shapes
from toolkit.registry import WARPERS
from toolkit.skeletons import MIRROR_PART, P
from toolkit.structures import InputError
from toolkit.warpers.affine import DET_RANGE, MIN_LENGTH, REGULARIZATION, part_affines
from toolkit.warpers.candidates import Candidates, everywhere, inside, label_extents, reachable
from toolkit.warpers.source_masks import grow_extents, part_bits

MASK_SPACES = ('source', 'target', 'both')
SAMPLINGS = ('bilinear', 'nearest', 'bicubic')
MERGES = ('max', 'over')
MOST_PIXELS = 2**22
"""GPUs try each pixel for each part where all sources of a call together have at most so many. Where one source has many targets, at
most so many pixels are tried at once."""
MOST = .75
"""Share of the weight of a bicubic sample that must lie in the part."""


class Warp(NamedTuple):
    """Result of a warp: maps (B, C, H, W), coverage (B, 1, H, W) in [0, 1], valid (B, P) bool."""

    maps: Tensor
    coverage: Tensor
    valid: Tensor


class Source(NamedTuple):
    """What depends on the source alone, see :meth:`PartAffineWarper.prepare`.

    Attributes:
        bits: (B, H, W) int16 of :func:`toolkit.warpers.source_masks.part_bits`.
        extents: (B, P + 1, 2, 4) of the labels with the discs of joints, or None where they are not needed: for parts that are cut out
            of the target, and where all pixels are tried.
    """

    bits: Tensor
    extents: Tensor | None


@WARPERS.register_module()
class PartAffineWarper(nn.Module):
    r"""Part-wise affine warp, by default with max-merge, :math:`\tilde F = \max_i T_i(F \cdot L_i)`.

    Each of the ten parts moves by its own affine transform (:func:`toolkit.warpers.affine.part_affines`). All samples and parts are
    handled together: one list of reachable target pixels, one gather, one scatter with maximum; the same code on CPU and GPU.

    Args:
        mask_space: where maps are cut into parts. ``source``: by the source part labels, before sampling (the paper). ``target``: the
            whole map is sampled, then cut by the part's shape under the target pose (Deformable GAN). ``both``: both.
        sampling: ``bilinear`` or ``nearest``; or ``bicubic`` (Keys 1981, a = -.5), sharper and four times as many pixels. It may
            overshoot, so that maps are kept between 0 and 1, as pictures are; coverage is that of ``bilinear``.
        regularization: weight of the pull towards a similarity for torso and head.
        min_length: bones shorter than this many pixels count as missing.
        det_range: smallest and largest allowed area ratio of a transform.
        consecutive: batches are consecutive frames of one video, of one source; an unusable torso takes over the transform of the
            frame before. Networks refuse it (:func:`refuse_consecutive`): rows of their batches are not such frames.
        joint_overlap: parts that share a joint both own the pixels within this distance of it, in body scales; fills the cracks that
            open at bent joints. 0 = labels as they are.
        merge: where several parts show something: ``max``, the largest value of each map (the paper); ``over``, the part in front,
            as layers are put over each other: torso, head, legs, arms, forearms in front. For maps that are colors, whose maximum
            would be a color that nobody has. No gradient reaches the maps then.
        rigid_head: turn the head as a whole, see :func:`toolkit.warpers.affine.part_affines`.

    Raises:
        InputError: unknown option.

    Convention:
        Direction target -> source: target pixel p shows source position T(p). Pixel centers at integer coordinates (in terms of
        ``grid_sample``: align_corners=False with positions converted by (2x + 1) / W - 1). Outside the source everything is zero.
        Maps must be >= 0 with a zero background: negative values lose against it. Gradients reach the maps through the part that won.

    Source:
        Yang et al. 2019, equation 1.
    """

    def __init__(
        self,
        mask_space: str = 'source',
        sampling: str = 'bilinear',
        regularization: float = REGULARIZATION,
        min_length: float = MIN_LENGTH,
        det_range: tuple[float, float] = DET_RANGE,
        consecutive: bool = False,
        joint_overlap: float = 0.12,
        merge: str = 'max',
        rigid_head: bool = False,
    ) -> None:
        super().__init__()
        for name, value, allowed in (
                ('mask_space', mask_space, MASK_SPACES), ('sampling', sampling, SAMPLINGS), ('merge', merge, MERGES)):
            if value not in allowed:
                raise InputError(f'{name}={value!r} is unknown, expected one of {allowed}')
        self.mask_space, self.sampling, self.joint_overlap, self.merge = mask_space, sampling, joint_overlap, merge
        self.consecutive = consecutive
        self.affine_options = dict(
            regularization=regularization, min_length=min_length, det_range=tuple(det_range), consecutive=consecutive,
            rigid_head=rigid_head)

    def extra_repr(self) -> str:
        return f'mask_space={self.mask_space!r}, sampling={self.sampling!r}, joint_overlap={self.joint_overlap}, merge={self.merge!r}'

    def prepare(self, source_pose: Tensor, source_parts: Tensor) -> Source:
        """Source masks and their extents, which are the same for all targets of a source.

        Args:
            source_pose: (B, K, 3).
            source_parts: (B, H, W) labels 0..P.
        """
        whole = self._looks_everywhere(source_parts)
        bits = torch.ones_like(source_parts, dtype=torch.int16) if self.mask_space == 'target' else \
            part_bits(source_parts, source_pose.detach(), self.joint_overlap, whole)
        if self.mask_space != 'source' or whole:
            return Source(bits, None)
        source_pose = source_pose.detach().to(source_parts.device)
        return Source(bits, grow_extents(label_extents(source_parts), source_pose, self.joint_overlap))

    def _looks_everywhere(self, parts: Tensor) -> bool:
        """Whether all pixels are tried for all parts: on a GPU this is faster than to wait for how many can be reached."""
        return self.mask_space == 'source' and parts.is_cuda and parts.numel() <= MOST_PIXELS

    def forward(self, maps: Tensor, source_pose: Tensor, target_pose: Tensor, source_parts: Tensor,
                source: Source | None = None) -> Warp:
        """Warp maps from source poses to target poses.

        Args:
            maps: (B, C, H, W) float >= 0, in the source pose.
            source_pose: (B, K, 3).
            target_pose: (B, K, 3); for N targets of one source, expand the source to N.
            source_parts: (B, H, W) labels 0..P of the source (:func:`toolkit.masks.parts.part_labels`).
            source: of :meth:`prepare` for the same source; None computes it.

        Returns:
            maps (B, C, H, W) of the input's dtype, at the edge of a part weighted with its mask; coverage (B, 1, H, W), the warped part
            masks, merged in the same way; valid (B, P), parts that have a transform.

        Raises:
            InputError: shapes that do not fit together.
        """
        if maps.ndim != 4 or source_parts.shape != (len(maps), *maps.shape[2:]) or len(source_pose) != len(maps):
            raise InputError(f'expected maps (B, C, H, W), poses (B, K, 3) and source_parts (B, H, W), got maps {tuple(maps.shape)}, '
                             f'source_pose {tuple(source_pose.shape)}, source_parts {tuple(source_parts.shape)}')
        source_pose, target_pose = source_pose.detach().to(target_pose.device), target_pose.detach()
        matrices, valid, mirrored = part_affines(source_pose, target_pose, **self.affine_options)
        if len(maps) == 0:
            return Warp(maps, maps.new_zeros(0, 1, *maps.shape[2:]), valid)
        matrices, valid, labels = (on_device(x, maps.device) for x in (matrices, valid, self._labels(mirrored)))
        if all(v.stride(0) == 0 for v in (maps, source_pose, source_parts)):
            # one source for many targets: its masks are needed once
            maps, source_pose, source_parts = maps[:1], source_pose[:1], source_parts[:1]
        source = self.prepare(source_pose, source_parts) if source is None else source
        if len(source.bits) != len(maps):
            raise InputError(f'prepared for {len(source.bits)} sources, but there are {len(maps)}')
        given = matrices, valid, labels, target_pose
        if self.mask_space != 'source' or source.extents is not None:
            return self._warped(maps, source, *given, whole=False)
        most = max(1, MOST_PIXELS // source.bits[0].numel()) if len(maps) == 1 else len(labels)
        parts = [self._warped(maps, source, *some, whole=True) for some in zip(*(x.split(most) for x in given))]
        return parts[0] if len(parts) == 1 else Warp(*map(torch.cat, zip(*parts)))

    def _warped(self, maps: Tensor, source: Source, matrices: Tensor, valid: Tensor, labels: Tensor, target_pose: Tensor,
                whole: bool) -> Warp:
        """Warp to these targets; ``whole`` tries all pixels for all parts."""
        if whole:
            candidates = everywhere(len(labels), *maps.shape[2:], maps.device)
        else:
            candidates = self._candidates(matrices, valid, labels, source, target_pose)
        wanted = torch.ones_like(labels) if self.mask_space == 'target' else (1 << labels) * valid
        dtype = maps.dtype if maps.dtype in (torch.float32, torch.float64) else torch.float32
        values = self._sample(maps.to(dtype), source.bits, matrices, wanted.to(source.bits.dtype), candidates)
        shape = len(labels), *maps.shape[2:]
        if whole:
            layers = values.reshape(len(values), shape[0], P, *shape[1:])
            merged = (layers.amax(2) if self.merge == 'max' else _laid_over(layers)).transpose(0, 1)
        else:
            merged = (_max_merge if self.merge == 'max' else _over_merge)(values, candidates, shape)
        merged = merged.to(maps.dtype)
        return Warp(merged[:, :-1], merged[:, -1:], valid)

    @staticmethod
    def _labels(mirrored: Tensor) -> Tensor:
        """(B, P) label each part takes its pixels from."""
        own = torch.arange(1, P + 1, device=mirrored.device)
        other = torch.tensor(MIRROR_PART, device=mirrored.device) + 1
        return torch.where(mirrored, other, own)

    def _candidates(self, matrices: Tensor, valid: Tensor, labels: Tensor, source: Source, target_pose: Tensor) -> Candidates:
        height, width = source.bits.shape[1:]
        if source.extents is not None:
            extents = source.extents.expand(len(labels), -1, -1, -1).gather(1, labels[:, :, None, None].expand(-1, -1, 2, 4))
            return reachable(matrices, valid, extents, height, width)
        shapes = np.stack([part_shapes(pose, height, width) for pose in target_pose.cpu().numpy()])
        return inside(torch.from_numpy(shapes).to(valid.device), valid)

    def _sample(self, maps: Tensor, bits: Tensor, matrices: Tensor, wanted: Tensor, at: Candidates) -> Tensor:
        """(C + 1, N) sampled maps and, last, the weight of the samples that lie in the part and in the frame."""
        _, channels, height, width = maps.shape
        rows = matrices.reshape(-1, 6).t().to(maps.dtype).index_select(1, at.group)
        x = torch.addcmul(torch.addcmul(rows[2], rows[1], at.y.to(maps.dtype)), rows[0], at.x.to(maps.dtype))
        y = torch.addcmul(torch.addcmul(rows[5], rows[4], at.y.to(maps.dtype)), rows[3], at.x.to(maps.dtype))
        if self.sampling == 'nearest':
            x, y = (x + 0.5).floor(), (y + 0.5).floor()
        x, y = x.clamp(-1, width), y.clamp(-1, height)
        left, top = x.floor(), y.floor()
        fx, fy = x - left, y - top
        wide = self.sampling == 'bicubic'
        padding = (2, 3, 2, 3) if wide else (1, 2, 1, 2)
        stride, lines = width + padding[0] + padding[1], height + padding[0] + padding[1]
        corner = (top.int() + padding[0]) * stride + left.int() + padding[0]
        if len(maps) > 1:
            corner += torch.div(at.group, P, rounding_mode='floor').int() * (lines * stride)
        pixels = F.pad(maps, padding).transpose(0, 1).reshape(channels, -1)
        owners = F.pad(bits, padding).reshape(-1)
        wanted = wanted.reshape(-1).index_select(0, at.group)
        values, coverage = 0, 0
        for shift, weight in ((0, (1 - fx) * (1 - fy)), (1, fx * (1 - fy)), (stride, (1 - fx) * fy), (stride + 1, fx * fy)):
            index = corner + shift
            weight = weight * ((owners.index_select(0, index) & wanted) != 0)
            values = values + weight * pixels.index_select(1, index)
            coverage = coverage + weight
        if wide:
            values = coverage * _bicubic(pixels, owners, wanted, corner, stride, fx, fy, values, coverage)
        return torch.cat([values, coverage[None]])


def refuse_consecutive(warper: nn.Module, where: str) -> None:
    """Refuse a warper that takes over transforms from the row before, for batches whose rows are frames of several windows or sources.

    Args:
        warper: it.
        where: key of the config.

    Raises:
        InputError: it does.
    """
    if getattr(warper, 'consecutive', False):
        raise InputError(f'{where}: consecutive=True takes over the transform of the row before, but rows of a batch are frames of '
                         f'other windows, clips or references: leave it out')


def _bicubic(pixels: Tensor, owners: Tensor, wanted: Tensor, corner: Tensor, stride: int, fx: Tensor, fy: Tensor, values: Tensor,
             coverage: Tensor) -> Tensor:
    """(C, N) values in [0, 1] of the 4 x 4 pixels around each place that belong to the part.

    Near the edge of a part, where less than most of the weight is there, the bilinear value stands.
    """
    across, down = _cubic_weights(fx), _cubic_weights(fy)
    total, weights = 0, 0
    for row in range(4):
        for column in range(4):
            index = corner + (row - 1) * stride + column - 1
            weight = across[column] * down[row] * ((owners.index_select(0, index) & wanted) != 0)
            total, weights = total + weight * pixels.index_select(1, index), weights + weight
    bilinear = values / coverage.clamp(min=1e-6)
    return torch.where(weights > MOST, total / weights.clamp(min=MOST), bilinear).clamp(0, 1)


def _cubic_weights(f: Tensor) -> list[Tensor]:
    """Weights of the pixels -1, 0, 1, 2 for a place ``f`` in [0, 1) behind pixel 0 (Keys 1981, a = -.5)."""
    return [((-.5 * f + 1) * f - .5) * f, (1.5 * f - 2.5) * f * f + 1, ((-1.5 * f + 2) * f + .5) * f, (.5 * f - .5) * f * f]


def _max_merge(values: Tensor, at: Candidates, shape: tuple[int, int, int]) -> Tensor:
    """(B, C + 1, H, W) maximum of all values that fall on a pixel, and of zero."""
    batch, height, width = shape
    merged = values.new_zeros(len(values), batch * height * width)
    merged.scatter_reduce_(1, at.pixel.expand_as(values), values, 'amax')
    return merged.reshape(-1, batch, height, width).transpose(0, 1)


@torch.no_grad()
def _over_merge(values: Tensor, at: Candidates, shape: tuple[int, int, int]) -> Tensor:
    """(B, C + 1, H, W): the parts put over each other, one after the other, the last value being how much a part hides.

    What is behind fills what is left (Porter and Duff 1984, "over" for disjoint shapes, as in PDF and XRender): parts that meet in a
    pixel cover all of it, so that no seam between them lets the scene shine through.
    """
    batch, height, width = shape
    merged = values.new_zeros(len(values), batch * height * width)
    ends = torch.searchsorted(at.group, torch.arange(batch * P + 1, device=at.group.device)).tolist()
    for part in range(P):
        spans = [slice(ends[group], ends[group + 1]) for group in range(part, batch * P, P)]
        pixel = torch.cat([at.pixel[span] for span in spans])
        front = torch.cat([values[:, span] for span in spans], 1)
        merged.index_copy_(1, pixel, _over(front, merged.index_select(1, pixel)))
    return merged.reshape(-1, batch, height, width).transpose(0, 1)


def _over(front: Tensor, behind: Tensor) -> Tensor:
    """Values (C + 1, ...) laid over others, the last one being how much is hidden."""
    return front + ((1 - front[-1]) / behind[-1].clamp(min=1e-6)).clamp(max=1) * behind


@torch.no_grad()
def _laid_over(layers: Tensor) -> Tensor:
    """(C + 1, B, H, W): as :func:`_over_merge`, of the parts as whole pictures (C + 1, B, P, H, W)."""
    merged = torch.zeros_like(layers[:, :, 0])
    for part in range(P):
        merged = _over(layers[:, :, part], merged)
    return merged
