"""Real feature maps first, estimated ones later: how stage II gets used to what generation gives it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from toolkit.structures import InputError


@dataclass(frozen=True)
class FeatureCurriculum:
    """In the first iterations some samples of a batch get the feature map of their real frames instead of the estimated one.

    Args:
        probability: of a sample to get it, in those iterations.
        iterations: how many; afterwards every sample gets the estimated map. 5 of 30 epochs of 10,000 pairs are 50,000.

    Raises:
        InputError: a probability outside [0, 1], or a negative number of iterations.
    """

    probability: float = 0.5
    iterations: int = 50_000

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or self.iterations < 0:
            raise InputError(f'model.curriculum needs a probability in [0, 1] and iterations of at least 0, got {self.probability} and '
                             f'{self.iterations}')

    def mix(self, estimated: Tensor, real: Tensor, iteration: int, noise: Tensor) -> Tensor:
        """The maps to train on, (B, T, C, H, W), each sample from one of the two.

        Args:
            estimated, real: (B, T, C, H, W).
            iteration: iterations done so far.
            noise: (B,) normal noise that decides for each sample.
        """
        if iteration >= self.iterations:
            return estimated
        chosen = torch.special.ndtr(noise) < self.probability
        return torch.where(chosen.view(-1, 1, 1, 1, 1), real, estimated)
