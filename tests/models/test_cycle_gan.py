"""CycleGAN: the official update order, and options that do not go together."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from tests.models.cycle_gan_parts import SKELETON, TEMPORAL, H, W, batch_of, build, build_video, clip_of, images, optimizers
from toolkit.models.cycle_gan import CycleGAN
from toolkit.structures import InputError


def test_losses_are_those_of_the_paper():
    model = build(dict(identity=dict(type='L1Loss', weight=5.0), skeleton=SKELETON), pool_size=0)
    data = batch_of(2)
    a, b = images(data, 'a'), images(data, 'b')
    ab, ba, da, db = (copy.deepcopy(n).requires_grad_(False) for n in (model.net_g_ab, model.net_g_ba, model.net_d_a, model.net_d_b))
    loss, pose = model.losses['skeleton'], model.losses['skeleton']._frozen[0]
    fake_b, fake_a = ab(a), ba(b)
    with torch.no_grad():
        maps = {k: pose.conv(v) for k, v in dict(a=a, b=b, fake_a=fake_a, fake_b=fake_b).items()}
        expected = {
            'g/cycle_a': 10 * (ba(fake_b) - a).abs().mean(), 'g/cycle_b': 10 * (ab(fake_a) - b).abs().mean(),
            'g/identity_a': 5 * (ba(a) - a).abs().mean(), 'g/identity_b': 5 * (ab(b) - b).abs().mean(),
            'g/gan_ab': (db(fake_b)[0][-1] - 1).square().mean(), 'g/gan_ba': (da(fake_a)[0][-1] - 1).square().mean(),
            'g/skeleton_ab': 2 * (maps['fake_b'] - maps['a']).abs().mean(),
            'g/skeleton_ba': 2 * (maps['fake_a'] - maps['b']).abs().mean(),
            'd/a_real': 0.5 * (da(a)[0][-1] - 1).square().mean(), 'd/a_fake': 0.5 * da(fake_a)[0][-1].square().mean(),
            'd/b_real': 0.5 * (db(b)[0][-1] - 1).square().mean(), 'd/b_fake': 0.5 * db(fake_b)[0][-1].square().mean()}
    logs = model.train_step(data, optimizers(model))
    assert set(logs) == set(expected) and loss is model.losses['skeleton']
    for name, value in expected.items():
        torch.testing.assert_close(logs[name], value, msg=name)
        assert not logs[name].requires_grad


def test_generators_are_updated_once_then_discriminators(monkeypatch):
    model, wrappers, calls = build(), None, []
    wrappers = optimizers(model)

    def spy(self, wrapper, name, loss):
        wrapper[name].optimizer.zero_grad()
        loss.backward()
        touched = {n for n, p in model.named_parameters() if p.grad is not None}
        calls.append((name, sorted({n.split('.')[0] for n in touched})))
        for p in model.parameters():
            p.grad = None

    monkeypatch.setattr(CycleGAN, 'step', spy)
    model.train_step(batch_of(), wrappers)
    assert calls == [('g', ['net_g_ab', 'net_g_ba']), ('d', ['net_d_a', 'net_d_b'])]
    assert all(p.requires_grad for p in model.parameters())


def test_the_pool_feeds_the_discriminators_alone():
    first, second = build(pool_size=2), build(pool_size=0)
    for seed in range(6):
        torch.manual_seed(seed)
        logs = [m.train_step(batch_of(seed=seed), optimizers(m, lr=0.0)) for m in (first, second)]
        for name in logs[0]:
            assert (logs[0][name] == logs[1][name]) or (seed >= 2 and name.endswith('_fake')), name
        for m in (first, second):
            m.set_train_state(0, 0, seed + 1, 10)
    assert first.pools['a'].count == first.pools['b'].count == 2 and second.pools['a'].images is None


def test_adam_over_both_networks_of_a_kind():
    model = build()
    wrappers = optimizers(model)
    sizes = {k: sum(p.numel() for group in w.optimizer.param_groups for p in group['params']) for k, w in wrappers.items()}
    networks = {k: sum(p.numel() for p in n.parameters()) for k, n in model.networks().items()}
    assert sizes == dict(g=networks['net_g_ab'] + networks['net_g_ba'], d=networks['net_d_a'] + networks['net_d_b'])


def test_options_that_do_not_go_together():
    skeleton = dict(skeleton=SKELETON)
    for options, message in [
            (dict(losses=dict(cycel=dict(type='L1Loss'))), "'cycel'.*'cycle'"),
            (dict(losses=dict(gan=dict(type='GANLoss', weight=0))), "'gan'"),
            (dict(losses=dict(temporal=TEMPORAL)), 'at least 3'), (dict(stateful=True), 'previous_frames'),
            (dict(first='black'), 'first'), (dict(first='input'), "first='input' has no effect with previous_frames=0"),
            (dict(skeleton_scaling=True), 'nothing to scale'),
            (dict(foreground=dict(dilate=1)), 'dilate'),
            (dict(losses=skeleton, auto_weight=dict(ratio=1.0)), 'auto_freeze')]:
        with pytest.raises(InputError, match=message):
            build(**options)
    model = build(skeleton, skeleton_scaling=True)
    data = batch_of()
    del data['a']['anchor']
    with pytest.raises(InputError, match='anchors=True'):
        model.train_step(data, optimizers(model))
    model = build(foreground={})
    del data['b']['plate']
    with pytest.raises(InputError, match='plates=True'):
        model.train_step(data, optimizers(model))


def test_data_of_other_options_is_refused_before_training():
    model = build(window=3)
    model.check_data(SimpleNamespace(window=3, sequence=1, anchors=False, plates=False))
    for options, words in [
            (dict(window=1), 'model.window=3, but train_dataloader.dataset.window=1'),
            (dict(anchors=True), 'anchors.*model.skeleton_scaling'), (dict(plates=True), 'plates.*model.foreground')]:
        with pytest.raises(InputError, match=words):
            model.check_data(SimpleNamespace(**dict(dict(window=3), **options)))
    build_video().check_data(SimpleNamespace(window=3, sequence=2, anchors=True, plates=True))


@pytest.mark.parametrize('window, stateful, sequence, enough', [
    (1, False, 1, False), (2, False, 1, False), (3, False, 1, True), (1, True, 2, False), (1, True, 3, True)])
def test_training_shows_generators_as_many_of_their_frames_as_a_video(window, stateful, sequence, enough):
    model, data = build(window=window, previous_frames=2, stateful=stateful), SimpleNamespace(window=window, sequence=sequence)
    if enough:
        return model.check_data(data)
    with pytest.raises(InputError, match=f'previous_frames=2, but training generates only {window * sequence} frames in a row'):
        model.check_data(data)


def test_an_averaged_copy_generates():
    model = build(ema=0.9)
    before = copy.deepcopy(model.net_g_ab_ema.state_dict())
    model.train_step(batch_of(), optimizers(model))
    assert any(not torch.equal(v, before[k]) for k, v in model.net_g_ab_ema.state_dict().items())
    expected = model.test_step(clip_of())[0]['generated']
    nn.init.zeros_(model.net_g_ab.head.conv.weight)
    assert (model.test_step(clip_of())[0]['generated'] == expected).all()


def test_a_made_up_batch_trains():
    for model in (build(), build_video()):
        logs = model.train_step(model.example_batch(H, W), OptimWrapperDict(
            g=OptimWrapper(torch.optim.SGD([*model.net_g_ab.parameters(), *model.net_g_ba.parameters()], 0.01)),
            d=OptimWrapper(torch.optim.SGD(model.net_d_a.parameters(), 0.01))))
        assert all(v.isfinite() for v in logs.values())
