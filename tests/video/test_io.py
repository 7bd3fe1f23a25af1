import multiprocessing
import os
import signal
import stat
import sys
import warnings
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from toolkit.structures import InputError
from toolkit.video import source
from toolkit.video.io import VideoWriter, read_video, video_info
from toolkit.video.reader import orient


def gradient(height=48, width=64, t=0):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3 + 20, y * 4 + 20, np.full_like(x, 40 + 10 * t)], -1).clip(0, 255).astype(np.uint8)


def write(path, frames, fps=25, times=None, rotation=None, codec='libx264', pix_fmt='yuv420p', sar=None):
    """A small video written without the toolkit."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        stream.time_base = Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        if rotation:
            stream.set_display_rotation(rotation)
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24').reformat(format=pix_fmt)
            picture.pts = round(1000 * (times[i] if times is not None else i / fps))
            picture.time_base = Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_round_trip_keeps_colors_times_and_rate(tmp_path):
    frames = [gradient(t=t) for t in range(12)]
    with VideoWriter(tmp_path / 'out' / 'a.mp4', Fraction(30000, 1001), crf=4) as writer:
        for frame in frames:
            writer.write(frame)
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['a.mp4']
    reader = read_video(tmp_path / 'out' / 'a.mp4')
    assert (reader.height, reader.width, reader.num_frames, reader.fps) == (48, 64, 12, Fraction(30000, 1001))
    back = list(reader)
    assert np.mean([np.abs(b[0].astype(int) - f).mean() for b, f in zip(back, frames)]) < 3
    np.testing.assert_allclose([t for _, t in back], np.arange(12) * 1001 / 30000, atol=1e-4)
    with av.open(str(tmp_path / 'out' / 'a.mp4')) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace) == ('h264', 'yuv420p', 1)
    assert len(list(reader)) == 12


def test_the_log_of_ffmpeg_which_can_lock_up_is_off_while_videos_are_open(tmp_path):
    try:
        av.logging.set_level(av.logging.ERROR)
        with VideoWriter(tmp_path / 'a.mp4', 25) as video:
            assert av.logging.get_level() is None
            video.write(gradient())
        av.logging.set_level(av.logging.ERROR)
        read_video(tmp_path / 'a.mp4')
        assert av.logging.get_level() is None
    finally:
        av.logging.set_level(None)


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs processes that fork')
def test_a_forked_process_writes_the_same_video_as_its_parent_did(tmp_path):
    def video(name):
        with VideoWriter(tmp_path / f'{name}.mp4', 25) as writer:
            for t in range(4):
                writer.write(gradient(t=t))

    video('parent')
    context = multiprocessing.get_context('fork')
    child = context.Process(target=video, args=('child',))
    child.start()
    child.join(30)
    child.kill()
    assert (tmp_path / 'child.mp4').read_bytes() == (tmp_path / 'parent.mp4').read_bytes()


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity') or len(os.sched_getaffinity(0)) < 2, reason='needs two cores, on Linux')
def test_the_bytes_do_not_depend_on_the_number_of_cores(tmp_path):
    rng, cores = np.random.default_rng(0), os.sched_getaffinity(0)
    frames = [np.roll(gradient(192, 64), 3 * t, 1) // 2 + rng.integers(0, 99, (192, 64, 3), np.uint8) for t in range(20)]

    def written():
        with VideoWriter(tmp_path / 'a.mp4', 25, overwrite=True) as writer:
            for frame in frames:
                writer.write(frame)
        return (tmp_path / 'a.mp4').read_bytes()

    many = written()
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert written() == many
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.parametrize('size', [(96, 64), (70, 100), (128, 96)])
def test_the_bytes_are_the_same_at_each_try(size, tmp_path):
    """Fails without the encoder's own promise on processors with AVX-512."""
    rng, found = np.random.default_rng(0), set()
    picture = cv2.normalize(cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), np.uint8), (0, 0), 3), None, 12, 243, cv2.NORM_MINMAX)
    frames = [np.roll(picture, t, 1) - 12 + rng.integers(0, 24, (*size, 3), np.uint8) for t in range(40)]
    for number in range(6):
        with VideoWriter(tmp_path / f'{number}.mp4', 25) as writer:
            for frame in frames:
                writer.write(frame)
        found.add((tmp_path / f'{number}.mp4').read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize('color', [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 90)])
