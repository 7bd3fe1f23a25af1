"""Folders of pictures, and single pictures, read like a video."""

import re
from collections.abc import Iterable, Iterator
from copy import copy
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from toolkit.structures import InputError

PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm')

VIDEO_SUFFIXES = (
    '.mp4', '.mov', '.mkv', '.webm', '.avi', '.m4v', '.mts', '.m2ts', '.ts', '.mpg', '.mpeg', '.wmv', '.flv', '.3gp', '.ogv', '.gif')


def natural_key(name: str) -> list:
    """Sort key under which ``frame2`` comes before ``frame10``."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r'(\d+)', name)]


def read_picture(path: str | Path) -> np.ndarray:
    """Read one picture; an orientation in its EXIF data is applied, transparency is dropped.

    Args:
        path: a picture file.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: no such file, or not a picture.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such picture')
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    if image is None:
        raise InputError(f'{path}: not a readable picture (damaged, or of a kind other than {", ".join(PICTURE_SUFFIXES)})')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class PictureReader:
    """The pictures of a folder in natural order of their names, or one picture, with the interface of :class:`VideoReader`.

    Args:
        path: a folder of pictures of one size, or a picture.
        fps: frames per second to assume.
        max_side: make pictures smaller as they are read, so that no side is longer than this; None keeps their size.

    Raises:
        InputError: no pictures in the folder, an unreadable picture, or (while iterating) pictures of different sizes.
    """

    codec = 'pictures'

    def __init__(self, path: str | Path, fps: float | Fraction = 25, max_side: int | None = None):
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(30030)
        if self.path.is_dir():
            found = [p for p in self.path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith('.')]
            self.files = sorted(found, key=lambda p: natural_key(p.name))
            self._refuse_videos()
        else:
            self.files = [self.path]
        if not self.files:
            raise InputError(f'{self.path}: the folder holds no pictures ({", ".join(PICTURE_SUFFIXES)}), so there are zero frames')
        self.full_size = self.height, self.width = read_picture(self.files[0]).shape[:2]
        self.num_frames = len(self.files)
        self.problems: list[str] = []
        if max_side:
            vars(self).update(vars(self.at_most(max_side)))

    def _refuse_videos(self) -> None:
        videos = sorted((p.name for p in self.path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES), key=natural_key)
        if videos:
            named = ', '.join(videos[:3]) + (', ...' if len(videos) > 3 else '')
            beside = f'beside {len(self.files)} pictures' if self.files else 'and no pictures'
            raise InputError(
                f'{self.path}: the folder holds {len(videos)} videos ({named}) {beside}; give the videos themselves, or a folder of '
                'pictures alone')

    def at_most(self, max_side: int) -> 'PictureReader':
        """A reader of the same pictures whose frames have no side longer than ``max_side`` pixels."""
        small, factor = copy(self), min(1., max_side / max(self.full_size))
        small.height, small.width = (max(1, round(n * factor)) for n in self.full_size)
        return small

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        for i, file in enumerate(self.files):
            frame = read_picture(file)
            if frame.shape[:2] != self.full_size:
                raise InputError(
                    f'{file}: picture is {frame.shape[1]}x{frame.shape[0]} (width x height), but {self.files[0].name} is '
                    f'{self.full_size[1]}x{self.full_size[0]}; all pictures of a folder must have one size')
            if frame.shape[:2] != (self.height, self.width):
                frame = cv2.resize(frame, (self.width, self.height), interpolation=cv2.INTER_AREA)
            yield frame, float(i / self.fps)

    def times(self) -> np.ndarray:
        """Time of every frame in seconds, (T,) float64."""
        return np.arange(self.num_frames) / float(self.fps)

    def numbers(self) -> Iterable[int]:
        """Numbers of the frames in the source, in the order in which iterating gives them."""
        return range(self.num_frames)
