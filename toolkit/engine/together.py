"""What one process does for all, without leaving the others to wait for ever."""

from collections.abc import Callable
from typing import TypeVar

import torch.distributed as dist
from mmengine.dist import get_world_size, is_main_process

from toolkit.structures import InputError

T = TypeVar('T')


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
