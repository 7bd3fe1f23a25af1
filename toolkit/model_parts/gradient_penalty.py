"""What keeps a discriminator smooth around real pictures. Source: Mescheder et al. 2018, section 4 (R1); lazily, Karras et al. 2020."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.structures import InputError


class R1Penalty:
    r"""``weight / 2`` times the squared gradient of the scores at real pictures, :math:`|\nabla D(x)|^2`, summed over pixels.

    The score of a sample is the mean over its patches, summed over scales. It is computed in full precision.

    Args:
        weight: gamma of the paper.
        every: it is computed every so many iterations, and then counts so many times.

    Raises:
        InputError: a weight that is not above 0, or a number of iterations below 1.
    """

    def __init__(self, weight: float = 1.0, every: int = 16) -> None:
        if weight <= 0 or every < 1:
            raise InputError(f'model.r1: weight={weight}, every={every}; expected a weight above 0 and at least 1 iteration. r1=None '
                             'leaves it out')
        self.weight, self.every = weight, every

    def due(self, iteration: int) -> bool:
        """Whether it is computed in this iteration."""
        return iteration % self.every == 0

    def __call__(self, network: nn.Module, seen: Tensor, pictures: slice) -> Tensor:
        """The penalty, a scalar to minimize.

        Args:
            network: the discriminator: (B, C, H, W) -> for each scale the outputs of its layers, the scores last.
            seen: (B, C, H, W), what it sees of the real pictures.
            pictures: which channels are pictures; the others are conditions.
        """
        eager = torch.compiler.set_stance('force_eager')  # compiled networks have no gradients of gradients
        with eager, torch.autocast(seen.device.type, enabled=False):
            seen = seen.detach().float().requires_grad_()
            gradient, = torch.autograd.grad(_total(network(seen)), seen, create_graph=True)
            return self.every * self.weight / 2 * gradient[:, pictures].square().sum((1, 2, 3)).mean()


def _total(scales: Sequence[Sequence[Tensor]]) -> Tensor:
    """Scores of all samples; each sample's is the mean over its patches, summed over scales."""
    return sum(layers[-1].flatten(1).mean(1).sum() for layers in scales)
