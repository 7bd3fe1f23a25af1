"""Scale and move maps so that one person's size and place become another's."""

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.skeletons import scale_points


def rescale_maps(maps: Tensor, source: Tensor, target: Tensor, cell: float = 1.0) -> Tensor:
    r"""Carry maps along with :math:`p' = s (p - p_s) + p_t`, :math:`s = h_t / h_s`.

    Source: Tsvetkov and Abu-Saleh, future directions, "skeleton scaling"; the idea of Everybody Dance Now (Chan et al. 2019).

    Args:
        maps: (N, C, h, w); directions stored in channels keep theirs, as the scale is the same along both axes.
        source: (3,) x, y of the source person's anchor and their height, in pixels.
        target: (3,) the same of the target person.
        cell: pixels a cell of the maps covers; the center of cell i lies at pixel (i + .5) * cell - .5.

    Returns:
        (N, C, h, w), bilinear, 0 where nothing was.

    Convention:
        Pixel centers at integer coordinates. The same as ``grid_sample`` with ``align_corners=False`` and zero padding.
    """
    source, target = source.to(maps), target.to(maps)
    scale = target[2] / source[2]
    coordinates = []
    for axis, size in ((0, maps.shape[-1]), (1, maps.shape[-2])):
        pixel = scale_points(torch.arange(size, device=maps.device, dtype=maps.dtype), cell)
        position = (pixel - target[axis]) / scale + source[axis]
        coordinates.append(2 * (position + 0.5) / (cell * size) - 1)
    grid = torch.stack(torch.meshgrid(*coordinates, indexing='xy'), -1)
    return F.grid_sample(maps, grid.expand(len(maps), -1, -1, -1), align_corners=False)
