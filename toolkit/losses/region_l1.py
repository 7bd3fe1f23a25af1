"""Mean absolute difference inside a region of each picture."""

from torch import Tensor, nn

from toolkit.registry import LOSSES


@LOSSES.register_module()
class RegionL1Loss(nn.Module):
    """Mean absolute difference inside a region, for each sample by itself, then the mean over samples.

    A garment that fills a twelfth of the frame counts as much as the whole frame, so that a code that carries its colour is worth its
    price. Unlike :class:`toolkit.losses.l1.L1Loss` with a mask, a sample with a small region counts as much as one with a large one.

    Args:
        min_area: a region of less than so many pixels counts as if it were as large, so that a few do not rule the batch.
    """

    def __init__(self, min_area: float = 16.0):
        super().__init__()
        self.min_area = min_area

    def forward(self, fake: Tensor, real: Tensor, region: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            fake: (B, C, H, W).
            real: (B, C, H, W); a constant, no gradient reaches it.
            region: (B, 1, H, W) weights in [0, 1]; an empty region adds 0.

        Returns:
            Scalar, float32.
        """
        region = region.detach().float()
        difference = (fake.float() - real.detach().float()).abs().mean(1, keepdim=True)
        area = region.sum((1, 2, 3)).clamp_min(self.min_area)
        return ((difference * region).sum((1, 2, 3)) / area).mean()
