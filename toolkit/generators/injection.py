"""How a latent code z enters a convolutional generator.

z is a concatenation of one code per body region, [z_up, z_down] by convention, and every region has a map in [0, 1] of where it is.

=============== ======================================================================================== ============ =================
mode            what happens                                                                             needs        acts on the output
=============== ======================================================================================== ============ =================
``region_rgb``  each region's code makes a linear map from the last maps to RGB, added inside its region  z, regions   yes, only there
``last_film``   scale and shift maps, each region's code inside its region, after the last norm of all   z, regions   yes, close by
``region_film`` the same in the residual blocks and after every up-convolution                           z, regions   yes, spreads
``film``        one scale and shift per channel after both norms of every residual block                 z            yes
``stem_nonorm`` z tiled to maps and concatenated to the input, no norm after the first convolution       z            yes, learns slowly
``masked_tile`` like ``tile``, each region's code multiplied by its region                               z, regions   yes, leaks
``tile``        z tiled to maps and concatenated to the input, as published                              z            **no**
=============== ======================================================================================== ============ =================

An instance norm behind a modulated layer spreads the code over the whole picture, because it divides by statistics of all of it.
``last_film`` modulates only the maps that the last convolution paints from: a code then cannot reach farther than that convolution,
3 pixels, which in a small picture is half a hand. ``region_rgb`` adds pixel by pixel: outside of its region a code does nothing at all.

``tile`` is dead: a constant input map adds a constant to every map of the first convolution, and the instance norm behind it subtracts
the mean of each map. It is kept for the record.

Sources: Perez et al. 2018, FiLM; Park et al. 2019, SPADE (scale and shift that vary over the picture); Jia et al. 2016, Dynamic Filter
Networks (weights of a convolution that are computed from a code).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.structures import InputError

MODES = ('region_rgb', 'last_film', 'region_film', 'film', 'stem_nonorm', 'masked_tile', 'tile')
NEED_REGIONS = ('region_rgb', 'last_film', 'region_film', 'masked_tile')
TILING = ('stem_nonorm', 'masked_tile', 'tile')
FILM_STD = 0.02
HIDDEN = 64

AUTOCAST = [device for device in ('cpu', 'cuda', 'mps', 'xpu') if torch.amp.is_autocast_available(device)]
"""Kinds of devices with half precision by autocast; asked here because a traced network cannot ask before torch 2.12."""


class NoModulation(nn.Module):
    """The place of a :class:`FiLM` in a network without one: returns the maps as they are."""

    def forward(self, h: Tensor, z: Tensor | None, gates: Tensor | None) -> Tensor:
        """Return ``h``."""
        return h


class FiLM(nn.Module):
    """h -> (1 + scale) h + shift, with scale and shift linear in z, the same at every pixel.

    Weights start as N(0, 0.02) and biases as zero, so that the network starts near to the one without z and is exactly it at z = 0.

    Args:
        channels: C of the maps.
        z_dims: lengths of the codes that make up z.
    """

    def __init__(self, channels: int, z_dims: Sequence[int]):
        super().__init__()
        self.linear = _small_linear(sum(z_dims), 2 * channels)

    def forward(self, h: Tensor, z: Tensor, gates: Tensor | None) -> Tensor:
        """Modulate maps (B, C, H, W) by z (B, D), D = sum(z_dims); gates are not used."""
        scale, shift = self.linear(z)[:, :, None, None].to(h.dtype).chunk(2, 1)
        return h * (1 + scale) + shift


class RegionFiLM(nn.Module):
    """h -> (1 + scale) h + shift, where scale and shift are sums over regions of (region map) x (linear in that region's code).

    Starts like :class:`FiLM`. Where no region is, h passes unchanged.

    Args:
        channels: C of the maps.
        z_dims: length of each region's code; a region of length 0 has no say.
        hidden: units of a hidden layer (ReLU) before the linear one; 0 for none. A layer that is alone needs it: color is not
            linear in the code.
    """

    def __init__(self, channels: int, z_dims: Sequence[int], hidden: int = 0):
        super().__init__()
        self.z_dims = tuple(z_dims)
        self.used = [i for i, d in enumerate(z_dims) if d]

        def affine(d: int) -> nn.Module:
            return _small_linear(d, 2 * channels) if not hidden else _small_perceptron(d, hidden, 2 * channels)

        self.linears = nn.ModuleList(affine(d) if d else nn.Identity() for d in z_dims)

    def forward(self, h: Tensor, z: Tensor, gates: Tensor) -> Tensor:
        """Modulate maps (B, C, H, W) by z (B, D), the regions' codes one after the other, where the gates (B, R, H, W) say, in [0, 1].
        """
        codes = z.split(self.z_dims, 1)
        affine = torch.stack([self.linears[i](codes[i]) for i in self.used], 2).float()
        maps = torch.stack([gates[:, i] for i in self.used], 1).float().flatten(2)
        # In float32: the gradient of this product in bfloat16 ends the process on CPUs with AMX at (1, 16, 384 * 256), torch 2.15.
        with _no_autocast(h.device.type):
            scale, shift = ((weights @ maps).unflatten(2, h.shape[-2:]).to(h.dtype) for weights in affine.chunk(2, 1))
        return h * (1 + scale) + shift


class RegionRGB(nn.Module):
    """The sum over regions of (region map) x (linear map of the maps h, whose weights are computed from that region's code).

    A two-layer perceptron for each region computes the weights of a 1x1 convolution. Its last layer starts as N(0, 0.02) and zero
    biases, so that codes have little to say at first.

    Args:
        channels: C of the maps.
        output_nc: channels of the picture.
        z_dims: length of each region's code; a region of length 0 has no say.
        hidden: units of the hidden layer.
    """

    def __init__(self, channels: int, output_nc: int, z_dims: Sequence[int], hidden: int = HIDDEN):
        super().__init__()
        self.output_nc, self.z_dims = output_nc, tuple(z_dims)
        self.weights = nn.ModuleList(
            _small_perceptron(d, hidden, output_nc * (channels + 1)) if d else nn.Identity() for d in z_dims)

    def forward(self, h: Tensor, z: Tensor, gates: Tensor) -> Tensor:
        """What is added to the picture, (B, output_nc, H, W) float32; arguments as of :meth:`RegionFiLM.forward`."""
        codes = z.split(self.z_dims, 1)
        with _no_autocast(h.device.type):
            maps = F.pad(h.float().flatten(2), (0, 0, 0, 1), value=1.0)
            total = 0
            for i, d in enumerate(self.z_dims):
                if d:
                    weights = self.weights[i](codes[i].float()).unflatten(1, (self.output_nc, -1))
                    total = total + (weights @ maps).unflatten(2, h.shape[-2:]) * gates[:, i:i + 1].float()
        return total


class CodeInjection:
    """One injection mode, and what it asks of a generator: more input channels, a stem without norm, FiLM layers.

    Args:
        mode: one of :data:`MODES`.
        z_dims: length of each region's code; all zero means that the generator has no z, whatever the mode.

    Raises:
        InputError: unknown mode or negative length.
    """

    def __init__(self, mode: str, z_dims: Sequence[int]):
        if mode not in MODES:
            raise InputError(f'z_injection={mode!r} is unknown, expected one of {", ".join(MODES)}')
        if any(d < 0 for d in z_dims):
            raise InputError(f'z_dims={tuple(z_dims)} must not be negative')
        self.mode = mode
        self.z_dims = tuple(z_dims)
        self.z_dim = sum(z_dims)

    @property
    def input_channels(self) -> int:
        """Channels that :meth:`inject` adds to the input."""
        return self.z_dim if self.mode in TILING else 0

    def stem_norm(self, norm: str) -> str:
        """Norm to put after a first convolution, given the generator's norm."""
        return 'none' if self.z_dim and self.mode == 'stem_nonorm' else norm

    @property
    def block_film(self) -> Callable[[int], nn.Module]:
        """Maker of the layer after each norm of a residual block, called with the number of channels."""
        return self._film(('region_film', 'film'))

    @property
    def up_film(self) -> Callable[[int], nn.Module]:
        """Maker of the layer after the norm of an up-convolution, called with the number of channels."""
        return self._film(('region_film',))

    @property
    def last_film(self) -> Callable[[int], nn.Module]:
        """The same for the up-convolution that the head follows."""
        return self._film(('last_film', 'region_film'))

    def rgb(self, channels: int, output_nc: int) -> nn.Module | None:
        """What the head adds to a picture, the first three of its ``output_nc`` channels, or None."""
        return RegionRGB(channels, min(output_nc, 3), self.z_dims) if self.z_dim and self.mode == 'region_rgb' else None

    def check_heard(self, network: nn.Module) -> None:
        """See that a network has a layer that looks at z: with few blocks and halvings there may be none.

        Raises:
            InputError: it has none.
        """
        if self.z_dim and self.mode not in TILING and not any(isinstance(m, (FiLM, RegionFiLM, RegionRGB)) for m in network.modules()):
            place = 'residual blocks (n_blocks)' if self.mode == 'film' else 'the last up-convolution (n_down)'
            raise InputError(f'z_injection={self.mode!r} lets the code act in {place}, but this {type(network).__name__} has none: '
                             f'take more, or another z_injection')

    def inject(self, x: Tensor, z: Tensor | None, regions: Tensor | None, levels: int) -> tuple[Tensor, list[Tensor | None]]:
        """Check z and regions, concatenate z to the input where the mode does so, and shrink the regions for the FiLM layers.

        Args:
            x: (B, C, H, W) input maps, H and W multiples of 2**levels.
            z: (B, D), or None for a generator without z.
            regions: (B, R, H, W) in [0, 1]; may be None, and is not looked at, in a mode that does not need them.
            levels: number of halvings in the generator.

        Returns:
            The generator's input (B, C + :attr:`input_channels`, H, W), and for each level l = 0..levels the regions averaged over
            blocks of 2**l pixels, (B, R, H / 2**l, W / 2**l), or None where no layer needs them.

        Raises:
            InputError: z or regions missing, not wanted or of another shape than expected.
        """
        gates: list[Tensor | None] = [None] * (levels + 1)
        self._check_code(x, z)
        if not self.z_dim:
            return x, gates
        if self.mode in NEED_REGIONS:
            self._check_regions(x, regions)
        if self.mode in TILING:
            tiled = z[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[-2:])
            if self.mode == 'masked_tile':
                tiled = tiled * torch.cat([regions[:, i:i + 1].expand(-1, d, -1, -1) for i, d in enumerate(self.z_dims)], 1)
            x = torch.cat([x, tiled], 1)
        elif self.mode in ('region_rgb', 'last_film', 'region_film'):
            gates = [regions]
            for _ in range(levels):
                gates.append(F.avg_pool2d(gates[-1], 2))
        return x, gates

    def _film(self, modes: Sequence[str]) -> Callable[[int], nn.Module]:
        if not self.z_dim or self.mode not in modes:
            return lambda channels: NoModulation()
        if self.mode == 'film':
            return lambda channels: FiLM(channels, self.z_dims)
        return lambda channels: RegionFiLM(channels, self.z_dims, HIDDEN if self.mode == 'last_film' else 0)

    def _check_code(self, x: Tensor, z: Tensor | None) -> None:
        if z is None:
            if self.z_dim:
                raise InputError(f'the generator has z_dims={self.z_dims}: give z of shape ({x.shape[0]}, {self.z_dim})')
        elif not self.z_dim:
            raise InputError(f'z of shape {tuple(z.shape)} given to a generator without a code: build it with z_dims, or give z=None')
        elif z.shape != (x.shape[0], self.z_dim):
            raise InputError(f'z has shape {tuple(z.shape)}, expected ({x.shape[0]}, {self.z_dim}): of z_dims={self.z_dims}')

    def _check_regions(self, x: Tensor, regions: Tensor | None) -> None:
        expected = (x.shape[0], len(self.z_dims), *x.shape[-2:])
        if regions is None:
            raise InputError(f'z_injection={self.mode!r} needs regions of shape {expected} in [0, 1]; modes without: '
                             f'{", ".join(m for m in MODES if m not in NEED_REGIONS)}')
        if regions.shape != expected:
            raise InputError(f'regions have shape {tuple(regions.shape)}, expected {expected}: one map for each entry of z_dims')


def _no_autocast(device: str) -> AbstractContextManager:
    return torch.autocast(device, enabled=False) if device in AUTOCAST else nullcontext()


def _small_linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, 0, FILM_STD)
    nn.init.zeros_(linear.bias)
    return linear


def _small_perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    first = nn.Linear(inputs, hidden)
    nn.init.kaiming_normal_(first.weight)
    nn.init.zeros_(first.bias)
    return nn.Sequential(first, nn.ReLU(), _small_linear(hidden, outputs))
