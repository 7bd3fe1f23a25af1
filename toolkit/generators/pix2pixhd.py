"""The global generator of pix2pixHD, with a latent code. Source: Wang et al. 2018, High-Resolution Image Synthesis, section 3."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from toolkit.generators.blocks import Down, Head, ResidualBlock, Stem, Up, check_counts, check_input, init_normal
from toolkit.generators.injection import CodeInjection
from toolkit.registry import GENERATORS


class GlobalTrunk(nn.Module):
    """Stem, strided convolutions, residual blocks, up-convolutions: everything of the global generator but its head.

    Args:
        in_channels: channels of the input, tiled code included.
        ngf: channels of the stem and of the output; each halving of the size doubles them.
        n_down: number of halvings.
        n_blocks: number of residual blocks at the smallest size.
        norm: see :func:`toolkit.generators.blocks.make_norm`.
        up: see :class:`toolkit.generators.blocks.Up`.
        down_padding: border of the strided convolutions, 'zeros' (as published) or 'reflect'.
        injection: how z enters.
        checkpoint: in training, compute the inside of the residual blocks again in the backward pass instead of keeping it.
        last: the head follows, and no enhancer.
    """

    def __init__(self, in_channels: int, ngf: int, n_down: int, n_blocks: int, norm: str, up: str, down_padding: str,
                 injection: CodeInjection, checkpoint: bool = False, last: bool = True):
        super().__init__()
        self.checkpoint = checkpoint
        channels = [ngf * 2**level for level in range(n_down + 1)]
        self.stem = Stem(in_channels, ngf, injection.stem_norm(norm))
        self.downs = nn.Sequential(*(Down(channels[i], channels[i + 1], norm, down_padding) for i in range(n_down)))
        self.blocks = nn.ModuleList(ResidualBlock(channels[-1], norm, injection.block_film) for _ in range(n_blocks))
        self.ups = nn.ModuleList(
            Up(channels[i + 1], channels[i], norm, up, injection.last_film if last and i == 0 else injection.up_film)
            for i in reversed(range(n_down)))

    def forward(self, x: Tensor, z: Tensor | None, gates: Sequence[Tensor | None]) -> Tensor:
        """Compute the feature maps that a head turns into a picture.

        Args:
            x: (B, C, H, W) input maps, tiled code included.
            z: (B, D) latent code, or None.
            gates: region maps (B, R, H / 2**l, W / 2**l) for each level l = 0..n_down, or as many times None.

        Returns:
            (B, ngf, H, W), not negative.
        """
        h = self.downs(self.stem(x))
        for block in self.blocks:
            if self.checkpoint and self.training:
                # nothing in a block is random, and a random state cannot be set while a step is recorded
                h = recompute(block, h, z, gates[-1], use_reentrant=False, preserve_rng_state=False)
            else:
                h = block(h, z, gates[-1])
        for up, gate in zip(self.ups, reversed(gates[:-1])):
            h = up(h, z, gate)
        return h


@GENERATORS.register_module()
class GlobalGenerator(nn.Module):
    """pix2pixHD's global generator.

    7x7 convolution, ``n_down`` strided 3x3 convolutions, ``n_blocks`` residual blocks, ``n_down`` up-convolutions, 7x7 convolution,
    tanh. 182,443,267 parameters at input_nc=3 and the defaults; 182,531,075 at 7 channels and a tiled code of 24.

    Args:
        input_nc: channels of the input, without those that a tiling mode of z adds inside.
        output_nc: channels of the picture.
        ngf: channels after the first convolution.
        n_down: number of halvings.
        n_blocks: number of residual blocks.
        norm: 'instance', 'batch', 'group1' or 'none'.
        z_dims: length of each body region's code, (z_up, z_down); (0, 0) is a generator without z.
        z_injection: see :mod:`toolkit.generators.injection`.
        up: 'transposed' or 'nearest', see :class:`toolkit.generators.blocks.Up`.
        down_padding: border of the strided convolutions, 'zeros' (as published) or 'reflect'.
        checkpoint: keep less for the backward pass and compute the residual blocks twice. With a code of 24 at 384 x 256 it keeps 251
            instead of 324 MiB a picture in float32.

    Raises:
        InputError: unknown option, or a code that no layer looks at.
    """

    def __init__(self, input_nc: int, output_nc: int = 3, ngf: int = 64, n_down: int = 4, n_blocks: int = 9, norm: str = 'instance',
                 z_dims: Sequence[int] = (0, 0), z_injection: str = 'region_rgb', up: str = 'transposed', down_padding: str = 'zeros',
                 checkpoint: bool = False):
        super().__init__()
        check_counts(n_down=n_down, n_blocks=n_blocks)
        self.input_nc = input_nc
        self.n_down = n_down
        self.multiple = 2**n_down
        self.injection = CodeInjection(z_injection, z_dims)
        self.trunk = GlobalTrunk(
            input_nc + self.injection.input_channels, ngf, n_down, n_blocks, norm, up, down_padding, self.injection, checkpoint)
        self.head = Head(ngf, output_nc, self.injection.rgb(ngf, output_nc))
        self.injection.check_heard(self)
        init_normal(self)

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture (B, output_nc, H, W) in [-1, 1]; called as :mod:`toolkit.generators` says.

        Raises:
            InputError: H and W are no multiples of 2**n_down of at least twice that (the message names the nearest that
                fit), or z or regions missing or not wanted; 'film', 'stem_nonorm' and 'tile' need no regions.
        """
        check_input(x, self.input_nc, self.multiple)
        x, gates = self.injection.inject(x, z, regions, self.n_down)
        return self.head(self.trunk(x, z, gates), z, gates[0])
