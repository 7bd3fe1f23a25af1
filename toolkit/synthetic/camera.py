"""The camera: perspective, lens blur and sensor noise."""

import cv2
import numpy as np

from toolkit.skeletons import scale_points

REFERENCE_HEIGHT = 384
FOCAL = 670.0
DISTANCE = 5.0
EYE_HEIGHT = 1.0
HORIZON_ROW = 218.0
BLUR = 0.55
NOISE = 2.2
SPARE = 61


class Camera:
    """A static camera 5 m in front of the person, at 1 m above the floor.

    World axes: X to the person's left (image right), Y up from the floor, Z towards the camera, in meters. Pixel centers are at
    integers. The view scales with the height of the frame; a wider frame shows more of the room.

    Args:
        height: rows of a frame.
        width: columns of a frame.
        key: seeds the sensor noise.
        zoom: size of everything.
        shift: (x, y) by which the picture is moved to the right and down, in pixels of the 384 rows reference.

    Attributes:
        unit: size of a pixel of the 384 rows reference, in pixels of this camera.
        shift: by which the picture is moved, in pixels of this camera.
    """

    def __init__(self, height: int, width: int, key: tuple[int, ...] = (0,), zoom: float = 1.0,
                 shift: tuple[float, float] = (0.0, 0.0)) -> None:
        self.height, self.width = height, width
        scale = height / REFERENCE_HEIGHT
        self.unit, self.shift = scale * zoom, (scale * shift[0], scale * shift[1])
        self.focal = FOCAL * self.unit
        self.center_x = (width - 1) / 2 + self.shift[0]
        self.horizon = scale_points(HORIZON_ROW, self.unit) + self.shift[1]
        self.key = key
        generator = np.random.default_rng((*key, 11))
        sigma = NOISE * min(max(self.unit, 0.35), 1.0)
        field = generator.normal(0, sigma, (height + SPARE, width + SPARE, 3))
        self._noise = np.clip(np.rint(field), -127, 127).astype(np.int8)

    def project(self, point: np.ndarray) -> tuple[float, float, float]:
        """x and y in pixels of a world point (3,) in meters, and the scale there in pixels per meter."""
        scale = self.focal / (DISTANCE - float(point[2]))
        return self.center_x + scale * float(point[0]), self.horizon + scale * (EYE_HEIGHT - float(point[1])), scale

    def develop(self, canvas: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Turn the light of a painted frame into a picture.

        Args:
            canvas: (H, W, 3) float32 RGB in 0..255; overwritten.
            key: whole numbers that name the frame; the same frame has the same noise whenever it is rendered.

        Returns:
            (H, W, 3) uint8.
        """
        sigma = BLUR * min(self.unit, 2.0)
        if sigma > 0.25:
            size = 3 if sigma < 0.8 else 5
            cv2.GaussianBlur(canvas, (size, size), sigma, dst=canvas)
        np.maximum(canvas, 0, out=canvas)
        picture = cv2.convertScaleAbs(canvas)
        top, left = _hash((*self.key, *key)) % SPARE, _hash((*key, *self.key, 1)) % SPARE
        noise = self._noise[top:top + self.height, left:left + self.width]
        return cv2.add(picture, noise, dtype=cv2.CV_8U)


def _hash(numbers: tuple[int, ...]) -> int:
    value = 0x9E3779B97F4A7C15
    for number in numbers:
        value = ((value ^ (number & 0xFFFFFFFF)) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 29
    return value >> 7
