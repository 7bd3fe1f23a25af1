"""The body network of OpenPose (CMU), COCO-18: for users who have its published weights."""

from pathlib import Path

import torch
from torch import nn

from toolkit.network_files import read_state
from toolkit.poses.heatmap_estimator import HeatmapEstimator
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError, find_weights
from toolkit.weights import check_state

WEIGHTS = ('body_pose_model.pth', 'pose_model.pth')
BACKBONE = (
    ('conv1_1', 64), ('conv1_2', 64), 'pool', ('conv2_1', 128), ('conv2_2', 128), 'pool', ('conv3_1', 256), ('conv3_2', 256),
    ('conv3_3', 256), ('conv3_4', 256), 'pool', ('conv4_1', 512), ('conv4_2', 512), ('conv4_3_CPM', 256), ('conv4_4_CPM', 128))
FEATURES = 128
BRANCHES = {1: 38, 2: 19}
"""Branch 1 gives part affinity fields, branch 2 heatmaps."""
STAGES = 6


def _backbone() -> nn.Sequential:
    """VGG-19 up to conv4_2 and two more layers: (B, 3, H, W) -> (B, 128, H/8, W/8)."""
    layers, channels = [], 3
    for layer in BACKBONE:
        if layer == 'pool':
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, layer[1], 3, padding=1), nn.ReLU(inplace=True)]
            channels = layer[1]
    return nn.Sequential(*layers)


def _branch(stage: int, out_channels: int) -> nn.Sequential:
    """One branch of one stage. There is no ReLU after the last convolution."""
    if stage == 1:
        plan = [(FEATURES, 128, 3), (128, 128, 3), (128, 128, 3), (128, 512, 1), (512, out_channels, 1)]
    else:
        inputs = sum(BRANCHES.values()) + FEATURES
        plan = [(inputs, 128, 7), *[(128, 128, 7)] * 4, (128, 128, 1), (128, out_channels, 1)]
    layers = []
    for in_channels, channels, kernel in plan:
        layers += [nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _caffe_names() -> dict[str, str]:
    """Name of each layer in Caffe -> name of the module here, which is the Sequential index form."""
    names = {}
    index = 0
    for layer in BACKBONE:
        if layer != 'pool':
            names[layer[0]] = f'model0.{index}'
        index += 1 if layer == 'pool' else 2
    for branch in BRANCHES:
        names |= {f'conv5_{i + 1}_CPM_L{branch}': f'model1_{branch}.{2 * i}' for i in range(5)}
        for stage in range(2, STAGES + 1):
            names |= {f'Mconv{i + 1}_stage{stage}_L{branch}': f'model{stage}_{branch}.{2 * i}' for i in range(7)}
    return names


@POSE_ESTIMATORS.register_module()
class OpenPose(HeatmapEstimator):
    """Realtime multi-person pose estimation (Cao et al. 2017), the full body network: 52,311,446 parameters, stride 8.

    Two published forms of its weights are read: ``body_pose_model.pth`` with Caffe's layer names (``conv1_1.weight``), and
    ``pose_model.pth`` with Sequential indices (``model0.0.weight``). They are not distributed here; OpenPose's license allows
    non-commercial use only.

    Args:
        weights: file name or path; by default one of the two names above; None leaves random weights.
        **kwargs: of :class:`HeatmapEstimator`.

    Raises:
        MissingWeightsError: no such file in a weights folder.
        InputError: the file holds another network.
    """

    name = 'openpose'
    version = '1'
    multiple = 8

    def __init__(self, weights: str | tuple[str, ...] | None = WEIGHTS, **kwargs):
        super().__init__(**kwargs)
        path = None if weights is None else find_weights(*((weights,) if isinstance(weights, str) else weights))
        self.model0 = _backbone()
        for stage in range(1, STAGES + 1):
            for branch, channels in BRANCHES.items():
                self.add_module(f'model{stage}_{branch}', _branch(stage, channels))
        if path is not None:
            self._load(path)
        self.freeze()

    def fields(self, images: torch.Tensor, stage: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Heatmaps and fields of a stage, see :meth:`toolkit.poses.heatmap_estimator.HeatmapEstimator.fields`."""
        features = self.model0((images.flip(1) + 1) * (127.5 / 256) - 0.5)
        x = features
        for number in range(1, (stage or STAGES) + 1):
            paf, heat = self.get_submodule(f'model{number}_1')(x), self.get_submodule(f'model{number}_2')(x)
            x = torch.cat([paf, heat, features], 1)
        return heat, paf

    def _load(self, path: Path) -> None:
        self.load_state_dict(published(path)[1])


def published(path: str | Path) -> tuple[dict, dict[str, torch.Tensor], dict[str, str]]:
    """Read published weights.

    Args:
        path: file in one of the two forms, see :class:`OpenPose`, or one converted from them.

    Returns:
        No options of the estimator; its state dict; and keys that have no place in it, with the reason.

    Raises:
        InputError: unreadable, unsafe or of another network.
    """
    with torch.device('meta'):
        network = OpenPose(weights=None)
    own = network.state_dict()
    caffe, renamed, names = _caffe_names(), {}, {}
    for key, tensor in read_state(path).items():
        layer, _, kind = key.rpartition('.')
        name = f'{caffe.get(layer, layer)}.{kind}'
        renamed[name], names[name] = tensor, key
    for key, tensor in own.items():
        if key not in renamed or renamed[key].shape != tensor.shape:
            found = f'{names[key]} has shape {tuple(renamed[key].shape)}' if key in renamed else f'{key} is missing'
            raise InputError(f'{path}: {found}, expected shape {tuple(tensor.shape)}; is it OpenPose\'s COCO body network?')
    left = {names[key]: 'no layer of the body network' for key in renamed if key not in own}
    state = {key: renamed[key] for key in own}
    check_state(network, state, path)
    return {}, {key: value.float() for key, value in state.items()}, left
