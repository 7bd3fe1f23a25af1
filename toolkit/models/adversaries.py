"""What a training step asks of discriminators, as pix2pixHD and those who follow it do."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn


class Said(NamedTuple):
    """What a discriminator said of generated and real pictures, as losses by name."""

    g: dict[str, Tensor]
    """For the generator, weighted, to be logged; it learns from ``pulled``."""
    pulled: Tensor | float
    """To be added to the generator's loss: its gradient is that of ``g``, its value means nothing."""
    d: dict[str, Tensor]
    """For the discriminator: ``fake`` and ``real``, half each. Nothing where it does not learn."""


def only_trains(network: str) -> bool:
    """Whether a child of a method is a discriminator, by its name, such as ``net_d``, ``net_d2`` or ``net_d_face``: only training needs
    it."""
    return re.fullmatch(r'net_d(\d*|_.+)', network) is not None


class Adversaries:
    """For methods with discriminators: what the generator learns from one, and what the discriminator learns then.

    Mixed into :class:`toolkit.models.base.VideoModel`, before it. A discriminator is a child of the method, trained by the optimizer
    ``d``; the losses of its group (:class:`toolkit.models.loss_table.LossTable`) look at what it says. A group without losses costs
    nothing, and its discriminator is not asked.
    """

    def check_losses(self) -> None:
        """Refuse losses from which nothing would learn.

        Raises:
            InputError: no loss of a weight above 0, or a discriminator that nothing trains.
        """
        self.losses.check_some()
        for group in self.offers:
            if 'scores' in self.offers[group]:
                self.losses.adversarial(group)

    def ask(self, optim_wrapper: OptimWrapperDict, network: nn.Module, group: str, fake: Tensor, real: Tensor,
            learns: bool = True) -> Said:
        """Ask a discriminator once about generated and once about real pictures; what it says teaches the generator and itself.

        Args:
            optim_wrapper: with the keys ``g`` and ``d``.
            network: the discriminator.
            group: of the losses.
            fake: (N, C, H, W) what it sees of the generated pictures; gradients flow to it.
            real: (N, C, H, W) the same of the real ones.
            learns: whether it will learn from this, too.
        """
        return self.ask_of_several(optim_wrapper, network, group, [fake], real, learns)[0]

    def ask_of_several(self, optim_wrapper: OptimWrapperDict, network: nn.Module, group: str, fakes: Sequence[Tensor], real: Tensor,
                       learns: bool = True) -> list[Said]:
        """As :meth:`ask`, of several generated pictures in the place of one real picture, which is looked at once."""
        if not self.losses.of(group):
            return [Said({}, 0.0, {}) for _ in fakes]
        compared = self.losses.takes(group, 'real_features')
        real_scores: Any = None
        said = []
        with nullcontext() if learns else self.frozen(network):
            if learns or compared:
                with optim_wrapper['d'].optim_context(network), torch.set_grad_enabled(learns and torch.is_grad_enabled()):
                    real_scores = network(real.detach())
            for fake in fakes:
                seen = fake.detach().requires_grad_()
                with optim_wrapper['d'].optim_context(network):
                    scores = network(seen)
                g = self.weighted(self.losses.compute(
                    group, dict(scores=scores, fake_features=scores, real_features=real_scores if compared else None)))
                d = self._lessons(group, scores, real_scores) if learns else {}
                said.append(Said(g, self.pull(optim_wrapper['g'], g, seen, fake), d))
        return said

    def learn_from(self, optim_wrapper: OptimWrapperDict, losses: dict[str, Tensor], said: Said) -> dict[str, Tensor]:
        """One update of the generator, then one of the discriminator, where that learns.

        Args:
            optim_wrapper: with the keys ``g`` and ``d``.
            losses: of the generator beside what the discriminator said, by name, not weighted.
            said: of :meth:`ask`.

        Returns:
            What is to be logged, see :meth:`logged`.
        """
        g = self.weighted(losses)
        self.step(optim_wrapper, 'g', said.pulled + sum(g.values()))
        if said.d:
            self.step(optim_wrapper, 'd', sum(said.d.values()))
        return self.logged(g=said.g | g, d=said.d)

    def _lessons(self, group: str, fake: Any, real: Any) -> dict[str, Tensor]:
        gan = self.losses[self.losses.adversarial(group)]
        return dict(fake=0.5 * gan(fake, real=False, for_discriminator=True), real=0.5 * gan(real, real=True, for_discriminator=True))

    @staticmethod
    def logged(**losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Detached losses by ``'<optimizer>/<loss>'``."""
        return {f'{owner}/{name}': value.detach() for owner, values in losses.items() for name, value in values.items()}
