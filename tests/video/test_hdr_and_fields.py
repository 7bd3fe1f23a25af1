"""HDR becomes SDR with white whites, wide colors those of BT.709; interlaced video loses its combs; all else stays bit for bit."""

import tempfile
from fractions import Fraction

import av
import numpy as np
import pytest

from toolkit.video.io import read_video, video_info
from toolkit.video.primaries import BT709, BT2020, DISPLAY_P3, LUMA, NAMES, TO_BT709, UNSPECIFIED
from toolkit.video.reader import whole_frames
from toolkit.video.tone_map import display_light, to_sdr
from toolkit.video.wide_gamut import in_bt709

COLORS = np.array([[250, 250, 250], [128, 128, 128], [200, 30, 30], [30, 160, 60], [40, 60, 190], [220, 180, 150], [0, 0, 0]])


def signal(light, kind, luma):
    """The inverse of ``display_light``, written down from BT.2100 on its own."""
    if kind == 'PQ':
        y = (light / 10000) ** .1593017578125
        return ((.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    shown = light / 1000
    scene = shown * np.maximum((shown @ luma)[..., None], 1e-12) ** (1 / 1.2 - 1)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), .17883277 * np.log(np.maximum(12 * scene - .28466892, 1e-9)) + .55991073)


def hdr(colors, kind, primaries=BT2020):
    """R'G'B' in [0, 1] of HDR that shows SDR colors with their white at 203 cd/m2."""
    light = 203 * (colors / 255) ** 2.4 @ np.linalg.inv(TO_BT709[primaries]).T
    return signal(np.maximum(light, 0), kind, LUMA[primaries])


def write_bars(path, colors, trc, primaries, matrix, weights, pix_fmt='yuv420p10le', codec='libx264', height=32):
    """One bar of 16x32 pixels for each color, coded by hand, so that nothing of FFmpeg's conversions is in it."""
    red, _, blue = weights
    y = colors @ weights
    planes = np.stack([y, (colors[:, 2] - y) / (2 - 2 * blue), (colors[:, 0] - y) / (2 - 2 * red)])
    codes = np.rint(planes * [[219], [224], [224]] * 4 + [[64], [512], [512]]).astype(np.uint16)
    wide = np.repeat(codes, 16, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options={'crf': '1'})
        stream.width, stream.height, stream.pix_fmt = wide.shape[1], height, pix_fmt
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = trc, primaries, matrix, 1
        frame = av.VideoFrame(wide.shape[1], height, pix_fmt)
        for i, plane in enumerate(frame.planes):
            rows = np.broadcast_to(wide[i][::1 if i == 0 else 2], (plane.height, plane.width))
            padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            padded[:, :plane.width] = rows
            plane.update(padded.tobytes())
        for t in range(2):
            frame.pts, frame.time_base = t, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def bars(path):
    reader = read_video(path)
    frame, _ = next(iter(reader))
    return frame[16, 8::16].astype(int), reader


@pytest.mark.parametrize('kind, trc', [('PQ', 16), ('HLG', 18)])
@pytest.mark.parametrize('said, primaries, matrix', [
    (BT2020, BT2020, BT2020), (UNSPECIFIED, BT2020, BT2020), (DISPLAY_P3, DISPLAY_P3, BT2020), (BT709, BT709, BT709),
    (6, BT709, BT709)])
def test_hdr_looks_as_the_same_scene_in_sdr(tmp_path, kind, trc, said, primaries, matrix):
    path = write_bars(tmp_path / 'a.mp4', hdr(COLORS, kind, primaries), trc, said, matrix, LUMA[matrix])
    seen, reader = bars(path)
    assert np.abs(seen - COLORS).max() <= 8 and seen[0].min() >= 242
    assert reader.notes == [f'HDR ({kind}) was made SDR']
    small, _ = next(iter(read_video(path, max_side=56)))
    assert np.abs(small[8, 4::8].astype(int) - COLORS).max() <= 12


def test_hdr_leaves_nothing_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    """Jobs of a server end without cleaning up: 3 MB of each would fill it."""
    (tmp_path / 'temporary').mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
    path = write_bars(tmp_path / 'a.mp4', hdr(COLORS, 'PQ'), 16, BT2020, BT2020, LUMA[BT2020])
    for max_side in (None, 56):
        assert len(list(read_video(path, max_side=max_side))) == 2
        assert not list((tmp_path / 'temporary').iterdir())


