"""Deformable GAN: sizes as published, what its skips carry, who learns, and its video."""

import numpy as np
import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, parameters, step, whole_clip
from toolkit.discriminators.deformable import DeformableDiscriminator
from toolkit.generators.deformable import DeformableGenerator, JointNorm, carry_whole
from toolkit.model_parts.pose_spots import pose_spots
from toolkit.skeletons import TORSO_JOINTS
from toolkit.structures import InputError

SMALL = dict(ngf=8, n_down=3)
OPTIONS = dict(
    generator=SMALL, discriminator=dict(type='DeformableDiscriminator', ndf=8, n_layers=2),
    losses=dict(gan=dict(type='GANLoss', objective='vanilla'), nearest=dict(type='NearestNeighborLoss', network='pixels', weight=0.01)))


@pytest.fixture
def pose(clips):
    return torch.from_numpy(clips[0].poses[:1]).float().clone()


def test_networks_have_the_published_sizes():
    with torch.device('meta'):
        assert parameters(DeformableGenerator()) == 82_080_611
        assert parameters(DeformableGenerator(n_down=5)) == 61_109_085
        discriminator = DeformableDiscriminator(42)
        assert parameters(discriminator) == 2_803_782
        assert discriminator(torch.empty(1, 42, 384, 256))[0][-1].shape == (1, 1, 11, 7)
        assert discriminator(torch.empty(1, 42, 256, 256))[0][-1].shape == (1, 1, 7, 7)


def test_the_norm_takes_all_channels_together():
    x = torch.randn(2, 4, 3, 5) * torch.arange(1, 5)[:, None, None]
    mean, spread = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True, unbiased=False)
    torch.testing.assert_close(JointNorm()(x), (x - mean) / (spread + 1e-3))
    assert parameters(JointNorm()) == 2


def test_the_norm_makes_weak_maps_strong_and_bears_empty_ones():
    """Maps of a few spots are weak: to their variance, 1e-3 would be much."""
    x = (0.01 * torch.randn(1, 4, 32, 32)).requires_grad_()
    assert JointNorm()(x).std().item() == pytest.approx(10 / 11, rel=0.02)
    empty = torch.zeros(1, 4, 8, 8, requires_grad=True)
    JointNorm()(empty).sum().backward()
    assert empty.grad.isfinite().all()


def test_spots(pose):
    pose[:, 4, 2] = 0
    spots = pose_spots(pose, 96, 64)
    assert spots.shape == (1, 18, 96, 64) and not spots[0, 4].any()
    y, x = 40, 20
    away = (pose[0, 0, 0] - x)**2 + (pose[0, 0, 1] - y)**2
    assert spots[0, 0, y, x] == pytest.approx(float(torch.exp(-away / 72)), rel=1e-4)


