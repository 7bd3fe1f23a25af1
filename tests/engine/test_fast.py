"""--fast: what it chooses, that it computes the same within half precision, and that a run goes on exactly."""

import copy
import os
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapperDict
from torch import nn

from tests.models.test_video_pix2pixhd import batch_of
from tests.models.test_video_pix2pixhd_exact import build
from toolkit import apis, channels_last, machine
from toolkit.channels_last import Conv2d, FrozenConv2d
from toolkit.engine import estimate, fast, launch
from toolkit.engine.launch import load_config
from toolkit.engine.optim import NetworkOptimizers, OptimWrapper, use_amp
from toolkit.engine.processes import cores_of_process
from toolkit.engine.runner import TrainRunner
from toolkit.engine.workers import fitting_workers, memory_is_shared
from toolkit.losses.perceptual_backbones import vgg19_layers
from toolkit.machine import Machine
from toolkit.models.loss_table import LossTable
from toolkit.registry import MODELS
from tools import distill, finetune, train
from tools import estimate as estimate_tool

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def config(**model):
    entries = {name: dict(networks=[f'net_{name}'], optimizer=dict(type='Adam', lr=1e-3)) for name in 'gd'}
    return dict(model=dict(dict(type='VideoPix2PixHD'), **model), optim_wrapper=dict(constructor='NetworkOptimizers', **entries))


def on(monkeypatch, gpu, halves):
    here = Machine('some GPU' if gpu else 'some CPU', 'bfloat16' if halves else None, gpu, gpu, False, False)
    monkeypatch.setattr(fast, 'machine', lambda: here)


def test_a_processor_that_knows_bfloat16(monkeypatch):
    on(monkeypatch, False, True)
    cfg = config()
    line = fast.use_fast(cfg)
    assert all(word in line for word in ('bfloat16', 'channels_last', 'fused')) and 'CUDA' not in line and '\n' not in line
    assert cfg['model'] == dict(type='VideoPix2PixHD', channels_last=True, loss_dtype='bfloat16')
    for name in 'gd':
        entry = cfg['optim_wrapper'][name]
        assert entry['type'] == 'AmpOptimWrapper' and entry['dtype'] == 'bfloat16' and entry['optimizer']['fused'] is True


def test_networks_of_losses_are_frozen_convolutions_and_others_are_not(tmp_path):
    model = MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1), channels_last=True,
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2), loss_dtype='bfloat16',
        losses=dict(p=dict(type='PerceptualLoss', network='vgg19', weights=vgg(tmp_path)))))
    model.prepare_networks()
    of_loss = {type(layer) for layer in model.losses['p']._frozen[0].modules() if isinstance(layer, nn.Conv2d)}
    others = {type(layer) for net in model.networks().values() for layer in net.modules() if isinstance(layer, nn.Conv2d)}
    assert of_loss == {FrozenConv2d} and others == {Conv2d}


def test_one_that_does_not_stays_in_full_precision(monkeypatch):
    on(monkeypatch, False, False)
    cfg = config()
    assert 'bfloat16' not in fast.use_fast(cfg) and cfg['model'] == dict(type='VideoPix2PixHD')
    assert cfg['optim_wrapper']['g'].get('type') is None and cfg['optim_wrapper']['g']['optimizer']['fused'] is True


def test_half_precision_that_the_machine_has_not_is_told(monkeypatch):
    """It is computed all the same: one may want its numbers."""
    cfg = config(inference_dtype='bfloat16')
    on(monkeypatch, False, False)
    assert fast.slow_half(config()) == '' and fast.slow_half(cfg).startswith('model.inference_dtype: bfloat16')
    use_amp(cfg)
    said = fast.slow_half(cfg)
    assert all(key in said for key in ('optim_wrapper.g', 'optim_wrapper.d', 'model.loss_dtype', 'some CPU', '--fast'))
    fast.use_fast(again := config())
    assert fast.slow_half(again) == '', '--fast does not take it here'
    on(monkeypatch, True, True)
    assert fast.slow_half(cfg) == ''


