"""Who this process is among others: what MPI says, in torchrun's words."""

import os
from collections.abc import Mapping

from toolkit.structures import InputError

FAMILIES = {
    'Open MPI': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_SIZE'),
    'Intel MPI, MPICH': ('PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS'),
    'Slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_NTASKS_PER_NODE')}
"""Starter -> its names of rank, number of processes, rank on this machine, and processes on this machine."""
PORT = '29500'


def mpi_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables of torchrun for a process that ``mpirun`` or ``srun`` started.

    Args:
        environment: what the starter set.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` (that of this machine where all processes are on it) and
        ``MASTER_PORT`` (29500 where none is set).

    Raises:
        InputError: no starter is known by its variables, or several machines and no ``MASTER_ADDR``.
    """
    found = next((names for names in FAMILIES.values() if all(name in environment for name in names[:3])), None)
    if found is None:
        raise InputError('--launcher mpi needs mpirun (or srun --mpi): found none of the variables '
                         f'{", ".join(names[2] for names in FAMILIES.values())}. For example: mpirun -n 2 python tools/train.py CONFIG '
                         f'--launcher mpi')
    rank, size, local_rank, local_size = found
    address = environment.get('MASTER_ADDR')
    if address is None and environment.get(local_size) == environment[size]:
        address = '127.0.0.1'
    if address is None:
        raise InputError('--launcher mpi on several machines needs MASTER_ADDR, the name of the machine of the first process: '
                         'mpirun -x MASTER_ADDR=NAME ...')
    return dict(RANK=environment[rank], WORLD_SIZE=environment[size], LOCAL_RANK=environment[local_rank], MASTER_ADDR=address,
                MASTER_PORT=environment.get('MASTER_PORT', PORT))
