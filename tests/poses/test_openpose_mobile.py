"""The small OpenPose network: agreement with its reference, gradients, real video."""

import numpy as np
import pytest
import torch

from toolkit.poses.mobilenet import load_units, resize_bilinear, same_padding
from toolkit.poses.openpose_mobile import OpenPoseMobile
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError, MissingWeightsError


def images_of(bgr):
    return torch.from_numpy(bgr[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.shared
def test_agrees_with_the_original_network(shared_weights):
    network = OpenPoseMobile()
    reference = np.load(shared_weights / 'openpose_mobilenet_v2_small.reference.npz')
    with torch.no_grad():
        maps = torch.cat(network.fields(images_of(reference['image_bgr'])), 1)[0]
    assert np.abs(maps.numpy() - reference['output']).max() < 1e-3


@pytest.mark.shared
def test_gradient_reaches_the_image_and_no_parameter(shared_weights):
    network = OpenPoseMobile().train()
    assert not network.training
    image = (torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1).requires_grad_()
    heat, paf = network.heatmaps(image)
    (heat.abs().mean() + paf.abs().mean()).backward()
    assert (image.grad.flatten(1).abs().amax(1) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert heat.min() < 0, 'a ReLU after the last stage would cut the gradient where heat is negative'


@pytest.mark.shared
def test_a_batch_gives_what_its_images_give_one_by_one(shared_weights):
    network = OpenPoseMobile()
    images = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    images[1] *= 0.1
    with torch.no_grad():
        together, alone = network.heatmaps(images)[0], torch.cat([network.heatmaps(i[None])[0] for i in images])
    assert torch.allclose(together, alone, atol=1e-5)


def test_sizes_of_the_maps_and_of_the_network():
    network = OpenPoseMobile(weights=None)
    assert sum(p.numel() for p in network.parameters()) == 477_270
    for height, width, rows, columns in ((64, 48, 8, 6), (70, 33, 9, 5)):
        heat, paf = network.heatmaps(torch.zeros(1, 3, height, width))
        assert heat.shape == (1, 18, rows, columns)
        assert paf.shape == (1, 38, rows, columns)


@pytest.mark.shared
def test_squats(squats, correct_joints, shared_weights):
    frames, reference = squats
    estimator = POSE_ESTIMATORS.build(dict(type='OpenPoseMobile'))
    poses = estimator(frames)
    assert poses.shape == (13, 18, 3) and poses.dtype == np.float32
    assert correct_joints(poses, reference) >= 0.8
    assert estimator.num_people(frames[:3]).tolist() == [1, 1, 1]


@pytest.mark.shared
def test_two_people_are_counted_and_the_larger_one_is_followed(squats, correct_joints, shared_weights):
    frames, reference = squats[0][::8], squats[1][::8]
    small = frames[:, ::2, ::2]
    both = np.full((2, 1280, 1080, 3), frames[0, 0, 0], np.uint8)
    both[:, :, :720] = frames
    both[:, 640:, 720:] = small
    estimator = OpenPoseMobile(input_height=512)
    assert estimator.num_people(both).tolist() == [2, 2]
    assert correct_joints(estimator(both), reference) >= 0.8


def test_empty_picture_has_nobody():
    network = OpenPoseMobile(weights=None, threshold=1e6, input_height=64)
    poses = network(np.zeros((2, 64, 48, 3), np.uint8))
    assert poses.shape == (2, 18, 3) and not poses.any()
    assert network.num_people(np.zeros((2, 64, 48, 3), np.uint8)).tolist() == [0, 0]


@pytest.mark.parametrize('options', [dict(batch_size=0), dict(batch_size=-1), dict(input_height=0)])
def test_options_that_leave_nothing_to_do_are_refused(options):
    with pytest.raises(InputError, match='OpenPoseMobile needs input_height and batch_size of at least 1'):
        OpenPoseMobile(weights=None, **options)


def test_missing_and_wrong_weights(tmp_path, monkeypatch):
    from safetensors.torch import save_file
    monkeypatch.delenv('TOOLKIT_WEIGHTS', raising=False)
    with pytest.raises(MissingWeightsError, match='nothing.safetensors'):
        OpenPoseMobile(weights='nothing.safetensors')
    wrong = tmp_path / 'wrong.safetensors'
    save_file({'a': torch.zeros(1)}, wrong)
    with pytest.raises(InputError, match='is missing'):
        OpenPoseMobile(weights=str(wrong))
    with pytest.raises(InputError, match='do not belong'):
        load_units([], wrong)


def test_tensorflow_padding_and_resizing():
    assert same_padding(8, 3, 2) == (0, 1)
    assert same_padding(9, 3, 2) == (1, 1)
    assert same_padding(8, 3, 1) == (1, 1)
    assert same_padding(8, 1, 2) == (0, 0)
    ramp = torch.arange(4.0)[None, None, None].expand(1, 1, 2, 4)
    assert resize_bilinear(ramp, (4, 8))[0, 0, 3].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
