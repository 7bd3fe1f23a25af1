"""Painting whose stages overlap: what a frame is painted from, its feature map, and the network each have a thread."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_map_only

from toolkit.ahead import ahead
from toolkit.models.painting import Painter, TwoStagePainter

CHUNK = 4
"""Frames whose feature maps are made at once."""
EVERY = 25 * CHUNK
"""After so many frames what painters remember is kept; whole chunks, so that a video that goes on there is painted as in one go."""


def paint_ahead(painters: Sequence[Painter], steps: Iterable[Sequence[dict]],
                together: bool = False) -> Generator[tuple[list[np.ndarray], list | None], None, None]:
    """Paint several videos side by side.

    Args:
        painters: of the videos.
        steps: of each frame what each painter is given.
        together: paint the frames of all videos in one pass of the network, where the painters can.

    Yields:
        Of each frame its picture in each video, and, of every :data:`EVERY`-th, what the painters remember after it; None for others
        and where one does not say what it remembers.
    """
    with ExitStack() as stages:
        def stage(items: Iterable, most: int = CHUNK) -> Iterator:
            return stages.enter_context(closing(ahead(items, most)))

        steps = stage(steps)
        if all(isinstance(painter, TwoStagePainter) for painter in painters):
            ready = stage(_ready(painters, steps))
            pictures = (painters[0].paint(each, painters[1:]) if together else
                        [painter.paint([one])[0] for painter, one in zip(painters, each)] for each in ready)
        else:
            pictures = ([paint(step) for paint, step in zip(painters, each)] for each in steps)
        yield from stage(((row, memories(painters) if t % EVERY == 0 else None) for t, row in enumerate(pictures, 1)), 2)


def memories(painters: Sequence[Painter]) -> list | None:
    """What painters remember, copied to the CPU; None where one does not say."""
    if not all(hasattr(painter, 'memory') for painter in painters):
        return None
    return tree_map_only(Tensor, lambda tensor: tensor.detach().cpu().clone(), [painter.memory for painter in painters])


def _ready(painters: Sequence[TwoStagePainter], steps: Iterator[Sequence[dict]]) -> Iterator[list]:
    """What needs no frame before, of each frame for each painter; done for several frames at once."""
    while chunk := list(islice(steps, CHUNK)):
        yield from map(list, zip(*(painter.ahead(frames) for painter, frames in zip(painters, zip(*chunk)))))
