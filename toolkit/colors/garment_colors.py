"""What a person's skin, hair, shoes and clothes look like: color histograms learned from the frames at hand.

Six classes share one likelihood table over coarse Lab cells; an 8-bit RGB pixel finds its cell by one look-up. Nothing is trained:
the seeds are the face, the head around it, the trunk, the legs, the feet and the surroundings of this very person.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from toolkit.colors.lab_uint8 import rgb8_to_lab

CLASSES = ('skin', 'hair', 'shoe', 'background', 'up', 'down')
SKIN, HAIR, SHOE, BACKGROUND, UP, DOWN = range(len(CLASSES))
SHAPE = (16, 48, 51)
"""Cells along L, a, b: 6.25, 4 and 4 units."""
_START, _SIZE = np.array([0, -90, -108], np.float32), np.array([6.25, 4, 4], np.float32)
FLOOR = 2e-5
"""Likelihood of a cell that no seed has; about a uniform color over the gamut."""
TYPICAL_SKIN = (60., 14., 17.)
SKIN_SPREAD = (16., 4.5, 5.5)
"""Standard deviation in L, a and b of skin around its own color, from light and shadow."""
TYPICAL_SPREAD = (22., 7., 8.)
SKIN_REMOVED = .8
"""Share of pixels with just the color of skin that are taken out of the seeds of clothes."""
MIN_PIXELS = 12


@lru_cache(1)
def _cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells that sRGB reaches.

    Returns:
        Cell of each of 32^3 RGB colors (32768,) int64; place of each cell in the cube of all (cells,); Lab centers (3, cells).
    """
    levels = (np.arange(32) * 8 + 4).astype(np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing='ij'), -1).reshape(-1, 3)
    index = np.clip((rgb8_to_lab(rgb) - _START) / _SIZE, 0, np.array(SHAPE) - 1).astype(np.int64)
    places, cell = np.unique(np.ravel_multi_index(index.T, SHAPE), return_inverse=True)
    centers = _START[:, None] + (np.stack(np.unravel_index(places, SHAPE)) + np.float32(.5)) * _SIZE[:, None]
    return cell.reshape(-1), places, centers.astype(np.float32)


def color_cells(rgb: np.ndarray) -> np.ndarray:
    """Color cell of each pixel (..., 3) uint8: (...) int64, index into the columns of :attr:`GarmentColors.table`."""
    r, g, b = (channel.astype(np.int64) for channel in np.ascontiguousarray(rgb.reshape(-1, 3).T) >> 3)
    return _cells()[0].take((r << 10) | (g << 5) | b).reshape(rgb.shape[:-1])


@dataclass
class GarmentColors:
    """Color likelihoods of the classes of one person in one clip.

    Attributes:
        table: (6, cells) float32, likelihood of each color cell under each of :data:`CLASSES`.
        skin: L, a, b of the face, or of typical skin where no face was seen.
        face_seen: whether it was.
    """

    table: np.ndarray
    skin: tuple[float, float, float]
    face_seen: bool

    def likelihood(self, rgb: np.ndarray) -> np.ndarray:
        """(..., 3) uint8 -> (6, ...) float32."""
        return self.table.take(color_cells(rgb), 1)


def learn_colors(seeds: dict[int, np.ndarray], face: np.ndarray) -> GarmentColors:
    """Make a first table from pixels that mostly belong to their classes.

    Args:
        seeds: class -> (N, 3) uint8 RGB. Skin that lies among the pixels of clothes is taken out of them, unless it is most of them:
            then the clothes have the color of skin.
        face: (N, 3) uint8 pixels of the face, may be empty.
    """
    skin, seen = _face_color(face)
    density = _skin_density(skin, SKIN_SPREAD if seen else TYPICAL_SPREAD)
    table = np.full((len(CLASSES), len(density)), FLOOR, np.float32)
    table[SKIN] += density / density.sum()
    for kind, pixels in seeds.items():
        if len(pixels) >= MIN_PIXELS:
            histogram = _smooth(np.bincount(color_cells(pixels), minlength=len(density)).astype(np.float32))
            if kind in (UP, DOWN):
                histogram = _without_skin(histogram, table[SKIN])
            table[kind] += histogram / histogram.sum()
    return GarmentColors(table, skin, seen)


def refine_colors(colors: GarmentColors, cells: np.ndarray, beliefs: np.ndarray) -> GarmentColors:
    """Learn again from pixels that were told apart with a first table: bare arms add to skin, sleeves to the upper garment.

    Args:
        colors: the first table.
        cells: (N,) int64 color cells of the person's pixels.
        beliefs: (6, N) float32 class probabilities, lower where the place alone would say otherwise.

    Returns:
        A table half of which is the first one. Skin is learned only near its first color.
    """
    table = colors.table.copy()
    for kind in (SKIN, UP, DOWN):
        histogram = _smooth(np.bincount(cells, beliefs[kind], table.shape[1]).astype(np.float32))
        if kind == SKIN:
            histogram *= (colors.table[SKIN] / colors.table[SKIN].max())**.25
        if histogram.sum() >= MIN_PIXELS:
            table[kind] = .5 * table[kind] + .5 * (histogram / histogram.sum() + FLOOR)
    return GarmentColors(table, colors.skin, colors.face_seen)


def _skin_density(skin: tuple[float, float, float], spread: tuple[float, float, float]) -> np.ndarray:
    """Gaussian round the skin's color; skin in shadow is less colorful, so its expected (a, b) goes down with L. (cells,)."""
    centers = _cells()[2]
    gain = np.clip(centers[0] / np.float32(max(skin[0], 1)), .5, 1.15)
    away = [(centers[0] - skin[0]) / spread[0], (centers[1] - gain * skin[1]) / spread[1], (centers[2] - gain * skin[2]) / spread[2]]
    return np.exp(-.5 * sum(d * d for d in away)).astype(np.float32)


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
    """Spread every count a little over the neighboring cells (kernel 1, 2, 1 along L, a and b)."""
    places = _cells()[1]
    cube = np.zeros(SHAPE, np.float32)
    cube.reshape(-1)[places] = histogram
    kernel, one = np.float32([.25, .5, .25]), np.ones(1, np.float32)
    cube = cv2.sepFilter2D(cube, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    cube = cv2.sepFilter2D(cube.reshape(-1, SHAPE[2]), -1, kernel, one, borderType=cv2.BORDER_CONSTANT)
    return cube.take(places)


def _without_skin(histogram: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Take the colors of skin out of a histogram of clothes, unless little else is in it."""
    rest = histogram * (1 - SKIN_REMOVED * skin / skin.max())
    return rest if rest.sum() > .35 * histogram.sum() else histogram
