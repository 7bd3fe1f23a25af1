"""A small convolutional pose machine for one person in a box: an estimator independent of the OpenPose networks, to measure results."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from toolkit.poses.boxes import Box, mask_box, pose_box
from toolkit.poses.decode import cell_to_pixel, refine_peak
from toolkit.poses.mobilenet import ConvUnit, FrozenNetwork, Unit, load_units, resize_bilinear
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import CPM14, to_openpose18
from toolkit.structures import InputError, find_weights

WEIGHTS = 'cpm_mobile.safetensors'
SIDE = 192
PARTS = (  # hidden channels of the first block, hidden channels of the others, output channels, blocks, stride
    (16, 8, 8, 2, 1), (32, 48, 12, 5, 2), (48, 64, 16, 5, 2), (64, 128, 32, 5, 2), (128, 192, 48, 5, 2))
STEM_CHANNELS = 16
STAGES = 6
STAGE_CHANNELS = 24
MIN_JOINTS = 4


class _Block(nn.Module):
    """Inverted residual: batch norm and ReLU6 around a depthwise convolution that has only a ReLU."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int, kernel: int, stride: int, residual: bool):
        super().__init__()
        self.expand = ConvUnit(in_channels, hidden)
        self.depthwise = ConvUnit(hidden, hidden, kernel, stride, depthwise=True, norm=None, activation='relu')
        self.project = ConvUnit(hidden, out_channels)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def _blocks(in_channels: int, first: int, others: int, out_channels: int, number: int, kernel: int, stride: int) -> nn.Sequential:
    head = _Block(in_channels, first, out_channels, kernel, stride, residual=False)
    return nn.Sequential(head, *(_Block(out_channels, others, out_channels, kernel, 1, residual=True) for _ in range(number - 1)))


