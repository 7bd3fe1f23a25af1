"""The coarse-to-fine generator of pix2pixHD, with a latent code. Source: Wang et al. 2018, section 3.1."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from toolkit.generators.blocks import Down, Head, ResidualBlock, Stem, Up, check_counts, check_input, init_normal, pyramid
from toolkit.generators.injection import CodeInjection
from toolkit.generators.pix2pixhd import GlobalTrunk
from toolkit.registry import GENERATORS


class Enhancer(nn.Module):
    """One refinement: halve the fine input, add the coarser features, residual blocks, one up-convolution.

    Args:
        in_channels: channels of the input, tiled code included.
        ngf: channels of the output; the coarser features have twice as many.
        n_blocks: number of residual blocks.
        norm: see :func:`toolkit.generators.blocks.make_norm`.
        up: see :class:`toolkit.generators.blocks.Up`.
        down_padding: border of the strided convolution, 'zeros' (as published) or 'reflect'.
        injection: how z enters.
        checkpoint: in training, compute the inside of the residual blocks again in the backward pass instead of keeping it.
        last: the head follows, and no other enhancer.
    """

    def __init__(self, in_channels: int, ngf: int, n_blocks: int, norm: str, up: str, down_padding: str, injection: CodeInjection,
                 checkpoint: bool = False, last: bool = True):
        super().__init__()
        self.checkpoint = checkpoint
        self.stem = Stem(in_channels, ngf, injection.stem_norm(norm))
        self.down = Down(ngf, 2 * ngf, norm, down_padding)
        self.blocks = nn.ModuleList(ResidualBlock(2 * ngf, norm, injection.block_film) for _ in range(n_blocks))
        self.up = Up(2 * ngf, ngf, norm, up, injection.last_film if last else injection.up_film)

    def forward(self, x: Tensor, coarse: Tensor, z: Tensor | None, gates: Sequence[Tensor | None]) -> Tensor:
        """Refine.

        Args:
            x: (B, C, H, W) input maps, tiled code included.
            coarse: (B, 2 ngf, H/2, W/2) features of the coarser stage.
            z: (B, D) latent code, or None.
            gates: two region maps, (B, R, H, W) and (B, R, H/2, W/2), or twice None.

        Returns:
            (B, ngf, H, W), not negative.
        """
        h = self.down(self.stem(x)) + coarse
        for block in self.blocks:
            if self.checkpoint and self.training:
                # nothing in a block is random, and a random state cannot be set while a step is recorded
                h = recompute(block, h, z, gates[1], use_reentrant=False, preserve_rng_state=False)
            else:
                h = block(h, z, gates[1])
        return self.up(h, z, gates[0])


@GENERATORS.register_module()
class LocalEnhancer(nn.Module):
    """pix2pixHD's coarse-to-fine generator: a global generator on the halved input, and enhancers that double its size.

    The same input feeds every scale. 182,833,539 parameters at 7 channels, a tiled code of 24 and the defaults.

    Args:
        input_nc: channels of the input, without those that a tiling mode of z adds inside.
        output_nc: channels of the picture.
        ngf: channels of the finest enhancer; the trunk starts with ngf * 2**n_enhancers.
        n_down: number of halvings in the trunk.
        n_blocks: number of residual blocks in the trunk.
        n_enhancers: number of enhancers, each doubles the trunk's size.
        n_local_blocks: number of residual blocks in each enhancer.
        norm: 'instance', 'batch', 'group1' or 'none'.
        z_dims: length of each body region's code, (z_up, z_down); (0, 0) is a generator without z.
        z_injection: see :mod:`toolkit.generators.injection`; acts in the trunk and in the enhancers alike.
        up: 'transposed' or 'nearest', see :class:`toolkit.generators.blocks.Up`.
        down_padding: border of the strided convolutions, 'zeros' (as published) or 'reflect'.
        checkpoint: keep less for the backward pass and compute the residual blocks twice. With a code of 24 at 384 x 256 it keeps 164
            instead of 274 MiB a picture in float32.

    Raises:
        InputError: unknown option, or a code that no layer looks at.
    """

    def __init__(self, input_nc: int, output_nc: int = 3, ngf: int = 32, n_down: int = 4, n_blocks: int = 9, n_enhancers: int = 1,
                 n_local_blocks: int = 3, norm: str = 'instance', z_dims: Sequence[int] = (0, 0), z_injection: str = 'region_rgb',
                 up: str = 'transposed', down_padding: str = 'zeros', checkpoint: bool = False):
        super().__init__()
        check_counts(n_down=n_down, n_blocks=n_blocks, n_enhancers=n_enhancers, n_local_blocks=n_local_blocks)
        self.input_nc = input_nc
        self.n_down = n_down
        self.n_enhancers = n_enhancers
        self.multiple = 2**(n_down + n_enhancers)
        self.injection = CodeInjection(z_injection, z_dims)
        in_channels = input_nc + self.injection.input_channels
        self.trunk = GlobalTrunk(
            in_channels, ngf * 2**n_enhancers, n_down, n_blocks, norm, up, down_padding, self.injection, checkpoint,
            last=n_enhancers == 0)
        self.enhancers = nn.ModuleList(
            Enhancer(in_channels, ngf * 2**level, n_local_blocks, norm, up, down_padding, self.injection, checkpoint, last=level == 0)
            for level in reversed(range(n_enhancers)))
        self.head = Head(ngf, output_nc, self.injection.rgb(ngf, output_nc))
        self.injection.check_heard(self)
        init_normal(self)

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture (B, output_nc, H, W) in [-1, 1]; called as :mod:`toolkit.generators` says.

        Raises:
            InputError: H and W are no multiples of 2**(n_down + n_enhancers) of at least twice that (the message names the nearest that
                fit), or z or regions missing or not wanted; 'film', 'stem_nonorm' and 'tile' need no regions.
        """
        check_input(x, self.input_nc, self.multiple)
        x, gates = self.injection.inject(x, z, regions, self.n_down + self.n_enhancers)
        *finer, coarsest = pyramid(x, self.n_enhancers)
        h = self.trunk(coarsest, z, gates[self.n_enhancers:])
        for level, enhancer in zip(reversed(range(self.n_enhancers)), self.enhancers):
            h = enhancer(finer[level], h, z, gates[level:level + 2])
        return self.head(h, z, gates[0])
