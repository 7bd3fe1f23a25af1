"""The head: ellipsoids met by parallel rays at any angle, so that turning it is smooth; hair as a shell with an edge."""

import copy
import math

import cv2
import numpy as np

from toolkit.synthetic.actors import Actor
from toolkit.synthetic.camera import FOCAL
from toolkit.synthetic.canvas import Canvas, Window, shading
from toolkit.synthetic.face import REACH, paint_face
from toolkit.synthetic.hair import COLUMNS, ROWS, STYLES, Ball, paint_hair
from toolkit.synthetic.skeleton import HEAD_AXES, Skeleton, head_rotation

SAMPLES = 2
"""Rays per pixel and axis."""
SKULL = Ball((0, 0, 0), (1, 1, 1))
NOSE = Ball((0, -.20, .90), (.15, .26, .25))
EARS = (Ball((-.99, -.10, -.05), (.13, .20, .22)), Ball((.99, -.10, -.05), (.13, .20, .22)))
HEAD_LABEL = 2


class _View:
    """Rays of a window in meters from the middle of the head, upright (the roll taken out)."""

    def __init__(self, window: Window, center: tuple[float, float], scale: float, roll: float) -> None:
        x0, y0, x1, y1 = window
        self.rows, self.columns = y1 - y0, x1 - x0
        self.pixel = 1 / (scale * SAMPLES)
        offset = (np.arange(SAMPLES, dtype=np.float32) + 0.5) / SAMPLES - 0.5
        right = ((np.arange(x0, x1, dtype=np.float32)[:, None] + offset).ravel() - center[0])[None] / scale
        up = (center[1] - (np.arange(y0, y1, dtype=np.float32)[:, None] + offset).ravel())[:, None] / scale
        cos, sin = math.cos(roll), math.sin(roll)
        self.x, self.y = right * cos - up * sin, right * sin + up * cos
        self.screen_x, self.screen_y = right, -up
        self.cos, self.sin = cos, sin

    def around(self, place: np.ndarray, reach: float) -> tuple[tuple[slice, slice], '_View'] | None:
        """The part of the view within ``reach`` meters of an upright point, and where it is in the view; None outside."""
        x, y = float(place[0]) * self.cos + float(place[1]) * self.sin, float(place[1]) * self.cos - float(place[0]) * self.sin
        columns = np.flatnonzero(np.abs(self.screen_x[0] - x) < reach)
        rows = np.flatnonzero(np.abs(self.screen_y[:, 0] + y) < reach)
        if not len(columns) or not len(rows):
            return None
        where = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        part = copy.copy(self)
        part.x, part.y = self.x[where], self.y[where]
        return where, part


