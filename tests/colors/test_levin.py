"""Colorization by optimization."""

import numpy as np

from toolkit.colors.anchors import Hints
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.colors.levin import LevinOptimization, affinity_laplacian
from toolkit.colors.recolor import recolor_frames


def scene():
    """Dark square on a light ground, and a region that runs 4 pixels over the square's edge."""
    lab = np.zeros((48, 48, 3), np.float32)
    lab[..., 0] = 80
    lab[12:36, 12:36, 0] = 40
    weight = np.zeros((48, 48), np.float32)
    weight[8:40, 8:40] = 1
    return lab, weight


def test_laplacian_is_symmetric_with_rows_that_sum_to_zero():
    system = affinity_laplacian(np.random.default_rng(0).uniform(0, 100, (6, 7)), 4.)
    assert abs(system - system.T).max() < 1e-12 and np.abs(system.sum(1)).max() < 1e-9
    assert system.shape == (42, 42) and (system.diagonal() > 0).all()


def test_color_fills_the_region_up_to_the_edge_of_the_lightness():
    lab, weight = scene()
    hints = Hints(np.array([(24, 24)]), np.array([(30, -40)], np.float32), np.array([False]))
    out = LevinOptimization(pull=1e-4)(lab, weight, (30, -40), hints)
    np.testing.assert_allclose(out[14:34, 14:34].reshape(-1, 2).mean(0), (30, -40), atol=1.5)
    assert np.abs(out[9:11, 9:39]).mean() < 5
    np.testing.assert_array_equal(out[:2], lab[:2, :, 1:])


def test_a_small_grid_gives_nearly_the_same():
    lab, weight = scene()
    hints = Hints(np.array([(24, 24)]), np.array([(30, -40)], np.float32), np.array([False]))
    fine, coarse = (LevinOptimization(max_points=n)(lab, weight, (30, -40), hints) for n in (10**6, 500))
    assert np.abs(fine - coarse)[16:32, 16:32].max() < 2


def test_empty_region():
    lab, weight = scene()
    np.testing.assert_array_equal(LevinOptimization()(lab, weight * 0, (30, -40), Hints.empty()), lab[..., 1:])


def test_recolors_a_person(person, clip):
    new, (record,) = recolor_frames(*(a[:1] for a in clip), up=(40, 30), colorizer=dict(type='LevinOptimization'))
    assert np.abs(np.array(record.realized) - (40, 30)).max() < 8 and record.colorizer == 'LevinOptimization'
    assert (new[0] != clip[0][0]).any(-1)[person.skin].mean() < .1
    assert np.abs(rgb8_to_lab(new[0])[..., 0] - rgb8_to_lab(clip[0][0])[..., 0]).max() * 2.55 < 1
