"""Files play at their own speed; cameras and streams that drop, stall, change size or send garbage are opened again, or say why not."""

import io
import socket
import socketserver
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.stick_people import write_frames
from toolkit.live import sources
from toolkit.live.sources import Camera, CameraLost, PlayedFile, is_address, open_source, open_stream, usable
from toolkit.structures import InputError

FRAME = np.full((48, 64, 3), 90, np.uint8)


def taken(source, most=10**6):
    """All shots, at most so many."""
    shots = []
    source(lambda shot: (shots.append(shot), len(shots) < most)[1])
    return shots


def test_a_file_plays_at_its_own_speed_and_again(tmp_path):
    path = write_frames(tmp_path / 'a.mp4', [FRAME + n for n in range(10)])
    shots = taken(PlayedFile(path))
    assert len(shots) == 10 and .3 < shots[-1].time - shots[0].time < 5
    assert len(taken(PlayedFile(path, loop=True), 23)) == 23


def test_large_files_are_made_small(tmp_path):
    path = write_frames(tmp_path / 'a.mp4', [np.zeros((720, 1280, 3), np.uint8)])
    assert taken(PlayedFile(path))[0].frame.shape == (360, 640, 3)


@pytest.mark.parametrize('frame, shape', [
    (FRAME, (48, 64, 3)), (FRAME[..., 0], (48, 64, 3)), (np.zeros((960, 1280, 4), np.uint8), (480, 640, 3)),
    (FRAME.astype(float), None), (FRAME[:, :4], None), (np.zeros((0, 4, 3), np.uint8), None), (None, None),
    (np.zeros((48, 64, 2), np.uint8), None)])
def test_what_is_no_picture_is_left_out(frame, shape):
    found = usable(frame)
    assert (found if shape is None else found.shape) == shape


def scripted(*rounds):
    """What opens a camera: each round gives frames, and ends by an error if that is its last."""
    rounds = iter(rounds)

    def opened():
        for item in next(rounds, [CameraLost('unplugged')]):
            if isinstance(item, Exception):
                raise item
            yield item
    return opened


def test_a_lost_camera_is_opened_again():
    said, waits = [], []
    opened = scripted([FRAME, CameraLost('unplugged')], [CameraLost('busy')], [FRAME[:30], FRAME[:, :, 0]])
    shots = taken(Camera('camera 0', opened, 30, said.append, waits.append), 3)
    assert [shot.frame.shape for shot in shots] == [(48, 64, 3), (30, 64, 3), (48, 64, 3)]
    assert said == ['unplugged; trying again', 'camera 0 is back'] and waits == [.5, 1.]


def test_a_camera_that_stays_away_ends_with_the_reason():
    with pytest.raises(InputError, match=r'unplugged; tried for 0 s. Check the camera'):
        taken(Camera('camera 0', scripted(), .05, lambda line: None, lambda s: time.sleep(.02)))


def test_garbage_for_frames_ends_with_the_reason():
    with pytest.raises(InputError, match='camera 0 gives frames that are no pictures'):
        taken(Camera('camera 0', scripted(*[[FRAME.astype(float)] * 5] * 50), .05, lambda line: None, lambda s: time.sleep(.02)))


def test_a_camera_that_is_not_there(monkeypatch):
    with pytest.raises(InputError, match='camera 77 cannot be opened: is it plugged in'):
        taken(open_source(77, None, patience=.01, say=lambda line: None))


@pytest.mark.parametrize('camera, given, loop, words', [
    (None, None, False, 'give one of them'), (0, 'a.mp4', False, 'give one of them'), (-1, None, False, 'from 0 on'),
    (0, None, True, 'have no end'), (None, 'rtsp://x/1', True, 'have no end'), (None, 'nowhere.mp4', False, 'nowhere.mp4')])
def test_wishes_that_cannot_be(camera, given, loop, words):
    with pytest.raises(InputError, match=words):
        open_source(camera, given, loop)


def test_addresses_are_told_from_files():
    assert is_address('rtsp://camera/1') and is_address('http://x/a.mjpg') and not is_address('a.mp4') and not is_address('file://a')


def transport_stream(size, frames=30, aspect=1, apart=5):
    """An MPEG transport stream of plain frames, (H, W) large, with a key frame every ``apart``."""
    file = io.BytesIO()
    with av.open(file, 'w', format='mpegts') as container:
        stream = container.add_stream('mpeg2video', rate=25, options={'g': str(apart), 'sc_threshold': '1000000000'})
        stream.height, stream.width, stream.pix_fmt = *size, 'yuv420p'
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        for number in range(frames):
            picture = np.full((*size, 3), (50 + 3 * number) % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture
def server():
    """Function (replies) -> address of a server that answers each connection with the next of them; the last one again and again."""
    servers = []

    def serve(*replies):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                reply = replies[min(self.server.count, len(replies) - 1)]
                self.server.count += 1
                for part in reply if isinstance(reply, list) else [reply]:
                    try:
                        self.request.sendall(part) if isinstance(part, bytes) else time.sleep(part)
                    except OSError:
                        return

        one = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler)
        one.count, one.daemon_threads = 0, True
        servers.append(one)
        threading.Thread(target=one.serve_forever, daemon=True).start()
        return f'tcp://127.0.0.1:{one.server_address[1]}'

    yield serve
    for one in servers:
        one.shutdown()
        one.server_close()


