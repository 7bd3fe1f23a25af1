"""Files written so that an interruption, or a full disk, never leaves half of one."""

import errno
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from toolkit.doors import open_regular
from toolkit.outputs import TakenError, give_name, hidden, taken
from toolkit.structures import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_TEMPORARY = re.compile(r'\.(.+)\.\d+\.tmp', re.DOTALL)


def result_of(name: str) -> str | None:
    """The name of the file for which :func:`replacing` has made a temporary one; None for a name of another kind."""
    match = _TEMPORARY.fullmatch(name)
    return match and match[1]


def writing_error(path: Path, error: OSError) -> InputError:
    """The error to raise when ``path`` cannot be written; says what is kept and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(
            f'{path}: the disk is full. What is done so far is kept: free some space and run the same command again, it goes on')
    return InputError(f'{path}: cannot be written ({error.strerror}); check permissions or choose another folder')


@contextmanager
def replacing(path: str | Path, lasting: bool = False, overwrite: bool = True) -> Iterator[BinaryIO]:
    """A file to write into, which takes the name ``path`` when all is written. Until then, and after any error, an older file of that
    name is untouched; of the new one nothing is left.

    Args:
        path: target.
        lasting: see :func:`toolkit.outputs.give_name`.
        overwrite: replace a file of that name, also one that comes while this one is written.

    Raises:
        OSError: disk full or not writable.
        TakenError: a file of that name is there and may not be replaced; what was written is kept under the name that is said.
    """
    path = Path(path)
    temporary, file = _open_temporary(path)
    try:
        with file:
            yield file
            file.flush()
            if fcntl:  # while the file is open it is locked, so that no other process takes it for a leftover
                give_name(temporary, path, overwrite, lasting)
        if not fcntl:
            give_name(temporary, path, overwrite, lasting)
    except TakenError:
        kept = hidden(path, f'{os.getpid()}.tmp')
        os.replace(temporary, kept)
        raise taken(kept, path) from None
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _descriptor(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def _open_temporary(path: Path) -> tuple[Path, BinaryIO]:
    """A new file to be called ``path``. Its name is the same each time, so that what a kill left of it goes with the next try; where
    another process is writing it, or the system has no locks, it has the number of this process."""
    temporary = hidden(path, '0.tmp')
    with suppress(OSError):
        while fcntl:
            file = open(temporary, 'r+b', opener=_descriptor)  # os.fdopen would give it a number for a name
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode):
                    raise OSError
                if about.st_nlink == 1 and os.path.samestat(about, os.lstat(temporary)):
                    file.truncate()
                    return temporary, file
                if about.st_nlink > 1:  # it has got its name, and a kill came before this one was taken away
                    temporary.unlink()
            except FileNotFoundError:
                pass
            except BaseException:
                file.close()
                raise
            file.close()
    temporary = hidden(path, f'{os.getpid()}.tmp')
    temporary.unlink(missing_ok=True)
    return temporary, open(temporary, 'xb')


@contextmanager
def result_file(path: str | Path, overwrite: bool = True, lasting: bool = False) -> Iterator[BinaryIO]:
    """:func:`replacing`, for whatever writes into a file that is open: pictures, arrays, networks. The folder of the file is made.

    Raises:
        InputError: disk full or not writable, or a file is there that may not be replaced; an older file of that name is untouched.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, lasting, overwrite) as file:
            yield file
    except OSError as error:
        raise writing_error(Path(path), error) from error


def write_file(path: str | Path, data: bytes, overwrite: bool = True, lasting: bool = False) -> None:
    """Write bytes, whole or not at all, see :func:`result_file`."""
    with result_file(path, overwrite, lasting) as file:
        file.write(data)


def write_json(path: str | Path, content, overwrite: bool = True, lasting: bool = False) -> None:
    """:func:`write_file` for JSON, indented by one.

    Raises:
        ValueError: a number is not finite, which is not JSON.
        InputError: see :func:`result_file`.
    """
    write_file(path, (json.dumps(content, indent=1, allow_nan=False) + '\n').encode(), overwrite, lasting)


def make_folder(path: str | Path) -> Path:
    """Make a folder and its parents, and see that files can be written there.

    Raises:
        InputError: not writable, or a file is in the way.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise writing_error(path, error) from error
    return path


def check_output(path: str | Path, folder: bool = False) -> Path:
    """See whether a result could be written, before the work for it begins. Nothing is made.

    Args:
        path: file to write, or with ``folder`` the folder to write into; folders on the way may be missing.
        folder: which of both.

    Returns:
        The path.

    Raises:
        InputError: a folder is where the file should be or a file where a folder should be, or it cannot be written there.
    """
    path = Path(path)
    try:
        if not folder and path.is_dir():
            raise InputError(f'{path}: is a folder; name a file in it to write')
        there = next(p for p in ([path] if folder else []) + list(path.absolute().parents) if p.exists())
        if not there.is_dir():
            raise InputError(f'{path}: cannot be written: {there} is a file, not a folder')
    except OSError as error:
        raise writing_error(path, error) from error
    if not os.access(there, os.W_OK | os.X_OK) or (path.is_file() and not os.access(path, os.W_OK)):
        raise InputError(f'{path}: cannot be written (no permission for {there}); choose another folder')
    return path


def fingerprint(content) -> str:
    """SHA-256 of anything JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def source_hash(path: str | Path) -> str:
    """SHA-256 of a file, or of names and contents of all files directly inside a folder, but hidden ones (``.DS_Store``).

    Raises:
        InputError: cannot be read.
    """
    path = Path(path)
    digest = hashlib.sha256()
    try:
        for file in sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith('.')) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(os.fsencode(file.name) + b'\0')
            with open_regular(file) as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    return digest.hexdigest()
