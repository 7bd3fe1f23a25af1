"""Limbs and trunk: tubes around joints and slabs along an axis, shaded as round things and wrapped in cloth."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.synthetic.camera import Camera
from toolkit.synthetic.canvas import CONTACT, Canvas, shading
from toolkit.synthetic.clothes import Cloth

STEPS = 256


@dataclass(frozen=True)
class Profile:
    """A radius or half-width along a limb: ``at`` positions, ``size`` meters there, linear between."""

    at: tuple[float, ...]
    size: tuple[float, ...]

    def scaled(self, factor: float | tuple[float, ...]) -> 'Profile':
        """The profile times one factor, or one for every position."""
        return Profile(self.at, tuple((np.array(self.size) * factor).tolist()))


class Tube:
    """Everything about a limb on the screen that its layers (skin, then cloth) have in common.

    For every pixel of the bounding box it finds the nearest point on the bones, clamped at the ends, which rounds caps and bends.

    Args:
        canvas: where it will be painted.
        camera: the view.
        bones: 2 or 3 world points, (3,) each.
        thickest: largest radius of any layer, meters.
    """

    def __init__(self, canvas: Canvas, camera: Camera, bones: list[np.ndarray], thickest: float) -> None:
        self.canvas = canvas
        self.nodes = [camera.project(bone) for bone in bones]
        self.lengths = [math.dist(a, b) for a, b in zip(bones, bones[1:])]
        xs, ys, scales = zip(*self.nodes)
        self.scale = sum(scales) / len(scales)
        margin = thickest * max(scales) * 1.12 + 3
        self.window = canvas.window(min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)
        if self.window is not None:
            self._locate()

    def _locate(self) -> None:
        x, y = self.canvas.grid(self.window)
        best = None
        for i, ((ax, ay, _), (bx, by, _)) in enumerate(zip(self.nodes, self.nodes[1:])):
            ex, ey = bx - ax, by - ay
            square = max(ex * ex + ey * ey, 1.0)
            along = (x - ax) * (ex / square) + (y - ay) * (ey / square)
            clamped = np.clip(along, 0, 1)
            dx = (x - ax) - clamped * ex
            dy = (y - ay) - clamped * ey
            root = 1 / math.sqrt(square)
            fields = [dx * dx + dy * dy, dx, dy, clamped, along, dy * (ex * root) - dx * (ey * root)]
            if best is None:
                best = fields
                continue
            nearer = fields[0] < best[0]
            fields[3] += i
            fields[4] += i
            for old, new in zip(best, fields):
                np.copyto(old, new, where=nearer)
        square, self.dx, self.dy, self.position, self.along, self.lateral = best
        self.distance = np.sqrt(square)
        self.index = (self.position * ((STEPS - 1) / len(self.lengths))).astype(np.int32)

    def layer(
        self, profile: Profile, cloth: Cloth, labels: tuple[int, ...], start: float | None = None, stop: float | None = None,
        bulge: float = 0.35, contact: float = CONTACT, shoulder: bool = False, wrist: bool = False, opacity: float = 1.0,
        reveal: float | None = None, offset: float = 0.0) -> None:
        """Paint one layer.

        Args:
            profile: radius over the position 0..nodes-1.
            cloth: its color.
            labels: part label of each bone.
            start: the layer begins at this position.
            stop: it ends at this one, with an edge that bulges by ``bulge`` as round things do.
            bulge: see ``stop``.
            contact: strength of the contact shadow.
            shoulder: flatten the shading towards the first node and melt into the body there, so that no ball sticks to the trunk.
            wrist: no contact shadow near the last node, where a hand of the same skin goes on.
            opacity: of the whole layer.
            reveal: the layer fades in along this position (used to let a raised thigh come out from under a hem).
            offset: shift of the cloth around the limb, texels at full density.
        """
        if self.window is None:
            return
        n = len(self.nodes)
        steps = np.linspace(0, n - 1, STEPS)
        scales = np.interp(steps, np.arange(n), [node[2] for node in self.nodes])
        table = (np.interp(steps, profile.at, profile.size) * scales).astype(np.float32)
        radius = table.take(self.index)
        alpha = radius - self.distance
        alpha += 0.5
        np.clip(alpha, 0, 1, out=alpha)
        inverse = 1 / radius
        nx, ny = self.dx * inverse, self.dy * inverse
        if shoulder:
            round_part = np.minimum(self.position * 1.32 + 0.4, 1)
            nx *= round_part
            ny *= round_part
        square = nx * nx
        square += ny * ny
        nz = np.sqrt(np.maximum(1 - square, 0))
        if stop is not None:
            alpha *= np.clip((stop - self.along) * self._pixels(stop) + (0.5 + nz * radius * (0.25 * bulge)), 0, 1)
        if start is not None:
            alpha *= np.clip((self.along - start) * self._pixels(start) + 0.5, 0, 1)
        if reveal is not None:
            alpha *= np.clip((self.position - reveal) * 5, 0, 1)
        caster = None
        if shoulder:
            caster = alpha * np.clip(self.position * 2.5 - 0.2, 0, 1)
            alpha *= self._melt()
        elif wrist:
            caster = alpha * np.clip(11.4 - 6 * self.position, 0, 1)
        if opacity < 1:
            alpha *= opacity
            caster = None if caster is None else caster * opacity
        around = self.lateral * inverse
        around *= around
        around *= around
        around *= 0.55
        around += 1
        around *= self.lateral
        u = around * (cloth.density / self.scale) + offset * cloth.density / 300
        v = self.position * (self.lengths[0] * cloth.density)
        for i in range(1, n - 1):
            v += np.maximum(self.position - i, 0) * ((self.lengths[i] - self.lengths[i - 1]) * cloth.density)
        color = cv2.remap(cloth.tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        label = labels[0]
        if len(set(labels)) > 1:
            label = np.where(self.position < 1, np.uint8(labels[0]), np.uint8(labels[1]))
        self.canvas.paint(self.window, color, alpha, label, shading(nx, ny, nz, self.canvas.light), contact, caster)

    def _pixels(self, position: float) -> float:
        i = min(int(position), len(self.lengths) - 1)
        return max(math.dist(self.nodes[i][:2], self.nodes[i + 1][:2]), 1.0)

    def _melt(self) -> np.ndarray:
        """1 away from the first node; on the body near it, fades the layer out."""
        x0, y0, x1, y1 = self.window
        fade = np.clip(1.3 - 7 * self.along, 0, 1)
        fade *= self.canvas.coverage[y0:y1, x0:x1]
        return 1 - fade


@dataclass(frozen=True)
class Opening:
    """The neckline: half a loop of world axes ``side`` and ``front`` around ``center``, each (3,) meters, and all that is above it.

    ``power`` 2 is a round front, 1 a pointed one. ``band`` is the width of a ribbed edge, meters (0: none).
    """

    center: np.ndarray
    side: np.ndarray
    front: np.ndarray
    power: float = 2.0
    band: float = 0.0

    def distance(self, camera: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance in pixels to the loop, negative inside; x (1, w), y (h, 1) -> (h, w)."""
        cx, cy, scale = camera.project(self.center)
        ends = [camera.project(self.center + axis) for axis in (self.side, self.front)]
        (a, b), (c, d) = ((ends[0][0] - cx, ends[1][0] - cx), (ends[0][1] - cy, ends[1][1] - cy))
        determinant = a * d - b * c
        least = 0.15 * scale * scale * float(np.linalg.norm(self.side)) * float(np.linalg.norm(self.front))
        determinant = math.copysign(max(abs(determinant), least), determinant)
        side = (x - cx) * (d / determinant) - (y - cy) * (b / determinant)
        front = (y - cy) * (a / determinant) - (x - cx) * (c / determinant)
        front = np.maximum(front, 0)
        if self.power == 2:
            radius = np.sqrt(side * side + front * front + 1e-6)
            gx = (side * d - front * c) / determinant / radius
            gy = (front * a - side * b) / determinant / radius
            return (radius - 1) / np.maximum(np.sqrt(gx * gx + gy * gy), 1e-3)
        return (np.abs(side) + front - 1) * np.float32(min(abs(a), abs(d)) * 0.75)


