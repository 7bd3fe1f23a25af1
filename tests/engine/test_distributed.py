"""Two processes of one sample do what one process of two samples does."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from toolkit.engine import processes
from toolkit.engine.launch import load_config
from toolkit.engine.processes import noticed_launcher, process_environment
from toolkit.structures import InputError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize('accumulate, norm', [(1, False), (2, False), (1, True)])
def test_batch_2_equals_1_plus_1(toy, tmp_path, accumulate, norm):
    config = tmp_path / 'plain.py'
    config.write_text(f"""
_base_ = {str(toy.config)!r}
model = dict(pool=0, dropout=0.0, norm={norm})
train_cfg = dict(max_iters={2 * accumulate}, val_interval=0)
default_hooks = dict(checkpoint=dict(interval=0), logger=dict(interval=1))
_sgd = dict(_delete_=True, type='SGD', lr=0.5)
optim_wrapper = dict(g=dict(accumulative_counts={accumulate}, optimizer=_sgd), d=dict(accumulative_counts={accumulate}, optimizer=_sgd))
""")
    one = toy.train(tmp_path / 'one', config=config)
    two = toy.train(tmp_path / 'two', config=config, processes=2, options=['train_dataloader.batch_size=1'])
    assert one.codes == [0] and two.codes == [0, 0], one.text + two.text
    name = f'iter_{2 * accumulate:07d}.pth'
    a, b = (torch.load(tmp_path / run / name, weights_only=True) for run in ('one', 'two'))
    for key, value in a['state_dict'].items():
        assert torch.allclose(value, b['state_dict'][key], atol=1e-5), key
    assert any('running_var' in key and not (value == 1).all() for key, value in a['state_dict'].items()) == norm
    assert a['meta']['samples'] == b['meta']['samples'] == 4 * accumulate


@pytest.mark.parametrize('launcher', ['mpi', 'slurm', None])
def test_processes_of_other_starters_train_together(toy, tmp_path, launcher):
    run = toy.train(tmp_path, processes=2, options=['train_cfg.max_iters=2', 'train_cfg.val_interval=0'], launcher=launcher)
    assert run.codes == [0, 0], run.text
    assert '2 process(es)' in run.text and torch.load(tmp_path / 'iter_0000002.pth', weights_only=True)['meta']['samples'] == 8


def test_torchrun_is_noticed_where_it_starts_several_processes():
    several = dict(RANK='0', WORLD_SIZE='2')
    assert noticed_launcher(several) == 'pytorch'
    for environment in (dict(), dict(several, WORLD_SIZE='1'), dict(WORLD_SIZE='2')):
        assert noticed_launcher(environment) == 'none'


def test_processes_of_a_test_wait_for_each_other_as_long_as_a_clip_may_take(monkeypatch):
    waits = []
    monkeypatch.setattr(processes, 'join_group', lambda timeout=timedelta(minutes=30): waits.append(timeout))
    for name, value in dict(RANK='0', LOCAL_RANK='0', WORLD_SIZE='2').items():
        monkeypatch.setenv(name, value)
    processes.join_processes('cpu')
    assert waits and min(waits) > timedelta(days=1)


@pytest.mark.parametrize('environment', [
    dict(OMPI_COMM_WORLD_RANK='5', OMPI_COMM_WORLD_SIZE='8', OMPI_COMM_WORLD_LOCAL_RANK='1', OMPI_COMM_WORLD_LOCAL_SIZE='4'),
    dict(PMI_RANK='5', PMI_SIZE='8', MPI_LOCALRANKID='1', MPI_LOCALNRANKS='4'),
    dict(SLURM_PROCID='5', SLURM_NTASKS='8', SLURM_LOCALID='1')])
def test_the_place_of_a_process_as_starters_tell_it(environment):
    place = dict(RANK='5', WORLD_SIZE='8', LOCAL_RANK='1', MASTER_ADDR='node1', MASTER_PORT='29500')
    assert process_environment('mpi', dict(environment, MASTER_ADDR='node1')) == place
    with pytest.raises(InputError, match='several machines needs MASTER_ADDR'):
        process_environment('mpi', environment)
    alone = {name: '8' if name.endswith(('LOCAL_SIZE', 'LOCALNRANKS')) else value for name, value in environment.items()}
    if 'SLURM_PROCID' not in environment:
        assert process_environment('mpi', alone)['MASTER_ADDR'] == '127.0.0.1'


@pytest.mark.parametrize('launcher, starter', [('mpi', 'mpirun'), ('slurm', 'srun'), ('pytorch', 'torchrun')])
def test_a_launcher_without_its_starter_is_told(launcher, starter):
    with pytest.raises(InputError, match=f'--launcher {launcher} needs {starter}: .*{starter} .*CONFIG --launcher {launcher}$'):
        process_environment(launcher, dict(WORLD_SIZE='2'))
    assert process_environment('none', {}) == process_environment('pytorch', dict(RANK='0')) == {}


def test_slurm_says_itself_which_machine_is_the_first(tmp_path, monkeypatch):
    (tmp_path / 'scontrol').write_text('#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && echo node7 && echo node8\n')
    (tmp_path / 'scontrol').chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    place = process_environment('slurm', dict(SLURM_PROCID='1', SLURM_NTASKS='2', SLURM_LOCALID='0', SLURM_JOB_NODELIST='node[7-8]'))
    assert place == dict(RANK='1', WORLD_SIZE='2', LOCAL_RANK='0', MASTER_ADDR='node7', MASTER_PORT='29500')


def test_a_checkpoint_of_two_processes_goes_on_in_one(toy, tmp_path):
    first = toy.train(tmp_path, processes=2, options=['train_cfg.max_iters=4'])
    assert first.codes == [0, 0], first.text
    second = toy.train(tmp_path, '--resume', options=['train_cfg.max_iters=6'])
    assert second.codes == [0] and 'trained by 2 processes' in second.text
    assert torch.load(tmp_path / 'iter_0000006.pth', weights_only=True)['meta']['samples'] == 4 * 4 + 2 * 2


def test_encoders_that_learn_along_in_two_processes(toy, tmp_path):
    config = tmp_path / 'end_to_end.py'
    config.write_text(f"""
