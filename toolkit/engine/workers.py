"""Data loading processes: their set-up, and what their errors mean."""

import signal
from collections.abc import Iterator

import cv2
import torch

from toolkit.structures import InputError

DYING = 0.5
"""Seconds that a process may need to be gone after its connection is."""


def ignore_signals(worker_id: int) -> None:
    """Leave Ctrl-C, termination and a closed terminal to the main process, which ends its workers itself, and use one thread each.

    Args:
        worker_id: given by torch's DataLoader.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, 'SIGHUP'):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def explained(error: Exception, batches: Iterator | None = None) -> Exception:
    """An error of a data loader as the user should see it.

    Args:
        error: what ``next`` on a loader raised.
        batches: the loader's iterator.

    Returns:
        For an :class:`InputError` inside a worker that error alone, for a dead worker an :class:`InputError`, else ``error``.
    """
    text = str(error)
    if isinstance(error, InputError) and text.startswith('Caught InputError in DataLoader worker'):
        return InputError(text.rpartition('InputError: ')[2].strip())
    if isinstance(error, (RuntimeError, OSError, EOFError)):
        dead = [worker for worker in getattr(batches, '_workers', ()) if worker.join(DYING) or not worker.is_alive()]
        if dead:
            return InputError(f'a process that loads data was killed (exit code {dead[0].exitcode}). Often memory has run out: lower '
                              f'train_dataloader.num_workers, or set cache="none" for the data set')
    return error
