"""Data loading processes: how many, their set-up, and what their errors mean."""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import torch

from toolkit.structures import InputError

DYING = 0.5
"""Seconds that a process may need to be gone after its connection is."""
NO_MEMORY = (-9, 137, -7)
"""Exit codes of a process that the system killed, by itself or below a shell, or that found no shared memory."""
UNSAID = 2
MOST, MOST_DECODED = 8, 4
"""On a GPU: about 500 items a second, of pictures that are read and of those that are kept in memory."""
FEW_CORES = 4
"""With fewer, networks on the CPU have use for all of them."""


def workers_of(loader: Mapping[str, Any]) -> int:
    """How many processes a data loader of a config has: what it says; with ``num_workers=None`` two, or none where pictures are kept
    in memory.
    """
    workers = loader.get('num_workers', 0)
    return (0 if keeps_decoded(loader.get('dataset')) else UNSAID) if workers is None else workers


def keeps_decoded(dataset: Any) -> bool:
    """Whether a data set of a config, or one inside it, keeps decoded pictures in memory."""
    return isinstance(dataset, Mapping) and (dataset.get('cache') == 'decoded' or any(map(keeps_decoded, dataset.values())))


def fitting_workers(cores: int, gpu: bool, decoded: bool, shared: bool = True) -> int:
    """How many processes should load the data of one training process. How many there are does not change an item.

    On a GPU, one core is for the training itself, the others load. On a CPU the networks use all cores, so a loading process only fills
    the gaps between them: one is enough, and with two or three cores it would take from the networks as much as it gives.

    Args:
        cores: of this training process.
        gpu: whether the networks are on a GPU.
        decoded: whether the data set keeps decoded pictures.
        shared: whether loading processes share that memory; where each would get a copy, no process is started.
    """
    if decoded and not shared:
        return 0
    if not gpu:
        return int(cores >= FEW_CORES)
    return min(max(1, cores - 1), MOST_DECODED if decoded else MOST)


def memory_is_shared(environment: Mapping[str, Any]) -> bool:
    """Whether new processes share the memory of this one, by ``env_cfg`` and the system."""
    methods = multiprocessing.get_all_start_methods()
    return 'fork' in methods and ((environment.get('mp_cfg') or {}).get('mp_start_method') or methods[0]) == 'fork'


def ignore_signals(worker_id: int) -> None:
    """Leave Ctrl-C, termination, a closed terminal and SIGUSR1 to the main process, which ends its workers itself, and use one thread
    each.

    Args:
        worker_id: given by torch's DataLoader.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (getattr(signal, name) for name in ('SIGHUP', 'SIGUSR1') if hasattr(signal, name)):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def explained(error: Exception, batches: Iterator | None = None) -> Exception:
    """An error of a data loader as the user should see it.

    Args:
        error: what ``next`` on a loader raised.
        batches: the loader's iterator.

    Returns:
        For an :class:`InputError` inside a worker that error alone, for a dead worker an :class:`InputError` which blames memory only
        where that may be so, else ``error``.
    """
    text = str(error)
    if isinstance(error, InputError) and text.startswith('Caught InputError in DataLoader worker'):
        return InputError(text.rpartition('InputError: ')[2].strip())
    if isinstance(error, (RuntimeError, OSError, EOFError)):
        dead = [worker for worker in getattr(batches, '_workers', ()) if worker.join(DYING) or not worker.is_alive()]
        if dead:
            return _ended(dead[0].exitcode)
    return error


def _ended(code: int) -> InputError:
    if code in NO_MEMORY:
        return InputError(f'a process that loads data was killed (exit code {code}). Often memory has run out: lower '
                          f'train_dataloader.num_workers, or set cache="none" for the data set')
    return InputError(f'a process that loads data ended at its start or failed (exit code {code}); what it printed says why. Where a '
                      f"script of your own starts the training, the start must stand below if __name__ == '__main__':, or each such "
                      f'process runs the script again')
