"""Who this process is among others: what its starter says, in torchrun's words."""

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta

import torch
import torch.distributed as dist
from mmengine.dist import get_rank
from mmengine.runner import set_random_seed

from toolkit.machine import chosen_device, cores
from toolkit.structures import InputError
from toolkit.together import join_group

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
FAMILIES = {
    'Open MPI': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_SIZE'),
    'Intel MPI, MPICH': ('PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS'),
    'Slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_NTASKS_PER_NODE')}
"""Starter -> its names of rank, number of processes, rank on this machine, and processes on this machine."""
STARTERS = dict(pytorch='torchrun --nproc_per_node 2', slurm='srun --ntasks 2 python', mpi='mpirun -n 2 python')
PORT = '29500'
PATIENCE = timedelta(days=7)
"""Processes of a test wait for the last clip of each other, and a clip may take hours."""


def join_processes(device: str | None = None, launcher: str | None = None) -> tuple[int, str]:
    """Join the other processes of a test, if there are any, fix the seeds and choose this process's device.

    Args:
        device: for example ``'cuda:0'``; None for the process's GPU, or the CPU where there is none.
        launcher: one of :data:`LAUNCHERS`; None notices torchrun.

    Returns:
        The process's number among all, and its device.

    Raises:
        InputError: as :func:`process_environment`, or a device that this machine does not have.
    """
    launcher = launcher or noticed_launcher()
    os.environ.update(process_environment(launcher))
    world, local = int(os.environ.get('WORLD_SIZE', '1')), int(os.environ.get('LOCAL_RANK', '0'))
    if world > 1 and launcher != 'none' and not dist.is_initialized():
        join_group(PATIENCE)
    set_random_seed(0)
    if device is None:
        device = f'cuda:{local % torch.cuda.device_count()}' if torch.cuda.is_available() else 'cpu'
    if (chosen := chosen_device(device)).type == 'cuda':
        torch.cuda.set_device(chosen.index or 0)
    return get_rank(), device


def noticed_launcher(environment: Mapping[str, str] = os.environ) -> str:
    """``'pytorch'`` for one of several processes of torchrun, else ``'none'``.

    Args:
        environment: what the starter set.
    """
    return 'pytorch' if 'RANK' in environment and int(environment.get('WORLD_SIZE', '1')) > 1 else 'none'


def process_environment(launcher: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables of torchrun for a process that another starter started.

    Args:
        launcher: one of :data:`LAUNCHERS`; ``'mpi'`` stands for ``mpirun`` and ``srun --mpi``, ``'slurm'`` for ``srun``.
        environment: what the starter set.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` (of Slurm the first machine of the job; else that of this machine
        where all processes are on it) and ``MASTER_PORT`` (29500 where none is set). Nothing for ``'none'``, and where torchrun has set
        them.

    Raises:
        InputError: the starter is not known by its variables, or several machines and no ``MASTER_ADDR``.
    """
    if launcher == 'none' or (launcher == 'pytorch' and 'RANK' in environment):
        return {}
    families = dict(pytorch=(), slurm=('Slurm',), mpi=FAMILIES)[launcher]
    found = next((FAMILIES[name] for name in families if all(variable in environment for variable in FAMILIES[name][:3])), None)
    if found is None:
        starter = STARTERS[launcher]
        raise InputError(f'--launcher {launcher} needs {starter.partition(" ")[0]}: none of the variables '
                         f'{", ".join(FAMILIES[name][2] for name in families) or "RANK"} is there. For example: {starter} '
                         f'tools/train.py CONFIG --launcher {launcher}')
    rank, size, local_rank, local_size = found
    address = environment.get('MASTER_ADDR') or _first_machine(environment)
    if address is None and environment.get(local_size) == environment[size]:
        address = '127.0.0.1'
    if address is None:
        raise InputError(f'--launcher {launcher} on several machines needs MASTER_ADDR, the name of the machine of the first process, '
                         'in the environment of all; for example mpirun -x MASTER_ADDR=NAME ...')
    return dict(RANK=environment[rank], WORLD_SIZE=environment[size], LOCAL_RANK=environment[local_rank], MASTER_ADDR=address,
                MASTER_PORT=environment.get('MASTER_PORT', PORT))


def cores_of_process(launcher: str, environment: Mapping[str, str] = os.environ) -> int:
    """Cores for each of the processes of this machine.

    Args:
        launcher: one of :data:`LAUNCHERS`.
        environment: what the starter set. Slurm says how many cores a task has; else those of the machine are divided.
    """
    names = 'LOCAL_WORLD_SIZE', *(family[3] for family in FAMILIES.values())
    here = next((environment[name] for name in names if environment.get(name, '').isdecimal()), '1') if launcher != 'none' else '1'
    of_task = environment.get('SLURM_CPUS_PER_TASK', '') if launcher == 'slurm' else ''
    return max(1, min(cores(), int(of_task)) if of_task.isdecimal() else cores() // int(here))


def _first_machine(environment: Mapping[str, str]) -> str | None:
    """The first machine of a job of Slurm, which need not be said."""
    machines = environment.get('SLURM_STEP_NODELIST') or environment.get('SLURM_JOB_NODELIST')
    if not machines:
        return None
    try:
        listed = subprocess.run(['scontrol', 'show', 'hostnames', machines], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(listed.stdout.split()), None)
