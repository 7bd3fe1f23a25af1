"""Work of several processes: one does it for all, or each does a share. An error of one never leaves the others to wait for ever."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process

from toolkit.structures import InputError

T = TypeVar('T')


def restarted() -> bool:
    """Whether torchrun started the processes of one machine again, after one of them failed."""
    of_one = os.environ.get('LOCAL_WORLD_SIZE') == os.environ.get('WORLD_SIZE')
    return of_one and os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') != '0'


def join_group(timeout: timedelta = timedelta(minutes=30), backend: str = 'gloo') -> None:
    """Meet the other processes.

    The store of torchrun keeps the addresses of processes that have ended (pytorch#135712). So what is started again meets under a name
    of its own. On several machines that is left to torchrun, whose counts of restarts differ between them.

    Args:
        timeout: of every exchange.
        backend: ``'gloo'`` on CPUs, ``'nccl'`` on GPUs.
    """
    if not restarted():
        dist.init_process_group(backend, timeout=timeout)
        return
    store, rank, size = next(dist.rendezvous('env://', timeout=timeout))
    store.set_timeout(timeout)
    store = dist.PrefixStore(f'attempt_{os.environ["TORCHELASTIC_RESTART_COUNT"]}', store)
    dist.init_process_group(backend, timeout=timeout, store=store, rank=rank, world_size=size)


def on_main_process(work: Callable[[], T]) -> T:
    """Let process 0 do something while the others wait; every process must call it.

    Args:
        work: called on process 0 only.

    Returns:
        What ``work`` returned, on every process.

    Raises:
        Exception: of ``work``, on process 0; the others raise it too when it is an :class:`InputError`, else one that names it.
    """
    if get_world_size() == 1:
        return work()
    result, error = None, None
    if is_main_process():
        try:
            result = work()
        except Exception as failure:  # whatever it is, the others must learn of it
            error = failure
    told = error if error is None or isinstance(error, InputError) else InputError(f'process 0: {type(error).__name__}: {error}')
    box = [(result, told)]
    dist.broadcast_object_list(box)
    result, told = box[0]
    if error or told:
        raise error or told
    return result


def from_all_processes(work: Callable[[], T]) -> list[T]:
    """Let each process do its share; every process must call it, and goes on when all are done.

    Args:
        work: called on every process.

    Returns:
        What ``work`` returned on each process, in their order.

    Raises:
        Exception: of ``work`` on this process; or, where it failed on others alone, an InputError that names the first of them.
    """
    if get_world_size() == 1:
        return [work()]
    result, error = None, None
    try:
        result = work()
    except Exception as failure:  # whatever it is, the others must learn of it
        error = failure
    told = error and f'process {get_rank()}: ' + (str(error) if isinstance(error, InputError) else f'{type(error).__name__}: {error}')
    try:
        gathered = all_gather_object((result, told))
    except Exception as lost:  # the others are gone, or went on for longer than a process waits
        raise error or lost from lost
    told = next((told for _, told in gathered if told), None)
    if error or told:
        raise error or InputError(told)
    return [result for result, _ in gathered]
