import numpy as np
import pytest
import pytorch_msssim
import torch
from skimage.metrics import structural_similarity

from toolkit.metrics.ssim import MSSSIM, SSIM, ms_ssim, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    real = np.kron(rng.integers(0, 255, (2, 22, 22, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    return np.clip(real + rng.normal(0, 20, real.shape), 0, 255).astype(np.uint8), real


def test_equal_pictures_score_one(pair):
    assert ssim(pair[1], pair[1]) == pytest.approx(1)
    assert ms_ssim(pair[1], pair[1]) == pytest.approx(1)


def test_agrees_with_skimage(pair):
    generated, real = pair
    options = {'gaussian_weights': True, 'sigma': 1.5, 'use_sample_covariance': False, 'data_range': 255, 'channel_axis': -1}
    expected = [structural_similarity(g, r, **options) for g, r in zip(generated, real)]
    assert ssim(generated, real) == pytest.approx(expected, abs=1e-4)


def test_agrees_with_pytorch_msssim_at_double_precision(pair):
    tensors = [torch.from_numpy(x).permute(0, 3, 1, 2).double() for x in pair]
    expected = pytorch_msssim.ms_ssim(*tensors, data_range=255, size_average=False).numpy()
    assert ms_ssim(*pair) == pytest.approx(expected, abs=1e-5)


def test_noise_lowers_the_score_and_opposites_stay_a_number(pair):
    generated, real = pair
    assert (ssim(generated, real) < 0.9).all()
    assert (ms_ssim(generated, real) < 0.999).all()
    opposite = ms_ssim(255 - real, real)  # negative contrast-structure: without clamping its power is not a number
    assert np.isfinite(opposite).all() and (opposite >= 0).all()


def test_size_guards():
    a = np.zeros((1, 160, 300, 3), np.uint8)
    with pytest.raises(ValueError, match='above 160 px, got 160x300'):
        ms_ssim(a, a)
    assert ms_ssim(np.zeros((1, 161, 161, 3), np.uint8), np.zeros((1, 161, 161, 3), np.uint8)) == pytest.approx(1)
    with pytest.raises(ValueError, match='at least 11 px'):
        ssim(a[:, :10], a[:, :10])


def test_float_pictures_are_refused(pair):
    with pytest.raises(TypeError, match='uint8'):
        ssim(pair[0] / 255, pair[1] / 255)


def test_small_frames_have_ssim_but_no_ms_ssim(make_sample):
    sample = make_sample(frames=2, height=128, width=96)
    measures = MSSSIM().measure(sample)['measures']
    assert measures['full']['reason'] == 'MS-SSIM needs a side above 160 px, got 128x96'
    assert measures['crop']['value'] == pytest.approx(1)
    assert SSIM().measure(sample)['measures']['full']['value'] == pytest.approx(1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_same_numbers_on_the_gpu(pair):
    assert ssim(*pair, device='cuda') == pytest.approx(ssim(*pair), abs=1e-5)
    assert ms_ssim(*pair, device='cuda') == pytest.approx(ms_ssim(*pair), abs=1e-5)
