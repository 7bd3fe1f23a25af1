"""Stick figures against a slow, literal rasteriser."""

import numpy as np
import pytest

from toolkit.poses.draw import default_radius, draw_pose, draw_pose_on
from toolkit.skeletons import DRAWN_LIMBS, JOINT_COLORS, LIMBS, K
from toolkit.structures import InputError


def random_pose(seed, height, width, margin=0.2):
    rng = np.random.default_rng(seed)
    pose = np.zeros((K, 3), np.float32)
    pose[:, 0] = rng.uniform(-margin * width, (1 + margin) * width, K)
    pose[:, 1] = rng.uniform(-margin * height, (1 + margin) * height, K)
    pose[:, 2] = rng.choice([0, 0.05, 0.5, 1], K, p=[0.1, 0.1, 0.4, 0.4])
    return pose


def literal(pose, height, width, radius, threshold):
    """Every pixel against every ellipse and disc, by the definition."""
    pose = pose.astype(np.float64)
    y, x = np.mgrid[:height, :width]
    canvas = np.zeros((height, width, 3), np.uint8)
    for i, (a, b) in enumerate(LIMBS[:DRAWN_LIMBS]):
        if min(pose[a, 2], pose[b, 2]) < threshold:
            continue
        center, vector = (pose[a, :2] + pose[b, :2]) / 2, pose[b, :2] - pose[a, :2]
        angle = np.arctan2(vector[1], vector[0])
        u = (x - center[0]) * np.cos(angle) + (y - center[1]) * np.sin(angle)
        v = -(x - center[0]) * np.sin(angle) + (y - center[1]) * np.cos(angle)
        inside = (u / (np.hypot(*vector) / 2))**2 + (v / radius)**2 <= 1
        canvas[inside] = np.maximum(canvas[inside], JOINT_COLORS[i])
    for j in range(K):
        if pose[j, 2] >= threshold:
            canvas[(x - pose[j, 0])**2 + (y - pose[j, 1])**2 <= radius**2] = JOINT_COLORS[j]
    return canvas


@pytest.mark.parametrize('seed', range(6))
def test_default_style_equals_the_definition(seed):
    pose = random_pose(seed, 96, 64)
    assert np.array_equal(draw_pose(pose, 96, 64, radius=2.5), literal(pose, 96, 64, 2.5, 0.1))


def test_radius_follows_the_height():
    assert [default_radius(h) for h in (64, 128, 384, 512, 1024)] == [1, 1, 3, 4, 8]
    pose = random_pose(0, 384, 256)
    assert np.array_equal(draw_pose(pose, 384, 256), draw_pose(pose, 384, 256, radius=3))


def test_limb_colors_are_merged_by_maximum():
    pose = np.zeros((K, 3), np.float32)
    pose[[1, 2, 5]] = (20, 30, 1), (80, 30, 1), (80.001, 30, 1)
    picture = draw_pose(pose, 60, 100, radius=4)
    assert picture[30, 50].tolist() == np.maximum(JOINT_COLORS[0], JOINT_COLORS[1]).tolist()


def test_missing_joints_far_joints_and_coinciding_joints():
    pose = np.zeros((K, 3), np.float32)
    assert not draw_pose(pose, 32, 32).any()
    pose[[2, 3]] = (1e6, -1e6, 1), (-1e6, 1e6, 1)
    assert draw_pose(pose, 32, 32).shape == (32, 32, 3)
    pose[[2, 3]] = (10, 10, 1), (10, 10, 1)
    assert draw_pose(pose, 32, 32)[10, 10].tolist() == JOINT_COLORS[3].tolist()
    pose[[2, 3]] = (np.nan, 10, 1), (10, 10, 0.05)
    assert not draw_pose(pose, 32, 32).any()


def test_style_backgrounds_and_colors():
    pose = np.zeros((K, 3), np.float32)
    pose[[2, 3, 4]] = (20, 50, 1), (80, 50, 1), (80, 90, 1)
    limb = LIMBS.index((2, 3))
    on_black = draw_pose(pose, 128, 128, 'openpose')
    assert on_black[50, 50].tolist() == np.rint(0.6 * JOINT_COLORS[limb]).tolist()
    edn = draw_pose(pose, 128, 128, 'edn')
    assert edn[0, 0].tolist() == [255] * 3
    assert edn[50, 50].tolist() == np.rint(0.4 * 255 + 0.6 * JOINT_COLORS[2].astype(float)).tolist()
    pg = draw_pose(pose, 128, 128, 'pg')
    assert pg[50, 50].min() == pg[50, 50].max() > 200
    assert pg[50, 20].tolist() == JOINT_COLORS[2].tolist()
    with pytest.raises(InputError, match='nope'):
        draw_pose(pose, 8, 8, 'nope')


def test_drawing_on_a_frame_blends_and_leaves_the_frame_alone():
    frame = np.full((100, 100, 3), 100, np.uint8)
    pose = np.zeros((K, 3), np.float32)
    pose[[2, 3]] = (20, 50, 1), (80, 50, 1)
    drawn = draw_pose_on(frame, pose)
    assert (frame == 100).all()
    assert drawn[50, 50].tolist() == np.rint(40 + 0.6 * JOINT_COLORS[LIMBS.index((2, 3))]).tolist()
    assert drawn[10, 10].tolist() == [100] * 3
