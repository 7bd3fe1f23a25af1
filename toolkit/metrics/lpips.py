"""LPIPS, the learned perceptual distance, with the backbones that are at hand."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.metrics.pictures import PictureMetric, in_chunks
from toolkit.registry import METRICS
from toolkit.structures import MissingWeightsError, find_weights, weight_folders
from toolkit.weights import load_state, read_checkpoint

BACKBONES = {
    'alex': ('alexnet-owt-7be5be79.pth', 'alexnet-owt-4df8aa71.pth'),
    'vgg': ('vgg16-397923af.pth',),
    'squeeze': ('squeezenet1_1-b8a52dc0.pth', 'squeezenet1_1-f364aa15.pth', 'squeezenet1_1_fp16.safetensors'),
}
"""Network -> torchvision's ImageNet weight files that serve as its backbone, best first."""
SMALLEST_SIDE = 32


def find_backbone(net: str) -> tuple[str, Path]:
    """Find the ImageNet weights LPIPS stands on, in the toolkit's weight folders and in torch.hub's cache.

    Args:
        net: ``'alex'`` (the authors' choice), ``'vgg'``, ``'squeeze'``, or ``'auto'``: the first of these that is there.

    Returns:
        The network's name and the weight file.

    Raises:
        ValueError: unknown network.
        MissingWeightsError: no file; names the files and folders.
    """
    if net != 'auto' and net not in BACKBONES:
        raise ValueError(f"net must be 'auto' or one of {sorted(BACKBONES)}, got {net!r}")
    cache = Path(torch.hub.get_dir()) / 'checkpoints'
    candidates = list(BACKBONES) if net == 'auto' else [net]
    for name in candidates:
        path = find_weights(*BACKBONES[name], *(str(cache / file) for file in BACKBONES[name]), required=False)
        if path is not None:
            return name, path
    files = ', '.join(file for name in candidates for file in BACKBONES[name])
    folders = ', '.join(str(folder) for folder in [*weight_folders(), cache])
    raise MissingWeightsError(f"LPIPS needs one of torchvision's ImageNet weights {files}; searched {folders}")


def described(name: str, path: Path) -> str:
    """What definitions of metrics say of the network: distances of other networks, or of other weights, do not compare.

    Args:
        name, path: of :func:`find_backbone`.
    """
    return f'LPIPS v0.1, network {name}, backbone {path.name}'


class LPIPSNetwork:
    """LPIPS v0.1 (Zhang et al. 2018): features of an ImageNet network, unit length over channels, squared difference, the authors'
    linear weights, mean over pixels, sum over layers.

    Frozen, and never with random weights: where the backbone is missing the constructor raises.

    Args:
        net: see :func:`find_backbone`.
        device: where it computes.

    Attributes:
        name: the network that was found, ``'alex'``, ``'vgg'`` or ``'squeeze'``. Distances of different networks do not compare.
        path: its weight file.

    Raises:
        MissingWeightsError: no backbone weights.
        InputError: the weight file does not fit the network.
    """

    def __init__(self, net: str = 'auto', device: torch.device | str = 'cpu') -> None:
        self.name, self.path = find_backbone(net)
        self.device = torch.device(device)
        self._network = self._build().to(self.device)

    def _build(self) -> nn.Module:
        import lpips
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', category=UserWarning, module='torchvision')
            network = lpips.LPIPS(net=self.name, version='0.1', pnet_rand=True, verbose=False)
        weights = read_checkpoint(self.path)['state_dict']
        names = {key: f'features.{key.split(".", 1)[1]}' for key in network.net.state_dict()}
        load_state(network.net, {key: weights[name] for key, name in names.items() if name in weights}, self.path)
        return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def __call__(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Distance (N,) float64 >= 0 of each picture from its partner, 0 for equal ones. Lower is better.

        Args:
            generated, real: (N, H, W, 3) uint8, sides of at least 32 pixels.

        Raises:
            TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`; a side below 32.
        """
        _check_sides(real)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return in_chunks(lambda g, r: self._between(self._features(g), self._features(r)), generated, real, device=self.device)

    def steps(self, frames: np.ndarray) -> np.ndarray:
        """Distance (T - 1,) float64 of each frame of a video from the one before it. The network sees each frame once.

        Args:
            frames: (T, H, W, 3) uint8, sides of at least 32 pixels.

        Raises:
            TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pictures`; a side below 32.
        """
        _check_sides(frames)
        last: list[Tensor] = []

        def from_last(pictures: Tensor) -> Tensor:
            features = self._features(pictures)
            before = [torch.cat([old, new[:-1]]) for old, new in zip(last, features)] if last else [new[:-1] for new in features]
            now = features if last else [new[1:] for new in features]
            last[:] = [new[-1:] for new in features]
            return self._between(now, before)

        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return in_chunks(from_last, frames, device=self.device)

    def _features(self, pictures: Tensor) -> list[Tensor]:
        """Features (N, C, h, w) of each layer of pictures (N, 3, H, W) in 0..255, of unit length over channels."""
        from lpips import normalize_tensor
        network = self._network
        return [normalize_tensor(layer) for layer in network.net(network.scaling_layer(pictures.float() / 127.5 - 1))]

    def _between(self, features: list[Tensor], others: list[Tensor]) -> Tensor:
        """Distance (N,) of pictures with these features."""
        return sum(weigh((one - other)**2).mean((1, 2, 3)) for weigh, one, other in zip(self._network.lins, features, others))


def _check_sides(pictures: np.ndarray) -> None:
    if min(pictures.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(f'LPIPS needs sides of at least {SMALLEST_SIDE} px, got {pictures.shape[1]}x{pictures.shape[2]}')


@METRICS.register_module()
class LPIPS(PictureMetric):
    """:class:`LPIPSNetwork` per frame, mean over the frames of a clip, then over clips; its prefix names the network.

    Args:
        net: ``'auto'``, ``'alex'``, ``'vgg'`` or ``'squeeze'``, see :func:`find_backbone`. Without weights all numbers are 'n/a'.
        kwargs: of :class:`toolkit.metrics.pictures.PictureMetric`.
    """

    default_prefix = 'lpips'
    better = 'lower'

    def __init__(self, net: str = 'auto', **kwargs) -> None:
        try:
            name, path = find_backbone(net)
            missing = ''
            self.text = f'{described(name, path)}, RGB mapped to [-1, 1], per frame'
        except MissingWeightsError as error:
            name, missing = net, str(error)
            self.text = 'LPIPS v0.1, RGB mapped to [-1, 1], per frame'
        super().__init__(**kwargs)
        self.missing = missing
        if name != 'auto':
            self.prefix = f'{self.prefix}_{name}'
        self.network = None if missing else LPIPSNetwork(name, self.device)

    def unfit(self, height: int, width: int) -> str:
        """The network's poolings need 32 pixels."""
        return '' if min(height, width) >= SMALLEST_SIDE else f'LPIPS needs sides of at least {SMALLEST_SIDE} px, got {height}x{width}'

    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """(N,) >= 0."""
        return self.network(generated, real)
