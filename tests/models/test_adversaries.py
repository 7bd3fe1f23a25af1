"""Discriminators are asked once about each picture, and everybody learns what asking again would have taught."""

import copy

import pytest
import torch

from tests.models import (
    test_cvae_gan,
    test_deformable_gan,
    test_disentangled_person,
    test_everybody_dance_now,
    test_pg2,
    test_pix2pix,
    test_posewarp,
    test_vid2vid,
)
from tests.models.baseline_parts import batch_of, build, optimizers, step

METHODS = [  # kind, its tests, when it learns, pictures that each of its discriminators sees, frames of a window
    ('CVAEGAN', test_cvae_gan, 0, dict(net_d=2), 2),
    ('DeformableGAN', test_deformable_gan, 0, dict(net_d=2), 2),
    ('DisentangledPerson', test_disentangled_person, 0, dict(net_d=2), 2),
    ('DisentangledPerson', test_disentangled_person, 9, dict(net_c=2), 2),
    ('EverybodyDanceNow', test_everybody_dance_now, 0, dict(net_d=2), 2),
    ('EverybodyDanceNow', test_everybody_dance_now, 9, dict(net_d=2, net_d_face=2), 2),
    ('PG2', test_pg2, 9, dict(net_d=2), 2),
    ('Pix2Pix', test_pix2pix, 0, dict(net_d=2), 2),
    ('PoseWarp', test_posewarp, 0, dict(net_d=2), 2),
    ('Vid2Vid', test_vid2vid, 0, dict(net_d=3, net_d_time0=2), 4)]
"""vid2vid shows what it painted, too."""


@pytest.mark.parametrize('kind, tests, iteration, expected, window', METHODS)
def test_each_picture_is_shown_once(clips, kind, tests, iteration, expected, window):
    model = build(kind, **tests.OPTIONS)
    seen = []
    for name in [name for name, _ in model.named_children() if name.startswith(('net_d', 'net_c'))]:
        getattr(model, name).register_forward_hook(lambda *_, name=name: seen.append(name))
    wrappers = optimizers(model, 1e-3, **getattr(tests, 'NETWORKS', dict(
        g=[name for name in ('net_g', 'net_e') if hasattr(model, name)], d=['net_d'])))
    step(model, batch_of(clips, model, window, content='random' if window < 4 else 0), wrappers, iteration)
    assert {name: seen.count(name) for name in seen} == expected


@pytest.mark.parametrize('learns', [True, False])
def test_what_is_learned_is_what_asking_twice_teaches(clips, learns):
    """Against the two passes of the textbook, in double precision: gradients by which both networks move."""
    model = build('Pix2Pix', **test_pix2pix.OPTIONS).double()
    torch.manual_seed(1)
    fake, real = torch.rand(2, 2, 6, 32, 24, dtype=torch.float64)
    fake.requires_grad_()
    gan, fm = model.losses['gan'], model.losses['fm']
    with model.frozen(model.net_d):
        wanted = gan(model.net_d(fake)) + 10 * fm(model.net_d(fake), model.net_d(real))
    wanted_of_fake, = torch.autograd.grad(wanted, fake)
    of_d = 0.5 * (gan(model.net_d(fake.detach()), real=False, for_discriminator=True)
                  + gan(model.net_d(real), real=True, for_discriminator=True))
    wanted_of_d = torch.autograd.grad(of_d, list(model.net_d.parameters()))

    kept = []
    hook = model.net_d.register_forward_hook(lambda net, *_: kept.append(all(p.requires_grad for p in net.parameters())))
    said = model.ask(optimizers(model), model.net_d, 'gan', fake, real, learns=learns)
    hook.remove()
    assert kept == [learns, learns], 'what it would learn from is kept only where it learns'
    torch.testing.assert_close(sum(said.g.values()), wanted)
    assert all(p.requires_grad for p in model.net_d.parameters())
    said.pulled.backward()
    torch.testing.assert_close(fake.grad, wanted_of_fake, atol=1e-6, rtol=1e-5)
    assert all(p.grad is None for p in model.net_d.parameters()), 'a discriminator learns from its own losses alone'
    assert set(said.d) == ({'fake', 'real'} if learns else set())
    if learns:
        sum(said.d.values()).backward()
        for p, gradient in zip(model.net_d.parameters(), wanted_of_d):
            torch.testing.assert_close(p.grad, gradient, atol=1e-6, rtol=1e-5)


def test_a_real_picture_that_several_stand_for_is_looked_at_once(clips):
    model = build('Pix2Pix', **test_pix2pix.OPTIONS)
    fakes, real = torch.rand(3, 2, 6, 32, 24), torch.rand(2, 6, 32, 24)
    each = [copy.deepcopy(model).ask(optimizers(model), model.net_d, 'gan', fake, real) for fake in fakes]
    together = model.ask_of_several(optimizers(model), model.net_d, 'gan', list(fakes), real)
    for one, other in zip(each, together):
        assert one.g == other.g and one.d == other.d


def test_a_generator_learns_from_its_discriminator_alone(clips):
    losses = dict(gan=dict(type='GANLoss', weight=3.0))
    model = build('Pix2Pix', **test_pix2pix.OPTIONS | dict(losses=losses))
    logs, changed = step(model, batch_of(clips, model), optimizers(model))
    assert changed == {'net_g', 'net_d'} and set(logs) == {'g/gan', 'd/fake', 'd/real'}
    none = build('Pix2Pix', **test_pix2pix.OPTIONS | dict(losses=dict(l1=dict(type='L1Loss'))))
    assert step(none, batch_of(clips, none), optimizers(none))[1] == {'net_g'}
