import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.stick_people import write_frames
from toolkit.clips.clip import find_clips
from toolkit.preparing import batch
from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS


class WholePose:
    """Says that a person fills the left half of a frame that is not black; stops at call ``stop_at``."""

    name, version, calls = 'WholePose', '1', 0

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def __call__(self, frames):
        WholePose.calls += 1
        if WholePose.calls == self.stop_at:
            raise KeyboardInterrupt
        height, width = frames.shape[1:3]
        shape = np.array([(.25, .1), (.25, .2), (.15, .2), (.1, .3), (.1, .4), (.35, .2), (.4, .3), (.4, .4), (.2, .5), (.2, .7),
                          (.2, .9), (.3, .5), (.3, .7), (.3, .9), (.22, .08), (.28, .08), (.2, .1), (.3, .1)])
        pose = np.concatenate([shape * (width, height), np.ones((18, 1))], 1).astype(np.float32)
        return np.stack([pose * (frame.max() > 40) for frame in frames])


class HalfMask:
    name, version = 'HalfMask', '1'

    def __call__(self, frames, poses):
        return np.ones(frames.shape[:3], np.float32)


class NoEdges:
    name, version = 'NoEdges', '1'

    def __call__(self, frames):
        return np.zeros(frames.shape[:3], np.float32)


