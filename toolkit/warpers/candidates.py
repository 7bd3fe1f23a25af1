"""Which target pixels a part can reach: one list over all samples and parts instead of one full frame per part.

A part covers a few per cent of a frame, so that ten full-frame warps would mostly move zeros. The part's extent in the source along x,
y and both diagonals is an octagon; its image under the inverse transform is convex, hence one span of pixels per target row.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.skeletons import P

FAR = 1e9


class Candidates(NamedTuple):
    """N target pixels to be filled.

    group (N,): sample * P + part, which does not fall; x (N,), y (N,): position in the target; pixel (N,): (sample * H + y) * W + x.
    """

    group: Tensor
    x: Tensor
    y: Tensor
    pixel: Tensor


def label_extents(parts: Tensor) -> Tensor:
    """Extents of all labels along x, y, x + y and x - y.

    Only ends of runs within a row are looked at: every extreme lies on one.

    Args:
        parts: (B, H, W) uint8 labels 0..P.

    Returns:
        (B, P + 1, 2, 4) float64: smallest and largest value; smallest > largest for a label that does not occur.
    """
    if len(parts) > 1 and parts.stride(0) == 0:
        return label_extents(parts[:1]).expand(len(parts), -1, -1, -1)
    batch, height, width = parts.shape
    change = F.pad(parts, (1, 1))
    change = change[..., 1:] != change[..., :-1]
    sample, y, x = ((change[..., 1:] | change[..., :-1]) & (parts > 0)).nonzero(as_tuple=True)
    key = (sample * (P + 1) + parts[sample, y, x]).expand(4, -1)
    values = torch.stack([x, y, x + y, x - y])
    limit = 4 * (height + width)
    low = values.new_full((4, batch * (P + 1)), limit).scatter_reduce_(1, key, values, 'amin')
    high = torch.full_like(low, -limit).scatter_reduce_(1, key, values, 'amax')
    return torch.stack([low, high]).double().reshape(2, 4, batch, P + 1).permute(2, 3, 0, 1)


def reachable(matrices: Tensor, valid: Tensor, extents: Tensor, height: int, width: int) -> Candidates:
    """Target pixels whose source position lies within the part's extents, grown by the reach of bilinear sampling.

    Args:
        matrices: (B, P, 2, 3) target -> source.
        valid: (B, P) bool.
        extents: (B, P, 2, 4) from :func:`label_extents`, for the label each part samples.
        height: target height.
        width: target width.
    """
    device = matrices.device
    grow = torch.tensor([1.0, 1.0, 2.0, 2.0], dtype=matrices.dtype, device=device)
    first, second = matrices[..., 0, :], matrices[..., 1, :]
    slope, per_row, offset = torch.stack([first, second, first + second, first - second], -1).unbind(-2)
    rows = torch.arange(height, device=device)
    base = offset[..., None, :] + per_row[..., None, :] * rows[:, None]
    slope = torch.where(slope.abs() < 1 / FAR, 1 / FAR, slope)[..., None, :]
    low, high = ((edge[..., None, :] - base) / slope for edge in (extents[:, :, 0] - grow, extents[:, :, 1] + grow))
    start = torch.minimum(low, high).amax(-1).clamp(0, width).ceil().long()
    stop = torch.maximum(low, high).amin(-1).clamp(-1, width - 1).floor().long() + 1
    present = valid & (extents[:, :, 0, 0] <= extents[:, :, 1, 0])
    counts = ((stop - start).clamp(min=0) * present[..., None]).reshape(-1)
    span = torch.repeat_interleave(counts)
    shift = start.reshape(-1) - counts.cumsum(0) + counts
    x = shift.index_select(0, span) + torch.arange(len(span), device=device)
    groups = torch.arange(len(matrices) * P, device=device)
    first_pixel = (torch.div(groups, P, rounding_mode='floor')[:, None] * height + rows) * width
    group = groups.repeat_interleave(height).index_select(0, span)
    y = rows.repeat(len(groups)).index_select(0, span)
    return Candidates(group, x, y, first_pixel.reshape(-1).index_select(0, span) + x)


def inside(shapes: Tensor, valid: Tensor) -> Candidates:
    """Target pixels inside given shapes.

    Args:
        shapes: (B, P, H, W) bool.
        valid: (B, P) bool.
    """
    height, width = shapes.shape[2:]
    sample, part, y, x = (shapes & valid[..., None, None]).nonzero(as_tuple=True)
    return Candidates(sample * P + part, x, y, (sample * height + y) * width + x)


def everywhere(batch: int, height: int, width: int, device: torch.device) -> Candidates:
    """All pixels for each sample and part, (sample, part, y, x) in order: many, but nothing has to be counted, for which one would have
    to wait for a GPU.

    Args:
        batch: samples.
        height, width: of the target.
        device: where.
    """
    group, y, x = (grid.reshape(-1) for grid in torch.meshgrid(
        *(torch.arange(size, device=device) for size in (batch * P, height, width)), indexing='ij'))
    return Candidates(group, x, y, (torch.div(group, P, rounding_mode='floor') * height + y) * width + x)
