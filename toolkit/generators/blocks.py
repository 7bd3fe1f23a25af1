"""Blocks that the convolutional generators share.

Every convolution has a bias, also before a norm that removes it, as in the published networks: parameter counts then agree.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.injection import NoModulation
from toolkit.structures import InputError

NORMS = ('instance', 'batch', 'group1', 'none')
UPS = ('transposed', 'nearest')
Film = Callable[[int], nn.Module]


def no_film(channels: int) -> nn.Module:
    """Make no modulation layer, whatever the number of channels."""
    return NoModulation()


def check_counts(**counts: int) -> None:
    """See that numbers of layers are 0 or more: a negative one would make none, without a word.

    Raises:
        InputError: one is negative.
    """
    for name, value in counts.items():
        if value < 0:
            raise InputError(f'{name}={value}, expected 0 or more')


def make_norm(norm: str, channels: int) -> nn.Module:
    """Make a norm layer.

    Args:
        norm: 'instance' (no affine, no running statistics), 'batch', 'group1' (one group, affine) or 'none'.
        channels: C of the maps.

    Raises:
        InputError: unknown norm.
    """
    if norm == 'instance':
        return nn.InstanceNorm2d(channels)
    if norm == 'batch':
        return nn.BatchNorm2d(channels)
    if norm == 'group1':
        return nn.GroupNorm(1, channels)
    if norm == 'none':
        return nn.Identity()
    raise InputError(f'norm={norm!r} is unknown, expected one of {", ".join(NORMS)}')


class Stem(nn.Sequential):
    """7x7 convolution on a reflected border, norm, ReLU: (B, C_in, H, W) -> (B, C_out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, norm: str = 'instance'):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 7, padding=3, padding_mode='reflect'), make_norm(norm, out_channels), nn.ReLU(True))


class Down(nn.Sequential):
    """3x3 convolution of stride 2, norm, ReLU: (B, C_in, H, W) -> (B, C_out, H/2, W/2).

    ``padding_mode`` 'zeros' is as published; 'reflect' is said to give fewer bright spots that never heal.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str = 'instance', padding_mode: str = 'zeros'):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, padding_mode=padding_mode), make_norm(norm, out_channels),
            nn.ReLU(True))


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), 3x3 convolutions on a reflected border, no activation after the sum.

    Args:
        channels: C of the maps.
        norm: see :func:`make_norm`.
        film: maker of the modulation layer that follows each norm.
    """

    def __init__(self, channels: int, norm: str = 'instance', film: Film = no_film):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect')
        self.norm1 = make_norm(norm, channels)
        self.film1 = film(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect')
        self.norm2 = make_norm(norm, channels)
        self.film2 = film(channels)

    def forward(self, x: Tensor, z: Tensor | None = None, gates: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), H and W at least 2.

        z (B, D) and the region maps ``gates`` (B, R, H, W) in [0, 1] are for the modulation layers, if they need them.
        """
        h = F.relu(self.film1(self.norm1(self.conv1(x)), z, gates), inplace=True)
        return x + self.film2(self.norm2(self.conv2(h)), z, gates)


class Up(nn.Module):
    """Double the size: up-convolution, norm, modulation, ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        norm: see :func:`make_norm`.
        up: 'transposed', a transposed 3x3 convolution of stride 2 as published, or 'nearest', nearest-neighbor doubling and a 3x3
            convolution, which cannot draw a checkerboard. Both have the same number of parameters.
        film: maker of the modulation layer that follows the norm.

    Raises:
        InputError: unknown ``up``.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str = 'instance', up: str = 'transposed', film: Film = no_film):
        super().__init__()
        if up == 'transposed':
            self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        elif up == 'nearest':
            self.conv = nn.Sequential(
                nn.Upsample(scale_factor=2), nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode='reflect'))
        else:
            raise InputError(f'up={up!r} is unknown, expected one of {", ".join(UPS)}')
        self.norm = make_norm(norm, out_channels)
        self.film = film(out_channels)

    def forward(self, x: Tensor, z: Tensor | None = None, gates: Tensor | None = None) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, 2H, 2W).

        z (B, D) and the region maps ``gates`` (B, R, 2H, 2W) in [0, 1] are for the modulation layers, if they need them.
        """
        return F.relu(self.film(self.norm(self.conv(x)), z, gates), inplace=True)


class Head(nn.Module):
    """7x7 convolution on a reflected border and tanh: (B, C_in, H, W) -> (B, C_out, H, W) in [-1, 1].

    Args:
        in_channels: C_in.
        out_channels: C_out.
        rgb: called with the maps, z and the gates; what it returns is added to the first channels before the tanh. None adds nothing.
    """

    def __init__(self, in_channels: int, out_channels: int = 3, rgb: nn.Module | None = None):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 7, padding=3, padding_mode='reflect')
        self.rgb = rgb

    def forward(self, h: Tensor, z: Tensor | None = None, gates: Tensor | None = None) -> Tensor:
        """Paint the picture."""
        picture = self.conv(h)
        if self.rgb is None:
            return torch.tanh(picture)
        added = self.rgb(h, z, gates).to(picture.dtype)
        return torch.tanh(picture + F.pad(added, (0, 0, 0, 0, 0, picture.shape[1] - added.shape[1])))


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """Maps x (B, C, H, W) at 1, 1/2, ..., ``levels`` times halved: levels + 1 tensors, finest first.

    Each is the 3x3 average pooling of stride 2 of the one before, which leaves the border out of the mean.
    """
    scales = [x]
    for _ in range(levels):
        scales.append(F.avg_pool2d(scales[-1], 3, stride=2, padding=1, count_include_pad=False))
    return scales


@torch.no_grad()
def init_normal(module: nn.Module) -> None:
    """Draw the weights of all convolutions from N(0, 0.02); biases keep PyTorch's default, as in pix2pixHD."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)


def check_input(x: Tensor, channels: int, multiple: int) -> None:
    """Check the shape of a generator's input.

    Args:
        x: (B, C, H, W).
        channels: expected C.
        multiple: H and W must be a multiple of it, and at least twice it.

    Raises:
        InputError: names what is wrong and the nearest sizes that fit.
    """
    if x.ndim != 4 or x.shape[1] != channels:
        raise InputError(f'input of shape {tuple(x.shape)}, expected (B, {channels}, H, W)')
    height, width = x.shape[-2:]
    if height % multiple or width % multiple or min(height, width) < 2 * multiple:
        fits = ' x '.join(' or '.join(str(s) for s in _nearest(size, multiple)) for size in (height, width))
        raise InputError(
            f'input of {height} x {width} pixels (height x width): both must be multiples of {multiple} and at '
            f'least {2 * multiple}. Nearest: {fits}')


def _nearest(size: int, multiple: int) -> list[int]:
    below = max(size // multiple, 2) * multiple
    above = max(-(-size // multiple), 2) * multiple
    return sorted({below, above})
