"""Hair: where it grows, how far it stands off, its strands."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.synthetic.actors import Actor
from toolkit.synthetic.clothes import periodic_noise

ROWS, COLUMNS = 144, 288


@dataclass(frozen=True)
class Ball:
    """An ellipsoid of hair in half-axes of the head: ``center`` and ``axes``."""

    center: tuple[float, float, float]
    axes: tuple[float, float, float]


@dataclass(frozen=True)
class Style:
    """A haircut.

    Attributes:
        shell: the hair around the head.
        line: (azimuth in degrees from the face, height on the shell in -1..1) of the lower edge, for the person's left.
        other: the same for the right, where it differs.
        ragged: height of the teeth of that edge.
        curl: roughness of the outline, 0..1.
        part: leaning of the strands off the vertical.
        knot: a bun.
        back: a mass of hair behind the neck.
        back_end: height in half-axes where that mass ends.
        locks: strands in front of the shoulders.
    """

    shell: Ball
    line: tuple[tuple[float, float], ...]
    other: tuple[tuple[float, float], ...] | None = None
    ragged: float = 0.05
    curl: float = 0.0
    part: float = 0.3
    knot: Ball | None = None
    back: Ball | None = None
    back_end: float = -1.0
    locks: bool = False


_SIDES = ((56, .40), (64, .10), (72, -.12), (80, -.20), (86, .02), (104, .02), (116, -.35), (140, -.58), (180, -.62))
_LONG_SIDES = ((52, .32), (62, -.02), (70, -.50), (80, -1.0), (180, -1.0))
STYLES = {
    'short': Style(Ball((0, .06, -.06), (1.09, 1.08, 1.10)), ((0, .62), (22, .58), (42, .56), *_SIDES), ragged=.06, part=.5),
    'swept': Style(Ball((0, .09, -.05), (1.10, 1.11, 1.12)), ((0, .50), (20, .42), (40, .36), *_SIDES),
                   ((0, .50), (16, .58), (34, .66), (46, .58), *_SIDES), ragged=.07, part=1.1),
    'crop': Style(Ball((0, .03, -.05), (1.045, 1.05, 1.06)), ((0, .60), (26, .60), (46, .52), *_SIDES), ragged=.03, part=.1),
    'curly': Style(Ball((0, .14, -.10), (1.22, 1.17, 1.24)), ((0, .50), (26, .50), (46, .44), *_SIDES), ragged=.10, curl=1.0, part=.2),
    'long': Style(Ball((0, .05, -.08), (1.15, 1.10, 1.16)), ((0, .66), (14, .62), (30, .50), *_LONG_SIDES), ragged=.05, part=.25,
                  back=Ball((0, -.85, -.45), (1.22, 1.75, .75)), back_end=-2.3, locks=True),
    'bob': Style(Ball((0, .04, -.08), (1.17, 1.09, 1.18)), ((0, .40), (22, .40), (38, .34), *_LONG_SIDES), ragged=.05, part=.05,
                 back=Ball((0, -.42, -.35), (1.24, 1.35, .85)), back_end=-1.22),
    'bun': Style(Ball((0, .05, -.06), (1.07, 1.07, 1.10)), ((0, .64), (26, .60), (46, .50), *_SIDES), ragged=.03, part=.7,
                 knot=Ball((0, 1.18, -.35), (.50, .36, .50))),
    'ponytail': Style(Ball((0, .05, -.06), (1.08, 1.08, 1.10)), ((0, .62), (26, .60), (46, .52), *_SIDES), ragged=.04, part=.8,
                      back=Ball((.25, -.95, -1.0), (.62, 1.25, .45)), back_end=-2.15),
}


def paint_hair(actor: Actor, style: Style) -> np.ndarray:
    """Paint the hair all around the head.

    Args:
        actor: whose hair.
        style: the haircut.

    Returns:
        (ROWS, COLUMNS, 4) float32: RGB in 0..255 and density in 0..1 over the height on the shell (1 at the top row, -1 at the bottom)
        and the azimuth (0 the face, then to the person's left).
    """
    generator = actor.generator(5)
    azimuth = np.arange(COLUMNS, dtype=np.float32) * (360 / COLUMNS)
    folded = np.minimum(azimuth, 360 - azimuth)
    left, right = (np.interp(folded, *zip(*line)) for line in (style.line, style.other or style.line))
    edge = np.where(azimuth <= 180, left, right).astype(np.float32)
    teeth = periodic_noise(generator, 1, COLUMNS, 0.5, 3.0)[0]
    edge += style.ragged * (teeth + 0.5 * periodic_noise(generator, 1, COLUMNS, 0.5, 1.2)[0])
    height = 1 - 2 * (np.arange(ROWS, dtype=np.float32)[:, None] + 0.5) / ROWS
    softness = 0.06 + 0.03 * style.curl
    density = np.clip((height - edge) / softness + 0.5, 0, 1)
    density[height[:, 0] < -0.97] *= 0.0 if style.back is None else 1.0
    strands = _strands(generator, style)
    gloss = np.exp(-((height - 0.62 - 0.04 * teeth) / 0.14)**2) * (0.28 if style.curl < 0.5 else 0.10)
    base = np.array(actor.hair, np.float32)
    brightness = 1 + 0.20 * strands + gloss
    root = 1 - 0.25 * np.clip(1 - (height - edge) / 0.25, 0, 1) * (0.5 + 0.5 * np.tanh(strands))
    color = base * (brightness * root)[..., None] + (10 * np.clip(strands + .3, 0, 2) + 18 * gloss)[..., None]
    return np.dstack([np.clip(color, 0, 255), density]).astype(np.float32)


def _strands(generator: np.random.Generator, style: Style) -> np.ndarray:
    """(ROWS, COLUMNS) noise drawn out along the strands; curls are round."""
    if style.curl > 0.5:
        return 0.7 * periodic_noise(generator, ROWS, COLUMNS, 3.0, 3.0) + 0.7 * periodic_noise(generator, ROWS, COLUMNS, 1.5, 1.5)
    straight = 0.75 * periodic_noise(generator, ROWS, COLUMNS, 14, 1.3) + 0.6 * periodic_noise(generator, ROWS, COLUMNS, 22, 4)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    lean = style.part * 26 * np.sin(2 * math.pi * x / COLUMNS + 0.6) * (1 - y / ROWS)
    return cv2.remap(straight, x + lean, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
