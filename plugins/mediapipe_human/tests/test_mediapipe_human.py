"""The plugin: discovery, late import, poses and masks of real frames."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

if importlib.util.find_spec('mediapipe') is None:
    pytest.skip('the mediapipe package is not installed', allow_module_level=True)
pytest.importorskip('mediapipe_human', reason='the plugin is not installed: pip install -e plugins/mediapipe_human')

from mediapipe_human.solution import quiet_stderr

from toolkit.registry import POSE_ESTIMATORS, SEGMENTORS
from toolkit.skeletons import LIMB_JOINTS, to_openpose18, torso_scale
from toolkit.structures import InputError
from toolkit.video.io import VideoWriter


@pytest.fixture(scope='module')
def squats():
    """Every 5th frame of the squats clip and its reference poses."""
    beside = Path(__file__).resolve().parents[4] / 'shared' / 'data'
    folder = Path(os.environ.get('TOOLKIT_TEST_DATA', beside))
    if not (folder / 'squats.mp4').is_file():
        pytest.skip('squats.mp4 not found: no shared data beside the project and TOOLKIT_TEST_DATA does not name its folder')
    av = pytest.importorskip('av')
    with av.open(str(folder / 'squats.mp4')) as video:
        frames = np.stack([f.to_ndarray(format='rgb24') for i, f in enumerate(video.decode(video=0)) if i % 5 == 0])
    landmarks = np.array(json.loads((folder / 'squats.landmarks.json').read_text()), np.float32)[::5]
    landmarks[..., 2] = 1
    return frames, to_openpose18(landmarks, 'blazepose33')


def test_entry_point_resolves_and_registers():
    points = [p for p in importlib.metadata.entry_points(group='toolkit.plugins') if p.name == 'mediapipe_human']
    assert len({p.value for p in points}) == 1
    assert points[0].load().__name__ == 'mediapipe_human'
    assert POSE_ESTIMATORS.get('MediaPipePose').__name__ == 'MediaPipePose'
    assert SEGMENTORS.get('MediaPipeSegmentor').__name__ == 'MediaPipeSegmentor'


def test_importing_the_plugin_does_not_import_mediapipe():
    code = 'import sys, mediapipe_human; sys.exit("mediapipe" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


@pytest.mark.parametrize('gone', ['modules["mediapipe"] = None', 'path.insert(0, {folder!r})'], ids=['missing', 'without its solution'])
def test_without_mediapipe_other_parts_are_taken(gone, tmp_path):
    (tmp_path / 'mediapipe').mkdir()
    (tmp_path / 'mediapipe' / '__init__.py').touch()
    code = (f'import sys; sys.{gone.format(folder=str(tmp_path))}\nimport mediapipe_human\nfrom toolkit.metrics.pck import ESTIMATORS, '
            'first_available\nfrom toolkit.preparing.parts import default_mask, default_pose\nfrom toolkit.registry import '
            'load_plugins, POSE_ESTIMATORS\nload_plugins()\nprint(default_pose()["type"], default_mask()["type"])\nprint('
            'first_available(ESTIMATORS[:1])[1])\ntry:\n    POSE_ESTIMATORS.build(dict(type="MediaPipePose"))\n'
            'except ValueError as error:\n    print(error)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    taken, passed, named = done.stdout.splitlines()
    assert taken == 'OpenPoseMobile PoseGrabCut' and passed == 'MediaPipePose: what it needs is not installed', done.stderr
    assert 'the mediapipe package is needed' in named and 'install the plugin with its requirements' in named


@pytest.mark.shared
def test_poses_of_squats(squats):
    frames, reference = squats
    estimator = POSE_ESTIMATORS.build(dict(type='MediaPipePose'))
    poses = estimator(frames)
    assert poses.shape == (13, 18, 3) and poses.dtype == np.float32
    assert estimator.name == 'mediapipe_pose' and estimator.version == importlib.metadata.version('mediapipe')
    joints = list(LIMB_JOINTS)
    distance = np.linalg.norm(poses[:, joints, :2] - reference[:, joints, :2], axis=-1)
    correct = (distance < 0.25 * torso_scale(reference)[:, None]) & (poses[:, joints, 2] > 0)
    assert correct.mean() >= 0.8
    assert np.array_equal(estimator(frames[:2]), poses[:2]), 'every call starts afresh'


@pytest.mark.shared
def test_joints_outside_the_frame_are_missing(squats):
    frames, _ = squats
    upper = np.ascontiguousarray(frames[:1, :600])
    poses = POSE_ESTIMATORS.build(dict(type='MediaPipePose'))(upper)
    assert (poses[0, [0, 2, 5], 2] > 0.5).all()
    assert not poses[0, [9, 10, 12, 13]].any()


@pytest.mark.shared
def test_mask_covers_the_person_and_not_the_background(squats):
    frames, reference = squats
    masks = SEGMENTORS.build(dict(type='MediaPipeSegmentor'))(frames[:2], reference[:2])
    assert masks.shape == (2, 1280, 720) and masks.dtype == np.float32
    assert masks.min() >= 0 and masks.max() <= 1
    for mask, pose in zip(masks, reference):
        x, y = pose[[1, 2, 5, 8, 9, 11, 12], :2].round().astype(int).T
        assert (mask[y, x] > 0.5).all()
        assert mask[:100].max() < 0.5 and mask[1100:].max() < 0.5
        assert 0.05 < (mask > 0.5).mean() < 0.3


def test_nobody_gives_nothing():
    frames = np.zeros((2, 64, 48, 3), np.uint8)
    assert not POSE_ESTIMATORS.build(dict(type='MediaPipePose'))(frames).any()
    assert not SEGMENTORS.build(dict(type='MediaPipeSegmentor'))(frames).any()
    with pytest.raises(InputError, match='uint8'):
        list(POSE_ESTIMATORS.build(dict(type='MediaPipePose')).solution.run(frames.astype(np.float32)))


def test_mediapipe_is_quiet():
    code = 'import numpy, mediapipe_human as m; m.MediaPipePose()(numpy.zeros((2, 64, 48, 3), numpy.uint8))'
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '' and done.stderr == ''


def test_threads_that_are_quiet_at_once_leave_standard_error_as_it_was():
    def start(seconds):
        with quiet_stderr():
            began.set()
            time.sleep(seconds)

    kept, began = os.dup(2), threading.Event()
    try:
        threads = [threading.Thread(target=start, args=(seconds,)) for seconds in (.2, .4)]
        for thread in threads:
            thread.start()
            began.wait(10)
        for thread in threads:
            thread.join()
        assert os.path.sameopenfile(2, kept)
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@pytest.mark.shared
def test_the_person_asked_for_is_followed_and_masked(squats):
    frames, reference = squats
    small = frames[:3, ::2, ::2]
    pair = np.concatenate([small, small[:, :, ::-1]], 2)
    estimator, half = POSE_ESTIMATORS.build(dict(type='MediaPipePose')), small.shape[2]
    left, right, point = (np.stack(list(estimator.track(pair, follow=f))) for f in ('left', 'right', (1.5 * half, small.shape[1] / 2)))
    assert (left[:, 1, 0] < half).all() and (right[:, 1, 0] > half).all() and (point[:, 1, 0] > half).all()
    segmentor = SEGMENTORS.build(dict(type='MediaPipeSegmentor'))
    for poses, side in ((left, np.s_[..., :half]), (right, np.s_[..., half:])):
        masks = segmentor(pair, poses)
        assert (masks[side].sum((1, 2)) > .9 * masks.sum((1, 2))).all() and (masks > .5).any((1, 2)).all()
    with pytest.raises(InputError, match='nobody at 0,0'):
        next(estimator.track(pair, follow=(0, 0)))


def test_a_clip_left_in_the_middle_does_not_keep_the_program_from_ending():
    code = ('import numpy as np\nfrom mediapipe_human.pose import MediaPipePose\n'
            'kept = MediaPipePose().track(iter(np.zeros((3, 64, 64, 3), np.uint8)))\nnext(kept)\n')
    assert subprocess.run([sys.executable, '-c', code], timeout=120).returncode == 0


@pytest.mark.shared
def test_a_video_has_the_same_bytes_where_mediapipe_has_worked_and_where_it_has_not(squats, tmp_path):
    frames = np.repeat(squats[0], 3, axis=0)
    np.save(tmp_path / 'frames.npy', frames)
    code = 'import sys, numpy; from toolkit.video.io import VideoWriter\nwith VideoWriter("a.mp4", 25, overwrite=True) as writer:\n' \
           '    for frame in numpy.load("frames.npy"): writer.write(frame)\nassert "mediapipe" not in sys.modules'
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, '-c', code], check=True, cwd=tmp_path, env=dict(os.environ, PYTHONPATH=path))
    estimator = POSE_ESTIMATORS.build(dict(type='MediaPipePose'))
    for _ in range(2):
        estimator(squats[0])
        with VideoWriter(tmp_path / 'b.mp4', 25, overwrite=True) as writer:
            for frame in frames:
                writer.write(frame)
        assert (tmp_path / 'b.mp4').read_bytes() == (tmp_path / 'a.mp4').read_bytes()
