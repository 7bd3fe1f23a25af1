"""The video generator's method: what reaches what, streaming against unrolling, and the paper's two-frame scheme."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from tests.helpers import adams
from toolkit import fields
from toolkit.models.video_pix2pixhd import VideoPix2PixHD
from toolkit.registry import MODELS
from toolkit.structures import InputError

H, W = 64, 48


def build(window=2, z_dims=(0, 0), **kwargs):
    torch.manual_seed(0)
    losses = dict(gan=dict(type='GANLoss', objective='lsgan'), fm=dict(type='FeatureMatchingLoss', weight=10.0),
                  l1=dict(type='L1Loss', weight=5.0))
    return MODELS.build(dict(
        type='VideoPix2PixHD',
        generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1, z_dims=z_dims),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2),
        window=window, **dict(dict(losses=losses), **kwargs)))


def batch_of(model, size=2, frames=2, seed=0):
    """Random frames and maps with a valid pose."""
    generator = torch.Generator().manual_seed(seed)
    batches = [model.example_batch(H, W, frames) for _ in range(size)]
    batch = {}
    for k, first in batches[0].items():
        values = [b[k] for b in batches]
        batch[k] = torch.cat(values) if torch.is_tensor(first) else sum(values, [])
    for key, value in batch.items():
        if torch.is_tensor(value) and value.dtype == torch.uint8:
            high = 11 if key == 'content_parts' else 256
            batch[key] = torch.randint(0, high, value.shape, generator=generator).to(torch.uint8)
    return batch


def test_the_second_frame_teaches_the_first():
    model = build()
    features = torch.randn(1, 2, 4, H, W)
    first_input = features.clone().requires_grad_(True)
    frames = model.unroll(model.net_g, first_input, None, None)
    frames[:, 1].square().sum().backward()
    assert first_input.grad[:, 0].abs().sum() > 0


def test_first_frame_before_the_clip():
    gray, black = build(v0='zeros'), build(v0='black')
    black.load_state_dict(gray.state_dict())
    features = torch.randn(1, 1, 4, H, W)
    by_default = gray.unroll(gray.net_g, features, None, None)
    torch.testing.assert_close(by_default, gray.unroll(gray.net_g, features, None, None, torch.zeros(1, 3, H, W)))
    torch.testing.assert_close(
        black.unroll(black.net_g, features, None, None), gray.unroll(gray.net_g, features, None, None, -torch.ones(1, 3, H, W)))


@pytest.mark.parametrize('options, message', [
    (dict(v0='white'), "model.v0 must be one of zeros, black, got 'white'"),
    (dict(frame_reduce='max'), 'model.frame_reduce must be mean'),
    (dict(window=0), 'model.window=0'), (dict(ema=1), 'model.ema=1'), (dict(ema=True), 'model.ema=True'),
    (dict(ema='0.9'), 'ema is a text, expected a number or None'),
    (dict(feature_maps=dict(edge_channel='soft')), "feature_maps.edge_channel must be one of warped, real, none, got 'soft'"),
    (dict(feature_maps=dict(pose_channels='drawn')), 'feature_maps.pose_channels must be one of')])
def test_options_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


@pytest.mark.parametrize('window', [1, 2, 3])
def test_train_step_moves_every_network_and_reports_weighted_losses(window):
    model = build(window)
    before = copy.deepcopy(model.state_dict())
    logs = model.train_step(batch_of(model, frames=window), adams(model))
    assert set(logs) == {'g/gan', 'g/fm', 'g/l1', 'd/fake', 'd/real'}
    assert all(v.isfinite() and not v.requires_grad for v in logs.values())
    for prefix in ('net_g.', 'net_d.', 'net_g_ema.'):
        assert any(not torch.equal(v, before[k]) for k, v in model.state_dict().items() if k.startswith(prefix)), prefix


def test_the_generator_update_leaves_no_gradient_in_the_discriminator(monkeypatch):
    model = build()
    seen = []
    original = VideoPix2PixHD.step

    def spy(self, wrappers, name, loss):
        original_update = wrappers[name].update_params

        def update(value):
            if name == 'g':
                value.backward(retain_graph=True)
                seen.append(sum(p.grad is not None for p in self.net_d.parameters()))
                self.net_g.zero_grad()
            original_update(value)

        wrappers[name].update_params = update
        original(self, wrappers, name, loss)

    monkeypatch.setattr(VideoPix2PixHD, 'step', spy)
    model.train_step(batch_of(model), adams(model))
    assert seen == [0]


def test_the_discriminator_update_leaves_no_gradient_in_the_generator():
    model = build()
    wrappers = adams(model)
    gradients = {}
    update = wrappers['d'].update_params

    def spy(loss):
        model.net_g.zero_grad()
        loss.backward(retain_graph=True)
        gradients['g'] = [p.grad for p in model.net_g.parameters()]
        model.net_d.zero_grad()
        update(loss)

    wrappers['d'].update_params = spy
    model.train_step(batch_of(model), wrappers)
    assert all(g is None for g in gradients['g'])


def test_losses_of_a_batch_are_the_mean_of_its_samples():
    batch = batch_of(build(), size=2)
    rows = [{k: v[i:i + 1] for k, v in batch.items()} for i in range(2)]
    logs = []
    for data in (batch, *rows):
        model = build()
        logs.append(model.train_step(data, adams(model)))
    for key in ('g/fm', 'g/l1', 'd/real'):
        torch.testing.assert_close(logs[0][key], (logs[1][key] + logs[2][key]) / 2, rtol=1e-4, atol=1e-5)


def test_identical_runs_are_bitwise_equal():
    states = []
    for _ in range(2):
        model = build()
        wrappers = adams(model)
        for i in range(2):
            model.train_step(batch_of(model, seed=i), wrappers)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_streaming_equals_unrolling_and_restores_the_mode():
    model = build().train()
    data = batch_of(model, size=1, frames=3)
    streamed = torch.from_numpy(model.test_step(data)[0]['generated'])
    assert model.net_g.training
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        unrolled = model.unroll(model.net_g_ema, 2 * model.feature_maps(batch) - 1, None, None)[0]
    assert streamed.shape == (3, H, W, 3)
    assert (streamed.int() - model.data_preprocessor.to_uint8(unrolled).int()).abs().max() <= 1


@pytest.mark.parametrize('window, follows', [(1, False), (2, True)])
def test_a_frame_follows_the_one_before_only_where_training_showed_one(window, follows):
    model = build(window=window)
    data = batch_of(model, 1, frames=1)
    content, frame = fields.content_of(data), {key: data[key] for key in ('poses', 'pose_maps', 'regions') if key in data}
    paint = model.open(content)
    first, second = paint(frame), paint(frame)
    assert bool((first != second).any()) is follows


def test_generation_pulls_frames_one_by_one():
    model = build()
    data = batch_of(model, size=1, frames=3)
    taken = []

    def frames():
        for t in range(3):
            taken.append(t)
            yield {k: data[k][:, t:t + 1] for k in ('poses', 'pose_maps', 'regions')}

    stream = model.generate(frames(), content={k: v for k, v in data.items() if k.startswith('content_')})
    next(stream)
    assert taken == [0]


def test_what_the_content_says_is_computed_once_a_video(monkeypatch):
    model = build()
    data = batch_of(model, size=1, frames=3)
    prepare, calls = model.feature_maps.warper.prepare, []
    monkeypatch.setattr(model.feature_maps.warper, 'prepare', lambda *given: calls.append(len(calls)) or prepare(*given))
    once = model.test_step(data)[0]['generated']
    assert calls == [0]
    monkeypatch.setattr(model.feature_maps, 'held', lambda content: content)
    assert (model.test_step(data)[0]['generated'] == once).all() and len(calls) == 4


def test_the_code_reaches_the_picture():
    model = build(z_dims=(2, 2))
    data = batch_of(model, size=1)
    pictures = [model.test_step(dict(data, z=z))[0]['generated'].astype(int) for z in (torch.zeros(1, 4), 3 * torch.ones(1, 4))]
    assert abs(pictures[0] - pictures[1]).max() > 0


def test_windows_of_another_length_are_refused_before_training():
    model = build(window=2)
    model.check_data(SimpleNamespace(window=2))
    model.check_data([])
    with pytest.raises(InputError, match='model.window=2, but train_dataloader.dataset.window=3'):
        model.check_data(SimpleNamespace(window=3))


def test_what_the_model_does_not_look_at_is_refused_in_each_data_set_of_a_mixture():
    model, plain = build(), SimpleNamespace(references=None, plate=False)
    model.check_data(SimpleNamespace(window=2, parts=dict(a=plain, b=plain)))
    for other, words in ((dict(plate=True), 'gives plate'), (dict(references=SimpleNamespace(garments=True)), 'references.garments')):
        with pytest.raises(InputError, match=words):
            model.check_data(SimpleNamespace(window=2, parts=dict(a=plain, b=SimpleNamespace(**other))))


def test_a_loss_of_weight_zero_is_not_built():
    model = build()
    assert 'fm' in model.losses
    losses = dict(gan=dict(type='GANLoss'), fm=dict(type='FeatureMatchingLoss', weight=0.0))
    model = MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8), losses=losses))
    assert list(model.losses) == ['gan']


def test_without_a_discriminator_the_generator_learns_by_the_other_losses_alone():
    generator = dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)
    model = MODELS.build(dict(type='VideoPix2PixHD', generator=generator, discriminator=None, losses=dict(l1=dict(type='L1Loss'))))
    before = model.net_g.head.conv.weight.detach().clone()
    both = adams(model, d=['net_g'])
    logs = model.train_step(batch_of(model), OptimWrapperDict(g=both['g']))
    assert set(logs) == {'g/l1'} and not any(name.startswith('net_d') for name, _ in model.named_children())
    assert not torch.equal(model.net_g.head.conv.weight, before)
    with pytest.raises(InputError, match='optim_wrapper has the entries g, d, expected g'):
        model.train_step(batch_of(model), both)
    with pytest.raises(InputError, match='losses.gan asks a discriminator, but model.discriminator=None'):
        MODELS.build(dict(type='VideoPix2PixHD', generator=generator, discriminator=None, losses=dict(gan=dict(type='GANLoss'))))


@pytest.mark.parametrize('options, words', [
    (dict(losses=dict(l1=dict(type='L1Loss')), discriminator_view=dict(crop='person')),
     "discriminator_view .* no loss of='gan' trains one"),
    (dict(curriculum={}, feature_maps=dict(edge_channel='real')), "curriculum .* edge_channel='real' and pose_channels='rendered'"),
    (dict(curriculum={}, feature_maps=dict(edge_channel='none')), "curriculum .* edge_channel='none'")])
def test_options_that_would_do_nothing(options, words):
    with pytest.raises(InputError, match=words):
        build(**options)
    build(curriculum={}, feature_maps=dict(edge_channel='none', pose_channels='warped'))


@pytest.mark.parametrize(
    'edges, pose, channels', [('warped', 'rendered', 4), ('warped', 'warped', 4), ('real', 'rendered', 4), ('none', 'warped', 3)])
def test_feature_map_options(edges, pose, channels):
    model = build(feature_maps=dict(edge_channel=edges, pose_channels=pose))
    batch = model.data_preprocessor(batch_of(model))
    features = model.feature_maps(batch)
    assert features.shape == (2, 2, channels, H, W)
    assert features.min() >= 0 and features.max() <= 1
    if pose == 'rendered':
        torch.testing.assert_close(features[:, :, :3], batch['pose_maps'])
    if edges == 'real':
        torch.testing.assert_close(features[:, :, 3:], batch['edges'] * batch['masks'])


def test_feature_map_of_the_content_pose_is_the_content_itself():
    model = build()
    data = batch_of(model, size=1)
    pose = torch.tensor(PERSON)
    data['content_pose'], data['poses'] = pose[None], pose.expand(1, 2, -1, -1).clone()
    batch = model.data_preprocessor(data)
    expected = batch['content_edge'] * batch['content_mask'] * (batch['content_parts'] > 0)
    features = model.feature_maps(batch)
    torch.testing.assert_close(features[:, 0, 3:], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(features[:, 1, 3:], expected, atol=1e-4, rtol=0)


PERSON = [
    [24., 8., 1.], [24., 14., 1.], [18., 14., 1.], [14., 22., 1.], [11., 29., 1.], [30., 14., 1.], [34., 22., 1.], [37., 29., 1.],
    [20., 32., 1.], [19., 44., 1.], [18., 56., 1.], [28., 32., 1.], [29., 44., 1.], [30., 56., 1.], [22., 6., 1.], [26., 6., 1.],
    [20., 7., 1.], [28., 7., 1.]]
