"""The room of an actor: wall, floor, light and a few things that stand about. Painted once."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.skeletons import scale_points
from toolkit.synthetic.camera import REFERENCE_HEIGHT, Camera
from toolkit.synthetic.clothes import periodic_noise

ROOMS = ('furnished', 'plain')
WALLS = ((210, 205, 196), (182, 192, 180), (196, 203, 209), (206, 192, 182), (200, 198, 204), (212, 200, 172))
DARK_WALLS = ((128, 142, 156), (140, 148, 130))
FLOORS = ((168, 128, 92), (146, 112, 82), (126, 100, 80), (178, 150, 118))
OVERSAMPLE = 2
WALL_ROW = 314
"""Row of the foot of the wall, in frames of 384 rows."""


class _Brush:
    """Boxes and shadows in units of the 384 rows reference, x from the left edge, on a picture twice as fine as the frame."""

    def __init__(self, picture: np.ndarray, zoom: float) -> None:
        self.picture, self.zoom = picture, zoom
        self.width = picture.shape[1] / zoom

    def box(self, x0: float, y0: float, x1: float, y1: float, color: tuple) -> None:
        cv2.rectangle(self.picture, self._at(x0, y0), tuple(v - 1 for v in self._at(x1, y1)), [float(c) for c in color], -1)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return int(round(x * self.zoom)), int(round(y * self.zoom))

    def shadow(self, x0: float, y0: float, x1: float, y1: float, amount: float = .25, soft: float = 3.0) -> None:
        mask = np.zeros(self.picture.shape[:2], np.float32)
        cv2.rectangle(mask, self._at(x0, y0), self._at(x1, y1), amount, -1)
        self.picture *= (1 - cv2.GaussianBlur(mask, (0, 0), max(soft * self.zoom, 0.5)))[..., None]

    def ellipse(self, x: float, y: float, rx: float, ry: float, angle: float, color: tuple) -> None:
        axes = max(int(rx * self.zoom), 1), max(int(ry * self.zoom), 1)
        cv2.ellipse(self.picture, self._at(x, y), axes, angle, 0, 360, [float(c) for c in color], -1, cv2.LINE_AA)

    def polygon(self, points: list, color: tuple) -> None:
        cv2.fillPoly(self.picture, [np.round(np.array(points) * self.zoom).astype(np.int32)], [float(c) for c in color], cv2.LINE_AA)


def paint_room(camera: Camera, index: int, seed: int, dark: bool = False, room: str = 'furnished',
               wall: Sequence[float] | None = None, floor: Sequence[float] | None = None) -> np.ndarray:
    """Paint the background of a clip.

    Args:
        camera: the view, for its size and the perspective of the floor.
        index: which room; neighbors look different.
        seed: of everything random in it.
        dark: a darker wall, for people in light clothes.
        room: one of :data:`ROOMS`: 'furnished', or 'plain', a smooth wall without floor or things, as in a studio.
        wall, floor: RGB in 0..255; by default those of the room's number.

    Returns:
        (H, W, 3) float32 RGB in 0..255.
    """
    if any(camera.shift):
        return _moved(camera, index, seed, dark, room, wall, floor)
    generator = np.random.default_rng((seed, index, 500))
    height, width = camera.height * OVERSAMPLE, camera.width * OVERSAMPLE
    zoom = camera.unit * OVERSAMPLE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = wall or (DARK_WALLS[index % len(DARK_WALLS)] if dark else WALLS[index % len(WALLS)])
    picture *= (1.06 - .22 * (x / width) - .10 * (y / height))[..., None]
    if room == 'plain':
        return cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    picture *= (1 + .012 * periodic_noise(generator, height, width, max(zoom, .6), max(zoom, .6)))[..., None]
    _floor(picture, camera, x, y, zoom, index, generator, floor or FLOORS[index // 2 % len(FLOORS)])
    brush = _Brush(picture, zoom)
    foot = WALL_ROW
    brush.box(0, foot - 9, brush.width, foot, (206, 202, 197))
    brush.box(0, foot - 9, brush.width, foot - 8, (168, 165, 160))
    brush.box(0, foot - 1, brush.width, foot, (112, 106, 100))
    if index % 3 != 1:
        _window(brush)
    if index % 3 != 2:
        _painting(brush, generator)
    (_shelf, _sofa, _plant)[index % 3](brush, generator)
    if index % 4 == 3:
        _lamp(brush)
    if index % 2 == 1:
        picture = picture[:, ::-1]
    picture = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), max(.65 * zoom, .3))
    return np.clip(cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA), 0, 255)


def _moved(camera, index, seed, dark, room, wall, floor) -> np.ndarray:
    """The view of a moved camera: a larger room, of which a part is seen; the wall goes on above it."""
    x, y = (round(v) for v in camera.shift)
    rows, columns = camera.height + max(-y, 0), camera.width + 2 * abs(x)
    whole = paint_room(Camera(rows, columns, zoom=camera.unit * REFERENCE_HEIGHT / rows), index, seed, dark, room, wall, floor)
    left = abs(x) - x
    seen = whole[max(-y, 0):max(-y, 0) + camera.height, left:left + camera.width]
    return np.ascontiguousarray(np.pad(seen, ((max(y, 0), 0), (0, 0), (0, 0)), 'edge')[:camera.height])


def _floor(picture, camera, x, y, zoom, index, generator, tone) -> None:
    """Planks in perspective; a rug in some rooms."""
    top = int(WALL_ROW * zoom)
    if top >= picture.shape[0]:
        return
    x, y = scale_points(x[top:], 1 / OVERSAMPLE), scale_points(y[top:], 1 / OVERSAMPLE)
    depth = camera.focal / np.maximum(y - camera.horizon, 1)
    across = (x - camera.center_x) * depth / camera.focal
    plank = np.floor(across / .14)
    jitter = np.mod(np.sin(plank * 12.9898 + index) * 43758.5453, 1)
    end = np.abs(np.mod(depth + jitter * 1.2, 1.2) - .6) > .59
    seam = np.abs(np.mod(across / .14, 1) - .5) > .47
    grain = periodic_noise(generator, *x.shape, 1.2 * max(zoom / 2, .5), 8 * max(zoom / 2, .3))
    floor = np.array(tone, np.float32) * (.9 + .18 * jitter)[..., None]
    floor *= ((1 + .04 * grain) * (1 - .3 * (seam | end)) * (1.06 - .18 * (x / camera.width)))[..., None]
    if index % 5 == 4:
        inside = np.maximum(np.abs(across) / 1.0, np.abs(depth - 5.0) / .75)
        rug = np.array((134, 104, 92), np.float32) * (1 + .05 * grain)[..., None]
        rug[(inside > .86) & (inside < .93)] *= .75
        cover = np.clip((1 - inside) * 40, 0, 1)[..., None]
        floor += (rug - floor) * cover
    picture[top:] = floor


def _window(brush: _Brush) -> None:
    brush.shadow(6, 42, 70, 170)
    brush.box(4, 36, 66, 164, (230, 228, 225))
    for x0, x1 in ((8, 33), (37, 62)):
        for row in range(40, 160):
            hill = min(max((row - 112 - 6 * math.sin(x0)) / 40, 0), 1)
            sky = np.array((204, 222, 236)) + (row - 40) / 8
            brush.box(x0, row, x1, row + 1, tuple(sky * (1 - .4 * hill) + np.array((134, 164, 122)) * .4 * hill))
    brush.box(8, 95, 62, 98, (226, 224, 221))


def _painting(brush: _Brush, generator: np.random.Generator) -> None:
    """A framed landscape: sky, sun, hills."""
    right = brush.width
    brush.shadow(right - 60, 60, right - 12, 122)
    brush.box(right - 64, 54, right - 16, 116, (90, 70, 60))
    brush.box(right - 60, 58, right - 20, 112, (228, 226, 222))
    left, top = right - 54, 64
    sky = generator.uniform((150, 170, 180), (235, 205, 225))
    brush.box(left, top, left + 28, top + 42, tuple(sky))
    brush.ellipse(left + generator.uniform(6, 22), top + generator.uniform(7, 14), 3, 3, 0, (244, 222, 150))
    for k in range(3):
        xs = np.linspace(0, 28, 15)
        ridge = top + 18 + 8 * k + 4 * np.sin(xs / generator.uniform(3, 7) + generator.uniform(0, 6))
        color = sky * (.75 - .18 * k) + generator.uniform(-25, 25, 3)
        outline = [(left, top + 42), *zip((left + xs).tolist(), ridge.tolist()), (left + 28, top + 42)]
        brush.polygon(outline, tuple(np.clip(color, 20, 230)))


def _shelf(brush: _Brush, generator: np.random.Generator) -> None:
    right = brush.width
    brush.shadow(right - 48, 196, right + 4, 318, .3)
    brush.box(right - 50, 190, right, 312, (128, 98, 70))
    for level in range(3):
        base = 224 + 38 * level
        brush.box(right - 46, base - 28, right, base, (86, 66, 48))
        x = right - 45
        while x < right - 6:
            wide, tall = int(generator.integers(3, 7)), int(generator.integers(17, 26))
            tone = generator.uniform(50, 190) + generator.uniform(-50, 50, 3)
            brush.box(x, base - tall, x + wide, base, tuple(np.clip(tone, 30, 215)))
            x += wide + .7


def _sofa(brush: _Brush, generator: np.random.Generator) -> None:
    tone = np.array(((84, 96, 112), (122, 92, 84), (96, 110, 92))[int(generator.integers(3))], float)
    brush.shadow(-10, 250, 74, 330, .35)
    brush.box(0, 246, 66, 306, tuple(tone))
    brush.box(0, 276, 70, 312, tuple(tone * 1.12))
    brush.box(0, 275, 70, 277, tuple(tone * .7))
    brush.box(64, 264, 74, 316, tuple(tone * .93))
    for x in (2, 62):
        brush.box(x, 312, x + 4, 320, (70, 60, 50))
    brush.polygon([(8, 258), (32, 250), (38, 274), (12, 276)], (200, 176, 120))


def _plant(brush: _Brush, generator: np.random.Generator) -> None:
    right = brush.width
    brush.shadow(right - 42, 290, right, 332, .35)
    brush.polygon([(right - 38, 286), (right - 10, 286), (right - 14, 326), (right - 34, 326)], (170, 110, 90))
    brush.box(right - 39, 284, right - 9, 289, (184, 122, 100))
    for _ in range(46):
        angle, reach = generator.uniform(-2.6, -.5), generator.uniform(25, 80)
        x, y = right - 24 + reach * math.cos(angle) * .6, 286 + reach * math.sin(angle)
        green = (int(50 + generator.integers(30)), int(90 + generator.integers(60)), int(50 + generator.integers(20)))
        brush.ellipse(x, y, 11, 3.6, math.degrees(angle) + generator.uniform(-50, 50), green)


def _lamp(brush: _Brush) -> None:
    """A floor lamp at the left edge, and its glow on the wall."""
    rows, columns = brush.picture.shape[:2]
    y, x = np.mgrid[:rows, :columns].astype(np.float32) / brush.zoom
    glow = np.exp(-(((x - 26) / 46)**2 + ((y - 150) / 60)**2))
    brush.picture *= 1 + .14 * glow[..., None] * np.array((1.0, .92, .7), np.float32)
    brush.box(25, 168, 27, 322, (70, 66, 64))
    brush.ellipse(26, 323, 11, 3, 0, (62, 58, 56))
    brush.polygon([(15, 140), (37, 140), (43, 170), (9, 170)], (232, 214, 172))
