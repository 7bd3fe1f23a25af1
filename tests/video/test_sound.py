"""The sound of the driving video goes into the result, in time with the pictures, and is never a reason to fail."""

import errno
import sys
import warnings
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from toolkit.clips.clip import ClipWriter
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError
from toolkit.video import sound as module
from toolkit.video.io import VideoWriter, read_video
from toolkit.video.sound import clip_sound, keep_sound

RATE = 16000


def film(path, beeps, times=None, codec='aac', sound_from=0., video='libx264', seconds=4):
    """A gray video, and silence with beeps of a tenth of a second that begin at given times."""
    times = np.arange(25 * seconds) / 25 if times is None else times
    samples = np.zeros(RATE * seconds, np.float32)
    for beep in beeps:
        at = np.arange(RATE // 10)
        samples[round(beep * RATE):][:len(at)] = .5 * np.sin(at * 2 * np.pi * 1000 / RATE)
    samples = samples[round(sound_from * RATE):]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(video, rate=1000)
        stream.width, stream.height, stream.pix_fmt = 64, 64, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream(codec, rate=RATE, layout='mono')
        resampler = av.AudioResampler(sound.codec_context.format, 'mono', RATE, 1024)
        for t, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), t % 250, np.uint8), format='rgb24').reformat(format='yuv420p')
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for i in range(0, len(samples), 1000):
            frame = av.AudioFrame.from_ndarray(samples[None, i:i + 1000], format='flt', layout='mono')
            frame.sample_rate, frame.pts, frame.time_base = RATE, i + round(sound_from * RATE), Fraction(1, RATE)
            for part in resampler.resample(frame):
                container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


def beeps(path):
    """When beeps begin, when the sound ends, and when the pictures end, in seconds since the first picture."""
    with av.open(str(path)) as container:
        pictures = [f.time for f in container.decode(video=0)] if container.streams.video else [0.]
    with av.open(str(path)) as container:
        resampler = av.AudioResampler('flt', 'mono', RATE)
        heard = np.zeros(RATE * 20, np.float32)
        for frame in container.decode(audio=0):
            at = round((frame.time - pictures[0]) * RATE)
            part = np.concatenate([part.to_ndarray()[0] for part in resampler.resample(frame)] or [np.zeros(0)])
            part = part[max(0, -at):]
            heard[max(0, at):max(0, at) + len(part)] = part
            end = (at + len(part)) / RATE
    loud = np.flatnonzero(np.abs(heard) > .2)
    first = loud[np.diff(loud, prepend=-RATE) > RATE // 20]
    return first / RATE, end, pictures[-1] - pictures[0] + .04


def result(tmp_path, source, times, fps, frames=None, suffix='mp4'):
    """A result of some frames of a video, as generating makes it."""
    reader = read_video(source)
    assert keep_sound(reader, np.asarray(times), fps, tmp_path / 'sound.mka') is None
    out = tmp_path / f'out.{suffix}'
    with VideoWriter(out, fps, sound=tmp_path / 'sound.mka') as writer:
        for t in range(frames or len(times)):
            writer.write(np.full((64, 64, 3), t, np.uint8))
    return out


def codec(path):
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams.audio]


@pytest.mark.parametrize('suffix, sound, expected', [
    ('mp4', 'aac', 'aac'), ('mkv', 'aac', 'aac'), ('mov', 'aac', 'aac'), ('mp4', 'flac', 'aac'), ('mkv', 'flac', 'flac')])
def test_sound_is_copied_where_the_file_may_hold_it_else_coded_again(tmp_path, suffix, sound, expected):
    source = film(tmp_path / 'a.mkv', [.5, 1, 3], codec=sound)
    out = result(tmp_path, source, np.arange(100) / 25, 25, suffix=suffix)
    begin, end, pictures = beeps(out)
    assert codec(out) == [expected]
    np.testing.assert_allclose(begin, [.5, 1, 3], atol=.03)
    assert abs(end - pictures) < .1