def test_saturated_colors_survive(tmp_path, color):
    with VideoWriter(tmp_path / 'a.mp4', 25, crf=1) as writer:
        writer.write(np.full((32, 32, 3), color, np.uint8))
    frame, _ = next(iter(read_video(tmp_path / 'a.mp4')))
    assert np.abs(frame.astype(int) - color).max() <= 4


def test_odd_sizes_are_padded_by_the_last_row_and_column(tmp_path):
    frame = gradient(33, 47)
    with VideoWriter(tmp_path / 'a.mp4', 10, crf=0) as writer:
        writer.write(frame)
    back, _ = next(iter(read_video(tmp_path / 'a.mp4')))
    assert back.shape == (34, 48, 3)
    assert np.abs(back[33].astype(int) - back[32]).max() <= 8


@pytest.mark.parametrize('max_side', [None, 32])
def test_transparent_places_of_a_video_are_white_and_said(tmp_path, max_side):
    """A cut-out in QuickTime's Animation: the hidden color does not show, not even at the borders of small frames."""
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[..., 0], picture[16:48, 16:48] = 255, (0, 0, 200, 255)
    with av.open(str(tmp_path / 'a.mov'), 'w') as container:
        stream = container.add_stream('qtrle', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'argb'
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgba').reformat(format='argb')))
        container.mux(stream.encode(None))
    reader = read_video(tmp_path / 'a.mov', max_side=max_side)
    frame, _ = next(iter(reader))
    middle = len(frame) // 2
    assert frame[0, 0].tolist() == [255, 255, 255] and frame[middle, middle].tolist() == [0, 0, 200]
    assert (frame[..., 0] == frame[..., 1]).all() and reader.notes == ['transparent places were made white']


def webm_with_transparency(path, codec):
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[16:48, 16:48] = 0, 0, 200, 255
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options={'auto-alt-ref': '0'})
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'yuva420p'
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgba')))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize('codec', ['libvpx', 'libvpx-vp9'])
def test_transparent_places_of_webm_are_white_and_said(tmp_path, codec):
    reader = read_video(webm_with_transparency(tmp_path / 'a.webm', codec))
    frames, times = zip(*reader)
    assert len(frames) == 3 and times == pytest.approx([0, .04, .08], abs=1e-3)
    assert frames[1][2, 2].tolist() == [255] * 3 and frames[1][32, 32, 2] > 150 > 50 > frames[1][32, 32, 0]
    assert reader.notes == ['transparent places were made white'] and not reader.problems


def test_transparency_that_cannot_be_read_is_a_problem_of_the_video(tmp_path, monkeypatch):
    path = webm_with_transparency(tmp_path / 'a.webm', 'libvpx-vp9')
    monkeypatch.setitem(source.ALPHA_DECODERS, 'vp9', 'libnothing')
    reader = read_video(path)
    with pytest.warns(UserWarning, match='transparency is left out.*no decoder libnothing'):
        assert len(list(reader)) == 3
    assert len(reader.problems) == 1


@pytest.mark.parametrize('default, gray', [(0, 50), (1, 200)])
def test_of_several_videos_in_a_file_the_default_one_is_read_and_said(tmp_path, default, gray):
    with av.open(str(tmp_path / 'a.mkv'), 'w') as container:
        streams = [container.add_stream('libx264', rate=25) for _ in range(2)]
        for i, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
            stream.disposition = av.stream.Disposition.default if i == default else av.stream.Disposition(0)
        for stream, value in zip(streams, (50, 200)):
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8), format='rgb24')))
            container.mux(stream.encode(None))
    reader = read_video(tmp_path / 'a.mkv')
    assert abs(next(iter(reader))[0].mean() - gray) < 4
    assert reader.notes == [f'of 2 video streams number {default + 1} was taken']


