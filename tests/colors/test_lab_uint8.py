"""The fast 8-bit conversion against scikit-image."""

import numpy as np
import skimage.color
import torch

from toolkit.colors.lab import rgb_to_lab
from toolkit.colors.lab_uint8 import lab_to_rgb8, rgb8_to_lab


def every_third_color() -> np.ndarray:
    levels = np.append(np.arange(0, 255, 3), 255).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)


def test_agrees_with_skimage_and_with_the_tensor_version():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    rgb[0, :3] = [(0, 0, 0), (255, 255, 255), (1, 0, 2)]
    lab = rgb8_to_lab(rgb)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, skimage.color.rgb2lab(rgb), atol=2e-3)
    np.testing.assert_allclose(lab, rgb_to_lab(torch.from_numpy(rgb / 255.)).numpy(), atol=2e-3)


def test_round_trip_returns_every_color():
    rgb = every_third_color()
    np.testing.assert_array_equal(lab_to_rgb8(rgb8_to_lab(rgb)), rgb)


def test_encoding_is_exact_rounding_up_to_one_level_in_few_pixels():
    lab = np.random.default_rng(1).uniform((0, -60, -60), (100, 60, 60), (20000, 3)).astype(np.float32)
    exact = np.rint(255 * np.clip(skimage.color.lab2rgb(lab[:, None].astype(np.float64))[:, 0], 0, 1))
    difference = np.abs(lab_to_rgb8(lab) - exact)
    assert difference.max() <= 1 and (difference > 0).mean() < .01


def test_no_pixels():
    assert rgb8_to_lab(np.zeros((0, 3), np.uint8)).shape == (0, 3)
    assert lab_to_rgb8(np.zeros((0, 3), np.float32)).shape == (0, 3)
