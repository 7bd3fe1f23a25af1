import numpy as np
import pytest

from toolkit.video.sampling import chunks, sample_frames


def video(times):
    return [(i, t) for i, t in enumerate(times)]


def test_all_frames_are_kept_by_default():
    assert list(sample_frames(video([0, .1, .15, .4]))) == [(0, 0, 0), (1, .1, 1), (2, .15, 2), (3, .4, 3)]


def test_a_tick_shows_the_frame_then_on_display():
    chosen = list(sample_frames(video([0, .1, .15, .4]), fps=10))
    assert [i for i, _, _ in chosen] == [0, 1, 2, 2, 3, 3, 3]
    np.testing.assert_allclose([t for _, t, _ in chosen], np.arange(7) / 10)


def test_the_number_in_the_source_goes_along():
    chosen = list(sample_frames(video([0, .1, .15, .4]), fps=10, start=.1))
    assert [i for i, _, _ in chosen] == [i for _, _, i in chosen] == [1, 2, 2, 3, 3, 3]
    assert [i for _, _, i in sample_frames(video([0, .1, .2]), start=.1, numbers=[4, 7, 9])] == [7, 9]


def test_halving_and_doubling():
    times = np.arange(10) / 30
    assert [i for i, _, _ in sample_frames(video(times), fps=15)] == [0, 2, 4, 6, 8]
    assert [i for i, _, _ in sample_frames(video(times), fps=60)] == [i for i in range(10) for _ in range(2)]
    assert [i for i, _, _ in sample_frames(video(times), fps=30)] == list(range(10))


@pytest.mark.parametrize('fps', [None, 30])
def test_stretch_and_number(fps):
    times = np.arange(30) / 30
    assert [i for i, _, _ in sample_frames(video(times), fps, start=.2, end=.5)] == list(range(6, 15))
    assert [i for i, _, _ in sample_frames(video(times), fps, start=.2, max_frames=3)] == [6, 7, 8]


def test_an_end_inside_a_frame_that_stands_still_does_not_cut_it_short():
    chosen = list(sample_frames(video([0, .04, .08, 1, 5]), fps=25, end=4))
    assert len(chosen) == 100 and [i for i, _, _ in chosen[-76:]] == [2] + [3] * 75
    assert len(list(sample_frames(video([0, .04, .08]), fps=25, end=4))) == 3


def test_no_frame_is_decoded_beyond_the_need():
    def endless():
        i = 0
        while True:
            yield i, i / 10
            i += 1
            assert i < 20
    assert len(list(sample_frames(endless(), end=1.))) == 10
    assert len(list(sample_frames(endless(), fps=10, end=1.))) == 10
    assert len(list(sample_frames(endless(), max_frames=5))) == 5


def test_chunks():
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]] and list(chunks([], 2)) == []
