"""A stick person, stub parts that know where a drawn person stands, and tiny videos."""

from fractions import Fraction

import av
import numpy as np
import pytest

from toolkit.skeletons import INDEX


def stick_pose(x, y, size):
    """A standing person whose face is at (x, y), torso of length ``size``."""
    at = {'nose': (0, 0), 'neck': (0, .4), 'right_shoulder': (-.3, .4), 'left_shoulder': (.3, .4), 'right_elbow': (-.4, .9),
          'left_elbow': (.4, .9), 'right_wrist': (-.4, 1.3), 'left_wrist': (.4, 1.3), 'right_hip': (-.3, 1.4), 'left_hip': (.3, 1.4),
          'right_knee': (-.2, 2.2), 'left_knee': (.2, 2.2), 'right_ankle': (-.2, 3), 'left_ankle': (.2, 3)}
    pose = np.zeros((18, 3), np.float32)
    for name, (dx, dy) in at.items():
        pose[INDEX[name]] = x + dx * size, y + dy * size, 1
    return pose


@pytest.fixture
def stick():
    """Function (x, y, size) -> pose (18, 3)."""
    return stick_pose


@pytest.fixture
def still():
    """Function () -> 20 equal poses (20, 18, 3) of torso length 40."""
    return lambda: np.stack([stick_pose(100, 50, 40)] * 20)
