"""The empty scene of a clip with a static camera, and whether the camera is one."""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.datasets.transforms import resize_image
from toolkit.structures import spread

SAMPLES = 25
GROWTH = 0.02
"""By which the person's mask is grown, in heights of the frame."""
PERSON = 25
UNKNOWN = 256
INPAINT_RADIUS = 5
POINTS, ENOUGH = 200, 12
"""Points of the background that are followed, and how many tell something about the camera."""
MOVED = .012
"""The camera has moved where half of the points have moved by more than this, in heights of the frame."""
LOST = .5
"""... or where more than this share of them cannot be found again."""
RESTLESS = .25
"""Share of the frames in which the camera must have moved."""
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
        pictures[i][_person(clip, frames[t])] = UNKNOWN
    pictures.sort(axis=0)
    known = (pictures < UNKNOWN).sum(0)
    plate = np.take_along_axis(pictures, np.maximum(known - 1, 0)[None] // 2, 0)[0].clip(0, 255).astype(np.uint8)
    covered = (known[..., 0] == 0).astype(np.uint8)
    if covered.any():
        plate = cv2.inpaint(plate, covered, INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return resize_image(plate, *(size or plate.shape[:2]))


def camera_moves(clip: Clip, frames: Sequence[int] | None = None, samples: int = SAMPLES) -> bool:
    """Whether the background of a clip moves, so that no one plate shows it.

    Points of the background are followed (Lucas and Kanade 1981) from the middle frame to others. Most of them stay where the camera
    does, whatever else moves; light may change. A background without any structure counts as static.

    Args:
        clip: with masks.
        frames: numbers of the frames that may be looked at; all by default.
        samples: frames looked at, spread evenly.
    """
    frames = range(len(clip)) if frames is None else frames
    chosen = spread(len(frames), samples)
    first = frames[chosen.pop(len(chosen) // 2)]
    start, background = cv2.cvtColor(clip.frame(first), cv2.COLOR_RGB2GRAY), (~_person(clip, first)).astype(np.uint8)
    points = cv2.goodFeaturesToTrack(start, POINTS, .02, max(3, clip.height // 64), mask=background)
    if not chosen or points is None or len(points) < ENOUGH:
        return False
    moved = [_moved(start, cv2.cvtColor(clip.frame(frames[t]), cv2.COLOR_RGB2GRAY), points, _person(clip, frames[t])) for t in chosen]
    return float(np.mean(moved)) > RESTLESS


def _moved(start: np.ndarray, now: np.ndarray, points: np.ndarray, person: np.ndarray) -> bool:
    height, width = start.shape
    there, found, _ = cv2.calcOpticalFlowPyrLK(start, now, points, None)
    back, again, _ = cv2.calcOpticalFlowPyrLK(now, start, there, None)
    column, row = np.rint(points[:, 0]).astype(int).clip(0, (width - 1, height - 1)).T
    seen = ~person[row, column]
    if seen.sum() < ENOUGH:
        return False
    sure = (found[:, 0] > 0) & (again[:, 0] > 0) & (np.abs(back - points)[:, 0].max(-1) < 1) & seen
    if sure.sum() < (1 - LOST) * seen.sum():
        return True
    return float(np.median(np.linalg.norm((there - points)[sure, 0], axis=-1))) > MOVED * height


def _person(clip: Clip, t: int) -> np.ndarray:
    """Where the person may be in frame ``t``, (H, W) bool: the mask, grown."""
    radius = max(1, round(GROWTH * clip.height))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate((clip.mask_u8(t) > PERSON).astype(np.uint8), disc) > 0


def scene_difference(one: Clip, t: int, other: Clip, u: int) -> float:
    """Mean difference of two frames where neither shows the person, in levels of 0..255; infinite where sizes differ."""
    if (one.height, one.width) != (other.height, other.width):
        return float('inf')
    background = ~(_person(one, t) | _person(other, u))
    if not background.any():
        return float('inf')
    return float(cv2.absdiff(one.frame(t), other.frame(u))[background].mean())
