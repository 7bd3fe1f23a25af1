import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from toolkit.metrics.l1 import L1, l1
from toolkit.metrics.psnr import PSNR, psnr


@pytest.mark.parametrize('offset', [1, 10, 50])
def test_constant_offset(offset):
    real = np.random.default_rng(0).integers(0, 200, (2, 16, 16, 3)).astype(np.uint8)
    assert psnr(real + np.uint8(offset), real) == pytest.approx(20 * np.log10(255 / offset))
    assert l1(real + np.uint8(offset), real) == pytest.approx(offset)


def test_each_frame_alone():
    real = np.zeros((2, 8, 8, 3), np.uint8)
    generated = real.copy()
    generated[1] = 255
    assert psnr(generated, real).tolist() == [np.inf, 0.0]
    assert l1(generated, real).tolist() == [0.0, 255.0]


def test_differences_do_not_wrap_around():
    zero, full = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    assert psnr(zero, full) == psnr(full, zero) == 0
    assert l1(zero, full) == l1(full, zero) == 255


def test_agrees_with_skimage():
    a, b = np.random.default_rng(1).integers(0, 255, (2, 1, 33, 21, 3), np.uint8)
    assert psnr(a, b)[0] == pytest.approx(peak_signal_noise_ratio(b[0], a[0], data_range=255), rel=1e-6)


def test_classes_report_every_protocol(make_sample):
    sample = make_sample()
    sample['generated'][~sample['mask']] //= 2
    for metric in (PSNR(), L1()):
        measures = metric.measure(sample)['measures']
        assert list(measures) == ['full', 'masked', 'crop'] == list(metric.definitions)
        assert [m['frames'] for m in measures.values()] == [3, 3, 3]
    psnrs = {k: m['value'] for k, m in PSNR().measure(sample)['measures'].items()}
    assert psnrs['full'] < psnrs['masked']  # the background is worse than the person


def test_equal_frames_count_as_the_cap(make_sample):
    assert PSNR(protocols=['full']).measure(make_sample())['measures']['full']['value'] == 100


def test_masked_says_why_there_is_no_number(make_sample):
    sample = make_sample()
    sample['mask'][:] = False
    measures = PSNR().measure(sample)['measures']
    assert measures['full']['value'] == 100 and measures['masked']['value'] is None and 'empty masks' in measures['crop']['reason']


def test_unknown_protocol():
    with pytest.raises(ValueError, match='protocols must be among'):
        PSNR(protocols=['face'])
