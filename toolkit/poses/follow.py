"""Which of several people a clip is about."""

import math
from collections.abc import Sequence

import numpy as np

from toolkit.poses.boxes import pose_box
from toolkit.poses.decode import SURE_JOINTS, SURE_PROMINENCE, Person, sure_people
from toolkit.skeletons import scale_points
from toolkit.structures import InputError

SIDES = ('left', 'right', 'largest')
FEW_JOINTS = 2
"""Who has so many can be followed where no frame shows anybody for certain."""

Follow = str | tuple[float, float]
"""'left', 'right' or 'largest', or x, y of a point on the person."""


class NobodyThereError(InputError):
    """Nobody is at the point of the person to follow; the message says where people are.

    Args:
        where: was looked, for the message.
        point: (x, y) that was given.
        centers: (x, y) of the middle of each person who is seen.
    """

    def __init__(self, where: str, point: tuple[float, float], centers: Sequence[tuple[float, float]]):
        self.where, self.point, self.centers = where, point, centers
        seen = ' and '.join(f'{x:.0f},{y:.0f}' for x, y in centers)
        super().__init__(f'{where}: nobody at {point[0]:.0f},{point[1]:.0f}; the middle of who is seen is at {seen} (x,y)')

    def __reduce__(self) -> tuple:
        """Whole in another process, too, which builds errors from their message alone."""
        return NobodyThereError, (self.where, self.point, self.centers)

    def enlarged(self, factor: float) -> 'NobodyThereError':
        """The same in pixels of a picture that is larger by this factor."""
        point, *centers = (tuple(scale_points(v, factor) for v in place) for place in (self.point, *self.centers))
        return NobodyThereError(self.where, point, centers)


def check_follow(follow: Follow | None) -> None:
    """Refuse what does not say whom to follow.

    Raises:
        InputError: says what is expected.
    """
    point = isinstance(follow, Sequence) and not isinstance(follow, str) and len(follow) == 2 and all(
        isinstance(v, (int, float)) and 0 <= v < math.inf for v in follow)
    if follow is not None and follow not in SIDES and not point:
        raise InputError(f'follow must be one of {", ".join(SIDES)}, or x,y in pixels of the video, got {follow!r}')


def choose_person(people: list[list[Person]], follow: Follow) -> tuple[int, Person] | None:
    """The person to follow, in the first frame that shows somebody for certain, or, where none does, in the first that shows anybody.

    Args:
        people: for each frame the people found.
        follow: 'left' or 'right' in the picture, 'largest', or a point (x, y) on the person, in the pixels of their poses. A point may
            be on somebody far away, who does not count for the others.

    Returns:
        Number of the frame and the person, or None where no frame shows anybody.

    Raises:
        NobodyThereError: nobody is at the point.
    """
    share = SURE_PROMINENCE if isinstance(follow, str) else 0
    for joints in (SURE_JOINTS, FEW_JOINTS):
        for t, frame in enumerate(people):
            if sure := sure_people(frame, share, joints):
                return t, choose_among(sure, follow, f'frame {t}')
    return None


def choose_among(people: list[Person], follow: Follow, where: str) -> Person:
    """The one of these people that ``follow`` means; see :func:`choose_person`.

    Raises:
        NobodyThereError: nobody is at the point; the message begins with ``where``.
    """
    if follow == 'largest':
        return max(people, key=lambda p: p.size)
    centers = [p.pose[p.pose[:, 2] > 0, :2].mean(0) for p in people]
    if follow in SIDES:
        order = np.argsort([x for x, _ in centers])
        return people[order[0 if follow == 'left' else -1]]
    there = [i for i, person in enumerate(people) if holds(person, follow)]
    if not there:
        raise NobodyThereError(where, follow, centers)
    return people[min(there, key=lambda i: float(np.hypot(*(centers[i] - follow))))]


def holds(person: Person, point: tuple[float, float]) -> bool:
    """Whether a point lies in the box around a person, or at most a quarter of the person's size beyond it."""
    x0, y0, x1, y1 = pose_box(person.pose)
    x, y, margin = *point, person.size / 4
    return x0 - margin <= x <= x1 + margin and y0 - margin <= y <= y1 + margin
