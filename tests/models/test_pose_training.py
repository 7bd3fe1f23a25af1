"""Training a pose network: pictures and poses change together, it learns, and what it learned serves others."""

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from toolkit.losses.skeleton import SkeletonLoss
from toolkit.model_parts.pose_augmentation import augment
from toolkit.models.pose_training import highest_peaks
from toolkit.poses.fields import pose_fields
from toolkit.poses.trained_pose_network import TrainedPoseNetwork
from toolkit.registry import MODELS, POSE_ESTIMATORS
from toolkit.skeletons import INDEX, K
from toolkit.structures import InputError, MissingWeightsError

H, W = 48, 32
RIGHT, LEFT, NOSE = INDEX['right_wrist'], INDEX['left_wrist'], INDEX['nose']
NETWORK = dict(type='PoseUNet', widths=(16, 24), stride=2, height=H)


def build(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type='PoseTraining', network=NETWORK, sigma=3.0, **options))


def dots(count=1):
    """Pictures with a red dot at the right wrist, a green one at the left wrist and a blue one at the nose, and their poses."""
    poses = torch.zeros(count, K, 3)
    pictures = torch.zeros(count, 3, H, W)
    for channel, (joint, x, y) in enumerate(((RIGHT, 8, 26), (LEFT, 23, 26), (NOSE, 16, 12))):
        poses[:, joint] = torch.tensor([x, y, 1.0])
        pictures[:, channel, y - 3:y + 4, x - 3:x + 4] = 1
    return pictures, poses


