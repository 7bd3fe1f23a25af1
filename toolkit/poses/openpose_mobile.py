"""OpenPose's heatmaps and part affinity fields on a small MobileNetV2: light, fully convolutional and differentiable."""

from collections.abc import Iterator

import torch
from torch import nn

from toolkit.poses.heatmap_estimator import HeatmapEstimator
from toolkit.poses.mobilenet import ConvUnit, Unit, load_units, resize_bilinear
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import find_weights

WEIGHTS = 'openpose_mobilenet_v2_small.safetensors'
BLOCKS = (  # expansion, output channels, stride
    (1, 8, 1), (6, 16, 2), (6, 16, 1), (6, 16, 2), (6, 16, 1), (6, 16, 1), (6, 32, 2), (6, 32, 1), (6, 32, 1), (6, 32, 1),
    (6, 48, 1), (6, 48, 1), (6, 48, 1))
STEM_CHANNELS = 16
TAP = 5
STAGES = 6


class _Block(nn.Module):
    """Inverted residual of MobileNetV2 with instance norm."""

    def __init__(self, in_channels: int, expansion: int, out_channels: int, stride: int):
        super().__init__()
        hidden = in_channels * expansion
        self.expand = ConvUnit(in_channels, hidden, norm='instance') if expansion > 1 else None
        self.depthwise = ConvUnit(hidden, hidden, 3, stride, depthwise=True, norm='instance')
        self.project = ConvUnit(hidden, out_channels, norm='instance', activation=None)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class _Separable(nn.Sequential):
    """Depthwise convolution, then a pointwise one with batch norm."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, activation: str | None = 'relu'):
        super().__init__()
        self.depthwise = ConvUnit(in_channels, in_channels, kernel, depthwise=True, norm=None, activation=None)
        self.pointwise = ConvUnit(in_channels, out_channels, activation=activation)


def _branch(in_channels: int, out_channels: int, hidden: int) -> nn.Sequential:
    """One branch of one stage. The last layer has no ReLU: maps may be negative and keep their gradient."""
    return nn.Sequential(
        _Separable(in_channels, 64, 3), _Separable(64, 64, 3), _Separable(64, 64, 3), _Separable(64, hidden, 1),
        _Separable(hidden, out_channels, 1, activation=None))


@POSE_ESTIMATORS.register_module()
class OpenPoseMobile(HeatmapEstimator):
    """Realtime multi-person pose estimation (Cao et al. 2017) on MobileNetV2, 0.46 M parameters, stride 8.

    The norm layers of the backbone use the statistics of each image by itself, so that a batch gives what its pictures give one by
    one. Network and weights: ildoonet/tf-pose-estimation, mobilenet_v2_small (Apache-2.0). It works best on people about 256 px high
    and fails at 128 px.

    Args:
        weights: file name or path; None leaves random weights.
        **kwargs: of :class:`HeatmapEstimator`.

    Raises:
        MissingWeightsError: the file is not in a weights folder.
    """

    name = 'openpose_mobile'
    version = '1'
    multiple = 16

    def __init__(self, weights: str | None = WEIGHTS, **kwargs):
        super().__init__(**kwargs)
        self.stem = ConvUnit(3, STEM_CHANNELS, 3, 2, norm='instance')
        channels = [STEM_CHANNELS, *(out for _, out, _ in BLOCKS)]
        self.blocks = nn.ModuleList(_Block(c, expansion, out, stride) for c, (expansion, out, stride) in zip(channels, BLOCKS))
        features = channels[TAP + 1] + channels[-1]
        inputs = [features] + [features + 38 + 19] * (STAGES - 1)
        hidden = [256] + [64] * (STAGES - 1)
        self.paf_stages = nn.ModuleList(_branch(c, 38, h) for c, h in zip(inputs, hidden))
        self.heat_stages = nn.ModuleList(_branch(c, 19, h) for c, h in zip(inputs, hidden))
        if weights is not None:
            load_units(self._units(), find_weights(weights))
        self.freeze()

    def fields(self, images: torch.Tensor, stage: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Heatmaps and fields of a stage, see :meth:`toolkit.poses.heatmap_estimator.HeatmapEstimator.fields`; sides in steps of 16."""
        x = self.stem((images.flip(1) + 1) * 127.5)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == TAP:
                tap = x
        features = torch.cat([tap, resize_bilinear(x, tap.shape[-2:])], 1)
        x = features
        for paf_stage, heat_stage in zip(self.paf_stages[:stage], self.heat_stages[:stage]):
            paf, heat = paf_stage(x), heat_stage(x)
            x = torch.cat([paf, heat, features], 1)
        return heat, paf

    def _units(self) -> Iterator[Unit]:
        """Units with the TensorFlow names of their weights."""
        yield self.stem, 'MobilenetV2/Conv', 'MobilenetV2/Conv'
        for i, block in enumerate(self.blocks):
            scope = 'MobilenetV2/expanded_conv' + (f'_{i}' if i else '')
            for part in ('expand', 'depthwise', 'project'):
                if getattr(block, part) is not None:
                    yield getattr(block, part), f'{scope}/{part}', f'{scope}/{part}'
        for branch, stages in (('L1', self.paf_stages), ('L2', self.heat_stages)):
            for s, stage in enumerate(stages, 1):
                for i, layer in enumerate(stage, 1):
                    scope = f'Openpose/MConv_Stage{s}_{branch}_{i}'
                    yield layer.depthwise, f'{scope}_depthwise/depthwise', None
                    yield layer.pointwise, f'{scope}_pointwise', f'{scope}_pointwise'
