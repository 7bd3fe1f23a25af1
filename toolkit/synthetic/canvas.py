"""The picture that is being painted: color, coverage and part labels, and how one layer goes on top of them."""

import cv2
import numpy as np

LIGHT = np.array([-0.42, -0.55, 0.72])
LIGHT = tuple((LIGHT / np.linalg.norm(LIGHT)).tolist())
"""Unit vector to the light in image axes (x right, y down, z to the camera): from the upper left front."""
AMBIENT, DIFFUSE = 0.32, 0.83
CONTACT = 0.24

Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are outside."""


def shading(nx: np.ndarray, ny: np.ndarray, nz: np.ndarray, to: tuple[float, float, float] = LIGHT) -> np.ndarray:
    """Half-Lambert brightness of float32 normals in image axes, about 0.32..1.15; ``to`` is the unit vector to the light."""
    light = nx * to[0] + ny * to[1]
    light += nz * to[2]
    light *= 0.5
    light += 0.5
    light *= light
    light *= DIFFUSE
    light += AMBIENT
    return light


class Canvas:
    """A frame in the making.

    Args:
        background: (H, W, 3) float32 RGB in 0..255; copied.
        unit: pixels per pixel of the 384 rows reference.
        light: unit vector to the light.

    Attributes:
        color: (H, W, 3) float32 RGB.
        coverage: (H, W) float32 in [0, 1], how much of a pixel the person covers.
        parts: (H, W) uint8, 0 background, part labels from 1. ``parts > 0`` exactly where ``coverage > 0.5``.
    """

    def __init__(self, background: np.ndarray, unit: float, light: tuple[float, float, float] = LIGHT) -> None:
        self.color = background.copy()
        self.height, self.width = background.shape[:2]
        self.coverage = np.zeros((self.height, self.width), np.float32)
        self.parts = np.zeros((self.height, self.width), np.uint8)
        self.unit, self.light = unit, light
        self.contact_size = max(int(5 * unit), 1) | 1
        self._columns = np.arange(self.width, dtype=np.float32)[None]
        self._rows = np.arange(self.height, dtype=np.float32)[:, None]

    def window(self, x0: float, y0: float, x1: float, y1: float) -> Window | None:
        """Whole pixels that hold a box, clipped to the frame; None when nothing is left."""
        box = max(int(x0), 0), max(int(y0), 0), min(int(x1) + 2, self.width), min(int(y1) + 2, self.height)
        return box if box[2] - box[0] > 1 and box[3] - box[1] > 1 else None

    def grid(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Pixel centers of a window: x (1, w) and y (h, 1), float32."""
        x0, y0, x1, y1 = window
        return self._columns[:, x0:x1], self._rows[y0:y1]

    def paint(self, window: Window, color: np.ndarray, alpha: np.ndarray, label: int | np.ndarray, shade: np.ndarray | None = None,
              contact: float = CONTACT, contact_alpha: np.ndarray | None = None) -> None:
        """Lay a layer over the frame, with a soft contact shadow on the body below it.

        Args:
            window: where.
            color: (h, w, 3) float32; overwritten.
            alpha: (h, w) float32 coverage of the layer.
            label: part label, one or (h, w) uint8.
            shade: (h, w) float32 factor on the color.
            contact: strength of the contact shadow.
            contact_alpha: (h, w) coverage that casts it, where it is not ``alpha``.
        """
        x0, y0, x1, y1 = window
        below, coverage, parts = self.color[y0:y1, x0:x1], self.coverage[y0:y1, x0:x1], self.parts[y0:y1, x0:x1]
        keep = 1 - alpha
        if contact and self.contact_size > 1:
            size = (self.contact_size, self.contact_size)
            shadow = cv2.blur(cv2.blur(alpha if contact_alpha is None else contact_alpha, size), size)
            shadow *= coverage
            shadow *= -contact
            shadow += 1
            keep *= shadow
        gain = alpha if shade is None else alpha * shade
        cv2.multiply(color, cv2.merge((gain, gain, gain)), dst=color)
        under = cv2.multiply(below, cv2.merge((keep, keep, keep)))
        below[...] = cv2.add(under, color, dst=under)
        np.maximum(coverage, alpha, out=coverage)
        np.copyto(parts, label, where=alpha > 0.5)
