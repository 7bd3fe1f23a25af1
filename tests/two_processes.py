"""Two forked processes that train together, as torchrun would start them."""

import os
import socket
import traceback

import torch.distributed as dist


def in_two_processes(work, folder):
    """Call ``work(rank)`` in two processes of one gloo group, and wait for them; what fails there fails here.

    Args:
        work: leaves what it finds in files.
        folder: for what went wrong.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            _live(work, rank, port, folder)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0, 0], [path.read_text() for path in folder.glob('failed_*.txt')]


def _live(work, rank, port, folder):
    """Life of a forked process: never returns."""
    code = 1
    try:
        os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), LOCAL_RANK='0')
        dist.init_process_group('gloo', rank=rank, world_size=2)
        work(rank)
        code = 0
    except BaseException:
        (folder / f'failed_{rank}.txt').write_text(traceback.format_exc())
    finally:
        os._exit(code)
