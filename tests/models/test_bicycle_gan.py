"""BicycleGAN's method: who learns from what in both schemes, the literal update order, and that a code comes to carry color."""

import copy
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import torch._functorch.config as functorch_config
from mmengine.optim import OptimWrapperDict

from tests.two_processes import in_two_processes
from toolkit.engine.flops import count_flops
from toolkit.engine.launch import load_config
from toolkit.engine.optim import AmpOptimWrapper, OptimWrapper
from toolkit.engine.wrapper import SeparateDDP
from toolkit.models.bare import unwrapped
from toolkit.registry import LOSSES, MODELS
from toolkit.structures import InputError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
H, W, NZ = 32, 24, 3
WEIGHTS = dict(gan=1.0, l1=10.0, region=10.0, kl=0.01, z=0.5)


def build(scheme='paper', weights=None, sees='whole', logvar_bias=-1.0, **kwargs):
    torch.manual_seed(0)
    kinds = dict(gan='GANLoss', gan2='GANLoss', l1='L1Loss', region='RegionL1Loss', kl='KLLoss', z='L1Loss')
    weights = {**WEIGHTS, **(dict(gan2=1.0) if scheme == 'official' else {}), **(weights or {})}
    return MODELS.build(dict(
        type='BicycleGAN', scheme=scheme, losses={name: dict(type=kinds[name], weight=weight) for name, weight in weights.items()},
        encoder=dict(type='RegionEncoder', sees=sees, encoder=dict(
            type='ResNetEncoder', nz=NZ, nef=4, n_down=3, logvar_bias=logvar_bias)),
        generator=dict(type='UNet', n_down=3, ngf=4), discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=2), **kwargs))


class Recorder(OptimWrapper):
    """Keeps the gradients of each update."""

    def step(self, **kwargs):
        self.gradients = [None if p.grad is None else p.grad.clone() for g in self.param_groups for p in g['params']]
        super().step(**kwargs)


def optimizers(model, lr=0.01, kind=Recorder, **kwargs):
    names = [name[4:] for name in model.networks()]
    return OptimWrapperDict(**{
        name: kind(optimizer=torch.optim.SGD(getattr(model, f'net_{name}').parameters(), lr), **kwargs) for name in names})


def batch_of(model, size=2, seed=0):
    """Random frames, maps, regions and masks."""
    generator = torch.Generator().manual_seed(seed)
    batch = {}
    for key, value in model.example_batch(H, W, 1).items():
        batch[key] = torch.cat([value[:1]] * size) if torch.is_tensor(value) else value[:1] * size
        if torch.is_tensor(value) and value.dtype == torch.uint8:
            batch[key] = torch.randint(0, 256, batch[key].shape, generator=generator).to(torch.uint8)
    return batch


def grads(network):
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]


def gradients(model, data, order='published'):
    """Gradients of G and E.

    'published': of all losses but the regression; then, E's parameters fixed, those of the regression on top, for G alone. 'frozen':
    of the sum of all losses, E's parameters fixed while it looks at the painted picture. 'together': of the sum, nothing fixed.
    """
    model = copy.deepcopy(model)
    frames = model.frames_of(model.data_preprocessor(data))
    half = len(frames.images) // 2 if model.scheme == 'official' else None
    a, b, recolored = frames.features[:half], frames.images[:half], frames.recolored[:half]
    sees = frames.regions[:half], frames.masks[:half]
    mu, logvar = model.net_e(b, *sees)
    z = mu + (0.5 * logvar).exp() * model.randn(*mu.shape)
    painted, target = model.net_g(a, z), z.detach()
    again = painted
    loss = sum((scale[-1] - 1).square().mean() for scale in model.net_d(painted)) + 10 * (painted - b).abs().mean()
    loss = loss + 10 * (((painted - b).abs().mean(1, keepdim=True) * recolored).sum((1, 2, 3)) / recolored.sum((1, 2, 3))).mean()
    loss = loss + 0.01 * -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
    if model.scheme == 'official':
        target = model.randn(*mu.shape, salt=1)
        again = model.net_g(a, target)
        loss = loss + sum((scale[-1] - 1).square().mean() for scale in model.net_d2(again))
    with model.frozen(model.net_e) if order == 'frozen' else nullcontext():
        regression = 0.5 * (model.net_e(again, *sees)[0] - target).abs().mean()
    if order != 'published':
        (loss + regression).backward()
        return grads(model.net_g), grads(model.net_e)
    loss.backward(retain_graph=True)
    of_e = grads(model.net_e)
    regression.backward()
    return grads(model.net_g), of_e


