"""What ends a run before its time costs no training: it is saved first, and nothing that is not finite is."""

import errno
import logging
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.saving import SaveError, check_finite, write_atomically
from toolkit.engine.workers import explained, ignore_signals
from toolkit.structures import InputError
from toolkit.weights import latest_checkpoint, read_checkpoint


def failing(iteration, what='preview'):
    return f"custom_hooks=[{{'type':'FailAt','iteration':{iteration},'what':'{what}'}}]"


@pytest.mark.parametrize('processes', [1, 2])
def test_a_failing_look_saves_first_and_the_run_goes_on_exactly(toy, tmp_path, processes):
    ended = toy.train(tmp_path / 'parts', processes=processes, options=[failing(3)])
    assert ended.codes == [1, 2][:processes], ended.text
    assert 'ZeroDivisionError' in ended.text and 'up to iteration 3 is saved in' in ended.text and '--resume' in ended.text
    assert toy.train(tmp_path / 'parts', '--resume', processes=processes).codes == [0] * processes
    assert toy.train(tmp_path / 'whole', processes=processes).codes == [0] * processes
    assert toy.differences(tmp_path / 'whole' / 'iter_0000008.pth', tmp_path / 'parts' / 'iter_0000008.pth') == []


def test_what_failed_in_one_process_alone_is_made_up_for_by_all(toy, tmp_path):
    options = ['train_cfg.val_interval=0']
    ended = toy.train(tmp_path, processes=2, options=[failing(3, 'alone'), *options])
    assert ended.codes == [2, 1] and 'another process failed' in ended.text, ended.text
    assert read_checkpoint(tmp_path / 'iter_0000003.pth')['meta']['unfinished'] is True
    again = toy.train(tmp_path, '--resume', processes=2, options=[failing(3, 'alone'), *options])
    assert again.codes == [2, 1] and latest_checkpoint(tmp_path).stem == 'iter_0000003', again.text


def test_an_error_of_ours_stays_one_line(toy, tmp_path):
    ended = toy.train(tmp_path, options=['default_hooks.checkpoint.save_best=psnr', 'default_hooks.checkpoint.rule=greater'])
    assert ended.codes == [2] and 'Traceback' not in ended.text
    assert "'psnr' is not among" in ended.text and 'iter_0000004.pth; go on with --resume' in ended.text


@pytest.mark.parametrize('turns_at, code', [(3, 2), (4, 0), (0.5, 0)])
def test_a_stage_that_begins_within_a_window_of_gradients_is_told(toy, tmp_path, turns_at, code):
    options = ['train_cfg.max_iters=6', 'train_cfg.val_interval=0', f'model.turns_at={turns_at}',
               *(f'optim_wrapper.{name}.accumulative_counts=2' for name in 'gd')]
    run = toy.train(tmp_path, options=options)
    assert run.codes == [code], run.text
    assert code == 0 or 'ToyGAN comes to stage 2 at iteration 3, between gradients' in run.text


def test_a_killed_data_loading_process(toy, tmp_path):
    loader = ['train_dataloader.num_workers=1', 'train_dataloader.timeout=1', 'train_cfg.max_iters=40', 'train_cfg.val_interval=0']
    ended = toy.train(tmp_path, options=[failing(2, 'worker'), 'default_hooks.checkpoint.interval=100', *loader])
    assert ended.codes == [2] and 'Traceback' not in ended.text, ended.text
    assert 'loads data was killed' in ended.text and 'num_workers' in ended.text
    last = latest_checkpoint(tmp_path)
    assert last is not None and str(last) in ended.text and read_checkpoint(last)['meta']['iter'] >= 3


