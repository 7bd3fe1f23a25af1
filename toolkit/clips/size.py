"""The size of prepared clips, from where people are in the videos and from the videos' shapes.

All clips of one call, and all clips of one folder, have one size: networks are trained on frames of one shape.
"""

import math
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.crop import Crop, center_crop, fit_window, window_around
from toolkit.locks import BusyError, locked
from toolkit.structures import InputError

PIXELS = 384 * 256
"""About so many pixels has a frame when the size is not given."""
TOLERANCE = .125
LONGEST = 2.
"""Longest side of a frame relative to the other one."""
LOCK, IN_USE = '.size.lock', re.compile(r'\.size\.(\d+)x(\d+)\.[0-9a-f]{32}\.lock')
"""Held while a size is chosen; and a file that a process holds while it makes clips of that size, which no other clip shows yet."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Range:
    """Where a clip's window may lie in its video.

    Attributes:
        rows, columns: size of the video.
        wide, tight: boxes x0, y0, x1, y1 that hold the person in all frames, with full and with least margins; None where they do
            not matter.
        window: x, y, width, height that the user gave, or None.
    """

    rows: int
    columns: int
    wide: Box | None = None
    tight: Box | None = None
    window: tuple[int, int, int, int] | None = None

    def crop(self, height: int, width: int) -> Crop:
        """The window of a clip of this size; a window of the user grows on one side to the clip's shape."""
        if self.window is not None:
            return fit_window(self.window, self.rows, self.columns, height, width)
        if self.wide is None:
            return center_crop(self.rows, self.columns, height, width)
        return window_around(self.wide, self.tight, self.rows, self.columns, height, width)


def sizes(pixels: int, multiple: int) -> list[tuple[int, int]]:
    """Sizes (H, W) whose sides are multiples of ``multiple``, with about ``pixels`` pixels and no side twice as long as the other."""
    most = math.isqrt(int(pixels * LONGEST)) // multiple + 1
    sides = [n * multiple for n in range(1, most + 1)]
    shaped = [(h, w) for h in sides for w in sides if max(h, w) <= LONGEST * min(h, w)]
    near = [size for size in shaped if abs(size[0] * size[1] / pixels - 1) <= TOLERANCE]
    return near or [min(shaped, key=lambda size: abs(math.log(size[0] * size[1] / pixels)))]


def choose_size(ranges: Sequence[Range], multiple: int) -> tuple[int, int]:
    """The size at which several clips show least of what lies beyond their videos, and then their people largest.

    Args:
        ranges: one for each clip.
        multiple: what both sides must be multiples of.

    Returns:
        (H, W).
    """
    def cost(size: tuple[int, int]) -> tuple:
        crops = [item.crop(*size) for item in ranges]
        beyond = sum(crop.padding(item.rows, item.columns) for crop, item in zip(crops, ranges))
        shown = sum(math.log(crop.w * crop.h) for crop in crops)
        return round(beyond / len(ranges), 2), round(shown / len(ranges), 4), abs(size[0] * size[1] - PIXELS), size

    return min(sizes(PIXELS, multiple), key=cost)


def folder_size(folder: str | Path, leave_out: Collection[str] = ()) -> tuple[int, int] | None:
    """The size of the clips that a folder holds already, None without any.

    Args:
        folder: of clips; need not exist.
        leave_out: names of folders in it whose clips do not count, as they are to be made again.

    Raises:
        InputError: they have different sizes.
    """
    found = {(clip.height, clip.width): clip.name for clip in find_clips(folder) if clip.key not in leave_out}
    if len(found) > 1:
        named = ', '.join(f'{name} is {h}x{w}' for (h, w), name in found.items())
        raise InputError(f'{folder}: its clips have different sizes ({named}, HxW); say which one new clips shall have '
                         '(--size), or use another folder')
    return next(iter(found), None)


@contextmanager
def agreed_size(folder: str | Path, choose: Callable[[], tuple[int, int]],
                leave_out: Collection[str] = ()) -> Iterator[tuple[int, int]]:
    """The size of new clips of a folder, while they are made: that of the clips in it, or that of which other processes are making
    clips there, or else a new one.

    Args:
        folder: of clips; it is there.
        choose: gives a new size (H, W).
        leave_out: as of :func:`folder_size`.

    Yields:
        (H, W).
    """
    folder = Path(folder)
    with ExitStack() as held:
        with locked(folder / LOCK, keep=False):
            size = folder_size(folder, leave_out) or size_in_use(folder) or choose()
            held.enter_context(given_size(folder, *size))
        yield size


@contextmanager
def given_size(folder: str | Path, height: int, width: int) -> Iterator[None]:
    """Let others know, while clips of this size are made in a folder, see :func:`agreed_size`."""
    with locked(Path(folder) / f'.size.{height}x{width}.{uuid.uuid4().hex}.lock', keep=False):
        yield


def size_in_use(folder: Path) -> tuple[int, int] | None:
    """The size of which some process is making clips; what a kill has left is removed."""
    for path in folder.iterdir():
        if match := IN_USE.fullmatch(path.name):
            try:
                with locked(path, wait=False, keep=False):
                    pass
            except BusyError:
                return int(match[1]), int(match[2])
    return None


def smaller_size(height: int, width: int, pixels: int, multiple: int = 16) -> tuple[int, int]:
    """The size with about ``pixels`` pixels, sides multiples of ``multiple``, nearest to the shape of (height, width); never larger."""
    if height * width <= pixels:
        return height, width
    sides = range(multiple, max(height, width) + 1, multiple)

    def cost(size: tuple[int, int]) -> float:
        h, w = size
        return abs(math.log(h * width / (w * height))) + .5 * abs(math.log(h * w / pixels))

    return min(((h, w) for h in sides for w in sides if h <= height and w <= width), key=cost, default=(height, width))


def check_shape(clip: Clip, size: tuple[int, int]) -> None:
    """Refuse a clip whose people would be squeezed by more than 5 % at this size (H, W).

    Raises:
        InputError: says what to do.
    """
    height, width = size
    if abs(clip.height * width / (clip.width * height) - 1) > .05:
        raise InputError(
            f'{clip.folder}: has the shape {clip.height}x{clip.width}, the frames to generate {height}x{width} (HxW), and people would '
            f'be squeezed; give the video itself, or prepare it with --size {height}x{width} into another folder')
