"""Folders of pictures, single pictures and animated pictures, read like a video."""

import re
import warnings
from collections.abc import Iterable, Iterator
from copy import copy
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from toolkit.structures import InputError, spread
from toolkit.video.frame_times import ForwardTimes, true_rate, usual_step
from toolkit.video.picture_file import PICTURE_SUFFIXES, open_picture, read_picture, shown_colors, used_bits
from toolkit.video.source import check_pixels

VIDEO_SUFFIXES = (
    '.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v', '.mts', '.m2ts', '.ts', '.mpg', '.mpeg', '.wmv', '.flv', '.3gp', '.ogv', '.gif')
ANIMATED = {'GIF': 'gif', 'PNG': 'apng', 'WEBP': 'webp', 'AVIF': 'avif'}
SHORTEST_DELAY, USUAL_DELAY = .010, .1
LOOKED_AT = 5
LARGEST_ANIMATED, MOST_ANIMATED = 1 << 25, 1 << 33
"""Pixels of a frame, of which several are held with transparency, and of all frames of an animation."""


def natural_key(name: str) -> list:
    """Sort key under which ``frame2`` comes before ``frame10``."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r'(\d+)', name)]


def frame_numbers(names: list[str]) -> list[int]:
    """Numbers of frames from the names of their pictures, so that missing ones leave a gap.

    Args:
        names: in natural order.

    Returns:
        A number for each, from 0. Where the names are not one sequence of numbers at equal distances of which half or more are there,
        they are counted.
    """
    parts = [re.fullmatch(r'(.*?)(\d+)(\D*)', Path(name).stem) for name in names]
    counted = list(range(len(names)))
    if len(names) < 3 or None in parts or len({(part[1], part[3]) for part in parts}) > 1:
        return counted
    numbers = np.array([float(part[2]) for part in parts])
    steps = np.diff(numbers)
    step = np.median(steps)
    if step < 1 or (steps < 1).any() or (steps % step).any() or (numbers[-1] - numbers[0]) / step >= 2 * len(names):
        return counted
    return [round(n) for n in (numbers - numbers[0]) / step]


class PictureReader:
    """The pictures of a folder in natural order of their names, or one picture, with the interface of :class:`VideoReader`.

    Numbers in the names that are missing leave gaps in the times.

    Args:
        path: a folder of pictures of one size, or a picture.
        fps: frames per second to assume.
        max_side: make pictures smaller as they are read, so that no side is longer than this; None keeps their size.

    Raises:
        InputError: no pictures in the folder, videos in it, two pictures of one name, pictures of different sizes, a folder that cannot
            be read, or an unreadable picture (while iterating, where its head is whole).
    """

    codec = 'pictures'

    def __init__(self, path: str | Path, fps: float | Fraction = 25, max_side: int | None = None):
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(30030)
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._damage: list[str] = []
        self.full_size = self.height, self.width = self._look()
        self.num_frames = len(self._numbers)
        if max_side:
            vars(self).update(vars(self.at_most(max_side)))

    def _look(self) -> tuple[int, int]:
        """Find the pictures and what they are like; their size (H, W)."""
        self.files = self._find() if self.path.is_dir() else [self.path]
        self._numbers = frame_numbers([file.name for file in self.files])
        some = {self.files[i] for i in spread(len(self.files), LOOKED_AT)}
        self._bits = max(map(used_bits, some))
        if self._bits < 16:
            self.notes.append(f'the 16-bit pictures use {self._bits} bits only and were read as pictures of {self._bits} bits')
        size = read_picture(self.files[0], self._bits, self.notes).shape[:2]
        for file in self.files[1:]:  # by their heads: which way up they are shown is seen when they are read
            with open_picture(file) as image:
                if sorted(image.size) != sorted(size):
                    raise self._of_another_size(file, size, (image.height, image.width))
        return size

    def _of_another_size(self, file: Path, size: tuple[int, int], other: tuple[int, int]) -> InputError:
        return InputError(
            f'{file}: picture is {other[1]}x{other[0]} (width x height), but {self.files[0].name} is {size[1]}x{size[0]}; all pictures '
            f'of a folder must have one size')

    def _find(self) -> list[Path]:
        try:
            named = sorted((p for p in self.path.iterdir() if not p.name.startswith('.')), key=lambda p: natural_key(p.name))
        except OSError as error:
            raise InputError(f'{self.path}: the folder cannot be read ({error.strerror}); check permissions') from error
        found = [p for p in named if p.suffix.lower() in PICTURE_SUFFIXES]
        videos = [p.name for p in named if p.suffix.lower() in VIDEO_SUFFIXES]
        if videos:
            first = ', '.join(videos[:3]) + (', ...' if len(videos) > 3 else '')
            beside = f'beside {len(found)} pictures' if found else 'and no pictures'
            raise InputError(
                f'{self.path}: the folder holds {len(videos)} videos ({first}) {beside}; give the videos themselves, or a folder of '
                'pictures alone')
        if not found:
            raise InputError(f'{self.path}: the folder holds no pictures ({", ".join(PICTURE_SUFFIXES)}), so there are zero frames')
        stems: dict[str, Path] = {}
        for file in found:
            if stems.setdefault(file.stem, file) is not file:
                raise InputError(f'{self.path}: holds {stems[file.stem].name} and {file.name}, which would be two frames; leave one '
                                 f'kind of pictures in the folder')
        return found

    def at_most(self, max_side: int) -> 'PictureReader':
        """A reader of the same pictures whose frames have no side longer than ``max_side`` pixels."""
        small, factor = copy(self), min(1., max_side / max(self.full_size))
        small.height, small.width = (max(1, round(n * factor)) for n in self.full_size)
        return small

    def _pictures(self) -> Iterator[np.ndarray]:
        for file in self.files:
            frame = read_picture(file, self._bits, self.notes)
            if frame.shape[:2] != self.full_size:
                raise self._of_another_size(file, self.full_size, frame.shape[:2])
            yield frame

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yields (frame (H, W, 3) uint8 RGB, time in seconds since the first frame), times strictly increasing."""
        for frame, time in zip(self._pictures(), self.times()):
            if frame.shape[:2] != (self.height, self.width):
                frame = cv2.resize(frame, (self.width, self.height), interpolation=cv2.INTER_AREA)
            yield frame, float(time)
        missing = self._numbers[-1] + 1 - self.num_frames
        missed = [f'{missing} pictures are missing between the numbers of the others'] if missing else []
        self.problems = missed + self._damage
        if self.problems:
            warnings.warn(f'{self.path}: {"; ".join(self.problems)}', stacklevel=2)

    def times(self) -> np.ndarray:
        """Time of every frame in seconds, (T,) float64."""
        return np.array(self._numbers) / float(self.fps)

    def numbers(self) -> Iterable[int]:
        """Numbers of the frames in the source, in the order in which iterating gives them."""
        return self._numbers


