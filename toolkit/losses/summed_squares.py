"""Squared difference of stacks of maps. Source: Cao et al. 2017, equation 5, without its mask."""

from torch import Tensor, nn

from toolkit.registry import LOSSES


@LOSSES.register_module()
class SummedSquaresLoss(nn.Module):
    """Squared difference, summed over channels, averaged over places and samples."""

    inputs = ('fake', 'real')

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar, float32, of two stacks (B, C, H, W); no gradient reaches ``real``."""
        return (fake.float() - real.detach().float()).square().sum(1).mean()
