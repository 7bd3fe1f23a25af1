"""What sRGB can show."""

import itertools

import numpy as np
import torch

from toolkit.colors.gamut import chroma_limits, colors_of, is_in_gamut, limit_chroma
from toolkit.colors.lab import in_gamut, rgb_to_lab
from toolkit.colors.lab_uint8 import lab_to_rgb8, rgb8_to_lab


def test_corners_of_the_rgb_cube_are_in_gamut_and_a_step_beyond_them_is_not():
    for corner in itertools.product((0., 1.), repeat=3):
        lab = rgb_to_lab(torch.tensor(corner))
        assert is_in_gamut(*lab.tolist())
        if 0 < sum(corner) < 3:
            assert not is_in_gamut(*(lab * torch.tensor([1., 1.05, 1.05])).tolist())


def test_limited_colors_keep_lightness_and_hue_and_survive_8_bits():
    lab = np.random.default_rng(0).uniform((2, -100, -100), (98, 100, 100), (5000, 3)).astype(np.float32)
    limited = limit_chroma(lab.T.copy()).T
    np.testing.assert_array_equal(limited[:, 0], lab[:, 0])
    cross = limited[:, 1] * lab[:, 2] - limited[:, 2] * lab[:, 1]
    np.testing.assert_allclose(cross / np.hypot(lab[:, 1], lab[:, 2]), 0, atol=1e-3)
    assert (np.hypot(limited[:, 1], limited[:, 2]) <= np.hypot(lab[:, 1], lab[:, 2]) + 1e-3).all()
    after = rgb8_to_lab(lab_to_rgb8(limited))
    assert np.abs(after[:, 0] - lab[:, 0]).max() < 100 / 255


def test_colors_inside_the_gamut_stay_as_they_are():
    rgb = np.random.default_rng(1).integers(30, 226, (2000, 3)).astype(np.uint8)
    lab = rgb8_to_lab(rgb)
    np.testing.assert_allclose(limit_chroma(lab.T.copy()).T, lab, atol=1.)


def test_black_and_white_have_no_chroma():
    limits = chroma_limits()
    assert limits[0].max() < 2 and limits[-1].max() < 2 and 25 < limits[200].min() < limits[100].max() < 120


def test_colors_of_a_lightness_are_exactly_those_in_gamut():
    colors = {tuple(c) for c in colors_of(60).tolist()}
    assert len(colors) > 5000
    for ab in [(0, 0), (50, 20), (-60, 55), (90, 90), (-110, 0), (40, -60)]:
        assert (ab in colors) == bool(in_gamut(torch.tensor([60., *map(float, ab)])))
