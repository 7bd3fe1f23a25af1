"""Logging: right means, no cost that grows, the file cut at the iteration where a run goes on, an end when training diverges."""

import json
import logging
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from toolkit.engine.budget_hook import BudgetHook
from toolkit.engine.scalar_logger import ScalarLogger
from toolkit.structures import InputError


class Messages(logging.Handler):
    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture
def runner(tmp_path):
    logger = logging.Logger('toy')
    messages = Messages()
    logger.addHandler(messages)
    shown = []
    model = nn.Module()
    model.net_g = nn.Linear(3, 2)
    model.net_e = nn.Linear(2, 2).requires_grad_(False)
    wrapper = SimpleNamespace(optimizer=SimpleNamespace(param_groups=[dict(lr=0.5)]))
    return SimpleNamespace(
        work_dir=str(tmp_path), log_dir=str(tmp_path / '20260102_000000'), val_loop=None, val_dataloader=[0, 1], iter=0,
        max_iters=100, hooks=[], logger=logger, messages=messages.texts, model=model,
        optim_wrapper=dict(g=wrapper), shown=shown, train_loop=SimpleNamespace(waited=0.0, paused=0.0, validation_due=False),
        visualizer=SimpleNamespace(add_scalars=lambda scalars, step: shown.append((step, scalars))))


def iterate(hook, runner, n, loss=lambda i: dict(a=torch.tensor(float(i)))):
    for _ in range(n):
        hook.after_train_iter(runner, runner.iter, outputs=loss(runner.iter))
        runner.iter += 1


def lines(runner):
    with open(f'{runner.log_dir}/vis_data/scalars.json') as file:
        return [json.loads(line) for line in file]


def without_times(lines):
    return [{key: value for key, value in line.items() if key not in ('time', 'data_time')} for line in lines]


def test_means_and_speed(runner):
    hook = ScalarLogger(interval=10)
    hook.before_train(runner)
    assert runner.messages[:2] == ['net_g: Linear, 8 parameters', 'net_e: Linear, 6 parameters, 0 trained']
    iterate(hook, runner, 30, lambda i: dict(a=torch.tensor(float(i)), **(dict(rare=torch.tensor(2.0)) if i % 10 == 0 else {})))
    assert [(line['iter'], line['a'], line['rare'], line['lr']) for line in lines(runner)] == [(10, 4.5, 2, 0.5),
                                                                                                 (20, 14.5, 2, 0.5), (30, 24.5, 2, 0.5)]
    speed = [text for text in runner.messages if 'iterations a second' in text]
    assert len(speed) == 1 and 'first 20' in speed[0] and 'time left' in speed[0]
    assert [step for step, _ in runner.shown] == [10, 20, 30]


def test_a_run_that_ends_by_time_says_what_is_left_of_it(runner):
    runner.max_iters, hook = 10**9, ScalarLogger(interval=10)
    runner.hooks = [hook, BudgetHook(minutes=[2])]
    hook.before_train(runner)
    iterate(hook, runner, 20)
    said = [text for text in runner.messages if 'time left' in text or 'eta' in text]
    assert len(said) == 3 and all('0:02:00' in text and '1000000000' not in text for text in said)
    runner.hooks = [hook, BudgetHook(iterations=[2])]
    iterate(hook, runner, 10)
    assert '/1000000000]' in runner.messages[-1]


def test_state_is_bounded_and_devices_are_not_waited_for(runner, monkeypatch):
    hook = ScalarLogger(interval=1000)
    hook.before_train(runner)
    waits = []
    for name in ('item', 'tolist', 'cpu', '__float__'):
        monkeypatch.setattr(torch.Tensor, name, lambda self, name=name: waits.append(name))
    iterate(hook, runner, 60)
    assert waits == [] and hook.state_dict()['groups'][0][2] == 60
    assert len(hook.state_dict()['groups']) == 1 and hook.state_dict()['groups'][0][1].numel() == 1


def test_resume_cuts_the_file_and_keeps_the_window(runner, tmp_path):
    whole = ScalarLogger(interval=10)
    whole.before_train(runner)
    iterate(whole, runner, 20)
    expected = without_times(lines(runner))
    runner.iter = 0
    (tmp_path / '20260102_000000' / 'vis_data' / 'scalars.json').unlink()
    first = ScalarLogger(interval=10)
    first.before_train(runner)
    iterate(first, runner, 15)
    state = first.state_dict()
    with open(tmp_path / '20260102_000000' / 'vis_data' / 'scalars.json', 'a') as file:
        file.write('{"step": 17, "a": 1}\n{"step": 1')
    runner.log_dir = str(tmp_path / '20260103_000000')
    second = ScalarLogger(interval=10)
    second.load_state_dict(state)
    second.before_train(runner)
    iterate(second, runner, 5)
    assert without_times(lines(runner)) == expected
    assert len(list(tmp_path.rglob('scalars.json'))) == 1, 'one file with the whole run, in the folder of the newest start'


def test_a_file_that_cannot_be_read_or_written_is_named(runner, tmp_path):
    earlier, own = (tmp_path / day / 'vis_data' / 'scalars.json' for day in ('20260101_000000', '20260102_000000'))
    earlier.mkdir(parents=True)
    hook = ScalarLogger(interval=1)
    runner.iter = 1
    with pytest.raises(InputError, match=r'scalars\.json: is not a regular file'):
        hook.before_train(runner)
    earlier.rmdir()
    hook.before_train(runner)
    own.mkdir(parents=True)
    with pytest.raises(InputError, match=r'scalars\.json: is not a regular file'):
        iterate(hook, runner, 1)


def test_a_link_in_a_work_dir_does_not_change_what_it_points_to(runner, tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    earlier = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    earlier.parent.mkdir(parents=True)
    earlier.symlink_to(tmp_path / 'thesis.tex')
    hook = ScalarLogger(interval=1)
    runner.iter = 1
    hook.before_train(runner)
    iterate(hook, runner, 1)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_validation_is_logged(runner):
    hook = ScalarLogger()
    hook.before_train(runner)
    runner.iter = 7
    hook.after_val_epoch(runner, dict(psnr=20.5, name='x'))
    assert lines(runner) == [{'psnr': 20.5, 'step': 7}] and runner.messages[-1] == 'Iter(val) [2/2]    psnr: 20.5000'


def test_lines_are_those_of_mmengine(runner):
    hook = ScalarLogger(interval=10)
    hook.before_train(runner)
    iterate(hook, runner, 10, lambda i: {'g/gan': torch.tensor(.25)})
    line, = lines(runner)
    assert list(line) == ['lr', 'data_time', 'time', 'iter', 'step', 'g/gan'] and line['step'] == line['iter'] == 10
    number = r'\d+\.\d{4}'
    said = rf'Iter\(train\) \[ 10/100\]  lr: 5\.0000e-01  eta: 0:00:\d\d  time: {number}  data_time: {number}  g/gan: 0\.2500'
    assert re.fullmatch(said, runner.messages[-1]), runner.messages[-1]
    runner.optim_wrapper['d'] = runner.optim_wrapper['g']
    iterate(hook, runner, 10)
    assert list(lines(runner)[1])[:2] == ['g.lr', 'd.lr']
    assert 'Iter(train) [ 20/100]  g.lr: 5.0000e-01 d.lr: 5.0000e-01  eta: ' in runner.messages[-2]
