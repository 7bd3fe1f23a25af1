"""Building blocks of the two small pose networks, which were trained in TensorFlow: its padding, its resizing, its names of weights."""

from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from toolkit.network_files import read_state
from toolkit.structures import InputError

NORM_EPS = 1e-3


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after of TensorFlow's SAME padding along one axis; the smaller half comes first."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution without bias and with TensorFlow's SAME padding (asymmetric for stride 2). (B, C, H, W) -> (B, D, H/s, W/s)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(in_channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        top, bottom = same_padding(x.shape[-2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[-1], self.kernel_size[1], self.stride[1])
        return super().forward(F.pad(x, (left, right, top, bottom)))


def resize_bilinear(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """TensorFlow 1's bilinear resize (B, C, h, w) -> (B, C, *size) with corners at the origin.

    source = target * in / out, without the half-pixel shift.
    """
    rows, columns = (_interpolation_matrix(n, m, x) for n, m in zip(x.shape[-2:], size))
    return rows @ x @ columns.T


def _interpolation_matrix(length: int, wanted: int, like: torch.Tensor) -> torch.Tensor:
    position = torch.arange(wanted, device=like.device, dtype=like.dtype) * (length / wanted)
    low = position.floor().long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    fraction = (position - low)[:, None]
    one_hot = torch.eye(length, device=like.device, dtype=like.dtype)
    return one_hot[low] * (1 - fraction) + one_hot[high] * fraction


class ConvUnit(nn.Sequential):
    """Convolution, optional norm, optional activation, as one named unit of weights.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: kernel size.
        stride: step.
        depthwise: one filter per channel (``out_channels`` must equal ``in_channels``).
        norm: 'batch' (stored statistics), 'instance' (statistics of the image itself) or None.
        activation: 'relu', 'relu6' or None.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, depthwise: bool = False,
        norm: str | None = 'batch', activation: str | None = 'relu6'):
        super().__init__()
        self.conv = SameConv2d(in_channels, out_channels, kernel, stride, groups=in_channels if depthwise else 1)
        if norm == 'batch':
            self.norm = nn.BatchNorm2d(out_channels, eps=NORM_EPS)
        elif norm == 'instance':
            self.norm = nn.InstanceNorm2d(out_channels, eps=NORM_EPS, affine=True)
        if activation:
            self.act = nn.ReLU6() if activation == 'relu6' else nn.ReLU()


class FrozenNetwork(nn.Module):
    """A pretrained network: always in eval mode, its parameters never ask for a gradient; gradients reach its input."""

    def freeze(self) -> None:
        """Fix all parameters. Call it at the end of the constructor."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> 'FrozenNetwork':
        """Stay in eval mode, whatever the surrounding model does."""
        return super().train(False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


Unit = tuple[ConvUnit, str, str | None]


def load_units(units: Iterable[Unit], path: Path) -> None:
    """Fill units with the TensorFlow-named tensors of a safetensors file.

    Args:
        units: triples of a unit, the name of its kernel (without ``.weight``), and the name before ``/BatchNorm`` or None.
        path: the file.

    Raises:
        InputError: a tensor is missing, of another shape, or left over.
    """
    tensors = read_state(path)
    for unit, kernel, norm in units:
        wanted = {f'{kernel}.weight': unit.conv.weight}
        if norm is not None:
            wanted |= {f'{norm}/BatchNorm.gamma': unit.norm.weight, f'{norm}/BatchNorm.beta': unit.norm.bias}
            if isinstance(unit.norm, nn.BatchNorm2d):
                wanted |= {f'{norm}/BatchNorm.mean': unit.norm.running_mean, f'{norm}/BatchNorm.var': unit.norm.running_var}
        for name, parameter in wanted.items():
            tensor = tensors.pop(name, None)
            if tensor is None or tensor.shape != parameter.shape:
                found = 'is missing' if tensor is None else f'has shape {tuple(tensor.shape)}'
                raise InputError(f'{path}: tensor {name} {found}, expected shape {tuple(parameter.shape)}; is it another network?')
            if not torch.isfinite(tensor).all():
                raise InputError(f'{path}: tensor {name} is not finite')
            parameter.data.copy_(tensor)
    if tensors:
        raise InputError(f'{path}: {len(tensors)} tensors do not belong to this network, for example {sorted(tensors)[0]}')
