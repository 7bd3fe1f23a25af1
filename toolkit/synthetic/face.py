"""The face of an actor, painted once from the front and then laid over the head at any angle."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.synthetic.actors import Actor
from toolkit.synthetic.skeleton import HEAD_AXES

DENSITY = 600
"""Texels per meter the face is painted at."""
REACH = 1.1
"""The picture spans -1.1..1.1 half-axes of the head in both directions."""


@dataclass(frozen=True)
class Face:
    """A painted face.

    Attributes:
        picture: (h, w, 3) float32 RGB.
        fx: x in half-axes of the head is at column (x + REACH) * fx.
        fy: y is at row (REACH - y) * fy.
    """

    picture: np.ndarray
    fx: float
    fy: float


class _Painter:
    """Strokes in head coordinates: x to the person's left, y up, both in half-axes."""

    def __init__(self, actor: Actor) -> None:
        self.a, self.b = HEAD_AXES[0] * actor.height * DENSITY, HEAD_AXES[1] * actor.height * DENSITY
        self.height, self.width = int(2 * REACH * self.b), int(2 * REACH * self.a)
        self.picture = np.empty((self.height, self.width, 3), np.float32)
        self.picture[:] = actor.skin

    def place(self, points: list[tuple[float, float]]) -> np.ndarray:
        """Points to texels with 4 fractional bits, as OpenCV draws them."""
        return np.round([((REACH + x) * self.a * 16, (REACH - y) * self.b * 16) for x, y in points]).astype(np.int32)

    def blend(self, mask: np.ndarray, amount: float, color: np.ndarray | None, soft: float = 0.0) -> None:
        """Towards a color (None: black) by a mask in 0..255, blurred by ``soft`` meters."""
        if soft:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * DENSITY)
        weight = mask.astype(np.float32)[..., None] * (amount / 255)
        self.picture *= 1 - weight
        if color is not None:
            self.picture += weight * np.asarray(color, np.float32)

    def blot(self, x: float, y: float, rx: float, ry: float, amount: float, color: np.ndarray | None = None) -> None:
        """A soft ellipse."""
        mask = np.zeros((self.height, self.width), np.float32)
        (cx, cy), = self.place([(x, y)])
        cv2.ellipse(mask, (int(cx) // 16, int(cy) // 16), (max(int(rx * self.a), 1), max(int(ry * self.b), 1)), 0, 0, 360, 255.0, -1)
        self.blend(cv2.GaussianBlur(mask, (0, 0), max(min(rx * self.a, ry * self.b) * 0.6, 1.0)), amount, color)

    def polygon(self, points: list, amount: float, color: np.ndarray, soft: float = 0.0) -> np.ndarray:
        """A filled outline; returns its mask."""
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(mask, [self.place(points)], 255, cv2.LINE_AA, 4)
        self.blend(mask, amount, color, soft)
        return mask

    def line(self, points: list, meters: float, amount: float, color: np.ndarray, soft: float = 0.0) -> None:
        """An open line."""
        mask = np.zeros((self.height, self.width), np.uint8)
        cv2.polylines(mask, [self.place(points)], False, 255, max(round(meters * DENSITY), 1), cv2.LINE_AA, 4)
        self.blend(mask, amount, color, soft)


def paint_face(actor: Actor, density: float) -> Face:
    """Paint a face: the features pose networks look for, where the skeleton says they are.

    Args:
        actor: whose face.
        density: texels per meter of the result.
    """
    brush = _Painter(actor)
    skin, hair = np.array(actor.skin, np.float32), np.array(actor.hair, np.float32)
    flush = skin * np.array([1.04, .75, .72], np.float32)
    for side in (-1, 1):
        brush.blot(side * .42, .07, .32, .15, .30)
        brush.blot(side * .5, -.3, .22, .14, .22, flush)
    for spot in ((.10, -.2, .08, .22, .22), (0, -.42, .26, .07, .34), (0, -.85, .35, .12, .18)):
        brush.blot(*spot)
    brush.blot(0, -.26, .1, .1, .35, np.minimum(skin * 1.15, 255))
    for side in (-1, 1):
        brush.blot(side * .11, -.40, .06, .03, .6, skin * .4)
    if actor.stubble:
        _stubble(brush, hair)
    for side in (-1, 1):
        _eye(brush, side * .42, actor, hair)
    _mouth(brush, actor, skin)
    factor = min(density / DENSITY, 1.0)
    size = max(int(brush.width * factor), 8), max(int(brush.height * factor), 8)
    picture = cv2.resize(np.clip(brush.picture, 0, 255), size, interpolation=cv2.INTER_AREA)
    return Face(picture, size[0] / (2 * REACH), size[1] / (2 * REACH))


def _arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, n: int) -> list[tuple[float, float]]:
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in np.linspace(start, stop, n).tolist()]


def _eye(brush: _Painter, x: float, actor: Actor, hair: np.ndarray) -> None:
    white = _arc(x, .03, .2, .062, 0, math.pi, 12) + _arc(x, .03, .2, .05, math.pi, 2 * math.pi, 12)
    opening = brush.polygon(white, 1.0, np.array([234, 230, 226]))
    iris = np.zeros_like(opening)
    (cx, cy), = brush.place([(x, .035)])
    cv2.circle(iris, (int(cx), int(cy)), int(.0062 * DENSITY * 16), 255, -1, cv2.LINE_AA, 4)
    brush.blend(np.minimum(iris, opening), 1.0, np.array([62, 50, 40]))
    brush.line(_arc(x, .03, .23, .078, .15, math.pi - .15, 16), .0042, .9, hair * .4)
    brow = .0045 if actor.female else .0062
    brush.line(_arc(x * 1.05, .12, .27, .10, .35, math.pi - .3, 16), brow, .85, np.minimum(hair * .75, 90), .0015)


def _mouth(brush: _Painter, actor: Actor, skin: np.ndarray) -> None:
    lip = skin * np.array([.92, .5, .55] if actor.female else [.86, .58, .62], np.float32)
    upper = [(x, -.60 + .035 * math.cos(x * 9)) for x in np.linspace(-.3, .3, 14).tolist()]
    lower = [(x, -.62 - .085 * (1 - (x / .3)**2)) for x in np.linspace(.3, -.3, 14).tolist()]
    brush.polygon(upper + lower, .85, lip, .0015)
    brush.line([(x, -.62 + .01 * math.cos(x * 10)) for x in np.linspace(-.31, .31, 12).tolist()], .003, .7, lip * .45)


def _stubble(brush: _Painter, hair: np.ndarray) -> None:
    """A day's stubble on jaw and upper lip. (A full beard hides the face from small pose networks.)"""
    cheek = [(.2, -.46), (.50, -.46), (.80, -.30), (.98, -.1), (1.0, -1.0)]
    jaw = [(0, -.50), *cheek, *((-x, y) for x, y in reversed(cheek))]
    brush.polygon(jaw, .22, hair, .010)
