"""The squats clip with its reference poses, and how many joints of poses agree with it."""

import json

import numpy as np
import pytest

from toolkit.skeletons import LIMB_JOINTS, to_openpose18, torso_scale


@pytest.fixture(scope='session')
def squats(shared_data):
    """Every 5th frame (13, 1280, 720, 3) of the squats clip and the reference poses (13, 18, 3)."""
    av = pytest.importorskip('av')
    with av.open(str(shared_data / 'squats.mp4')) as video:
        frames = np.stack([f.to_ndarray(format='rgb24') for i, f in enumerate(video.decode(video=0)) if i % 5 == 0])
    landmarks = np.array(json.loads((shared_data / 'squats.landmarks.json').read_text()), np.float32)[::5]
    landmarks[..., 2] = 1
    return frames, to_openpose18(landmarks, 'blazepose33')


@pytest.fixture(scope='session')
def correct_joints():
    """Function: share of the 12 limb joints within a quarter of the reference's torso; missing ones count as wrong."""
    def share(poses, reference):
        joints = list(LIMB_JOINTS)
        distance = np.linalg.norm(poses[:, joints, :2] - reference[:, joints, :2], axis=-1)
        return ((distance < 0.25 * torso_scale(reference)[:, None]) & (poses[:, joints, 2] > 0)).mean()
    return share