@pytest.mark.parametrize('size, drawn', [((64, 48), (48, 36)), ((96, 128), (48, 64))])
def test_frames_of_another_size_are_not_squeezed(tmp_path, size, drawn):
    """A stream that changes its size: what has another shape gets black borders, and the first such frame is named."""
    first, second = np.full((48, 64, 3), 200, np.uint8), np.full((*size, 3), 200, np.uint8)
    a, b = write(tmp_path / 'a.ts', [first] * 5), write(tmp_path / 'b.ts', [second] * 5, times=np.arange(5, 10) / 25)
    (tmp_path / 'both.ts').write_bytes(a.read_bytes() + b.read_bytes())
    reader, bordered = read_video(tmp_path / 'both.ts'), drawn != (48, 64)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        frames = [frame for frame, _ in reader]
    assert len(frames) == 10 and {frame.shape for frame in frames} == {(48, 64, 3)} and frames[0].min() > 180
    light = frames[-1].min(-1) > 100
    assert (light.any(1).sum(), light.any(0).sum()) == drawn
    said = [p for p in reader.problems if 'black borders' in p]
    assert len(said) == bordered and all('frame 5 is 48x64, the first 64x48 (width x height)' in p for p in said)


def test_a_video_that_begins_small_says_that_all_of_it_was_made_small(tmp_path):
    """As calls do until the line is known to be fast."""
    a = write(tmp_path / 'a.ts', [gradient()] * 5)
    b = write(tmp_path / 'b.ts', [gradient(96, 128)] * 5, times=np.arange(5, 10) / 25)
    (tmp_path / 'call.ts').write_bytes(a.read_bytes() + b.read_bytes())
    reader = read_video(tmp_path / 'call.ts')
    said = r'frame 5 is 128x96, the first 64x48 \(width x height\): this and all of another size were made as large as the first'
    with pytest.warns(UserWarning, match=said):
        assert {frame.shape for frame, _ in reader} == {(48, 64, 3)}
    assert len([problem for problem in reader.problems if 'as large as the first' in problem]) == 1


def test_a_tall_video_of_wide_pixels_that_is_made_smaller_gets_no_borders(tmp_path):
    """Its width is rounded twice. Rounded once, all frames were a pixel too wide, as if each had another shape than the first."""
    path = write(tmp_path / 'a.mp4', [np.full((80, 46, 3), 200, np.uint8)] * 3, sar=Fraction(12, 11))
    reader = read_video(path, max_side=71)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        frames = [frame for frame, _ in reader]
    assert (reader.height, reader.width) == (71, 44) and {frame.shape for frame in frames} == {(71, 44, 3)}
    assert min(frame.min() for frame in frames) > 180 and not reader.problems


