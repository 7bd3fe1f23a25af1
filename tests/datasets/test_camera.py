"""Cameras that stand still and such that do not: made clips of scenes with and without structure, and the clips beside the project."""

import cv2
import numpy as np
import pytest

from toolkit.datasets.camera import camera_moves

H, W, FRAMES = 192, 128, 12


class Seen:
    """A clip of a scene through a moving window, with somebody who walks before it."""

    name, height, width = 'made', H, W

    def __init__(self, scene, kind):
        self.scene, self.kind, self.shakes = scene, kind, np.random.default_rng(1).normal(0, 1, (FRAMES, 2))

    def __len__(self):
        return FRAMES

    def frame(self, t):
        along, (x, y), zoom = t / (FRAMES - 1), np.array(self.scene.shape[1::-1]) / 2, 1
        if self.kind == 'pan':
            x += (along - .5) * 75
        if self.kind == 'tilt':
            y += (along - .5) * 40
        if self.kind == 'zoom':
            zoom = 1 + .3 * along
        if self.kind == 'shake':
            x, y = np.array([x, y]) + .03 * H * self.shakes[t]
        if self.kind == 'breath':
            x, y = np.array([x, y]) + .002 * H * self.shakes[t]
        matrix = np.float32([[1 / zoom, 0, x - W / 2 / zoom], [0, 1 / zoom, y - H / 2 / zoom]])
        frame = cv2.warpAffine(self.scene, matrix, (W, H), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
        if self.kind == 'light':
            frame = np.clip(frame * (.7 + .5 * along) + 8, 0, 255)
        if self.kind == 'noise':
            frame = np.clip(frame + np.random.default_rng(t).normal(0, 6, frame.shape), 0, 255)
        frame = frame.astype(np.uint8)
        frame[self.mask_u8(t) > 0] = 200, 40 + 10 * t, 60
        return frame

    def mask_u8(self, t):
        mask = np.zeros((H, W), np.uint8)
        cv2.ellipse(mask, (40 + 4 * t, 110), (18, 60), 0, 0, 360, 255, -1)
        return mask


def room(structure):
    """A larger scene: objects of all sizes, or a wall with a soft light and the edge of a door."""
    rng, height, width = np.random.default_rng(0), H + 60, W + 100
    y, x = np.mgrid[:height, :width] / 100
    scene = np.repeat((120 + 40 * np.sin(x + .7 * y))[..., None], 3, 2).astype(np.uint8)
    if not structure:
        scene[:, width // 2 + 30:] -= 25
        return scene
    for _ in range(120):
        left, top = rng.integers(0, (width, height))
        cv2.rectangle(scene, (int(left), int(top)), (int(left + rng.integers(4, 40)), int(top + rng.integers(4, 40))),
                      tuple(int(v) for v in rng.integers(0, 255, 3)), -1 if rng.random() < .5 else 1)
    return scene


@pytest.mark.parametrize('structure', [True, False])
@pytest.mark.parametrize('kind, moves', [
    ('still', False), ('light', False), ('noise', False), ('breath', False), ('pan', True), ('tilt', None), ('zoom', True),
    ('shake', True)])
def test_cameras_that_stand_and_such_that_move(kind, moves, structure):
    if moves is None and not structure:
        return   # a door that is tilted along its edge looks the same
    assert camera_moves(Seen(room(structure), kind)) is (moves is not False)


def test_some_frames_alone_are_looked_at():
    clip = Seen(room(True), 'pan')
    assert not camera_moves(clip, [3]) and not camera_moves(clip, [5, 5, 5]) and camera_moves(clip, range(0, 12, 3))


