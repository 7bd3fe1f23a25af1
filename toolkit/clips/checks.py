"""What a prepared clip says about itself, checked before it is believed: manifests, arrays and pictures of unknown origin."""

import math
import re
import warnings
from io import BytesIO
from pathlib import Path
from struct import unpack

import cv2
import numpy as np
from PIL import Image

from toolkit.doors import PNG, check_png, parsing, read_bytes, regular
from toolkit.poses.array_files import ArrayFile
from toolkit.structures import InputError

LONGEST_SIDE = 2**15
MOST_FRAMES = 10**7
FASTEST = 1000
FARTHEST = 1e6
"""Pixels from the frame beyond which no joint can be."""
AGAIN = 'prepare the clip again'


def whole_number(path: Path, manifest: dict, key: str, most: int) -> int:
    """A count of a manifest.

    Raises:
        InputError: not a whole number from 1 to ``most``.
    """
    value = manifest[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= most or value != int(value):
        raise InputError(f'{path}: {key} is {shortened(value)}, expected a whole number from 1 to {most}; {AGAIN}')
    return int(value)


def frame_rate(path: Path, manifest: dict) -> float:
    """The frame rate of a manifest.

    Raises:
        InputError: not a number above 0 and at most 1000.
    """
    value = manifest['fps']
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= FASTEST or not math.isfinite(value):
        raise InputError(f'{path}: fps is {shortened(value)}, expected a number above 0 and at most {FASTEST}; {AGAIN}')
    return float(value)


def text(path: Path, manifest: dict, key: str) -> str:
    """A text of a manifest.

    Raises:
        InputError: not a text that can be written to a file.
    """
    value = manifest[key]
    if not _is_text(value):
        raise InputError(f'{path}: {key} is {ascii(shortened(value))}, expected a text; {AGAIN}')
    return value


def check_said(folder: Path, **said: str) -> None:
    """Refuse what a manifest is to say and :func:`text` would not read.

    Args:
        folder: of the clip to be made, for the message.
        said: texts under their keys.

    Raises:
        InputError: not a text, an empty one, or one that cannot be written to a file.
    """
    for key, value in said.items():
        if not _is_text(value):
            raise InputError(f'{folder}: {key} is {shortened(value)}, expected a text that is not empty; give one, or leave '
                             f'{key} out')


def _is_text(value) -> bool:
    try:
        return isinstance(value, str) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def field_channels(path: Path, manifest: dict) -> dict[str, int]:
    """Name -> channels of the added fields that a manifest says are stored.

    Raises:
        InputError: a name that is no plain word, or another number than 1 or 3.
    """
    stored = manifest.get('fields', {})
    if not isinstance(stored, dict) or not all(
            re.fullmatch(r'[A-Za-z]\w*', name, re.ASCII) and type(count) is int and count in (1, 3) for name, count in stored.items()):
        raise InputError(f'{path}: fields is {shortened(stored)}, expected names with 1 or 3 channels; {AGAIN}')
    return stored


def shortened(value) -> str:
    """A value in at most 40 letters."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f'{shown[:37]}...'


def read_array(path: Path, name: str, most: int) -> np.ndarray:
    """An array of an ``.npz`` file; its header is read first, and nothing more where it is too large.

    Args:
        path: the file.
        name: of the array.
        most: most numbers that it may have.

    Raises:
        InputError: no such file or array, damaged, not of numbers, or too large.
    """
    regular(path, AGAIN)
    try:
        file = ArrayFile(path)
        if name not in file.headers:
            raise InputError(f'{path}: damaged, or without an array {name!r}')
        shape, kind = file.headers[name].shape, file.headers[name].dtype
        if kind.kind not in 'biuf' or math.prod(shape) > most:
            raise InputError(f'{path}: {name!r} is an array of {math.prod(shape)} {kind}, more or other than the numbers of the frames')
        return file.read(name)
    except InputError as error:
        raise InputError(f'{error}; {AGAIN}') from error


def check_poses(path: Path, poses: np.ndarray, joints: tuple[str, ...]) -> None:
    """Refuse joints that are nowhere.

    Args:
        path: file they come from.
        poses: (T, K, 3).
        joints: names.

    Raises:
        InputError: a coordinate or a confidence is no number, or too large.
    """
    wrong = np.argwhere(~(np.abs(poses) <= FARTHEST))
    if len(wrong):
        t, joint, axis = wrong[0]
        raise InputError(f'{path}: frame {t}, {joints[joint]}: {("x", "y", "confidence")[axis]} is {poses[t, joint, axis]:g}, expected '
                         f'a number of at most {FARTHEST:g}; {AGAIN}')


def read_picture_of(path: Path, height: int, width: int, color: bool) -> np.ndarray:
    """A picture of a clip; it is decoded where its header gives the expected size.

    Args:
        path: PNG or JPEG.
        height, width: expected.
        color: three channels, BGR, or one.

    Returns:
        (H, W, 3) or (H, W) uint8.

    Raises:
        InputError: no such file, damaged, or of another size.
    """
    data = read_bytes(path, AGAIN)
    found = unpack('>II', data[16:24]) if data[:8] == PNG and len(data) >= 24 else _size(path, data)
    if found != (width, height):
        raise InputError(f'{path}: is {found[1]}x{found[0]} (HxW), the manifest says {height}x{width}')
    check_png(path, data)
    with parsing(path, 'damaged picture', AGAIN):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE)
    if image is None or image.shape[:2] != (height, width):
        raise InputError(f'{path}: damaged picture; {AGAIN}')
    return image


def _size(path: Path, data: bytes) -> tuple[int, int]:
    with parsing(path, 'damaged picture', AGAIN), warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        with Image.open(BytesIO(data), formats=('PNG', 'JPEG')) as image:
            return image.size