def test_every_tool_that_trains_takes_it(monkeypatch, tmp_path):
    asked, clip = [], tmp_path / 'a.mp4'

    def build_runner(cfg, *args, **kwargs):
        asked.append(kwargs.get('fast'))
        raise ZeroDivisionError

    for module in (apis, estimate, launch):
        monkeypatch.setattr(module, 'build_runner', build_runner)
    monkeypatch.setattr(apis, 'find_clips', lambda folder: [clip])
    for tool, words in ((train, ['own/video']), (estimate_tool, ['own/video']), (finetune, ['--work-dir', str(tmp_path / 'a')]),
                        (distill, ['--work-dir', str(tmp_path / 'b')])):
        for given in ([], ['--fast']):
            with pytest.raises(ZeroDivisionError):
                tool.main([*words, *given])
    assert asked == [False, True] * 4


def test_a_gpu_records_steps_of_methods_that_can_be_recorded(monkeypatch):
    on(monkeypatch, True, True)
    cfg, other = config(), config(type='Pix2Pix')
    assert 'CUDA graph' in fast.use_fast(cfg) and cfg['model']['cuda_graph'] is True and cfg['env_cfg']['cudnn_benchmark'] is True
    assert 'CUDA graph' not in fast.use_fast(other) and 'cuda_graph' not in other['model']


def test_what_the_config_says_stays(monkeypatch):
    on(monkeypatch, True, True)
    cfg = config(channels_last=False, cuda_graph=False, loss_dtype=None)
    cfg['optim_wrapper']['g']['optimizer']['fused'] = False
    cfg['optim_wrapper']['d'].update(type='AmpOptimWrapper', dtype='float16')
    line = fast.use_fast(cfg)
    assert cfg['model']['channels_last'] is cfg['model']['cuda_graph'] is False and cfg['model']['loss_dtype'] is None
    assert cfg['optim_wrapper']['g']['optimizer']['fused'] is False and cfg['optim_wrapper']['d']['dtype'] == 'float16'
    assert not any(word in line for word in ('channels_last', 'CUDA graph', 'fused', 'bfloat16'))


@pytest.mark.parametrize('cores, gpu, decoded, shared, workers', [
    (2, False, False, True, 0), (8, False, False, True, 1), (16, False, True, True, 1),
    (1, True, False, True, 1), (2, True, False, True, 1), (8, True, False, True, 7), (16, True, False, True, 8),
    (8, True, True, True, 4), (16, True, True, False, 0), (16, True, False, False, 8)])
def test_loading_processes_fit_the_machine(cores, gpu, decoded, shared, workers):
    assert fitting_workers(cores, gpu, decoded, shared) == workers


def test_the_number_of_loading_processes_is_chosen_unless_it_is_said(monkeypatch):
    on(monkeypatch, True, False)
    monkeypatch.setattr(fast, 'cores_of_process', lambda launcher: dict(none=16, pytorch=4)[launcher])
    for said, loader, chosen, words in (
            ([], dict(), 8, ', 8 loading processes'), (['train_dataloader.num_workers=2'], dict(), 2, None),
            (['train_dataloader.dataset.cache=decoded'], dict(), 4, ', 4 loading processes'),
            ([], dict(num_workers=0), 0, None), ([], dict(launcher='pytorch'), 3, ', 3 loading processes')):
        cfg = load_config(CONFIGS / 'stage2_pix2pixhd.py', said)
        cfg.launcher = loader.pop('launcher', 'none')
        cfg.train_dataloader.update(loader)
        line = fast.use_fast(cfg)
        assert cfg.train_dataloader.num_workers == chosen and (words in line if words else 'loading' not in line)
    cfg = load_config(CONFIGS / 'own' / 'video.py')
    on(monkeypatch, False, False)
    assert ', one loading process' in fast.use_fast(cfg) and cfg.train_dataloader.num_workers == 1
    monkeypatch.setattr(fast, 'cores_of_process', lambda launcher: 2)
    for more, words in ((dict(), 'no'), (dict(prefetch_factor=4), 'one')):
        cfg.train_dataloader.update(num_workers=None, **more)
        assert f', {words} loading process' in fast.use_fast(cfg)


