"""The convolutional pose machine: agreement with its reference, boxes, real video."""

import numpy as np
import pytest
import torch

from toolkit.poses.boxes import mask_box, pose_box
from toolkit.poses.cpm import ConvolutionalPoseMachine
from toolkit.skeletons import HEAD_JOINTS
from toolkit.structures import InputError


@pytest.mark.shared
def test_agrees_with_the_original_network(shared_weights):
    network = ConvolutionalPoseMachine()
    reference = np.load(shared_weights / 'cpm_mobile.reference.npz')
    image = torch.from_numpy(reference['image_bgr'][..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        maps = network.heatmaps(image)[0]
    assert maps.shape == (14, 96, 96)
    assert np.abs(maps.numpy() - reference['output']).max() < 1e-3


@pytest.mark.shared
def test_squats_with_and_without_given_boxes(squats, correct_joints, shared_weights):
    frames, reference = squats[0][::4], squats[1][::4]
    network = ConvolutionalPoseMachine()
    boxes = np.array([pose_box(pose) for pose in reference])
    masks = np.zeros((len(frames), *frames.shape[1:3]), np.float32)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.round().astype(int)):
        mask[y0:y1 + 1, x0:x1 + 1] = 1
    found = [network(frames), network(frames, poses=reference), network(frames, boxes=boxes), network(frames, masks=masks)]
    for poses in found:
        assert poses.shape == (len(frames), 18, 3)
        assert correct_joints(poses, reference) >= 0.8
        assert not poses[:, list(HEAD_JOINTS)].any()
    assert np.array_equal(found[1], found[2])


def test_gradient_reaches_the_crop_and_parameters_are_frozen():
    torch.manual_seed(0)
    network = ConvolutionalPoseMachine(weights=None).train()
    assert sum(p.numel() for p in network.parameters()) == 565_044
    crop = torch.rand(1, 3, 192, 192).requires_grad_()
    network.heatmaps(crop).sum().backward()
    assert crop.grad.abs().max() > 0
    assert all(p.grad is None for p in network.parameters())


def test_boxes():
    pose = np.zeros((18, 3), np.float32)
    assert pose_box(pose) is None
    pose[[2, 8]] = (10, 20, 1), (30, 140, 0.5)
    assert pose_box(pose) == (10, 10, 30, 140)
    assert pose_box(pose[:14]) == (10, 20, 30, 140)
    mask = np.zeros((10, 10), np.float32)
    assert mask_box(mask) is None
    mask[2:5, 3:9] = 0.6
    assert mask_box(mask) == (3, 2, 8, 4)


def test_one_box_per_frame():
    with pytest.raises(InputError, match='boxes: 1 given for 2 frames'):
        ConvolutionalPoseMachine(weights=None)(np.zeros((2, 32, 32, 3), np.uint8), boxes=np.zeros((1, 4)))
