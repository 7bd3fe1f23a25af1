"""Budgets: points, schedules that fit, and a learning rate that follows the time."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import LinearLR

from toolkit.engine import budget_hook
from toolkit.engine.budget_hook import BudgetHook, learning_rate, scaled
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.linear_decay import ConstantThenLinearLR
from toolkit.engine.runner import TrainRunner
from toolkit.structures import InputError

LINEAR = dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=6, end=16)
CONSTANT = dict(type='ConstantThenLinearLR', constant=2, decay=3, epoch_iters=4)


@pytest.mark.parametrize('kind, config', [(LinearLR, LINEAR), (ConstantThenLinearLR, CONSTANT)])
def test_the_rate_is_that_of_the_scheduler(kind, config):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=2.0)
    scheduler = kind(optimizer, **{key: value for key, value in config.items() if key != 'type'}, by_epoch=False)
    for iteration in range(20):
        expected = optimizer.param_groups[0]['lr'] / 2
        if kind is LinearLR or iteration % 4 == 0:
            assert learning_rate([config], iteration) == pytest.approx(expected, abs=1e-9), iteration
        optimizer.step()
        scheduler.step()


def test_schedules_are_scaled_to_a_run_of_another_length():
    assert scaled([LINEAR], 10) == [dict(LINEAR, begin=60, end=160)]
    assert scaled([CONSTANT], 0.5) == [dict(CONSTANT, constant=4, decay=6, epoch_iters=1)]
    assert scaled([dict(type='MultiStepLR', milestones=[30, 80], gamma=0.1)], 0.1) == [
        dict(type='MultiStepLR', milestones=[3, 8], gamma=0.1)]
    assert scaled([dict(LINEAR, begin=0)], 0.01) == [dict(LINEAR, begin=0, end=1)]


def runner(tmp_path, saved):
    model, optimizer = torch.nn.Linear(1, 1), torch.optim.SGD([torch.zeros(1)], lr=1.0)
    model.set_train_state = lambda **state: vars(model).update(told=state)
    return SimpleNamespace(model=model, work_dir=str(tmp_path), iter=0, seed=3, rank=0, gradients_pending=False,
                           optim_wrapper=dict(g=SimpleNamespace(optimizer=optimizer)), train_loop=SimpleNamespace(stop_training=False),
                           save=lambda path, pointer: saved.append((path.name, pointer)))


def go(hook, run, clock, seconds, iterations):
    for _ in range(iterations):
        if run.train_loop.stop_training:
            return
        hook.before_data(run)
        hook.before_train_iter(run, run.iter)
        clock[0] += seconds
        hook.after_train_iter(run, run.iter)
        run.iter += 1
        clock[0] += 100  # what happens between iterations does not count
        hook.after_iteration(run)
        clock[0] += 100


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setitem(budget_hook.CLOCKS, 'wall', lambda: now[0])
    return now


def test_minutes_count_training_alone_and_the_rate_follows_them(tmp_path, clock):
    saved = []
    hook, run = BudgetHook(minutes=[0, 0.5, 1], schedulers=[LINEAR], length=20), runner(tmp_path, saved)
    hook.before_train(run)
    assert saved == [('point_0.pth', False)]
    group, rates = run.optim_wrapper['g'].optimizer.param_groups[0], []
    for _ in range(30):
        go(hook, run, clock, 3, 1)
        rates.append(group['lr'])
    assert [point['iteration'] for point in hook.reached] == [0, 10, 20] and run.train_loop.stop_training
    assert [point['seconds'] for point in hook.reached] == [0, 30, 60]
    assert rates[:20] == pytest.approx([learning_rate([LINEAR], i) for i in range(20)])
    assert (run.model.told['iteration'], run.model.told['max_iters'], run.model.told['between']) == (19, 20, True)


def test_within_a_window_of_gradients_the_model_is_told_so(tmp_path, clock):
    hook, run = BudgetHook(minutes=[1]), runner(tmp_path, [])
    hook.before_train(run)
    go(hook, run, clock, 3, 1)
    run.gradients_pending = True
    go(hook, run, clock, 3, 1)
    assert run.model.told['between'] is False


def test_a_stopped_run_goes_on_with_its_time(tmp_path, clock):
    saved = []
    first, run = BudgetHook(minutes=[0.5, 1]), runner(tmp_path, saved)
    first.before_train(run)
    go(first, run, clock, 3, 13)
    hook = BudgetHook(minutes=[0.5, 1])
    hook.load_state_dict(first.state_dict())
    hook.before_train(run)
    go(hook, run, clock, 3, 30)
    assert [point['iteration'] for point in hook.reached] == [10, 20] and [name for name, _ in saved] == ['point_0.pth', 'point_1.pth']


def test_after_going_back_the_rate_still_follows_the_time_and_is_the_smaller_one(tmp_path, clock):
    hook, run = BudgetHook(minutes=[1], schedulers=[LINEAR], length=20), runner(tmp_path, [])
    hook.before_train(run)
    optimizer = run.optim_wrapper['g'].optimizer
    go(hook, run, clock, 3, 8)
    optimizer.load_state_dict(optimizer.state_dict())
    for key in ('lr', 'initial_lr'):
        optimizer.param_groups[0][key] /= 2
    go(hook, run, clock, 3, 7)
    assert optimizer.param_groups[0]['lr'] == pytest.approx(learning_rate([LINEAR], 14) / 2)


def go_back(hook, run, clock):
    """Six iterations, back to the third, and thirty more."""
    hook.before_train(run)
    go(hook, run, clock, 3, 3)
    earlier = hook.state_dict()
    go(hook, run, clock, 3, 3)
    hook.load_state_dict(earlier)
    run.iter = 3
    go(hook, run, clock, 3, 30)


def test_a_run_that_went_back_has_spent_what_it_had_spent(tmp_path, clock):
    hook, run = BudgetHook(minutes=[0.25, 0.5, 1]), runner(tmp_path, [])
    go_back(hook, run, clock)
    assert [point['iteration'] for point in hook.reached] == [5, 7, 17] and hook.seconds == 60


def test_of_a_budget_of_iterations_a_point_is_reached_once_more(tmp_path, clock):
    hook, run = BudgetHook(iterations=[4, 8]), runner(tmp_path, [])
    go_back(hook, run, clock)
    assert [(point['iteration'], point['seconds']) for point in hook.reached] == [(4, 21), (8, 33)]


def test_seconds_leave_out_what_other_hooks_do_and_the_end_is_shown(toy, tmp_path, monkeypatch):
    save, passed = TrainRunner.save, []
    monkeypatch.setitem(budget_hook.CLOCKS, 'wall', lambda: sum(passed))
    monkeypatch.setattr(TrainRunner, 'save', lambda self, *args, **kwargs: passed.append(300) or save(self, *args, **kwargs))
    monkeypatch.setattr(sys.modules['toy_parts'].ToyGAN, 'train_step', lambda self, data, optim_wrapper: passed.append(50) or {})
    look = "{'type':'GenerateHook','interval':100,'dataset':{'type':'ToyData','size':2},'clips':[1],'columns':3}"
    run = build_runner(load_config(toy.config, [
        f"custom_hooks=[{look},{{'type':'BudgetHook','iterations':[2,3]}}]", 'default_hooks.checkpoint.interval=1']), tmp_path)
    run.train()
    hook = next(hook for hook in run.hooks if isinstance(hook, BudgetHook))
    assert [point['seconds'] for point in hook.reached] == [100, 150]
    assert [path.name for path in (tmp_path / 'vis').glob('*.png')] == ['0000003_toy.png']


def test_iterations_and_no_point_within_accumulation(tmp_path, clock):
    saved = []
    hook, run = BudgetHook(iterations=[0, 3, 4]), runner(tmp_path, saved)
    hook.before_train(run)
    run.gradients_pending = True
    go(hook, run, clock, 1, 3)
    assert len(saved) == 1
    run.gradients_pending = False
    go(hook, run, clock, 1, 9)
    assert [point['iteration'] for point in hook.reached] == [0, 4, 4] and run.iter == 4


def test_schedules_without_an_end_end_with_the_length(tmp_path):
    open_ended = {key: value for key, value in LINEAR.items() if key != 'end'}
    assert BudgetHook(minutes=[1], schedulers=[open_ended], length=16).schedulers == [LINEAR]


def test_processes_with_clocks_of_their_own_end_together_at_equal_rates(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(budget_hook.CLOCKS, 'wall', lambda: time.perf_counter() * (1 + int(os.environ.get('RANK', 0))))
    schedule = "{'type':'LinearLR','start_factor':1.0,'end_factor':0.0,'end':1000}"
    hooks = f"[{{'type':'WriteWeights','folder':'{tmp_path}'}}," \
            f"{{'type':'BudgetHook','minutes':[0,0.01],'schedulers':[{schedule}],'length':1000}}]"
    run = toy.train(tmp_path / 'run', processes=2, options=[
        f'custom_hooks={hooks}', 'param_scheduler=[]', 'train_cfg.max_iters=100000', 'train_cfg.val_interval=0',
        'default_hooks.checkpoint.interval=0'])
    assert run.codes == [0, 0] and (tmp_path / 'run' / 'point_1.pth').exists(), run.text
    first, second = ((tmp_path / f'rank{rank}.txt').read_text() for rank in (0, 1))
    assert first == second and len(set(first.splitlines())) > 3


@pytest.mark.parametrize('options, message', [
    (dict(), 'either iterations or minutes'), (dict(iterations=[1], minutes=[1]), 'either'), (dict(iterations=[2, 1]), 'rise'),
    (dict(iterations=[]), 'rise'), (dict(minutes=[1], clock='sun'), 'wall, cpu'),
    (dict(minutes=[1], schedulers=[dict(type='CosineAnnealingLR')]), 'knows LinearLR')])
def test_what_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        BudgetHook(**options)


MEMORY = """
import torch
from toolkit.engine.budget_hook import peak_memory, reset_peak_memory
from toolkit.engine.memory import keep_memory
if not keep_memory():
    raise SystemExit('another C library')
reset_peak_memory()
base = peak_memory()
arrays = [torch.ones(2**18) for _ in range(300)]
kept, high = arrays[::10], peak_memory() - base
del arrays
reset_peak_memory()
print(high >> 20, (peak_memory() - base) >> 20)
"""


def test_what_was_freed_before_is_not_in_the_peak():
    """Rows of a benchmark that one process does after another looked ever larger: with --fast freed memory stays in the process."""
    done = subprocess.run([sys.executable, '-c', MEMORY], capture_output=True, text=True)
    if 'another C library' in done.stderr:
        pytest.skip('the C library is not glibc')
    high, left = map(int, done.stdout.split())
    assert high >= 300 and 30 <= left < 60
