"""Whether the camera of a clip stands still, so that one picture of the empty scene serves all frames."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.structures import spread

SAMPLES = 25
SIDE = 320
"""Frames are reduced to a height of so many pixels."""
GROWTH, PERSON = .02, 25
"""By which the person's mask is grown, in heights of the frame, and from which value on it shows the person."""
POINTS, CONTRAST = 400, .01
RATIO = .8
"""A point is found again where its best match is so much nearer than the second (Lowe 2004)."""
ENOUGH, AGREE, NEAR = 12, .25, .006
"""Points, and share of those found, that must agree on a movement within ``NEAR`` heights of the frame."""
MOVED = .012
"""The camera is elsewhere where a corner of the frame has moved by more than this, in heights of the frame."""
RESTLESS = .2
"""Share of the frames in which the camera must be elsewhere than in the middle of all places."""
UNLIKE, BLUR = 1.6, 5
"""Mean difference of two backgrounds, in levels of 0..255 and after a fit of brightness and contrast, from which on they are
unlike; side of the square over which the noise of single pixels is averaged before."""

Seen = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Gray picture, background (bool), places and descriptors of points."""


def person_area(clip: Clip, t: int) -> np.ndarray:
    """Where the person may be in frame ``t``, (H, W) bool: the mask, grown."""
    radius = max(1, round(GROWTH * clip.height))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate((clip.mask_u8(t) > PERSON).astype(np.uint8), disc) > 0


def camera_moves(clip: Clip, frames: Sequence[int] | None = None, samples: int = SAMPLES) -> bool:
    """Whether the background of a clip moves, so that no one plate shows it.

    Points of the background (SIFT, Lowe 2004) are found again in the next of the frames looked at. Where enough agree on one movement,
    shift, zoom or turn, the camera has made it; movements are added up. Whatever else moves agrees on nothing, and light may change.
    Where there are too few points, the background must be like that of the first frame; a plain wall is, wherever the camera looks.

    Args:
        clip: with masks.
        frames: numbers of the frames that may be looked at; all by default.
        samples: frames looked at, spread evenly.
    """
    frames = range(len(clip)) if frames is None else frames
    finder = cv2.SIFT_create(POINTS, contrastThreshold=CONTRAST)
    seen = [_seen(finder, clip, frames[t]) for t in spread(len(frames), samples)]
    places, unlike = [np.eye(3)], []
    for one, other in pairwise(seen):
        step = _movement(one, other)
        places.append(places[-1] if step is None else step @ places[-1])
        unlike.append(step is None and _unlike(seen[0], other))
    return float(np.mean(unlike or [0])) > RESTLESS or _restless(places, *seen[0][0].shape)


def _seen(finder: cv2.SIFT, clip: Clip, t: int) -> Seen:
    gray, background = cv2.cvtColor(clip.frame(t), cv2.COLOR_RGB2GRAY), ~person_area(clip, t)
    scale = min(SIDE / clip.height, 1)
    gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    background = cv2.resize(background.astype(np.uint8), gray.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    points, descriptors = finder.detectAndCompute(gray, background.astype(np.uint8))
    places = np.float32([point.pt for point in points]).reshape(-1, 2)
    return gray, background, places, np.zeros((0, 128), np.float32) if descriptors is None else descriptors


def _movement(one: Seen, other: Seen) -> np.ndarray | None:
    """(3, 3) the similarity that carries the one background to the other; None where points do not agree on any."""
    if min(len(one[2]), len(other[2])) < max(ENOUGH, 2):
        return None
    matches = [pair[0] for pair in cv2.BFMatcher().knnMatch(one[3], other[3], 2) if pair[0].distance < RATIO * pair[1].distance]
    if len(matches) < ENOUGH:
        return None
    source, target = one[2][[m.queryIdx for m in matches]], other[2][[m.trainIdx for m in matches]]
    matrix, inside = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=NEAR * one[0].shape[0], maxIters=500)
    if matrix is None or inside.sum() < max(ENOUGH, AGREE * len(matches)):
        return None
    return np.vstack([matrix, [0, 0, 1]])


def _unlike(one: Seen, other: Seen) -> bool:
    """Whether backgrounds differ by more than light."""
    both = one[1] & other[1]
    if both.sum() < ENOUGH:
        return False
    first, second = (cv2.blur(seen[0].astype(np.float32), (BLUR, BLUR))[both] for seen in (one, other))
    first, second = first - first.mean(), second - second.mean()
    fit = (first * second).sum() / max((first**2).sum(), 1e-6)
    return float(np.abs(second - np.clip(fit, .5, 2) * first).mean()) > UNLIKE


def _restless(places: Iterable[np.ndarray], height: int, width: int) -> bool:
    """Whether the corners of the frame are often elsewhere than in the middle (median) of their places."""
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float).T
    at = np.stack([(place @ corners)[:2] for place in places])
    away = np.linalg.norm(at - np.median(at, 0), axis=1).max(-1)
    return float((away > MOVED * height).mean()) > RESTLESS
