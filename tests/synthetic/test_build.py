"""A folder of rendered clips: made once, kept whole, and never a folder of the user's."""

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from toolkit.clips.clip import Clip, find_clips
from toolkit.datasets.windows import ClipWindows
from toolkit.structures import InputError, MissingWeightsError
from toolkit.synthetic.actions import SyntheticActions
from toolkit.synthetic.build import build_synthetic

OPTIONS = dict(height=64, width=48, actors=[0, 3], actions=[1], frames=3, num_workers=0)


def counted(root, log):
    render = SyntheticActions.render

    def counting(self, *key):
        with open(log, 'a') as file:
            file.write('x')
        return render(self, *key)

    SyntheticActions.render = counting
    build_synthetic(root, OPTIONS)


def test_one_of_many_processes_renders(tmp_path):
    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=counted, args=(tmp_path / 'made', tmp_path / 'log')) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0] * 4 and (tmp_path / 'log').read_text() == 'x' * 6
    assert [c.person for c in ClipWindows(tmp_path / 'made', synthetic=OPTIONS).clips] == ['actor_00', 'actor_03']


def test_a_folder_of_the_user_is_left_alone(clips, tmp_path):
    shutil.copytree(clips[0].folder, tmp_path / 'mine' / 'dance')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(InputError, match=r'holds what is not synthetic \(dance\).*data.synthetic=None'):
        ClipWindows(tmp_path / 'mine', synthetic=OPTIONS)
    assert sorted(tmp_path.rglob('*')) == before
    assert len(ClipWindows(tmp_path / 'mine', synthetic=None).clips) == 1
    (tmp_path / 'mine' / 'synthetic.json').write_text('[1]')
    with pytest.raises(InputError, match='not ours'):
        build_synthetic(tmp_path / 'mine', OPTIONS)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    (tmp_path / 'of_others').mkdir()
    monkeypatch.setattr(Path, 'iterdir', refused)
    with pytest.raises(InputError, match='of_others: cannot be read .Permission denied.; check permissions'):
        build_synthetic(tmp_path / 'of_others', OPTIONS)


def test_what_a_kill_left_of_its_mark_does_not_make_a_folder_that_of_somebody_else(tmp_path):
    root = tmp_path / 'made'
    root.mkdir()
    for name in ('.synthetic.lock', '.synthetic.json.0.tmp'):
        (root / name).touch()
    build_synthetic(root, OPTIONS)
    assert sorted(p.name for p in root.iterdir()) == ['.synthetic.lock', '00_wave_both', '03_wave_both', 'synthetic.json']
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / '.notes.json.0.tmp').write_text('mine')
    with pytest.raises(InputError, match='holds what is not synthetic'):
        build_synthetic(tmp_path / 'mine', OPTIONS)


def test_options_that_show_nothing_else_are_served_by_what_is_there(tmp_path):
    build_synthetic(tmp_path / 'made', OPTIONS)
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.jpg')}
    for change in (dict(num_workers=1), dict(frame_format='png'), dict(seed=0), dict(edge_detector=None), dict(progress=False)):
        build_synthetic(tmp_path / 'made', dict(OPTIONS, **change))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.jpg')} == stamps
    with pytest.raises(InputError, match='height was 64, now 128'):
        build_synthetic(tmp_path / 'made', dict(OPTIONS, height=128))
    with pytest.raises(InputError, match='seed was 0, now 1'):
        build_synthetic(tmp_path / 'made', dict(OPTIONS, seed=1))


def test_an_edge_detector_that_cannot_be_built_does_not_bind_the_folder(tmp_path):
    for edges, error, said in ((dict(type='SoftCany'), InputError, "Did you mean 'SoftCanny'"),
                               (dict(type='RCF', weights=str(tmp_path / 'none.pth')), MissingWeightsError, 'none.pth')):
        with pytest.raises(error, match=said):
            build_synthetic(tmp_path / 'made', dict(OPTIONS, edge_detector=edges))
    build_synthetic(tmp_path / 'made', OPTIONS)
    assert len(find_clips(tmp_path / 'made')) == 2


def test_all_options_of_writing_are_taken(tmp_path, capfd):
    build_synthetic(tmp_path / 'loud', OPTIONS)
    assert 'synthetic clips' in capfd.readouterr().err
    build_synthetic(tmp_path / 'silent', dict(OPTIONS, progress=False))
    assert 'synthetic clips' not in capfd.readouterr().err and len(find_clips(tmp_path / 'silent')) == 2


