"""Cloth: patterns, folds, weave; as tiles to wrap around limbs, and as one fitted piece for the front of a shirt."""

from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.synthetic.actors import Actor
from toolkit.synthetic.skeleton import FOREARM, THIGH, UPPER_ARM

DENSITY = 300
"""Texels per meter cloth is painted at."""
TILE = 0.6
SCREEN_DENSITY = 200
"""Texels per meter it is shown at, in frames of 384 rows."""


@dataclass(frozen=True)
class Cloth:
    """Attributes: tile (h, w, 3) float32 RGB in 0..255; density in texels per meter; repeats: whether it is a tile."""

    tile: np.ndarray
    density: float
    repeats: bool = True


def periodic_noise(generator: np.random.Generator, height: int, width: int, sigma_y: float, sigma_x: float) -> np.ndarray:
    """(height, width) float32 smooth noise of unit variance that repeats without a seam; sigmas in texels."""
    noise = np.tile(generator.standard_normal((height, width)).astype(np.float32), (3, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)[height:2 * height, width:2 * width]
    return noise / noise.std()


def folds(generator: np.random.Generator, height: int, width: int, strength: float) -> np.ndarray:
    """(height, width) float32 brightness of creased cloth, around 1, repeating."""
    relief = (0.8 * periodic_noise(generator, height, width, 22, 5) + 0.9 * periodic_noise(generator, height, width, 9, 12)
              + 0.35 * periodic_noise(generator, height, width, 4, 5))
    slope = -0.6 * (np.roll(relief, -2, 1) - np.roll(relief, 2, 1)) - 0.8 * (np.roll(relief, -2, 0) - np.roll(relief, 2, 0))
    return 1 + strength * np.tanh(slope / slope.std())


def _finish(tile: np.ndarray, unit: float, repeats: bool = True) -> Cloth:
    """Reduce a piece to the density it is seen at, so that sampling it does not alias."""
    factor = min(1.0, SCREEN_DENSITY * unit / DENSITY)
    size = max(round(tile.shape[1] * factor), 4), max(round(tile.shape[0] * factor), 4)
    tile = np.clip(tile, 0, 255).astype(np.float32)
    small = cv2.resize(tile, size, interpolation=cv2.INTER_AREA) if factor < 1 else tile
    return Cloth(np.ascontiguousarray(small), DENSITY * size[0] / tile.shape[1], repeats)


def plain(color: tuple, generator: np.random.Generator, unit: float, grain: float = 0.02) -> Cloth:
    """A tile of one color with a little mottling: skin, shoes."""
    side = 90
    tile = np.empty((side, side, 3), np.float32)
    tile[:] = color
    tile *= 1 + grain * periodic_noise(generator, side, side, 3, 3)[..., None]
    return _finish(tile, unit)


def strands(color: tuple, generator: np.random.Generator, unit: float) -> Cloth:
    """A tile of hair that runs down."""
    side = 90
    tile = np.empty((side, side, 3), np.float32)
    tile[:] = color
    tile *= 1 + (.16 * periodic_noise(generator, side, side, 14, 1.5) + .10 * periodic_noise(generator, side, side, 20, 4))[..., None]
    return _finish(tile, unit)


def _bend(tile: np.ndarray, generator: np.random.Generator, meters: float, strength: float) -> None:
    """Creases across a limb where it bends, ``meters`` below its upper end."""
    height, width = tile.shape[:2]
    creases = np.tanh(1.5 * periodic_noise(generator, height, width, 2.6, 11))
    near = np.exp(-((np.arange(height, dtype=np.float32) - meters * DENSITY) / (0.045 * DENSITY))**2)
    tile *= (1 - strength * near[:, None] * (0.45 - 0.75 * creases))[..., None]


def _shirt_tile(actor: Actor, generator: np.random.Generator) -> np.ndarray:
    side = int(TILE * DENSITY)
    base, second = np.array(actor.shirt, np.float32), np.array(actor.second, np.float32)
    tile = np.empty((side, side, 3), np.float32)
    tile[:] = base
    y, x = np.mgrid[:side, :side]
    if actor.pattern == 'stripes':
        tile[y // 10 % 3 == 0] = second
    elif actor.pattern == 'check':
        bands = (y // 9 % 2 * 0.5 + x // 9 % 2 * 0.5)[..., None]
        tile = (base + (0.75 * second - 0.9 * base) * bands * 0.8).astype(np.float32)
        tile[(y % 18 == 4) | (x % 18 == 4)] *= 0.6
        tile[(y % 18 == 4) | (x % 18 == 4)] += 60
    tile *= 1 + 0.03 * generator.standard_normal((side, side, 1)).astype(np.float32)
    return tile * folds(generator, side, side, 0.13)[..., None]


def sleeve_cloth(actor: Actor, unit: float) -> Cloth:
    """Tile of the shirt for the sleeves."""
    generator = actor.generator(2)
    tile = _shirt_tile(actor, generator)
    _bend(tile, generator, UPPER_ARM * actor.height, 0.20)
    if actor.sleeve > 1:
        cuff = int((UPPER_ARM + (actor.sleeve - 1.14) * FOREARM) * actor.height * DENSITY)
        tile[cuff:cuff + 3] *= 0.72
    return _finish(tile, unit)


def trouser_cloth(actor: Actor, unit: float) -> Cloth:
    """Tile of the trousers: vertical streaks of denim or twill, creased."""
    side, generator = int(TILE * DENSITY), actor.generator(3)
    tile = np.empty((side, side, 3), np.float32)
    tile[:] = actor.trousers
    tile *= 1 + 0.03 * generator.standard_normal((side, side, 1)).astype(np.float32)
    tile *= 1 + 0.05 * periodic_noise(generator, side, side, 6, 1.2)[..., None]
    tile *= folds(generator, side, side, 0.11)[..., None]
    _bend(tile, generator, THIGH * actor.height, 0.20)
    return _finish(tile, unit)


def shirt_cloth(actor: Actor, unit: float) -> Cloth:
    """The shirt's front: pattern, creases from armpits and waist, print or buttons. (0.9 m, 0.7 m), centered on the breastbone."""
    height, width = int(DENSITY * 0.9), int(DENSITY * 0.7)
    generator = actor.generator(4)
    piece = np.tile(_shirt_tile(actor, generator), (2, 2, 1))[:height, :width].copy()
    y, x = np.mgrid[:height, :width].astype(np.float32) / DENSITY
    x -= width / DENSITY / 2
    creases = np.zeros((height, width), np.float32)
    for side in (-1, 1):
        for k in range(5):
            dx, dy = (x - side * 0.17) * side, y - (0.10 + 0.1 * k)
            angle = 0.5 + 0.25 * k + 0.2 * generator.random()
            along, across = -dx * np.cos(angle) + dy * np.sin(angle), dx * np.sin(angle) + dy * np.cos(angle)
            creases += np.exp(-((along - 0.05) / 0.07)**2) * np.sin(across / 0.011) * np.exp(-(across / 0.02)**2)
    piece *= (1 + 0.16 * np.clip(creases, -1, 1))[..., None]
    if actor.pattern == 'print':
        _print(piece, actor)
    if actor.neckline == 'collar':
        _buttons(piece)
    return _finish(piece, unit, repeats=False)


def _print(piece: np.ndarray, actor: Actor) -> None:
    """A ring with a number and a bar on the chest."""
    height, width = piece.shape[:2]
    x, y = width // 2, int(height * 0.27)
    ink = np.zeros((height, width), np.uint8)
    cv2.circle(ink, (x, y), 30, 255, -1, cv2.LINE_AA)
    cv2.circle(ink, (x, y), 22, 0, -1, cv2.LINE_AA)
    cv2.putText(ink, f'{actor.index + 7:02d}', (x - 16, y + 9), cv2.FONT_HERSHEY_DUPLEX, 0.85, 255, 2, cv2.LINE_AA)
    cv2.rectangle(ink, (x - 34, y + 36), (x + 34, y + 41), 255, -1)
    amount = (ink / np.float32(255))[..., None]
    piece *= 1 - amount
    piece += amount * np.array(actor.second, np.float32)


def _buttons(piece: np.ndarray) -> None:
    """A placket down the middle, with buttons."""
    height, width = piece.shape[:2]
    x = width // 2
    piece[:, x - 4:x - 2] *= 0.72
    piece[:, x + 3:x + 4] *= 0.85
    for y in range(30, height, 26):
        cv2.circle(piece, (x, y), 2, (232, 230, 226), -1, cv2.LINE_AA)
