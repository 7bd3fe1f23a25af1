"""Actors, cameras, lights and rooms by chance, for training on many people: thirteen named actors before one camera are too alike."""

import colorsys
import math
from dataclasses import dataclass, replace

import numpy as np

from toolkit.synthetic.actors import BRIGHTEST_HAIR, DARKEST_SHIRT, HAIRS, MEN_HAIR, PATTERNS, SKINS, WOMEN_HAIR, Actor
from toolkit.synthetic.canvas import LIGHT

SALT = 90
WHOLE, PART = (0.85, 1.03), (1.0, 1.9)
"""Smallest and largest zoom of cameras that show the whole body, and of the others."""
HEAD_ROW, FOOT_ROW = 112, 368
"""Rows of the top of a tall head and of the foot before the camera as it stands by default, of 384."""


@dataclass(frozen=True)
class View:
    """How a clip is filmed.

    Attributes:
        zoom: size of everything; 1 is the default camera.
        shift: (x, y) by which the picture is moved to the right and down, in pixels of frames of 384 rows.
        light: (3,) unit vector to the light: x right, y down, z to the camera.
        wall, floor: RGB in 0..255; None for those of the room.
    """

    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    light: tuple[float, float, float] = LIGHT
    wall: tuple[float, float, float] | None = None
    floor: tuple[float, float, float] | None = None


def drawn_view(index: int, seed: int) -> View:
    """A camera, a light and a room of chance.

    Half of the cameras show the whole body, the others from about the head to the knees or the hips.

    Args:
        index: number of the actor.
        seed: of the people.
    """
    rng = np.random.default_rng((seed, index, SALT))
    zoom = math.exp(rng.uniform(*np.log(WHOLE if index % 2 else PART)))
    lowest = 384 - FOOT_ROW * zoom
    top = rng.uniform(0, lowest) if lowest > 0 else rng.uniform(20, 70) - HEAD_ROW * zoom
    side, height = rng.uniform(-1, 1), rng.uniform(-.9, -.1)
    light = np.array((.8 * side, height, rng.uniform(.4, .9)))
    return View(zoom, (rng.uniform(-18, 18), top), tuple((light / np.linalg.norm(light)).tolist()), _hue(rng, .35, (.3, .95)),
                _hue(rng, .5, (.25, .75)))


def vary(actor: Actor, seed: int) -> Actor:
    """An actor with a body, skin, hair and clothes of chance; the rules of :func:`toolkit.synthetic.actors.make_actor` hold."""
    rng = np.random.default_rng((seed, actor.index, SALT + 1))
    shirt, second, trousers, shoes = (_hue(rng, chroma, light) for chroma, light in (
        (.9, (.25, .95)), (.9, (.25, .95)), (.6, (.2, .8)), (.6, (.15, .95))))
    a, b = (SKINS[i] for i in rng.integers(len(SKINS), size=2))
    mix = rng.random()
    skin = tuple(round(x + (y - x) * mix) for x, y in zip(a, b))
    hair = HAIRS[rng.integers(len(HAIRS))]
    if sum(hair) > BRIGHTEST_HAIR * sum(skin):
        hair = HAIRS[3]
    sleeve = float(rng.choice((.5, .6, .9, 1.3, 1.9, 1.94)))
    pattern = PATTERNS[rng.integers(len(PATTERNS))]
    neckline = 'collar' if sleeve > 1.8 and pattern in ('plain', 'check') else actor.neckline
    return replace(
        actor, height=rng.uniform(1.5, 1.9), girth=rng.uniform(.88, 1.25), limbs=rng.uniform(.9, 1.1), legs=rng.uniform(.95, 1.05),
        arms=rng.uniform(.94, 1.08), shoulders=rng.uniform(.93, 1.08), skin=skin, hair=hair,
        shirt=tuple(max(c, DARKEST_SHIRT) for c in shirt), second=second, trousers=trousers, shoes=shoes, pattern=pattern,
        sleeve=sleeve, shorts=rng.random() < .25, neckline=neckline,
        hair_style=str(rng.choice(WOMEN_HAIR if actor.female else MEN_HAIR)))


def _hue(rng: np.random.Generator, chroma: float, light: tuple[float, float]) -> tuple[int, int, int]:
    """RGB in 0..255 of any hue, a saturation up to ``chroma`` and a value within ``light``."""
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(rng.random(), chroma * rng.random(), rng.uniform(*light)))
