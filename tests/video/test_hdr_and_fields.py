"""HDR becomes SDR with white whites; interlaced video loses its combs; all else stays bit for bit."""

from fractions import Fraction

import av
import numpy as np
import pytest

from toolkit.video.io import read_video
from toolkit.video.tone_map import BT2020_LUMA, BT2020_TO_BT709, display_light, to_sdr

COLORS = np.array([[250, 250, 250], [128, 128, 128], [200, 30, 30], [30, 160, 60], [40, 60, 190], [220, 180, 150], [0, 0, 0]])


def signal(light, kind):
    """The inverse of ``display_light``, written down from BT.2100 on its own."""
    if kind == 'PQ':
        y = (light / 10000) ** .1593017578125
        return ((.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    shown = light / 1000
    scene = shown * np.maximum((shown @ BT2020_LUMA)[..., None], 1e-12) ** (1 / 1.2 - 1)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), .17883277 * np.log(np.maximum(12 * scene - .28466892, 1e-9)) + .55991073)


def hdr(colors, kind):
    """R'G'B' in [0, 1] of HDR that shows SDR colors with their white at 203 cd/m2."""
    light = 203 * (colors / 255) ** 2.4 @ np.linalg.inv(BT2020_TO_BT709).T
    return signal(np.maximum(light, 0), kind)


def write_bars(path, colors, trc, primaries, matrix, weights, pix_fmt='yuv420p10le', codec='libx264'):
    """One bar of 16x32 pixels for each color, coded by hand, so that nothing of FFmpeg's conversions is in it."""
    red, _, blue = weights
    y = colors @ weights
    planes = np.stack([y, (colors[:, 2] - y) / (2 - 2 * blue), (colors[:, 0] - y) / (2 - 2 * red)])
    codes = np.rint(planes * [[219], [224], [224]] * 4 + [[64], [512], [512]]).astype(np.uint16)
    wide = np.repeat(codes, 16, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25, options={'crf': '1'})
        stream.width, stream.height, stream.pix_fmt = wide.shape[1], 32, pix_fmt
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = trc, primaries, matrix, 1
        frame = av.VideoFrame(wide.shape[1], 32, pix_fmt)
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
def test_hdr_looks_as_the_same_scene_in_sdr(tmp_path, kind, trc):
    path = write_bars(tmp_path / 'a.mp4', hdr(COLORS, kind), trc, 9, 9, BT2020_LUMA)
    seen, reader = bars(path)
    assert np.abs(seen - COLORS).max() <= 8 and seen[0].min() >= 242
    assert reader.notes == [f'HDR ({kind}) was made SDR']
    small, _ = next(iter(read_video(path, max_side=56)))
    assert np.abs(small[8, 4::8].astype(int) - COLORS).max() <= 12


def test_sdr_is_not_touched(tmp_path):
    seen, reader = bars(write_bars(tmp_path / 'a.mp4', COLORS / 255, 1, 1, 1, np.array([.2126, .7152, .0722])))
    assert np.abs(seen - COLORS).max() <= 3 and reader.notes == []


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
