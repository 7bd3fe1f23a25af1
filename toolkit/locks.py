"""A lock between the processes of a machine, on every system."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from toolkit.structures import InputError


class BusyError(InputError):
    """Another process holds a lock."""


def check_lock(path: str | Path) -> None:
    """See that a file may serve as a lock.

    Raises:
        InputError: a link, a folder, a special file or one with content is in the way.
    """
    path = Path(path)
    try:
        there = path.lstat()  # one look: whoever holds the lock may remove the file at any moment
    except OSError:  # nothing there, or what locking will tell
        return
    if not stat.S_ISREG(there.st_mode) or there.st_size:
        raise InputError(f'{path}: expected an empty plain file, which serves as a lock; this one is not ours. Remove it if you do not '
                         f'need it')


@contextmanager
def locked(path: str | Path, wait: bool | float = True, busy: str = '', keep: bool = True) -> Iterator[None]:
    """Hold a lock. The system frees it when the process ends, however it ends; the file is empty.

    Args:
        path: of the lock's file; it and its folder are made when they are not there. A file that is there is never changed.
        wait: wait while another process holds the lock, or at most so many seconds.
        busy: what to say when another process still holds it then.
        keep: leave the file where it is; else it is removed with the lock, where the system can do that.

    Raises:
        BusyError: another process holds the lock longer than ``wait``.
        InputError: a link, a folder or another special file is in the way; the folder can't be written.
    """
    path = Path(path)
    check_lock(path)
    lock = FileLock(path, timeout=-1 if wait is True else float(wait))
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(busy or f'{path}: locked by another process') from None
    except (OSError, NotImplementedError) as error:
        raise InputError(f'{path}: cannot be locked ({getattr(error, "strerror", None) or error}); check permissions or choose another '
                         f'folder') from error
    try:
        yield
    finally:
        if not keep:
            with suppress(OSError):
                path.unlink()
        lock.release()
