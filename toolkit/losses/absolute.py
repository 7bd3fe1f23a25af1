"""Mean absolute differences of feature maps."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def mean_absolute_difference(fake: Tensor, real: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """mean |fake - real|, summed in float32; the gradient goes to ``fake`` alone.

    What autograd makes of the same formula spreads the gradient over a float32 array in the usual order, also where the maps are in
    half precision and have their channels last: that and all that meets it is several times as slow.

    Args:
        fake: of any shape, in the precision in which the difference is taken.
        real: the same shape and precision; a constant.
        dims: over which the mean is taken; None takes all.

    Returns:
        float32, of the shape that is left.
    """
    return _MeanAbsolute.apply(fake, real.detach(), tuple(range(fake.dim())) if dims is None else tuple(dims))


class _MeanAbsolute(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, fake: Tensor, real: Tensor, dims: tuple[int, ...]) -> Tensor:
        difference = fake - real
        ctx.save_for_backward(difference)
        ctx.dims = dims
        return difference.abs().mean(dims, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, None, None]:
        difference, = ctx.saved_tensors
        for dim in sorted(dim % difference.dim() for dim in ctx.dims):
            out = out.unsqueeze(dim)
        share = out / (difference.numel() // out.numel())
        return difference.sgn() * share.to(difference.dtype), None, None
