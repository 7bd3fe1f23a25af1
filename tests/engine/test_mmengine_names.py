"""MMEngine's names work, or the error says what to write instead; nothing in between."""

import pytest

from tests.helpers import child_config
from toolkit.engine.launch import build_runner, load_config
from toolkit.structures import InputError


@pytest.mark.parametrize('loop', ["dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4, val_interval=2)",
                                  'dict(_delete_=True, by_epoch=False, max_iters=4, val_interval=2)'])
def test_loops_by_iterations_are_ours(toy, tmp_path, loop):
    block = "dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1, max_keep_ckpts=2), timer=None, sampler_seed=None)"
    runner = build_runner(load_config(child_config(tmp_path, toy, f'train_cfg = {loop}\ndefault_hooks = {block}')), tmp_path / 'run')
    runner.train()
    assert type(runner.train_loop).__name__ == 'IterLoop'
    assert sorted(p.name for p in (tmp_path / 'run').glob('*.pth')) == ['iter_0000003.pth', 'iter_0000004.pth']


def test_the_key_of_mmengine_does_not_add_a_second_hook(toy, tmp_path):
    text = "default_hooks = dict(param_scheduler=dict(type='ParamSchedulerHook'), runtime_info=dict(type='TrainStateHook'))"
    runner = build_runner(load_config(child_config(tmp_path, toy, text)), tmp_path / 'run')
    names = [type(hook).__name__ for hook in runner.hooks]
    assert sorted(names) == ['CheckpointHook', 'NanGuard', 'ParamSchedulerHook', 'ScalarLogger', 'TrainStateHook']
    runner.train()
    assert runner.optim_wrapper['g'].optimizer.param_groups[0]['lr'] == pytest.approx(1e-3), 'the end of LinearLR'


@pytest.mark.parametrize('text, words', [
    ("train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=3)", ['training counts iterations', 'IterLoop']),
    ('train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=3)', ['train_cfg: training counts iterations']),
    ('train_cfg = dict(max_epochs=3)', ['train_cfg: training counts iterations']),
    ("train_cfg = dict(type='mmengine.IterBasedTrainLoop')", ['use IterLoop', 'without a scope']),
    ("default_hooks = dict(logger=dict(type='LoggerHook', interval=50))", ['default_hooks.logger: LoggerHook', "'ScalarLogger'"]),
    ("default_hooks = dict(timer=dict(type='IterTimerHook'))", ['default_hooks.timer: IterTimerHook', 'leave it out']),
    ("default_hooks = dict(runtime_info=dict(type='RuntimeInfoHook'))", ['TrainStateHook']),
    ("default_hooks = dict(sampler_seed=dict(type='DistSamplerSeedHook'))", ['leave it out']),
    ("default_hooks = dict(checkpoint=dict(type='mmengine.CheckpointHook'))", ['without a scope']),
    ('default_hooks = dict(checkpoint=dict(max_keep=3))', ["'max_keep_ckpts'"]),
    ("custom_hooks = [dict(type='EarlyStoppingHook', monitor='error')]", ['custom_hooks.0: EarlyStoppingHook', 'patience']),
    ("custom_hooks = [dict(type='EMAHook')]", ['custom_hooks.0: EMAHook', 'model.ema']),
    ("custom_hooks = [dict(type='ParamSchedulerHook')]", ['custom_hooks.0', 'already as default_hooks.param_scheduler', 'twice']),
    ("default_hooks = dict(scheduler=dict(type='ParamSchedulerHook'))", ['default_hooks.scheduler', 'default_hooks.param_scheduler']),
    ('default_hooks = dict(param_scheduler=None)', ['param_scheduler would do nothing']),
    ('default_hooks = dict(runtime_info=None)', ['does not know the iteration']),
    ('log_processor = dict(by_epoch=False)', ['log_processor is not used here', 'default_hooks.logger.interval']),
    ("optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))", ["networks=['net_g']"]),
    ("train_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[]))", ['use MixedClips']),
    ("val_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', dataset={}, times=2))", ['leave it out']),
    ('vis_backends = []', ['visualizer=dict(vis_backends']),
    ('test_cfg = dict(max_frames=20)', ['test_cfg.max_frames is not used here', '--max-frames']),
])
def test_other_names_are_refused_with_the_right_one(toy, tmp_path, text, words):
    with pytest.raises(InputError) as error:
        load_config(child_config(tmp_path, toy, text))
    for word in words:
        assert word in str(error.value)


def test_lazy_configs_are_refused_by_name(tmp_path):
    (tmp_path / 'lazy.py').write_text('from mmengine.config import read_base\nwith read_base():\n    from .base import *\n')
    with pytest.raises(InputError, match=r'lazy.py: lazy configs \(read_base\) are not supported; write a text config'):
        load_config(tmp_path / 'lazy.py')


def test_epochs_of_checkpoints_are_refused(toy, tmp_path):
    with pytest.raises(InputError, match='by_epoch=True: training counts iterations'):
        build_runner(load_config(child_config(tmp_path, toy, 'default_hooks = dict(checkpoint=dict(by_epoch=True))')), tmp_path / 'run')