def close(these, those, tolerance=1e-4):
    return all((a - b).norm() <= tolerance * b.norm() + 1e-6 for a, b in zip(these, those, strict=True))


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_one_backward_pass_gives_the_gradients_of_the_published_order(scheme):
    model = build(scheme, weights=dict(z=0.5))
    data = batch_of(model)
    (of_g, of_e), (_, frozen), (_, together) = (gradients(model, data, order) for order in ('published', 'frozen', 'together'))
    wrappers = optimizers(model)
    model.train_step(data, wrappers)
    assert close(wrappers['g'].gradients, of_g) and close(wrappers['e'].gradients, of_e)
    assert not close(together, of_e, 0.05)
    assert close(frozen, of_e, 0.01) == (scheme == 'official'), 'the regression on G(A, E(B)) reaches E through its code as well'


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_the_regression_teaches_g_and_not_e(scheme):
    steps = []
    for weight in (0.0, 0.5, 50.0):
        model = build(scheme, weights=dict(z=weight))
        wrappers = optimizers(model)
        model.train_step(batch_of(model), wrappers)
        steps.append((wrappers['g'].gradients, wrappers['e'].gradients))
    (g0, e0), (g1, e1), (g2, e2) = steps
    assert close(e1, e0) and close(e2, e0) and any(x.any() for x in e0)
    assert not close(g1, g0, 1e-3) and not close(g2, g1, 0.1)


@pytest.mark.parametrize('scheme, weights, calls', [
    ('paper', {}, dict(g=1, e=2, d=3)), ('official', {}, dict(g=2, e=2, d=3, d2=3)), ('paper', dict(z=0.0), dict(g=1, e=1, d=3))])
def test_number_of_forward_passes(scheme, weights, calls):
    model = build(scheme, weights)
    counted = dict.fromkeys(calls, 0)

    def count(name):
        def hook(*_):
            counted[name] += 1
        return hook

    for name in calls:
        getattr(model, f'net_{name}').register_forward_hook(count(name))
    model.train_step(batch_of(model), optimizers(model))
    assert counted == calls and len(calls) == len(model.networks())


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_train_step_moves_every_network_and_reports_weighted_losses(scheme):
    model = build(scheme)
    before, data = copy.deepcopy(model), batch_of(model)
    logs = model.train_step(data, optimizers(model))
    expected = {'g/gan', 'g/l1', 'g/region', 'g/kl', 'g/z', 'd/fake', 'd/real', 'e/nats', 'e/sigma'}
    assert set(logs) == expected | ({'g/gan2', 'd2/fake', 'd2/real'} if scheme == 'official' else set())
    assert all(v.isfinite() and not v.requires_grad for v in logs.values())
    for name, network in model.networks().items():
        assert any(not torch.equal(p, q) for p, q in zip(network.parameters(), before.networks()[name].parameters())), name
    frames = before.frames_of(before.data_preprocessor(data))
    first, last = (frames.part(0, 1), frames.part(1, 2)) if scheme == 'official' else (frames, frames)
    with torch.no_grad():
        mu, logvar = before.encode(first.images, first.regions, first.masks)
        painted = before.decode(first.features, mu + (0.5 * logvar).exp() * before.randn(*mu.shape))
        random = before.decode(first.features, before.randn(*mu.shape, salt=1))
        said = {'d/real': sum((s[-1] - 1).square().mean() for s in before.net_d(first.images)),
                'd/fake': sum(s[-1].square().mean() for s in before.net_d(painted)),
                'g/gan': sum((s[-1] - 1).square().mean() for s in before.net_d(painted)),
                'g/l1': 10 * (painted - first.images).abs().mean(),
                'e/nats': 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean(), 'e/sigma': (0.5 * logvar).exp().mean()}
        if scheme == 'official':
            said |= {'d2/real': sum((s[-1] - 1).square().mean() for s in before.net_d2(last.images)),
                     'd2/fake': sum(s[-1].square().mean() for s in before.net_d2(random)),
                     'g/z': 0.5 * (before.encode(random, first.regions, first.masks)[0] - before.randn(*mu.shape, salt=1)).abs().mean()}
    for name, value in said.items():
        torch.testing.assert_close(logs[name], value, msg=name)


