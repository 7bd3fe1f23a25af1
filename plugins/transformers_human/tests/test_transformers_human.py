"""ViTPose and a segmentor, with tiny models of random weights that are made here: no downloads."""

import sys

import numpy as np
import pytest
import torch

pytest.importorskip('transformers', reason='pip install "transformers>=4.48"')

import transformers
import transformers_human  # noqa: F401

from toolkit.registry import POSE_ESTIMATORS, SEGMENTORS
from toolkit.structures import InputError, MissingWeightsError

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 96, 72, 3), np.uint8)


@pytest.fixture(scope='module')
def vitpose(tmp_path_factory):
    """Function (joints, experts) -> folder of a tiny ViTPose."""
    def make(joints=17, experts=1):
        folder = tmp_path_factory.mktemp('vitpose')
        torch.manual_seed(0)
        backbone = transformers.VitPoseBackboneConfig(
            image_size=(64, 48), patch_size=(16, 16), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            out_features=['stage1'], num_experts=experts, part_features=4)
        config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=joints, scale_factor=4)
        transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
        transformers.VitPoseImageProcessor(size=dict(height=64, width=48)).save_pretrained(folder)
        return str(folder)
    return make


def test_joints_are_in_the_frame(vitpose):
    estimator = POSE_ESTIMATORS.build(dict(type='ViTPose', model=vitpose(), threshold=-1., device='cpu'))
    poses = estimator(FRAMES)
    assert poses.shape == (2, 18, 3) and poses.dtype == np.float32 and np.isfinite(poses).all()
    there = poses[..., 2] > 0
    assert (poses[there][:, :2] >= -.5).all() and (poses[there][:, :2] <= (71.5, 95.5)).all()
    assert np.array_equal(estimator(FRAMES[:1]), poses[:1]), 'each frame is looked at by itself'
    assert len(estimator.detect(FRAMES)) == 2


def test_a_model_of_experts_for_several_data_sets_is_asked_for_coco(vitpose):
    poses = POSE_ESTIMATORS.build(dict(type='ViTPose', model=vitpose(experts=2), threshold=-1., device='cpu'))(FRAMES)
    assert poses.shape == (2, 18, 3) and np.isfinite(poses).all()


def test_other_joints_are_refused(vitpose):
    with pytest.raises(InputError, match='finds 21 joints, expected the 17 of COCO'):
        POSE_ESTIMATORS.build(dict(type='ViTPose', model=vitpose(21), device='cpu'))


@pytest.fixture(scope='module')
def segformer(tmp_path_factory):
    """Folder of a tiny SegFormer whose second label is a person."""
    folder = tmp_path_factory.mktemp('segformer')
    torch.manual_seed(0)
    labels = {0: 'wall', 1: 'person', 2: 'tree'}
    config = transformers.SegformerConfig(
        num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8, id2label=labels,
        label2id={name: number for number, name in labels.items()})
    model = transformers.SegformerForSemanticSegmentation(config)
    model.decode_head.classifier.bias.data = torch.tensor([0., 3., 0.])
    model.save_pretrained(folder)
    transformers.SegformerImageProcessor(size=dict(height=64, width=64)).save_pretrained(folder)
    return str(folder)


def test_masks_are_the_probability_of_a_person(segformer):
    masks = SEGMENTORS.build(dict(type='SemanticSegmentor', model=segformer, device='cpu'))(FRAMES)
    assert masks.shape == (2, 96, 72) and masks.dtype == np.float32 and masks.min() >= 0 and masks.max() <= 1 and masks.mean() > .5
    other = SEGMENTORS.build(dict(type='SemanticSegmentor', model=segformer, device='cpu', label='Tree'))(FRAMES)
    assert (masks + other < 1 + 1e-5).all() and other.mean() < .3
    with pytest.raises(InputError, match="has no label 'cat'; it has person, tree, wall"):
        SEGMENTORS.build(dict(type='SemanticSegmentor', model=segformer, label='cat', device='cpu'))


def test_models_that_are_not_there_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for registry, kind in ((POSE_ESTIMATORS, 'ViTPose'), (SEGMENTORS, 'SemanticSegmentor')):
        with pytest.raises(MissingWeightsError, match='no such folder.*download=True'):
            registry.build(dict(type=kind, model='nobody/nothing'))


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(InputError, match='pip install'):
        POSE_ESTIMATORS.build(dict(type='ViTPose'))
