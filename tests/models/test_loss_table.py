"""Losses by config: each gets what it declares, under any name; what cannot be given is refused before training."""

from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from tests.generators.test_recordable import Host
from tests.helpers import adams
from tests.models import cycle_gan_parts as cycle
from tests.models import test_bicycle_gan as bicycle
from tests.models import test_video_pix2pixhd as video
from toolkit import fields
from toolkit.engine.launch import load_config
from toolkit.models.feature_restoration import FeatureRestoration
from toolkit.models.loss_table import LossTable
from toolkit.registry import LOSSES, MODELS
from toolkit.structures import InputError

OFFERS = dict(frames=('fake', 'real', 'masks'), region=('fake', 'real', 'masks'), gan=('scores', 'fake_features', 'real_features'),
              kl=('mu', 'logvar'))


class Spy(nn.Module):
    """Remembers what it was given, by name."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def seen(self, **given):
        self.calls.append(given)
        return sum(value.float().square().mean() for value in given.values())


@LOSSES.register_module()
class MaskedSpy(Spy):
    """A loss of somebody else that needs masks."""

    inputs = ('fake', 'real', 'masks')

    def forward(self, fake, real, masks):
        return self.seen(fake=fake, real=real, masks=masks)


@LOSSES.register_module()
class PlainSpy(Spy):
    """A loss of somebody else that needs no mask."""

    inputs = ('fake', 'real')

    def forward(self, fake, real):
        return self.seen(fake=fake, real=real)


@LOSSES.register_module()
class DepthSpy(nn.Module):
    """Needs what nobody offers."""

    inputs = ('fake', 'depth')

    def forward(self, fake, depth):
        return fake.mean()


@LOSSES.register_module()
class SilentLoss(nn.Module):
    """Does not say what it needs."""

    def forward(self, fake, real):
        return fake.mean()


@LOSSES.register_module()
class LyingLoss(nn.Module):
    """Says something else than it takes."""

    inputs = ('fake', 'real', 'masks')

    def forward(self, fake, real):
        return fake.mean()


def table(**configs):
    return LossTable(configs, OFFERS, 'Method')


def test_every_registered_loss_says_what_it_needs():
    for name in ('GANLoss', 'FeatureMatchingLoss', 'L1Loss', 'RegionL1Loss', 'FeatureMapL1Loss', 'KLLoss', 'SummedSquaresLoss'):
        assert list(table(free=dict(type=name)).groups) == ['free'], name


@pytest.mark.parametrize('kind, inputs', [('MaskedSpy', {'fake', 'real', 'masks'}), ('PlainSpy', {'fake', 'real'})])
@pytest.mark.parametrize('name', ['l1', 'person', 'percepttual', 'a_name_of_its_own'])
def test_video_pix2pixhd_calls_a_loss_of_any_name_with_what_it_declares(name, kind, inputs):
    model = build_video({'gan': dict(type='GANLoss'), name: dict(type=kind, weight=0.5)})
    data = video.batch_of(model)
    logs = model.train_step(data, adams(model))
    call, = model.losses[name].calls
    assert set(call) == inputs and set(logs) == {'g/gan', f'g/{name}', 'd/fake', 'd/real'}
    torch.testing.assert_close(call['real'], data['frames'].flatten(0, 1) / 127.5 - 1)
    if 'masks' in inputs:
        torch.testing.assert_close(call['masks'], data['masks'].flatten(0, 1) / 255)
    expected = 0.5 * sum(value.float().square().mean() for value in call.values())
    torch.testing.assert_close(logs[f'g/{name}'], expected.detach())


def build_video(losses):
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=1, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1), losses=losses))


@pytest.mark.parametrize('name', ['l1', 'own'])
def test_bicycle_gan_calls_a_loss_of_any_name(name):
    losses = {'gan': dict(type='GANLoss'), name: dict(type='MaskedSpy'), 'garment': dict(type='MaskedSpy', of='region'),
              'codes': dict(type='KLLoss', weight=0.1), 'z': dict(type='PlainSpy')}
    model = MODELS.build(dict(
        type='BicycleGAN', losses=losses, encoder=dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
        generator=dict(type='UNet', n_down=3, ngf=4), discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=2)))
    data = dict(bicycle.batch_of(model), recolored_region=torch.full((2, 1, 1, bicycle.H, bicycle.W), 255, dtype=torch.uint8))
    logs = model.train_step(data, bicycle.optimizers(model))
    (person,), (garment,), (codes,) = (model.losses[key].calls for key in (name, 'garment', 'z'))
    torch.testing.assert_close(person['masks'], data['masks'].flatten(0, 1) / 255)
    assert (garment['masks'] == 1).all() and codes['fake'].shape == codes['real'].shape == (2, 3)
    assert {'g/gan', f'g/{name}', 'g/garment', 'g/codes', 'g/z'} <= set(logs)


@LOSSES.register_module()
class ToneSpy(Spy):
    """A loss of somebody else that needs an added field."""

    inputs = ('fake', 'real', 'tone')

    def forward(self, fake, real, tone):
        return self.seen(fake=fake, real=real, tone=tone)


@pytest.fixture
def tone():
    fields.add('tone')(lambda frames: frames.mean(-1).astype('uint8'))
    yield
    fields.ADDED.pop('tone')


def test_bicycle_gan_gives_added_fields_of_the_half_that_is_encoded(tone):
    losses = dict(gan=dict(type='GANLoss'), gan2=dict(type='GANLoss'), garment=dict(type='ToneSpy', of='region'))
    model = MODELS.build(dict(
        type='BicycleGAN', losses=losses, encoder=dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
        generator=dict(type='UNet', n_down=3, ngf=4), discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=2),
        scheme='official'))
    assert model.added_fields == ('tone',)
    data = dict(bicycle.batch_of(model), tone=torch.arange(2).mul(255).byte()[:, None, None, None, None].expand(
        2, 1, 1, bicycle.H, bicycle.W))
    model.train_step(data, bicycle.optimizers(model))
    call, = model.losses['garment'].calls
    assert len(call['fake']) == len(call['tone']) == 1 and not call['tone'].any()


def test_cycle_gan_calls_a_loss_of_any_name_at_the_place_it_names():
    losses = dict(own=dict(type='MaskedSpy', of='cycle', weight=0.5), moves=dict(type='PlainSpy', of='skeleton'),
                  mine=dict(type='PlainSpy', of='identity'))
    model = cycle.build(losses)
    data = cycle.batch_of()
    logs = model.train_step(data, cycle.optimizers(model))
    assert {'g/own_a', 'g/own_b', 'g/moves_ab', 'g/moves_ba', 'g/mine_a', 'g/mine_b', 'g/cycle_a'} <= set(logs)
    for name, calls in ((name, model.losses[name].calls) for name in losses):
        assert [set(call) for call in calls] == [{'fake', 'real', 'masks'} if name == 'own' else {'fake', 'real'}] * 2
        for call, person in zip(calls, 'ab'):
            torch.testing.assert_close(call['real'], cycle.images(data, person))
    with pytest.raises(InputError, match="model.losses.own: PlainSpy needs fake, real, which CycleGAN offers in several places"):
        cycle.build(dict(own=dict(type='PlainSpy')))


def test_feature_restoration_calls_a_loss_of_any_name():
    model = MODELS.build(dict(
        type='FeatureRestoration', generator=dict(type='RestorationNetwork', ngf=4, n_down=1, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1), losses=dict(own=dict(type='MaskedSpy'))))
    assert isinstance(model, FeatureRestoration)
    logs = model.train_step(video.batch_of(model), adams(model))
    assert set(logs) == {'g/own'} and model.losses['own'].calls[0]['masks'].shape[1] == 1


def test_pose_training_calls_a_loss_of_any_name():
    losses = dict(own=dict(type='PlainSpy'), mse=dict(type='SummedSquaresLoss', weight=0))
    model = MODELS.build(dict(type='PoseTraining', network=dict(type='PoseUNet'), losses=losses))
    data = video.batch_of(model, size=1)
    optimizer = torch.optim.SGD(model.net_h.parameters(), 0.01)
    logs = model.train_step(data, OptimWrapperDict(h=OptimWrapper(optimizer)))
    assert set(logs) == {'h/own', 'h/empty'} and len(model.losses['own'].calls) == 1


@pytest.mark.parametrize('off', [dict(type='GANLoss', weight=0), dict(type='GANLoss', weight=None)])
def test_without_an_adversarial_loss_no_discriminator_is_trained(off):
    model = build_video(dict(gan=off, l1=dict(type='L1Loss')))
    before = {key: value.clone() for key, value in model.net_d.state_dict().items()}
    logs = model.train_step(video.batch_of(model), adams(model))
    assert set(logs) == {'g/l1'} and all(torch.equal(value, before[key]) for key, value in model.net_d.state_dict().items())
    with pytest.raises(InputError, match='fm needs the layers of the discriminator'):
        build_video(dict(gan=off, fm=dict(type='FeatureMatchingLoss')))
    with pytest.raises(InputError, match="'gan'.*weight above 0"):
        cycle.build(dict(gan=off))
    with pytest.raises(InputError, match='BicycleGAN needs gan with a weight above 0'):
        bicycle.build(weights=dict(gan=0))
    with pytest.raises(InputError, match='nothing to learn from'):
        build_video(dict(gan=off))


@pytest.mark.parametrize('configs, message', [
    (dict(own=dict(type='DepthSpy')), 'model.losses.own: DepthSpy needs fake, depth, which Method does not offer.*offers of='),
    (dict(kl=dict(type='L1Loss')), "L1Loss needs fake, real, which Method does not offer in 'kl'"),
    (dict(own=dict(type='SilentLoss')), r"SilentLoss does not say what it needs.*inputs = \('fake', 'real'\)"),
    (dict(own=dict(type='LyingLoss')), 'LyingLoss.forward cannot be called with what LyingLoss declares, fake, real, masks'),
    (dict(regoin=dict(type='L1Loss')), "'regoin' is not a place of Method. Did you mean 'region'"),
    (dict(own=dict(type='L1Loss', of='frame')), "model.losses.own.of: unknown key 'frame'. Did you mean 'frames'"),
    (dict(perceptual=dict(type='L1Loss'), percepttual=dict(weight=0)), "percepttual=.* has no type. Did you mean 'perceptual'"),
    (dict(perceptual=dict(type='L1Loss'), percepttual=None), "percepttual=None has no type. Did you mean 'perceptual'.*weight=0"),
    (dict(own=dict(type='L1Loss', weight='ten')), "model.losses.own.weight='ten', expected a number"),
    (dict(own=dict(type='L1Loss', weight=float('nan'))), 'expected a number'),
    (dict(keys=dict(type='L1Loss')), "'keys' cannot be the name of a loss")])
def test_what_cannot_be_given_is_refused_when_the_model_is_built(configs, message):
    with pytest.raises(InputError, match=message):
        table(**configs)


@pytest.mark.parametrize('answer, message', [
    (lambda fake: fake.mean().item(), 'returned 0.5, expected a tensor of one number'),
    (lambda fake: fake.flatten(1).mean(1), r'returned a tensor of shape \(2,\), expected'),
    (lambda fake: fake.detach().mean(), 'returned a number without a gradient')])
def test_what_nothing_learns_from_is_refused(answer, message, monkeypatch):
    losses = table(own=dict(type='PlainSpy'))
    given = dict(fake=torch.full((2, 3, 4, 4), 0.5, requires_grad=True), real=torch.zeros(2, 3, 4, 4))
    monkeypatch.setattr(losses['own'], 'forward', lambda fake, real: answer(fake))
    with pytest.raises(InputError, match=f'model.losses.own {message}'):
        losses.compute('frames', given)
    monkeypatch.setattr(losses['own'], 'forward', lambda fake, real: torch.zeros(()))
    assert losses.compute('frames', given)['own'] == 0


def test_whether_a_loss_is_off_is_asked_once():
    """Asking waits for the device, and cannot be recorded as a CUDA graph."""
    losses, given = table(own=dict(type='PlainSpy')), dict(fake=torch.ones(2, 3, 4, 4), real=torch.zeros(2, 3, 4, 4))
    losses['own'].forward = lambda fake, real: fake.new_zeros(())
    with torch.no_grad():
        losses.compute('frames', given)
    for asked in (True, False):
        with Host() as host:
            losses.compute('frames', given)
        assert bool(host.found) == asked


def test_weight_and_place_are_set_from_the_command_line():
    config = Path(__file__).resolve().parents[2] / 'configs' / 'stage1_bicyclegan_up.py'
    losses = load_config(config, ['model.losses.l1.of=region', 'model.losses.l1.weight=None', 'model.losses.kl.weight=0']).model.losses
    assert losses.l1.of == 'region' and losses.l1.weight is None
    model = bicycle.build(weights=dict(l1=losses.l1.weight, kl=losses.kl.weight))
    assert list(model.losses) == ['gan', 'region', 'z']


def test_two_losses_of_one_discriminator_and_a_batch_without_masks_are_refused():
    with pytest.raises(InputError, match='gan and other would both train'):
        table(gan=dict(type='GANLoss'), other=dict(type='GANLoss')).adversarial('gan')
    with pytest.raises(InputError, match='model.losses.own needs masks, which the batches'):
        table(own=dict(type='MaskedSpy')).compute('frames', dict(fake=torch.zeros(1), real=torch.zeros(1), masks=None))
