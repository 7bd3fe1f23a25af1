"""The empty scene of a clip with a static camera."""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.datasets.camera import person_area
from toolkit.datasets.transforms import resize_image
from toolkit.structures import spread

SAMPLES = 25
UNKNOWN = 256
INPAINT_RADIUS = 5
FITS = 12.
"""Mean difference of the backgrounds of two pictures, in levels of 0..255, up to which they show one scene."""


def background_plate(clip: Clip, size: Sequence[int] | None = None, frames: Sequence[int] | None = None,
                     samples: int = SAMPLES) -> np.ndarray:
    """Each pixel's (lower) median over frames in which the person does not cover it.

    What is always covered is painted over from around (Telea 2004).

    Args:
        clip: with masks; the camera must stand still.
        size: (H, W) of the result, by default the clip's.
        frames: numbers of the frames that may be looked at; all by default.
        samples: frames looked at, spread evenly.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    frames = range(len(clip)) if frames is None else frames
    chosen = spread(len(frames), samples)
    pictures = np.empty((len(chosen), clip.height, clip.width, 3), np.int16)
    for i, t in enumerate(chosen):
        pictures[i] = clip.frame(frames[t])
        pictures[i][person_area(clip, frames[t])] = UNKNOWN
    pictures.sort(axis=0)
    known = (pictures < UNKNOWN).sum(0)
    plate = np.take_along_axis(pictures, np.maximum(known - 1, 0)[None] // 2, 0)[0].clip(0, 255).astype(np.uint8)
    covered = (known[..., 0] == 0).astype(np.uint8)
    if covered.any():
        plate = cv2.inpaint(plate, covered, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return resize_image(plate, *(size or plate.shape[:2]))


def scene_difference(one: Clip, t: int, other: Clip, u: int) -> float:
    """Mean difference of two frames where neither shows the person, in levels of 0..255; infinite where sizes differ."""
    if (one.height, one.width) != (other.height, other.width):
        return float('inf')
    background = ~(person_area(one, t) | person_area(other, u))
    if not background.any():
        return float('inf')
    return float(cv2.absdiff(one.frame(t), other.frame(u))[background].mean())