def test_without_fast_a_loader_that_leaves_it_open_has_two_processes_or_none_for_pictures_in_memory(clips):
    for cache, workers in (('none', 2), ('decoded', 0)):
        dataset = dict(type='ClipWindows', root=str(clips[0].folder.parent), cache=cache)
        loader = TrainRunner.build_dataloader(dict(num_workers=None, dataset=dataset))
        assert loader.num_workers == workers and loader.persistent_workers is (workers > 0)


def test_cores_of_a_process(monkeypatch, tmp_path):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(16)), raising=False)
    monkeypatch.setattr(machine, 'QUOTA', tmp_path / 'cpu.max')
    assert machine.cores() == 16
    for text, count in (('max 100000', 16), ('350000 100000', 4), ('6400000 100000', 16)):
        machine.QUOTA.write_text(text)
        assert machine.cores() == count
    assert cores_of_process('none', dict(LOCAL_WORLD_SIZE='8')) == 16
    assert cores_of_process('pytorch', dict(LOCAL_WORLD_SIZE='8')) == 2
    assert cores_of_process('mpi', dict(OMPI_COMM_WORLD_LOCAL_SIZE='32')) == 1
    assert cores_of_process('slurm', dict(SLURM_NTASKS_PER_NODE='8', SLURM_CPUS_PER_TASK='5')) == 5
    assert cores_of_process('slurm', dict(SLURM_NTASKS_PER_NODE='8')) == 2
    assert not memory_is_shared(dict(mp_cfg=dict(mp_start_method='spawn')))


def test_the_number_of_loading_processes_changes_no_bit(toy, tmp_path):
    """Also of a run that goes on with another number of them."""
    loading = 'train_dataloader.num_workers={}'.format
    assert toy.train(tmp_path / 'none', options=[loading(0)]).codes == [0]
    assert toy.train(tmp_path / 'two', options=[loading(2)]).codes == [0]
    kill = "custom_hooks=[{'type':'KillAt','iteration':5}]"
    assert toy.train(tmp_path / 'parts', options=[loading(2), kill]).codes == [-9]
    assert toy.train(tmp_path / 'parts', '--resume', options=[loading(1)]).codes == [0]
    for other in ('two', 'parts'):
        assert toy.differences(tmp_path / 'none' / 'iter_0000008.pth', tmp_path / other / 'iter_0000008.pth') == []


def test_half_precision_reaches_the_networks_of_losses():
    cfg = config()
    use_amp(cfg, 'float16')
    assert 'loss_dtype' not in cfg['model']
    use_amp(cfg)
    assert cfg['model']['loss_dtype'] == 'bfloat16'


def fast_model():
    model = build('mean')
    model.channels_last = True
    model.prepare_networks()
    adam = dict(type='Adam', lr=1e-3, fused=True)
    entries = {name: dict(networks=[f'net_{name}'], type='AmpOptimWrapper', optimizer=adam) for name in 'gd'}
    return model, NetworkOptimizers(entries)(model)


def run(model, wrappers, start, stop):
    for i in range(start, stop):
        model.set_train_state(0, 0, i, 8)
        logs = model.train_step(batch_of(model, seed=i), wrappers)
    return logs


def test_a_run_goes_on_exactly(tmp_path):
    whole, wrappers = fast_model()
    run(whole, wrappers, 0, 2)
    torch.save(dict(model=whole.state_dict(), optim=wrappers.state_dict()), tmp_path / 'state.pth')
    run(whole, wrappers, 2, 4)
    again, resumed = fast_model()
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    again.load_state_dict(state['model'])
    resumed.load_state_dict(state['optim'])
    run(again, resumed, 2, 4)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values()) if torch.is_tensor(a))


