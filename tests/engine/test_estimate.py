"""What a training would cost is measured, and nothing of the trial stays."""

import os
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from toolkit.engine.estimate import Estimate, Stopwatch, _left_out, duration, estimate
from toolkit.machine import most_memory, private_memory
from toolkit.structures import InputError


def test_a_trial_says_what_the_whole_training_takes(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate(toy.config, ['train_cfg.max_iters=5000', 'train_cfg.val_interval=500'], iterations=4)
    assert found.iterations == 5000 and len(found.seconds) == 4 and (found.seconds > 0).all() and found.memory > 50
    assert found.batch == 2 and found.parameters['net_g'] == 6 * 8 + 8 + 8 * 4 + 4
    assert found.left_out == ['10 validations', 'checkpoints'] and not list(tmp_path.iterdir())
    assert '5,000 iterations: about' in '\n'.join(found.lines())


@pytest.mark.parametrize('train_cfg, found', [
    (dict(val_interval=-1), []), (dict(val_interval=0), []), (dict(val_interval=2000), ['3 validations']), ({}, ['5 validations']),
    (dict(val_interval=2500), ['2 validations']), (dict(val_interval=9000), ['1 validation']),
    (dict(val_begin=4001), ['1 validation']),
])
def test_validations_are_counted_as_the_loop_makes_them(train_cfg, found):
    cfg = Config(dict(train_cfg=train_cfg, val_dataloader=dict(batch_size=1)))
    assert _left_out(cfg, 5000) == [*found, 'checkpoints']
    cfg.val_dataloader = None
    assert _left_out(cfg, 5000) == ['checkpoints']


def test_memory_and_disk_are_told_in_millions_of_bytes(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('resource.getrusage', lambda who: SimpleNamespace(ru_maxrss=10**6))  # in KiB, on Linux
    found = estimate(toy.config, ['train_cfg.max_iters=5000'], iterations=2)
    weights, trained = 92 + 49 + 92 + 16, 92 + 49
    assert found.memory == 1024 and found.checkpoint == pytest.approx(4 * (weights + 2 * trained) / 10**6)


def test_a_system_that_does_not_say_how_much_memory_there_is(toy, tmp_path, monkeypatch):
    """As Windows, where Python has no module that tells it."""
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, 'resource', None)
        assert most_memory() is None
    monkeypatch.setattr('toolkit.engine.estimate.most_memory', lambda: None)
    found = estimate(toy.config, ['train_cfg.max_iters=5000'], iterations=2)
    assert found.memory is None and any(line.startswith('memory        not told') for line in found.lines())


def test_memory_of_processes_that_load_data_counts(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alone = estimate(toy.config, ['train_cfg.max_iters=5000'], iterations=2)
    seen = []

    def measured(processes):
        seen.extend(processes)
        return private_memory(seen) + 10**9

    monkeypatch.setattr('toolkit.engine.estimate.private_memory', measured)
    found = estimate(toy.config, ['train_cfg.max_iters=5000', 'train_dataloader.num_workers=2'], iterations=2)
    assert len(set(seen)) == 2 and os.getpid() not in seen and found.memory > alone.memory + 1000


def test_memory_that_a_process_shares_with_nobody():
    held = np.ones(50_000_000, np.uint8)
    assert private_memory([os.getpid()]) > held.nbytes and private_memory([]) == 0
    assert private_memory([2**22 + 1]) is None, 'there is no such process'


def test_a_trial_that_is_stopped_names_no_checkpoint(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Stopwatch, 'after_train_iter', lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt, match='^interrupted; nothing is kept of the trial$'):
        estimate(toy.config, ['train_cfg.max_iters=5000'], iterations=4)
    assert not list(tmp_path.iterdir())


def test_the_whole_is_the_sum_of_its_iterations():
    found = Estimate(1000, np.full(20, .5), 10., 900., 2048., 2, dict(net_g=3_100_000), 75.)
    assert found.total == 510
    assert found.lines() == [
        'networks      net_g 3.10 M parameters',
        'an iteration  0.500 s (80 % within 0.500 and 0.500 s, of 20 measured), 4.0 items a second',
        'in all        1,000 iterations: about 8 min', 'memory        900 MB, on the GPU 2,048 MB',
        'disk          about 75 MB a checkpoint']


@pytest.mark.parametrize('seconds, words', [
    (4, '4 s'), (100, '2 min'), (3600, '1 h'), (12000, '3 h 20 min'), (200000, '2 days 7 h 33 min')])
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_too_few_iterations(toy):
    with pytest.raises(InputError, match='at least 2'):
        estimate(toy.config, iterations=1)


def test_a_trial_ends_with_a_window_of_accumulation_and_keeps_the_schedules_of_the_run(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate(toy.config, [
        'train_cfg.max_iters=600', 'optim_wrapper.g.accumulative_counts=4', 'optim_wrapper.d.accumulative_counts=6',
        "param_scheduler=[{'type':'LinearLR','begin':300}]"], iterations=4)
    assert found.iterations == 600 and len(found.seconds) == 12 - 5
