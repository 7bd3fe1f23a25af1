import numpy as np
import pytest

from toolkit.metrics.pictures import CROP_SIZE, PictureMetric, check_pair, dilate, in_chunks, person_box, resize, view
from toolkit.structures import InputError


def test_dilate_grows_by_the_radius():
    mask = np.zeros((1, 21, 21), bool)
    mask[0, 10, 10] = True
    grown = dilate(mask, 5)[0]
    assert grown[10, 5] and grown[10, 15] and grown[5, 10] and grown[15, 10]
    assert not grown[10, 4] and not grown[4, 10] and not grown[5, 5]


def test_person_box():
    mask = np.zeros((20, 30), bool)
    mask[3:9, 4:11] = True
    assert person_box(mask) == (3, 9, 4, 11)
    with pytest.raises(ValueError, match='empty'):
        person_box(np.zeros((4, 4), bool))


def test_full_leaves_out_the_content_frame(make_sample):
    sample = make_sample(frames=5)
    generated, real = view(sample, 'full')
    assert len(generated) == len(real) == 4 and np.array_equal(real, sample['real'][1:])


def test_masked_is_black_outside_and_untouched_inside(make_sample):
    sample = make_sample()
    sample['generated'] = 255 - sample['generated']
    generated, real = view(sample, 'masked')
    inside = dilate(sample['mask'][1:])
    assert not generated[~inside].any() and not real[~inside].any()
    assert np.array_equal(generated[inside], sample['generated'][1:][inside])


def test_crop_shows_the_person_alone(make_sample):
    sample = make_sample(height=80, width=80)  # a person of 12 x 20
    sample['real'][:] = 0
    sample['real'][dilate(sample['mask'])] = 200
    _, real = view(sample, 'crop')
    assert real.shape == (3, *CROP_SIZE, 3)
    assert real.mean() / 200 == pytest.approx(0.95, abs=0.01)  # 22 x 30 less its round corners: cv2's disc of radius 5 fills 95 %


@pytest.mark.parametrize('protocol', ['masked', 'crop'])
def test_frames_without_a_person_are_left_out(make_sample, protocol):
    sample = make_sample(frames=4)
    sample['mask'][2] = False
    assert len(view(sample, protocol)[0]) == 2
    sample['mask'][:] = False
    assert len(view(sample, protocol)[0]) == 0
    assert len(view(sample, 'full')[0]) == 3


@pytest.mark.parametrize('answer, shape', [
    (lambda n: 3., r'\(\)'), (lambda n: np.ones(1), r'\(1,\)'), (lambda n: np.ones((n, 3)), r'\(3, 3\)')])
def test_a_metric_gives_one_number_a_frame(make_sample, answer, shape):
    """Else counts of frames are wrong, and parts of a clip weigh alike, however many frames they have."""

    class Answering(PictureMetric):
        default_prefix, text = 'answering', 'whatever it is told'

        def per_frame(self, generated, real):
            return answer(len(real))

    with pytest.raises(InputError, match=f'clip clip: per_frame of Answering gave an array of {shape} for 3 frames, expected one'):
        Answering().measure(make_sample(frames=4))


def test_unknown_protocol(make_sample):
    with pytest.raises(ValueError, match="unknown protocol 'face'"):
        view(make_sample(), 'face')


def test_resize_averages_where_it_shrinks():
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[:, ::2] = 200
    assert (resize(frame, 2, 2) == 100).all()


def test_chunks_change_nothing():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 7, 8, 8, 3), np.uint8)
    values = in_chunks(lambda x, y: (x - y).abs().mean((1, 2, 3)), a, b, chunk=3)
    assert np.allclose(values, np.abs(a.astype(int) - b).mean((1, 2, 3)))
    assert in_chunks(lambda x, y: x.mean((1, 2, 3)), a[:0], b[:0]).shape == (0,)


def test_check_pair_refuses():
    a = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(TypeError, match='generated frames must be a uint8 array in 0..255, got float32'):
        check_pair(a.astype(np.float32), a)
    with pytest.raises(ValueError, match='one shape'):
        check_pair(a, a[:1])
    with pytest.raises(ValueError, match=r'generated frames must be \(N, H, W, 3\), got \(2, 8, 8, 1\)'):
        check_pair(a[..., :1], a[..., :1])
