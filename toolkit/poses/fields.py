"""What a pose network should say of a known pose: joint heatmaps and part affinity fields.

Source: Cao et al. 2017, *Realtime Multi-Person 2D Pose Estimation*, equations 6 to 9; a limb's field fades from its line as a Gaussian
instead of ending at a fixed distance.
"""

import torch
from torch import Tensor

from toolkit.skeletons import LIMB_PAFS, LIMBS, scale_points

SHORTEST_LIMB = 1e-3


def pose_fields(poses: Tensor, size: tuple[int, int], stride: int, sigma: float, limb_width: float) -> tuple[Tensor, Tensor]:
    """Draw the maps of poses.

    Args:
        poses: (B, 18, 3), x and y in pixels and confidence; a joint of confidence 0 is in no map, nor are its limbs.
        size: (H, W) of the picture.
        stride: pixels of a cell, whose center lies at pixel ``(i + 0.5) * stride - 0.5``.
        sigma: of the Gaussian of a joint, in pixels.
        limb_width: sigma across a limb, and how far its field reaches beyond both joints, in pixels.

    Returns:
        Heatmaps (B, 19, H / stride, W / stride), the last one background (1 minus the highest), and fields (B, 38, ...), unit vectors
        on the line from the first joint of a limb to the second; float32, on the device of ``poses``.
    """
    x, y, there = poses[..., 0].float(), poses[..., 1].float(), poses[..., 2] > 0
    rows, columns = (scale_points(torch.arange(side // stride, device=poses.device), stride) for side in size)
    across_x, down_y = columns - x[..., None], rows - y[..., None]
    gaussian = (-(across_x[..., None, :]**2 + down_y[..., :, None]**2) / (2 * sigma**2)).exp()
    heat = gaussian * there[..., None, None]
    heat = torch.cat([heat, 1 - heat.amax(1, keepdim=True)], 1)

    first, second = torch.tensor(LIMBS, device=poses.device).T
    limb = torch.stack([x[:, second] - x[:, first], y[:, second] - y[:, first]])
    length = limb.norm(dim=0).clamp_min(SHORTEST_LIMB)
    ux, uy = (limb / length)[..., None, None]
    from_x, from_y = across_x[:, first, None, :], down_y[:, first, :, None]
    along, beside = from_x * ux + from_y * uy, from_x * uy - from_y * ux
    known = (there[:, first] & there[:, second])[..., None, None]
    inside = (along > -limb_width) & (along < length[..., None, None] + limb_width) & known
    strength = inside * (-beside**2 / (2 * limb_width**2)).exp()
    paf = torch.zeros(len(poses), 2 * len(LIMBS), *strength.shape[-2:], device=poses.device)
    channels = torch.tensor(LIMB_PAFS, device=poses.device)
    paf[:, channels[:, 0]], paf[:, channels[:, 1]] = strength * ux, strength * uy
    return heat, paf
