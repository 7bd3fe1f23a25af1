"""Decoding of synthetic heatmaps and fields."""

import numpy as np
import pytest

from toolkit.poses.decode import (
    Person,
    cell_to_pixel,
    count_people,
    find_peaks,
    follow_person,
    limb_support,
    parse_people,
)
from toolkit.skeletons import INDEX, LIMB_PAFS, LIMBS, K

SIZE = (48, 32)


def standing(x, y, height):
    """Pixel positions (18, 2) of somebody standing."""
    shape = dict(
        nose=(0, 0), neck=(0, .15), right_shoulder=(-.12, .15), right_elbow=(-.16, .33), right_wrist=(-.18, .5),
        left_shoulder=(.12, .15), left_elbow=(.16, .33), left_wrist=(.18, .5), right_hip=(-.08, .5), right_knee=(-.09, .75),
        right_ankle=(-.09, 1), left_hip=(.08, .5), left_knee=(.09, .75), left_ankle=(.09, 1), right_eye=(-.03, -.03),
        left_eye=(.03, -.03), right_ear=(-.07, -.01), left_ear=(.07, -.01))
    return np.array([shape[name] for name in INDEX]) * height + (x, y)


def maps_of(people, size=SIZE, sigma=7.0):
    """Ideal heatmaps and fields, as the networks were trained on: Gaussians of 7 px, unit vectors within a cell of a limb."""
    rows, columns = np.mgrid[:size[0], :size[1]]
    px, py = cell_to_pixel(columns), cell_to_pixel(rows)
    heat, paf = np.zeros((K, *size), np.float32), np.zeros((38, *size), np.float32)
    for points in people:
        for j, (x, y) in enumerate(points):
            heat[j] = np.maximum(heat[j], np.exp(-((px - x)**2 + (py - y)**2) / (2 * sigma**2)))
        for (a, b), channels in zip(LIMBS, LIMB_PAFS):
            vector = points[b] - points[a]
            length = np.hypot(*vector)
            unit = vector / length
            along = (px - points[a][0]) * unit[0] + (py - points[a][1]) * unit[1]
            across = np.abs((py - points[a][1]) * unit[0] - (px - points[a][0]) * unit[1])
            near = (across < 8) & (along > -4) & (along < length + 4)
            paf[channels[0]][near], paf[channels[1]][near] = unit
    return heat, paf


def test_cell_centers():
    assert cell_to_pixel(np.array([0.0, 1.0, 10.0])).tolist() == [3.5, 11.5, 83.5]


@pytest.mark.parametrize('seed', range(3))
def test_joints_come_back_within_a_pixel(seed):
    rng = np.random.default_rng(seed)
    points = standing(128, 60, 280) + rng.uniform(-4, 4, (K, 2))
    heat, paf = maps_of([points])
    pose = parse_people(heat, paf)[0].pose
    assert (pose[:, 2] > 0.1).all()
    assert np.linalg.norm(cell_to_pixel(pose[:, :2]) - points, axis=-1).max() < 1


def test_peak_exactly_at_a_cell_center_and_at_the_border():
    heat = np.zeros((K, 8, 8), np.float32)
    heat[0, 3, 4] = 1
    heat[1, 0, 7] = 0.5
    peaks = find_peaks(heat)
    assert peaks[0].tolist() == [[4, 3, 1]]
    assert peaks[1].tolist() == [[7, 0, 0.5]]
    assert all(len(p) == 0 for p in peaks[2:])


def test_a_plateau_gives_one_peak():
    heat = np.zeros((K, 8, 8), np.float32)
    heat[0, 2:4, 2:5] = 0.7
    heat[1, 2, 2] = heat[1, 3, 3] = 0.7
    peaks = find_peaks(heat)
    assert len(peaks[0]) == 1
    assert len(peaks[1]) == 1


def test_limb_support_is_the_field_along_the_limb():
    paf = np.zeros((38, 10, 10), np.float32)
    paf[list(LIMB_PAFS[2])] = np.array([0.6, 0.8])[:, None, None]
    support = limb_support(paf, 2, np.array([[1.0, 1.0, 1.0]]), np.array([[4.0, 5.0, 1.0], [4.0, 1.0, 1.0]]))
    assert support.shape == (1, 2, 10)
    np.testing.assert_allclose(support[0, 0], 1, atol=1e-6)
    np.testing.assert_allclose(support[0, 1], 0.6, atol=1e-6)


def test_two_people_are_told_apart():
    left, right = standing(60, 40, 280), standing(190, 80, 250)
    people = parse_people(*maps_of([left, right]))
    assert len(people) == 2 == count_people(people)
    for points in (left, right):
        error = min(np.abs(cell_to_pixel(p.pose[:, :2]) - points).max() for p in people)
        assert error < 1.5


def test_a_joint_that_no_field_supports_is_dropped():
    heat, paf = maps_of([standing(128, 60, 280)])
    wrist = INDEX['left_wrist']
    heat[wrist] = 0
    heat[wrist, 2, 2] = 0.9
    assert parse_people(heat, paf)[0].pose[wrist].tolist() == [0, 0, 0]


def test_a_weakly_connected_joint_is_added_to_its_person():
    points = standing(128, 60, 280)
    heat, paf = maps_of([points])
    wrist, limb = INDEX['left_wrist'], LIMBS.index((INDEX['left_elbow'], INDEX['left_wrist']))
    x, y = LIMB_PAFS[limb]
    paf[[x, y], 22:] = 0
    paf[[x, y]] *= 0.5
    pose = parse_people(heat, paf)[0].pose
    assert np.linalg.norm(cell_to_pixel(pose[wrist, :2]) - points[wrist]) < 1


def test_empty_maps_have_nobody():
    heat, paf = np.zeros((K, *SIZE), np.float32), np.zeros((38, *SIZE), np.float32)
    assert parse_people(heat, paf) == []
    assert count_people([]) == 0
    assert not follow_person([[], []]).any()


def person(x, scale, score):
    points = standing(x, 50, 200 * scale)
    return Person(np.concatenate([points, np.ones((K, 1))], 1).astype(np.float32), score)


def test_the_prominent_person_is_followed_even_when_another_scores_higher():
    frames = []
    for t in range(10):
        walker, bystander = person(100 + 10 * t, 1.0, 20.0), person(400, 0.6, 22.0 if t < 5 else 30.0)
        frames.append([bystander, walker] if t % 2 else [walker, bystander])
    frames[3] = [frames[3][0]] if frames[3][0].pose[0, 0] == 400 else [frames[3][1]]
    poses = follow_person(frames)
    present = [t for t in range(10) if t != 3]
    np.testing.assert_allclose(poses[present, 0, 0], [100 + 10 * t for t in present], atol=1e-3)
    assert not poses[3].any()


def test_somebody_lost_is_found_again_elsewhere_after_a_while():
    frames = [[person(100, 1.0, 20.0)], *[[]] * 12, *[[person(400, 1.0, 10.0)]] * 2]
    poses = follow_person(frames)
    assert poses[[13, 14], 0, 0].tolist() == [400, 400]
    at_once = follow_person([[person(100, 1.0, 20.0)], [person(400, 1.0, 10.0)]])
    assert not at_once[1].any()


def test_small_or_partial_people_do_not_count():
    partial = person(300, 1.0, 20.0)
    partial.pose[5:] = 0
    assert count_people([person(100, 1.0, 20.0), person(300, 0.2, 20.0), partial]) == 1
    assert count_people([person(100, 1.0, 20.0), person(300, 0.8, 15.0)]) == 2
