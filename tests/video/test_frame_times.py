"""Time stamps are the truth, the header is a hint."""

from fractions import Fraction

import av
import numpy as np
import pytest

from toolkit.video.frame_times import ForwardTimes, display_order, true_rate
from toolkit.video.io import read_video, video_info
from toolkit.video.sampling import sample_frames


def picture(t, size=48):
    return np.full((size, size, 3), 5 * t % 250, np.uint8)


def write(path, times, codec='libvpx', options=None, size=48, **container_options):
    """Frames at given times, with a time base of 1 ms."""
    with av.open(str(path), 'w', options=options or {}, **container_options) as container:
        stream = container.add_stream(codec, rate=1000)
        stream.width = stream.height = size
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 1000)
        for t, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(t, size), format='rgb24').reformat(format='yuv420p')
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_live_recording_has_the_rate_of_its_times(tmp_path):
    """Browsers write neither the length of a frame nor that of the video; FFmpeg then announces 1000 frames a second."""
    path = write(tmp_path / 'a.webm', np.arange(60) / 30, options={'live': '1'}, format='webm')
    info = video_info(path)
    assert (info.fps, info.num_frames, info.variable, info.sample_rate) == (30, 60, False, None)


def test_a_screen_recording_is_sampled_at_its_mean_rate(tmp_path):
    times = np.cumsum(np.random.default_rng(0).choice([.016, .033, .1], 60))
    path = write(tmp_path / 'a.webm', times, options={'live': '1'}, format='webm')
    info = video_info(path)
    mean = 59 / (times[-1] - times[0])
    assert info.variable and abs(info.sample_rate / mean - 1) < .01
    assert abs(len(list(sample_frames(read_video(path), info.sample_rate))) - 60) <= 3


def test_a_recorder_that_waits_while_nothing_moves_keeps_its_speed(tmp_path):
    """Bursts at 60 frames a second with two seconds of nothing between them: 16 a second on the average would be slow motion."""
    burst = np.arange(30) / 60
    path = write(tmp_path / 'a.mkv', [*burst, *(2.5 + burst), *(5 + burst)], codec='libx264')
    info = video_info(path)
    assert info.sample_rate == info.fps == 60 and not info.variable and info.gaps == (30, 60)
    chosen = list(sample_frames(read_video(path), info.sample_rate))
    assert len(chosen) == pytest.approx(330, abs=2) and [i for _, t, i in chosen if 5 <= t][0] == 60


def test_more_than_240_frames_a_second_are_sampled(tmp_path):
    info = video_info(write(tmp_path / 'a.mkv', np.arange(50) / 500, codec='libx264'))
    assert info.sample_rate == info.fps == 240


def test_two_recordings_in_one_stream_are_both_read(tmp_path):
    for name in ('a', 'b'):
        write(tmp_path / f'{name}.ts', np.arange(20) / 10, codec='libx264', size=64)
    joined = tmp_path / 'ab.ts'
    joined.write_bytes((tmp_path / 'a.ts').read_bytes() + (tmp_path / 'b.ts').read_bytes())
    reader = read_video(joined)
    with pytest.warns(UserWarning, match='goes back at frame 20'):
        times = [t for _, t in reader]
    np.testing.assert_allclose(times, np.arange(40) / 10, atol=1e-3)
    np.testing.assert_allclose(reader.times(), times, atol=1e-3)
    with pytest.warns(UserWarning):
        assert [i for _, _, i in sample_frames(reader, fps=10)] == list(range(40))


def test_a_gap_of_days_is_cut_out(tmp_path):
    path = write(tmp_path / 'a.mkv', [*np.arange(10) / 25, *(1e6 + np.arange(10) / 25)], codec='libx264')
    reader = read_video(path)
    with pytest.warns(UserWarning, match=r'gap of 1e\+06 s before frame 10'):
        assert len(list(sample_frames(reader, fps=25))) == 20
    assert reader.fps == 25 and video_info(reader).duration < 1


@pytest.mark.parametrize('given, expected', [
    ([5, 5.1, 5.2, 5.4], [0, .1, .2, .4]),
    ([0, .1, .1, .2, .3], [0, .1, .15, .2, .3]),
    ([0, .1, .2, None, .4], [0, .1, .2, .3, .4]),
    ([0, .1, 1, 1.1, 0, .1, .2], [0, .1, 1, 1.1, 1.2, 1.3, 1.4]),
    ([0, .1, 500, 500.1], [0, .1, .2, .3])])
def test_times_only_go_forward(given, expected):
    times = [*map(ForwardTimes(.1), given)]
    np.testing.assert_allclose(times, expected, atol=1e-9)
    assert (np.diff(times) > 0).all()


def test_random_times_become_strictly_increasing():
    rng = np.random.default_rng(0)
    for _ in range(200):
        given = np.cumsum(rng.choice([-3, -.1, -.02, 0, .02, .04, 1, 1e5], 40, p=[.05, .1, .1, .1, .2, .3, .1, .05]))
        times = np.array([*map(ForwardTimes(.04), given)])
        assert (np.diff(times) > 1e-9).all() and times[-1] < 40 * 10


def test_frames_are_shown_in_the_order_of_their_times_within_each_recording():
    assert display_order([(0, 0), (3, 1), (1, 2), (2, 3), (0, 0), (2, 1), (1, 2)]) == [0, 1, 2, 3, 0, 1, 2]


def test_the_announced_rate_is_kept_where_it_is_true():
    times = np.round(np.arange(100) * 1001 / 30000, 3)
    assert true_rate(times, Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert true_rate(np.delete(times, [50, 51]), Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert true_rate(times, Fraction(1000)) == true_rate(times, None) == Fraction(30000, 1001)
    assert true_rate(np.zeros(1), Fraction(1000)) == 25 and true_rate(np.zeros(1), Fraction(12)) == 12
    assert true_rate(np.array([0, .5, 10.]), Fraction(0)) == Fraction(1, 5)


def test_a_file_that_does_not_say_when_frames_are_shown(tmp_path):
    """AVI has times of decoding alone, and H.264 frames come in another order; the times that FFmpeg guesses go back and forth."""
    path = tmp_path / 'a.avi'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25, options={'bf': '3', 'qp': '5'})
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for t in range(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 + 5 * t, np.uint8), format='rgb24')))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert min(np.diff([frame.pts for frame in container.decode(video=0)])) < 0
    reader = read_video(path)
    gray, times = zip(*[(frame.mean(), time) for frame, time in reader])
    assert len(gray) == 40 and (np.diff(gray) > 2).all(), 'frames come in the order in which they are shown'
    np.testing.assert_allclose(times, np.arange(40) / 25, atol=1e-9)
    np.testing.assert_allclose(reader.times(), times, atol=1e-9)
    assert not reader.problems and not reader.mended and reader.fps == 25
    assert [i for _, _, i in sample_frames(reader, fps=25)] == list(range(40))
