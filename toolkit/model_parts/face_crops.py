"""Squares of pixels around faces, cut out and put back without resampling. Source: Everybody Dance Now, section 4.3."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.masks.geometry import body_scale, clean_pose, head_center
from toolkit.skeletons import NOSE
from toolkit.structures import InputError


class FaceCrops:
    """Where the faces of some frames are.

    The square is centered at the nose, else at the head, and moved into the frame.

    Args:
        poses: (N, 18, 3) in pixels of the frames.
        size: side of the squares in pixels.
        height, width: of the frames.

    Raises:
        InputError: frames smaller than the squares.
    """

    def __init__(self, poses: Tensor, size: int, height: int, width: int) -> None:
        if size > min(height, width):
            raise InputError(f'model.face_size={size}, but frames are {height}x{width} (height x width): the square must lie in the '
                             f'frame, take about a sixth of its height')
        self.size, self.extent = size, (height, width)
        centers = [_center(pose) for pose in poses.detach().cpu().numpy()]
        self.seen = torch.tensor([center is not None for center in centers], device=poses.device)
        limits = width - size, height - size
        self.corners = [[int(np.clip(round(float(c) - size / 2), 0, limit)) for c, limit in zip((0, 0) if center is None else center,
                                                                                                limits)] for center in centers]

    def cut(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, size, size), all 0 where no head is seen."""
        size = self.size
        cut = torch.stack([frame[:, y:y + size, x:x + size] for frame, (x, y) in zip(frames, self.corners)])
        return cut * self.seen[:, None, None, None]

    def add(self, frames: Tensor, residual: Tensor) -> Tensor:
        """Frames (N, C, H, W) with a residual (N, C, size, size) added at their faces; as they are where no head is seen."""
        height, width = self.extent
        placed = [F.pad(r, (x, width - self.size - x, y, height - self.size - y)) for r, (x, y) in zip(residual, self.corners)]
        return frames + torch.stack(placed) * self.seen[:, None, None, None]


def _center(pose: np.ndarray) -> np.ndarray | None:
    pose = clean_pose(pose)
    if pose[NOSE, 2] > 0:
        return pose[NOSE, :2]
    scale = float(body_scale(pose))
    return head_center(pose, scale) if scale > 0 else None
