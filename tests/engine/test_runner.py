"""The runner in one process: best checkpoints, half precision, generated clips, messages, weights of another run."""

import json
import sys
import time

import av
import cv2
import pytest
import torch

from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.runner import TrainRunner
from toolkit.registry import MODELS, load_plugins
from toolkit.structures import InputError


def runner_of(toy, tmp_path, *options, **kwargs):
    return build_runner(load_config(toy.config, options), work_dir=tmp_path, **kwargs)


def test_checkpoints_are_kept_pruned_and_the_best_besides(toy, tmp_path):
    runner_of(toy, tmp_path, 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=1',
              'default_hooks.checkpoint.max_keep_ckpts=2', 'default_hooks.checkpoint.save_best=error',
              'default_hooks.checkpoint.rule=less').train()
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['best_error_iter_0000002.pth', 'iter_0000007.pth', 'iter_0000008.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == 'iter_0000008.pth\n'


@pytest.mark.parametrize('kind, off', [('LinearMomentum', True), ('LinearLR', False)])
def test_a_schedule_that_a_recorded_step_would_not_follow_leaves_it_unrecorded(toy, tmp_path, monkeypatch, kind, off):
    monkeypatch.setattr(MODELS.get('ToyGAN'), 'recordable', True)
    schedule = f"param_scheduler=[{{'type':'{kind}','start_factor':.5,'begin':0,'end':2}}]"
    runner = runner_of(toy, tmp_path, 'model.cuda_graph=True', schedule, 'train_cfg.max_iters=2', 'train_cfg.val_interval=0')
    runner.train()
    assert (f'{kind} of param_scheduler changes momentum' in (runner.model.step_graph.off or '')) == off


def test_a_best_metric_that_does_not_exist(toy, tmp_path):
    with pytest.raises(InputError, match="'psnr' is not among the validation metrics: error"):
        runner_of(toy, tmp_path, 'default_hooks.checkpoint.save_best=psnr', 'default_hooks.checkpoint.rule=less').train()


def test_saving_waits_for_the_end_of_an_accumulation_window(toy, tmp_path):
    runner_of(toy, tmp_path, 'optim_wrapper.g.accumulative_counts=4', 'default_hooks.checkpoint.interval=3').train()
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['iter_0000004.pth', 'iter_0000008.pth']
    with pytest.raises(InputError, match='max_iters=8 is not a multiple of optim_wrapper.g.accumulative_counts=3.*6 or 9'):
        runner_of(toy, tmp_path, 'optim_wrapper.g.accumulative_counts=3').train()


def test_amp_trains_in_bfloat16_and_keeps_float32_weights(toy, tmp_path):
    runner = runner_of(toy, tmp_path, amp=True)
    seen = []
    runner.model.net_g.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    runner.train()
    assert set(seen) == {torch.bfloat16} and runner.optim_wrapper['g'].dtype is torch.bfloat16
    assert all(p.dtype is torch.float32 for p in runner.model.parameters())


def test_generated_clips_are_written_and_do_not_change_training(toy, tmp_path):
    hook = "custom_hooks=[{'type':'GenerateHook','interval':4,'dataset':{'type':'ToyData','size':2},'clips':[1],'columns':3}]"
    runner_of(toy, tmp_path / 'with', hook).train()
    runner_of(toy, tmp_path / 'without').train()
    assert toy.differences(tmp_path / 'with' / 'iter_0000008.pth', tmp_path / 'without' / 'iter_0000008.pth') == []
    files = sorted(p.name for p in (tmp_path / 'with' / 'vis').iterdir())
    assert files == ['0000004_toy.mp4', '0000004_toy.png', '0000008_toy.mp4', '0000008_toy.png']
    assert cv2.imread(str(tmp_path / 'with' / 'vis' / '0000004_toy.png')).shape == (3 * 16 + 4 * 4, 3 * 16 + 4 * 4, 3)
    with av.open(str(tmp_path / 'with' / 'vis' / '0000004_toy.mp4')) as video:
        frames, codec = list(video.decode(video=0)), video.streams.video[0].codec_context.name
    assert codec == 'h264' and len(frames) == 4 and (frames[0].width, frames[0].height) == (48, 16)
    with pytest.raises(InputError, match=r'clips=\[5\], but its dataset has 2'):
        runner_of(toy, tmp_path / 'x', hook.replace('[1]', '[5]'), 'train_cfg.val_interval=0').train()
    assert not list((tmp_path / 'x').rglob('scalars.json')), 'refused before the first iteration'


def test_resume_refuses_what_it_cannot_continue(toy, tmp_path):
    runner_of(toy, tmp_path, 'train_cfg.max_iters=4').train()
    path = tmp_path / 'iter_0000004.pth'
    for option, words in (('randomness.seed=1', 'seed 0, the config says 1'),
                          ('model.width=5', r'iter_0000004.pth does not fit ToyGAN.*net_g.0.weight is \(8, 6\) in the file, \(5, 6\) '
                                             'in the model')):
        with pytest.raises(InputError, match=words):
            runner_of(toy, tmp_path, option, resume=True).train()
    checkpoint = torch.load(path, weights_only=True)
    torch.save(dict(state_dict=checkpoint['state_dict']), tmp_path / 'weights.pth')
    with pytest.raises(InputError, match='weights but no training state.*load_from'):
        runner_of(toy, tmp_path, resume=tmp_path / 'weights.pth').train()
    started = runner_of(toy, tmp_path / 'next', load_from=tmp_path / 'weights.pth')
    started.load_or_resume()
    assert torch.equal(started.model.net_g[0].weight, checkpoint['state_dict']['net_g.0.weight']) and started.iter == 0


def test_checkpoint_meta(toy, tmp_path):
    runner_of(toy, tmp_path, 'train_cfg.max_iters=1').train()
    meta = torch.load(tmp_path / 'iter_0000001.pth', weights_only=True)['meta']
    assert (meta['iter'], meta['samples'], meta['seed']) == (1, 2, 0)
    assert meta['custom_imports'] == ['toy_parts'] and meta['plugins'] == load_plugins()
    assert meta['config']['model']['type'] == 'ToyGAN' and meta['toolkit_version']


def test_without_training_data(toy, tmp_path):
    runner = runner_of(toy, tmp_path, training=False)
    assert runner.train_loop is None and not runner.hooks


@pytest.mark.parametrize('options, words', [
    (['param_scheduler.0.by_epoch=True'], 'by_epoch=True'),
    (["param_scheduler={'g': [], 'd': [], 'color': []}"], 'has schedulers for color, d, g, optim_wrapper the optimizers'),
    (["param_scheduler=[{'type': 'LinearLR', 'end': 2}, {'type': 'ConstantThenLinearLR', 'constant': 4, 'decay': 4}]"],
     'LinearLR from iteration 0 to 2 and ConstantThenLinearLR from iteration 0 to 8 set the same rate'),
    (["param_scheduler={'g': []}"], 'has schedulers for g, optim_wrapper the optimizers d, g; give each'),
    (['train_dataloader.dataset.size=0'], 'ToyData is empty'),
    (["train_dataloader.sampler={'type': 'DefaultSampler'}"], 'DefaultSampler ends'),
    (['train_cfg.max_iters=0'], 'positive whole number'),
    (['train_cfg=none'], 'no train_cfg, which training needs'),
    (['optim_wrapper=none'], 'no optim_wrapper'),
    (['val_evaluator=none'], 'has a val_dataloader, but no val_evaluator'),
])
def test_unusable_configs(toy, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        runner_of(toy, tmp_path, *options).train()


@pytest.mark.parametrize('count', [1, 2])
def test_an_optimizer_that_the_method_makes_no_update_with(toy, tmp_path, monkeypatch, count):
    load_config(toy.config)
    steps, used = [], ['g', 'd']

    def train_step(self, data, optim_wrapper):
        loss = self.net_d(self.net_g(torch.nn.functional.pad(self.data_preprocessor(data)['x'], (0, 2)))).mean()
        steps.append(self.step(optim_wrapper, 'g', loss))
        if 'd' in used and len(steps) % count == 0:  # as BicycleGAN does with its encoder
            optim_wrapper['d'].step()
            optim_wrapper['d'].zero_grad()
        return {'g/loss': loss.detach()}

    monkeypatch.setattr(sys.modules['toy_parts'].ToyGAN, 'train_step', train_step)
    options = [f'optim_wrapper.{name}.accumulative_counts={count}' for name in used]
    runner_of(toy, tmp_path / 'both', *options, 'train_cfg.max_iters=4').train()
    steps.clear(), used.remove('d')
    with pytest.raises(InputError, match='optim_wrapper.d: net_d got gradients, but ToyGAN makes no update with an optimizer of this'):
        runner_of(toy, tmp_path / 'one', *options).train()
    assert len(steps) == count


def test_a_method_that_makes_no_update_at_all(toy, tmp_path, monkeypatch):
    load_config(toy.config)
    monkeypatch.setattr(sys.modules['toy_parts'].ToyGAN, 'train_step', lambda self, data, optim_wrapper: {'g/loss': torch.ones(())})
    with pytest.raises(InputError, match='ToyGAN.train_step made no update in 20 iterations, with none of the optimizers g, d, so '
                                         r'that nothing was learned: let it call self.step\(optim_wrapper, name, loss\)'):
        runner_of(toy, tmp_path, 'train_cfg.max_iters=24', 'train_cfg.val_interval=0').train()


@pytest.mark.parametrize('learns', ['one network in some iterations', 'by the optimizer itself', 'in windows'])
def test_a_method_that_learns_in_a_way_of_its_own(toy, tmp_path, monkeypatch, learns):
    load_config(toy.config)

    def train_step(self, data, optim_wrapper):
        loss = self.net_g(torch.nn.functional.pad(self.data_preprocessor(data)['x'], (0, 2))).mean()
        optimizer = optim_wrapper['g'].optimizer
        if learns == 'by the optimizer itself':
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        elif learns == 'in windows' or self.iteration % 16 == 15:
            self.step(optim_wrapper, 'g', loss)
        return {'g/loss': loss.detach()}

    monkeypatch.setattr(sys.modules['toy_parts'].ToyGAN, 'train_step', train_step)
    count = 24 if learns == 'in windows' else 1
    runner = runner_of(
        toy, tmp_path, 'train_cfg.max_iters=24', 'train_cfg.val_interval=0', f'optim_wrapper.g.accumulative_counts={count}')
    before = runner.model.net_g[0].weight.clone()
    runner.train()
    assert not torch.equal(runner.model.net_g[0].weight, before)


def test_work_dir_that_is_a_file(toy, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='is a file'):
        build_runner(load_config(toy.config), work_dir=tmp_path / 'file')


def test_the_share_of_waiting_for_data_counts_neither_saves_nor_previews(toy, tmp_path, monkeypatch):
    save, clock, passed = TrainRunner.save, time.perf_counter, []

    def slow(self, *args, **kwargs):
        passed.append(300)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(time, 'perf_counter', lambda: clock() + sum(passed))  # what a busy machine takes is little beside it
    monkeypatch.setattr(TrainRunner, 'save', slow)
    monkeypatch.setattr(sys.modules['toy_parts'].ToyGAN, 'train_step', lambda self, data, optim_wrapper: passed.append(50) or {})
    options = ['default_hooks.logger.interval=2', 'default_hooks.checkpoint.interval=1', 'train_cfg.val_interval=0',
               'train_cfg.max_iters=4']
    runner_of(toy, tmp_path, *options).train()
    file, = tmp_path.glob('*/vis_data/scalars.json')
    times = [json.loads(line) for line in file.read_text().splitlines()]
    assert all(line['data_time'] < line['time'] / 2 and 50 < line['time'] < 250 for line in times), times


def test_the_backend_that_writes_files_writes_no_scalars_a_second_time(toy, tmp_path):
    runner_of(toy, tmp_path, "visualizer.vis_backends=[{'type':'LocalVisBackend'}]", 'default_hooks.logger.interval=2').train()
    file, = tmp_path.rglob('*scalars*')
    steps = [json.loads(line)['step'] for line in file.read_text().splitlines()]
    assert steps == [2, 4, 4, 6, 8, 8] and (file.parent / 'config.py').exists(), 'two of them are of validation'
