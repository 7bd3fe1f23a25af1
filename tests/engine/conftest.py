"""A tiny GAN with a config, and a way to train it in processes of its own."""

import importlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent
TOY = Path(__file__).resolve().parent / 'toy'
MPI = ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_SIZE')
SLURM = ('SLURM_PROCID', 'SLURM_LOCALID', 'SLURM_NTASKS', 'SLURM_NTASKS_PER_NODE')


def flat(value, where=''):
    """Nested dicts and lists as (path, leaf) pairs."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f'{where}/{key}')
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from flat(item, f'{where}/{i}')
    else:
        yield where, value


def free_port():
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def run_child(arguments, said, rank, processes, port, launcher):
    """Life of a forked process: never returns."""
    code = 1
    try:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        sys.stdout, sys.stderr = (os.fdopen(n, 'w', buffering=1, closefd=False) for n in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
        torch.set_num_threads(1)
        names = dict(mpi=MPI, slurm=SLURM).get(launcher, ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE'))
        if processes > 1:
            os.environ.update(zip(names, (str(rank), str(rank), str(processes), str(processes))))
            os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
        runpy.run_path(str(ROOT / 'tools' / 'train.py'))['main'](arguments)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Toy:
    """Paths and commands of the toy."""

    config = TOY / 'toy_config.py'

    @staticmethod
    def train(work_dir, *arguments, options=(), processes=1, config=None, launcher='pytorch'):
        """Run the train tool in forked processes, which spares their start; gives exit codes (negative: signal) and output."""
        arguments = [str(config or TOY / 'toy_config.py'), '--work-dir', str(work_dir), *arguments]
        port, said = free_port(), [tempfile.TemporaryFile('w+') for _ in range(processes)]
        arguments += ['--launcher', launcher] if processes > 1 and launcher else []
        arguments += ['--cfg-options', *options] if options else []
        children = []
        for rank in range(processes):
            children.append(os.fork())
            if children[-1] == 0:
                run_child(arguments, said[rank], rank, processes, port, launcher)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        texts = []
        for file in said:
            file.seek(0)
            texts.append(file.read())
            file.close()
        return SimpleNamespace(codes=codes, text='\n'.join(texts))

    @staticmethod
    def torchrun(work_dir, *arguments, options=(), processes=2):
        """Run the train tool as a user does, under torchrun."""
        command = [sys.executable, '-m', 'torch.distributed.run', f'--nproc_per_node={processes}', '--master_addr=127.0.0.1',
                   f'--master_port={free_port()}', str(ROOT / 'tools' / 'train.py'), str(TOY / 'toy_config.py'), '--work-dir',
                   str(work_dir),
                   '--launcher', 'pytorch', *arguments, *(['--cfg-options', *options] if options else [])]
        env = dict(os.environ, OMP_NUM_THREADS='1', MKL_NUM_THREADS='1', PYTHONPATH=f'{TOY}{os.pathsep}{ROOT}',
                   TOOLKIT_DISABLE_PLUGINS='all')
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        return SimpleNamespace(codes=[done.returncode], text=done.stdout + done.stderr)

    @staticmethod
    def differences(a, b):
        """Paths of everything that differs between two checkpoints, but for the time, the config and the plugins."""
        a, b = (dict(flat(torch.load(path, weights_only=True))) for path in (a, b))
        equal = {key for key in a.keys() & b.keys() if (torch.equal(a[key], b[key]) if torch.is_tensor(a[key]) else a[key] == b[key])}
        ignored = ('/meta/time', '/meta/config', '/meta/plugins')
        return sorted(key for key in (a.keys() | b.keys()) - equal if not key.startswith(ignored))


@pytest.fixture
def toy(monkeypatch):
    """The toy, with its module importable."""
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.setenv('TOOLKIT_DISABLE_PLUGINS', 'all')
    from toolkit.engine.launch import load_config
    load_config(Toy.config)
    for module in ('torch._dynamo', 'matplotlib.backends.backend_agg', 'matplotlib.pyplot'):
        importlib.import_module(module)  # what training imports, so that forked processes need not
    return Toy