_base_ = {str(CONFIGS / 'stage2_end_to_end.py')!r}
_synthetic = dict(_delete_=True, height=64, width=64, actors=[0], actions=[0, 1], frames=4, num_workers=1)
data = dict(root={str(tmp_path / 'clips')!r}, synthetic=_synthetic)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(split=None))
test_dataloader, custom_hooks, visualizer = None, [], None
_encoder = dict(encoder=dict(n_down=2, nef=4))
model = dict(
    generator=dict(ngf=4, n_down=2, n_blocks=1, n_local_blocks=1), discriminator=dict(ndf=4, n_layers=2, num_scales=1),
    losses=dict(perceptual=dict(weight=0.0)), color_codes=dict(up=_encoder, down=_encoder))
_sgd = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.02))
optim_wrapper = dict(g=_sgd, d=_sgd)
train_cfg = dict(max_iters=2)
default_hooks = dict(checkpoint=dict(interval=2))
""")
    small = ['train_dataloader.batch_size=1']
    load_config(config)  # imports what training needs, so that forked processes need not
    runs = [toy.train(tmp_path / 'one', config=config), toy.train(tmp_path / 'two', config=config, processes=2, options=small),
            toy.train(tmp_path / 'half', config=config, options=small)]
    assert [run.codes for run in runs] == [[0], [0, 0], [0]], '\n'.join(run.text for run in runs)
    files = [tmp_path / run / 'iter_0000002.pth' for run in ('one', 'two', 'half')]
    one, two, half = (torch.load(file, weights_only=True)['state_dict'] for file in files)
    keys = [key for key, value in one.items() if value.is_floating_point() and not key.endswith('.seen')]
    apart = {key: [(one[key] - other[key]).abs().max().item() for other in (two, half)] for key in keys}
    assert one.keys() == two.keys()
    for part in ('net_g.', 'net_d.', 'color_codes.up.network.', 'color_codes.down.', 'color_codes_ema.'):
        near, far = (max(values[i] for key, values in apart.items() if key.startswith(part)) for i in (0, 1))
        assert far > 1e-4 and near < 0.03 * far, f'{part}: {near} from one process, {far} from half of the data'
