"""Ctrl-C and termination as a wish that is granted at the next iteration boundary, by all processes at the same one."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType

import torch
import torch.distributed as dist


class StopSignals:
    """Context in which SIGINT, SIGTERM, SIGHUP (a terminal that was closed) and SIGUSR1 (what Slurm is often asked to send before the
    time of a job ends) only set a flag.

    In a single process a second Ctrl-C stops at once. SIGHUP stays ignored where it was, as under ``nohup``, SIGUSR1 too. A data
    loading process that dies is not reported in the middle of an iteration, as torch does by SIGCHLD, but when the next batch is asked
    for. In a distributed run the processes agree (one small reduction on the CPU an iteration), because a process that stopped alone
    would leave the others waiting.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._old: dict[int, object] = {}
        distributed = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self._group = None if not distributed else dist.group.WORLD if dist.get_backend() == 'gloo' else dist.new_group(backend='gloo')

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is threading.main_thread():
            wanted = [signal.SIGINT, signal.SIGTERM]
            others = (getattr(signal, name) for name in ('SIGHUP', 'SIGUSR1') if hasattr(signal, name))
            wanted += [number for number in others if signal.getsignal(number) is not signal.SIG_IGN]
            self._old = {s: signal.signal(s, self._receive) for s in wanted}
            if hasattr(signal, 'SIGCHLD'):
                self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received and self._group is None and number == signal.SIGINT:
            raise KeyboardInterrupt('stopped at once; the last checkpoint on disk is intact')
        if not self.received:
            with suppress(OSError):
                os.write(2, b'\nstopping after this iteration, then saving a checkpoint (Ctrl-C again: stop at once)\n')
        self.received = signal.Signals(number).name

    def agreed(self, state: int) -> int:
        """The largest number that any process gives; every process gets the same answer."""
        if self._group is None:
            return state
        box = torch.tensor([state])
        dist.all_reduce(box, op=dist.ReduceOp.MAX, group=self._group)
        return int(box.item())
