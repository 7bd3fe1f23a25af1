"""Files and streams take pictures of any shape, and a server that hangs does not hang the run."""

import os
import signal
import socket
import threading
import time

import numpy as np
import pytest

from tests.live.test_run import decoded
from toolkit.live import sending
from toolkit.live.sinks import File, Stream
from toolkit.structures import InputError


@pytest.fixture
def silent():
    """Address of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        yield f'rtmp://127.0.0.1:{server.getsockname()[1]}/app/key'


def test_a_server_that_never_answers_cannot_be_reached(silent, monkeypatch):
    monkeypatch.setattr(sending, 'REACHED', 1.5)
    with pytest.raises(InputError, match='cannot be reached .it has not answered for'):
        Stream(silent).show(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.skipif(os.name == 'nt', reason='sends a signal to itself')
def test_ctrl_c_ends_the_wait_for_a_server(silent, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    sink, began = Stream(silent), time.monotonic()
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        sink.show(np.zeros((64, 64, 3), np.uint8))
    sink.sender.kill()
    assert time.monotonic() - began < 5


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def test_while_a_server_is_away_or_nobody_has_connected_yet_the_run_goes_on(monkeypatch):
    """At first a server that is there; then one that takes connections and says nothing, to be asked again."""
    picture, times = np.zeros((64, 64, 3), np.uint8), []
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        sink = Stream(f'rtmp://127.0.0.1:{server.getsockname()[1]}/app/key', lambda line: None)
        sink.reached = True
        for _ in range(20):
            begun = time.monotonic()
            sink.show(picture)
            times.append(time.monotonic() - begun)
            time.sleep(.05)
        monkeypatch.setattr(sending, 'REACHED', .5)
        sink.show(picture)
        assert max(times) < .9 and sink.lost_at, 'it does not wait, and gives up in time'
        sink.close()
    port = free_port()
    sink = Stream(f'tcp://127.0.0.1:{port}?listen=1')
    sink.show(picture)
    time.sleep(1.5)
    sink.show(picture)
    assert not sink.reached and sink.lost_at is None, 'nobody has come, which is no fault'
    with socket.create_connection(('127.0.0.1', port), 5) as viewer:
        while not sink.reached:
            sink.show(picture)
            time.sleep(.02)
        assert viewer.recv(188)
    assert os.name == 'nt' or os.getsid(sink.sender._process.pid) != os.getsid(0), 'Ctrl-C in a terminal is not for it'
    sink.sender.kill()


def test_half_a_picture_is_never_taken_for_the_next_one(tmp_path, monkeypatch):
    sink = Stream(str(tmp_path / 'a.ts'))
    for _ in range(3):
        sink.show(np.full((64, 64, 3), 200, np.uint8))
    write = sink.sender._write

    def interrupted(data):
        write(data[:500])
        raise KeyboardInterrupt

    monkeypatch.setattr(sink.sender, '_write', interrupted)
    with pytest.raises(KeyboardInterrupt):
        sink.show(np.zeros((64, 64, 3), np.uint8))
    process = sink.sender._process
    sink.close()
    assert process.poll() is not None
    assert {frame.mean().round(-1) for frame in decoded(tmp_path / 'a.ts')} == {200}


def test_a_server_that_takes_nothing_any_more_is_lost(monkeypatch):
    monkeypatch.setattr(sending, 'ANSWER', .5)
    pictures = np.random.default_rng(0).integers(0, 255, (2, 384, 384, 3), np.uint8)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(('127.0.0.1', 0))
        server.listen()
        said, done = [], threading.Event()
        sink = Stream(f'tcp://127.0.0.1:{server.getsockname()[1]}', said.append)

        def send():
            while not said:
                for picture in pictures:
                    sink.show(picture)
            sink.close()
            done.set()

        threading.Thread(target=send, daemon=True).start()
        assert done.wait(60), 'the run could not be ended'
    assert 'is lost (it has taken nothing for' in said[0] and len(said) == 1


def test_pictures_of_another_shape_are_not_squeezed(tmp_path):
    wide, high = np.full((64, 128, 3), 200, np.uint8), np.full((64, 64, 3), 200, np.uint8)
    wide[:, 32:96] = high[:, 16:48] = 40
    for sink, path in ((File(tmp_path / 'a.mp4'), tmp_path / 'a.mp4'), (Stream(str(tmp_path / 'a.ts')), tmp_path / 'a.ts')):
        for picture in [wide] * 10 + [high] * 10:
            sink.show(picture)
        sink.close()
        bright = decoded(path)[-1].min(2).mean(0) > 120
        assert bright[34:46].all() and bright[82:94].all() and bright.sum() == pytest.approx(32, abs=4), 'borders are black'
