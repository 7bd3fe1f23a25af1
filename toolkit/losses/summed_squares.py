"""Squared difference of stacks of maps. Source: Cao et al. 2017, equation 5, without its mask."""

from torch import Tensor, nn

from toolkit.registry import LOSSES


@LOSSES.register_module()
class SummedSquaresLoss(nn.Module):
    """Squared difference, summed over channels, averaged over places and samples."""

    inputs = ('fake', 'real')

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            fake: (B, C, H, W).
            real: (B, C, H, W); a constant, no gradient reaches it.

        Returns:
            Scalar, float32.
        """
        return (fake.float() - real.detach().float()).square().sum(1).mean()
