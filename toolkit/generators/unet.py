"""U-Net with a latent code. Sources: Isola et al. 2017, pix2pix; Zhu et al. 2017, Toward multimodal image-to-image translation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.generators.blocks import make_norm
from toolkit.generators.init import init_xavier
from toolkit.registry import GENERATORS
from toolkit.structures import InputError

INJECTIONS = ('all', 'input')
UPS = ('transposed', 'bilinear')


@GENERATORS.register_module()
class UNet(nn.Module):
    """BicycleGAN's generator: strided convolutions down to a bottleneck, up-convolutions, skips between maps of equal size.

    A level halves the size: [LeakyReLU 0.2] - 4x4 convolution of stride 2 - [norm], and doubles it again: ReLU - 4x4 transposed
    convolution - norm - [dropout]; what goes in on a level is put behind what comes out of it. Channels 64, 128, 256, 512, 512, ...
    There is no activation before and no norm after the first convolution, no norm after the innermost one, and tanh instead of norm
    after the last. The code is tiled to maps and put behind the input of every convolution on the way down, or behind the picture
    alone. Zero borders and the lack of a norm at the picture let it through, unlike a tiled code in pix2pixHD
    (:mod:`toolkit.generators.injection`).

    Parameters for 4 channels in, 3 out and the defaults; "U-128" of BicycleGAN is ``n_down=7``, "U-256" is ``n_down=8``:

    ================== ========== ========== ==========
    \\                  z 8        z 16       z 24
    ================== ========== ========== ==========
    U-128, ``'all'``   42,146,179 42,465,667 42,785,155
    U-256, ``'all'``   54,795,651 55,180,675 55,565,699
    U-128, ``'input'`` 41,834,883 41,843,075 41,851,267
    U-256, ``'input'`` 54,418,819 54,427,011 54,435,203
    ================== ========== ========== ==========

    Args:
        input_nc: channels of the input, without the code.
        output_nc: channels of the picture.
        n_down: number of halvings, at least 2. 384 x 256 pixels take 7 at most: at 8 the height of the bottleneck would be 1.5.
        ngf: channels after the first convolution.
        z_dims: length of each body region's code; one code of all is tiled, wherever the regions are. (0,) is a generator without.
        z_injection: ``'all'`` levels or the ``'input'`` alone.
        norm: see :func:`toolkit.generators.blocks.make_norm`.
        dropout: half of the maps are dropped after the innermost but one up-convolutions of 512 channels, as in pix2pix.
        up: 'transposed', or 'bilinear': enlarge, then a 3x3 convolution on a reflected border.

    Raises:
        InputError: unknown option.
    """

    def __init__(self, input_nc: int, output_nc: int = 3, n_down: int = 7, ngf: int = 64, z_dims: Sequence[int] = (0,),
                 z_injection: str = 'all', norm: str = 'instance', dropout: bool = False, up: str = 'transposed'):
        super().__init__()
        if z_injection not in INJECTIONS:
            raise InputError(f'z_injection={z_injection!r} of UNet is unknown, expected one of {", ".join(INJECTIONS)}')
        if up not in UPS:
            raise InputError(f'up={up!r} of UNet is unknown, expected one of {", ".join(UPS)}')
        if n_down < 2:
            raise InputError(f'n_down={n_down}, a UNet needs at least 2')
        if any(d < 0 for d in z_dims):
            raise InputError(f'z_dims={tuple(z_dims)} must not be negative')
        self.input_nc, self.n_down, self.nz = input_nc, n_down, sum(z_dims)
        self.z_levels = n_down if z_injection == 'all' else 1
        channels = [ngf * min(2**level, 8) for level in range(n_down)]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (outer, inner) in enumerate(zip([input_nc, *channels], channels)):
            innermost = level == n_down - 1
            layer = [nn.LeakyReLU(0.2)] if level else []
            layer.append(nn.Conv2d(outer + (self.nz if level < self.z_levels else 0), inner, 4, 2, 1))
            if level and not innermost:
                layer.append(make_norm(norm, inner))
            self.downs.append(nn.Sequential(*layer))
            layer = [nn.ReLU(), *_enlarge(inner if innermost else 2 * inner, outer if level else output_nc, up)]
            layer.append(make_norm(norm, outer) if level else nn.Tanh())
            if dropout and not innermost and level > 3:
                layer.append(nn.Dropout(0.5))
            self.ups.append(nn.Sequential(*layer))
        init_xavier(self)

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture (B, output_nc, H, W) in [-1, 1]; called as :mod:`toolkit.generators` says, regions are not used.

        Raises:
            InputError: H and W are no multiples of 2**n_down, or a code that is missing or of another length.
        """
        self._check(x, z)
        skips = []
        for level, down in enumerate(self.downs):
            skips.append(x)
            x = down(x if z is None or level >= self.z_levels else _with_code(x, z))
        for level in reversed(range(self.n_down)):
            x = self.ups[level](x)
            if level:
                x = torch.cat([x, skips[level]], 1)
        return x

    def _check(self, x: Tensor, z: Tensor | None) -> None:
        if x.ndim != 4 or x.shape[1] != self.input_nc:
            raise InputError(f'input of shape {tuple(x.shape)}, expected (B, {self.input_nc}, H, W)')
        multiple, (height, width) = 2**self.n_down, x.shape[-2:]
        if height % multiple or width % multiple:
            most = min((size & -size).bit_length() - 1 for size in (height, width))
            cure = f'generator.n_down={most} fits; or resize the clips' if most >= 2 else 'resize the clips'
            raise InputError(f'input of {height} x {width} pixels (height x width): UNet with n_down={self.n_down} needs multiples of '
                             f'{multiple}; {cure}')
        if (z is None) != (self.nz == 0):
            raise InputError('UNet without a code got one' if z is not None else f'UNet needs a code of length {self.nz}')
        if z is not None and z.shape != (len(x), self.nz):
            raise InputError(f'code of shape {tuple(z.shape)}, expected ({len(x)}, {self.nz})')


def _with_code(x: Tensor, z: Tensor) -> Tensor:
    return torch.cat([x, z[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[-2:])], 1)


def _enlarge(in_channels: int, out_channels: int, up: str) -> list[nn.Module]:
    if up == 'transposed':
        return [nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1)]
    return [nn.Upsample(scale_factor=2, mode='bilinear'), nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode='reflect')]