@pytest.mark.parametrize('degrees, turns', [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_rotation_flag_is_applied(tmp_path, degrees, turns):
    frame = gradient()
    path = write(tmp_path / 'a.mp4', [frame] * 3, rotation=degrees)
    reader = read_video(path)
    back, _ = next(iter(reader))
    expected = np.rot90(frame, turns)
    assert back.shape[:2] == (reader.height, reader.width) == expected.shape[:2]
    assert np.abs(back.astype(int) - expected).mean() < 6
    assert np.abs(back.astype(int) - expected[::-1, ::-1]).mean() > 20


def test_orient_knows_all_eight_turns_and_flips():
    frame = gradient(5, 7)
    shown = {}
    signs = [(s, t) for s in (1, -1) for t in (1, -1)]
    for matrix in [(s, 0, 0, t) for s, t in signs] + [(0, s, t, 0) for s, t in signs]:
        a, b, c, d = matrix
        out = orient(frame, np.array(matrix).reshape(2, 2))
        y, x = np.mgrid[:5, :7]
        u, v = a * x + c * y, b * x + d * y
        expected = np.zeros_like(out)
        expected[v - v.min(), u - u.min()] = frame
        np.testing.assert_array_equal(out, expected)
        shown[matrix] = out.tobytes()
    assert len(set(shown.values())) == 8


def test_non_square_pixels_are_made_square(tmp_path):
    reader = read_video(write(tmp_path / 'a.mp4', [gradient()], sar=Fraction(3, 2)))
    assert (reader.height, reader.width) == (48, 96) and reader.stored_size == (48, 64)


def test_variable_rate_is_found_and_times_are_true(tmp_path):
    times = np.cumsum([0, .04, .2, .04, .12, .04, .3, .04])
    path = write(tmp_path / 'a.mp4', [gradient(t=t) for t in range(8)], times=times)
    np.testing.assert_allclose([t for _, t in read_video(path)], times, atol=2e-3)
    assert video_info(path).variable


def test_constant_rate_with_a_dropped_frame(tmp_path):
    times = np.delete(np.arange(20) / 25, 7)
    info = video_info(write(tmp_path / 'a.mp4', [gradient(t=t) for t in range(19)], times=times))
    assert not info.variable and info.gaps == (7,) and info.num_frames == 19


def test_gif(tmp_path):
    path = write(tmp_path / 'a.gif', [gradient(t=t) for t in range(5)], fps=10, codec='gif', pix_fmt='rgb8')
    frames = [f for f, _ in read_video(path)]
    assert len(frames) == 5 and frames[0].shape == (48, 64, 3)
    assert np.abs(frames[0].astype(int) - gradient()).mean() < 25


def test_folder_of_pictures_in_natural_order(tmp_path):
    for i in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f'frame{i}.png'), np.full((6, 8, 3), (0, 0, i), np.uint8))
    reader = read_video(tmp_path, fps=5)
    assert [int(f[0, 0, 0]) for f, _ in reader] == [1, 2, 10]
    assert [t for _, t in reader] == [0, .2, .4]
    assert video_info(tmp_path).num_frames == 3
    assert read_video(tmp_path / 'frame2.png').num_frames == 1
    cv2.imwrite(str(tmp_path / 'frame11.png'), np.zeros((7, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r'frame11.png.*one size'):
        list(reader.__class__(tmp_path))


def test_truncated_file_gives_what_decodes_and_says_where(tmp_path):
    rng = np.random.default_rng(0)
    whole = write(tmp_path / 'a.mkv', [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(50)])
    with av.open(str(whole)) as container:
        assert container.duration
    cut = tmp_path / 'cut.mkv'
    cut.write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
    reader = read_video(cut)
    with pytest.warns(UserWarning, match=r'cut.mkv.*truncated: ends after frame \d+'):
        frames = list(reader)
    assert 10 < len(frames) < 40 and 'truncated' in reader.problems[0]
    list(read_video(whole))


def test_a_file_whose_clock_begins_late_is_not_called_truncated(tmp_path):
    path = write(tmp_path / 'a.mkv', [gradient(t=t % 9) for t in range(20)], times=5 + np.arange(20) / 25)
    reader = read_video(path)
    assert len(list(reader)) == 20 and not reader.problems and reader.start_time == 5


def test_truncated_mp4_without_index(tmp_path):
    whole = write(tmp_path / 'a.mp4', [gradient(t=t) for t in range(20)])
    cut = tmp_path / 'cut.mp4'
    cut.write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r'cut.mp4: not a video, or cut off'):
        read_video(cut)


@pytest.mark.parametrize('name, content, message', [
    ('a.mp4', b'hello world ' * 50, 'not a video'), ('a.txt', b'hello world ' * 50, 'text file'), ('a.mp4', b'', 'empty'),
    ('a.png', b'no picture', 'not a readable picture')])
def test_files_that_are_no_videos(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf'{name}.*{message}'):
        read_video(tmp_path / name)


def test_missing_file_empty_folder_and_sound(tmp_path):
    with pytest.raises(InputError, match='nothere.mp4: no such file or folder'):
        read_video(tmp_path / 'nothere.mp4')
    with pytest.raises(InputError, match='zero frames'):
        read_video(tmp_path)
    with av.open(str(tmp_path / 'a.wav'), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format='s16', layout='mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match='no video stream'):
        read_video(tmp_path / 'a.wav')


def test_writer_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(InputError, match='.avi'):
        VideoWriter(tmp_path / 'a.avi', 25)
    for fps in (0, -1, 1e-5, 2e-5, float('nan'), float('inf')):
        with pytest.raises(InputError, match='fps must be positive'):
            VideoWriter(tmp_path / 'a.mp4', fps)
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='cannot write here'):
        VideoWriter(tmp_path / 'file' / 'a.mp4', 25)
    with pytest.raises(InputError, match='frame 1 is'), VideoWriter(tmp_path / 'b.mp4', 25) as writer:
        writer.write(gradient())
        writer.write(gradient(50, 64))
    with pytest.raises(InputError, match='no frame was written'), VideoWriter(tmp_path / 'c.mp4', 25):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ['.b.partial.mp4', 'file']
    assert len(list(read_video(tmp_path / '.b.partial.mp4'))) == 1


@pytest.mark.skipif(sys.platform == 'win32', reason='no colons in names there')
def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with VideoWriter('2024-05-01T12:30.mp4', 25) as writer:
        writer.write(gradient())
    assert [p.name for p in tmp_path.iterdir()] == ['2024-05-01T12:30.mp4'] and len(list(read_video('2024-05-01T12:30.mp4'))) == 1


def test_what_ffmpeg_refuses_is_said_and_nothing_stays(tmp_path, monkeypatch):
    def refused(*args, **options):
        raise av.error.ProtocolNotFoundError(1, 'Protocol not found')

    monkeypatch.setattr(av, 'open', refused)
    with pytest.raises(InputError, match=r'a.mp4: cannot write here \(Protocol not found\)'):
        VideoWriter(tmp_path / 'a.mp4', 25)
    assert not list(tmp_path.iterdir())


def test_writer_leaves_files_of_others_alone(tmp_path):
    mine = tmp_path / 'mine.mp4'
    mine.write_text('mine')
    with pytest.raises(InputError, match='mine.mp4: exists already; say --overwrite'):
        VideoWriter(mine, 25)
    (tmp_path / '.mine.partial.mp4').symlink_to(mine)
    with pytest.raises(InputError, match='no frame was written'), VideoWriter(mine, 25, overwrite=True):
        pass
    assert mine.read_text() == 'mine', 'nothing is written through a link'
    with VideoWriter(mine, 25, overwrite=True) as writer:
        writer.write(gradient())
    assert len(list(read_video(mine))) == 1


def test_a_file_that_comes_while_a_video_is_written_is_left(tmp_path):
    path, partial = tmp_path / 'a.mp4', tmp_path / '.a.partial.mp4'
    with pytest.raises(InputError, match='a.mp4: a file of this name has come while this one was being made.*a.partial.mp4'):
        with VideoWriter(path, 25) as writer:
            writer.write(gradient())
            path.write_text('theirs')
    assert path.read_text() == 'theirs' and len(list(read_video(partial))) == 1
    with VideoWriter(path, 25, overwrite=True) as writer:
        writer.write(gradient())
    assert len(list(read_video(path))) == 1 and [p.name for p in tmp_path.iterdir()] == ['a.mp4']


def test_the_frames_of_an_earlier_stop_stay_until_there_are_new_ones(tmp_path):
    def stopped(frames):
        with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / 'a.mp4', 25) as writer:
            for t in range(frames):
                writer.write(gradient(t=t))
            raise KeyboardInterrupt

    def kept():
        assert [p.name for p in tmp_path.iterdir()] == ['.a.partial.mp4']
        return len(list(read_video(tmp_path / '.a.partial.mp4')))

    stopped(3)
    assert kept() == 3
    stopped(0)
    assert kept() == 3
    stopped(2)
    assert kept() == 2
    with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
        writer.write(gradient())
    assert [p.name for p in tmp_path.iterdir()] == ['a.mp4']


