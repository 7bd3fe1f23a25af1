"""The networks of PG2: U-Nets of residual blocks, one with a bottleneck that sees everything. Source: Ma et al. 2017, section 3."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.blocks import check_counts, check_input
from toolkit.generators.init import init_xavier


class Residual(nn.Module):
    """x + relu(conv(relu(conv(x)))), 3x3 convolutions without norm: (B, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        return x + F.relu(self.second(F.relu(self.first(x))))


class PersonUNet(nn.Module):
    """Blocks of two convolutions and one of stride 2, whose channels grow by ``ngf`` each; skips between maps of equal size.

    Args:
        input_nc: channels of the input.
        ngf: channels after the first convolution.
        n_down: number of halvings.
        code: length of the fully connected bottleneck between encoder and decoder; 0 for none.
        grid: places, rows and columns, that the bottleneck sees; 384 x 256 pixels have just these after 6 halvings, other sizes are
            averaged.
    """

    def __init__(self, input_nc: int, ngf: int = 64, n_down: int = 6, code: int = 64, grid: Sequence[int] = (6, 4)) -> None:
        super().__init__()
        check_counts(n_down=n_down, code=code)
        channels = [ngf * (level + 1) for level in range(n_down + 1)]
        self.input_nc, self.multiple, self.grid = input_nc, 2**n_down, tuple(grid)
        self.stem = nn.Conv2d(input_nc, ngf, 3, padding=1)
        self.blocks = nn.ModuleList(Residual(width) for width in channels)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(channels, channels[1:]))
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in zip(channels, channels[1:]))
        self.joins = nn.ModuleList(nn.Sequential(nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), Residual(width))
                                   for width in channels[:-1])
        places = channels[-1] * self.grid[0] * self.grid[1]
        self.squeeze, self.spread = (nn.Linear(places, code), nn.Linear(code, places)) if code else (None, None)
        self.head = nn.Conv2d(ngf, 3, 3, padding=1)
        init_xavier(self, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, input_nc, H, W) -> (B, 3, H, W), not bounded.

        Raises:
            InputError: a size that does not fit.
        """
        check_input(x, self.input_nc, self.multiple)
        h, skips = self.blocks[0](F.relu(self.stem(x))), []
        for down, block in zip(self.downs, self.blocks[1:]):
            skips.append(h)
            h = block(F.relu(down(h)))
        if self.squeeze is not None:
            seen = F.adaptive_avg_pool2d(h, self.grid)
            seen = self.spread(self.squeeze(seen.flatten(1))).unflatten(1, seen.shape[1:])
            h = seen if h.shape == seen.shape else F.interpolate(seen, h.shape[2:], mode='bilinear', align_corners=False)
        for up, join in zip(reversed(self.ups), reversed(self.joins)):
            h = join(torch.cat([F.relu(up(F.interpolate(h, scale_factor=2))), skips.pop()], 1))
        return self.head(h)
