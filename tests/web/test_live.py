"""The live mode of the page: what goes through its pipe and its socket, who may have it, and how it ends."""

import asyncio
import io
import json
import shutil
import threading
import time
from multiprocessing import Pipe
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.live.test_run import still_person
from tests.stick_people import StubPose
from tests.web.instant import Instant
from toolkit.live.run import Live
from toolkit.structures import InputError
from toolkit.web import work
from toolkit.web.desk import LIKE, OWN, PICKED, Desk
from toolkit.web.jobs import DONE, FAILED
from toolkit.web.live import AGAIN, END, MOST_BYTES, READY, STAMP, Relay, Wire, decoded
from toolkit.web.sessions import Limits, Sessions

HOST = 'http://localhost'


def jpeg(value=99, size=(64, 48), kind='JPEG'):
    file = io.BytesIO()
    Image.new('RGB', size, (value,) * 3).save(file, kind)
    return file.getvalue()


def camera(pipe, stamp, data=None):
    pipe.send_bytes(STAMP.pack(stamp) + (data or jpeg()))


def test_a_live_run_over_a_pipe_answers_each_picture_with_its_own_time():
    ours, theirs = Pipe()
    wire, said = Wire(theirs), []
    live = Live(wire, StubPose(), still_person(), wire, view=wire, patience=20, say=said.append)
    thread = threading.Thread(target=live.run, daemon=True)
    thread.start()
    assert ours.recv_bytes() == READY
    for stamp, data in ((1.5, None), (2.5, b'no picture'), (3.5, None)):
        camera(ours, stamp, data)
        if data is None:
            answer = ours.recv_bytes()
            assert STAMP.unpack_from(answer)[0] == stamp
            picture = np.asarray(Image.open(io.BytesIO(answer[STAMP.size:])))
            assert picture.shape == (384, 384, 3) and abs(picture.astype(int) - 90).max() <= 2, 'without figures'
    ours.send_bytes(END)
    thread.join(20)
    assert not thread.is_alive() and live.timing.shown == 2


def test_the_ends_of_a_pipe():
    ours, theirs = Pipe()
    wire, shots = Wire(theirs), []
    for message in (AGAIN, STAMP.pack(1) + jpeg(), b'', b'x', STAMP.pack(2) + jpeg(50), END):
        ours.send_bytes(message)
    wire(lambda shot: shots.append(shot) or True)
    assert [shot.stamp for shot in shots] == [1, 2] and abs(shots[1].frame.astype(int) - 50).max() <= 2
    assert wire.show(np.zeros((4, 4, 3), np.uint8)) == 'again' and wire.show(np.zeros((4, 4, 3), np.uint8)) is None
    ours.close()
    wire(lambda shot: pytest.fail('nothing comes any more'))
    assert wire.show(np.zeros((4, 4, 3), np.uint8)) == 'end'


def test_a_browser_that_takes_nothing_does_not_hold_the_job(monkeypatch):
    pytest.importorskip('starlette', reason="needs gradio: pip install 'human-video-toolkit[web]'")
    monkeypatch.setattr('toolkit.web.live.PATIENCE', .3)

    async def run():
        ours, theirs = Pipe()
        told = []
        relay = Relay(SimpleNamespace(send_bytes=lambda data: asyncio.sleep(60)), ours, lambda: told.append('ended'))
        theirs.send_bytes(b'picture')
        for _ in range(100):
            await asyncio.sleep(.05)
            if relay.closed.is_set():
                break
        assert relay.closed.is_set() and not relay.there and not told
        assert Wire(theirs).show(np.zeros((4, 4, 3), np.uint8)) == 'end'

    asyncio.run(run())


def test_what_is_no_picture_of_a_camera_is_left_out():
    assert decoded(jpeg(7)).shape == (48, 64, 3) and decoded(jpeg(size=(1000, 500))).shape == (320, 640, 3)
    for data in (b'', b'x' * 100, jpeg()[:200], jpeg(kind='PNG'), jpeg(size=(4, 4)), jpeg(size=(5000, 1000))):
        assert decoded(data) is None


@pytest.fixture
def desk(tmp_path, clips):
    limits = Limits(free_mb=0, live_minutes=2)
    desk = Desk(Sessions(tmp_path / 'page', limits), Instant(limits, tmp_path / 'page' / 'jobs.log'))
    for clip in clips:
        shutil.copytree(clip.folder, desk.sessions.examples / clip.folder.name / clip.folder.name)
    yield desk
    desk.jobs.close()


def begin(desk, session, way=OWN, model=None, up=None, down=None):
    return desk.live(session, next(iter(session.clips())), model, way, up, down)


def test_one_visitor_is_live_at_a_time(desk):
    one, other = (desk.sessions.open(None)[0] for _ in range(2))
    job, pipe = begin(desk, one)
    with pytest.raises(InputError, match='somebody else is live at the moment, for 2 minutes at most'):
        begin(desk, other)
    with pytest.raises(InputError, match='one thing at a time: "live: example'):
        begin(desk, one)
    desk.jobs.go.set()
    assert desk.jobs.wait(job, 10).state == DONE and job.arguments['seconds'] == 120
    with pytest.raises(EOFError):
        pipe.recv_bytes()
    job, _ = begin(desk, other, PICKED, up='#f00')
    assert (job.arguments['up'], job.arguments['down']) == ('#ff0000', None)


