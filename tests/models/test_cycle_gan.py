"""CycleGAN: the official update order, every option's effect, exact resume, two processes, streaming."""

import copy
import multiprocessing
import os
import socket

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from toolkit.engine.optim import NetworkOptimizers
from toolkit.models.cycle_gan import CycleGAN, triples
from toolkit.registry import MODELS, POSE_ESTIMATORS
from toolkit.structures import InputError
from toolkit.warpers.similarity import rescale_maps

H, W = 32, 24
ANCHORS = torch.tensor([[12.0, 28.0, 20.0], [10.0, 26.0, 15.0]])


@POSE_ESTIMATORS.register_module()
class CyclePose(nn.Module):
    """A random pose network."""

    def __init__(self):
        super().__init__()
        state = torch.random.get_rng_state()
        torch.manual_seed(5)
        self.conv = nn.Conv2d(3, 56, 8, stride=8)
        torch.random.set_rng_state(state)

    def heatmaps(self, images):
        maps = self.conv(images)
        return maps[:, :18], maps[:, 18:]


SKELETON = dict(type='SkeletonLoss', pose_network=dict(type='CyclePose'), min_side=None, weight=2.0)
TEMPORAL = dict(type='GANLoss', weight=1.0)
VIDEO = dict(window=3, previous_frames=2, carry=True, skeleton_scaling=True, foreground=dict(margin=0.05))


def build(losses=None, seed=0, **options):
    torch.manual_seed(seed)
    model = MODELS.build(dict(
        type='CycleGAN', generator=dict(type='ResNetGenerator', ngf=4, n_blocks=1),
        discriminator=dict(type='PatchGAN', ndf=4, n_layers=2),
        losses=dict(dict(gan=dict(type='GANLoss'), cycle=dict(type='L1Loss', weight=10.0)), **(losses or {})),
        **dict(dict(pool_size=3), **options)))
    for name, parameter in model.named_parameters():
        if name.startswith('net_g') and parameter.ndim > 1:
            parameter.data.mul_(5)
    return model


def build_video(**options):
    return build(dict(skeleton=dict(SKELETON, weight='auto_freeze'), temporal=TEMPORAL), **{**VIDEO, **options})


def optimisers(model, kind='Adam', lr=1e-3):
    entry = dict(optimizer=dict(type=kind, lr=lr))
    names = [n for n in model.networks() if not n.endswith('_ema')]
    return NetworkOptimizers(dict(g=dict(entry, networks=[n for n in names if 'net_g' in n]),
                                  d=dict(entry, networks=[n for n in names if 'net_d' in n])))(model)


def domain(size, frames, generator, first, anchor):
    def random(*shape):
        return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)

    masks = torch.zeros(size, frames, 1, H, W, dtype=torch.uint8)
    masks[..., 8:24, 8:16] = 255
    return dict(frames=random(size, frames, 3, H, W), masks=masks, poses=torch.zeros(size, frames, 18, 3), plate=random(size, 3, H, W),
                clip=['clip'] * size, index=torch.full((size,), first), fps=torch.full((size,), 25.0),
                follows=torch.full((size,), first > 0), anchor=anchor.expand(size, -1).clone())


def batch_of(size=1, frames=1, seed=0, first=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: domain(size, frames, generator, first, ANCHORS[i]) for i, name in enumerate('ab')}


def clip_of(length=4, seed=0):
    """A whole-clip item with a batch axis."""
    item = batch_of(1, length, seed)['a']
    return dict(item, pose_maps=torch.zeros(1, length, 3, H, W, dtype=torch.uint8))


def images(data, name):
    return data[name]['frames'].flatten(0, 1).float() / 127.5 - 1


# ---- the official scheme ------------------------------------------------------------------------------------------------------------


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
    logs = model.train_step(data, optimisers(model))
    assert set(logs) == set(expected) and loss is model.losses['skeleton']
    for name, value in expected.items():
        torch.testing.assert_close(logs[name], value, msg=name)
        assert not logs[name].requires_grad


def test_generators_are_updated_once_then_discriminators(monkeypatch):
    model, wrappers, calls = build(), None, []
    wrappers = optimisers(model)

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
        logs = [m.train_step(batch_of(seed=seed), optimisers(m, lr=0.0)) for m in (first, second)]
        for name in logs[0]:
            assert (logs[0][name] == logs[1][name]) or (seed >= 2 and name.endswith('_fake')), name
        for m in (first, second):
            m.set_train_state(0, 0, seed + 1, 10)
    assert first.pools['a'].count == first.pools['b'].count == 2 and second.pools['a'].images is None