def test_the_second_half_of_an_official_batch_is_only_compared_with():
    logs = []
    for conditional, change in [(False, None), (False, 'pose_maps'), (False, 'frames'), (True, None), (True, 'pose_maps')]:
        model = build('official', conditional=conditional)
        data = batch_of(model, 4)
        if change:
            data[change][2:] = 255 - data[change][2:]
        wrappers = optimizers(model)
        logs.append((model.train_step(data, wrappers), wrappers))
    plain, poses, pictures, conditional, conditional_poses = logs
    assert plain[0] == poses[0], 'A of the second half is not used'
    changed = {key for key in plain[0] if plain[0][key] != pictures[0][key]}
    assert changed == {'d2/real'} and close(plain[1]['g'].gradients, pictures[1]['g'].gradients, 0)
    assert {key for key in conditional[0] if conditional[0][key] != conditional_poses[0][key]} == {'d2/real'}


def test_an_odd_batch_cannot_be_halved():
    model = build('official')
    with pytest.raises(InputError, match='3 frames.*even'):
        model.train_step(batch_of(model, 3), optimizers(model))


def test_one_discriminator_for_both_branches_makes_one_step():
    model = build('official', same_discriminator=True)
    assert sorted(model.networks()) == ['net_d', 'net_e', 'net_g']
    wrappers, data = optimizers(model), batch_of(model)
    before = copy.deepcopy(model)
    logs = model.train_step(data, wrappers)
    assert {'d/fake', 'd2/fake'} <= set(logs)
    frames = before.frames_of(before.data_preprocessor(data))
    real = sum((s[-1] - 1).square().mean() for part in (frames.part(0, 1), frames.part(1, 2)) for s in before.net_d(part.images))
    torch.testing.assert_close(logs['d/real'] + logs['d2/real'], real)


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_discriminators_teach_nobody_else_and_learn_from_nobody_else(scheme):
    model = build(scheme)
    wrappers, left = optimizers(model), {}
    for name in wrappers.keys():
        update = wrappers[name].update_params

        def spy(loss, name=name, update=update):
            model.zero_grad()
            loss.backward(retain_graph=True)
            left[name] = {n for n, net in model.networks().items() if any(g.any() for g in grads(net))}
            model.zero_grad()
            update(loss)

        wrappers[name].update_params = spy
    model.train_step(batch_of(model), wrappers)
    assert left.pop('g') == {'net_g', 'net_e'}
    assert left == {name: {f'net_{name}'} for name in left} and len(left) == (1 if scheme == 'paper' else 2)


def test_z_target():
    logs = [build(z_target=target).train_step(batch_of(build()), optimizers(build())) for target in ('sample', 'mu')]
    assert logs[0]['g/z'] != logs[1]['g/z'] and logs[0]['g/l1'] == logs[1]['g/l1']


