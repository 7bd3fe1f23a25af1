"""SkeletonLoss: what it compares, where gradients go, what is kept."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from toolkit.losses.skeleton import SkeletonLoss
from toolkit.models.loss_table import LossTable
from toolkit.registry import LOSSES, POSE_ESTIMATORS
from toolkit.skeletons import LIMB_PAFS, LIMBS
from toolkit.structures import InputError, MissingWeightsError


@POSE_ESTIMATORS.register_module()
class TinyPose(nn.Module):
    """One convolution at stride 8, and a second stage that negates; counts the pictures it saw."""

    def __init__(self, bias=0.0):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 56, 8, stride=8)
        nn.init.constant_(self.conv.bias, bias)
        self.pictures, self.sizes = 0, []

    def heatmaps(self, images, stage=2):
        self.pictures += len(images)
        self.sizes.append(tuple(images.shape[-2:]))
        maps = self.conv(images) * (1 if stage == 1 else -1)
        return maps[:, :18], maps[:, 18:]


@POSE_ESTIMATORS.register_module()
class OneStagePose(TinyPose):
    """Without stages."""

    def heatmaps(self, images):
        return super().heatmaps(images)


@POSE_ESTIMATORS.register_module()
class NoMapsPose:
    """Keypoints only."""


def build(bias=0.0, **options):
    options = dict(dict(min_side=None), **options)
    return LOSSES.build(dict(type='SkeletonLoss', pose_network=dict(type='TinyPose', bias=bias), **options))


def network(loss):
    return loss._frozen[0]


def pictures(batch=2, size=(32, 24)):
    torch.manual_seed(1)
    return torch.rand(batch, 3, *size) * 2 - 1, torch.rand(batch, 3, *size) * 2 - 1


def maps(loss, images, **options):
    return torch.cat(network(loss).heatmaps(images, **options), 1)


def test_is_the_mean_over_maps_cells_and_samples():
    fake, real = pictures()
    loss = build()
    torch.testing.assert_close(loss(fake, real), (maps(loss, fake) - maps(loss, real)).abs().mean().detach())
    heat = build(maps='heat')
    torch.testing.assert_close(heat(fake, real), (maps(heat, fake) - maps(heat, real))[:, :18].abs().mean().detach())


def test_zero_for_equal_pictures():
    fake, _ = pictures()
    for options in ({}, dict(weighting='foreground'), dict(min_side=64), dict(cache=4), dict(scales=(1, 2, 3)), dict(face=False)):
        assert build(**options)(fake, fake.clone(), keys=['a', 'b']).item() == 0


def test_gradient_reaches_the_generated_picture_only():
    fake, real = (x.requires_grad_() for x in pictures())
    loss = build()
    loss(fake, real).backward()
    assert (fake.grad.abs().sum((1, 2, 3)) > 0).all() and real.grad is None
    assert all(p.grad is None and not p.requires_grad for p in network(loss).parameters())


def test_no_dead_zones_where_maps_are_negative():
    fake, real = pictures()
    fake.requires_grad_()
    loss = build(bias=9.0)
    assert maps(loss, fake).max() < 0
    loss(fake, real).backward()
    assert (fake.grad != 0).all()


def test_a_batch_is_the_mean_of_its_samples():
    fake, real = pictures(3)
    for options in ({}, dict(weighting='foreground'), dict(min_side=48), dict(scales=(1, 2), weighting='foreground')):
        loss = build(**options)
        singles = [loss(fake[i:i + 1], real[i:i + 1]) for i in range(3)]
        torch.testing.assert_close(loss(fake, real), sum(singles) / 3)


def test_foreground_cells_count_more():
    fake, real = pictures()
    loss = build(weighting='foreground', foreground_gain=5.0)
    a, b = maps(loss, fake), maps(loss, real)
    weight = 1 + 5 * torch.maximum(a, b)[:, :18].amax(1, keepdim=True).clamp_min(0)
    assert weight.max() > 1.5
    torch.testing.assert_close(loss(fake, real), (weight * (a - b).abs()).mean().detach())
    negative = build(bias=9.0, weighting='foreground')
    torch.testing.assert_close(negative(fake, real), build(bias=9.0)(fake, real))


@POSE_ESTIMATORS.register_module()
class DotPose(nn.Module):
    """Every map is the red channel, cell by cell."""

    def heatmaps(self, images):
        return images[:, :1].expand(-1, 18, -1, -1), images[:, :1].expand(-1, 38, -1, -1)


def dots(*columns, size=(16, 24)):
    """A picture with a dot in row 8, or none for None, for each column."""
    picture = torch.zeros(len(columns), 3, *size)
    for i, column in enumerate(columns):
        if column is not None:
            picture[i, 0, 8, column] = 1
    return picture


def test_squares_of_cells_pull_a_displaced_person_back():
    network = dict(type='DotPose')
    published, pyramid = (SkeletonLoss(network, scales=scales, min_side=None) for scales in ((1,), (1, 2, 4, 8)))
    real = dots(4)
    away = [384 * published(dots(c), real).item() for c in (4, 5, 9, None)]
    assert away == pytest.approx([0, 2, 2, 1]), 'nobody is better than one cell off'
    away = [pyramid(dots(c), real).item() for c in (4, 5, 6, 8, 11)]
    assert away == sorted(away) and len(set(away)) > 3, 'the nearer the better'
    assert away[1] < pyramid(dots(None), real).item(), 'one cell off is better than nobody'
    torch.testing.assert_close(SkeletonLoss(network, scales=(24,), min_side=None)(dots(7), real).item(), 0.0)


def test_without_the_face():
    fake, real = pictures()
    loss, every = build(face=False), build()
    difference = (maps(every, fake) - maps(every, real)).abs()
    joints = list(range(1, 14))
    fields = [18 + channel for limb, pair in zip(LIMBS, LIMB_PAFS) if min(limb) > 0 and max(limb) < 14 for channel in pair]
    assert len(fields) == 24, 'neck to shoulders and hips, arms and legs'
    torch.testing.assert_close(loss(fake, real), difference[:, joints + fields].mean().detach())
    torch.testing.assert_close(build(face=False, maps='heat')(fake, real), difference[:, joints].mean().detach())


def test_scales_are_averaged():
    fake, real = pictures(size=(96, 64))
    values = [build(scales=scales)(fake, real) for scales in ((1,), (3,), (1, 3))]
    torch.testing.assert_close((values[0] + values[1]) / 2, values[2])
    loss = build()
    difference = F.avg_pool2d(F.pad(maps(loss, fake) - maps(loss, real), (1, 1, 1, 1)), 3, 1)
    torch.testing.assert_close(values[1], difference.abs().mean().detach())


def test_small_pictures_are_enlarged_and_large_ones_are_not():
    fake, real = pictures(size=(32, 24))
    loss = build(min_side=48)
    enlarged = [F.interpolate(x, scale_factor=2, mode='bilinear') for x in (fake, real)]
    torch.testing.assert_close(loss(fake, real), build()(*enlarged))
    assert network(loss).sizes == [(64, 48)] * 2
    large = build(min_side=16)
    large(fake, real)
    assert network(large).sizes == [(32, 24)] * 2


def test_earlier_stages():
    fake, real = pictures()
    last, first = build(weighting='foreground'), build(weighting='foreground', stage=1)
    assert last(fake, real) != first(fake, real)
    with pytest.raises(InputError, match='no stages'):
        SkeletonLoss(dict(type='OneStagePose'), stage=1)


def test_maps_of_real_pictures_are_kept():
    fake, real = pictures(3)
    plain, loss = build(), build(cache=2)
    for keys in ('abc', 'bca'):
        order = ['abc'.index(k) for k in keys]
        torch.testing.assert_close(loss(fake[order], real[order], keys=list(keys)), plain(fake, real))
    assert network(loss).pictures == 3 + 3 + 3 + 1, 'b and c were kept, a was not'
    assert list(loss._cached) == ['c', 'a']
    loss(fake, real)
    assert network(loss).pictures == 10 + 6, 'without keys nothing is kept'


def test_a_method_that_names_no_pictures_cannot_keep_their_maps():
    config = dict(skeleton=dict(type='SkeletonLoss', pose_network=None, cache=4))
    with pytest.raises(InputError, match='needs fake, real, keys, which PG2 does not offer'):
        LossTable(config, dict(frames=('fake', 'real', 'poses')), 'PG2')
    assert LossTable(config, dict(skeleton=('fake', 'real', 'anchors', 'keys')), 'CycleGAN').takes('skeleton', 'keys')


def test_bodies_of_different_sizes_are_normalized():
    fake, _ = pictures(1, size=(64, 64))
    loss = build()
    moved = torch.roll(fake, 16, -1)
    anchors = torch.tensor([[20.0, 40.0, 30.0], [36.0, 40.0, 30.0]])
    inside = (maps(loss, moved) - F.pad(maps(loss, fake), (2, -2))).abs()
    assert inside[..., 2:].max() < 1e-5
    torch.testing.assert_close(loss(moved, fake, anchors), inside.mean().detach())
    enlarged = build(min_side=128)
    assert enlarged(moved, fake, anchors) < 0.5 * enlarged(moved, fake)


def test_network_is_hidden_frozen_and_follows_the_loss():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), build())
    frozen = network(model[1])
    assert len(list(model.parameters())) == 2 and list(model.state_dict()) == ['0.weight', '0.bias']
    model.train()
    assert not any(m.training for m in frozen.modules())
    model.double()
    assert {p.dtype for p in frozen.parameters()} == {torch.float32}
    model.to('meta')
    assert {p.device.type for p in frozen.parameters()} == {'meta'}


def test_float32_inside_autocast_and_survives_copy():
    fake, real = pictures()
    loss = build()
    with torch.autocast('cpu', torch.bfloat16):
        inside = loss(fake, real)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, loss(fake, real))
    torch.testing.assert_close(copy.deepcopy(loss)(fake, real), inside)


def test_errors(monkeypatch, tmp_path):
    with pytest.raises(InputError, match='heat, heat'):
        build(maps='paf')
    with pytest.raises(InputError, match="foreground_gain=5.0 has no effect with weighting='uniform'"):
        build(foreground_gain=5.0)
    with pytest.raises(InputError, match='uniform, foreground'):
        build(weighting='cells')
    for scales in ((), (0, 1)):
        with pytest.raises(InputError, match='at least 1 cell'):
            build(scales=scales)
    with pytest.raises(InputError, match='differentiable'):
        SkeletonLoss(dict(type='NoMapsPose'))
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingWeightsError, match='openpose_mobilenet_v2_small.safetensors'):
        SkeletonLoss(dict(type='OpenPoseMobile'))


@pytest.mark.shared
def test_the_real_network(shared_weights):
    loss = LOSSES.build(dict(type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), min_side=64))
    fake, real = pictures(size=(64, 64))
    assert loss(fake, fake.clone()).item() == 0
    fake.requires_grad_()
    value = loss(fake, real)
    value.backward()
    assert value > 0 and (fake.grad != 0).float().mean() > 0.9
    singles = [loss(fake[i:i + 1], real[i:i + 1]) for i in range(2)]
    torch.testing.assert_close(value, sum(singles) / 2, rtol=1e-4, atol=1e-7)