def test_wishes_that_live_cannot_fulfil_are_refused(desk):
    session = desk.sessions.open(None)[0]
    for wish, said in ((dict(way=LIKE), 'live shows the clothes'), (dict(way=PICKED), 'switch on'), (dict(model='x'), 'no model'),
                       (dict(way='x'), 'live shows the clothes'), (dict(way=PICKED, up='red'), 'is not a color')):
        with pytest.raises(InputError, match=said):
            begin(desk, session, **wish)
    with pytest.raises(InputError, match='no clip'):
        desk.live(session, '../../x', None, OWN, None, None)
    assert desk.jobs.latest(session.id) is None


def test_the_job_paints_with_the_parts_of_live(clips, tmp_path, monkeypatch):
    asked, (ours, theirs) = [], Pipe()
    monkeypatch.setattr(work, 'open_person', lambda *values, **named: asked.append((values, named)) or still_person())
    monkeypatch.setattr(work, 'build_parts_for', lambda person, pose: (StubPose(), {}, {}))

    class Told(work.Progress):
        lines = []

        def say(self, line):
            self.lines.append(line)

    thread = threading.Thread(target=work.live, daemon=True, args=(Told(), theirs, 'clip', 'x.pth', '#ff0000', None, 60., 'prepared'))
    thread.start()
    assert ours.recv_bytes() == READY
    camera(ours, 7.)
    assert STAMP.unpack_from(ours.recv_bytes())[0] == 7
    ours.send_bytes(END)
    thread.join(20)
    assert not thread.is_alive() and Told.lines[-1].startswith('1 pictures in')
    assert asked == [(('x.pth', 'clip'), dict(up='#ff0000', down=None, work_dir='prepared'))]


@pytest.fixture
def server(tmp_path, clips, monkeypatch):
    pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")
    from toolkit.web import server as server_module
    monkeypatch.setattr(server_module, 'Jobs', Echo)
    with server_module.Server(tmp_path / 'page', Limits(free_mb=0)) as server:
        shutil.copytree(clips[0].folder, server.sessions.examples / 'a' / 'a')
        server.jobs.go.set()
        yield server


class Echo(Instant):
    """A live job that sends each picture back as it came."""

    def _run(self, job):
        if job.task != 'live':
            return super()._run(job)
        pipe = job.arguments['pipe']
        pipe.send_bytes(READY)
        while (message := pipe.recv_bytes()) != END:
            if message == STAMP.pack(9) + b'fail':
                job.error = 'the camera burns'
                return FAILED
            pipe.send_bytes(message)
        job.lines = ['all is said']
        return DONE


def browser(server):
    from starlette.testclient import TestClient
    client = TestClient(server.app, base_url=HOST)
    client.get('/')
    return client


def connect(client, **headers):
    return client.websocket_connect('ws://localhost/hvt/live', headers=dict(origin=HOST) | headers)


def wish(server, **more):
    person = next(iter(server.sessions.open(None)[0].clips()))
    return dict(person=person, model=None, way=OWN, up=None, down=None) | more


def test_pictures_come_back_through_the_socket(server):
    client, other = browser(server), browser(server)
    with connect(client) as socket:
        socket.send_json(wish(server))
        assert socket.receive_json() == dict(ready=True)
        socket.send_bytes(STAMP.pack(1) + b'picture')
        assert socket.receive_bytes() == STAMP.pack(1) + b'picture'
        socket.send_text('again')
        assert socket.receive_bytes() == AGAIN
        for left_out in (b'short', bytes(MOST_BYTES + 1)):
            socket.send_bytes(left_out)
        with connect(other) as second:
            second.send_json(wish(server))
            assert 'somebody else is live' in second.receive_json()['said']
        socket.send_bytes(STAMP.pack(2) + b'last')
        assert socket.receive_bytes() == STAMP.pack(2) + b'last'
    deadline = time.monotonic() + 10
    while server.desk._live.alive and time.monotonic() < deadline:
        time.sleep(.02)
    assert server.desk._live.state == DONE, 'the job ends when the browser goes'
    with connect(other) as second:
        second.send_json(wish(server))
        assert second.receive_json() == dict(ready=True)
        second.send_bytes(STAMP.pack(9) + b'fail')
        assert second.receive_json() == dict(state=FAILED, said='the camera burns')


@pytest.mark.parametrize('first', ['[]', 'x', '{}', '{"person": {}, "way": 3}', '{"person": "../x", "way": "as they are"}'])
def test_wishes_of_strangers_are_refused(server, first):
    with connect(browser(server)) as socket:
        socket.send_text(first)
        answer = socket.receive_json()
    assert answer['state'] == FAILED and answer['said'] and 'Traceback' not in json.dumps(answer)


@pytest.mark.parametrize('case', ['no cookie', 'a made-up cookie', 'another site', 'another name', 'another path'])
def test_the_socket_is_for_our_page_alone(server, case):
    from starlette.websockets import WebSocketDisconnect
    client, address, headers = browser(server), 'ws://localhost/hvt/live', dict(origin=HOST)
    if case == 'no cookie':
        client.cookies.clear()
    if case == 'a made-up cookie':
        client.cookies.clear()
        headers['cookie'] = f'{server.sessions.cookie}={"A" * 43}'
    if case == 'another site':
        headers['origin'] = 'http://evil.example'
    if case == 'another name':
        headers |= dict(origin='http://evil.example', host='evil.example')
    if case == 'another path':
        address = 'ws://localhost/gradio_api/queue/join'
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(address, headers=headers):
        pass
