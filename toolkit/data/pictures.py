"""Folders of pictures, and single pictures, read like a video."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from toolkit.structures import InputError

PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm')


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

    Raises:
        InputError: no pictures in the folder, an unreadable picture, or (while iterating) pictures of different sizes.
    """

    codec = 'pictures'

    def __init__(self, path: str | Path, fps: float | Fraction = 25):
        self.path = Path(path)
        self.fps = Fraction(fps).limit_denominator(30030)
        if self.path.is_dir():
            found = [p for p in self.path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith('.')]
            self.files = sorted(found, key=lambda p: natural_key(p.name))
        else:
            self.files = [self.path]
        if not self.files:
            raise InputError(f'{self.path}: the folder holds no pictures ({", ".join(PICTURE_SUFFIXES)}), so there are zero frames')
        self.height, self.width = read_picture(self.files[0]).shape[:2]
        self.num_frames = len(self.files)
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        for i, file in enumerate(self.files):
            frame = read_picture(file)
            if frame.shape[:2] != (self.height, self.width):
                raise InputError(
                    f'{file}: picture is {frame.shape[1]}x{frame.shape[0]} (width x height), but {self.files[0].name} is '
                    f'{self.width}x{self.height}; all pictures of a folder must have one size')
            yield frame, float(i / self.fps)

    def times(self) -> np.ndarray:
        """Time of every frame in seconds, (T,) float64."""
        return np.arange(self.num_frames) / float(self.fps)