def test_adam_over_both_networks_of_a_kind():
    model = build()
    wrappers = optimisers(model)
    sizes = {k: sum(p.numel() for group in w.optimizer.param_groups for p in group['params']) for k, w in wrappers.items()}
    networks = {k: sum(p.numel() for p in n.parameters()) for k, n in model.networks().items()}
    assert sizes == dict(g=networks['net_g_ab'] + networks['net_g_ba'], d=networks['net_d_a'] + networks['net_d_b'])


# ---- options ------------------------------------------------------------------------------------------------------------------------


def test_pose_network_is_not_in_the_model():
    model = build(dict(skeleton=SKELETON))
    assert len(list(model.state_dict())) == len(list(build().state_dict()))
    assert not [n for n, _ in model.named_parameters() if not n.startswith('net_')]
    before = model.losses['skeleton']._frozen[0].conv.weight.clone()
    model.train_step(batch_of(), optimisers(model))
    assert torch.equal(model.losses['skeleton']._frozen[0].conv.weight, before)


def test_auto_weight_keeps_the_skeleton_loss_proportional_then_stays():
    model = build(dict(skeleton=dict(SKELETON, weight='auto_freeze')), auto_weight=dict(ratio=0.5, freeze_at=3, by='loss'))
    wrappers, weights = optimisers(model, lr=1e-2), []
    for i in range(6):
        model.set_train_state(0, 0, i, 6)
        logs = model.train_step(batch_of(seed=i), wrappers)
        if i == 0:
            others = sum(v for k, v in logs.items() if k.startswith('g/') and 'skeleton' not in k)
            torch.testing.assert_close(logs['g/skeleton_ab'] + logs['g/skeleton_ba'], 0.5 * others)
        weights.append(float(logs['weight/skeleton']))
    assert len(set(weights[:3])) == 3 and len(set(weights[2:])) == 1


def test_auto_weight_by_gradients_is_the_default():
    model = build(dict(skeleton=dict(SKELETON, weight='auto_freeze')), auto_weight=dict(ratio=0.5))
    logs = model.train_step(batch_of(), optimisers(model))
    assert 0 < logs['weight/skeleton'] and model.auto_weight.means[2] > 0


def test_kept_maps_of_inputs_change_nothing():
    logs = []
    for cache in (0, 8):
        model = build(dict(skeleton=dict(SKELETON, cache=cache)))
        wrappers = optimisers(model)
        logs.append([model.train_step(batch_of(seed=seed), wrappers) for seed in (0, 1, 0)])
    assert logs[0] == logs[1]
    assert len(model.losses['skeleton']._cached) == 4


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
    logs = model.train_step(data, optimisers(model))
    assert {'g/temporal_ab', 'g/temporal_ba', 'd/a_time_real', 'd/a_time_fake', 'd/b_time_real', 'd/b_time_fake'} <= set(logs)
    assert torch.equal(inputs[1], (data['b']['frames'].float() / 127.5 - 1).flatten(1, 2))
    assert [x.shape for x in inputs] == [(2, 9, H, W)] * 3


def test_sequential_mini_batches_go_on_without_gradient_into_the_past():
    model = build(window=2, previous_frames=2, carry=True)
    wrappers = optimisers(model, lr=0.0)
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
    model = build(window=2, previous_frames=1, carry=True)
    wrappers = optimisers(model, lr=0.0)
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


@pytest.mark.parametrize('scaling', [False, True])
def test_the_scene_is_kept_outside_the_person(scaling):
    model = build(dict(skeleton=SKELETON), foreground=dict(margin=0.05), skeleton_scaling=scaling)
    model.anchors.copy_(ANCHORS)
    data = clip_of()
    out = torch.from_numpy(model.test_step(data)[0]['generated']).movedim(-1, 1).int()
    mask = F.max_pool2d(data['masks'][0].float() / 255, 5, 1, 2).expand(-1, 3, -1, -1) > 0
    real, plate = data['frames'][0].int(), data['plate'].expand(4, -1, -1, -1).int()
    painted = rescale_maps(mask.float(), *ANCHORS) > 0 if scaling else mask
    assert torch.equal(out[~mask & ~painted], real[~mask & ~painted])
    inside = mask & painted
    if scaling:
        assert (mask & ~painted).any() and (painted & ~mask).any()
        assert (out - plate)[mask & ~painted].abs().max() <= 1, 'where the taller person was, the empty scene shows'
    assert (out - real)[inside].abs().float().mean() > 5 and (out - plate)[inside].abs().float().mean() > 5


