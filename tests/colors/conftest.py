"""A painted person: known pose, part labels and garments."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from toolkit.masks.geometry import part_shapes
from toolkit.masks.parts import part_labels
from toolkit.skeletons import INDEX, K

HEIGHT, WIDTH = 192, 128
JOINTS = dict(
    nose=(64, 26), neck=(64, 48), right_shoulder=(48, 48), right_elbow=(36, 72), right_wrist=(28, 94), left_shoulder=(80, 48),
    left_elbow=(92, 72), left_wrist=(100, 94), right_hip=(54, 96), right_knee=(52, 130), right_ankle=(52, 162), left_hip=(74, 96),
    left_knee=(76, 130), left_ankle=(76, 162), right_eye=(60, 22), left_eye=(68, 22), right_ear=(55, 24), left_ear=(73, 24))
SKIN, HAIR, SHOE, WALL = (205, 160, 135), (60, 40, 30), (235, 235, 235), (150, 165, 170)


def paint(shirt=(40, 70, 160), trousers=(60, 60, 62), sleeves='short', seed=0):
    """A frame with pose, mask, parts and the true garments (2, H, W) bool."""
    pose = np.zeros((K, 3), np.float32)
    for name, xy in JOINTS.items():
        pose[INDEX[name]] = (*xy, 1)
    shapes = part_shapes(pose, HEIGHT, WIDTH)
    slim = [cv2.erode(s.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for s in shapes]
    mask = np.any(slim, 0).astype(np.float32)
    parts = part_labels(pose, mask)
    y = np.arange(HEIGHT)[:, None] + np.zeros((1, WIDTH))
    arms = slim[6] | slim[7] | slim[8] | slim[9]
    bare_from = dict(short=74, long=90, none=0)[sleeves]
    up = (slim[0] & (y > 42) & (y <= 98)) | (arms & (y < bare_from) & ~slim[1])
    down = (slim[0] & (y > 98)) | ((slim[2] | slim[3] | slim[4] | slim[5]) & (y > 98) & (y < 160))
    frame = np.empty((HEIGHT, WIDTH, 3), np.float32)
    frame[:] = WALL
    frame[mask > 0] = SKIN
    frame[slim[1] & (y < 17)] = HAIR
    frame[(mask > 0) & (y > 162)] = SHOE
    frame[down], frame[up] = trousers, shirt
    random = np.random.default_rng(seed)
    frame *= 1 + .12 * cv2.GaussianBlur(random.standard_normal((HEIGHT, WIDTH)).astype(np.float32), (9, 9), 2)[..., None] * 4
    frame = np.clip(frame + random.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
    garments = np.stack([up, down & ~up])
    skin = (mask > 0) & ~up & ~down & (y > 17) & (y < 160)
    return SimpleNamespace(frame=frame, pose=pose, mask=mask, parts=parts, garments=garments, skin=skin)


@pytest.fixture(scope='session')
def person():
    return paint()


@pytest.fixture(scope='session')
def paint_person():
    return paint


@pytest.fixture(scope='session')
def clip():
    """Three frames of the person: frames, parts, masks, poses."""
    people = [paint(seed=i) for i in range(3)]
    return tuple(np.stack([getattr(p, name) for p in people]) for name in ('frame', 'parts', 'mask', 'pose'))
