"""A run that diverges ends with names, or goes back and learns more slowly, and interruptions change nothing of that."""

import os
from types import SimpleNamespace

import pytest
import torch

from tests.helpers import scalars
from toolkit.engine import nan_guard
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.nan_guard import SKIPPED, NanGuard
from toolkit.engine.saving import Diverged
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint

FAST = "{'type':'FailAt','iteration':5,'what':'fast'}"
LOOK = 'default_hooks.nan_guard.interval=2'
KILL = "{'type':'KillAt','iteration':7}"


def hooks(*texts):
    return f'custom_hooks=[{",".join(texts)}]'


def test_what_diverged_is_named(toy, tmp_path):
    options = ["custom_hooks=[{'type':'FailAt','iteration':5,'what':'nan'}]", 'default_hooks.nan_guard.interval=8']
    runner = build_runner(load_config(toy.config, options), work_dir=tmp_path)
    with pytest.raises(Diverged) as error:
        runner.train()
    said = str(error.value)
    assert said.startswith('loss g/gan, g/l1 is not finite since iteration 6 (net_g: 4 of 4 parameters are not, first 0.weight; net_d')
    assert 'seen at iteration 8' in said and 'iter_0000004.pth, is finite' in said and '--on-nan rollback' in said


@pytest.mark.parametrize('processes', [1, 2])
def test_a_run_goes_back_and_halves_its_rates_exactly(toy, tmp_path, processes):
    """The rate at iteration 5 is .0052, too fast; half of it is not."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    wanted = dict(processes=processes)
    done = toy.train(whole, '--on-nan', 'rollback', options=[hooks(FAST), LOOK], **wanted)
    assert done.codes == [0] * processes, done.text
    assert 'iter_0000004.pth, for the 1. time of at most 3; learning rates there are now g 0.0032, d 0.0032' in done.text
    lines = scalars(whole)
    assert [line['step'] for line in lines] == [3, 4, 6, 8, 8] and 'NaN' not in str(lines).replace('nan', 'NaN')
    assert lines[-2]['g.lr'] == pytest.approx(.5 * lines[0]['g.lr'] * .1, rel=.3)
    killed = toy.train(parts, '--on-nan', 'rollback', options=[hooks(FAST, KILL), LOOK], **wanted)
    assert killed.codes == [-9] * processes and 'going back to' in killed.text
    again = toy.train(parts, '--resume', '--on-nan', 'rollback', options=[hooks(FAST), LOOK], **wanted)
    assert again.codes == [0] * processes, again.text
    assert toy.differences(whole / 'iter_0000008.pth', parts / 'iter_0000008.pth') == []
    assert scalars(parts) == lines
    hook = next(state for name, state in read_checkpoint(whole)['ranks'][0]['hooks'].items() if name.startswith('NanGuard'))
    assert hook == dict(rollbacks=1)


def test_processes_agree_whether_there_is_a_checkpoint_to_go_back_to(toy, tmp_path, monkeypatch):
    """A network disk may show a machine what process 0 has just moved away."""
    look = nan_guard.latest_checkpoint
    monkeypatch.setattr(nan_guard, 'latest_checkpoint', lambda folder: folder if os.environ.get('RANK') == '1' else look(folder))
    done = toy.train(tmp_path, '--on-nan', 'rollback', processes=2, options=[
        'train_cfg.max_iters=1', 'train_cfg.val_interval=0', 'env_cfg.dist_cfg.timeout=20'])
    assert done.codes == [0, 0] and (tmp_path / 'iter_0000000.pth').exists(), done.text


def test_a_config_without_default_hooks_has_the_guard(toy, tmp_path):
    runner = build_runner(load_config(toy.config, ['default_hooks=none']), tmp_path, on_nan='rollback')
    assert [hook.on_nan for hook in runner.hooks if isinstance(hook, NanGuard)] == ['rollback']


def test_it_goes_back_to_the_start_with_half_precision_and_gives_up_in_the_end(toy, tmp_path):
    bad = "custom_hooks=[{'type':'FailAt','iteration':1,'what':'nan'}]"
    done = toy.train(tmp_path, '--on-nan', 'rollback', '--amp', options=[
        bad, 'default_hooks.nan_guard.max_rollbacks=2', 'default_hooks.nan_guard.interval=2'])
    assert done.codes == [2] and 'Traceback' not in done.text
    assert done.text.count('going back to') == 2 and 'learning rates there are now g 0.0025' in done.text
    assert 'It went back 2 times already' in done.text and (tmp_path / 'iter_0000000.pth').exists()


@pytest.mark.parametrize('scheduler', [
    dict(type='OneCycleLR', eta_max=1e-2, total_steps=8), dict(type='CosineAnnealingLR', eta_min=5e-3, T_max=8)])
def test_everything_that_a_schedule_goes_to_is_halved(toy, tmp_path, scheduler):
    rates = []
    for options in ([], [hooks("{'type':'FailAt','iteration':5,'what':'nan'}"), LOOK, 'default_hooks.nan_guard.on_nan=rollback']):
        cfg = load_config(toy.config, [*options, 'default_hooks.checkpoint.interval=4', f'param_scheduler=[{scheduler}]'])
        runner = build_runner(cfg, work_dir=tmp_path / str(len(rates)))
        for hook in [hook for hook in runner.hooks if type(hook).__name__ == 'FailAt']:
            hook.after_rollback = lambda runner, hook=hook: setattr(hook, 'what', 'nothing')
        runner.train()
        rates.append([wrapper.optimizer.param_groups[0]['lr'] for wrapper in runner.optim_wrapper.values()])
    assert rates[1] == pytest.approx([rate / 2 for rate in rates[0]]) and read_checkpoint(tmp_path / '1')['meta']['iter'] == 8


def test_loss_scaling_may_miss_some_updates(tmp_path):
    runner = SimpleNamespace(iter=0, max_iters=1000, work_dir=tmp_path, model=torch.nn.Identity())
    guard = NanGuard(interval=SKIPPED + 10)
    guard._scaled = True

    def go_on(count, value):
        for _ in range(count):
            guard.after_train_iter(runner, 0, outputs={'g/gan': torch.tensor(value), 'd/real': torch.tensor(1.)})
            runner.iter += 1

    go_on(3 * SKIPPED // 4, float('inf'))
    go_on(1, 1.)
    go_on(SKIPPED - 1, float('nan'))
    go_on(30, 1.)
    guard.before_save_checkpoint(runner, {})
    with pytest.raises(Diverged, match='loss g/gan is not finite since iteration'):
        go_on(4 * SKIPPED, float('nan'))


@pytest.mark.parametrize('options', [dict(on_nan='go'), dict(factor=1.), dict(max_rollbacks=0), dict(interval=0)])
def test_options_that_cannot_be(options):
    with pytest.raises(InputError, match='nan_guard'):
        NanGuard(**options)