def test_where_the_region_loss_looks():
    model = build()
    data = batch_of(model)
    frames = model.frames_of(model.data_preprocessor(data))
    torch.testing.assert_close(frames.recolored[0, 0], data['regions'][0, 0, 0] / 255 * data['masks'][0, 0, 0] / 255)
    data['recolored_region'] = torch.zeros(2, 1, 1, H, W)
    data['recolored_region'][..., :8, :8] = 1
    assert torch.equal(model.frames_of(model.data_preprocessor(data)).recolored, data['recolored_region'][:, 0])


def test_a_is_the_stick_figure_and_the_edges_inside_the_mask():
    model = build()
    data = batch_of(model)
    features = model.frames_of(model.data_preprocessor(data)).features
    torch.testing.assert_close(features[:, :3], data['pose_maps'][:, 0] / 127.5 - 1)
    torch.testing.assert_close(features[:, 3:], 2 * (data['edges'][:, 0] / 255) * (data['masks'][:, 0] / 255) - 1)


def test_accumulating_two_batches_equals_one_of_both():
    models = [build(weights=dict(z=5.0)) for _ in range(2)]
    data = batch_of(models[0], 4)
    rows = [{k: v[i:i + 2] for k, v in data.items()} for i in (0, 2)]
    for model, batches, count in zip(models, ([data], rows), (1, 2)):
        model.randn = lambda *shape, frames=1, salt=0: torch.zeros(shape)
        wrappers = optimizers(model, accumulative_counts=count)
        for batch in batches:
            model.train_step(batch, wrappers)
    for (name, a), b in zip(models[0].named_parameters(), models[1].parameters()):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4, msg=name)


def test_one_optimizer_for_generator_and_encoder_does_the_same():
    models = [build(), build()]
    apart, together = (optimizers(model, kind=OptimWrapper) for model in models)
    both = [*models[1].net_g.parameters(), *models[1].net_e.parameters()]
    together = OptimWrapperDict(g=OptimWrapper(optimizer=torch.optim.SGD(both, 0.01)), d=together['d'])
    for model, wrappers in zip(models, (apart, together)):
        model.train_step(batch_of(model), wrappers)
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters()))


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_a_compiled_generator_can_be_asked_twice(scheme, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, 'compile', lambda self, **_: None)
    with functorch_config.patch(donated_buffer=True):
        build(scheme, compile_networks=True).prepare_networks()
        assert functorch_config.donated_buffer == (scheme == 'official')


def test_optimizers_that_do_not_fit_each_other():
    model = build()
    wrappers = optimizers(model)
    wrappers['e']._accumulative_counts = 2
    with pytest.raises(InputError, match='accumulative_counts must equal'):
        model.train_step(batch_of(model), wrappers)
    wrappers = optimizers(model, kind=AmpOptimWrapper)
    model.train_step(batch_of(model), wrappers)
    wrappers['g'].dtype = torch.float16
    with pytest.raises(InputError, match='bfloat16'):
        model.train_step(batch_of(model), wrappers)


def test_identical_runs_are_bitwise_equal():
    states = []
    for _ in range(2):
        model = build('official')
        wrappers = optimizers(model)
        for i in range(2):
            model.set_train_state(0, 0, i, 2)
            model.train_step(batch_of(model, seed=i), wrappers)
        states.append(model.state_dict())
    assert all(torch.equal(v, states[1][k]) for k, v in states[0].items() if torch.is_tensor(v))


def test_two_processes_do_what_one_does(tmp_path):
    def train(rank):
        """Two steps on a half of each batch."""
        model = build(weights=dict(z=5.0))
        wrapped, wrappers = SeparateDDP(model), optimizers(model)
        for i in range(2):
            model.set_train_state(0, rank, i, 2)
            wrapped.train_step({k: v[rank::2] for k, v in batch_of(model, 4, seed=i).items()}, wrappers)
        with unwrapped(wrapped) as bare:
            torch.save(bare.state_dict(), tmp_path / f'{rank}.pth')

    in_two_processes(train, tmp_path)
    model = build(weights=dict(z=5.0))
    wrappers = optimizers(model)
    for i in range(2):
        model.set_train_state(0, 0, i, 2)
        model.train_step(batch_of(model, 4, seed=i), wrappers)
    states = [torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2)]
    for key, value in model.state_dict().items():
        if torch.is_tensor(value):
            assert torch.equal(states[0][key], states[1][key]), key
            torch.testing.assert_close(states[0][key], value, atol=1e-5, rtol=1e-4, msg=key)


