"""About where the parts of a body are, as a pose tells it."""

import numpy as np
import torch
from torch import Tensor

from toolkit.masks.geometry import body_scale, clean_pose, part_field
from toolkit.skeletons import P


def part_priors(poses: Tensor, height: int, width: int) -> Tensor:
    """``exp(-f^2)`` of each part, f its distance in sizes of the part (:func:`toolkit.masks.geometry.part_field`).

    Args:
        poses: (N, 18, 3) in pixels.
        height, width: of the maps.

    Returns:
        (N, 10, H, W) float32 in [0, 1], on the device of the poses; 0 for a part that the pose does not show.
    """
    priors = np.zeros((len(poses), P, height, width), np.float32)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[:height, :width])
    for prior, pose in zip(priors, map(clean_pose, poses.detach().cpu().numpy())):
        scale = float(body_scale(pose))
        for part in range(P) if scale > 0 else ():
            field = part_field(part, pose, scale, x, y)
            if field is not None:
                prior[part] = np.exp(-field**2)
    return torch.from_numpy(priors).to(poses.device)