@pytest.mark.parametrize('cell', [1, 2, 4])
def test_maps_move_with_the_body_at_every_level(pose, cell):
    """A body that moves by whole cells takes its maps with it; negative values lose against nothing."""
    generator = DeformableGenerator(**SMALL)
    maps = torch.rand(1, 5, 96 // cell, 64 // cell) + 0.1
    moved = pose + torch.tensor([8.0, 4.0, 0.0])
    carried = generator.carry(maps, pose, moved, cell)
    wanted = torch.zeros_like(maps)
    down, right = 4 // cell, 8 // cell
    wanted[:, :, down:, right:] = maps[:, :, :maps.shape[2] - down, :maps.shape[3] - right]
    torch.testing.assert_close(carried, wanted)
    torch.testing.assert_close(carry_whole(maps, pose, moved, cell), wanted)
    alone = DeformableGenerator(**SMALL, torso_everywhere=False).carry(maps, pose, moved, cell)
    assert 0.05 < (alone > 0).float().mean() < 0.7
    torch.testing.assert_close(alone[alone > 0], wanted[alone > 0])
    assert not DeformableGenerator(**SMALL, torso_everywhere=False).carry(-maps, pose, moved, cell).any()


def test_the_whole_map_moves_as_the_torso_does(pose):
    """Who turns has a narrow torso: the transform is the fit of its corners, with no pull towards a similarity."""
    turned, corners = pose.clone(), list(TORSO_JOINTS)
    turned[0, :, 0] = pose[0, corners, 0].mean() + 0.5 * (pose[0, :, 0] - pose[0, corners, 0].mean())
    maps = torch.rand(1, 5, 96, 64) + 0.1
    columns = (2 * torch.arange(64) - pose[0, corners, 0].mean()).round().long()
    seen = (columns >= 0) & (columns < 64)
    torch.testing.assert_close(carry_whole(maps, pose, turned)[..., seen], maps[..., columns[seen]])


def test_the_whole_map_is_taken_from_the_same_pixels_in_half_precision(pose):
    """bfloat16 has no odd numbers beyond 256."""
    large = pose * torch.tensor([4.0, 4.0, 1.0])
    moved, maps = large + torch.tensor([5.0, -3.0, 0.0]), torch.rand(1, 2, 384, 256)
    exact = carry_whole(maps, large, moved)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(carry_whole(maps, large, moved), exact)
    assert exact.any()


def test_a_warper_that_would_carry_nothing_is_refused_before_training(pose):
    """It cuts parts out of the source by their labels, which maps of a network do not have."""
    warper = dict(type='PartAffineWarper', sampling='bilinear')
    model = build('DeformableGAN', **OPTIONS | dict(generator=dict(SMALL, warper=warper)))
    alone = DeformableGenerator(**SMALL, warper=warper, torso_everywhere=False)
    assert not alone.carry(torch.rand(1, 5, 96, 64), pose, pose).any()
    with pytest.raises(InputError, match="model.generator.warper: mask_space='source' .* set mask_space='target'"):
        model.check_data([])
    build('DeformableGAN', **OPTIONS | dict(generator=dict(SMALL, warper=dict(warper, mask_space='target')))).check_data([])


def test_every_network_learns(clips):
    model = build('DeformableGAN', **OPTIONS)
    logs, changed = step(model, batch_of(clips, model, content='random'), optimizers(model, 1e-2))
    assert set(logs) == {'g/gan', 'g/nearest', 'd/fake', 'd/real'} and changed == {'net_g', 'net_d'}


def test_features_are_matched_with_those_of_the_same_sample(clips, monkeypatch):
    losses = OPTIONS['losses'] | dict(fm=dict(type='FeatureMatchingLoss'))
    model = build('DeformableGAN', **OPTIONS | dict(losses=losses))
    batch = batch_of(clips, model, content='random')
    real = model.data_preprocessor(batch)['frames'].flatten(0, 1).requires_grad_()
    assert (real[0] != real[2]).any()
    monkeypatch.setattr(model.net_g, 'forward', lambda *args: real)
    assert step(model, batch, optimizers(model, 0.0))[0]['g/fm'] == 0


def test_it_paints_the_person_of_the_content_frame_in_the_pose(clips):
    model = build('DeformableGAN', **OPTIONS).eval()
    data = whole_clip(clips, model)
    result = model.test_step(data)[0]
    assert result['generated'].shape == (4, 96, 64, 3)
    again = model.test_step(data)[0]['generated']
    np.testing.assert_array_equal(again, result['generated'])
    data['content_frame'] = 255 - data['content_frame']
    assert (model.test_step(data)[0]['generated'] != again).any()


def test_a_size_that_does_not_fit_is_named():
    generator = DeformableGenerator(**SMALL)
    with pytest.raises(InputError, match='multiples of 8'):
        generator(torch.zeros(1, 21, 36, 36), torch.zeros(1, 18, 36, 36), torch.zeros(1, 18, 3), torch.zeros(1, 18, 3))
    with pytest.raises(InputError, match='n_down=1'):
        DeformableGenerator(n_down=1)
