"""posewarp: masks that begin at the prior, parts that move with their limbs, the picture put together, who learns."""

from pathlib import Path

import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, step, whole_clip
from toolkit.engine.launch import load_config
from toolkit.generators.layered import LayeredGenerator, carry_parts
from toolkit.model_parts.part_priors import part_priors
from toolkit.model_parts.pose_spots import pose_spots

OPTIONS = dict(
    generator=dict(ngf=4, n_down=3), discriminator=dict(type='PatchGAN', ndf=4, n_layers=1),
    losses=dict(gan=dict(type='GANLoss', weight=0.1), l1=dict(type='L1Loss')))


@pytest.fixture
def pose(clips):
    return torch.from_numpy(clips[0].poses[:1]).float().clone()


def test_priors_are_highest_on_the_part(pose):
    prior = part_priors(pose, 96, 64)[0]
    assert prior.shape == (10, 96, 64) and 0 <= prior.min() and prior.max() <= 1
    for part, joints in ((4, (9, 10)), (9, (6, 7))):  # right lower leg, left lower arm
        x, y = pose[0, list(joints), :2].mean(0).round().long()
        assert prior[:, y, x].argmax() == part
    pose[:, 10, 2] = 0
    assert not part_priors(pose, 96, 64)[0, 4].any() and part_priors(pose, 96, 64)[0, 2].any()


def test_parts_move_with_their_limbs(pose):
    moved = pose + torch.tensor([6.0, -3.0, 0.0])
    parts = torch.rand(10, 2, 96, 64)
    carried = carry_parts(parts, pose, moved)
    assert carried.shape == (1, 10, 2, 96, 64)
    torch.testing.assert_close(carried[0, :, :, :-3, 6:], parts[:, :, 3:, :-6], atol=2e-3, rtol=0)
    moved[:, 4, 2] = 0  # no right wrist: its lower arm is gone
    assert not carry_parts(parts, pose, moved)[0, 8].any()


def test_parts_are_taken_from_the_same_pixels_in_half_precision(pose):
    """bfloat16 has no odd numbers beyond 256, and no halves beyond 128."""
    large = pose * torch.tensor([4.0, 4.0, 1.0])
    moved, parts = large + torch.tensor([5.0, -3.5, 0.0]), torch.rand(10, 1, 384, 256)
    exact = carry_parts(parts, large, moved)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(carry_parts(parts, large, moved), exact)
    assert exact[0, 0].any()


def test_the_picture_is_put_together_from_its_layers(pose):
    torch.manual_seed(0)
    net, source, noise = LayeredGenerator(ngf=4, n_down=3).eval(), torch.rand(1, 3, 96, 64), torch.randn(1, 3, 96, 64)
    prior, spots = part_priors(pose, 96, 64), pose_spots(pose, 96, 64)
    with torch.no_grad():
        made = net(source, prior, torch.cat([spots, spots], 1), pose, pose, noise)
        torch.testing.assert_close(made.picture, made.matte * made.person + (1 - made.matte) * made.scene)
        torch.testing.assert_close(made.masks.sum(1), torch.ones(1, 96, 64))
        body = prior[0].amax(0) > 0.4
        assert (made.masks[0, :10].argmax(0) == prior[0].argmax(0))[body].float().mean() > 0.8
        for layer in net.segment.parameters():
            layer.zero_()
        plain = torch.cat([prior, (1 - prior).prod(1, keepdim=True)], 1).clamp_min(1e-4)
        made = net(source, prior, torch.cat([spots, spots], 1), pose, pose, noise)
        torch.testing.assert_close(made.masks, plain / plain.sum(1, keepdim=True))


def test_it_learns_at_the_rate_of_the_authors():
    config = load_config(Path(__file__).parents[2] / 'configs/baselines/posewarp.py').optim_wrapper
    for name in 'gd':
        assert (config[name].optimizer.lr, tuple(config[name].optimizer.betas)) == (1e-4, (0.9, 0.999)), name


def test_every_network_learns(clips):
    model = build('PoseWarp', **OPTIONS)
    logs, changed = step(model, batch_of(clips, model, content='random'), optimizers(model, 1e-2))
    assert set(logs) == {'g/gan', 'g/l1', 'd/fake', 'd/real'} and changed == {'net_g', 'net_d'}
    names = {name.split('.')[0] for name, p in model.net_g.named_parameters() if p.grad is None or p.grad.abs().sum() > 0}
    assert names == {'segment', 'paint', 'fill'}


def test_it_paints_from_the_content_frame_and_always_the_same(clips):
    model = build('PoseWarp', **OPTIONS).eval()
    with torch.no_grad():
        for p in model.net_g.fill.parameters():
            p.mul_(10)
    data = whole_clip(clips, model)
    before = model.test_step(data)[0]['generated']
    assert before.shape == (4, 96, 64, 3) and (model.test_step(data)[0]['generated'] == before).all()
    data['content_frame'] = 255 - data['content_frame']
    assert (model.test_step(data)[0]['generated'] != before).any()
