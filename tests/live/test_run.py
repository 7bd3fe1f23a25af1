"""A whole live run by a file as camera: its video, its figures, and what it says when something is wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tests.stick_people import StubPose, draw_person, write_frames
from toolkit import apis
from toolkit.live import sinks, start
from toolkit.live.person import LivePerson, is_checkpoint, open_person
from toolkit.live.run import Live, View, written
from toolkit.live.sinks import File, Sink, Stream, Window, open_sink
from toolkit.live.stages import Shot
from toolkit.live.timing import memory_mb
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError
from toolkit.video.io import RECOVERS, WRITABLE_SUFFIXES, VideoReader, VideoWriter

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def stub(monkeypatch):
    """The pose estimator ``Stub`` finds magenta people."""
    monkeypatch.setitem(POSE_ESTIMATORS._module_dict, 'Stub', StubPose)
    return dict(type='Stub')


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]


def test_a_file_as_camera_drives_the_person_of_a_clip(clips, walk, stub, load_tool, tmp_path, capsys):
    out, figures = tmp_path / 'live.mp4', tmp_path / 'figures.json'
    arguments = ['--input', str(walk), '--person', str(clips[0].folder), '--out', str(out), '--benchmark', str(figures),
                 '--pose', 'Stub', '--side-by-side', '--full']
    with pytest.raises(SystemExit) as end:
        load_tool('live').main(arguments)
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    report, frames = json.loads(figures.read_text()), decoded(out)
    shown, dropped = report['frames']['shown'], report['frames']['dropped']
    assert report['frames']['captured'] == 40 == shown + sum(dropped.values()) and shown >= 1
    assert 0 < report['latency_ms']['median'] <= report['latency_ms']['p95'] and report['about']['pose'] == 'Stub'
    assert {'pose', 'retarget', 'reference', 'paint', 'show', 'wait for paint'} <= set(report['stages_ms'])
    assert f'{shown} pictures in' in said.out and 'painted at 96x64 (HxW)' in said.out and report['about']['size'] == [96, 64]
    assert frames[0].shape == (384, 512 + 256, 3), 'the camera, twice as wide, and the result four times as large'
    times = [time for _, time in VideoReader(out)]
    assert len(frames) == shown and times[-1] == pytest.approx(report['seconds'], abs=.3), 'the file lasts as long as the run'
    with pytest.raises(SystemExit) as end:
        load_tool('live').main(arguments)
    assert end.value.code == 2 and 'figures.json' in capsys.readouterr().err, 'nothing is replaced unasked'


def test_the_person_moves_as_the_driving_person_does(clips, stub):
    person, find = open_person(clips[0].folder, half=False), StubPose()
    live = Live(None, find, person, None)
    pictures = []
    for t in range(12):
        shot = Shot(draw_person(240, 320, 100 + 10 * (t > 5), 40, 40), t / 5)
        for stage in (live._pose, live._retarget, live._reference, live._paint):
            shot.value = stage(shot)
        pictures.append(shot.value.astype(int))
    assert pictures[0].shape == (96, 64, 3) and np.abs(pictures[5] - pictures[0]).max() > 60, 'at first the scene is empty'
    assert np.abs(pictures[11] - pictures[5]).max() > 60 and np.abs(pictures[5] - pictures[4]).mean() < 1


def still_person(size=(32, 32)):
    """Somebody whose picture is as bright as the time of the frame."""
    class Tell:
        pictures = set()

        def __call__(self, pose, picture):
            return pose

    return LivePerson(lambda given: np.full((*size, 3), 90, np.uint8), Tell(), size, None, dict(model='still'))


def run(source, sink, **options):
    live = Live(source, StubPose(), still_person(), sink, say=options.pop('said', []).append, **options)
    live.run()
    return live


def frames_of(count, pause=.01):
    def source(take):
        for _ in range(count):
            time.sleep(pause)
            if not take(Shot(np.full((48, 64, 3), 99, np.uint8), time.perf_counter())):
                return
    return source


class Kept(Sink):
    """Keeps what is shown; answers with the keys of a list."""

    def __init__(self, *keys):
        self.pictures, self.keys, self.closed = [], list(keys), False

    def show(self, picture):
        self.pictures.append(picture)
        return self.keys.pop(0) if self.keys else None

    def close(self):
        self.closed = True


def test_figures_stand_on_the_picture_unless_it_is_to_be_plain():
    sink = Kept()
    run(frames_of(30), sink)
    assert sink.pictures[-1].shape == (384, 384, 3) and sink.pictures[-1][:20].max() > 200 and (sink.pictures[-1][100:] == 90).all()
    sink = Kept()
    run(frames_of(5), sink, view=View(figures=False))
    assert (sink.pictures[-1] == 90).all()
    assert written(np.zeros((40, 60, 3), np.uint8), 'a line that is too long for it').any()


def test_the_window_ends_the_run_and_the_time_does():
    assert run(frames_of(1000), Kept(None, 'again', 'end')).timing.shown == 3
    begun = time.perf_counter()
    run(frames_of(10**6), Kept(), seconds=.3)
    assert time.perf_counter() - begun < 60, 'the frames would take three hours'


def test_a_stall_is_shown_and_told_and_ends_when_patience_does(monkeypatch):
    monkeypatch.setattr('toolkit.live.run.STALL', .15)
    go_on, said, sink = threading.Event(), [], Kept()

    def stalls(take):
        frames_of(3)(take)
        go_on.wait(2)
        frames_of(3)(take)

    run(stalls, sink, said=said)
    assert said[:2] == ['no frame has come for 0 s; waiting', 'frames come again'] and len(sink.pictures) > 4
    with pytest.raises(InputError, match='does the camera still send'):
        run(stalls, Kept(), said=[], patience=.4)
    go_on.set()


def test_what_a_stage_refuses_ends_the_run():
    def source(take):
        raise InputError('camera 0 is gone')
    with pytest.raises(InputError, match='camera 0 is gone'):
        run(source, Kept())


def test_memory_stays_flat():
    run(frames_of(50, .001), Kept())
    before, sink = memory_mb(), Kept()
    sink.show = lambda picture: None
    live = run(frames_of(400, .001), sink)
    assert live.chain.captured == 400 and memory_mb() - before < 25


def test_a_window_without_a_screen_says_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match='there is no screen .*--out live.mp4'):
        Window()


def test_a_virtual_camera_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyvirtualcam', None)
    with pytest.raises(InputError, match='pip install pyvirtualcam'):
        open_sink('camera')


def test_a_file_keeps_time_and_is_not_left_empty(tmp_path, monkeypatch):
    sink, now = File(tmp_path / 'a.mp4'), 100.
    monkeypatch.setattr(sinks, 'time', SimpleNamespace(perf_counter=lambda: now))
    for size, wait in ((32, .04), (32, .5), (48, .1), (32, 0), (32, .1)):
        sink.show(np.full((size, size, 3), 80, np.uint8))
        now += wait
    sink.close()
    reader = VideoReader(tmp_path / 'a.mp4')
    frames, times = zip(*reader)
    assert np.allclose(times, (0, .04, .54, .64, .641), atol=1e-6), 'no picture twice, none lost, each at its time'
    assert {frame.shape for frame in frames} == {(32, 32, 3)}
    File(tmp_path / 'b.mp4').close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.mp4']
    with pytest.raises(InputError, match='a.mp4'):
        open_sink(tmp_path / 'a.mp4')


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='the system has no kill that cannot be caught')
@pytest.mark.skipif(not RECOVERS, reason='this FFmpeg cannot do that')
@pytest.mark.parametrize('generated', [False, True])
@pytest.mark.parametrize('suffix', WRITABLE_SUFFIXES)
def test_a_recording_outlives_a_kill(tmp_path, suffix, generated):
    """Whatever is written under its name next: another recording, or a video that was generated."""
    path = tmp_path / f'a{suffix}'

    def record(seconds):
        code = f"""import os, numpy as np