def test_sdr_is_not_touched(tmp_path):
    seen, reader = bars(write_bars(tmp_path / 'a.mp4', COLORS / 255, 1, 1, 1, LUMA[BT709]))
    assert np.abs(seen - COLORS).max() <= 3 and reader.notes == []


@pytest.mark.parametrize('said, matrix, weights, to_bt709, name', [
    (9, 9, LUMA[BT2020], TO_BT709[BT2020], 'BT.2020'), (2, 9, LUMA[BT2020], TO_BT709[BT2020], 'BT.2020'),
    (12, 1, LUMA[BT709], TO_BT709[DISPLAY_P3], 'Display P3')])
def test_colors_of_wider_primaries_are_those_of_bt709(tmp_path, said, matrix, weights, to_bt709, name):
    wide = ((COLORS / 255) ** 2.4 @ np.linalg.inv(to_bt709).T) ** (1 / 2.4)
    path = write_bars(tmp_path / 'a.mp4', wide, 1, said, matrix, weights)
    seen, reader = bars(path)
    assert np.abs(seen - COLORS).max() <= 6 and np.abs(255 * wide - COLORS).max() > 20
    assert reader.notes == [f'the colors of {name} were made those of BT.709']
    small, _ = next(iter(read_video(path, max_side=56)))
    assert np.abs(small[8, 4::8].astype(int) - COLORS).max() <= 12


def test_grays_and_colors_beyond_bt709():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    for primaries in NAMES:
        assert np.abs(in_bt709(gray, primaries).astype(int) - gray).max() <= 1
        assert in_bt709(np.uint8([[[0, 255, 0]]]), primaries).tolist() == [[[0, 255, 0]]]


@pytest.mark.parametrize('height, weights', [(32, [.299, .587, .114]), (576, [.299, .587, .114]), (720, [.2126, .7152, .0722])])
def test_colors_that_the_video_does_not_name_are_those_that_players_show(tmp_path, height, weights):
    path = write_bars(tmp_path / 'a.mp4', COLORS / 255, 2, 2, 2, np.array(weights), height=height)
    seen, reader = bars(path)
    assert np.abs(seen - COLORS).max() <= 3 and reader.notes == []


def test_hdr_that_names_its_light_alone_has_the_colors_of_hdr(tmp_path):
    seen, _ = bars(write_bars(tmp_path / 'a.mp4', hdr(COLORS, 'HLG'), 18, 2, 2, LUMA[BT2020]))
    assert np.abs(seen - COLORS).max() <= 8


@pytest.mark.parametrize('kind', ['PQ', 'HLG'])
def test_brighter_light_stays_brighter_and_none_is_lost(kind):
    grays = to_sdr(display_light(np.repeat(np.linspace(0, 1, 1000)[:, None], 3, 1), kind))
    assert (np.diff(grays[:, 0]) > -1e-9).all() and 0 == grays.min() and .99 < grays.max() <= 1
    white = to_sdr(display_light(np.full(3, dict(PQ=.5807, HLG=.75)[kind]), kind))
    assert np.abs(white - .968).max() < .002


def write_fields(path, frames, interlaced=True):
    """Frames of which every second line is of the next moment, as camcorders write them."""
    with av.open(str(path), 'w') as container:
        options = {'flags': '+ildct+ilme', 'qmin': '1', 'qmax': '2'} if interlaced else {}
        stream = container.add_stream('mpeg2video', rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], 'yuv420p'
        for t, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24').reformat(format='yuv420p')
            picture.pts, picture.time_base = t, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def combing(frame):
    """Difference of neighboring lines over that of lines two apart; large where fields are of two moments."""
    gray = frame.astype(float).mean(-1)
    return np.abs(np.diff(gray, axis=0)).mean() / (np.abs(gray[2:] - gray[:-2]).mean() + .5)


def test_interlaced_video_is_made_progressive(tmp_path):
    def moment(t):
        frame = np.full((96, 128, 3), 30, np.uint8)
        frame[20:76, 10 + 4 * t:40 + 4 * t] = 220
        return frame

    woven = []
    for t in range(10):
        frame = moment(2 * t)
        frame[1::2] = moment(2 * t + 1)[1::2]
        woven.append(frame)
    path = write_fields(tmp_path / 'a.ts', woven)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    reader = read_video(path)
    seen = list(reader)
    assert len(seen) == 10 and reader.notes == ['interlaced video was made progressive']
    np.testing.assert_allclose([t for _, t in seen], np.arange(10) / 25, atol=1e-3)
    assert combing(woven[5]) > 1 and combing(seen[5][0]) < .8
    assert np.abs(seen[5][0].astype(int) - moment(10))[:, :10].max() < 12