class Head:
    """Paints the head of one actor.

    Args:
        actor: whose head.
        unit: pixels per pixel of the 384 rows reference.
    """

    def __init__(self, actor: Actor, unit: float) -> None:
        self.actor, self.axes = actor, HEAD_AXES * actor.height
        self.jaw = 0.22 if actor.female else 0.16
        self.face = paint_face(actor, FOCAL / 5 * unit * SAMPLES * 1.1)
        self.style = STYLES[actor.hair_style]
        self.hair = paint_hair(actor, self.style)
        self.skin = np.array(actor.skin, np.float32)

    def _window(self, canvas: Canvas, center: tuple[float, float], scale: float, up: float, down: float, side: float) -> Window | None:
        b = float(self.axes[1]) * scale
        return canvas.window(center[0] - side * b - 1, center[1] - up * b - 1, center[0] + side * b, center[1] + down * b)

    def _cast(self, ball: Ball, view: _View, rotation: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Meet an ellipsoid.

        Returns:
            depth towards the camera (meters), how far inside the outline (1 in the middle, 0 on it, negative outside), and the
            (3, ...) point on the unit sphere of the ellipsoid in head coordinates.
        """
        inverse = 1 / (np.array(ball.axes) * self.axes)
        matrix = (rotation.T * inverse[:, None]).tolist()
        start = (-np.array(ball.center) / np.array(ball.axes)).tolist()
        ray = [row[2] for row in matrix]
        square = sum(r * r for r in ray)
        origin = [row[0] * x + (row[1] * view.y + s) for row, s in zip(matrix, start)]
        along = origin[0] * ray[0] + origin[1] * ray[1] + origin[2] * ray[2]
        inside = along * along - square * (origin[0] * origin[0] + origin[1] * origin[1] + origin[2] * origin[2] - 1)
        depth = (np.sqrt(np.maximum(inside, 0)) - along) / square
        return depth, inside / square, np.stack([o + r * depth for o, r in zip(origin, ray)])

    def _coverage(self, inside: np.ndarray, view: _View, ball: Ball, rough: np.ndarray | float = 0.0) -> np.ndarray:
        """Soft outline from :meth:`_cast`'s inside measure."""
        radius = 0.5 * float(self.axes[0] * ball.axes[0] + self.axes[1] * ball.axes[1]) / view.pixel
        return np.clip((inside - rough) * (0.5 * radius) + 0.5, 0, 1)

    def _hair_at(self, sphere: np.ndarray) -> np.ndarray:
        """(h, w, 4) hair texture at points of its shell."""
        angle = cv2.phase(sphere[2], sphere[0], angleInDegrees=True)
        u, v = angle * (COLUMNS / 360), (1 - sphere[1]) * (ROWS / 2) - 0.5
        return cv2.remap(self.hair, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def paint(self, canvas: Canvas, skeleton: Skeleton, center: tuple[float, float], scale: float) -> None:
        """Paint the head with its hair.

        Args:
            canvas: where.
            skeleton: the pose.
            center: x, y of the middle of the head in pixels.
            scale: pixels per meter there.
        """
        top = 1.75 if self.style.knot else 1.4
        window = self._window(canvas, center, scale, top, 1.25, 1.15)
        if window is None:
            return
        view = _View(window, center, scale, skeleton.head_roll)
        rotation = head_rotation(skeleton.head_yaw, skeleton.head_pitch)
        color, alpha, front = self._skin(view, rotation)
        for ball in (self.style.knot, self.style.shell):
            if ball is not None:
                self._add_hair(ball, view, rotation, color, alpha, front)
        a, b = 1.14 * float(self.axes[0]), 1.14 * float(self.axes[1])
        nx, ny = np.clip(view.screen_x / a, -1, 1), np.clip(view.screen_y / b, -1, 1)
        nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0.02, 1))
        alpha_light = alpha * shading(nx, ny, nz, canvas.light)
        color *= cv2.merge((alpha_light, alpha_light, alpha_light))
        self._place(canvas, window, color, alpha, 0.45)

    def _place(self, canvas: Canvas, window: Window, color: np.ndarray, alpha: np.ndarray, contact: float) -> None:
        """Reduce the rays to pixels and paint; ``color`` is premultiplied."""
        size = window[2] - window[0], window[3] - window[1]
        alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        color = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
        color /= np.maximum(alpha, 1e-3)[..., None]
        np.minimum(alpha, 1, out=alpha)
        canvas.paint(window, color, alpha, HEAD_LABEL, None, contact)

    def _skin(self, view: _View, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Skull, nose and ears: color, coverage and depth."""
        low = np.clip(view.y * (-1 / float(self.axes[1])), 0, 1)
        tapered = view.x / (1 - self.jaw * low**2.2)
        front, inside, sphere = self._cast(SKULL, view, rotation, tapered)
        alpha = self._coverage(inside, view, SKULL)
        u, v = (sphere[0] + REACH) * self.face.fx - 0.5, (REACH - sphere[1]) * self.face.fy - 0.5
        color = cv2.remap(self.face.picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for ball, tint in ((NOSE, 1.0), (EARS[0], 0.84), (EARS[1], 0.84)):
            self._add_lump(ball, tint, view, rotation, color, alpha, front)
        return color, alpha, front

    def _add_lump(
        self, ball: Ball, tint: float, view: _View, rotation: np.ndarray, color: np.ndarray, alpha: np.ndarray,
        front: np.ndarray) -> None:
        """Add a small ellipsoid of skin where it stands out from what is there."""
        reach = float(max(np.array(ball.axes) * self.axes)) + 2 * view.pixel
        found = view.around(rotation @ (np.array(ball.center) * self.axes), reach)
        if found is None:
            return
        where, view = found
        color, alpha, front = color[where], alpha[where], front[where]
        depth, inside, _ = self._cast(ball, view, rotation, view.x)
        cover = self._coverage(inside, view, ball)
        cover *= (depth > front) | (alpha < 0.5)
        if ball is NOSE:
            cover *= np.clip((0.985 - alpha) * 40, 0, 1)
        self._over(color, alpha, self.skin * np.float32(tint), cover)

    def _add_hair(self, ball: Ball, view: _View, rotation: np.ndarray, color: np.ndarray, alpha: np.ndarray, front: np.ndarray) -> None:
        """Add a shell of hair with its edge and a soft shadow on the skin below it."""
        depth, inside, sphere = self._cast(ball, view, rotation, view.x)
        texture = self._hair_at(sphere)
        rough = 0.0
        if self.style.curl:
            rough = np.maximum(texture[..., 0] * (1 / max(self.actor.hair[0], 1)) - 1, -0.4) * (0.28 * self.style.curl)
        cover = self._coverage(inside, view, ball, rough)
        if ball is self.style.shell:
            cover *= texture[..., 3]
            shade = cv2.blur(cover, (2 * SAMPLES + 1, 3 * SAMPLES + 1 | 1))
            color *= (1 - 0.32 * shade * (1 - cover))[..., None]
        cover *= (depth > front) | (alpha < 0.5)
        self._over(color, alpha, texture[..., :3], cover)

    @staticmethod
    def _over(color: np.ndarray, alpha: np.ndarray, above: np.ndarray, cover: np.ndarray) -> None:
        """Lay ``above`` over a picture that is not premultiplied, in place."""
        both = alpha + cover - alpha * cover
        weight = cover / np.maximum(both, 1e-4)
        color += (above - color) * cv2.merge((weight, weight, weight))
        alpha[...] = both

    def paint_back(self, canvas: Canvas, skeleton: Skeleton, center: tuple[float, float], scale: float) -> None:
        """Paint the hair behind neck and shoulders, if the style has any; before the trunk. Arguments as in :meth:`paint`."""
        ball = self.style.back
        if ball is None:
            return
        window = self._window(canvas, center, scale, 1.3, 2.5, 2.2)
        if window is None:
            return
        view = _View(window, center, scale, 0.6 * skeleton.head_roll)
        rotation = head_rotation(skeleton.head_yaw, 0.4 * skeleton.head_pitch)
        _, inside, sphere = self._cast(ball, view, rotation, view.x)
        texture = self._hair_at(sphere)
        strand = texture[..., 0] * (1 / max(self.actor.hair[0], 1)) - 1
        end = (view.y * (1 / float(self.axes[1])) - self.style.back_end - 0.25 * strand) * (float(self.axes[1]) / view.pixel)
        alpha = self._coverage(inside, view, ball) * np.clip(end * 0.25 + 0.5, 0, 1)
        drop = np.clip(0.9 + 0.25 * view.y / float(self.axes[1]), 0.45, 0.85)
        color = texture[..., :3] * (alpha * drop)[..., None]
        self._place(canvas, window, np.ascontiguousarray(color), alpha, 0.0)