def test_a_stream_that_drops_comes_back_in_another_size(server):
    said = []
    address = server(transport_stream((64, 96)), b'', transport_stream((96, 64)))
    shots = taken(Camera(address, lambda: open_stream(address), 30, said.append, lambda s: None), 40)
    sizes = [shot.frame.shape[:2] for shot in shots]
    assert sizes[0] == (64, 96) and sizes[-1] == (96, 64) and len(set(sizes)) == 2
    assert said[0] == f'{address}: the stream ends; trying again' and said[1] == f'{address} is back'


def test_a_large_stream_has_the_colors_that_players_show(server):
    file, color = io.BytesIO(), np.array([30, 160, 60], np.uint8)
    with av.open(file, 'w', format='mpegts') as container:
        stream = container.add_stream('mpeg2video', rate=25, options={'qmin': '1', 'qmax': '2'})
        stream.height, stream.width, stream.pix_fmt = 640, 64, 'yuv420p'
        frame = av.VideoFrame.from_ndarray(np.full((640, 64, 3), color), format='rgb24')
        frame = frame.reformat(format='yuv420p', dst_colorspace='ITU709', src_color_range='JPEG', dst_color_range='MPEG')
        frame.colorspace = 2  # not named
        for number in range(30):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    seen = next(open_stream(server(file.getvalue())))
    assert np.abs(seen.astype(int) - color).max() <= 4


@pytest.mark.parametrize('size, aspect, shape', [
    ((72, 96), Fraction(4, 3), (72, 128)), ((720, 1280), 1, (360, 640)), ((576, 720), Fraction(64, 45), (360, 640))])
def test_streams_have_square_pixels_and_are_made_small(server, size, aspect, shape):
    frame = next(open_stream(server(transport_stream(size, aspect=aspect))))
    assert frame.shape == (*shape, 3) and frame.std() < 3


def test_a_damaged_stream_goes_on_behind_the_damage(server):
    whole = transport_stream((64, 96), 60)
    third = len(whole) // 3
    rubbish = np.random.default_rng(0).integers(0, 256, third // 4, np.uint8).tobytes()
    address = server(whole[:third] + rubbish + whole[2 * third:])
    frames = []
    with pytest.raises(CameraLost, match='the stream ends'):
        frames.extend(open_stream(address))
    assert frames[-1].mean() > 220 and 5 < len(frames) < 60


def test_key_frames_may_be_far_apart(server):
    whole, frames = transport_stream((64, 96), 560, apart=280), []
    for sent, count in ((whole, 560), (whole[188 * (len(whole) // 188 // 4):], 280)):  # from the begin; from between two of them
        frames.clear()
        with pytest.raises(CameraLost, match='the stream ends'):
            frames.extend(open_stream(server(sent)))
        assert len(frames) == pytest.approx(count, abs=2)


def test_a_stream_without_key_frames_is_lost_in_time(server, monkeypatch):
    monkeypatch.setattr(sources, 'KEY_SECONDS', .3)
    monkeypatch.setattr(sources, 'PROBE_SECONDS', .1)
    whole = transport_stream((64, 96), 400, apart=400)
    rest = [part for at in range(len(whole) // 4, len(whole), 4 * 188) for part in (whole[at:at + 4 * 188], .02)]
    begun = time.perf_counter()
    with pytest.raises(CameraLost, match='nothing that can be decoded for'):
        list(open_stream(server(rest)))
    assert time.perf_counter() - begun < 5


def test_rubbish_alone_says_so(server):
    address = server(np.random.default_rng(0).integers(0, 256, 10**6, np.uint8).tobytes())
    with pytest.raises(InputError, match='cannot be opened|nothing that can be decoded|sends no video'):
        taken(Camera(address, lambda: open_stream(address), .05, lambda line: None, lambda s: time.sleep(.03)))


def test_a_stream_that_stalls_is_lost(server, monkeypatch):
    monkeypatch.setattr(sources, 'READ_SECONDS', .3)
    whole = transport_stream((64, 96), 60)
    address, begun = server([whole[:len(whole) // 2], 30]), time.perf_counter()
    with pytest.raises(CameraLost):
        for _ in open_stream(address):
            pass
    assert time.perf_counter() - begun < 10


def test_nobody_answers():
    with socket.socket() as taken_port:
        taken_port.bind(('127.0.0.1', 0))
        with pytest.raises(CameraLost, match='cannot be opened'):
            next(open_stream(f'tcp://127.0.0.1:{taken_port.getsockname()[1]}'))
