"""Mean absolute difference inside a region of each picture."""

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from toolkit.registry import LOSSES
from toolkit.structures import InputError


@LOSSES.register_module()
class RegionL1Loss(nn.Module):
    """Mean absolute difference inside a region, for each sample by itself, then the mean over samples.

    A garment that fills a twelfth of the frame counts as much as the whole frame, so that a code that carries its color is worth its
    price. Unlike :class:`toolkit.losses.l1.L1Loss` with a mask, a sample with a small region counts as much as one with a large one.

    Args:
        min_area: a region of less than so many pixels counts as if it were as large, so that a few do not rule the batch; 0 for any.
        cell: compare averages over squares of so many pixels, of what lies in the region: the colors of larger parts alone, and no
            detail, which an L1 loss blurs where it cannot be known.

    Raises:
        InputError: a cell of less than a pixel.
    """

    inputs = ('fake', 'real', 'masks')

    def __init__(self, min_area: float = 16.0, cell: int = 1):
        super().__init__()
        if cell < 1:
            raise InputError(f'RegionL1Loss: cell={cell}, expected the side of a square of at least 1 pixel')
        self.min_area, self.cell = min_area, cell

    def forward(self, fake: Tensor, real: Tensor, masks: Tensor) -> Tensor:
        """Scalar, float32, of fake and real (B, C, H, W); masks (B, 1, H, W) are weights in [0, 1], an empty region adds 0."""
        region = masks.detach().float()
        difference = (fake.float() - real.detach().float()) * region
        if self.cell > 1:
            difference = avg_pool2d(difference, self.cell, ceil_mode=True, divisor_override=1)
        area = region.sum((1, 2, 3)).clamp_min(max(self.min_area, 1e-6))
        return (difference.abs().mean(1).sum((1, 2)) / area).mean()
