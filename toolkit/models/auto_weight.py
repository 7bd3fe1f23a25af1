"""A loss weight that follows the size of the other losses, then stays."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from torch import Tensor, nn

from toolkit.structures import InputError

MEASURES = ('loss', 'gradient')


class AutoWeight(nn.Module):
    """Keeps a loss proportional to the others: ``weight = ratio * mean(others) / mean(loss)``, with running means.

    Paper B (Tsvetkov and Abu-Saleh) found that the skeleton loss must be "proportional to the other losses" and gives no number. What is
    compared are the values of the losses, or the lengths of their gradients at the generated pictures (as VQGAN does, Esser et al.
    2021): a pose network is steep, so that at equal values its gradient is one or two orders of magnitude longer than theirs.

    The means are over all processes, so that every process uses the same weight; they are in checkpoints.

    Args:
        ratio: size of the weighted loss relative to the others.
        by: 'loss' or 'gradient', what is compared.
        decay: of the running means.
        limits: smallest and largest weight.
        freeze_at: iteration from which the weight stays; None for never.

    Raises:
        InputError: a number that cannot be.
    """

    def __init__(self, ratio: float = 0.5, decay: float = 0.99, limits: tuple[float, float] = (1.0, 1e4),
                 freeze_at: int | None = None, by: str = 'loss') -> None:
        super().__init__()
        if ratio <= 0 or not 0 <= decay < 1 or not 0 <= limits[0] <= limits[1] or (freeze_at is not None and freeze_at < 1):
            raise InputError(f'auto_weight: ratio={ratio}, decay={decay}, limits={tuple(limits)}, freeze_at={freeze_at}; expected a '
                             f'ratio above 0, a decay in [0, 1), rising limits of at least 0, and freeze_at of at least 1 or None')
        if by not in MEASURES:
            raise InputError(f'auto_weight: by={by!r}, expected one of {", ".join(MEASURES)}')
        self.by = by
        self.ratio, self.decay, self.limits, self.freeze_at = ratio, decay, tuple(limits), freeze_at
        self.register_buffer('means', torch.zeros(2))

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
            by_gradient = self.by == 'gradient' and torch.is_grad_enabled()
            self._follow(*(gradient_length(value, pictures) if by_gradient else value.detach().abs() for value in (loss, others)))
        return (self.ratio * self.means[1] / self.means[0].clamp_min(1e-12)).clamp(*self.limits)

    @torch.no_grad()
    def _follow(self, loss: Tensor, others: Tensor) -> None:
        """Move the running means."""
        new = torch.stack([loss.float(), others.float()])
        if get_world_size() > 1:
            dist.all_reduce(new)
            new /= get_world_size()
        self.means.lerp_(new, 1 - self.decay)


def gradient_length(loss: Tensor, pictures: Sequence[Tensor]) -> Tensor:
    """Euclidean length of a loss's gradient at pictures, whose graph is kept."""
    gradients = torch.autograd.grad(loss, pictures, retain_graph=True)
    return torch.stack([gradient.float().square().sum() for gradient in gradients]).sum().sqrt()
