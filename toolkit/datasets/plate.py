"""The empty scene of a clip with a static camera."""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.datasets.camera import person_area
from toolkit.datasets.completion import complete
from toolkit.datasets.transforms import resize_image
from toolkit.structures import spread

SAMPLES = 25
UNKNOWN = 256
FITS = 12.
"""Mean difference of the backgrounds of two pictures, in levels of 0..255, up to which they show one scene."""


def background_plate(clip: Clip, size: Sequence[int] | None = None, frames: Sequence[int] | None = None,
                     samples: int = SAMPLES) -> np.ndarray:
    """The scene without the person. What is always covered is filled from the rest (:func:`toolkit.datasets.completion.complete`).

    Args:
        clip: with masks; the camera must stand still.
        size: (H, W) of the result, by default the clip's.
        frames: numbers of the frames that may be looked at; all by default.
        samples: frames looked at, spread evenly.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    plate = complete(*seen_background(clip, frames, samples))
    return resize_image(plate, *(size or plate.shape[:2]))


def seen_background(clip: Clip, frames: Sequence[int] | None = None, samples: int = SAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's (lower) median over frames in which the person does not cover it.

    Args:
        clip, frames, samples: see :func:`background_plate`.

    Returns:
        (H, W, 3) uint8 RGB; (H, W) bool, where no frame shows the background.
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
    return plate, known[..., 0] == 0


def scene_difference(one: Clip, t: int, other: Clip, u: int) -> float:
    """Mean difference of two frames where neither shows the person, in levels of 0..255; infinite where sizes differ."""
    if (one.height, one.width) != (other.height, other.width):
        return float('inf')
    background = ~(person_area(one, t) | person_area(other, u))
    if not background.any():
        return float('inf')
    return float(cv2.absdiff(one.frame(t), other.frame(u))[background].mean())