from toolkit.video.io import VideoWriter
with VideoWriter({str(path)!r}, 25, preset='ultrafast', timed=True) as writer:
    for t in range({25 * seconds}):
        writer.write(np.full((32, 32, 3), t, np.uint8), t / 25)
    os.kill(os.getpid(), 9)"""
        assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == -9

    def written(name):
        return len(list(VideoReader(tmp_path / f'{name}{suffix}')))

    record(5)
    path.with_name(f'a_earlier_1{suffix}').write_text('mine')
    with pytest.warns(UserWarning, match=f'an earlier recording was cut off; what there is of it is .*a_earlier_2{suffix}'):
        sink = VideoWriter(path, 25) if generated else File(path)
    (sink.write if generated else sink.show)(np.zeros((32, 32, 3), np.uint8))
    sink.close()
    assert written('a') == 1 and 75 <= written('a_earlier_2') <= 125
    assert path.with_name(f'a_earlier_1{suffix}').read_text() == 'mine'
    assert sorted(p.name for p in tmp_path.iterdir()) == [f'a{suffix}', f'a_earlier_1{suffix}', f'a_earlier_2{suffix}']


@pytest.mark.skipif(sys.platform == 'win32', reason='a limit of file sizes, which stands for a full disk')
@pytest.mark.skipif(not RECOVERS, reason='this FFmpeg cannot do that')
def test_a_recording_plays_up_to_where_the_disk_was_full(tmp_path, request):
    import resource
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    sink, rng = File(tmp_path / 'a.mp4'), np.random.default_rng(0)
    with pytest.raises(InputError, match='disk full. What was recorded until then is .*a.recorded.mp4'), closing(sink):
        for t in range(200):
            sink.writer.write(rng.integers(0, 255, (64, 64, 3), np.uint8), t / 25)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(list(VideoReader(tmp_path / '.a.recorded.mp4'))) >= 25


def listened(port):
    """Whether somebody listens at a port; asked of the kernel, for a connection would be taken for the stream."""
    sockets = (line.split() for line in Path('/proc/net/tcp').read_text().splitlines()[1:])
    return any(words[1].endswith(f':{port:04X}') and words[3] == '0A' for words in sockets)


@pytest.fixture
def listener():
    """Function () -> (address, thread, list): what is sent to the address is decoded into the list."""
    import socket
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]

    def listen():
        got = []

        def receive():
            with av.open(f'tcp://127.0.0.1:{port}?listen=1', format='mpegts', timeout=10) as container:
                for frame in container.decode(video=0):
                    got.append(frame.to_ndarray(format='rgb24'))
        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        while not listened(port):
            time.sleep(.01)
        return f'tcp://127.0.0.1:{port}', thread, got
    return listen


@pytest.mark.skipif(not Path('/proc/net/tcp').exists(), reason='asks /proc who listens')
def test_a_stream_arrives_and_goes_on_when_its_server_comes_back(listener, monkeypatch):
    monkeypatch.setattr(sinks, 'RETRY', .1)
    address, thread, got = listener()
    said, sink = [], None
    sink = Stream(address, said.append)
    for value in range(30):
        sink.show(np.full((65, 64, 3), 5 * value, np.uint8))
        time.sleep(.01)
    sink.close()
    thread.join(10)
    assert len(got) == 30 and got[0].shape == (64, 64, 3) and got[-1].mean() == pytest.approx(145, abs=4)
    sink.lost_at = time.perf_counter() - 1
    sink.show(np.zeros((64, 64, 3), np.uint8))
    while sink.sender is not None:  # nobody listens
        sink.show(np.zeros((64, 64, 3), np.uint8))
        time.sleep(.02)
    address, thread, got = listener()
    time.sleep(.15)
    count = 0
    while not said or count < 5:
        sink.show(np.zeros((64, 64, 3), np.uint8))
        count += bool(said)
        time.sleep(.02)
    sink.close()
    thread.join(10)
    assert len(got) in (5, 6) and said == [f'{address} is back']


def test_a_stream_has_the_colors_of_the_picture(tmp_path):
    color = np.array([200, 30, 60], np.uint8)
    sink = Stream(str(tmp_path / 'a.ts'))
    for _ in range(30):
        sink.show(np.full((640, 64, 3), color))
    sink.close()
    seen, _ = next(iter(VideoReader(tmp_path / 'a.ts')))
    assert np.abs(seen.astype(int) - color).max() <= 4


def test_a_server_that_is_not_there_says_so():
    with pytest.raises(InputError, match='cannot be reached'):
        open_sink('tcp://127.0.0.1:9').show(np.zeros((64, 64, 3), np.uint8))


def test_checkpoints_are_told_from_clips(clips, tmp_path):
    (tmp_path / 'run').mkdir()
    assert not is_checkpoint(clips[0].folder) and not is_checkpoint(tmp_path / 'run') and is_checkpoint('a.safetensors')
    (tmp_path / 'run' / 'iter_0000002.pth').touch()
    assert is_checkpoint(tmp_path / 'run')


@pytest.mark.parametrize('wishes, words', [
    (dict(person='nobody.mp4'), 'nobody.mp4: no such file'), (dict(content='a.mp4'), '--person is no checkpoint'),
    (dict(allow_imports=('mine',)), '--allow-import is for a checkpoint of your own'),
    (dict(size=(64, 96)), 'people would be squeezed'), (dict(up='red'), 'is not a color')])
def test_people_that_cannot_be_painted(clips, wishes, words):
    with pytest.raises(InputError, match=words):
        open_person(**{'person': clips[0].folder, 'half': False, **wishes})


@pytest.mark.parametrize('wishes, words', [
    (dict(up='#c0303'), "'#c0303' is not a color"), (dict(direction='aa'), 'direction must be one of ab, ba'),
    (dict(person='hvt::pretrained/textured.safetensors', content='nobody.mp4'), 'nobody.mp4: no such file')])
def test_what_needs_no_model_is_refused_before_one_is_loaded(walk, monkeypatch, wishes, words):
    monkeypatch.setattr('toolkit.live.person.load', lambda *given, **options: pytest.fail('a model is loaded'))
    with pytest.raises(InputError, match=words):
        open_person(**{'person': walk, **wishes})


@pytest.mark.parametrize('wishes, words', [
    (dict(direction='ab'), 'has no direction'), (dict(size=(102, 68)), 'cannot paint frames of 102x68.*multiples of 8')])
def test_what_the_model_cannot_do_is_refused_before_a_person_is_prepared(walk, monkeypatch, wishes, words):
    monkeypatch.setattr('toolkit.live.person.as_clip', lambda path, *given: pytest.fail(f'{path} is prepared'))
    with pytest.raises(InputError, match=words):
        open_person(walk, half=False, **wishes)


def test_retarget_is_for_a_person_whose_body_is_known():
    for wish in (True, False):
        with pytest.raises(InputError, match='--retarget fits the movement to the body of PERSON.*leave --retarget out'):
            run(frames_of(1), Kept(), retarget=wish)


def test_patience_is_for_what_may_be_lost(clips, walk, monkeypatch, nobody_is_opened):
    with pytest.raises(InputError, match='--patience is for a camera or a stream'):
        apis.live(clips[0].folder, input=walk, out='a.mp4', patience=30.)


def test_a_file_is_waited_for(monkeypatch):
    monkeypatch.setattr('toolkit.live.run.STALL', .05)
    said = []
    run(frames_of(2, .4), Kept(), said=said, patience=None)
    assert 'frames come again' in said


@pytest.mark.parametrize('wishes, words', [
    (dict(input='a.mp4', camera=0), 'give one of them'), (dict(), 'give one of them'), (dict(camera=0, seconds=0.), 'above 0'),
    (dict(camera=0, patience=-1.), 'above 0')])
def test_wishes_are_checked_first(clips, wishes, words):
    with pytest.raises(InputError, match=words):
        apis.live(clips[0].folder, **wishes)


@pytest.fixture
def nobody_is_opened(monkeypatch):
    """Loading a model, which takes long, ends the test."""
    monkeypatch.setattr(start, 'open_person', lambda *given: pytest.fail('a model is loaded'))


@pytest.mark.parametrize('wishes', [
    dict(out='dance.mp4'), dict(out='link.mp4'), dict(out='me.mp4'), dict(out='content.mp4'), dict(out='new.mp4', benchmark='me.mp4')])
def test_what_is_read_is_not_written(walk, tmp_path, monkeypatch, nobody_is_opened, wishes):
    monkeypatch.chdir(tmp_path)
    for name in ('dance.mp4', 'me.mp4', 'content.mp4'):
        Path(name).write_bytes(walk.read_bytes())
    Path('link.mp4').hardlink_to('dance.mp4')
    with pytest.raises(InputError, match='this is also an input'):
        apis.live('me.mp4', input='dance.mp4', content='content.mp4', overwrite=True, **wishes)
    assert Path('dance.mp4').read_bytes() == walk.read_bytes() and not Path('new.mp4').exists()


@pytest.mark.parametrize('wishes, words', [
    (dict(out='a.mp4', benchmark='./a.mp4'), 'a.mp4: --out is the same file'), (dict(out='x.avi'), 'x.avi'),
    (dict(out='there.mp4'), 'there.mp4: exists already'), (dict(), 'there is no screen'),
    (dict(out='camera'), 'pip install pyvirtualcam'),
    (dict(out='rtsp://host/live'), 'streams are sent to rtmp://'), (dict(out='http://host/live.mp4'), 'streams are sent to rtmp://')])
def test_where_pictures_go_is_checked_before_a_model_is_loaded(walk, tmp_path, monkeypatch, nobody_is_opened, wishes, words):
    monkeypatch.chdir(tmp_path)
    Path('there.mp4').write_text('mine')
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, 'pyvirtualcam', None)
    with pytest.raises(InputError, match=words):
        apis.live('me.mp4', input=walk, **wishes)
    assert {p.name for p in tmp_path.iterdir()} == {'there.mp4', walk.name}


def test_a_model_that_cannot_be_loaded_leaves_no_file(walk, tmp_path):
    with pytest.raises(InputError, match='no such file'):
        apis.live(tmp_path / 'nobody.mp4', input=walk, out=tmp_path / 'a.mp4')
    assert list(tmp_path.iterdir()) == [walk]


def test_colors_are_worn_live(clips):
    pictures = {}
    for up in (None, '#2050c0'):
        person = open_person(clips[0].folder, half=False, up=up)
        pictures[up] = person.paint(person.tell(person.poses[0], None)).astype(int)
    assert (pictures['#2050c0'] - pictures[None])[..., 2].max() > 20


def test_no_frame_is_written_from_nobody(tmp_path, stub, clips):
    empty = write_frames(tmp_path / 'empty.mp4', [np.full((96, 64, 3), 90, np.uint8)] * 6)
    report = apis.live(clips[0].folder, input=empty, out=tmp_path / 'a.mp4', pose=stub, half=False, say=lambda line: None)
    assert report['frames']['shown'] >= 1 and decoded(tmp_path / 'a.mp4')
