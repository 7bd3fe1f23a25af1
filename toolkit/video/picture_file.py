"""Reads one picture file, whatever phones and programs write: JPEG, PNG, TIFF, WebP, HEIC, AVIF."""

import re
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from toolkit.doors import check_png, open_regular, parsing, read_bytes
from toolkit.structures import InputError
from toolkit.video.source import check_pixels, require_source

MOST_PIXELS = 1 << 27
"""Largest picture."""
PICTURE_SUFFIXES = (
    '.png', '.apng', '.jpg', '.jpeg', '.jfif', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.heic', '.heif', '.hif', '.avif')
FORMATS = ('PNG', 'JPEG', 'MPO', 'BMP', 'TIFF', 'WEBP', 'PPM', 'HEIF', 'AVIF', 'GIF')
HEIF_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'mif1', b'avif')
BIT_DEPTHS = (8, 10, 12, 14, 16)


def is_heif(path: Path) -> bool:
    """Whether a file is a still picture in the container of HEIC and AVIF, by its first bytes."""
    with open_regular(path) as file:
        head = file.read(12)
    return head[4:8] == b'ftyp' and head[8:12] in HEIF_BRANDS


def open_picture(path: Path) -> Image.Image:
    """Read the head of a picture, not yet its pixels.

    Returns:
        Pillow's image.

    Raises:
        InputError: no file, no picture, one that needs pillow-heif, or one that is too large.
    """
    require_source(path)
    readable = not is_heif(path) or _read_heif_too()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            Image.init()
            image = Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise InputError(f'{path}: the picture is too large, at most {MOST_PIXELS // 10**6} million pixels can be read') from error
    except PermissionError as error:
        raise InputError(f'{path}: no permission to read the file') from error
    except Exception as error:  # decoders raise errors of all kinds for damaged files
        if not readable:
            raise InputError(
                f"{path}: a picture in HEIC (or AVIF), which needs a package more: pip install 'human-video-toolkit[heif]', or convert "
                'the picture to JPEG') from error
        raise InputError(f'{path}: not a readable picture (damaged, or of a kind other than {", ".join(PICTURE_SUFFIXES)})') from error
    check_pixels(path, image.height, image.width, MOST_PIXELS)
    return image


def _read_heif_too() -> bool:
    """Teach Pillow to read HEIC, where the package for it is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def read_picture(path: str | Path, bits: int | None = None) -> np.ndarray:
    """Read one picture; its orientation is applied, transparency is dropped.

    Args:
        path: a picture file.
        bits: how many bits of a 16-bit picture are used, see :func:`used_bits`; None finds out from this picture.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: no such file, not a picture, or too large.
    """
    path = Path(path)
    with open_picture(path) as image:
        if is_heif(path):
            with parsing(path, 'not a readable picture'):
                return np.array(ImageOps.exif_transpose(image).convert('RGB'))
        deep = _is_deep(image)
    bits = 16 if not deep else bits or used_bits(path)
    array = _decode(path, cv2.IMREAD_COLOR if bits == 16 else cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if array.dtype != np.uint8:
        array = (array >> (bits - 8)).clip(0, 255).astype(np.uint8)
    return cv2.cvtColor(array, cv2.COLOR_BGR2RGB)


def used_bits(path: str | Path) -> int:
    """How many bits the values of a picture use: 16 of 16 as a rule, fewer where a camera's 10 or 12 bits were stored as they are.

    Returns:
        8, 10, 12, 14 or 16; 16 also for a picture of 8 bits a channel.
    """
    with open_picture(Path(path)) as image:
        if is_heif(Path(path)) or not _is_deep(image):
            return 16
    largest = int(_decode(Path(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH).max())
    return next(bits for bits in BIT_DEPTHS if largest < 1 << bits)


def _is_deep(image: Image.Image) -> bool:
    return any(re.search(r'\b[A-Z]+;16', str(tile[3])) for tile in getattr(image, 'tile', ()))


def _decode(path: Path, flags: int) -> np.ndarray:
    content = read_bytes(path, most=1 << 30)
    check_png(path, content)
    data = np.frombuffer(content, np.uint8)
    with parsing(path, 'not a readable picture'):
        array = cv2.imdecode(data, flags)
    if array is None:
        raise InputError(f'{path}: not a readable picture, it is damaged or cut off')
    return array
