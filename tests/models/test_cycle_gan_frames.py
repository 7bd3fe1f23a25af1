"""CycleGAN: previous frames, temporal discriminators, and generation frame by frame."""

import pytest
import torch

from tests.models.cycle_gan_parts import TEMPORAL, H, W, batch_of, build, clip_of, images, optimizers
from toolkit.model_parts.discriminator_inputs import triples
from toolkit.structures import InputError


def test_each_generator_sees_its_two_last_frames():
    model = build(window=3, previous_frames=2)
    seen = []
    model.net_g_ab.register_forward_pre_hook(lambda net, args: seen.append(args[0]))
    frames = torch.rand(1, 3, 3, H, W)
    out, last = model.translate(model.net_g_ab, frames)
    zeros = torch.zeros(1, 3, H, W)
    for t, (before, earlier) in enumerate([(zeros, zeros), (out[:, 0], zeros), (out[:, 1], out[:, 0])]):
        torch.testing.assert_close(seen[t], torch.cat([frames[:, t], before, earlier], 1))
    torch.testing.assert_close(last, torch.stack([out[:, 2], out[:, 1]], 1))
    grad = torch.autograd.grad(out[:, 2].sum(), list(model.net_g_ab.parameters()))
    assert seen[2].requires_grad and any(g.any() for g in grad), 'frames of a window teach each other'
    other = build(window=3, previous_frames=2, first='input')
    seen.clear()
    other.net_g_ab.register_forward_pre_hook(lambda net, args: seen.append(args[0]))
    other.translate(other.net_g_ab, frames)
    torch.testing.assert_close(seen[0], frames[:, 0].repeat(1, 3, 1, 1))


def test_temporal_discriminators_see_triples():
    frames = torch.arange(2 * 4, dtype=torch.float32).reshape(2, 4, 1, 1, 1).expand(2, 4, 3, 1, 1)
    seen = triples(frames)[:, ::3, 0, 0].tolist()
    assert sorted(seen) == [[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7]]
    model = build(dict(temporal=TEMPORAL), window=3)
    inputs = []
    model.net_d_b_time.register_forward_pre_hook(lambda net, args: inputs.append(args[0].detach()))
    data = batch_of(2, 3)
    logs = model.train_step(data, optimizers(model))
    assert {'g/temporal_ab', 'g/temporal_ba', 'd/a_time_real', 'd/a_time_fake', 'd/b_time_real', 'd/b_time_fake'} <= set(logs)
    assert torch.equal(inputs[1], (data['b']['frames'].float() / 127.5 - 1).flatten(1, 2))
    assert [x.shape for x in inputs] == [(2, 9, H, W)] * 3


def test_sequential_mini_batches_go_on_without_gradient_into_the_past():
    model = build(window=2, previous_frames=2, stateful=True)
    wrappers = optimizers(model, lr=0.0)
    seen = []
    model.net_g_ab.register_forward_pre_hook(lambda net, args: seen.append(args[0][:, 3:].detach()))
    starts = []
    for first in (0, 2, 4, 3):
        seen.clear()
        model.train_step(batch_of(2, 2, seed=9, first=first), wrappers)
        starts.append(seen[0])
        expected = model.memory.frames['fake_b'].flatten(1, 2)
    assert not starts[0].any() and starts[1].any() and starts[2].any()
    assert not starts[3].any(), 'frame 3 does not follow frame 5'
    seen.clear()
    model.train_step(batch_of(2, 2, seed=1, first=5), wrappers)
    torch.testing.assert_close(seen[0], expected)
    assert not model.memory.frames['fake_b'].requires_grad
    assert set(model.memory.frames) == {'fake_a', 'fake_b', 'rec_a', 'rec_b'}


def test_only_rows_that_continue_go_on():
    model = build(window=2, previous_frames=1, stateful=True)
    wrappers = optimizers(model, lr=0.0)
    model.train_step(batch_of(2, 2), wrappers)
    data = batch_of(2, 2, first=2)
    data['a']['clip'][1] = 'another'
    seen = []
    model.net_g_ab.register_forward_pre_hook(lambda net, args: seen.append(args[0][:, 3:].detach()))
    model.train_step(data, wrappers)
    assert seen[0][0].any() and not seen[0][1].any()
    data = batch_of(2, 2, first=4)
    data['a']['follows'][0] = False
    seen.clear()
    data['a']['clip'][1] = 'another'
    model.train_step(data, wrappers)
    assert not seen[0][0].any() and seen[0][1].any()


@pytest.mark.parametrize('options', [dict(), dict(previous_frames=2, window=3), dict(foreground={})])
@pytest.mark.parametrize('direction', ['ab', 'ba'])
def test_streaming_equals_translating_a_window(options, direction):
    model = build(**options).train()
    data = clip_of(4)
    generated = torch.from_numpy(model.test_step(dict(data, direction=[direction]))[0]['generated'])
    assert model.net_g_ab.training and generated.shape == (4, H, W, 3)
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        net = model.net_g_ab if direction == 'ab' else model.net_g_ba
        window = model.translate(net, batch['frames'], model._scene(batch, direction[0]))[0][0]
    assert (generated.int() - model.data_preprocessor.to_uint8(window).int()).abs().max() <= 1


def test_generation_pulls_frames_one_by_one():
    model, data, taken = build(previous_frames=2), clip_of(3), []

    def frames():
        for t in range(3):
            taken.append(t)
            yield dict(frames=data['frames'][:, t:t + 1])

    stream = model.generate(frames(), direction='ba')
    assert next(stream).shape == (H, W, 3) and taken == [0]
    with pytest.raises(InputError, match='direction'):
        model.generate(frames(), direction='aa')


def test_the_result_of_a_clip():
    model = build()
    data = clip_of(4)
    result = model.test_step(data)[0]
    assert result['clip'] == 'clip_ab' and result['scored'].all() and (result['real'] == data['frames'][0].movedim(1, -1).numpy()).all()
    truth = {f'truth_{k}': data[k].flip(-1) for k in ('frames', 'masks', 'pose_maps', 'poses')}
    result = model.test_step(dict(data, direction=['ba'], clip=['clip_ba'], **truth))[0]
    assert result['clip'] == 'clip_ba' and (result['real'] == data['frames'].flip(-1)[0].movedim(1, -1).numpy()).all()


def test_watching_shows_the_bare_generators():
    model = build(foreground={})
    data = batch_of(2)
    shown = model.transfer(data)
    torch.testing.assert_close(shown['ba'][0], images(data, 'b'))
    with torch.no_grad():
        torch.testing.assert_close(shown['ab'][1], model.net_g_ab(images(data, 'a')))
