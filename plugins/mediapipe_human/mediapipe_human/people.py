"""Several people in one frame, from a network that finds one: who was found is painted over, and the next one looked for."""

from collections.abc import Callable

import numpy as np

from toolkit.clips.crop import person_boxes
from toolkit.poses.decode import Person
from toolkit.poses.follow import Follow, choose_among, holds

GRAY = 127
MOST = 4
LEAST_JOINTS, LEAST_CONFIDENCE, LEAST_SIZE = 6, .5, .25
"""Who has fewer joints, a lower median confidence or less of the largest one's size does not count."""
WINDOWS = .3, .5, .8
"""Sides of the squares around a point in which somebody is looked for, relative to the frame's shorter side."""

Locate = Callable[[np.ndarray], np.ndarray]
"""A frame (H, W, 3) -> the pose (18, 3) of somebody in it, looked at as a first frame."""


def keep_box(frame: np.ndarray, box, inside: bool = True) -> np.ndarray:
    """The frame (H, W, 3) gray outside of a box x0, y0, x1, y1, or inside of it."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, (width, height, width, height)).astype(int)
    out = np.full_like(frame, GRAY) if inside else frame.copy()
    out[y0:y1, x0:x1] = frame[y0:y1, x0:x1] if inside else GRAY
    return out


def surroundings(frame: np.ndarray, pose: np.ndarray, margin: float = 1.) -> np.ndarray:
    """The frame (H, W, 3) with all gray but the box around the person of a pose (18, 3); as it is without four joints."""
    box = person_boxes(pose[None], margin, hidden_legs=True)[0]
    return frame if np.isnan(box[0]) else keep_box(frame, box)


def as_person(pose: np.ndarray) -> Person | None:
    """A person, if the pose (18, 3) is one for certain."""
    confidence = pose[pose[:, 2] > 0, 2]
    if len(confidence) < LEAST_JOINTS or np.median(confidence) < LEAST_CONFIDENCE:
        return None
    return Person(pose, float(confidence.sum()))


def find_people(frame: np.ndarray, locate: Locate) -> list[Person]:
    """Up to four people of a frame (H, W, 3), the one found first before."""
    found: list[Person] = []
    for _ in range(MOST):
        person = as_person(locate(frame))
        if person is None or (found and person.size < LEAST_SIZE * max(p.size for p in found)):
            break
        found.append(person)
        frame = keep_box(frame, person_boxes(person.pose[None], hidden_legs=True)[0], inside=False)
    return found


def find_person(frame: np.ndarray, follow: Follow, locate: Locate) -> Person | None:
    """The person that ``follow`` means, see :func:`toolkit.poses.follow.choose_person`; None where the frame shows nobody.

    Raises:
        InputError: there are people, but nobody at the point.
    """
    people = find_people(frame, locate)
    if people and not isinstance(follow, str) and not any(holds(p, follow) for p in people):
        for side in WINDOWS:
            half = side * min(frame.shape[:2]) / 2
            (x, y), other = follow, None
            other = as_person(locate(keep_box(frame, (x - half, y - half, x + half, y + half))))
            if other and holds(other, follow):
                return other
    return choose_among(people, follow, 'the first frame that shows somebody') if people else None