def test_of_several_sounds_the_default_one_is_taken(tmp_path):
    files = film(tmp_path / 'a.mkv', [1], video='mpeg4'), film(tmp_path / 'b.mkv', [3])
    both, default = tmp_path / 'both.mkv', av.stream.Disposition.default
    with ExitStack() as opened:
        out, *sources = (opened.enter_context(av.open(str(file), mode)) for file, mode in (
            (both, 'w'), (files[0], 'r'), (files[0], 'r'), (files[1], 'r')))
        streams = sources[0].streams.video[0], sources[1].streams.audio[0], sources[2].streams.audio[0]
        targets = [out.add_stream_from_template(stream) for stream in streams]
        for target, disposition in zip(targets, (default, av.stream.Disposition(0), default)):
            target.disposition = disposition
        packets = [(packet, target) for source, stream, target in zip(sources, streams, targets) for packet in source.demux(stream)]
        for packet, target in sorted((p for p in packets if p[0].dts is not None), key=lambda p: p[0].dts * p[0].time_base):
            packet.stream = target
            out.mux(packet)
    begin, _, _ = beeps(result(tmp_path, both, np.arange(100) / 25, 25))
    np.testing.assert_allclose(begin, [3], atol=.03)


def test_sound_of_a_rate_that_aac_does_not_know_is_coded_at_another(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), 'RATE', 192000)
    source = film(tmp_path / 'a.mkv', [.5, 3], codec='flac')
    begin, _, _ = beeps(result(tmp_path, source, np.arange(100) / 25, 25))
    np.testing.assert_allclose(begin, [.5, 3], atol=.03)


def test_sound_of_a_transport_stream_is_kept(tmp_path):
    """Its AAC has no head that other containers take, so it is coded again."""
    source = film(tmp_path / 'a.ts', [.5, 3])
    begin, end, pictures = beeps(result(tmp_path, source, 1 + np.arange(75) / 25, 25))
    np.testing.assert_allclose(begin, [2], atol=.03)
    assert abs(end - pictures) < .1


def test_a_stretch_takes_its_sound_along(tmp_path):
    """--start 1 --max-frames 50 at --fps 12.5, as sampling gives the times."""
    source = film(tmp_path / 'a.mp4', [.5, 1.5, 2, 3.9])
    begin, end, pictures = beeps(result(tmp_path, source, 1 + np.arange(25) / 12.5, 12.5))
    np.testing.assert_allclose(begin, [.5, 1], atol=.03)
    assert abs(end - 2) < .1


def test_sound_ends_with_the_frames_that_are_generated(tmp_path):
    source = film(tmp_path / 'a.mp4', [.5, 3])
    begin, end, pictures = beeps(result(tmp_path, source, np.arange(100) / 25, 25, frames=30))
    np.testing.assert_allclose(begin, [.5], atol=.03)
    assert pictures == pytest.approx(1.2, abs=.01) and end < 1.25


def test_sound_that_begins_late_stays_late(tmp_path):
    source = film(tmp_path / 'a.mkv', [2], sound_from=1.5)
    begin, _, _ = beeps(result(tmp_path, source, np.arange(100) / 25, 25))
    np.testing.assert_allclose(begin, [2], atol=.03)


def test_the_clock_of_the_file_need_not_begin_at_zero(tmp_path):
    source = film(tmp_path / 'a.mkv', [2, 3], times=np.arange(25, 100) / 25)
    begin, _, _ = beeps(result(tmp_path, source, np.arange(75) / 25, 25))
    np.testing.assert_allclose(begin, [1, 2], atol=.03)


def test_missing_frames_do_not_put_sound_out_of_time(tmp_path):
    """A second of frames is missing; the clip has none of them, so what is heard then is left out."""
    times = np.delete(np.arange(100) / 25, np.arange(30, 55))
    source = film(tmp_path / 'a.mkv', [.5, 3], times=times)
    begin, end, _ = beeps(result(tmp_path, source, times, 25))
    np.testing.assert_allclose(begin, [.5, 2], atol=.05)
    assert abs(end - 3) < .1


def test_missing_frames_do_not_end_sound_that_is_coded_again(tmp_path, monkeypatch):
    """Where frames are missing, pieces of sound overlap, those of FLAC at 48 kHz by more than a packet of AAC."""
    monkeypatch.setitem(globals(), 'RATE', 48000)
    times = np.delete(np.arange(100) / 25, [*range(14, 24), *range(33, 43), *range(52, 62), *range(71, 81)])
    source = film(tmp_path / 'a.mkv', [.2, 3.5], codec='flac', times=times)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        begin, end, _ = beeps(result(tmp_path, source, times, 25))
    np.testing.assert_allclose(begin, [.2, 1.9], atol=.05)
    assert abs(end - 2.4) < .1


def test_frames_after_the_end_of_the_sound_have_none_and_nothing_failed(tmp_path):
    source = film(tmp_path / 'a.mkv', [1], times=np.arange(200) / 25)
    assert keep_sound(read_video(source), 5 + np.arange(50) / 25, 25, tmp_path / 'sound.mka') is None
    assert not (tmp_path / 'sound.mka').exists()


