"""PG2: two stages, the difference map, the bottleneck that sees everything, and its video."""

from pathlib import Path

import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, step, whole_clip
from toolkit.engine.launch import load_config
from toolkit.generators.person_unet import PersonUNet
from toolkit.model_parts.pose_spots import pose_spots
from toolkit.structures import InputError

OPTIONS = dict(
    coarse=dict(ngf=4, n_down=2, code=8), fine=dict(ngf=4, n_down=2), discriminator=dict(type='PatchGAN', ndf=4, n_layers=1),
    losses=dict(coarse=dict(type='L1Loss', masked=True), gan=dict(type='GANLoss'),
                l1=dict(type='L1Loss', of='frames', masked=True, weight=10.0)), refine_from=0.5)
NETWORKS = dict(g=['net_g', 'net_g_fine'], d=['net_d'])


def test_each_stage_trains_its_networks(clips):
    model = build('PG2', **OPTIONS)
    batch, wrappers = batch_of(clips, model, content='random'), optimizers(model, 1e-2, **NETWORKS)
    logs, changed = step(model, batch, wrappers, 0)
    assert changed == {'net_g'} and set(logs) == {'g/coarse'} and not model.refines
    assert model.stage == 0
    logs, changed = step(model, batch, wrappers, 5)
    assert changed == {'net_g_fine', 'net_d'} and set(logs) == {'g/gan', 'g/l1', 'd/fake', 'd/real'} and model.refines
    assert model.stage == 1


def test_the_body_counts_twice(clips):
    model = build('PG2', **OPTIONS)
    batch = batch_of(clips, model)
    logs, _ = step(model, batch, optimizers(model, 0.0, **NETWORKS))
    ready = model.data_preprocessor(batch)
    real, parts = ready['frames'].flatten(0, 1), ready['body_parts'].flatten(0, 1)
    spots = pose_spots(ready['poses'].flatten(0, 1), 96, 64)
    with torch.no_grad():
        coarse = model.net_g(torch.cat([ready['content_frame'].repeat_interleave(2, 0), spots], 1))
    weight = 1 + (parts > 0).float()
    torch.testing.assert_close(logs['g/coarse'], ((coarse - real).abs() * weight).sum() / (3 * weight.sum()))
    assert 0.03 < (parts > 0).float().mean() < 0.5


def test_the_bottleneck_lets_every_pixel_reach_every_other():
    torch.manual_seed(0)
    for code, reaches in ((8, True), (0, False)):
        net, x = PersonUNet(3, ngf=4, n_down=2, code=code), torch.rand(1, 3, 96, 64, requires_grad=True)
        net(x)[0, :, :8, :8].sum().backward()
        assert bool(x.grad[0, :, -8:, -8:].abs().sum() > 0) == reaches


def test_the_bottleneck_learns_from_the_first_step():
    """Adam adds 1e-8 to the size of a gradient: weights whose gradients are far below stand still."""
    torch.manual_seed(0)
    net = PersonUNet(3, ngf=32, n_down=6)
    net(torch.rand(1, 3, 192, 128)).square().mean().backward()
    assert net.squeeze.weight.grad.abs().mean() > 1e-8 and net.downs[-1].weight.grad.abs().mean() > 1e-8


def test_the_second_network_has_two_levels_less():
    model = load_config(Path(__file__).parents[2] / 'configs/baselines/pg2.py').model
    assert model.fine.n_down == model.coarse.n_down - 2


def test_the_video_is_refined_after_the_second_stage_alone(clips):
    model = build('PG2', **OPTIONS).eval()
    data = whole_clip(clips, model)
    coarse = model.test_step(data)[0]['generated']
    with torch.no_grad():
        model.net_g_fine.head.bias.fill_(0.5)
    assert (model.test_step(data)[0]['generated'] == coarse).all()
    model.refines.fill_(True)
    assert (model.test_step(data)[0]['generated'] != coarse).any()
    data['content_frame'] = 255 - data['content_frame']
    model.refines.fill_(False)
    assert (model.test_step(data)[0]['generated'] != coarse).any()


def test_frames_that_do_not_fit_the_second_network_are_refused_before_the_first_is_trained():
    """With few levels the first one takes frames that the second one cannot."""
    fine = dict(fine=dict(ngf=4, n_down=3))
    model = build('PG2', **dict(OPTIONS, **fine))
    with pytest.raises(InputError, match='model.fine, which is trained later, .*multiples of 8.*; or lower model.fine.n_down'):
        model.check_data([dict(frames=torch.zeros(1, 3, 36, 24))])
    model.check_data([dict(frames=torch.zeros(1, 3, 32, 24))])
    build('PG2', **dict(OPTIONS, **fine, refine_from=1)).check_data([dict(frames=torch.zeros(1, 3, 36, 24))])


@pytest.mark.parametrize('options, words', [
    (dict(refine_from=2), 'share of the run'), (dict(losses=dict(gan=dict(type='GANLoss'))), 'of="coarse"')])
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        build('PG2', **dict(OPTIONS, **options))