class _Separable(nn.Sequential):
    """Depthwise 1x1 and pointwise convolution, the tail of a stage."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.depthwise = ConvUnit(in_channels, in_channels, depthwise=True, norm=None, activation='relu')
        self.pointwise = ConvUnit(in_channels, out_channels)


class _Stage(nn.Module):
    """Features and the last stage's maps -> 14 maps."""

    def __init__(self, in_channels: int, first: bool):
        super().__init__()
        hidden, kernel, wide = (2 * in_channels, 3, 256) if first else (2 * in_channels, 7, 64)
        self.blocks = _blocks(in_channels, hidden, 3 * STAGE_CHANNELS, STAGE_CHANNELS, 3, kernel, 1)
        self.tail = nn.Sequential(_Separable(STAGE_CHANNELS, wide), _Separable(wide, len(CPM14)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(self.blocks(x))


@POSE_ESTIMATORS.register_module()
class ConvolutionalPoseMachine(FrozenNetwork):
    """Convolutional pose machine (Wei et al. 2016) on MobileNetV2 blocks: 14 joints of the one person in a box.

    Network and weights: edvardHua/PoseEstimationForMobile, release/cpm_model (Apache-2.0). The person's box is cut out as a square
    1.2 times as large, 192 px. Boxes come from the caller, or else from the pose of the frame before; the first frame (and every
    frame after a lost person) is looked at twice: as a whole, then cut to the pose found in it.

    Args:
        weights: file name or path; None leaves random weights.
        threshold: smallest confidence of a joint.
        margin: side of the cut relative to the longer side of the box.

    Raises:
        MissingWeightsError: the file is not in a weights folder.
    """

    name = 'cpm_mobile'
    version = '1'

    def __init__(self, weights: str | None = WEIGHTS, threshold: float = 0.1, margin: float = 1.2):
        super().__init__()
        self.threshold = threshold
        self.margin = margin
        self.stem = ConvUnit(3, STEM_CHANNELS, 3, 2)
        channels = [STEM_CHANNELS, *(part[2] for part in PARTS)]
        self.parts = nn.ModuleList(
            _blocks(c, first, others, out, number, 3, stride) for c, (first, others, out, number, stride) in zip(channels, PARTS))
        features = sum(channels[1:])
        self.stages = nn.ModuleList(_Stage(features if s == 0 else features + len(CPM14), s == 0) for s in range(STAGES))
        if weights is not None:
            load_units(self._units(), find_weights(weights))
        self.freeze()

    def heatmaps(self, crops: torch.Tensor) -> torch.Tensor:
        """Differentiable maps of persons' crops.

        Args:
            crops: (B, 3, 192, 192) float RGB in [-1, 1].

        Returns:
            (B, 14, 96, 96), not negative.
        """
        x = self.stem((crops.flip(1) + 1) * 127.5)
        levels = []
        for part in self.parts:
            x = part(x)
            levels.append(x)
        size = levels[2].shape[-2:]
        features = torch.cat([
            F.max_pool2d(levels[0], 4), F.max_pool2d(levels[1], 2), levels[2], resize_bilinear(levels[3], size),
            resize_bilinear(levels[4], size)], 1)
        maps = self.stages[0](features)
        for stage in self.stages[1:]:
            maps = stage(torch.cat([features, maps], 1))
        return resize_bilinear(maps, (SIDE // 2, SIDE // 2))

    def forward(
        self, frames: np.ndarray, boxes: np.ndarray | None = None, poses: np.ndarray | None = None,
        masks: np.ndarray | None = None) -> np.ndarray:
        """Estimate the person's pose in each frame.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            boxes: (T, 4) x0, y0, x1, y1 in pixels around the person; wins over the two others.
            poses: (T, K, 3) poses whose joints' box is taken (a frame without a joint is handled like no box).
            masks: (T, H, W) person masks in [0, 1] whose box is taken.

        Returns:
            (T, 18, 3) float32. The face joints, which the network does not know, are missing.

        Raises:
            InputError: boxes, poses or masks of another number of frames.
        """
        guides = [self._boxes_of(given, len(frames), box_of, what) for given, box_of, what in (
            (boxes, tuple, 'boxes'), (poses, pose_box, 'poses'), (masks, mask_box, 'masks')) if given is not None]
        boxes = [next((guide[t] for guide in guides if guide[t] is not None), None) for t in range(len(frames))]
        return to_openpose18(np.array(list(self._follow(zip(frames, boxes))), np.float32).reshape(-1, len(CPM14), 3), 'cpm14')

    def track(self, frames: Iterable[np.ndarray], last: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Follow one person, see :mod:`toolkit.preparing.poses`.

        ``last`` is not used: 14 joints decide where to look, which an 18-joint pose does not hold.
        """
        yield from (to_openpose18(pose, 'cpm14') for pose in self._follow((frame, None) for frame in frames))

    def _follow(self, frames: Iterable[tuple[np.ndarray, Box | None]]) -> Iterator[np.ndarray]:
        """Frames, each with a box or None -> poses (14, 3)."""
        previous = None
        for frame, given in frames:
            box = given or previous
            if box is None:
                whole = (0, 0, frame.shape[1] - 1, frame.shape[0] - 1)
                box = pose_box(self._locate(frame, whole, 1.0)) or whole
            pose = self._locate(frame, box, self.margin)
            previous = pose_box(pose) if (pose[:, 2] > 0).sum() >= MIN_JOINTS else None
            yield pose

    @staticmethod
    def _boxes_of(given, number: int, box_of, what: str) -> list:
        if len(given) != number:
            raise InputError(f'{what}: {len(given)} given for {number} frames, expected one per frame')
        return [box_of(item) for item in given]

    @torch.no_grad()
    def _locate(self, frame: np.ndarray, box: Box, margin: float) -> np.ndarray:
        """(14, 3) joints in pixels of the frame, from one square cut."""
        center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        scale = max(box[2] - box[0] + 1, box[3] - box[1] + 1) * margin / SIDE
        matrix = np.array([
            [scale, 0, center[0] - scale * (SIDE - 1) / 2], [0, scale, center[1] - scale * (SIDE - 1) / 2]], np.float32)
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        source = cv2.GaussianBlur(frame, (0, 0), scale / 2) if scale > 1.5 else frame
        crop = cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(128, 128, 128))
        image = torch.from_numpy(crop).to(self.device).permute(2, 0, 1)[None].float() / 127.5 - 1
        joints = np.zeros((len(CPM14), 3), np.float32)
        for j, heat in enumerate(self.heatmaps(image)[0].cpu().numpy()):
            heat = cv2.GaussianBlur(heat, (0, 0), 1)
            y, x = np.unravel_index(heat.argmax(), heat.shape)
            x, y = cell_to_pixel(np.array(refine_peak(heat, x, y)), 2)
            x, y = matrix @ (x, y, 1)
            if heat.max() > self.threshold and 0 <= x <= frame.shape[1] - 1 and 0 <= y <= frame.shape[0] - 1:
                joints[j] = x, y, min(heat.max(), 1)
        return joints

    def _units(self) -> Iterator[Unit]:
        """Units with the TensorFlow names of their weights."""
        yield self.stem, 'Conv2d_0', 'Conv2d_0'
        for p, part in enumerate(self.parts):
            yield from _block_units(part, 'MobilenetV2', f'MobilenetV2_part_{p}')
        for s, stage in enumerate(self.stages):
            yield from _block_units(stage.blocks, 'Convolutional_Pose_Machine', f'stage_{s}_mv2')
            for i, layer in enumerate(stage.tail, 1):
                scope = f'Convolutional_Pose_Machine/stage_{s}_mv1/stage_{s}_mv1_{i}'
                yield layer.depthwise, f'{scope}_depthwise/depthwise', None
                yield layer.pointwise, f'{scope}_pointwise', f'{scope}_pointwise'


def _block_units(blocks: nn.Sequential, root: str, group: str) -> Iterator[Unit]:
    for i, block in enumerate(blocks, 1):
        scope = f'{root}/{group}/inverted_bottleneck_{group}_{i}/{group}_{i}'
        yield block.expand, f'{scope}_up_pointwise', f'{scope}_up_pointwise'
        yield block.depthwise, f'{scope}_depthwise/depthwise', None
        yield block.project, f'{scope}_pointwise', f'{scope}_pointwise'
