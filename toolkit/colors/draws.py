"""Drawing colors for clothes, and the record of a draw."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from toolkit.colors.gamut import colors_of, is_in_gamut
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError

ATTEMPTS = 64


@dataclass
class ColorDraw:
    """One color for one region of one frame or clip.

    Attributes:
        a, b: the color drawn, or the region's own where ``kept``.
        lightness: mean L of the region, which recoloring does not change.
        region: 'up' or 'down'.
        kept: the region keeps its own colors.
        realized: mean (a, b) of the region after recoloring and clipping to 8 bits; None before.
        frame: index of the frame, None for a whole clip.
        colorizer: name of the colorizer, None before.
    """

    a: float
    b: float
    lightness: float
    region: str
    kept: bool = False
    realized: tuple[float, float] | None = None
    frame: int | None = None
    colorizer: str | None = None

    def __post_init__(self):
        if self.region not in REGIONS:
            raise InputError(f"region of a color must be 'up' or 'down', got {self.region!r}")

    @property
    def ab(self) -> tuple[float, float]:
        return self.a, self.b


def hue_difference(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Angle between two colors (a, b) in degrees, in [0, 180]."""
    difference = math.degrees(math.atan2(first[1], first[0]) - math.atan2(second[1], second[0]))
    return abs((difference + 180) % 360 - 180)


@lru_cache(256)
def _choices(lightness: int, low: float, high: float) -> np.ndarray:
    """Colors of a lightness within a range of chroma, or the most colorful half where there is none, (N, 2)."""
    colors = colors_of(lightness)
    chroma = np.hypot(colors[:, 0], colors[:, 1])
    inside = (chroma >= low) & (chroma <= high)
    return colors[inside if inside.any() else (chroma <= high) & (chroma >= min(np.median(chroma), high))]


def draw_color(rng: np.random.Generator, lightness: float, chroma: tuple[float, float] = (10, 80), keep: float = .1,
               avoid: Iterable[tuple[float, float]] = (), hue_gap: float = 10.) -> tuple[int, int] | None:
    """Draw a color that sRGB can show at a lightness, uniformly on the integer grid [-110, 110]^2 of (a, b).

    Args:
        rng: random generator; the same number of draws is taken from it whether the color is kept or not.
        lightness: mean L of the region.
        chroma: range of sqrt(a^2 + b^2). At a lightness that shows no color of this range (nearly black, nearly white) the most
            colorful half of what there is takes its place.
        keep: probability of keeping the original color.
        avoid: colors whose hues are not to be drawn again, for balanced sets.
        hue_gap: degrees around them.

    Returns:
        (a, b), or None to keep the original color.

    Raises:
        InputError: the chroma range is empty.
    """
    low, high = chroma
    if not 0 <= low <= high:
        raise InputError(f'chroma must be a range 0 <= low <= high, got {chroma}')
    kept, numbers = rng.random() < keep, rng.random(ATTEMPTS)
    if kept:
        return None
    lightness = float(np.clip(lightness, 0, 100))
    colors, avoid = _choices(round(lightness), low, high), list(avoid)
    choice = None
    for number in numbers:
        candidate = tuple(int(v) for v in colors[int(number * len(colors))])
        if is_in_gamut(lightness, *candidate):
            choice = candidate
            if all(hue_difference(candidate, other) >= hue_gap for other in avoid):
                break
    return choice