class SignalledOfTest(torch.utils.data.Dataset):
    """Two items; a signal comes while one is read, as from Slurm to all processes of a job."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGUSR1)
        return index


def test_a_signal_for_the_run_does_not_end_its_data_loading_processes():
    loader = torch.utils.data.DataLoader(SignalledOfTest(), num_workers=1, worker_init_fn=ignore_signals)
    assert [int(index) for index in loader] == [0, 1]


def test_errors_in_a_data_loading_process_are_one_line():
    raised = InputError('Caught InputError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n'
                        '  File "x.py"\ntoolkit.structures.InputError: clip kick, frame 7: damaged\n')
    assert str(explained(raised)) == 'clip kick, frame 7: damaged'
    other = RuntimeError('something else')
    assert explained(other) is other


@pytest.mark.parametrize('code, memory', [(-9, True), (137, True), (1, False), (-11, False)])
def test_memory_is_blamed_only_where_the_system_killed_a_process(code, memory):
    worker = SimpleNamespace(exitcode=code, join=lambda seconds: None, is_alive=lambda: False)
    told = str(explained(RuntimeError('DataLoader worker exited unexpectedly'), SimpleNamespace(_workers=[worker])))
    assert f'(exit code {code})' in told
    assert ('memory' in told) == memory != ("below if __name__ == '__main__':" in told)


def test_a_diverged_model_is_not_saved(toy, tmp_path):
    runner = build_runner(load_config(toy.config, [failing(5, 'nan'), 'default_hooks.checkpoint.interval=2',
                                                   'default_hooks.nan_guard.interval=100']), work_dir=tmp_path)
    with pytest.raises(SaveError, match=r'net_g.0.weight \(and \d+ more\) is not finite, seen at iteration 6.*4.pth, is finite'):
        runner.train()
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['iter_0000002.pth', 'iter_0000004.pth']
    check_finite(read_checkpoint(latest_checkpoint(tmp_path)), {'net_g.0.weight'}, tmp_path)


def test_what_must_be_finite(tmp_path):
    weights = dict(w=torch.ones(2), least=torch.tensor([float('inf')]))
    state = dict(meta=dict(iter=7), state_dict=weights, optimizer=dict(g=dict(state={})))
    check_finite(state, {'w'}, tmp_path)
    for changed, words in ((dict(state_dict=dict(w=torch.tensor([float('inf')]))), 'w is not finite, seen at iteration 7.*No check'),
                           (dict(state_dict=dict(least=torch.tensor([float('nan')]))), 'least is not'),
                           (dict(optimizer=dict(g=dict(state={0: dict(exp_avg=torch.tensor([float('nan')]))}))), "of optimizer 'g'")):
        with pytest.raises(SaveError, match=words):
            check_finite({**state, **changed}, {'w'}, tmp_path)


@pytest.mark.parametrize('error', [
    OSError(errno.ENOSPC, 'No space left on device'),
    RuntimeError('[enforce fail at inline_container.cc:672] . unexpected pos 62294592 vs 62294484')])
def test_a_full_disk(tmp_path, monkeypatch, error):
    path = tmp_path / 'iter_0000004.pth'
    write_atomically(path, dict(a=1))
    old = path.read_bytes()

    def full(content, file):
        file.write(b'half')
        raise error

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(SaveError, match=r'iter_0000004.pth: .*(No space|full).*about 8.0 MB are needed.*Earlier checkpoints are'):
        write_atomically(path, dict(state_dict=dict(w=torch.zeros(2, 1_000_000))))
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_errors_of_torch_are_not_a_full_disk(tmp_path, monkeypatch):
    def fails(content, file):
        raise RuntimeError('a bug')

    monkeypatch.setattr(torch, 'save', fails)
    with pytest.raises(RuntimeError, match='a bug'):
        write_atomically(tmp_path / 'a.pth', {})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_run_with_one_line(toy, tmp_path, monkeypatch):
    def full(content, file):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full)
    logging.disable(logging.CRITICAL)
    ended = toy.train(tmp_path)
    logging.disable(logging.NOTSET)
    assert ended.codes == [2] and 'cannot write' in ended.text and 'Traceback' not in ended.text
