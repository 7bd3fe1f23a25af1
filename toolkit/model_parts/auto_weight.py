"""A loss weight that follows the size of the other losses, then stays."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from torch import Tensor, nn

from toolkit.structures import InputError

MEASURES = ('loss', 'gradient')


class AutoWeight(nn.Module):
    """Keeps a loss proportional to the others: ``weight = ratio * mean(others) / mean(loss)``, with running geometric means.

    Paper B (Tsvetkov and Abu-Saleh) found that the skeleton loss must be "proportional to the other losses" and gives no number. What
    is compared are the values of the losses, or the lengths of their gradients at the generated pictures (as VQGAN does, Esser et al.
    2021). The gradient of a pose network at unfinished pictures is long and mostly noise, so that balancing by it gives a weight that
    does nothing; see docs/results.md.

    The means are over all processes, so that every process uses the same weight; they are in checkpoints.

    Args:
        ratio: size of the weighted loss relative to the others.
        decay: of the running means.
        limits: smallest and largest weight.
        freeze_at: iteration from which the weight stays; None for never.
        by: 'loss' or 'gradient', what is compared.

    Raises:
        InputError: a number that cannot be.
    """

    def __init__(self, ratio: float = 0.05, decay: float = 0.99, limits: tuple[float, float] = (1e-2, 1e4),
                 freeze_at: int | None = None, by: str = 'loss') -> None:
        super().__init__()
        if ratio <= 0 or not 0 <= decay < 1 or not 0 <= limits[0] <= limits[1] or (freeze_at is not None and freeze_at < 1):
            raise InputError(f'auto_weight: ratio={ratio}, decay={decay}, limits={tuple(limits)}, freeze_at={freeze_at}; expected a '
                             f'ratio above 0, a decay in [0, 1), rising limits of at least 0, and freeze_at of at least 1 or None')
        if by not in MEASURES:
            raise InputError(f'auto_weight: by={by!r}, expected one of {", ".join(MEASURES)}')
        self.by = by
        self.ratio, self.decay, self.limits, self.freeze_at = ratio, decay, tuple(limits), freeze_at
        self.register_buffer('means', torch.zeros(3))

    def forward(self, loss: Tensor, others: Tensor, pictures: Sequence[Tensor], iteration: int) -> Tensor:
        """The weight of this iteration.

        Args:
            loss: the loss, not weighted, a scalar.
            others: sum of the other, weighted losses, a scalar.
            pictures: what gradients are taken at; their graphs are kept.
            iteration: iterations done so far.

        Returns:
            Scalar without gradient.
        """
        if self.freeze_at is None or iteration < self.freeze_at:
            if self.by == 'gradient' and torch.is_grad_enabled():
                self._follow(squared_gradient(loss, pictures), squared_gradient(others, pictures), power=2)
            else:
                self._follow(loss.detach(), others.detach(), power=1)
        loss_mean, others_mean, total = self.means
        return (self.ratio * ((others_mean - loss_mean) / total).exp()).clamp(*self.limits)

    @torch.no_grad()
    def _follow(self, loss: Tensor, others: Tensor, power: int) -> None:
        """Move the running means of the logarithms of two sizes, given to a power; the third number counts what has gone in."""
        new = torch.stack([loss, others]).float()
        if get_world_size() > 1:
            dist.all_reduce(new)
            new /= get_world_size()
        new = torch.cat([new.clamp_min(1e-12**power).log() / power, new.new_ones(1)])
        self.means.lerp_(new, 1 - self.decay)


def squared_gradient(loss: Tensor, pictures: Sequence[Tensor]) -> Tensor:
    """Squared Euclidean length of a loss's gradient at pictures, whose graph is kept."""
    gradients = torch.autograd.grad(loss, pictures, retain_graph=True)
    return torch.stack([gradient.float().square().sum() for gradient in gradients]).sum()
