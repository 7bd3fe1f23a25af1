import cv2
import numpy as np
import pytest

from toolkit.metrics.mask_area import MaskArea
from toolkit.metrics.sharpness import Sharpness, laplacian_strength


def test_laplacian_of_one_bright_pixel():
    frame = np.zeros((1, 9, 9, 3), np.uint8)
    frame[0, 4, 4] = 100
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 4, 4:6] = True
    assert laplacian_strength(frame, mask) == pytest.approx((400 + 100) / 2)  # the pixel itself and one neighbor


def test_blur_is_below_one_and_noise_above(make_sample):
    sample = make_sample(height=64, width=64)
    rng = np.random.default_rng(0)
    sample['real'] = cv2.GaussianBlur(rng.integers(0, 255, (64, 64, 3), np.uint8), (0, 0), 1)[None].repeat(4, 0)
    blurred = np.stack([cv2.GaussianBlur(f, (0, 0), 1.5) for f in sample['real']])
    noisy = np.clip(sample['real'] + rng.normal(0, 30, sample['real'].shape), 0, 255).astype(np.uint8)
    metric = Sharpness()

    def ratio(generated):
        return metric.measure(dict(sample, generated=generated))['measures']['person']['value']

    assert ratio(sample['real']) == 1
    assert ratio(blurred) < 0.6
    assert ratio(noisy) > 1.2


def test_only_inside_the_mask(make_sample):
    sample = make_sample(height=64, width=64)
    sample['real'] = np.random.default_rng(0).integers(0, 255, sample['real'].shape, np.uint8)
    inner = cv2.dilate(sample['mask'].any(0).astype(np.uint8), np.ones((5, 5))).astype(bool)
    sample['generated'] = np.where(inner[..., None], sample['real'], 0).astype(np.uint8)
    assert Sharpness().measure(sample)['measures']['person']['value'] == 1


def test_flat_person_has_no_reference(make_sample):
    sample = make_sample()
    sample['real'][:] = sample['generated'][:] = 0
    assert 'flat' in Sharpness().measure(sample)['measures']['person']['reason']


def test_mask_area(make_sample):
    sample = make_sample(height=100, width=100)
    sample['mask'][:] = False
    assert MaskArea().measure(sample)['measures']['area']['value'] == 0
    sample['mask'][:, :, :45] = True
    measure = MaskArea().measure(sample)['measures']['area']
    assert measure['value'] == pytest.approx(0.5) and measure['frames'] == 3  # 45 columns and 5 of dilation