def solid_colors(model, generator, size=8):
    """People whose body is one color, different in every sample; everything else is always the same."""
    batch = batch_of(model, size)
    body = (..., slice(8, 24), slice(8, 16))
    colors = torch.randint(0, 256, (size, 1, 3, 1, 1), generator=generator).to(torch.uint8)
    frames = torch.full_like(batch['frames'], 90)
    frames[body] = colors.expand_as(frames[body])
    maps = {key: torch.zeros_like(batch[key]) for key in ('masks', 'regions', 'pose_maps', 'edges')}
    for value in maps.values():
        value[body] = 255
    maps['regions'][:, :, 1] = 0
    return dict(batch, frames=frames, **maps)


def wrong_colors(model):
    """How far bodies painted with others' codes are from the others' colors; 1 = as far as the mean color."""
    frames = model.frames_of(model.data_preprocessor(solid_colors(model, torch.Generator().manual_seed(9), 32)))
    with torch.no_grad():
        mu, _ = model.encode(frames.images, frames.regions, frames.masks)
        painted = model.decode(frames.features, mu.roll(1, 0))[..., 8:24, 8:16].mean((2, 3))
    wanted = frames.images.roll(1, 0)[..., 8:24, 8:16].mean((2, 3))
    return float((painted - wanted).abs().mean() / (wanted - wanted.mean(0)).abs().mean())


@pytest.mark.parametrize('region_weight, low, high', [(10.0, 0.0, 0.7), (0.0, 0.85, 2.0)])
def test_the_code_comes_to_carry_color_when_the_region_counts(region_weight, low, high):
    model = build(weights=dict(region=region_weight), sees='region', logvar_bias=-4.0)
    generator = torch.Generator().manual_seed(0)
    adam = {name[4:]: torch.optim.Adam(network.parameters(), 3e-3, (0.5, 0.999)) for name, network in model.networks().items()}
    wrappers = OptimWrapperDict(**{name: OptimWrapper(optimizer=optimizer) for name, optimizer in adam.items()})
    assert wrong_colors(model) > 0.85
    for i in range(180):
        model.set_train_state(0, 0, i, 180)
        model.train_step(solid_colors(model, generator), wrappers)
    assert low < wrong_colors(model) < high


def test_reconstructing_a_clip():
    model = build(test_samples=2).eval()
    data = batch_of(model, 5)
    data = {k: v.transpose(0, 1) if torch.is_tensor(v) and v.ndim > 2 and not k.startswith('content_') else v for k, v in data.items()}
    result, = model.test_step(data)
    again, = model.test_step(data, chunk=2)
    assert result['generated'].shape == (5, H, W, 3) and result['samples'].shape == (2, 5, H, W, 3)
    assert result['mu'].shape == result['logvar'].shape == (5, NZ)
    assert abs(result['generated'].astype(int) - again['generated']).max() <= 1 and abs(result['mu'] - again['mu']).max() < 1e-5
    frames = model.frames_of(model.data_preprocessor(data))
    with torch.no_grad():
        mu, _ = model.encode(frames.images, frames.regions, frames.masks)
    torch.testing.assert_close(torch.from_numpy(result['mu']), mu)
    assert (result['samples'][0] != result['samples'][1]).any()


