"""A video is one plain file: what names other files, is no file, or is too large is refused in one line."""

import os
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from toolkit.structures import InputError
from toolkit.video.io import read_video


def write(path, codec='mpeg4', frames=3):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for t in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * t, np.uint8), format='rgb24').reformat(format='yuv420p')
            frame.pts, frame.time_base = t, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def gif(path, width, height):
    """Three pictures of 2x2 pixels on a canvas of any size."""
    picture = b'\x21\xf9\x04\0\x0a\0\0\0' + b'\x2c' + struct.pack('<HHHHB', 0, 0, 2, 2, 0) + b'\x02\x03\x44\x02\x05\x00'
    path.write_bytes(b'GIF89a' + struct.pack('<HHBBB', width, height, 0x80, 0, 0) + b'\0\0\0\xff\xff\xff' + 3 * picture + b'\x3b')
    return path


HLS = '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nprivate.mkv\n#EXT-X-ENDLIST\n'
ENDLESS = '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nprivate.mkv\n'
CONCAT = 'ffconcat version 1.0\nfile private.mkv\n'


@pytest.mark.parametrize('name', ['dance.m3u8', 'dance.mp4', 'dance.ffconcat'])
@pytest.mark.parametrize('text', [HLS, ENDLESS, CONCAT])
def test_a_playlist_opens_no_other_file(tmp_path, name, text):
    write(tmp_path / 'private.mkv')
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f'{name}: (a playlist, which names other files|not a video)'):
        read_video(tmp_path / name)


@pytest.mark.parametrize('name', [
    'VID:2024-01-01 12:30.mkv', 'concat:private.mkv', 'http:x.mkv', 'subfile,,start,0,end,9,,:private.mkv'])
def test_a_relative_name_is_never_a_protocol(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / 'private.mkv', frames=5)
    with pytest.raises(InputError, match='no such file'):
        read_video(name)
    write(tmp_path / 'a.mkv').rename(tmp_path / name)
    assert len(list(read_video(name))) == 3


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='this system has no pipes with names')
@pytest.mark.parametrize('name', ['pipe.mp4', 'pipe.png'])
def test_a_pipe_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f'{name}: a pipe or a device.*save the video to a file'):
        read_video(tmp_path / name)


@pytest.mark.skipif(not os.path.exists('/dev/zero'), reason='this system has no /dev/zero')
def test_a_device_is_refused(tmp_path):
    (tmp_path / 'a.mp4').symlink_to('/dev/zero')
    with pytest.raises(InputError, match='a.mp4: a pipe or a device'):
        read_video(tmp_path / 'a.mp4')


@pytest.mark.parametrize('name, codec, old, new, tag', [
    ('a.mp4', 'libx264', b'avc1', b'zzz1', 'codec zzz1'),
    ('a.mkv', 'mpeg4', b'V_MPEG4/ISO/ASP', b'V_MPEG9/ISO/ASP', 'decode its video;')])
def test_an_unknown_codec_is_named(tmp_path, name, codec, old, new, tag):
    path = write(tmp_path / name, codec)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=f'{name}: this FFmpeg .*{tag}.*convert it to H.264'):
        read_video(path)


def test_a_huge_canvas_is_refused_before_it_is_decoded(tmp_path):
    assert len(list(read_video(gif(tmp_path / 'small.gif', 64, 64)))) == 3
    with pytest.raises(InputError, match='big.gif: .* too large'):
        read_video(gif(tmp_path / 'big.gif', 16000, 16000))


def test_a_folder_of_videos_is_no_folder_of_pictures(tmp_path):
    write(tmp_path / 'a.mkv')
    gif(tmp_path / 'cover.gif', 8, 8).rename(tmp_path / 'cover.png')
    with pytest.raises(InputError, match=r'the folder holds 1 videos \(a.mkv\) beside 1 pictures.*give the videos'):
        read_video(tmp_path)
    (tmp_path / 'cover.png').unlink()
    with pytest.raises(InputError, match=r'the folder holds 1 videos \(a.mkv\) and no pictures'):
        read_video(tmp_path)
