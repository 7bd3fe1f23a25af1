"""A small and fast generator, most of which works at half the size: for students, see :mod:`toolkit.distillation`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.blocks import Down, ResidualBlock, Up, check_counts, check_input, init_normal, make_norm
from toolkit.registry import GENERATORS
from toolkit.structures import InputError


@GENERATORS.register_module()
class CompactGenerator(nn.Module):
    """Four pixels become one of four times the channels; 3x3 convolution, strided convolutions, residual blocks, up-convolutions; the
    way back to pixels, 3x3 convolution, tanh.

    Where the global generator of pix2pixHD has 7x7 convolutions and norms over maps of the picture's size, which take most of the time
    of a small network, this one has 3x3 convolutions, and norms at half the size and below. 799,902 parameters at input_nc=14,
    output_nc=6 and the defaults.

    Args:
        input_nc: channels of the input.
        output_nc: channels of the output.
        ngf: channels at half the size; each further halving doubles them.
        n_down: number of halvings after the first.
        n_blocks: number of residual blocks.
        last: channels at the picture's size, before the last convolution.
        norm: 'instance' (no affine, no running statistics), 'batch', 'group1' or 'none'.
        up: 'transposed' or 'nearest', see :class:`toolkit.generators.blocks.Up`.

    Raises:
        InputError: unknown option.
    """

    def __init__(self, input_nc: int, output_nc: int = 3, ngf: int = 16, n_down: int = 3, n_blocks: int = 2, last: int = 12,
                 norm: str = 'instance', up: str = 'nearest'):
        super().__init__()
        check_counts(n_down=n_down, n_blocks=n_blocks)
        self.input_nc = input_nc
        self.multiple = 2**(n_down + 1)
        channels = [ngf * 2**level for level in range(n_down + 1)]
        self.stem = nn.Sequential(
            nn.Conv2d(4 * input_nc, ngf, 3, padding=1, padding_mode='reflect'), make_norm(norm, ngf), nn.ReLU(True))
        self.downs = nn.Sequential(*(Down(channels[i], channels[i + 1], norm) for i in range(n_down)))
        self.blocks = nn.Sequential(*(ResidualBlock(channels[-1], norm) for _ in range(n_blocks)))
        self.ups = nn.ModuleList(Up(channels[i + 1], channels[i], norm, up) for i in reversed(range(n_down)))
        self.spread = nn.Conv2d(ngf, 4 * last, 3, padding=1, padding_mode='reflect')
        self.head = nn.Conv2d(last, output_nc, 3, padding=1, padding_mode='reflect')
        init_normal(self)

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture (B, output_nc, H, W) in [-1, 1] from x alone; called as :mod:`toolkit.generators` says.

        Raises:
            InputError: H and W are no multiples of 2**(n_down + 1) of at least twice that (the message names what fits); or a code.
        """
        if z is not None:
            raise InputError('CompactGenerator paints without a code, but got one: take a GlobalGenerator')
        check_input(x, self.input_nc, self.multiple)
        maps = [self.stem(F.pixel_unshuffle(x, 2))]
        for down in self.downs:
            maps.append(down(maps[-1]))
        h = self.blocks(maps[-1])
        for up, skip in zip(self.ups, reversed(maps[:-1])):
            h = up(h) + skip
        return torch.tanh(self.head(F.relu(F.pixel_shuffle(self.spread(h), 2), inplace=True)))