@pytest.mark.parametrize('name, networks', [
    ('stage1_bicyclegan_up', dict(net_e=2_594_144, net_g=42_465_667, net_d=3_458_978)),
    ('stage1_bicyclegan_down', dict(net_e=2_590_032, net_g=42_146_179, net_d=3_458_978)),
    ('ablations/stage1_bicyclegan_official', dict(net_e=2_594_144, net_g=42_465_667, net_d=3_458_978, net_d2=3_458_978))])
def test_configs_have_the_published_sizes(name, networks):
    cfg = load_config(CONFIGS / f'{name}.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert {key: sum(p.numel() for p in net.parameters()) for key, net in model.networks().items()} == networks
    assert model.losses.weights.items() >= WEIGHTS.items() and model.losses['kl'].reduction == 'batch_mean'
    assert model.net_e.region == ('down' if 'down' in name else 'up') and model.net_e.sees == 'region'
    assert cfg.train_cfg.max_iters == 200 * cfg.param_scheduler[0].epoch_iters
    adams = [entry.optimizer for entry in cfg.optim_wrapper.values() if isinstance(entry, dict)]
    assert len(adams) == len(networks) and all(adam == dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)) for adam in adams)


def test_the_literal_config():
    small = ['model.generator.ngf=2', 'model.encoder.encoder.nef=2']
    model = MODELS.build(load_config(CONFIGS / 'ablations/stage1_literal.py', small).model)
    assert 'region' not in model.losses and model.losses['kl'].reduction == 'sum' and model.net_e.sees == 'whole'
    assert model.net_e.config['encoder'] | dict(norm='instance', pooling='avg8') == model.net_e.config['encoder']
    assert not model.net_e.network.logvar.bias.any() and model.net_e.network.stem.weight.std() < 0.01


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_work_can_be_counted(scheme):
    model = build(scheme)
    entries = {name[4:]: dict(networks=[name], optimizer=dict(type='Adam')) for name in model.networks()}
    rows = count_flops(model, entries, H, W)
    assert all(row.macs for row in rows) and len(rows) == len(entries)


def test_wrong_options():
    for options, message in [(dict(scheme='both'), "scheme='both'"),
                             (dict(same_discriminator=True), "same_discriminator=True is for scheme='official'"),
                             (dict(scheme='official', z_target='mu'), "z_target='mu' is for scheme='paper'"),
                             (dict(weights=dict(z=0), z_target='mu'), "z_target='mu' is for scheme='paper' with a loss of='z'"),
                             (dict(z_target='z'), "z_target='z'"),
                             (dict(weights=dict(gan=0.0)), 'needs gan'), (dict(weights=dict(gan2=1.0)), 'gan2')]:
        with pytest.raises(InputError, match=message):
            build(**options)


@pytest.mark.parametrize('scheme', ['paper', 'official'])
def test_shared_scores_give_the_same_gradients(scheme):
    found = []
    for share in (False, True):
        model = build(scheme, share_scores=share)
        wrappers = optimizers(model)
        logs = model.train_step(batch_of(model), wrappers)
        found.append(({k: float(v) for k, v in logs.items()}, [p.detach().clone() for p in model.parameters()]))
    (a, these), (b, those) = found
    assert a == pytest.approx(b, rel=1e-5, abs=1e-7)
    for p, q in zip(these, those):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('gan2', [dict(real_label=0.5), dict(objective='hinge')])
def test_the_discriminator_of_the_random_branch_learns_by_its_own_loss(gan2):
    """It learned by that of the encoded one, and ``gan2`` reached the generator alone."""
    def gradients(**changes):
        model = build('official')
        model.losses['gan2'] = LOSSES.build(dict(type='GANLoss', **changes))
        wrappers = optimizers(model)
        model.train_step(batch_of(model), wrappers)
        return [torch.cat([g.flatten() for g in wrappers[name].gradients]) for name in ('d', 'd2')]

    plain, changed = gradients(), gradients(**gan2)
    assert torch.equal(plain[0], changed[0]) and not torch.allclose(plain[1], changed[1], rtol=1e-3)
