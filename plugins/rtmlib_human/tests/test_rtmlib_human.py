"""RTMPose by rtmlib, with tiny ONNX models that are made here: no downloads."""

import sys

import numpy as np
import pytest

pytest.importorskip('rtmlib', reason='pip install --no-deps rtmlib')
pytest.importorskip('onnx', reason='tiny models are made with onnx')
pytest.importorskip('onnxruntime', reason='pip install onnxruntime')

import onnx
import rtmlib_human  # noqa: F401

from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import INDEX
from toolkit.structures import InputError, MissingWeightsError


def write(path, size, outputs):
    """A model that gives the same whatever it sees; its input counts with a weight of 0."""
    from onnx import TensorProto, helper, numpy_helper
    nodes = [helper.make_node('ReduceMean', ['input'], ['mean'], keepdims=0),
             helper.make_node('Mul', ['mean', 'zero'], ['nothing'])]
    nodes += [helper.make_node('Add', [f'c_{name}', 'nothing'], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes, 'tiny', [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, size[1], size[0]])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in outputs.items()],
        [numpy_helper.from_array(np.float32(0), 'zero')] + [numpy_helper.from_array(v, f'c_{name}') for name, v in outputs.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.save(made, str(path))
    return str(path)


@pytest.fixture
def pose(tmp_path):
    """All joints but the last stand at x = 96 of 192 and y = 64 + 4 joint of 256; the last has little confidence."""
    x, y = np.zeros((1, 17, 384), np.float32), np.zeros((1, 17, 512), np.float32)
    for joint in range(17):
        x[0, joint, 192], y[0, joint, 2 * (64 + 4 * joint)] = (.9, .9) if joint < 16 else (.05, .05)
    return write(tmp_path / 'pose.onnx', (192, 256), dict(simcc_x=x, simcc_y=y))


def test_joints_are_in_pixels_of_the_frame(pose):
    estimator = POSE_ESTIMATORS.build(dict(type='RTMLibPose', pose=pose, det=''))
    frames = np.zeros((2, 256, 192, 3), np.uint8)
    poses = estimator(frames)
    assert poses.shape == (2, 18, 3) and poses.dtype == np.float32 and estimator.name == 'rtmlib_pose'
    nose = poses[0, INDEX['nose']]
    assert nose[0] == pytest.approx(96, abs=1) and nose[1] == pytest.approx(128 + 1.25 * (64 - 128), abs=1.5)
    assert nose[2] == pytest.approx(.9, abs=.01) and not poses[0, INDEX['right_ankle']].any()


def test_everybody_is_given(pose, tmp_path):
    boxes = np.array([[[100, 100, 200, 300, .9], [400, 100, 560, 400, .8], [0, 0, 10, 10, .1]]], np.float32)
    det = write(tmp_path / 'det.onnx', (640, 640), dict(dets=boxes))
    people, = POSE_ESTIMATORS.build(dict(type='RTMLibPose', pose=pose, det=det)).detect(np.zeros((1, 640, 640, 3), np.uint8))
    centers = sorted(float(np.median(p.pose[p.pose[:, 2] > 0, 0])) for p in people)
    assert centers == pytest.approx([150, 480], abs=2), 'the third one is not sure'


def test_missing_models_say_where_they_are_from(monkeypatch, tmp_path):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingWeightsError, match='rtmpose-m_simcc.*download=True'):
        POSE_ESTIMATORS.build(dict(type='RTMLibPose'))
    with pytest.raises(MissingWeightsError, match='mine.onnx'):
        POSE_ESTIMATORS.build(dict(type='RTMLibPose', pose='mine.onnx'))


@pytest.mark.parametrize('options', [dict(mode='fast'), dict(backend='tvm')])
def test_values_that_cannot_be(options):
    with pytest.raises(InputError, match='must be one of'):
        POSE_ESTIMATORS.build(dict(type='RTMLibPose', **options))


def test_without_rtmlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'rtmlib', None)
    with pytest.raises(InputError, match='pip install --no-deps rtmlib'):
        POSE_ESTIMATORS.build(dict(type='RTMLibPose'))
