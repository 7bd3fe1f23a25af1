"""Squares around the head and both hands, enlarged: what a discriminator of details sees."""

import numpy as np
import torch
from torch import Tensor

from toolkit.masks.geometry import body_scale, clean_pose, head_center
from toolkit.model_parts.head_crops import cut_squares
from toolkit.skeletons import L_ELBOW, L_WRIST, R_ELBOW, R_WRIST
from toolkit.structures import InputError

ARMS = (R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST)
HAND = 0.3
"""From the wrist to the middle of a hand, in lengths of the forearm."""


class DetailCrops:
    """Cuts head and hands out of what a discriminator sees, by pose, and enlarges them to one size.

    A face is a fiftieth of a frame, and a hand less: in a whole picture they hardly count. The squares hold the conditions, too, which
    tell the discriminator which part it sees, and where its joints are.

    Args:
        size: side of the crops, in pixels.
        head, hand: half of a square's side in the frame, in body scales (about the length of the torso).

    Raises:
        InputError: a size or reach that cannot be.
    """

    parts = 1 + len(ARMS)

    def __init__(self, size: int = 64, head: float = 0.45, hand: float = 0.3) -> None:
        if size < 8 or min(head, hand) <= 0:
            raise InputError(f'model.detail_crops: size={size}, head={head}, hand={hand}; expected a size of at least 8 pixels and '
                             'reaches above 0')
        self.size, self.reach = size, (head, hand)

    def squares(self, poses: Tensor) -> Tensor:
        """Where the parts are, on the CPU.

        Args:
            poses: (B, T, 18, 3) in pixels, of the frames of a window.

        Returns:
            (3 B, 3) center and half of the side, around the mean of a part's places in the window: of each sample the head, the right
            and the left hand; all 0 where a pose does not have the part.
        """
        boxes = np.stack([self._boxes(pose) for pose in poses.detach().cpu().flatten(0, 1).numpy()])
        boxes = boxes.reshape(len(poses), -1, self.parts, 3)
        there = boxes[..., 2:] > 0
        boxes = (boxes * there).sum(1) / np.maximum(there.sum(1), 1)
        return torch.from_numpy(boxes.astype(np.float32)).flatten(0, 1)

    def __call__(self, seen: Tensor, squares: Tensor) -> Tensor:
        """Cut out.

        Args:
            seen: (B, C, H, W) in [-1, 1], conditions and pictures of a window in the channels; gradients flow to them.
            squares: of :meth:`squares`, on the same device.

        Returns:
            (3 B, C, size, size); all 0 where a pose does not have the part.

        Convention:
            As :func:`toolkit.model_parts.head_crops.cut_squares`.
        """
        return cut_squares(seen.repeat_interleave(self.parts, 0), squares, self.size) * (squares[:, 2] > 0).float()[:, None, None, None]

    def _boxes(self, pose: np.ndarray) -> np.ndarray:
        """(3, 3): center and half of the side of each part, 0 where it is missing."""
        pose, boxes = clean_pose(pose), np.zeros((self.parts, 3))
        scale = float(body_scale(pose))
        center = head_center(pose, scale) if scale > 0 else None
        if center is not None:
            boxes[0] = *center, self.reach[0] * scale
        for box, (elbow, wrist) in zip(boxes[1:], ARMS):
            if scale > 0 and pose[wrist, 2] > 0:
                forearm = pose[wrist, :2] - pose[elbow, :2] if pose[elbow, 2] > 0 else np.zeros(2)
                box[:] = *(pose[wrist, :2] + HAND * forearm), self.reach[1] * scale
        return boxes
