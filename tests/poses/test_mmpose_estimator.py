"""MMPose models: RTMPose-t really built from the shipped config and run."""

import importlib.util
import sys
import types

import numpy as np
import pytest
import torch

from toolkit.poses import mmpose_estimator
from toolkit.poses.mmpose_estimator import MMPoseEstimator, load_weights, resolve_model
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError

CONFIG = 'rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192.py'
needs_mmpose = pytest.mark.skipif(importlib.util.find_spec('mmpose') is None, reason='the mmpose package is not installed')
pytestmark = [pytest.mark.filterwarnings('ignore')]


@pytest.fixture(scope='module')
def estimator():
    torch.manual_seed(0)
    return POSE_ESTIMATORS.build(dict(type='MMPoseEstimator', model=CONFIG, threshold=0.0))


@needs_mmpose
def test_rtmpose_runs_and_leaves_the_default_scope_alone(estimator):
    from mmengine.registry import DefaultScope
    frames = np.random.default_rng(0).integers(0, 256, (2, 96, 64, 3), np.uint8)
    poses = estimator(frames)
    assert poses.shape == (2, 18, 3) and poses.dtype == np.float32
    assert np.isfinite(poses).all() and (poses[..., 2] > 0).any()
    found = poses[poses[..., 2] > 0]
    assert (found[:, :2] >= -0.5).all() and (found[:, 0] <= 63.5).all() and (found[:, 1] <= 95.5).all()
    assert np.array_equal(estimator(frames), poses)
    scope = DefaultScope.get_current_instance()
    assert scope is None or scope.scope_name != 'mmpose'
    assert estimator.version.endswith('@random')


@needs_mmpose
def test_joints_are_matched_by_name(estimator, monkeypatch):
    names = estimator.model.dataset_meta['keypoint_name2id']
    keypoints = np.zeros((1, len(names), 2))
    keypoints[0, :, 0] = np.arange(len(names)) % 60
    result = types.SimpleNamespace(pred_instances=types.SimpleNamespace(keypoints=keypoints, keypoint_scores=np.ones((1, len(names)))))
    monkeypatch.setattr(estimator, 'apis', types.SimpleNamespace(inference_topdown=lambda *args: [result]))
    pose = estimator(np.zeros((1, 96, 64, 3), np.uint8))[0]
    assert pose[:, 0].tolist() == [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]


@needs_mmpose
def test_a_checkpoint_gives_the_same_poses(estimator, tmp_path):
    path = tmp_path / 'rtmpose.pth'
    meta = dict(dataset_meta=estimator.model.dataset_meta, value=np.float64(1))
    torch.save(dict(state_dict=estimator.model.state_dict(), meta=meta), path)
    loaded = MMPoseEstimator(CONFIG, str(path), threshold=0.0)
    frames = np.random.default_rng(1).integers(0, 256, (1, 96, 64, 3), np.uint8)
    assert np.array_equal(loaded(frames), estimator(frames))
    assert loaded.version.endswith('@rtmpose')
    torch.save(dict(state_dict={'a': torch.zeros(1)}), path)
    with pytest.raises(InputError, match='does not fit'):
        MMPoseEstimator(CONFIG, str(path))


class Payload:
    """Something a checkpoint must not bring along."""


def test_checkpoints_cannot_run_code(tmp_path):
    path = tmp_path / 'bad.pth'
    torch.save(dict(state_dict={}, extra=Payload()), path)
    with pytest.raises(InputError, match='cannot be read as a checkpoint'):
        load_weights(str(path))


@needs_mmpose
def test_models_are_found_by_path_name_and_alias(tmp_path):
    config, weights = resolve_model(CONFIG)
    assert config.name == CONFIG and weights is None
    assert resolve_model(f'rtmpose/ubody/{CONFIG}')[0] == config
    assert resolve_model(str(config)) == (config, None)
    human, address = resolve_model('human')
    assert human.is_file() and address.startswith('https://') and address.endswith('.pth')
    for unknown, near in (('humann', 'human'), ('rtmpose-t_8xb64.py', 'rtmpose')):
        with pytest.raises(InputError, match=f'similar names: .*{near}'):
            resolve_model(unknown)


def test_missing_mmpose_is_an_input_error(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmpose.apis', None)
    monkeypatch.setitem(sys.modules, 'mmpose', None)
    with pytest.raises(InputError, match='pip install'):
        mmpose_estimator.import_mmpose()


def test_stand_ins_step_aside_for_the_real_ones(monkeypatch):
    real = types.ModuleType('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', real)
    mmpose_estimator._provide_mmcv_extension()
    assert sys.modules['mmcv._ext'] is real
    monkeypatch.setitem(sys.modules, 'xtcocotools', package := types.ModuleType('xtcocotools'))
    for name in ('coco', 'cocoeval', 'mask'):
        monkeypatch.setitem(sys.modules, f'xtcocotools.{name}', types.ModuleType(f'xtcocotools.{name}'))
    mmpose_estimator._provide_xtcocotools()
    assert sys.modules['xtcocotools'] is package


def test_stand_in_operations_raise_when_called():
    operation = mmpose_estimator._MissingExtension('mmcv._ext').nms
    with pytest.raises(RuntimeError, match='nms'):
        operation()
