"""Semantic consistency. Source: Hoffman et al. 2018, CyCADA: Cycle-Consistent Adversarial Domain Adaptation, equation 4."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.registry import LOSSES, SEGMENTORS
from toolkit.structures import InputError


@LOSSES.register_module()
class MaskCrossEntropyLoss(nn.Module):
    """Cross entropy of logits ``fake`` (N, 1, H, W) against masks ``real`` (N, 1, H, W) in [0, 1]."""

    inputs = ('fake', 'real')

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar, float32."""
        return F.binary_cross_entropy_with_logits(fake.float(), real.detach().float())


@LOSSES.register_module()
class SemanticConsistencyLoss(FrozenNetworkLoss):
    r"""A translated picture must show to a frozen segmentor what its input does: the person where the person was.

    .. math:: \mathrm{CE}\big(S(G(x)), \; [S(x) > \tfrac12]\big)

    Args:
        segmentor: config of a ``SEGMENTORS`` part with differentiable ``logits(images)``, (B, 3, H, W) in [-1, 1] -> (B, 1, H, W);
            None leaves it out, for generation.

    Raises:
        InputError: a segmentor without.
    """

    inputs = ('fake', 'real')
    always_float32 = True
    for_generation = dict(segmentor=None)

    def __init__(self, segmentor: dict | None) -> None:
        super().__init__()
        if segmentor is not None:
            network = SEGMENTORS.build(segmentor)
            if not isinstance(network, nn.Module) or not hasattr(network, 'logits'):
                raise InputError(f'{type(network).__name__} has no differentiable logits for a semantic loss; TrainedSegmentor has')
            self.freeze(network)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar, float32, of a translated picture and its input (B, 3, H, W) in [-1, 1]; no gradient reaches the input.

        Raises:
            InputError: the loss was built without a segmentor.
        """
        if not self._frozen:
            raise InputError('this SemanticConsistencyLoss was built without a segmentor, for generation only')
        with torch.autocast(fake.device.type, enabled=False):
            with torch.no_grad():
                wanted = (self._frozen[0].logits(real.float()) > 0).float()
            return F.binary_cross_entropy_with_logits(self._frozen[0].logits(fake.float()), wanted)