def center(channel):
    weight = channel.clamp_min(0)
    rows, columns = torch.meshgrid(torch.arange(H), torch.arange(W), indexing='ij')
    return torch.stack([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_poses_move_with_pictures():
    pictures, poses = augment(*dots(32), torch.Generator().manual_seed(1), None, color=0, noise=0, shift=0.05, rotation=8, scale=1.1)
    mirrored = 0
    for picture, pose in zip(pictures, poses):
        first, second = (pose[joint, :2] for joint in (RIGHT, LEFT))
        swapped = (center(picture[0]) - second).norm() < (center(picture[0]) - first).norm()
        mirrored += int(swapped)
        for channel, joint in enumerate((LEFT, RIGHT, NOSE) if swapped else (RIGHT, LEFT, NOSE)):
            assert pose[joint, 2] == 1
            assert (center(picture[channel]) - pose[joint, :2]).norm() < 0.5
        toward_left, toward_nose = (pose[joint, :2] - pose[RIGHT, :2] for joint in (LEFT, NOSE))
        assert toward_left[0] * toward_nose[1] - toward_left[1] * toward_nose[0] < 0, 'the right wrist is still a right wrist'
    assert 8 < mirrored < 24


def test_joints_that_leave_the_picture_are_not_asked_for():
    _, poses = augment(*dots(64), torch.Generator().manual_seed(1), None, shift=0.6)
    asked, place = poses[:, [RIGHT, LEFT, NOSE], 2], poses[:, [RIGHT, LEFT, NOSE], :2]
    outside = ((place < -0.5) | (place > torch.tensor([W - 0.5, H - 0.5]))).any(-1)
    assert outside.any() and not outside.all()
    assert torch.equal(asked == 0, outside)
    assert (poses[:, INDEX['neck'], 2] == 0).all(), 'what was missing stays missing'


def test_pictures_stay_in_range_and_differ():
    pictures, _ = augment(*dots(8), torch.Generator().manual_seed(1), None, color=0.5, noise=0.5)
    assert pictures.min() >= -1 and pictures.max() <= 1
    assert len({picture.sum().item() for picture in pictures}) == 8


def item(count=4):
    pictures, poses = dots(count)
    frames = ((pictures + 1) * 127.5).round().to(torch.uint8)[:, None]
    return dict(frames=frames, poses=poses[:, None])


def optimizers(model):
    return OptimWrapperDict(h=OptimWrapper(torch.optim.Adam(model.net_h.parameters(), 3e-2)))


@pytest.fixture(scope='module')
def learned():
    """A model that knows the dots."""
    model = build()
    model.train()
    wrapper, logs = optimizers(model), []
    for i in range(250):
        model.set_train_state(seed=0, rank=0, iteration=i, max_iters=250)
        logs.append(model.train_step(dict(a=item(1), b=item(1)), wrapper))
    return model.eval(), logs


def test_it_learns(learned):
    _, logs = learned
    assert logs[-1]['h/mse'] < 0.1 * logs[0]['h/mse']
    assert logs[-1]['h/mse'] < 0.3 * logs[-1]['h/empty'], 'and better than to say that nobody is there'


def test_the_loss_is_that_of_the_maps():
    model = build()
    data = item(1)
    poses = data['poses'][0]
    wanted = torch.cat(pose_fields(poses, (H, W), 2, model.sigma, model.limb_width), 1)
    with torch.no_grad():
        given = torch.cat(model.train().net_h(data['frames'][0].float() / 127.5 - 1), 1)
        nobody = torch.zeros_like(wanted)
        nobody[:, K] = 1
    logs = model.train_step(data, optimizers(model))
    assert logs['h/mse'] == pytest.approx(((given - wanted)**2).sum().item() / (H * W / 4), rel=1e-4)
    assert logs['h/empty'] == pytest.approx(((nobody - wanted)**2).sum().item() / (H * W / 4), rel=1e-4)


def test_two_persons_are_one_batch_each_with_their_pose():
    first, second = item(1), item(1)
    second['frames'], second['poses'] = second['frames'].roll(4, -1), second['poses'] + torch.tensor([4.0, 0, 0])
    both = {key: torch.cat([first[key], second[key]]) for key in first}
    one, two = build(), build()
    logs = one.train_step(dict(a=first, b=second), optimizers(one))
    assert two.train_step(both, optimizers(two))['h/mse'] == pytest.approx(logs['h/mse'].item(), rel=1e-5)


def test_it_says_where_it_found_joints(learned):
    model, _ = learned
    data = {key: value.transpose(0, 1) for key, value in item(3).items()}
    maps = torch.zeros(1, 3, 3, H, W, dtype=torch.uint8)
    blank = dict(pose_maps=maps, masks=maps[:, :, :1], clip=['c'])
    result, = model.test_step({**data, **blank})
    assert np.array_equal(result['generated'], result['real'])
    assert result['detected'].shape == (3, K, 3)
    joints = [RIGHT, LEFT, NOSE]
    assert np.abs(result['detected'][:, joints, :2] - result['poses'][:, joints, :2]).max() < 1


def test_peaks_are_in_pixels():
    pose = torch.zeros(1, K, 3)
    pose[0, NOSE] = torch.tensor([11.0, 31.0, 1.0])
    heat, _ = pose_fields(pose, (H, W), 2, 2.0, 1.5)
    found = highest_peaks(heat[0, :K].numpy(), 2)
    assert found[NOSE, :2] == pytest.approx([11, 31], abs=0.05) and found[RIGHT, 2] == 0


def test_wrong_sizes_and_losses_are_refused():
    with pytest.raises(InputError, match='multiples of 4'):
        build().train_step(dict(frames=torch.zeros(1, 1, 3, 46, 32, dtype=torch.uint8), poses=torch.zeros(1, 1, K, 3)), None)
    with pytest.raises(InputError, match='PoseTraining does not offer'):
        build(losses=dict(person=dict(type='RegionL1Loss')))


# ---- in the service of others -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def checkpoint(learned, tmp_path_factory):
    path = tmp_path_factory.mktemp('pose_network') / 'iter_0000250.pth'
    torch.save(dict(state_dict=learned[0].state_dict(), meta={}), path)
    return path


def test_the_trained_network_is_frozen_and_the_same(learned, checkpoint):
    network = POSE_ESTIMATORS.build(dict(type='TrainedPoseNetwork', checkpoint=str(checkpoint.parent)))
    assert (network.stride, network.multiple, network.input_height) == (2, 4, H)
    pictures, _ = dots(2)
    for mine, theirs in zip(network.train().heatmaps(pictures), learned[0].net_h(pictures)):
        assert torch.equal(mine, theirs[:, :K] if mine.shape[1] == K else theirs)
    assert not any(p.requires_grad for p in network.parameters())
    with pytest.raises(InputError, match='one stage'):
        network.heatmaps(pictures, stage=3)


def test_a_skeleton_loss_by_it_pulls_a_dot_home(checkpoint):
    loss = SkeletonLoss(dict(type='TrainedPoseNetwork', checkpoint=str(checkpoint)), min_side=None, scales=(1, 2, 4))
    pictures, _ = dots(1)
    moved = [loss(torch.roll(pictures, shift, -1), pictures).item() for shift in (0, 1, 3)]
    assert moved[0] == 0 < moved[1] < moved[2]
    fake = torch.roll(pictures, 1, -1).requires_grad_()
    loss(fake, pictures).backward()
    assert fake.grad.abs().max() > 0


def test_a_skeleton_loss_does_not_enlarge_people_beyond_what_it_learned(checkpoint):
    network = dict(type='TrainedPoseNetwork', checkpoint=str(checkpoint))
    with pytest.raises(InputError, match='min_side=256 enlarges pictures, but .* trained on frames 48 pixels high'):
        SkeletonLoss(network)
    SkeletonLoss(network, min_side=H)


def test_as_estimator_it_answers_in_pixels_of_the_frame(checkpoint, monkeypatch, clips):
    network = TrainedPoseNetwork(checkpoint)
    pose = torch.from_numpy(clips[0].poses[:1].copy()) * torch.tensor([0.5, 0.5, 1])
    heat, paf = pose_fields(pose, (H, W), 2, 2.0, 1.5)
    monkeypatch.setattr(network, 'fields', lambda images, stage: (heat, paf))
    found = network(np.zeros((1, 3 * H, 3 * W, 3), np.uint8))[0]
    there = (pose[0, :, 2].numpy() > 0) & (found[:, 2] > 0)
    assert there.sum() >= 14
    assert np.abs((found[there, :2] + 0.5) / 3 - 0.5 - pose[0, there, :2].numpy()).max() < 0.3


def test_without_a_run_it_says_which_command_makes_one(tmp_path):
    with pytest.raises(MissingWeightsError, match=r'Train it first: python tools/train.py configs/.*/transfer_pose_network.py'):
        TrainedPoseNetwork(tmp_path / 'transfer_pose_network')


def test_another_checkpoint_is_refused(tmp_path):
    torch.save(dict(state_dict={'net_g.weight': torch.zeros(1)}), tmp_path / 'iter_0000001.pth')
    with pytest.raises(InputError, match='holds no pose network'):
        TrainedPoseNetwork(tmp_path)