def test_clips_that_are_missing_are_made_again(tmp_path):
    build_synthetic(tmp_path / 'made', OPTIONS)
    whole = Clip(tmp_path / 'made' / '03_wave_both').frames()
    shutil.rmtree(tmp_path / 'made' / '03_wave_both')
    build_synthetic(tmp_path / 'made', OPTIONS)
    np.testing.assert_array_equal(Clip(tmp_path / 'made' / '03_wave_both').frames(), whole)


def test_nothing_is_written_where_all_clips_are_there(tmp_path):
    """So data that can only be read can be trained on."""
    build_synthetic(tmp_path / 'made', OPTIONS)
    folders = [path for path in (tmp_path / 'made', *(tmp_path / 'made').rglob('*')) if path.is_dir()]
    for folder in folders:
        os.utime(folder, ns=(0, 0))
    assert ClipWindows(root=str(tmp_path / 'made'), window=2, split=None, synthetic=OPTIONS)[0]
    assert [folder.stat().st_mtime_ns for folder in folders] == [0] * len(folders), 'a file that comes or goes changes it'


def render_slowly(root, told):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a command in the background of a shell ignores it
    try:
        build_synthetic(root, dict(OPTIONS, actors=6, actions=4, frames=40, num_workers=2))
    except BaseException as error:
        told.write_text(repr(error))


def start_rendering(folder, told):
    """A process that renders slowly, and its children when they are at work."""
    process = multiprocessing.get_context('fork').Process(target=render_slowly, args=(folder / 'made', told))
    process.start()
    until = time.monotonic() + 60
    while len(list(folder.glob('made/.*.partial'))) < 2 and time.monotonic() < until:
        time.sleep(.02)
    children = [int(pid) for pid in open(f'/proc/{process.pid}/task/{process.pid}/children').read().split()]
    return process, [pid for pid in children if b'resource_tracker' not in open(f'/proc/{pid}/cmdline', 'rb').read()]


def ended(pids):
    """Whether processes end within a minute."""
    def alive(pid):
        try:
            return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0] not in 'ZX'
        except OSError:
            return False

    until = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(.02)
    return not any(map(alive, pids))


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='asks /proc for the children of a process')
def test_workers_of_a_killed_process_end(tmp_path):
    process, workers = start_rendering(tmp_path, tmp_path / 'told')
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert ended(workers)
    assert len(find_clips(tmp_path)) < 24


def test_a_process_that_ends_at_its_start_is_not_said_to_lack_memory_alone(tmp_path, monkeypatch):
    """What a script gets that starts processes without asking whether it is the main one."""
    def ended(pool, *_):
        future = Future()
        future.set_exception(BrokenProcessPool())
        return future

    monkeypatch.setattr(ProcessPoolExecutor, 'submit', ended)
    with pytest.raises(InputError, match="was killed, or ended at its start.*memory has often run out.*if __name__ == '__main__':"):
        build_synthetic(tmp_path / 'made', dict(OPTIONS, num_workers=2))


def test_a_script_that_its_processes_run_again_is_told(tmp_path):
    """Without the guard a process would wait for the lock of the one that waits for it."""
    script = tmp_path / 'mine.py'
    script.write_text('from toolkit.synthetic.build import build_synthetic\n'
                      f'build_synthetic({str(tmp_path / "made")!r}, {dict(OPTIONS, num_workers=2)!r})\n')
    found = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100)
    assert found.returncode == 1
    assert "runs your script again; its start must stand below if __name__ == '__main__':" in found.stderr


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='asks /proc for the children of a process')
@pytest.mark.parametrize('number, said', [(signal.SIGKILL, 'a process that renders was killed'), (signal.SIGINT, 'KeyboardInterrupt')])
def test_a_killed_worker_or_a_wish_to_stop_ends_the_others(tmp_path, number, said):
    process, workers = start_rendering(tmp_path, tmp_path / 'told')
    os.kill(workers[0] if number == signal.SIGKILL else process.pid, number)
    assert ended([process.pid, *workers])
    process.join()
    assert said in (tmp_path / 'told').read_text() and len(find_clips(tmp_path)) < 24
