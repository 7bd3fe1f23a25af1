"""Mean absolute difference of pictures, over the whole picture or where a mask says."""

from torch import Tensor, nn

from toolkit.registry import LOSSES


@LOSSES.register_module()
class L1Loss(nn.Module):
    """Mean absolute difference, with a mask over what the mask shows, so that a small region counts as much as a large one.

    Args:
        masked: look where ``masks`` show, which the method must then offer; else at whole pictures.
    """

    def __init__(self, masked: bool = False):
        super().__init__()
        self.inputs = ('fake', 'real', 'masks') if masked else ('fake', 'real')

    def forward(self, fake: Tensor, real: Tensor, masks: Tensor | None = None) -> Tensor:
        """Scalar, float32, of fake and real (B, C, H, W).

        ``masks`` (B, 1, H, W) are weights in [0, 1], None is the whole picture. The mean is over the batch; all-zero masks give 0.
        """
        difference = (fake.float() - real.detach().float()).abs()
        if masks is None:
            return difference.mean()
        weight = masks.float()
        return (difference * weight).sum() / (weight.sum() * fake.shape[1]).clamp_min(1e-6)
