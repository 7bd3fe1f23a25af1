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


def by_the_paper(generated, real):
    """MS-SSIM of two pictures (H, W) in double precision, as Wang et al. 2003 write it; nothing of it is the toolkit's."""
    from scipy.ndimage import correlate1d
    x = np.arange(-5, 6)
    window = np.exp(-x**2 / (2 * 1.5**2))
    window /= window.sum()

    def blur(picture):
        return correlate1d(correlate1d(picture, window, 0), window, 1)[5:-5, 5:-5]

    a, b, product = generated.astype(float), real.astype(float), 1.0
    for scale, weight in enumerate((.0448, .2856, .3001, .2363, .1333)):
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
        c1, c2 = (.01 * 255)**2, (.03 * 255)**2
        structure = (2 * both + c2) / (var_a + var_b + c2)
        luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        product *= ((luminance * structure).mean() if scale == 4 else structure.mean()) ** weight
        a, b = (p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean((1, 3)) if scale < 4 else p for p in (a, b))
    return product


def test_ms_ssim_is_that_of_the_paper():
    rng = np.random.default_rng(3)
    real = np.clip(rng.normal(120, 40, (192, 176, 3)) * .3 + 80 * rng.random((192, 1, 1)), 0, 255).astype(np.uint8)
    generated = np.clip(real + rng.normal(0, 12, real.shape), 0, 255).astype(np.uint8)
    expected = np.mean([by_the_paper(generated[..., c], real[..., c]) for c in range(3)])
    assert ms_ssim(generated[None], real[None])[0] == pytest.approx(expected, abs=2e-4)
    assert 0.3 < expected < 0.99
