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


BODY = (200, 60, 160)
"""Color of the drawn person: nothing else in the stub videos is nearly as magenta."""


def draw_person(height, width, x, y, size, others=()):
    """A frame with a gray gradient and magenta people of torso length ``size`` whose faces are at (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    frame = np.repeat((60 + 60 * rows / height + 40 * columns / width)[..., None], 3, -1).astype(np.uint8)
    for px, py, ps in [(x, y, size), *others]:
        frame[(abs(columns - px) < .45 * ps) & (rows > py - .5 * ps) & (rows < py + 3.2 * ps)] = BODY
    return frame


def _magenta(frames):
    frames = np.asarray(frames).astype(int)
    return (frames[..., 0] - frames[..., 1] > 80) & (frames[..., 2] - frames[..., 1] > 50)


class StubPose:
    """Finds the largest magenta column of a frame. Counts calls; fails at call ``fail_at`` when told to."""

    name, version = 'StubPose', '1'

    def __init__(self, fail_at=None):
        self.fail_at, self.frames, self.calls = fail_at, 0, 0

    def __call__(self, frames):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        self.frames += len(frames)
        poses = np.zeros((len(frames), 18, 3), np.float32)
        for t, body in enumerate(_magenta(frames)):
            if body.sum() > 60:
                columns = body.sum(0)
                rows = np.flatnonzero(body[:, columns.argmax()])
                size = (rows[-1] - rows[0] + 1) / 3.7
                poses[t] = stick_pose(np.flatnonzero(columns == columns.max()).mean(), rows[0] + .5 * size, size)
        return poses

    def num_people(self, frames):
        touched = _magenta(frames).any(1)
        return (np.diff(touched.astype(int), axis=1) == 1).sum(1) + touched[:, 0]


class StubMask:
    """Magenta is person."""

    name, version = 'StubMask', '1'

    def __init__(self, fail_at=None):
        self.fail_at, self.calls = fail_at, 0

    def __call__(self, frames, poses):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return _magenta(frames).astype(np.float32)


class StubEdges:
    """Horizontal differences."""

    name, version = 'StubEdges', '1'

    def __call__(self, frames):
        gray = frames.mean(-1, dtype=np.float32)
        return np.abs(np.diff(gray, axis=2, prepend=gray[..., :1])).clip(0, 255) / 255


def write_frames(path, frames, fps=25, pix_fmt='yuv444p'):
    """An H.264 video written without the toolkit."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=Fraction(fps), options={'crf': '4', 'preset': 'ultrafast'})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def people():
    """The module's helpers under one name: draw, write, StubPose, StubMask, StubEdges."""
    class Helpers:
        draw, write = staticmethod(draw_person), staticmethod(write_frames)
        Pose, Mask, Edges = StubPose, StubMask, StubEdges
    return Helpers


@pytest.fixture
def walk(tmp_path):
    """A video of 40 frames, 240x320 (HxW): a person of torso length 40 walks from x = 120 to x = 198."""
    return write_frames(tmp_path / 'walk.mp4', [draw_person(240, 320, 120 + 2 * t, 60, 40) for t in range(40)])
