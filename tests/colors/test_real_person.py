"""A real person recolored: skin, background and texture stay."""

import json

import cv2
import numpy as np
import pytest

from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.colors.recolor import recolor_frames
from toolkit.masks.parts import part_labels
from toolkit.masks.pose_grabcut import PoseGrabCut
from toolkit.skeletons import L_ELBOW, L_WRIST, NOSE, R_ELBOW, R_WRIST, to_openpose18


def squats(shared_data):
    """First frame of the clip at half size: (1, H, W, 3) uint8 and the pose (1, 18, 3)."""
    content = json.loads((shared_data / 'squats.landmarks.json').read_text())
    landmarks = np.array(content if isinstance(content, list) else next(iter(content.values())), np.float32)[0]
    video = cv2.VideoCapture(str(shared_data / 'squats.mp4'))
    _, frame = video.read()
    video.release()
    pose = to_openpose18(np.concatenate([landmarks[:, :2], np.ones((33, 1), np.float32)], 1), 'blazepose33')[None]
    small = cv2.resize(frame, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
    pose[..., :2] = (pose[..., :2] + .5) / 3 - .5
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[None], pose


@pytest.mark.shared
def test_pink_shirt_turns_green_and_bare_arms_face_and_studio_stay(shared_data):
    frames, poses = squats(shared_data)
    masks = PoseGrabCut()(frames, poses)
    parts = part_labels(poses[0], masks[0])[None]
    new, (record,) = recolor_frames(frames, parts, masks, poses, up=(-40, 35))
    changed = (new != frames).any(-1)[0]
    assert .02 < changed.mean() < .2
    assert record.realized[0] < -25 and record.realized[1] > 20
    assert not changed[parts[0] == 0][masks[0][parts[0] == 0] == 0].any()
    pose = poses[0]
    forearms = [(pose[a, :2] + pose[b, :2]) / 2 for a, b in ((R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST))]
    for x, y in (*forearms, pose[NOSE, :2]):
        assert changed[int(y) - 2:int(y) + 3, int(x) - 2:int(x) + 3].mean() < .2
    assert np.abs(rgb8_to_lab(new)[..., 0] - rgb8_to_lab(frames)[..., 0]).max() * 2.55 < 1