def test_discriminators_see_both_persons_in_one_scene():
    model = build(foreground=dict(margin=0.0))
    inputs = []
    model.net_d_b.register_forward_pre_hook(lambda net, args: inputs.append(args[0].detach()))
    data = batch_of()
    model.train_step(data, optimisers(model))
    fake, real, past = inputs
    mask = data['a']['masks'][:, 0].expand(-1, 3, -1, -1) > 0
    torch.testing.assert_close(real[~mask], images(data, 'a')[~mask], msg='the scene of A')
    torch.testing.assert_close(real[mask], images(data, 'b')[mask], msg='the person B')
    torch.testing.assert_close(fake[~mask], images(data, 'a')[~mask])
    torch.testing.assert_close(past, fake)


def test_the_cycle_of_a_kept_scene_looks_at_the_person():
    model = build(foreground=dict(margin=0.0))
    data = batch_of()
    a, mask = images(data, 'a'), data['a']['masks'][:, 0].expand(-1, 3, -1, -1) > 0
    with torch.no_grad():
        fake = torch.where(mask, model.net_g_ab(a), a)
        rec = model.net_g_ba(fake)
    logs = model.train_step(data, optimisers(model))
    torch.testing.assert_close(logs['g/cycle_a'], 10 * (rec - a)[mask].abs().mean())


def test_skeletons_are_scaled_between_the_persons():
    plain, scaled = (build(dict(skeleton=SKELETON), skeleton_scaling=on) for on in (False, True))
    logs = [m.train_step(batch_of(), optimisers(m)) for m in (plain, scaled)]
    for name in logs[0]:
        assert (logs[0][name] == logs[1][name]) == ('skeleton' not in name), name
    same = batch_of()
    same['b']['anchor'] = same['a']['anchor']
    equal = build(dict(skeleton=SKELETON), skeleton_scaling=True)
    torch.testing.assert_close(equal.train_step(same, optimisers(equal))['g/skeleton_ab'], logs[0]['g/skeleton_ab'])
    assert torch.equal(scaled.anchors, ANCHORS), 'kept for generation'


def test_options_that_do_not_go_together():
    skeleton = dict(skeleton=SKELETON)
    for options, message in [
            (dict(losses=dict(cycel=dict(type='L1Loss'))), "'cycel'.*'cycle'"),
            (dict(losses=dict(gan=dict(type='GANLoss', weight=0))), "'gan'"),
            (dict(losses=dict(temporal=TEMPORAL)), 'at least 3'), (dict(carry=True), 'previous_frames'),
            (dict(first='black'), 'first'), (dict(skeleton_scaling=True), 'nothing to scale'),
            (dict(foreground=dict(dilate=1)), 'dilate'),
            (dict(losses=skeleton, auto_weight=dict(ratio=1.0)), 'auto_freeze')]:
        with pytest.raises(InputError, match=message):
            build(**options)
    model = build(skeleton, skeleton_scaling=True)
    data = batch_of()
    del data['a']['anchor']
    with pytest.raises(InputError, match='anchors=True'):
        model.train_step(data, optimisers(model))
    model = build(foreground={})
    del data['b']['plate']
    with pytest.raises(InputError, match='plates=True'):
        model.train_step(data, optimisers(model))


def test_an_averaged_copy_generates():
    model = build(ema=0.9)
    before = copy.deepcopy(model.net_g_ab_ema.state_dict())
    model.train_step(batch_of(), optimisers(model))
    assert any(not torch.equal(v, before[k]) for k, v in model.net_g_ab_ema.state_dict().items())
    expected = model.test_step(clip_of())[0]['generated']
    nn.init.zeros_(model.net_g_ab.head[0].weight)
    assert (model.test_step(clip_of())[0]['generated'] == expected).all()


# ---- exact and in sync --------------------------------------------------------------------------------------------------------------


def train(model, wrappers, start, stop):
    """Sequential mini-batches start..stop-1, in runs of three."""
    for i in range(start, stop):
        model.set_train_state(seed=1, rank=0, iteration=i, max_iters=stop)
        logs = model.train_step(batch_of(1, 3, seed=i, first=3 * (i % 3)), wrappers)
    return logs


