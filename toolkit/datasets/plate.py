"""The empty scene of a clip with a static camera."""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.datasets.transforms import resize_image

SAMPLES = 25
GROWTH = 0.02
"""By which the person's mask is grown, in heights of the frame."""
PERSON = 25
UNKNOWN = 256
INPAINT_RADIUS = 5


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
    chosen = sorted({int(t) for t in np.linspace(0, len(frames) - 1, min(samples, len(frames))).round()})
    radius = max(1, round(GROWTH * clip.height))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    pictures = np.empty((len(chosen), clip.height, clip.width, 3), np.int16)
    for i, t in enumerate(chosen):
        person = cv2.dilate((clip.mask_u8(frames[t]) > PERSON).astype(np.uint8), disc)
        pictures[i] = clip.frame(frames[t])
        pictures[i][person > 0] = UNKNOWN
    pictures.sort(axis=0)
    known = (pictures < UNKNOWN).sum(0)
    plate = np.take_along_axis(pictures, np.maximum(known - 1, 0)[None] // 2, 0)[0].clip(0, 255).astype(np.uint8)
    covered = (known[..., 0] == 0).astype(np.uint8)
    if covered.any():
        plate = cv2.inpaint(plate, covered, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return resize_image(plate, *(size or plate.shape[:2]))