@pytest.fixture
def run(load_tool, monkeypatch, tmp_path, capsys):
    """Run the tool with stub parts: (videos, options) -> (exit code, stdout, stderr)."""
    for registry, part in ((POSE_ESTIMATORS, WholePose), (SEGMENTORS, HalfMask), (EDGE_DETECTORS, NoEdges)):
        monkeypatch.setitem(registry._module_dict, part.__name__, part)
    for variable in ('RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(variable, raising=False)
    WholePose.calls = 0

    def main(*arguments, pose=('WholePose',), size=('--size', '96x64')):
        defaults = ['--out', str(tmp_path / 'out'), *size, '--edges', 'NoEdges', '--mask', 'HalfMask', '--pose', *pose]
        with pytest.raises(SystemExit) as stop:
            load_tool('prepare_data').main([*defaults, '--person', 'person', *map(str, arguments)])
        return stop.value.code, *capsys.readouterr()
    return main


def video(path, brightness=120, frames=6, size=(96, 64)):
    return write_frames(path, [np.full((*size, 3), brightness and brightness + t, np.uint8) for t in range(frames)], pix_fmt='yuv420p')


def test_clips_and_report_are_made_and_a_second_run_does_nothing(run, tmp_path, monkeypatch):
    videos = video(tmp_path / 'a.mp4'), video(tmp_path / 'b.mp4')
    code, out, _ = run(*videos, '--person', 'ann', '--action', 'wave')
    assert code == 0 and 'ready a: 6 frames of 96x64' in out and 'report.html' in out
    assert [(c.name, c.person, c.action) for c in find_clips(tmp_path / 'out')] == [('a', 'ann', 'wave'), ('b', 'ann', 'wave')]
    assert (tmp_path / 'out' / 'report.html').stat().st_size > 5000 and WholePose.calls == 2
    code, out, _ = run(*videos, '--person', 'ann', '--action', 'wave')
    assert code == 0 and 'ready b' in out and WholePose.calls == 2
    code, _, err = run(*videos, '--person', 'bob')
    assert code == 2 and "person was 'ann', now 'bob'" in err and 'make it again with tools/prepare_data.py --overwrite' in err
    monkeypatch.setattr(sys, 'argv', ['hvt prepare'])
    assert 'make it again with hvt prepare --overwrite' in run(*videos, '--person', 'bob')[2]
    assert run(*videos, '--person', 'bob', '--overwrite')[0] == 0


def test_a_failing_clip_says_why_and_others_go_on_when_told(run, tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    videos = video(tmp_path / 'dark.mp4', 0), tmp_path / 'text.mp4', tmp_path / 'nowhere.mp4', video(tmp_path / 'good.mp4')
    code, _, err = run(*videos)
    assert code == 2 and 'nowhere.mp4: no such file' in err, 'a video that is not there is wrong usage, said before the first is read'
    code, _, err = run(*videos[:2], videos[3])
    assert code == 1 and err.count('FAILED') == 1 and 'FAILED dark' in err and 'no person found in any of 6 frames' in err
    code, out, err = run(*videos, '--keep-going')
    assert code == 1 and err.count('FAILED') == 3 and 'ready good' in out
    assert 'not a video' in err and 'nowhere.mp4: no such file' in err
    assert [c.name for c in find_clips(tmp_path / 'out')] == ['good']
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert '1 clips ready' in page and '2 failed' in page and 'no person found' in page


def test_interrupted_by_hand(run, tmp_path):
    path = video(tmp_path / 'a.mp4')
    code, _, err = run(path, pose=('WholePose', 'stop_at=1'))
    assert code == 130 and 'same command goes on' in err and find_clips(tmp_path / 'out') == [] and '--overwrite' not in err
    assert run(path)[0] == 0
    WholePose.calls = 0
    code, _, err = run(path, '--overwrite', pose=('WholePose', 'stop_at=1'))
    assert code == 130 and 'with --overwrite it makes clips that are ready once more' in err


def test_processes_share_the_videos(run, load_tool, tmp_path, monkeypatch):
    videos = [video(tmp_path / f'{n}.mp4') for n in 'abc']
    tool = load_tool('prepare_data')
    monkeypatch.setattr(batch, 'over_processes', lambda value, processes: [value])
    for rank, expected in ((1, ['b']), (0, ['a', 'b', 'c'])):
        monkeypatch.setenv('RANK', str(rank))
        monkeypatch.setenv('WORLD_SIZE', '2')
        with pytest.raises(SystemExit) as stop:
            tool.main([*map(str, videos), '--out', str(tmp_path / 'out'), '--size', '96x64', '--edges', 'NoEdges', '--mask', 'HalfMask',
                       '--pose', 'WholePose'])
        assert stop.value.code == 0 and [c.name for c in find_clips(tmp_path / 'out')] == expected


@pytest.mark.parametrize('arguments, message', [
    (('--size', '90x64'), 'heights 64 or 96'), (('--size', 'big'), 'HEIGHTxWIDTH'), (('--crop', '1,2'), 'expected person, center'),
    (('--pose', 'WholePos'), "Did you mean 'WholePose'"), (('--pose', 'WholePose', 'sto_at=1'), "Did you mean 'stop_at'"),
    (('--pose', 'WholePose', 'x'), 'KEY=VALUE'), (('--fps', '-1'), 'fps must be positive'),
    (('--follow', 'bob'), 'left, right, largest or X,Y'), (('--follow', 'left'), 'WholePose finds one person.*KeypointFiles'),
    (('--fps', 'nan'), 'fps must be positive'), (('--fps', 'inf'), 'fps must be positive'), (('--start', 'nan'), 'start must be'),
    (('--end', 'nan'), 'expected 0 <= start < end'), (('--max-frames', '-3'), 'max_frames must be at least 1')])
def test_wrong_usage_ends_with_2_before_any_work(run, tmp_path, arguments, message):
    code, _, err = run(video(tmp_path / 'a.mp4'), *arguments)
    assert code == 2 and WholePose.calls == 0 and (message in err or re.search(message, err))


def test_equal_names_and_unwritable_output(run, tmp_path):
    for folder in 'xy':
        (tmp_path / folder).mkdir()
    code, out, _ = run(video(tmp_path / 'x' / 'a.mp4'), video(tmp_path / 'y' / 'a.mp4'))
    assert code == 0 and 'ready x_a' in out and 'ready y_a' in out
    code, _, err = run(tmp_path / 'x' / 'a.mp4', tmp_path / 'x' / 'a.mp4')
    assert code == 2 and '--name' in err
    (tmp_path / 'file').touch()
    code, _, err = run(tmp_path / 'x' / 'a.mp4', '--out', tmp_path / 'file')
    assert code == 2 and 'cannot be written' in err


def test_keypoint_files_are_for_one_video(run, tmp_path):
    np.savez(tmp_path / 'poses.npz', poses=np.ones((6, 17, 3), np.float32))
    code, _, err = run(video(tmp_path / 'a.mp4'), video(tmp_path / 'b.mp4'), pose=('KeypointFiles', f'path={tmp_path / "poses.npz"}'))
    assert code == 2 and 'belong to one video, but 2 videos are given' in err and find_clips(tmp_path / 'out') == []


def test_all_clips_of_a_call_get_one_size_also_after_an_interruption(run, tmp_path):
    videos = video(tmp_path / 'a.mp4', size=(96, 160)), video(tmp_path / 'b.mp4', size=(320, 96))
    code, _, _ = run(*videos, '--size', '96x64')
    found = {c.name: (c.height, c.width) for c in find_clips(tmp_path / 'out')}
    assert code == 0 and set(found.values()) == {(96, 64)}
    auto = ['--out', str(tmp_path / 'auto'), '--min-person', '20']
    code, _, _ = run(*videos, *auto, '--pose', 'WholePose', 'stop_at=4', size=())
    assert code == 130
    code, out, _ = run(*videos, *auto, size=())
    assert code == 0 and out.count('ready') == 2
    found = {c.name: (c.height, c.width) for c in find_clips(tmp_path / 'auto')}
    assert len(set(found.values())) == 1 and found['a'][0] * found['a'][1] == pytest.approx(384 * 256, rel=.13)
    code, out, _ = run(video(tmp_path / 'c.mp4', size=(96, 96)), *auto, size=())
    assert code == 0 and 'x'.join(map(str, found['a'])) in out


def test_a_module_of_the_user_brings_an_estimator(run, tmp_path, monkeypatch):
    (tmp_path / 'my_own_poses.py').write_text(
        'import numpy as np\nfrom toolkit.registry import POSE_ESTIMATORS\n\n\n@POSE_ESTIMATORS.register_module()\nclass MyOwnPose:\n'
        '    def __call__(self, frames):\n        pose = np.ones((18, 3)) * (40, 40, 1)\n        pose[:, 1] += 3 * np.arange(18)\n'
        '        return np.stack([pose] * len(frames))\n')
    monkeypatch.chdir(tmp_path)
    path = video(tmp_path / 'a.mp4')
    code, _, err = run(path, '--pose', 'MyOwnPose')
    assert code == 2 and '--import' in err
    code, _, err = run(path, '--pose', 'MyOwnPose', '--import', 'my_own_pose')
    assert code == 2 and "--import: cannot import 'my_own_pose'" in err
    code, out, err = run(path, '--pose', 'MyOwnPose', '--import', 'my_own_poses', '--min-person', '10')
    assert code == 0 and 'ready a: 6 frames' in out, err


def test_a_folder_in_the_way_of_the_last_video_is_refused_before_the_first_is_prepared(run, tmp_path):
    (tmp_path / 'out' / 'b').mkdir(parents=True)
    (tmp_path / 'out' / 'b' / 'notes.txt').write_text('mine')
    videos = video(tmp_path / 'a.mp4'), video(tmp_path / 'b.mp4')
    code, _, err = run(*videos)
    assert code == 2 and 'b: is in the way and is not a prepared clip (it holds notes.txt)' in err
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['b']
    code, _, err = run(*videos, '--keep-going')
    assert code == 1 and [c.name for c in find_clips(tmp_path / 'out')] == ['a']
    assert (tmp_path / 'out' / 'b' / 'notes.txt').read_text() == 'mine'


def test_two_processes_agree_on_a_size(tmp_path):
    videos = [video(tmp_path / f'{n}.mp4', size=size) for n, size in (('a', (96, 160)), ('b', (320, 96)), ('c', (96, 96)))]
    (tmp_path / 'stub_parts.py').write_text(Path(__file__).read_text())
    (tmp_path / 'stubs.py').write_text(
        'from stub_parts import HalfMask, NoEdges, WholePose\n'
        'from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS\n'
        'for registry, part in ((POSE_ESTIMATORS, WholePose), (SEGMENTORS, HalfMask), (EDGE_DETECTORS, NoEdges)):\n'
        '    registry.register_module(module=part)\n')
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', root / 'tools' / 'prepare_data.py',
         *videos, '--out', 'out', '--import', 'stubs', '--pose', 'WholePose', '--mask', 'HalfMask', '--edges', 'NoEdges',
         '--min-person', '20'],
        cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(root), OMP_NUM_THREADS='1'), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = find_clips(tmp_path / 'out')
    assert [c.name for c in found] == ['a', 'b', 'c'] and len({(c.height, c.width) for c in found}) == 1
