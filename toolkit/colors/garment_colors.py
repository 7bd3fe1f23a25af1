"""What a person's skin, hair, shoes and clothes look like: colour histograms learned from the frames at hand.

Six classes share one likelihood table over coarse Lab cells; an 8-bit RGB pixel finds its cell by one look-up. Nothing is trained:
the seeds are the face, the head around it, the trunk, the legs, the feet and the surroundings of this very person.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from toolkit.colors.lab_uint8 import rgb8_to_lab

CLASSES = ('skin', 'hair', 'shoe', 'background', 'up', 'down')
SKIN, HAIR, SHOE, BACKGROUND, UP, DOWN = range(len(CLASSES))
SHAPE = (16, 48, 51)
"""Cells along L, a, b: 6.25, 4 and 4 units."""
_START, _SIZE = np.array([0, -90, -108], np.float32), np.array([6.25, 4, 4], np.float32)
FLOOR = 2e-5
"""Likelihood of a cell that no seed has; about a uniform colour over the gamut."""
TYPICAL_SKIN = (60., 14., 17.)
SKIN_SPREAD = (16., 4.5, 5.5)
"""Standard deviation in L, a and b of skin around its own colour, from light and shadow."""
TYPICAL_SPREAD = (22., 7., 8.)
SKIN_REMOVED = .8
"""Share of pixels with just the colour of skin that are taken out of the seeds of clothes."""
MIN_PIXELS = 12


@lru_cache(1)
def _cells() -> tuple[np.ndarray, np.ndarray]:
    """Cell of each of 32^3 RGB colours, (32768,) int32, and the Lab centres of the cells, (cells, 3)."""
    levels = (np.arange(32) * 8 + 4).astype(np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing='ij'), -1).reshape(-1, 3)
    index = np.clip((rgb8_to_lab(rgb) - _START) / _SIZE, 0, np.array(SHAPE) - 1).astype(np.int32)
    centres = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing='ij'), -1).reshape(-1, 3) + .5
    return np.ravel_multi_index(index.T, SHAPE).astype(np.int32), (_START + centres * _SIZE).astype(np.float32)


def color_cells(rgb: np.ndarray) -> np.ndarray:
    """Colour cell of each pixel.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (...) int32, index into the rows of :attr:`GarmentColors.table`.
    """
    q = (rgb >> 3).astype(np.int32)
    return _cells()[0][(q[..., 0] << 10) | (q[..., 1] << 5) | q[..., 2]]


@dataclass
class GarmentColors:
    """Colour likelihoods of the classes of one person in one clip.

    Attributes:
        table: (cells, 6) float32, likelihood of each colour cell under each of :data:`CLASSES`.
        skin: L, a, b of the face, or of typical skin where no face was seen.
        face_seen: whether it was.
    """

    table: np.ndarray
    skin: tuple[float, float, float]
    face_seen: bool

    def likelihood(self, rgb: np.ndarray) -> np.ndarray:
        """(..., 3) uint8 -> (..., 6) float32."""
        return self.table[color_cells(rgb)]


def learn_colors(seeds: dict[int, np.ndarray], face: np.ndarray) -> GarmentColors:
    """Make a first table from pixels that mostly belong to their classes.

    Args:
        seeds: class -> (N, 3) uint8 RGB. Skin that lies among the pixels of clothes is taken out of them, unless it is most of them:
            then the clothes have the colour of skin.
        face: (N, 3) uint8 pixels of the face, may be empty.
    """
    skin, seen = _face_color(face)
    _, centres = _cells()
    away = (centres - np.float32(skin)) / np.float32(SKIN_SPREAD if seen else TYPICAL_SPREAD)
    away[:, 1:] -= _shading(centres, skin)
    density = np.exp(-.5 * (away**2).sum(-1))
    table = np.full((len(centres), len(CLASSES)), FLOOR, np.float32)
    table[:, SKIN] += density / density.sum()
    for kind, pixels in seeds.items():
        if len(pixels) >= MIN_PIXELS:
            histogram = _smooth(np.bincount(color_cells(pixels), minlength=len(centres)).astype(np.float32))
            if kind in (UP, DOWN):
                histogram = _without_skin(histogram, table[:, SKIN])
            table[:, kind] += histogram / histogram.sum()
    return GarmentColors(table, skin, seen)


def refine_colors(colors: GarmentColors, cells: np.ndarray, beliefs: np.ndarray) -> GarmentColors:
    """Learn again from pixels that were told apart with a first table: bare arms add to skin, sleeves to the upper garment.

    Args:
        colors: the first table.
        cells: (N,) int32 colour cells of the person's pixels.
        beliefs: (N, 6) float32 class probabilities, lower where the place alone would say otherwise.

    Returns:
        A table half of which is the first one. Skin is learned only near its first colour.
    """
    table = colors.table.copy()
    for kind in (SKIN, UP, DOWN):
        histogram = _smooth(np.bincount(cells, beliefs[:, kind], len(table)).astype(np.float32))
        if kind == SKIN:
            histogram *= (colors.table[:, SKIN] / colors.table[:, SKIN].max())**.25
        if histogram.sum() >= MIN_PIXELS:
            table[:, kind] = .5 * table[:, kind] + .5 * (histogram / histogram.sum() + FLOOR)
    return GarmentColors(table, colors.skin, colors.face_seen)


def _shading(centres: np.ndarray, skin: tuple[float, float, float]) -> np.ndarray:
    """Skin in shadow is less colourful: its expected (a, b) goes down with L; in spreads, relative to the face."""
    gain = np.clip(centres[:, :1] / max(skin[0], 1), .5, 1.15) - 1
    return gain * np.float32(skin[1:]) / np.float32(SKIN_SPREAD[1:])


def _face_color(face: np.ndarray) -> tuple[tuple[float, float, float], bool]:
    """Median Lab of the face's skin-like pixels (no glasses, beard, hair)."""
    if len(face) >= MIN_PIXELS:
        lab = rgb8_to_lab(face)
        hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
        lab = lab[(np.abs(hue - 50) < 50) & (lab[:, 1:].max(-1) > 3) & (lab[:, 0] > 8)]
        if len(lab) >= MIN_PIXELS:
            bright = lab[lab[:, 0] >= np.percentile(lab[:, 0], 30)]
            return tuple(float(v) for v in np.median(bright, 0)), True
    return TYPICAL_SKIN, False


def _smooth(histogram: np.ndarray) -> np.ndarray:
    """Spread every count a little over the neighbouring cells (kernel 1, 2, 1 along L, a and b)."""
    cube = histogram.reshape(SHAPE)
    for axis in range(3):
        out = 2 * cube
        front, back = [slice(None)] * 3, [slice(None)] * 3
        front[axis], back[axis] = slice(1, None), slice(None, -1)
        out[tuple(front)] += cube[tuple(back)]
        out[tuple(back)] += cube[tuple(front)]
        cube = out / 4
    return cube.reshape(-1)


def _without_skin(histogram: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Take the colours of skin out of a histogram of clothes, unless little else is in it."""
    rest = histogram * (1 - SKIN_REMOVED * skin / skin.max())
    return rest if rest.sum() > .35 * histogram.sum() else histogram
