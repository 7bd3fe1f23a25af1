"""Perceptual loss. Sources: Johnson et al. 2016; layers and weights of Wang et al. 2018, High-Resolution Image Synthesis."""

import logging
from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from toolkit.losses.absolute import mean_absolute_difference
from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.losses.perceptual_backbones import SQUEEZENET_LAYERS, VGG19_LAYERS, Features, load_squeezenet, load_vgg19
from toolkit.registry import LOSSES
from toolkit.structures import InputError, MissingWeightsError

NETWORKS = ('auto', 'vgg19', 'squeezenet1_1', 'off')
VGG19_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


@LOSSES.register_module()
class PerceptualLoss(FrozenNetworkLoss):
    r"""L1 distance of two pictures in the feature maps :math:`\phi_k` of a frozen ImageNet network.

    - ``vgg19``: :math:`\sum_k w_k \, \mathrm{mean} |\phi_k(\text{fake}) - \phi_k(\text{real})|` over relu1_1 ... relu5_1 with
      :math:`w = 1/32, 1/16, 1/8, 1/4, 1`.
    - ``squeezenet1_1``: where VGG-19's weights are missing. Mean over layers of that distance, divided in every layer and picture by
      the mean activation of the real picture; input always normalized as for ImageNet. 0 is equal, about 1 is unrelated.
    - ``off``: always 0.
    - ``auto``: the first of these whose weights are there. What was taken is logged and stands in ``backbone_name``.

    pix2pixHD weights it by 10. The network is no submodule: it appears in no ``parameters()``, ``state_dict()`` or optimizer, follows
    ``.to(device)``, stays frozen and in eval mode, and is run in float32 unless ``model.loss_dtype`` says otherwise.

    Args:
        network: 'auto', 'vgg19', 'squeezenet1_1' or 'off'.
        norm: input of VGG-19: 'none' gives it the picture in [-1, 1] as pix2pixHD does, for which its weight of 10 was chosen;
            'imagenet' normalizes as the network was trained.
        weights: weight file of the network; None searches the weights folders, for VGG-19 torch's cache, too.
        download: let torchvision fetch VGG-19 (548 MB) where no file is found.
        layers: ascending indices in torchvision's ``features`` whose output is compared; None takes the network's own.
        layer_weights: one weight a layer; None takes the network's own, for other ``layers`` their mean.

    Raises:
        InputError: unknown option.
        MissingWeightsError: a network was named and its weights were not found.
    """

    inputs = ('fake', 'real')
    for_generation = dict(network='off')

    def __init__(self, network: str = 'auto', norm: str = 'none', weights: str | None = None, download: bool = False,
                 layers: Sequence[int] | None = None, layer_weights: Sequence[float] | None = None):
        super().__init__()
        if network not in NETWORKS:
            raise InputError(f'network={network!r} is unknown, expected one of {", ".join(NETWORKS)}')
        if norm not in ('none', 'imagenet'):
            raise InputError(f'norm={norm!r} is unknown, expected none or imagenet')
        if network == 'auto' and (weights or layers or layer_weights):
            raise InputError('weights, layers and layer_weights belong to one network: name it, network=\'auto\' does not go with them')
        self.backbone_name, features = _choose(network, norm == 'imagenet', weights, download, layers)
        self.relative = self.backbone_name == 'squeezenet1_1'
        if features is not None:
            self.freeze(features)
        self.layer_weights = _layer_weights(features, layer_weights)
        print_log(f'perceptual loss: {self.backbone_name}' + (f' (network={network!r})' if network == 'auto' else ''), 'current')

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar, float32, of fake and real (B, 3, H, W) RGB in [-1, 1]; H and W at least 16 for VGG-19."""
        if not self._frozen:
            return torch.zeros((), device=fake.device)
        with self.precision(fake.device):
            with torch.no_grad():
                targets = self._frozen[0](real.float())
            features = self._frozen[0](fake.float())
        with torch.autocast(fake.device.type, enabled=False):
            loss = torch.zeros((), device=fake.device)
            for weight, feature, target in zip(self.layer_weights, features, targets):
                difference = mean_absolute_difference(feature, target, (1, 2, 3))
                if self.relative:
                    difference = difference / target.mean((1, 2, 3), dtype=torch.float32).clamp_min(1e-3)
                loss = loss + weight * difference.mean()
        return loss

    def extra_repr(self) -> str:
        """Name the network, which is no submodule."""
        return f'backbone={self.backbone_name!r}'


def _choose(network: str, imagenet_norm: bool, weights: str | None, download: bool,
            layers: Sequence[int] | None) -> tuple[str, Features | None]:
    if network in ('vgg19', 'auto'):
        try:
            return 'vgg19', load_vgg19(weights, tuple(layers or VGG19_LAYERS), imagenet_norm, download)
        except MissingWeightsError as error:
            if network == 'vgg19':
                raise
            print_log(f'perceptual loss without VGG-19: {error}', 'current')
    if network in ('squeezenet1_1', 'auto'):
        try:
            return 'squeezenet1_1', load_squeezenet(weights, tuple(layers or SQUEEZENET_LAYERS))
        except MissingWeightsError as error:
            if network == 'squeezenet1_1':
                raise
            print_log(f'perceptual loss off: {error}', 'current', logging.WARNING)
    return 'off', None


def _layer_weights(features: Features | None, layer_weights: Sequence[float] | None) -> tuple[float, ...]:
    if features is None:
        return ()
    count = len(features.indices)
    if layer_weights is None:
        return VGG19_WEIGHTS if features.indices == VGG19_LAYERS else (1 / count,) * count
    if len(layer_weights) != count:
        raise InputError(f'layer_weights has {len(layer_weights)} entries for {count} layers')
    return tuple(layer_weights)