def test_a_plain_run_goes_on_fast_with_its_moments_in_place(tmp_path):
    """Fused kernels walk through memory: moments in another layout than the weights would belong to other weights."""
    plain = build('mean')
    wrappers = NetworkOptimizers({name: dict(networks=[f'net_{name}'], optimizer=dict(type='Adam', lr=1e-3)) for name in 'gd'})(plain)
    run(plain, wrappers, 0, 1)
    model, fused = fast_model()
    model.load_state_dict(plain.state_dict())
    fused.load_state_dict(copy.deepcopy(wrappers.state_dict()))
    assert fused['g'].optimizer.param_groups[0]['fused'] is True
    states = [fused['g'].optimizer.state[p] for p in model.net_g.parameters()]
    assert all(held['exp_avg'].stride() == p.stride() for held, p in zip(states, model.net_g.parameters()))
    for p, q in zip(plain.net_g.parameters(), model.net_g.parameters()):
        p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
    wrappers['g'].step()
    OptimWrapper.step(fused['g'])
    for p, q in zip(plain.net_g.parameters(), model.net_g.parameters()):
        torch.testing.assert_close(p, q)


class Recorder(OptimWrapper):
    def step(self, **kwargs):
        self.gradient = torch.cat([p.grad.flatten() for group in self.param_groups for p in group['params']])
        super().step(**kwargs)


def gradients(model, half):
    wrappers = OptimWrapperDict(**{name: Recorder(torch.optim.SGD(getattr(model, f'net_{name}').parameters(), 0.0)) for name in 'gd'})
    if half:
        for wrapper in wrappers.values():
            wrapper.optim_context = lambda net: torch.autocast('cpu', torch.bfloat16)
    run(model, wrappers, 0, 1)
    return {name: wrappers[name].gradient for name in 'gd'}


def test_gradients_agree_to_1e_4_in_full_precision_and_to_a_third_of_their_length_in_half():
    plain = gradients(build('mean'), False)
    for half, tolerance in ((False, 1e-4), (True, 0.33)):
        model = build('mean')
        model.channels_last = True
        model.prepare_networks()
        for name, gradient in gradients(model, half).items():
            assert (gradient - plain[name]).norm() < tolerance * plain[name].norm(), name


def vgg(folder):
    """A file of random weights."""
    torch.manual_seed(0)
    torch.save({f'features.{key}': value for key, value in vgg19_layers().state_dict().items()}, folder / 'vgg.pth')
    return str(folder / 'vgg.pth')


def test_perceptual_networks_in_half_precision(tmp_path, monkeypatch):
    monkeypatch.setattr(channels_last, 'LEAST_PLACES', 1)
    loss = dict(type='PerceptualLoss', network='vgg19', weights=vgg(tmp_path))
    base = dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1), losses=dict(p=loss),
                discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2))
    fake, real, found = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1, []
    for dtype in (None, 'bfloat16'):
        x = fake.clone().requires_grad_()
        model = MODELS.build(dict(base, loss_dtype=dtype, channels_last=bool(dtype)))
        model.prepare_networks()
        value = model.losses['p'](x, real)
        value.backward()
        assert value.dtype is torch.float32 and x.grad.dtype is torch.float32
        found.append((value.item(), x.grad))
    (a, da), (b, db) = found
    assert a != b and abs(a - b) < 0.01 * a and (da - db).norm() < 0.1 * da.norm()


def test_a_loss_that_stays_in_float32_says_so(monkeypatch):
    said = []
    monkeypatch.setattr('toolkit.models.loss_table.print_log', lambda text, *_: said.append(text))
    losses = dict(near=dict(type='NearestNeighborLoss', network='off'), p=dict(type='PerceptualLoss', network='off'))
    table = LossTable(losses, dict(frames=('fake', 'real')), 'a method', 'bfloat16')
    assert table['p'].dtype is torch.bfloat16 and table['near'].dtype is None
    assert len(said) == 1 and 'model.losses.near' in said[0] and 'stays in float32' in said[0]


def test_the_command_says_in_one_line_what_it_chose(toy, tmp_path):
    done = toy.train(tmp_path / 'whole', '--fast')
    assert done.codes == [0], done.text
    assert len([line for line in done.text.splitlines() if '--fast on CPU' in line and 'fused optimizers' in line]) == 1
    killed = toy.train(tmp_path / 'parts', '--fast', options=["custom_hooks=[{'type':'KillAt','iteration':5}]"])
    assert killed.codes == [-9]
    assert toy.train(tmp_path / 'parts', '--fast', '--resume').codes == [0]
    assert toy.differences(tmp_path / 'whole' / 'iter_0000008.pth', tmp_path / 'parts' / 'iter_0000008.pth') == []
