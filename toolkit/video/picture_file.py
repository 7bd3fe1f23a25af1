"""Reads one picture file, whatever phones and programs write: JPEG, PNG, TIFF, WebP, HEIC, AVIF."""

import re
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from toolkit.doors import check_png, open_regular, parsing, read_bytes
from toolkit.structures import InputError
from toolkit.video.source import check_pixels, require_source

MOST_PIXELS = 1 << 27
"""Largest picture."""
PICTURE_SUFFIXES = (
    '.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.mpo', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.heic', '.heif', '.hif',
    '.avif')
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


def read_picture(path: str | Path, bits: int | None = None, notes: list[str] | None = None) -> np.ndarray:
    """Read one picture; its orientation and its color profile are applied, transparent places become white.

    Args:
        path: a picture file.
        bits: how many bits of a 16-bit picture are used, see :func:`used_bits`; None finds out from this picture.
        notes: what was done to the picture is added, a sentence each.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: no such file, not a picture, or too large.
    """
    path, notes = Path(path), [] if notes is None else notes
    with open_picture(path) as image, parsing(path, 'not a readable picture'):
        profile, heif = image.info.get('icc_profile'), is_heif(path)
        deep = not heif and _is_deep(image)
        scaled = image.format == 'PPM' and image.mode == 'RGB'  # OpenCV does not look at the largest value, which need not be 255
        if not deep and (heif or profile or scaled or image.has_transparency_data):
            return shown_colors(image, notes)
        alpha = np.array(ImageOps.exif_transpose(image).getchannel('A')) if deep and 'A' in image.getbands() else None
    bits = 16 if not deep else bits or used_bits(path)
    array = _decode(path, cv2.IMREAD_COLOR if bits == 16 else cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if array.dtype != np.uint8:
        array = (array >> (bits - 8)).clip(0, 255).astype(np.uint8)
    array = cv2.cvtColor(array, cv2.COLOR_BGR2RGB)
    if deep and profile:
        array = np.array(_in_srgb(Image.fromarray(array), profile, notes))
    return array if alpha is None else on_white(array, alpha, notes)


def shown_colors(image: Image.Image, notes: list[str]) -> np.ndarray:
    """What a picture of Pillow's shows, upright, in sRGB and on white.

    Args:
        image: of 8 bits a channel.
        notes: what was done to it is added, a sentence each.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    profile, image = image.info.get('icc_profile'), ImageOps.exif_transpose(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert('RGBA')
        alpha = np.array(image.getchannel('A'))
    colors = image if image.mode == 'CMYK' else image.convert(Image.getmodebase(image.mode))
    array = np.array(_in_srgb(colors, profile, notes))
    return array if alpha is None else on_white(array, alpha, notes)


def _in_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The colors that a color profile (ICC) means, as sRGB; without a profile they are sRGB already."""
    if profile:
        try:
            return ImageCms.profileToProfile(image, BytesIO(profile), ImageCms.createProfile('sRGB'), outputMode='RGB')
        except ImageCms.PyCMSError:
            add_note(notes, 'a color profile cannot be used, so the colors were taken as sRGB')
    return image.convert('RGB')


def on_white(frame: np.ndarray, alpha: np.ndarray, notes: list[str]) -> np.ndarray:
    """A picture with transparency on white.

    Args:
        frame: (H, W, 3) uint8, not multiplied by ``alpha``.
        alpha: (H, W) uint8, 0 is transparent.
        notes: what was done is added.
    """
    if alpha.min() == 255:
        return frame
    add_note(notes, 'transparent places were made white')
    alpha = alpha[..., None].astype(np.uint16)
    return ((frame * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def add_note(notes: list[str], note: str) -> None:
    """Add a sentence that is not there yet."""
    if note not in notes:
        notes.append(note)


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
