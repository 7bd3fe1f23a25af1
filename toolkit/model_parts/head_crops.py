"""Crops of heads with where their nose, eyes and ears are: what a face discriminator sees.

Source: the face GAN of Everybody Dance Now (Chan et al. 2019, section 4.3), whose discriminator sees the crop beside that of the pose
map; Tsvetkov and Abu-Saleh (experiments) expect it to help where a CycleGAN paints no faces.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.masks.geometry import body_scale, clean_pose, head_center
from toolkit.skeletons import HEAD_JOINTS
from toolkit.structures import InputError

SPREAD = 0.05
"""Standard deviation of a joint's spot, in sides of the crop."""


class HeadCrops:
    """Cuts the heads out of frames by their poses and enlarges them to one size.

    Five maps beside the picture show where nose, eyes and ears are, so that a discriminator can tell not only whether there is a face
    but whether it looks where the pose says: a turned head shows one ear, the back of a head shows no nose.

    Args:
        size: side of the crops, in pixels.
        reach: half of a crop's side in the frame, in body scales (about the length of the torso).

    Raises:
        InputError: a size or reach that cannot be.
    """

    channels = 3 + len(HEAD_JOINTS)

    def __init__(self, size: int = 64, reach: float = 0.5) -> None:
        if size < 8 or reach <= 0:
            raise InputError(f'model.face_crops: size={size}, reach={reach}; expected a size of at least 8 pixels and a reach above 0')
        self.size, self.reach = size, reach

    def __call__(self, frames: Tensor, poses: Tensor, anchors: Tensor | None = None) -> Tensor:
        """Cut out.

        Args:
            frames: (N, 3, H, W) in [-1, 1]; gradients flow to them.
            poses: (N, 18, 3) in pixels of the frames.
            anchors: (2, 3) where the person of the poses stands and how tall they are, and the same of the person in the frames, see
                :func:`toolkit.warpers.similarity.rescale_maps`; None where they are in the same place.

        Returns:
            (N, 8, size, size): RGB in [-1, 1], and a spot of height 1 at each joint of the head that is seen. All 0 where the pose has
            no head.

        Convention:
            Pixel centers at integer coordinates; bilinear, the border's pixels continue beyond the frame.
        """
        joints, boxes = (torch.from_numpy(array).to(frames.device) for array in self._measure(poses.detach().cpu().numpy()))
        if anchors is not None:
            source, target = anchors.to(joints)
            scale = target[2] / source[2]
            joints[..., :2] = (joints[..., :2] - source[:2]) * scale + target[:2]
            boxes = torch.cat([(boxes[:, :2] - source[:2]) * scale + target[:2], boxes[:, 2:] * scale], 1)
        places, half = square_places(boxes, self.size), boxes[:, 2].clamp_min(1e-3)
        heads = _sampled(frames, places)
        away = (places[:, None] - joints[:, :, None, None, :2]) / (2 * SPREAD * half[:, None, None, None, None])
        spots = torch.exp(-away.square().sum(-1) / 2) * joints[..., 2, None, None]
        return torch.cat([heads, spots], 1) * (boxes[:, 2] > 0).float()[:, None, None, None]

    def _measure(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints of the heads (N, 5, 3), x, y and seen (0 or 1), and boxes (N, 3), center and half of the side (0 without a head)."""
        joints, boxes = np.zeros((len(poses), len(HEAD_JOINTS), 3), np.float32), np.zeros((len(poses), 3), np.float32)
        for pose, joint, box in zip(map(clean_pose, poses), joints, boxes):
            scale = float(body_scale(pose))
            center = head_center(pose, scale) if scale > 0 else None
            if center is not None:
                joint[:] = pose[list(HEAD_JOINTS)]
                joint[:, 2] = joint[:, 2] > 0
                box[:] = *center, self.reach * scale
        return joints, boxes


def square_places(boxes: Tensor, size: int) -> Tensor:
    """Where the pixels of squares lie, (N, size, size, 2), x and y in pixels of the frames.

    Args:
        boxes: (N, 3), center and half of the side.
        size: pixels of a side.
    """
    unit = (torch.arange(size, device=boxes.device) + 0.5) / size * 2 - 1
    half = boxes[:, 2].clamp_min(1e-3)
    return torch.stack(torch.meshgrid(unit, unit, indexing='xy'), -1) * half[:, None, None, None] + boxes[:, None, None, :2]


def cut_squares(frames: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Squares of frames, enlarged or reduced to one size.

    Args:
        frames: (N, C, H, W); gradients flow to them.
        boxes: (N, 3), center and half of the side in pixels.
        size: side of the result.

    Returns:
        (N, C, size, size) float32.

    Convention:
        Pixel centers at integer coordinates; bilinear, the border's pixels continue beyond the frame.
    """
    return _sampled(frames, square_places(boxes, size))


def _sampled(frames: Tensor, places: Tensor) -> Tensor:
    extent = torch.stack([places.new_full((), side) for side in frames.shape[:-3:-1]])  # a step with a copy could not be recorded
    return F.grid_sample(frames.float(), 2 * (places + 0.5) / extent - 1, padding_mode='border', align_corners=False)
