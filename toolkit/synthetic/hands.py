"""Hands: small pictures, open and closed, that turn with the forearm."""

import math

import cv2
import numpy as np

from toolkit.synthetic.actors import Actor
from toolkit.synthetic.camera import FOCAL, Camera
from toolkit.synthetic.canvas import Canvas, shading

DENSITY = 1000
FINGERS = ((-.026, .150), (-.009, .170), (.009, .163), (.026, .136))
"""Sideways place and reach of the finger tips, meters."""


class Hands:
    """Paints the hands of one actor.

    Args:
        actor: whose hands.
        unit: pixels per pixel of the 384 rows reference.
    """

    def __init__(self, actor: Actor, unit: float) -> None:
        self.size = actor.height
        self.density = min(FOCAL / 5 * unit * 1.35, DENSITY)
        factor = self.density / DENSITY
        open_hand, fist = (cv2.resize(self._draw(actor, closed), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
                           for closed in (False, True))
        self.pictures = open_hand, fist
        self.wrist = 0.08 * self.density, 0.03 * self.density

    @staticmethod
    def _draw(actor: Actor, closed: bool) -> np.ndarray:
        """(260, 160, 4) float32: premultiplied RGB and coverage; the wrist at (80, 30), fingers down, the thumb on the left."""
        size = DENSITY * actor.stature * (.92 if actor.female else 1.0)
        mask = np.zeros((260, 160), np.uint8)

        def spot(x: float, y: float) -> tuple[int, int]:
            return int(80 + x * size), int(30 + y * size)

        def finger(x0: float, y0: float, x1: float, y1: float, radius: float) -> None:
            cv2.line(mask, spot(x0, y0), spot(x1, y1), 255, int(2 * radius * size), cv2.LINE_AA)

        finger(0, -.012, 0, .05, .026)
        if closed:
            cv2.ellipse(mask, spot(0, .05), (int(.045 * size), int(.055 * size)), 0, 0, 360, 255, -1, cv2.LINE_AA)
            finger(-.03, .03, -.03, .07, .014)
        else:
            cv2.ellipse(mask, spot(0, .05), (int(.038 * size), int(.054 * size)), 0, 0, 360, 255, -1, cv2.LINE_AA)
            for x, reach in FINGERS:
                finger(x, .075, x * 1.3, reach, .0088)
            finger(-.03, .045, -.054, .098, .0105)
        alpha = mask.astype(np.float32) / 255
        relief = cv2.GaussianBlur(alpha, (0, 0), .02 * DENSITY)
        nx, ny = (-7.0 * cv2.Sobel(relief, cv2.CV_32F, *axis, ksize=3) for axis in ((1, 0), (0, 1)))
        norm = 1 / np.sqrt(nx * nx + ny * ny + 1)
        light = (.45 + .55 * shading(nx * norm, ny * norm, norm)) * (.75 + .25 * cv2.GaussianBlur(alpha, (0, 0), .006 * DENSITY)) * 1.04
        color = np.clip(np.array(actor.skin, np.float32) * light[..., None], 0, 255)
        return np.dstack([color * alpha[..., None], alpha]).astype(np.float32)

    def paint(self, canvas: Canvas, camera: Camera, wrist: np.ndarray, tip: np.ndarray, left: bool, fist: float, label: int,
              opacity: float = 1.0) -> None:
        """Paint one hand.

        Args:
            canvas: where.
            camera: the view.
            wrist: (3,) world point.
            tip: (3,) world point in the middle of the fingers.
            left: mirror it for the left hand.
            fist: 0 open, 1 closed.
            label: part label.
            opacity: of the hand.
        """
        x, y, scale = camera.project(wrist)
        tip_x, tip_y, _ = camera.project(tip)
        reach = math.hypot(tip_x - x, tip_y - y) / max(scale * .1 * self.size, 1e-6)
        angle = math.atan2(tip_y - y, tip_x - x) - math.pi / 2
        zoom, stretch = scale / self.density, min(max(reach, .5), 1.05)
        cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
        flip = -1 if left else 1
        matrix = np.array([[cos * flip, -sin * stretch, 0], [sin * flip, cos * stretch, 0]])
        matrix[:, 2] = (x, y) - matrix[:, :2] @ self.wrist
        picture = self.pictures[0] if fist < .5 else self.pictures[1]
        rows, columns = picture.shape[:2]
        corners = matrix @ np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]])
        low, high = corners.min(1).tolist(), corners.max(1).tolist()
        window = canvas.window(low[0] - 1, low[1] - 1, high[0] + 1, high[1] + 1)
        if window is None:
            return
        matrix[:, 2] -= window[:2]
        placed = cv2.warpAffine(picture, matrix, (window[2] - window[0], window[3] - window[1]), flags=cv2.INTER_LINEAR)
        alpha = np.minimum(placed[..., 3], 1)
        color = placed[..., :3] / np.maximum(alpha, 1e-3)[..., None]
        canvas.paint(window, color, alpha * opacity if opacity < 1 else alpha, label)
