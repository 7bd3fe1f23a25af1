"""The two halves of a training step against discriminators, as pix2pixHD and those who follow it take them."""

import re

from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn


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

    def fool(self, optim_wrapper: OptimWrapperDict, network: nn.Module, group: str, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Losses of a group, not weighted, from what a discriminator says; it gets no gradients.

        Args:
            optim_wrapper: with the key ``d``.
            network: the discriminator.
            group: of the losses.
            fake: (N, C, H, W) what it sees of the generated pictures; gradients flow to it.
            real: (N, C, H, W) the same of the real ones.
        """
        if not self.losses.of(group):
            return {}
        real_features = None
        with self.frozen(network), optim_wrapper['d'].optim_context(network):
            scores = network(fake)
            if self.losses.takes(group, 'real_features'):
                real_features = network(real.detach())
        return self.losses.compute(group, dict(scores=scores, fake_features=scores, real_features=real_features))

    def teach(self, optim_wrapper: OptimWrapperDict, network: nn.Module, group: str, fake: Tensor, real: Tensor,
              weight: float = 0.5) -> dict[str, Tensor]:
        """What a discriminator learns from: ``fake`` and ``real``, each times ``weight``; arguments as of :meth:`fool`."""
        name = self.losses.adversarial(group)
        if name is None:
            return {}
        gan = self.losses[name]
        with optim_wrapper['d'].optim_context(network):
            return {kind: weight * gan(network(seen.detach()), real=kind == 'real', for_discriminator=True)
                    for kind, seen in (('fake', fake), ('real', real))}

    @staticmethod
    def logged(**losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Detached losses by ``'<optimizer>/<loss>'``."""
        return {f'{owner}/{name}': value.detach() for owner, values in losses.items() for name, value in values.items()}
