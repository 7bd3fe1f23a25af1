"""Joints as spots, one map a joint: how person-image methods are told a pose."""

import torch
from torch import Tensor


def pose_spots(poses: Tensor, height: int, width: int, sigma: float = 6.0) -> Tensor:
    """A spot of height 1 at each joint, ``exp(-d^2 / (2 sigma^2))``.

    Args:
        poses: (N, K, 3) x, y in pixels and confidence; a joint without confidence has an empty map.
        height, width: of the maps.
        sigma: in pixels.

    Returns:
        (N, K, H, W) float32 in [0, 1].
    """
    x, y = (torch.arange(size, device=poses.device, dtype=torch.float32) for size in (width, height))
    seen = (poses[..., 2] > 0) & poses.isfinite().all(-1)
    places = torch.where(seen[..., None], poses, 0).float()
    across, down = ((-(axis - places[..., i, None]).square() / (2 * sigma**2)).exp() for i, axis in ((0, x), (1, y)))
    return down[..., :, None] * across[..., None, :] * seen[..., None, None]