def test_progressive_video_is_not_filtered(tmp_path):
    frames = [np.full((64, 64, 3), 20 * t, np.uint8) for t in range(6)]
    path = write_fields(tmp_path / 'a.ts', frames, interlaced=False)
    reader = read_video(path)
    with av.open(str(path)) as container:
        decoded = [frame.reformat(format='rgb24').to_ndarray() for frame in container.decode(video=0)]
    np.testing.assert_array_equal([frame for frame, _ in reader], decoded)
    assert reader.notes == []


def whole(value, signed=False):
    """Bits of a whole number as H.264 writes it (Exp-Golomb)."""
    value = (2 * value - 1 if value > 0 else -2 * value) if signed else value
    return f'{value + 1:b}'.zfill(2 * (value + 1).bit_length() - 1)


def unit(kind, bits):
    """One unit of an H.264 stream."""
    bits += '1'
    data, out = int(bits.ljust(-(-len(bits) // 8) * 8, '0'), 2).to_bytes(-(-len(bits) // 8), 'big'), bytearray()
    for byte in data:
        if byte <= 3 and out[-2:] == b'\0\0':
            out.append(3)
        out.append(byte)
    return b'\0\0\0\1' + bytes([kind]) + bytes(out)


def field(number, gray):
    """A field of 32x32 pixels in H.264, one of each two of a frame: no compression, no prediction."""
    order, bits = number % 8, ''
    if order == 0:
        sizes = whole(2) + '0' + whole(1) + whole(1) + '0' + '0' + '1' + '0'
        rate = '0000' + '1' + f'{1:032b}' + f'{50:032b}' + '1' + '000' + '0'
        head = unit(0x67, f'{77:08b}{0:08b}{30:08b}' + whole(0) * 4 + sizes + '1' + rate)
        head += unit(0x68, whole(0) * 2 + '00' + whole(0) * 3 + '000' + whole(0, True) * 3 + '000')
    bits = whole(0) + whole(7) + whole(0) + f'{order // 2:04b}' + '1' + f'{number % 2}'
    bits += (whole(number // 8 % 2) if order == 0 else '') + f'{order:04b}' + ('00' if order == 0 else '0') + whole(0, True)
    for _ in range(2):
        bits += whole(25)
        bits = bits.ljust(-(-len(bits) // 8) * 8, '0') + f'{gray:08b}' * 256 + f'{128:08b}' * 128
    return unit(9, '111') + (head if order == 0 else b'') + unit(0x65 if order == 0 else 0x61, bits)


def write_field_pictures(path, frames=40, together=False):
    """Frames of two fields that are coded each by itself, as broadcasters and camcorders write them; each field, or both together, is
    a packet with a time of its own."""
    fields = [field(i, 40 + 4 * (i // 2)) for i in range(2 * frames)]
    raw = path.with_suffix('.h264')
    raw.write_bytes(b''.join(fields))
    if path == raw:
        return path
    packets = [a + b for a, b in zip(fields[::2], fields[1::2])] if together else fields
    with av.open(str(raw)) as source, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for i, data in enumerate(packets):
            packet = av.Packet(data)
            packet.duration, packet.time_base, packet.stream = 3600 if together else 1800, Fraction(1, 90000), stream
            packet.pts = packet.dts = i * packet.duration
            packet.is_keyframe = i == 0
            container.mux(packet)
    return path


@pytest.mark.parametrize('together', [False, True])
@pytest.mark.parametrize('suffix', ['mkv', 'mp4', 'ts', 'h264'])
def test_fields_with_a_packet_each_do_not_double_the_speed(tmp_path, suffix, together):
    path = write_field_pictures(tmp_path / f'a.{suffix}', together=together)
    reader = read_video(path)
    times = [time for _, time in reader]
    assert len(times) == 40 and not reader.problems
    assert (reader.fps, reader.num_frames, video_info(reader).num_frames) == (25, 40, 40)
    np.testing.assert_allclose(reader.times(), times, atol=1e-3)


def test_times_of_second_fields_are_left_out_and_no_others():
    frames = np.arange(30) * .04
    some = np.sort(np.concatenate([frames, frames[5:20] + .02]))
    np.testing.assert_array_equal(whole_frames(some, frames[:12]), frames)
    film = np.cumsum([0, *[.033, .05] * 10])
    for times in (frames, film, np.delete(film, 4)):
        np.testing.assert_array_equal(whole_frames(times, times[:12]), times)