class AnimationReader(PictureReader):
    """The frames of an animated GIF, PNG, WebP or AVIF, with the interface of :class:`VideoReader`.

    Transparent places become white. A delay of 10 ms or less counts as 100 ms, as in browsers. Of a damaged file what can be read is
    given, and a warning says where it ends.

    Args:
        path: a file of that kind.
        max_side: make frames smaller, so that no side is longer than this; None keeps their size.

    Raises:
        InputError: not even the first frame can be read, or too large.
    """

    def __init__(self, path: str | Path, max_side: int | None = None):
        super().__init__(path, max_side=max_side)

    def _look(self) -> tuple[int, int]:
        ends = []
        for frame, duration in self._animation():
            ends.append((ends[-1] if ends else 0) + duration)
            size = frame.shape[:2]
            if size[0] * size[1] * len(ends) > MOST_ANIMATED:
                raise InputError(f'{self.path}: an animation of {size[1]}x{size[0]} pixels (width x height) and more than {len(ends)} '
                                 f'frames is too much to unpack; make a video of it first')
        if not ends:
            raise InputError(f'{self.path}: the animation has zero frames')
        with open_picture(self.path) as image:
            self.codec = ANIMATED[image.format]
        self._numbers = list(range(len(ends)))
        starts = np.array([0, *ends[:-1]])
        self._times = np.array([*map(ForwardTimes(usual_step(starts) or USUAL_DELAY), starts)])
        self.fps = true_rate(self._times, None)
        return size

    def _animation(self) -> Iterator[tuple[np.ndarray, float]]:
        """Every frame, (H, W, 3) uint8 RGB, and how many seconds it is shown."""
        with open_picture(self.path) as image:
            check_pixels(self.path, image.height, image.width, LARGEST_ANIMATED)
            i = first = 1 if image.info.get('default_image') else 0
            self._damage = []
            try:
                for i in range(first, image.n_frames):
                    image.seek(i)
                    frame = shown_colors(image, self.notes)
                    seconds = float(image.info.get('duration') or 0) / 1000
                    yield frame, seconds if seconds > SHORTEST_DELAY else USUAL_DELAY
            except Exception as error:  # decoders raise errors of all kinds for damaged files
                if i == first:
                    raise InputError(f'{self.path}: the first frame of the animation cannot be read ({error})') from error
                self._damage = [f'truncated: ends before frame {i} ({error})']

    def _pictures(self) -> Iterator[np.ndarray]:
        return (frame for frame, _ in self._animation())

    def times(self) -> np.ndarray:
        """Time of every frame in seconds, (T,) float64."""
        return self._times


def open_pictures(path: str | Path, fps: float | Fraction = 25, max_side: int | None = None) -> PictureReader:
    """A reader for a folder of pictures, a picture or an animated picture.

    Args:
        path: folder or file.
        fps: frames per second to assume; an animated picture knows its own.
        max_side: as of the readers.

    Raises:
        InputError: as of the readers.
    """
    path = Path(path)
    if not path.is_dir():
        with open_picture(path) as image:
            animated = image.format == 'GIF' or image.format in ANIMATED and getattr(image, 'n_frames', 1) > 1
        if animated:
            return AnimationReader(path, max_side)
    return PictureReader(path, fps, max_side)