def test_resume_is_exact_with_pools_and_previous_frames(tmp_path):
    whole = build_video(pool_size=2, ema=0.9)
    wrappers = optimisers(whole)
    train(whole, wrappers, 0, 5)
    torch.save(dict(model=whole.state_dict(), optim=wrappers.state_dict()), tmp_path / 'state.pth')
    expected = train(whole, wrappers, 5, 9)
    resumed = build_video(pool_size=2, ema=0.9, seed=1)
    again = optimisers(resumed)
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    resumed.load_state_dict(state['model'])
    again.load_state_dict(state['optim'])
    assert resumed.memory.frames and resumed.pools['a_time'].count == 2
    without = build_video(pool_size=2, ema=0.9)
    without.load_state_dict(state['model'])
    without.memory.frames = {}
    logs = train(resumed, again, 5, 9)
    assert logs == expected and logs['weight/skeleton'] == expected['weight/skeleton']
    for (key, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        if torch.is_tensor(a):
            assert torch.equal(a, b), key
    forgetful = optimisers(without)
    forgetful.load_state_dict(state['optim'])
    assert train(without, forgetful, 5, 9) != expected, 'the previous frames matter'


def two_processes(rank, port, queue, options):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.distributed.init_process_group('gloo')
    from toolkit.engine.wrapper import SeparateDDP, unwrapped
    model = build_video(**options)
    wrapped = SeparateDDP(model)
    wrappers = optimisers_of(wrapped)
    for i in range(3):
        model.set_train_state(seed=1, rank=rank, iteration=i, max_iters=3)
        data = {k: {n: v[rank:rank + 1] for n, v in d.items()} for k, d in batch_of(2, 3, seed=i, first=3 * i).items()}
        logs = wrapped.train_step(data, wrappers)
    with unwrapped(wrapped) as bare:
        state = {k: v.numpy() for k, v in bare.state_dict().items() if torch.is_tensor(v)}
    queue.put((rank, state, float(logs['weight/skeleton']), model.pools['a'].images.numpy() if options['pool_size'] else None))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def optimisers_of(model):
    sgd = dict(optimizer=dict(type='SGD', lr=0.0002))
    return NetworkOptimizers(dict(g=dict(sgd, networks=['net_g_ab', 'net_g_ba']),
                                  d=dict(sgd, networks=['net_d_a', 'net_d_b', 'net_d_a_time', 'net_d_b_time'])))(model)


@pytest.mark.parametrize('pool_size', [0, 2])
def test_two_processes_stay_in_sync_and_do_what_one_does(pool_size):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    children = [context.Process(target=two_processes, args=(rank, port, queue, dict(pool_size=pool_size))) for rank in range(2)]
    for child in children:
        child.start()
    results = sorted((queue.get(timeout=60) for _ in range(2)), key=lambda result: result[0])
    (_, first, weight, pool), (_, second, other_weight, other_pool) = results
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert weight == other_weight
    assert all((first[k] == second[k]).all() for k in first if not k.startswith('pools'))
    if pool_size:
        assert (pool != other_pool).any(), 'each process has its own pool'
        return
    single, moved = build_video(pool_size=0), 0.0
    start = copy.deepcopy(single.state_dict())
    wrappers = optimisers_of(single)
    for i in range(3):
        single.set_train_state(seed=1, rank=0, iteration=i, max_iters=3)
        logs = single.train_step(batch_of(2, 3, seed=i, first=3 * i), wrappers)
    assert float(logs['weight/skeleton']) == pytest.approx(weight, rel=2e-3)
    for key, value in single.state_dict().items():
        if torch.is_tensor(value) and not key.startswith('auto_weight'):
            torch.testing.assert_close(value, torch.from_numpy(first[key]), atol=1e-5, rtol=0, msg=key)
            moved = max(moved, float((value - start[key]).abs().max()))
    assert moved > 5e-4


# ---- generation ---------------------------------------------------------------------------------------------------------------------


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

    stream = model.generate(frames(), 'ba')
    assert next(stream).shape == (H, W, 3) and taken == [0]
    with pytest.raises(InputError, match='direction'):
        next(model.generate(frames(), 'aa'))


def test_the_result_of_a_clip():
    model = build()
    data = clip_of(4)
    result = model.test_step(data)[0]
    assert result['clip'] == 'clip_ab' and result['scored'].all() and (result['real'] == data['frames'][0].movedim(1, -1).numpy()).all()
    truth = {f'truth_{k}': data[k].flip(-1) for k in ('frames', 'masks', 'pose_maps', 'poses')}
    result = model.test_step(dict(data, direction=['ba'], **truth))[0]
    assert result['clip'] == 'clip_ba' and (result['real'] == data['frames'].flip(-1)[0].movedim(1, -1).numpy()).all()


def test_watching_shows_the_bare_generators():
    model = build(foreground={})
    data = batch_of(2)
    shown = model.transfer(data)
    torch.testing.assert_close(shown['ba'][0], images(data, 'b'))
    with torch.no_grad():
        torch.testing.assert_close(shown['ab'][1], model.net_g_ab(images(data, 'a')))


def test_a_made_up_batch_trains():
    for model in (build(), build_video()):
        logs = model.train_step(model.example_batch(H, W), OptimWrapperDict(
            g=OptimWrapper(torch.optim.SGD([*model.net_g_ab.parameters(), *model.net_g_ba.parameters()], 0.01)),
            d=OptimWrapper(torch.optim.SGD(model.net_d_a.parameters(), 0.01))))
        assert all(v.isfinite() for v in logs.values())
