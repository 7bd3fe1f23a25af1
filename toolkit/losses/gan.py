"""Adversarial losses.

Sources: Goodfellow et al. 2014; Mao et al. 2017 (LSGAN); Arjovsky et al. 2017 (WGAN); Lim and Ye 2017 (hinge).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.registry import LOSSES
from toolkit.structures import InputError

OBJECTIVES = ('lsgan', 'vanilla', 'hinge', 'wgan')


@LOSSES.register_module()
class GANLoss(nn.Module):
    r"""How far the predictions of a discriminator are from saying real, or fake; the mean over each scale, **summed** over scales.

    ============ ================================ ================================ =======================
    objective    discriminator, real              discriminator, fake              generator
    ============ ================================ ================================ =======================
    ``lsgan``    :math:`(p - 1)^2`                :math:`p^2`                      :math:`(p - 1)^2`
    ``vanilla``  :math:`-\log\sigma(p)`           :math:`-\log(1 - \sigma(p))`     :math:`-\log\sigma(p)`
    ``hinge``    :math:`\max(0, 1 - p)`           :math:`\max(0, 1 + p)`           :math:`-p`
    ``wgan``     :math:`-p`                       :math:`p`                        :math:`-p`
    ============ ================================ ================================ =======================

    A discriminator's loss is a weighted sum of two calls; pix2pixHD takes half of each. ``wgan`` has no bound of its own: use it with
    a discriminator of ``norm='spectral'``.

    Args:
        objective: one of :data:`OBJECTIVES`.
        real_label: target of real pictures in the discriminator's loss of ``lsgan`` and ``vanilla``; 0.9 is one-sided label smoothing.

    Raises:
        InputError: unknown objective, or a label for one that has none.
    """

    inputs = ('scores',)

    def __init__(self, objective: str = 'lsgan', real_label: float = 1.0):
        super().__init__()
        if objective not in OBJECTIVES:
            raise InputError(f'objective={objective!r} is unknown, expected one of {", ".join(OBJECTIVES)}')
        if real_label != 1 and objective not in ('lsgan', 'vanilla'):
            raise InputError(f"GANLoss: real_label={real_label} has no effect with objective={objective!r}, which has no labels; leave "
                             f"it out, or take 'lsgan' or 'vanilla'")
        self.objective = objective
        self.real_label = real_label

    def forward(self, scores: Tensor | Sequence[Tensor | Sequence[Tensor]], real: bool = True,
                for_discriminator: bool = False) -> Tensor:
        """Scalar, float32.

        Args:
            scores: one prediction, or one entry a scale: a prediction of any shape, or a list of layer outputs whose last is it.
            real: whether the scores should say real.
            for_discriminator: whether the discriminator learns from it, else the generator.
        """
        scales = [scores] if isinstance(scores, Tensor) else scores
        last = [scale if isinstance(scale, Tensor) else scale[-1] for scale in scales]
        return sum(self._one_scale(p.float(), real, for_discriminator) for p in last)

    def extra_repr(self) -> str:
        """Name the options."""
        return f'objective={self.objective!r}, real_label={self.real_label}'

    def _one_scale(self, prediction: Tensor, real: bool, for_discriminator: bool) -> Tensor:
        if self.objective == 'wgan' or (self.objective == 'hinge' and not for_discriminator):
            return -prediction.mean() if real else prediction.mean()
        if self.objective == 'hinge':
            return F.relu(1 - prediction if real else 1 + prediction).mean()
        label = (self.real_label if for_discriminator else 1.0) if real else 0.0
        if self.objective == 'lsgan':
            return (prediction - label).square().mean()
        return F.binary_cross_entropy_with_logits(prediction, torch.full_like(prediction, label))