def test_a_video_has_its_name_when_it_is_on_the_disk(tmp_path, monkeypatch):
    seen, path, sync = [], tmp_path / 'a.mp4', os.fsync

    def synced(file):
        about = os.fstat(file)
        seen.append((stat.S_ISDIR(about.st_mode), about.st_ino, path.exists()))
        sync(file)

    monkeypatch.setattr(os, 'fsync', synced)
    for overwrite in (False, True):
        with VideoWriter(path, 25, overwrite=overwrite) as writer:
            writer.write(gradient())
        (folder, number, there), *rest = seen
        assert not folder and number == path.stat().st_ino and there == overwrite, 'the whole file first'
        assert rest == ([(True, tmp_path.stat().st_ino, True)] if os.name == 'posix' else []), 'then the name'
        seen.clear()


def test_a_second_writer_of_a_file_is_told(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
        writer.write(gradient())
        with pytest.raises(InputError, match='a.mp4: is being written by another process'):
            VideoWriter(tmp_path / 'a.mp4', 25)
        writer.write(gradient())
    assert len(list(read_video(tmp_path / 'a.mp4'))) == 2
    assert [p.name for p in tmp_path.iterdir()] == ['a.mp4'], 'the lock is gone'


@pytest.mark.skipif(sys.platform == 'win32', reason='a limit of file sizes, which stands for a full disk')
def test_writer_names_a_full_disk(tmp_path, request):
    import resource
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, before[1]))
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r'a.mkv: writing fails.*disk full'):
        with VideoWriter(tmp_path / 'a.mkv', 25, crf=0) as writer:
            for _ in range(40):
                writer.write(rng.integers(0, 255, (128, 128, 3), np.uint8))


