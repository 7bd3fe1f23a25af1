"""Networks with the channels of each place side by side in memory, and layers that keep that order on a CPU."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit import winograd

MOST_PLACES, LEAST_WEIGHTS = 128, 2**21
"""A convolution is one matrix product where its weights are many and its maps are small: reading the weights is most of its work."""
FEW_OUTPUTS, LEAST_INPUTS = 4, 32
"""A convolution to so few channels, of at least so many, goes row by row."""
LEAST_CHANNELS, LEAST_PLACES = 128, 384
"""A frozen convolution is better transformed where it has so many channels on both sides and so large a map."""

_casts: dict[tuple[int, torch.dtype], tuple[Tensor, Tensor]] | None = None


@contextmanager
def shared_casts() -> Iterator[None]:
    """Let a weight be brought into half precision once for all passes within. No weight may change there, as in autocast."""
    global _casts
    before, _casts = _casts, {}
    try:
        yield
    finally:
        _casts = before


def use_channels_last(network: nn.Module, frozen: bool = False) -> None:
    """Convert a network, in place. Its weights keep their values and names.

    Its instance norms and convolutions become those of this module, which compute the same up to rounding.

    Args:
        network: with weights of 4 dimensions, or without.
        frozen: nobody trains it, so that its convolutions become :class:`FrozenConv2d`.
    """
    network.to(memory_format=torch.channels_last)
    kinds = {nn.InstanceNorm2d: InstanceNorm2d, nn.Conv2d: FrozenConv2d if frozen else Conv2d, nn.ConvTranspose2d: ConvTranspose2d}
    for layer in network.modules():
        if type(layer) in kinds:
            layer.__class__ = kinds[type(layer)]


def is_channels_last(x: Tensor) -> bool:
    """Whether a tensor has its channels side by side, and not also the usual order (as with one channel)."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


class InstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that keeps channels last on a CPU, where torch's goes to the usual order and back, forward and backward.

    Each sample goes through batch norm by itself, which computes the same (``benchmarks/bench_layers.py``).
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        if x.device.type != 'cpu' or self.track_running_stats or not is_channels_last(x):
            return super().forward(x)
        normed = [F.batch_norm(sample, None, None, self.weight, self.bias, True, 0.0, self.eps) for sample in x.split(1)]
        return normed[0] if len(normed) == 1 else torch.cat(normed)