def test_a_full_disk_does_not_make_a_silent_clip(tmp_path, monkeypatch):
    """The next try, with some space, has the sound; a finished clip would stay without."""
    def full(reader, index, times, fps, path, copied):
        path.write_bytes(b'half')
        raise OSError(errno.ENOSPC, 'No space left on device')

    source = film(tmp_path / 'a.mp4', [1])
    monkeypatch.setattr(module, '_write', full)
    with pytest.raises(InputError, match=r'sound.mka: the disk is full.*run the same command again'):
        keep_sound(read_video(source), np.arange(100) / 25, 25, tmp_path / 'sound.mka')
    assert not (tmp_path / 'sound.mka').exists()


@pytest.mark.skipif(sys.platform == 'win32', reason='no colons in names there')
def test_sound_is_kept_in_a_folder_with_a_colon(tmp_path, monkeypatch):
    source = film(tmp_path / 'a.mp4', [1])
    monkeypatch.chdir(tmp_path)
    Path('set:1').mkdir()
    assert keep_sound(read_video(source), np.arange(100) / 25, 25, Path('set:1') / 'sound.mka') is None
    np.testing.assert_allclose(beeps(tmp_path / 'set:1' / 'sound.mka')[0], [1], atol=.03)


def test_a_silent_video_makes_a_silent_result(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert keep_sound(read_video(tmp_path / 'a.mp4'), np.zeros(1), 25, tmp_path / 'sound.mka') is None
    assert not (tmp_path / 'sound.mka').exists()


def test_sound_of_an_unknown_codec_is_left_out_and_said(tmp_path):
    source = film(tmp_path / 'a.mkv', [1], codec='flac')
    source.write_bytes(source.read_bytes().replace(b'A_FLAC', b'A_FLIC'))
    why = keep_sound(read_video(source), np.arange(100) / 25, 25, tmp_path / 'sound.mka')
    assert 'does not know the codec' in why and not (tmp_path / 'sound.mka').exists()


def test_sound_that_is_damaged_does_not_stop_writing(tmp_path):
    (tmp_path / 'sound.mka').write_bytes(b'no sound at all' * 100)
    with pytest.warns(UserWarning, match='the sound cannot be put in'), VideoWriter(
            tmp_path / 'out.mp4', 25, sound=tmp_path / 'sound.mka') as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    assert len(list(read_video(tmp_path / 'out.mp4'))) == 1 and codec(tmp_path / 'out.mp4') == []


def test_the_file_of_a_clips_sound_is_the_same_every_time(tmp_path):
    source = film(tmp_path / 'a.mp4', [1])
    for name in ('a.mka', 'b.mka'):
        keep_sound(read_video(source), np.arange(100) / 25, 25, tmp_path / name)
    assert (tmp_path / 'a.mka').read_bytes() == (tmp_path / 'b.mka').read_bytes()


def test_a_clip_says_why_it_has_no_sound(tmp_path):
    def clip(name, **manifest):
        writer = ClipWriter(tmp_path / name, name, 'p', 'a', 32, 32, 25)
        blank = np.zeros((32, 32), np.float32)
        writer.add(np.zeros((32, 32, 3), np.uint8), np.zeros((18, 3)), blank, blank, blank.astype(np.uint8))
        return clip_sound(writer.finish(**manifest))

    assert clip('plain') == clip('silent', source=dict(sound=None)) == clip('actor', source=dict(kind='synthetic')) == (None, None)
    assert clip('strange', source=dict(sound='an unknown codec')) == (None, 'an unknown codec')
    assert 'prepare it again' in clip('older', source=dict(file='a.mp4'))[1]


def test_a_prepared_clip_keeps_its_sound(tmp_path, people, walk):
    """The person comes late and is trimmed to: the clip's sound begins with its first frame."""
    source = tmp_path / 'loud.mkv'
    with VideoWriter(source, 25, sound=film(tmp_path / 'a.mkv', [.2, 1])) as writer:
        for frame, _ in read_video(walk):
            writer.write(frame)
    clip = prepare_video(source, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), 96, 64, start=.4)
    path, why = clip_sound(clip)
    assert why is None and clip.manifest['source']['sound'] == path.name
    np.testing.assert_allclose(beeps(path)[0], [.6], atol=.03)
    silent = prepare_video(walk, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), 96, 64)
    assert clip_sound(silent) == (None, None)
    again = prepare_video(source, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), 96, 64, start=.4, overwrite=True)
    assert clip_sound(again)[0] == path
