"""The generator of vid2vid: a new picture blended with the last frame, moved. Source: Wang et al. 2018, Video-to-Video Synthesis."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.blocks import Down, Head, ResidualBlock, Stem, Up, check_counts, check_input, init_normal
from toolkit.structures import InputError

FLOW_UNIT = 20.0
"""Pixels of flow that the network calls 1."""


class Moved(NamedTuple):
    """What :class:`FlowGenerator` makes.

    Attributes:
        picture: (B, 3, H, W) in [-1, 1].
        flow: (B, 2, H, W), x and y in pixels from each pixel to where it was in the last frame.
        painted: (B, 1, H, W) in [0, 1], how much of the picture is new.
        raw: (B, 3, H, W) in [-1, 1], what is new in it.
    """

    picture: Tensor
    flow: Tensor
    painted: Tensor
    raw: Tensor


class FlowGenerator(nn.Module):
    r"""Paints ``x = (1 - m) w(x') + m h``: h is painted, w moves the last frame x', m says where to paint.

    One encoder sees the stick figures of this frame and of the last ``past``, another one those frames; their maps are added. Before
    the first frame there is none of the second: of an empty picture instance norm makes noise. Half of the residual blocks stand
    before the sum, half behind it, once for h and once for flow and m. With ``foreground`` the person in h is painted by a network
    that sees the figure of this frame alone, where the pose says that the person is.

    Args:
        past: number of earlier frames, L.
        ngf: channels after the first convolutions.
        n_down: number of halvings.
        n_blocks: number of residual blocks on each way.
        norm: see :func:`toolkit.generators.blocks.make_norm`.
        foreground: see above.

    Raises:
        InputError: no earlier frame, or a negative number.
    """

    def __init__(self, past: int = 2, ngf: int = 64, n_down: int = 3, n_blocks: int = 9, norm: str = 'instance',
                 foreground: bool = True) -> None:
        super().__init__()
        check_counts(n_down=n_down, n_blocks=n_blocks)
        if past < 1:
            raise InputError(f'model.generator.past={past}, expected at least 1 earlier frame')
        self.past, self.multiple = past, 2**n_down
        first, second = n_blocks - n_blocks // 2, n_blocks // 2
        self.figures = _encoder(3 * (past + 1), ngf, n_down, first, norm)
        self.frames = _encoder(3 * past, ngf, n_down, first, norm)
        self.picture, self.motion = (_decoder(ngf, n_down, second, norm) for _ in range(2))
        self.head, self.flow, self.matte = Head(ngf), _conv(ngf, 2), _conv(ngf, 1)
        self.person = nn.Sequential(_encoder(3, ngf, n_down, first, norm), _decoder(ngf, n_down, second, norm), Head(ngf)) \
            if foreground else None
        init_normal(self)

    def forward(self, figures: Tensor, frames: Tensor, person: Tensor, known: Tensor) -> Moved:
        """Paint a frame.

        Args:
            figures: (B, 3 (past + 1), H, W) stick figures in [-1, 1], newest first.
            frames: (B, 3 past, H, W) earlier frames in [-1, 1], newest first.
            person: (B, 1, H, W) in [0, 1], where the pose says that the person is.
            known: (B, 1, 1, 1) 1 where there is a last frame, 0 before the first one, where everything is painted.

        Raises:
            InputError: a size that does not fit.
        """
        check_input(figures, 3 * (self.past + 1), self.multiple)
        h = self.figures(figures)
        h = h + known.to(h.dtype) * self.frames(frames)
        new, moving = self.head(self.picture(h)), self.motion(h)
        if self.person is not None:
            new = torch.lerp(new, self.person(figures[:, :3]).to(new.dtype), person.to(new.dtype))
        flow = FLOW_UNIT * self.flow(moving).float()
        painted = 1 - known * (1 - torch.sigmoid(self.matte(moving).float()))
        new = new.float()
        return Moved(torch.lerp(move(frames[:, :3].float(), flow), new, painted), flow, painted, new)


def move(pictures: Tensor, flow: Tensor) -> Tensor:
    """Pictures as seen through a flow; what lies outside is the border's.

    Args:
        pictures: (B, C, H, W).
        flow: (B, 2, H, W), x and y in pixels: pixel p shows ``pictures[p + flow(p)]``.

    Returns:
        (B, C, H, W), bilinear.
    """
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(*(torch.arange(size, device=flow.device, dtype=flow.dtype) for size in (height, width)), indexing='ij')
    places = torch.stack([x, y]) + flow
    extent = flow.new_tensor([width, height])[:, None, None]
    return F.grid_sample(pictures, (2 * (places + 0.5) / extent - 1).movedim(1, -1), padding_mode='border', align_corners=False)


def _encoder(input_nc: int, ngf: int, n_down: int, n_blocks: int, norm: str) -> nn.Sequential:
    downs = (Down(ngf * 2**i, ngf * 2**(i + 1), norm) for i in range(n_down))
    return nn.Sequential(Stem(input_nc, ngf, norm), *downs, *(ResidualBlock(ngf * 2**n_down, norm) for _ in range(n_blocks)))


def _decoder(ngf: int, n_down: int, n_blocks: int, norm: str) -> nn.Sequential:
    ups = (Up(ngf * 2**(i + 1), ngf * 2**i, norm) for i in reversed(range(n_down)))
    return nn.Sequential(*(ResidualBlock(ngf * 2**n_down, norm) for _ in range(n_blocks)), *ups)


def _conv(ngf: int, output_nc: int) -> nn.Conv2d:
    return nn.Conv2d(ngf, output_nc, 7, padding=3, padding_mode='reflect')