class Conv2d(nn.Conv2d):
    """Convolution that is computed in another way where that is faster, in half precision on a CPU (``benchmarks/bench_layers.py``).

    - With many weights and a small map it is one matrix product. The library's kernel brings the weights into an order of its own at
      each call, which takes longer than the convolution.
    - With few output channels and a high kernel it is two convolutions, first along the rows, then down the columns: the library's
      kernel works on many output channels at once, and leaves most of them empty.
    - A border is reflected or repeated in half precision, where autocast would go to float32 and back.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H', W')."""
        dtype = _half(self, x)
        if dtype is None or isinstance(self.padding, str):
            return super().forward(x)
        places = [(side + 2 * p - k) // step + 1 for side, p, k, step in zip(x.shape[2:], self.padding, self.kernel_size, self.stride)]
        is_product = _is_product(self, len(x) * math.prod(places))
        by_rows = (self.out_channels <= FEW_OUTPUTS < self.out_channels * self.kernel_size[0] and self.in_channels >= LEAST_INPUTS
                   and {*self.stride} == {1})
        if min(places) < 1 or not (is_product or by_rows or self.padding_mode != 'zeros'):
            return super().forward(x)
        x, sides = x.to(dtype), self._reversed_padding_repeated_twice
        if any(sides):
            with torch.autocast('cpu', enabled=False):
                x = F.pad(x, sides, 'constant' if self.padding_mode == 'zeros' else self.padding_mode)
        weight, bias = (cast(p, dtype) for p in (self.weight, self.bias))
        if is_product:
            return _Product.apply(x, weight, bias, self.stride)
        return _convolved_by_rows(x, weight, bias) if by_rows else F.conv2d(x, weight, bias, self.stride)


class FrozenConv2d(Conv2d):
    """Convolution of a network that nobody trains: the gradient of its input comes by :mod:`toolkit.winograd` where that is faster.

    The weights are brought into half precision and transformed once. Where they need gradients it is :class:`Conv2d`.
    """

    _kept: tuple[tuple, tuple[Tensor | None, ...], list[Tensor]] | None = None
    """A mark of the parameters, what became of them, and they themselves, so that no others take their place in memory."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H', W')."""
        dtype = _half(self, x)
        if dtype is None or not self._takes(x):
            return super().forward(x)
        given = [p for p in (self.weight, self.bias) if p is not None]
        mark = dtype, *((p.data_ptr(), p._version) for p in given)
        if self._kept is None or self._kept[0] != mark:
            weight, bias = (None if p is None else p.detach().to(dtype) for p in (self.weight, self.bias))
            self._kept = mark, (weight, bias, winograd.transformed(self.weight, dtype)), [p.detach() for p in given]
        return _Frozen.apply(x.to(dtype), *self._kept[1])

    def _takes(self, x: Tensor) -> bool:
        """Whether the gradient of such an input is better found so."""
        plain = (self.kernel_size, self.stride, self.padding, self.padding_mode) == ((3, 3), (1, 1), (1, 1), 'zeros')
        if not plain or any(p is not None and p.requires_grad for p in (self.weight, self.bias)):
            return False
        height, width = x.shape[2:]
        even = height % 2 == width % 2 == 0
        return even and min(self.weight.shape[:2]) >= LEAST_CHANNELS and height * width >= LEAST_PLACES


class ConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution that is one matrix product where :class:`Conv2d` is.

    Else its bias is added by itself: the gradient of a bias takes the library's kernel as long as that of the weights.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H', W')."""
        dtype = _half(self, x)
        if dtype is None or output_size is not None:
            return super().forward(x, output_size)
        outside = any(more > p for more, p in zip(self.output_padding, self.padding))
        if outside or not _is_product(self, len(x) * math.prod(x.shape[2:])):
            made = F.conv_transpose2d(x, self.weight, None, self.stride, self.padding, self.output_padding)
            return made if self.bias is None else made + self.bias.to(dtype)[:, None, None]
        made = _TransposedProduct.apply(x.to(dtype), cast(self.weight, dtype), cast(self.bias, dtype), self.stride)
        for axis, (p, more) in enumerate(zip(self.padding, self.output_padding), 2):
            made = made.narrow(axis, p, made.shape[axis] - 2 * p + more)
        return made.contiguous(memory_format=torch.channels_last)


def cast(p: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A parameter in a dtype, see :func:`shared_casts`; None stays None."""
    if p is None or p.dtype is dtype:
        return p
    if _casts is None or not (torch.is_grad_enabled() and p.requires_grad):
        return p.to(dtype)
    if (id(p), dtype) not in _casts:
        _casts[id(p), dtype] = p, p.to(dtype)
    return _casts[id(p), dtype][1]


def _half(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> torch.dtype | None:
    """The half precision in which a layer may be computed in another way, or None."""
    if x.device.type != 'cpu' or torch.compiler.is_compiling() or x.dim() != 4 or x.shape[1] != layer.in_channels:
        return None
    dtype = torch.get_autocast_dtype('cpu') if torch.is_autocast_enabled('cpu') else layer.weight.dtype
    fits = dtype is torch.bfloat16 and layer.groups == 1 and {*layer.dilation} == {1} and is_channels_last(layer.weight)
    return dtype if fits else None


def _is_product(layer: nn.Conv2d | nn.ConvTranspose2d, places: int) -> bool:
    """Whether a layer is one matrix product for so many places."""
    return layer.weight.numel() >= LEAST_WEIGHTS and places <= MOST_PLACES


def _convolved_by_rows(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """(B, I, H, W) with weights (O, I, h, w), without padding -> (B, O, H', W'): each row of weights alone, then sums of h rows.

    The bias is added by itself, as in :class:`ConvTranspose2d`.
    """
    out, _, high, _ = weight.shape
    rows = F.conv2d(x, weight.permute(2, 0, 1, 3).flatten(0, 1)[:, :, None])
    sums = torch.eye(high * out, dtype=weight.dtype).view(high, out, high * out, 1).permute(1, 2, 0, 3)
    made = F.conv2d(rows, sums.contiguous(memory_format=torch.channels_last))
    return made if bias is None else made + bias[:, None, None]


class _Frozen(torch.autograd.Function):
    """(B, I, H, W) with weights (O, I, 3, 3), padding 1, which get no gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, transformed: Tensor) -> Tensor:
        ctx.weights = weight, transformed  # constants: they may come from inference mode, whose tensors autograd does not keep
        return F.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        weight, transformed = ctx.weights
        if torch.is_grad_enabled():  # for a second derivative
            return F.conv_transpose2d(out, weight, padding=1), None, None, None
        return winograd.input_gradient(out, transformed), None, None, None


class _Product(torch.autograd.Function):
    """(B, I, H, W) with weights (O, I, h, w), without padding: windows as rows times weights as columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return _own(_convolved(x, weight, bias, stride))

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), wanted, rows = ctx.saved_tensors, ctx.needs_input_grad, _rows(out)
        of_x = _folded(rows @ _matrix(weight), out.shape, weight, ctx.stride, x.shape[2:]) if wanted[0] else None
        of_weight = _like_weight(weight, rows.t(), _windows(x, weight, ctx.stride)[0]) if wanted[1] else None
        return of_x, of_weight, rows.sum(0) if wanted[2] else None, None


class _TransposedProduct(torch.autograd.Function):
    """(B, I, H, W) with weights (I, O, h, w), without padding: what :class:`_Product` is for gradients, and the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        sizes = [(side - 1) * step + k for side, step, k in zip(x.shape[2:], stride, weight.shape[2:])]
        return _own(_folded(_rows(x) @ _matrix(weight), x.shape, weight, stride, sizes, bias))

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), wanted = ctx.saved_tensors, ctx.needs_input_grad
        of_x = _convolved(out, weight, None, ctx.stride) if wanted[0] else None
        of_weight = _like_weight(weight, _rows(x).t(), _windows(out, weight, ctx.stride)[0]) if wanted[1] else None
        return of_x, of_weight, _rows(out).sum(0) if wanted[2] else None, None


