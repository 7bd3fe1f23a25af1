"""What the two OpenPose networks share: differentiable maps for losses, and people in video frames."""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from toolkit.poses.decode import Person, cell_to_pixel, count_people, follow_person, parse_people
from toolkit.poses.mobilenet import FrozenNetwork
from toolkit.skeletons import K, scale_points
from toolkit.structures import InputError


class HeatmapEstimator(FrozenNetwork):
    """A network of joint heatmaps and part affinity fields, used as pose estimator and as differentiable critic.

    Called with frames (T, H, W, 3) uint8 RGB it returns the poses (T, 18, 3) float32 of the most prominent person, followed through
    the clip. Other people do not disturb this; :meth:`num_people` counts them.

    Args:
        input_height: frames are resized to this height before detection (the aspect ratio stays); the maps of :meth:`heatmaps` are
            made at the size the caller gives.
        threshold: smallest confidence of a joint.
        batch_size: frames at a time.

    Raises:
        InputError: a height or number of frames below 1.

    Attributes:
        stride: pixels of a cell of the maps.
        multiple: what the sides of pictures given to :meth:`fields` must be multiples of.
    """

    stride = 8
    multiple = 8

    def __init__(self, input_height: int = 368, threshold: float = 0.1, batch_size: int = 4):
        super().__init__()
        if input_height < 1 or batch_size < 1:
            raise InputError(f'{type(self).__name__} needs input_height and batch_size of at least 1, got input_height={input_height}, '
                             f'batch_size={batch_size}')
        self.input_height = input_height
        self.threshold = threshold
        self.batch_size = batch_size

    def fields(self, images: torch.Tensor, stage: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network.

        Args:
            images: (B, 3, H, W) RGB in [-1, 1], sides multiples of ``multiple``.
            stage: number of stages to run, from 1; None for all.

        Returns:
            Heatmaps (B, 19, H / stride, W / stride), the last one background, and part affinity fields (B, 38, ...) of that stage.
        """
        raise NotImplementedError

    def heatmaps(self, images: torch.Tensor, stage: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Differentiable maps, for losses.

        Args:
            images: (B, 3, H, W) float RGB in [-1, 1]; sides that are no multiple of ``multiple`` are padded with gray at the
                right and bottom, and the maps cut back.
            stage: of which stage, from 1; None for the last.

        Returns:
            Joint heatmaps (B, 18, ceil(H / stride), ceil(W / stride)), without the background, and part affinity fields
            (B, 38, ...) of the stage, unclipped.
        """
        height, width = images.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        heat, paf = self.fields(F.pad(images, padding), stage)
        rows, columns = math.ceil(height / self.stride), math.ceil(width / self.stride)
        return heat[:, :K, :rows, :columns], paf[:, :, :rows, :columns]

    @torch.no_grad()
    def detect(self, frames: np.ndarray) -> list[list[Person]]:
        """All people of each frame.

        Args:
            frames: (T, H, W, 3) uint8 RGB.

        Returns:
            For each frame its people, highest score first, in pixels of the frame.
        """
        scale = self.input_height / frames.shape[1]
        size = (max(round(frames.shape[2] * scale), 1), self.input_height)
        ratio = np.array([frames.shape[2] / size[0], frames.shape[1] / size[1]])
        people = []
        for start in range(0, len(frames), self.batch_size):
            batch = [cv2.resize(f, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
                     for f in frames[start:start + self.batch_size]]
            images = torch.from_numpy(np.stack(batch)).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            heats, pafs = self.heatmaps(images)
            for heat, paf in zip(heats.cpu().numpy(), pafs.cpu().numpy()):
                people.append(parse_people(heat, paf, self.threshold))
                for person in people[-1]:
                    self._to_frame(person.pose, ratio, frames.shape[1:3])
        return people

    def _to_frame(self, pose: np.ndarray, ratio: np.ndarray, size: tuple[int, int]) -> None:
        """Cells to pixels of the frame, in place."""
        found = pose[:, 2] > 0
        pixels = scale_points(cell_to_pixel(pose[found, :2], self.stride), ratio)
        pose[found, :2] = np.clip(pixels, 0, (size[1] - 1, size[0] - 1))
        pose[:, 2] = np.minimum(pose[:, 2], 1)

    def forward(self, frames: np.ndarray) -> np.ndarray:
        """Poses (T, 18, 3) float32 of the most prominent person in frames (T, H, W, 3) uint8 RGB; missing joints are zero."""
        return follow_person(self.detect(frames))

    def num_people(self, frames: np.ndarray) -> np.ndarray:
        """How many people each frame of (T, H, W, 3) uint8 RGB shows for certain, (T,) int."""
        return np.array([count_people(people) for people in self.detect(frames)], int)