@pytest.mark.shared
@pytest.mark.parametrize('name, frames, size, fps', [
    ('squats.mp4', 65, (1280, 720), 5), ('arms.mp4', 120, (576, 576), 30), ('asl/again.mkv', 77, (480, 640), 30)])
def test_real_clips(shared_data, name, frames, size, fps):
    info = video_info(shared_data / name)
    assert (info.num_frames, info.height, info.width, info.fps, info.variable, info.gaps) == (frames, *size, fps, False, ())
    assert sum(1 for _ in read_video(shared_data / name)) == frames


@pytest.mark.parametrize('rotation, sar', [(None, None), (90, None), (None, Fraction(3, 2)), (90, Fraction(1, 2))])
def test_frames_are_made_small_as_they_are_decoded(tmp_path, rotation, sar):
    """No whole frame is made on the way, and what comes is what shrinking the whole frame gives."""
    path = write(tmp_path / 'a.mkv' if rotation is None else tmp_path / 'a.mp4', [gradient(192, 256)] * 2, rotation=rotation, sar=sar)
    whole, small = read_video(path), read_video(path, max_side=64)
    assert max(small.height, small.width) == 64 and small.full_size == whole.full_size == (whole.height, whole.width)
    frame, _ = next(iter(small))
    expected = cv2.resize(next(iter(whole))[0], (small.width, small.height), interpolation=cv2.INTER_AREA)
    assert frame.shape == expected.shape and np.abs(frame.astype(int) - expected).mean() < 3
    assert next(iter(whole.at_most(64)))[0].tobytes() == frame.tobytes()
    assert whole.at_most(5000).height == whole.height == next(iter(whole))[0].shape[0]


def test_pictures_are_made_small_as_they_are_read(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), gradient(192, 256))
    small = read_video(tmp_path / 'a.png', max_side=64)
    assert next(iter(small))[0].shape == (small.height, small.width, 3) == (48, 64, 3) and small.full_size == (192, 256)