def slab(
    canvas: Canvas, camera: Camera, bottom: np.ndarray, top: np.ndarray, profile: Profile, cloth: Cloth, label: int,
    width: float = 1.0, twist: float = 0.0, contact: float = 0.3, hem: float = 0.02, stretch: float = 1.0,
    opening: Opening | None = None, shoulders: bool = False) -> None:
    """Paint a part of the trunk.

    Args:
        canvas: where.
        camera: the view.
        bottom: (3,) world point at position 0.
        top: (3,) world point at position 1.
        profile: half-width over the position; where it begins and ends, so does the slab.
        cloth: its color. Tiles repeat; others are centered on the front.
        label: part label.
        width: factor on the half-width (a turned trunk is narrower).
        twist: radians, how far the front of the cloth is turned to image right.
        contact: strength of the contact shadow.
        hem: how far the lower edge bulges, share of the length.
        stretch: meters of cloth per unit of position.
        opening: neckline.
        shoulders: flatten the shading towards the top, where arms join.
    """
    ax, ay, scale_a = camera.project(bottom)
    bx, by, scale_b = camera.project(top)
    scale, length = (scale_a + scale_b) / 2, math.dist((ax, ay), (bx, by))
    ux, uy = ((bx - ax) / length, (by - ay) / length) if length > 1 else (0.0, -1.0)
    length = max(length, 6.0 * canvas.unit)
    first, last = profile.at[0], profile.at[-1]
    margin = max(profile.size) * scale * width + 4
    ends = [(ax + ux * length * s, ay + uy * length * s) for s in (first, last)]
    flat = margin * 0.3 + 6
    window = canvas.window(min(e[0] for e in ends) - margin, min(e[1] for e in ends) - flat, max(e[0] for e in ends) + margin,
                           max(e[1] for e in ends) + flat)
    if window is None:
        return
    x, y = canvas.grid(window)
    t = (x - ax) * (ux / length) + (y - ay) * (uy / length)
    lateral = (x - ax) * -uy + (y - ay) * ux
    steps = np.linspace(first, last, STEPS)
    table = (np.interp(steps, profile.at, profile.size) * scale * width).astype(np.float32)
    slope = np.gradient(table) * ((STEPS - 1) / ((last - first) * length))
    steep = (1 / np.sqrt(1 + slope * slope)).astype(np.float32)
    place = np.clip((t - first) * ((STEPS - 1) / (last - first)), 0, STEPS - 1.01)
    index = place.astype(np.int32)
    half = table.take(index)
    half += (table.take(index + 1) - half) * (place - index.astype(np.float32))
    alpha = np.clip((half - np.abs(lateral)) * steep.take(index) + 0.5, 0, 1)
    q = np.clip(lateral / np.maximum(half, 1), -1, 1)
    dome = np.sqrt(1 - q * q)
    alpha *= np.clip((t - first) * length + 0.5 + dome * (hem * length), 0, 1)
    alpha *= np.clip((last - t) * length + 0.5, 0, 1)
    bend = q * np.abs(q)**0.6
    if shoulders:
        bend *= 1 - 0.55 * np.clip(t * 4 - 2.9, 0, 1)
    tilt = np.clip(t - 0.62, -0.5, 0.5) * 0.28
    nx, ny = bend * -uy + tilt * ux, bend * ux + tilt * uy
    shade = shading(nx, ny, np.sqrt(np.clip(1 - nx * nx - ny * ny, 0, 1)), canvas.light)
    shade *= 1 - 0.17 * np.clip(1 - (t - first) * (length / (9 * canvas.unit)), 0, 1)
    if opening is not None:
        edge = opening.distance(camera, x, y)
        alpha *= np.clip(edge + 0.5, 0, 1)
        if opening.band:
            thick = opening.band * scale
            shade *= 1 - 0.2 * np.clip(1.6 - np.abs(edge - thick) * (1.2 / canvas.unit), 0, 1) - 0.06 * (edge < thick)
    rows, columns = cloth.tile.shape[:2]
    u = np.arcsin(q) * half * (cloth.density / scale * 0.75) + (columns / 2 - twist * max(profile.size) * 0.75 * cloth.density)
    v = (1 - t) * (stretch * cloth.density) + 0.10 * cloth.density
    border = cv2.BORDER_WRAP if cloth.repeats else cv2.BORDER_REFLECT
    color = cv2.remap(cloth.tile, u, v, cv2.INTER_LINEAR, borderMode=border)
    canvas.paint(window, color, alpha, label, shade, contact)
