"""Widths of limbs from frames that show them against the scene, and labels that are cut to them."""

import numpy as np
import pytest

from toolkit.clips.clip import Clip
from toolkit.datasets.footage import Footage
from toolkit.datasets.limbs import ALONG, Limbs
from toolkit.skeletons import L_ELBOW, L_HIP, L_SHOULDER, L_WRIST, NECK, PARTS, R_HIP, R_SHOULDER
from toolkit.synthetic.actions import SyntheticActions

TORSO, UPPER, LOWER = 1, PARTS.index('left_upper_arm') + 1, PARTS.index('left_lower_arm') + 1
SHIRT, SKIN, WALL = (200, 30, 60), (230, 180, 150), (120, 120, 120)
HALF = 3
"""Half the width of the arm, in pixels."""


def person(raised, cloth=SHIRT, scene=True):
    """A torso of 40 x 60 pixels and an arm beside it, straight down or to the side; 12 columns of the torso are labeled as the arm."""
    pose = np.zeros((18, 3), np.float32)
    ways = {True: (1, 0), False: (0, 1)}[raised]
    shoulder = np.array([60 + HALF + 1, 34])
    for joint, at in ((R_HIP, (24, 94)), (L_HIP, (56, 94)), (R_SHOULDER, (24, 34)), (NECK, (40, 34)), (L_SHOULDER, shoulder),
                      (L_ELBOW, shoulder + 30 * np.array(ways)), (L_WRIST, shoulder + 55 * np.array(ways))):
        pose[joint] = *at, 1
    frame, parts = np.full((140, 140, 3), WALL, np.uint8), np.zeros((140, 140), np.uint8)
    frame[30:100, 20:61], parts[30:100, 20:61] = cloth, TORSO
    x, y = shoulder
    arm = (slice(y - HALF, y + HALF + 1), slice(x, x + 65)) if raised else (slice(y, y + 65), slice(x - HALF, x + HALF + 1))
    frame[arm] = SKIN
    for label, start, stop in ((UPPER, 0, 30), (LOWER, 30, 65)):
        here = (arm[0], slice(x + start, x + stop)) if raised else (slice(y + start, y + stop), arm[1])
        parts[here] = label
        if not raised:
            parts[here[0], 48:61] = np.where(parts[here[0], 48:61] > 0, label, 0)
    if not scene:
        parts[parts == 0] = TORSO
    return frame, parts, pose


def limbs_of(people):
    return Limbs(*zip(*people))


def test_cloth_beside_an_arm_goes_back_to_the_torso_and_the_arm_stays():
    hanging = person(False)
    limbs = limbs_of([person(True)] * 4 + [hanging] * 12)
    place = int(np.abs(ALONG - .5).argmin())
    scale = 60.
    for side in range(2):
        assert limbs.widths[LOWER - 1][side, place] * scale == pytest.approx(HALF + 1, abs=1.5)
    frame, parts, pose = hanging
    cut = limbs.cut(frame, parts, pose)
    shirt, skin = (frame == SHIRT).all(-1), (frame == SKIN).all(-1)
    wrong = shirt & (parts != TORSO)
    wrong[:, 60 - HALF:] = False   # what errors of joints explain
    assert wrong.sum() > 500
    assert (wrong & (cut != TORSO)).sum() < .25 * wrong.sum()
    assert (cut != parts)[skin].sum() < .03 * skin.sum() and (cut[parts == 0] == 0).all()


def test_an_arm_behind_the_body_is_the_body():
    frame, parts, pose = person(False)
    pose[[L_SHOULDER, L_ELBOW, L_WRIST], 0] -= 20
    frame[(frame == SKIN).all(-1)] = WALL
    parts[:] = np.where((frame == SHIRT).all(-1), TORSO, 0)
    hidden = np.zeros(parts.shape, bool)
    hidden[34:99, 42:47] = True
    parts[hidden] = np.where(np.arange(140)[:, None] < 64, UPPER, LOWER).repeat(140, 1)[hidden]
    cut = limbs_of([person(True)] * 4).cut(frame, parts, pose)
    inner = np.zeros_like(hidden)
    inner[42:95, 42:47] = True
    assert (cut[inner] == TORSO).mean() > .9


def test_what_no_frame_shows_against_the_scene_stays_as_it_is():
    frame, parts, pose = person(False, scene=False)
    limbs = limbs_of([(frame, parts, pose)] * 8)
    assert np.isinf(limbs.widths[LOWER - 1]).all()
    assert (limbs.cut(frame, parts, pose) == parts).all()


def test_what_has_the_color_of_the_limb_stays():
    frame, parts, pose = person(False)
    mitten = frame.copy()
    mitten[(parts == LOWER) & (frame == SHIRT).all(-1)] = SKIN
    limbs = limbs_of([person(True)] * 4)
    assert (limbs.cut(mitten, parts, pose)[parts == LOWER] == LOWER).mean() > .95
    assert (limbs.cut(frame, parts, pose)[parts == LOWER] == TORSO).any()


def test_poses_without_joints_say_nothing():
    frame, parts, pose = person(False)
    limbs = limbs_of([(frame, parts, 0 * pose)] * 4)
    assert all(np.isinf(found).all() for found in limbs.widths.values())
    assert (limbs.cut(frame, parts, 0 * pose) == parts).all()
    assert (limbs.cut(frame, parts, pose) == parts).all()


def test_references_are_cut(tmp_path, monkeypatch):
    SyntheticActions(height=96, width=64, actors=2, actions=2, frames=6).write(
        tmp_path, actors=[0], actions=[0], num_workers=1, progress=False)
    folder = next(path.parent for path in tmp_path.rglob('manifest.json'))
    clip, asked = Clip(folder), []
    monkeypatch.setattr(Limbs, 'cut', lambda self, frame, parts, pose: asked.append(pose) or np.zeros_like(parts))
    footage = Footage([clip], [np.ones(len(clip), bool)], (96, 64), 1)
    search = footage.search()
    found = footage.entries(search, [[0, 1]])
    assert len(asked) == 2 and not found['reference_parts'].any()
