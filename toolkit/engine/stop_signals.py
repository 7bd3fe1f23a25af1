"""Ctrl-C and termination as a wish that is granted at the next iteration boundary, by all processes at the same one."""

import os
import signal
import threading
from types import FrameType

import torch
import torch.distributed as dist


class StopSignals:
    """Context in which SIGINT and SIGTERM only set a flag.

    In a single process a second Ctrl-C stops at once. In a distributed run the processes agree (one small reduction on the CPU an
    iteration), because a process that stopped alone would leave the others waiting.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._old: dict[int, object] = {}
        distributed = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self._group = None if not distributed else dist.group.WORLD if dist.get_backend() == 'gloo' else dist.new_group(backend='gloo')

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is threading.main_thread():
            self._old = {s: signal.signal(s, self._receive) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received and self._group is None and number == signal.SIGINT:
            raise KeyboardInterrupt('stopped at once; the last checkpoint on disk is intact')
        if not self.received:
            os.write(2, b'\nstopping after this iteration, then saving a checkpoint (Ctrl-C again: stop at once)\n')
        self.received = signal.Signals(number).name

    def agreed(self) -> bool:
        """Whether any process received a signal; every process gets the same answer."""
        if self._group is None:
            return self.received is not None
        flag = torch.tensor([int(self.received is not None)])
        dist.all_reduce(flag, op=dist.ReduceOp.MAX, group=self._group)
        return bool(flag.item())