def _own(x: Tensor) -> Tensor:
    """The same memory, but no view of another tensor: layers that work in place may not follow a function that gives one."""
    return x.new_empty(0).set_(x.untyped_storage(), x.storage_offset(), x.shape, x.stride())


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B H W, C)."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _matrix(weight: Tensor) -> Tensor:
    """(A, B, h, w) -> (A, h w B)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _windows(x: Tensor, weight: Tensor, stride: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """(B, C, H, W) -> (B H' W', h w C), what a convolution sees at each place, and (H', W')."""
    windows = x.permute(0, 2, 3, 1).unfold(1, weight.shape[2], stride[0]).unfold(2, weight.shape[3], stride[1])
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2), windows.shape[1:3]


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]) -> Tensor:
    """(B, I, H, W) -> (B, O, H', W')."""
    (rows, places), columns = _windows(x, weight, stride), _matrix(weight).t()
    made = rows @ columns if bias is None else torch.addmm(bias, rows, columns)
    return made.view(len(x), *places, -1).permute(0, 3, 1, 2)


def _folded(rows: Tensor, places: Sequence[int], weight: Tensor, stride: tuple[int, int], sizes: Sequence[int],
            bias: Tensor | None = None) -> Tensor:
    """(B H' W', h w C), for places (B, _, H', W') -> (B, C, *sizes): windows that are laid over each other and added."""
    (batch, _, high, wide), (height, width) = places, weight.shape[2:]
    windows = rows.view(batch, high, wide, height, width, -1)
    made = torch.zeros(batch, *sizes, windows.shape[-1])
    for top in range(height):
        for left in range(width):
            down, across = (slice(first, first + step * (count - 1) + 1, step)
                            for first, step, count in ((top, stride[0], high), (left, stride[1], wide)))
            made[:, down, across] += windows[:, :, :, top, left]
    made = made if bias is None else made + bias
    return made.to(rows.dtype).permute(0, 3, 1, 2)


def _like_weight(weight: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a @ b as the gradient of a weight, and not as a view, so that torch adds others to it in place."""
    if torch.is_grad_enabled():
        return (a @ b).view(weight.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
    made = torch.empty_like(weight)
    torch.mm(a, b, out=made.permute(0, 2, 3, 1).flatten(1))
    return made
