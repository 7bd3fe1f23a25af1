"""Gradients of convolutions of 3 x 3 with 2.25 times fewer multiplications, by Winograd's minimal filtering F(2 x 2, 3 x 3).

Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks, section 4.1. Additions take the place of
multiplications, and numbers are rounded more often: in bfloat16 the result is 2.3 times as far from the exact one as that of a plain
convolution. A gradient bears that. What a loss compares does not: see docs/performance.md.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_WEIGHTS = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))
"""G of the paper."""


def transformed(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights (O, I, 3, 3) of a convolution as :func:`input_gradient` takes them, (16, O, I)."""
    sides, weight = torch.tensor(_WEIGHTS, dtype=torch.float64), weight.detach().double().flip(2, 3)
    return torch.einsum('ai,oxij,bj->abox', sides, weight, sides).flatten(0, 1).to(dtype).contiguous()


def input_gradient(out: Tensor, weights: Tensor) -> Tensor:
    """Gradient of the input of a convolution of 3 x 3 with one row and column of zeros around the input.

    Args:
        out: (B, O, H, W), H and W even, of the output.
        weights: (16, O, I), of :func:`transformed`.

    Returns:
        (B, I, H, W), channels last.
    """
    made = torch.empty(len(out), weights.shape[2], *out.shape[2:], dtype=out.dtype, memory_format=torch.channels_last)
    # One picture after the other: what lies between the steps is four times as large as the picture, and should stay in the cache.
    for picture, place in zip(out.permute(0, 2, 3, 1).contiguous().split(1), made.permute(0, 2, 3, 1).split(1)):
        _convolve(picture, weights, place)
    return made


def _convolve(x: Tensor, weights: Tensor, out: Tensor) -> None:
    """(B, H, W, O) with weights (16, O, I) into ``out`` (B, H, W, I)."""
    (batch, height, width, inside), outside = x.shape, weights.shape[2]
    rows, columns = height // 2, width // 2
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    down = x.new_empty(4, batch, rows, width + 2, inside)
    _taken([padded[:, i:i + 2 * rows - 1:2] for i in range(4)], down)
    tiles = x.new_empty(4, 4, batch, rows, columns, inside)
    _taken([down[:, :, :, i:i + 2 * columns - 1:2] for i in range(4)], tiles.unbind(1))
    products = torch.bmm(tiles.view(16, -1, inside), weights).view(4, 4, batch, rows, columns, outside)
    across = x.new_empty(2, 4, batch, rows, columns, outside)
    _given(products, across)
    _given(across.unbind(1), out.view(batch, rows, 2, columns, 2, outside).permute(2, 4, 0, 1, 3, 5).unbind(1))


def _taken(d: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """B^T d of the paper, along one side."""
    torch.sub(d[0], d[2], out=out[0])
    torch.add(d[1], d[2], out=out[1])
    torch.sub(d[2], d[1], out=out[2])
    torch.sub(d[1], d[3], out=out[3])


def _given(m: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """A^T m of the paper, along one side."""
    middle = m[1] + m[2]
    torch.add(m[0], middle, out=out[0])
    torch.sub(m[1], m[2], out=middle)
    torch.sub(middle, m[3], out=out[1])
