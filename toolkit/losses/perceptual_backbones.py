"""Pretrained feature extractors of the perceptual loss: frozen ImageNet networks that return the maps of some of their layers."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from toolkit.network_files import read_state
from toolkit.structures import InputError, MissingWeightsError, find_weights
from toolkit.weights import check_state

VGG19_FILE = 'vgg19-dcbb9e9d.pth'
SQUEEZENET_FILE = 'squeezenet1_1_fp16.safetensors'
VGG19_LAYERS = (1, 6, 11, 20, 29)
"""Indices of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""
SQUEEZENET_LAYERS = (1, 4, 7)
"""Indices of the first ReLU and of the second and fourth Fire module; 9, 10, 11 and 12 are the deeper ones."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VGG19_CHANNELS = (64, 64, 'pool', 128, 128, 'pool', 256, 256, 256, 256, 'pool', 512, 512, 512, 512, 'pool', 512)


class Features(nn.Module):
    """The outputs of some layers of a frozen sequence of layers.

    Args:
        layers: the sequence, input (B, 3, H, W); what lies behind the last index is dropped.
        indices: which outputs to return, ascending.
        imagenet_norm: bring the picture from [-1, 1] to the mean and variance of ImageNet first, else take it as it is.

    Raises:
        InputError: indices that are not ascending, or beyond the last layer.
    """

    def __init__(self, layers: nn.Sequential, indices: tuple[int, ...], imagenet_norm: bool):
        super().__init__()
        if list(indices) != sorted(set(indices)) or not 0 <= indices[0] <= indices[-1] < len(layers):
            raise InputError(f'layers={tuple(indices)}, expected ascending indices in 0 ... {len(layers) - 1}')
        self.indices = tuple(indices)
        self.imagenet_norm = imagenet_norm
        self.layers = layers[:indices[-1] + 1]
        for behind in (layers[index + 1] for index in indices[:-1]):
            if isinstance(behind, nn.ReLU):
                behind.inplace = False  # what is returned must stay as it is
        self.register_buffer('mean', torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer('std', torch.tensor(IMAGENET_STD)[:, None, None])
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [-1, 1] -> one (B, C, h, w) for each index, in order of depth."""
        if self.imagenet_norm:
            x = ((x + 1) / 2 - self.mean) / self.std
        outputs = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.indices:
                outputs.append(x)
        return outputs


def vgg19_layers() -> nn.Sequential:
    """VGG-19 up to relu5_1, 12,944,960 parameters, numbered as in torchvision's ``features``. Source: Simonyan and Zisserman 2015."""
    layers: list[nn.Module] = []
    channels = 3
    for width in VGG19_CHANNELS:
        if width == 'pool':
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(True)]
            channels = width
    return nn.Sequential(*layers)


def load_vgg19(weights: str | None = None, indices: tuple[int, ...] = VGG19_LAYERS, imagenet_norm: bool = False,
               download: bool = False) -> Features:
    """VGG-19 with ImageNet weights.

    Args:
        weights: file with torchvision's state dict; None looks for ``vgg19-dcbb9e9d.pth`` in the weights folders and in torch's cache.
        indices: layers of torchvision's ``features``, at most 29.
        imagenet_norm: see :class:`Features`.
        download: let torchvision fetch the file (548 MB) where none is found.

    Raises:
        MissingWeightsError: no file, and not downloaded.
        InputError: the file is not torchvision's state dict.
    """
    cached = Path(torch.hub.get_dir()) / 'checkpoints' / VGG19_FILE
    path = find_weights(weights) if weights else find_weights(VGG19_FILE, str(cached), required=not download)
    state = read_state(path) if path else _download_vgg19()
    with torch.device('meta'):
        layers = vgg19_layers()
    _load(layers, state, path)
    return Features(layers, indices, imagenet_norm)


def load_squeezenet(weights: str | None = None, indices: tuple[int, ...] = SQUEEZENET_LAYERS) -> Features:
    """torchvision's SqueezeNet 1.1 with ImageNet weights, the input normalized as for ImageNet.

    Args:
        weights: safetensors file with torchvision's state dict; None looks for :data:`SQUEEZENET_FILE` in the weights folders.
        indices: layers of torchvision's ``features``, at most 12.

    Raises:
        MissingWeightsError: no file.
        InputError: the file is not torchvision's state dict.
    """
    from torchvision.models import squeezenet1_1
    path = find_weights(weights or SQUEEZENET_FILE)
    with torch.device('meta'):
        layers = squeezenet1_1(weights=None).features
    _load(layers, read_state(path), path)
    return Features(layers, indices, imagenet_norm=True)


def _download_vgg19() -> Mapping[str, Tensor]:
    from torchvision.models import VGG19_Weights
    try:
        return VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise MissingWeightsError(f'could not download {VGG19_FILE}: {error}. Put the file into one of the weights folders.') from error


def _load(layers: nn.Sequential, state: Mapping[str, Tensor], path: Path | None) -> None:
    wanted = layers.state_dict()
    missing = [key for key in wanted if f'features.{key}' not in state]
    if missing:
        raise InputError(f'{path} has no features.{missing[0]}: expected the state dict of torchvision\'s network')
    state = {key: state[f'features.{key}'] for key in wanted}
    check_state(layers, state, path)
    layers.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
