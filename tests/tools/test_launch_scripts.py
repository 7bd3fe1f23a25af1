"""The scripts that start several processes: what they run, with stand-ins for python and srun."""

import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def run(tmp_path, script, *arguments, **environment):
    for name in ('python', 'srun'):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    return subprocess.run([TOOLS / script, *arguments], capture_output=True, text=True, env={'PATH': path, **environment})


def test_dist_train(tmp_path):
    said = run(tmp_path, 'dist_train.sh', 'my config.py', '4', '--amp', '--cfg-options', 'a=b c').stdout.splitlines()
    assert said[:3] == ['python', '-m', 'torch.distributed.run'] and '--nproc_per_node=4' in said and '--nnodes=1' in said
    assert said[-7:] == [f'{TOOLS}/train.py', 'my config.py', '--launcher', 'pytorch', '--amp', '--cfg-options', 'a=b c']


def test_dist_test(tmp_path):
    said = run(tmp_path, 'dist_test.sh', 'config.py', 'run', '2', '--out', 'a.json', NNODES='2', NODE_RANK='1', PORT='5')
    said = said.stdout.splitlines()
    assert {'--nnodes=2', '--node_rank=1', '--nproc_per_node=2', '--master_port=5'} <= set(said)
    assert said[-7:] == [f'{TOOLS}/test.py', 'config.py', 'run', '--launcher', 'pytorch', '--out', 'a.json']


def test_slurm_train(tmp_path):
    said = run(tmp_path, 'slurm_train.sh', 'gpu', 'dance', 'config.py', 'out', '--resume', GPUS='4', SRUN_ARGS='-w node1')
    said = said.stdout.splitlines()
    assert said[:3] == ['srun', '-p', 'gpu'] and {'--ntasks=4', '--ntasks-per-node=4', '--gres=gpu:4', '-w', 'node1'} <= set(said)
    assert said[-7:] == [f'{TOOLS}/train.py', 'config.py', '--work-dir', 'out', '--launcher', 'slurm', '--resume']


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_too_few_arguments_give_the_usage(tmp_path, script):
    ended = run(tmp_path, script, 'config.py')
    assert ended.returncode and f'usage: tools/{script} ' in ended.stderr and not ended.stdout
