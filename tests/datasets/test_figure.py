"""A person put together from all frames: what an arm hides in one frame another one shows."""

import numpy as np
import pytest
import torch

from tests.stick_people import stick_pose
from toolkit.datasets.figure import spread_pose, whole_figure
from toolkit.datasets.tensors import collate
from toolkit.datasets.windows import ClipWindows
from toolkit.masks.geometry import body_scale, part_shapes
from toolkit.masks.parts import part_labels
from toolkit.model_parts.preprocessor import VideoPreprocessor
from toolkit.model_parts.textures import Textures
from toolkit.skeletons import L_ELBOW, L_HIP, L_SHOULDER, L_WRIST, PARTS, R_ELBOW, R_HIP, R_SHOULDER, R_WRIST

H, W = 120, 96
SHIRT, SKIN = (200, 30, 60), (220, 180, 150)


def person(*wrists):
    """Frames of somebody in a red shirt whose skin-colored arms are at these places, (right, left), from the shoulders."""
    frames, parts, poses = [], [], []
    for pair in wrists:
        pose = stick_pose(48, 30, 24)
        for shoulder, elbow, wrist, way in ((R_SHOULDER, R_ELBOW, R_WRIST, pair[0]), (L_SHOULDER, L_ELBOW, L_WRIST, pair[1])):
            pose[elbow, :2], pose[wrist, :2] = pose[shoulder, :2] + np.array(way) / 2, pose[shoulder, :2] + way
            pose[[elbow, wrist], 2] = 1
        shapes = part_shapes(pose, H, W)
        labels = part_labels(pose, shapes.any(0))
        frame = np.full((H, W, 3), 90, np.uint8)
        frame[labels > 0] = SHIRT
        frame[np.isin(labels - 1, [PARTS.index(name) for name in PARTS if 'arm' in name])] = SKIN
        frames.append(frame), parts.append(labels), poses.append(pose)
    return np.stack(frames), np.stack(parts), np.stack(poses)


CROSSED, LEFT_DOWN, RIGHT_DOWN = ((20, 10), (-20, 10)), ((20, 10), (8, 34)), ((-8, 34), (-20, 10))


def test_arms_and_legs_are_spread_and_bones_keep_their_lengths():
    _, _, poses = person(CROSSED, LEFT_DOWN, RIGHT_DOWN)
    pose = spread_pose(poses, H, W)
    assert pose[R_WRIST, 0] < pose[R_SHOULDER, 0] < pose[L_SHOULDER, 0] < pose[L_WRIST, 0]
    assert (pose[pose[:, 2] > 0, :2] >= 0).all() and (pose[:, 0] < W).all() and (pose[:, 1] < H).all()
    lengths = [np.linalg.norm(p[R_ELBOW, :2] - p[R_SHOULDER, :2]) / np.linalg.norm(p[R_HIP, :2] - p[R_SHOULDER, :2])
               for p in (pose, poses[2])]
    assert abs(lengths[0] - lengths[1]) < .1
    back = poses.copy()
    back[..., 0] = np.where(back[..., 2] > 0, W - 1 - back[..., 0], 0)
    turned = spread_pose(back, H, W)
    assert turned[R_WRIST, 0] > turned[R_HIP, 0] > turned[L_HIP, 0]


@pytest.mark.parametrize('wrists', [(CROSSED, LEFT_DOWN, RIGHT_DOWN), (CROSSED, CROSSED)])
def test_the_torso_is_whole_though_arms_hide_it(wrists):
    frames, parts, poses = person(*wrists)
    figure, labels, pose = whole_figure(frames, parts, poses)
    torso = labels == 1
    assert set(np.unique(labels)) == {0, 1} and torso.sum() > (.4 if len(wrists) == 3 else .2) * part_shapes(pose, H, W)[0].sum()
    away = np.abs(figure[torso].astype(int) - SHIRT).max(-1)
    assert (away < 40).mean() > (.97 if len(wrists) == 3 else .8), 'what nobody shows is painted over from around'
    assert (parts[0] == 1).sum() < .8 * part_shapes(poses[0], H, W)[0].sum(), 'no frame shows it whole'


def test_cloth_that_labels_gave_to_a_hanging_arm_belongs_to_the_torso_and_skin_does_not():
    frames, parts, poses = person(*[((-4, 34), (4, 34))] * 3)
    arms = np.isin(parts - 1, [number for number, name in enumerate(PARTS) if 'arm' in name])
    areas = {}
    for name, color in (('sleeves', SHIRT), ('bare', SKIN)):
        frames[arms] = color
        figure, labels, _ = whole_figure(frames, parts, poses)
        areas[name] = (labels == 1).sum()
        assert np.abs(figure[labels == 1].astype(int) - SHIRT).max() < 40
    assert areas['sleeves'] > 1.1 * areas['bare']


def test_holes_of_references_are_filled_and_nothing_else_changes(clips):
    options = dict(plate=True, references=dict(gap=(0, 0), scale=1))
    plain = ClipWindows(clips[0].folder.parent, **options)
    options['references']['figure'] = True
    data = ClipWindows(clips[0].folder.parent, **options)
    one, whole = plain[0], data[0]
    for key in ('reference_frames', 'reference_parts', 'reference_poses'):
        assert whole[key].shape[1] == one[key].shape[1] + 1
        assert np.array_equal(whole[key][:, :2], one[key]) and np.array_equal(whole[key][0, 2], whole[key][1, 2])
    for item in (one, whole):
        torso = item['reference_parts'][:, :2] == 1
        torso[..., ::2] = False
        item['reference_parts'][:, :2][torso] = 0
    prepare = VideoPreprocessor()
    still = Textures(2, True, fill=True)(prepare(collate([whole])))[0]
    assert torch.equal(still, Textures(2, True)(prepare(collate([one])))[0]), 'arms are where they are in the reference'
    scale = body_scale(whole['poses'])[:, None]
    for item in (one, whole):
        for wrist, side in ((R_WRIST, -1), (L_WRIST, 1)):
            item['poses'][:, wrist, 0] += side * .5 * scale[:, 0]
    filled, before = (Textures(2, True, fill=fill)(prepare(collate([item])))[0] for fill, item in ((True, whole), (False, one)))
    assert filled.shape == before.shape
    covered = before[:, 3] > .999
    assert (filled[:, 3] >= before[:, 3] - 1e-5).all() and (filled[:, 3] > before[:, 3] + .5).any()
    assert np.allclose(filled[:, :3].movedim(1, -1)[covered], before[:, :3].movedim(1, -1)[covered], atol=1e-5)
