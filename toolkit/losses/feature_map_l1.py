"""Mean absolute difference of feature maps, in which sparse edges count more."""

import torch
from torch import Tensor, nn

from toolkit.registry import LOSSES

EDGE_THRESHOLD = 0.2


@LOSSES.register_module()
class FeatureMapL1Loss(nn.Module):
    r"""Weighted L1 of feature maps: :math:`\mathrm{mean}(w \, |\hat F - F|)` over batch, channels and pixels.

    An edge map is almost all background; a plain mean is small for an empty one. So w is 1, times ``1 + edge_weight`` on the edge
    channel where the real map has an edge (above 0.2), times ``mask_weight`` inside the person's mask. Weights are not normalized.

    Args:
        edge_weight: what an edge pixel counts more, on the edge channel.
        mask_weight: factor inside the mask, on all channels.
    """

    inputs = ('fake', 'real', 'masks')

    def __init__(self, edge_weight: float = 4.0, mask_weight: float = 2.0):
        super().__init__()
        self.edge_weight, self.mask_weight = edge_weight, mask_weight

    def forward(self, fake: Tensor, real: Tensor, masks: Tensor) -> Tensor:
        """Scalar, float32, of fake and real (B, 4, H, W) in [-1, 1], stick figure RGB and edge, and masks (B, 1, H, W) in [0, 1]."""
        real = real.detach().float()
        weight = 1 + (self.mask_weight - 1) * masks.detach().float()
        on_edge = 1 + self.edge_weight * (real[:, 3:] > 2 * EDGE_THRESHOLD - 1).float()
        weights = torch.cat([weight.expand(-1, 3, -1, -1), weight * on_edge], 1)
        return (weights * (fake.float() - real).abs()).mean()
