"""How far the matte of a generator that blends is from the person's mask."""

from torch import Tensor, nn

from toolkit.registry import LOSSES
from toolkit.structures import InputError

KINDS = ('l1', 'bce')
LEAST = 1e-4


@LOSSES.register_module()
class MatteLoss(nn.Module):
    """Mean difference of mattes and masks, over the whole picture.

    A matte that follows the mask leaves no ragged rim and no holes in the person. The mask is an estimate: a small weight is enough.

    Args:
        kind: ``'l1'``, the mean absolute difference, or ``'bce'``, the cross-entropy, which weighs a matte that is sure and wrong most.

    Raises:
        InputError: another kind.
    """

    inputs = ('mattes', 'masks')

    def __init__(self, kind: str = 'l1') -> None:
        super().__init__()
        if kind not in KINDS:
            raise InputError(f'MatteLoss: kind={kind!r}, expected one of {", ".join(KINDS)}')
        self.kind = kind

    def forward(self, mattes: Tensor, masks: Tensor) -> Tensor:
        """Scalar, float32, of mattes and masks (B, 1, H, W) in [0, 1]."""
        mattes, masks = mattes.float(), masks.detach().float()
        if self.kind == 'l1':
            return (mattes - masks).abs().mean()
        mattes = mattes.clamp(LEAST, 1 - LEAST)
        return -(masks * mattes.log() + (1 - masks) * (1 - mattes).log()).mean()
