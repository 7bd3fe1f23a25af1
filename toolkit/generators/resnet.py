"""The residual generator of CycleGAN. Source: Zhu et al. 2017, Unpaired Image-to-Image Translation, section 4, after Johnson et al."""

import torch
from torch import Tensor, nn

from toolkit.generators.blocks import Down, Head, ResidualBlock, Stem, Up, check_counts, check_input, init_normal
from toolkit.registry import GENERATORS
from toolkit.structures import InputError


@GENERATORS.register_module()
class ResNetGenerator(nn.Module):
    """Stem, two strided convolutions, residual blocks, two up-convolutions, head with tanh.

    11,378,179 parameters with 9 blocks (pictures of 256 pixels and more), 7,837,699 with 6 (128 pixels), for 3 -> 3 channels;
    11,396,995 with 9 blocks and 9 input channels. Weights start from N(0, 0.02) and biases from 0.

    Args:
        input_nc: channels of the input.
        output_nc: channels of the output.
        ngf: channels after the first convolution; each halving of the size doubles them.
        n_down: number of halvings.
        n_blocks: number of residual blocks.
        norm: 'instance' (no affine, no running statistics), 'batch', 'group1' or 'none'.
        up: 'transposed' or 'nearest', see :class:`toolkit.generators.blocks.Up`.

    Raises:
        InputError: unknown option.
    """

    def __init__(self, input_nc: int, output_nc: int = 3, ngf: int = 64, n_down: int = 2, n_blocks: int = 9, norm: str = 'instance',
                 up: str = 'transposed'):
        super().__init__()
        check_counts(n_down=n_down, n_blocks=n_blocks)
        self.input_nc = input_nc
        self.multiple = 2**n_down
        channels = [ngf * 2**level for level in range(n_down + 1)]
        self.stem = Stem(input_nc, ngf, norm)
        self.downs = nn.Sequential(*(Down(channels[i], channels[i + 1], norm) for i in range(n_down)))
        self.blocks = nn.Sequential(*(ResidualBlock(channels[-1], norm) for _ in range(n_blocks)))
        self.ups = nn.Sequential(*(Up(channels[i + 1], channels[i], norm, up) for i in reversed(range(n_down))))
        self.head = Head(ngf, output_nc)
        init_normal(self)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                    layer.bias.zero_()

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture (B, output_nc, H, W) in [-1, 1] from x alone; called as :mod:`toolkit.generators` says.

        Raises:
            InputError: H and W are no multiples of 2**n_down of at least twice that (the message names what fits); or a code.
        """
        if z is not None:
            raise InputError('ResNetGenerator without a code got one')
        check_input(x, self.input_nc, self.multiple)
        return self.head(self.ups(self.blocks(self.downs(self.stem(x)))))
