"""The doors for files: every file that may be of a stranger is opened here, and every file of ours that is not written anew.

A data folder, a work dir or a checkpoint may come from anybody. So only regular files are read (a pipe never ends), what a file claims
is compared with its size before memory is taken, whatever a parser throws becomes one line that names the file, and nothing is ever
written through a link. :mod:`toolkit.files` writes whole files, :mod:`toolkit.video.source` opens videos.
"""

import json
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from toolkit.structures import InputError, MissingWeightsError

PNG = b'\x89PNG\r\n\x1a\n'
MANY_BYTES = 1 << 28
"""Longest text that is parsed."""
MOST_RECORDS = 100_000
"""Most files in a zip file."""
LONGEST_REASON = 200


def shortened(text: Any) -> str:
    """One printable line of at most :data:`LONGEST_REASON` letters, for messages that quote a file."""
    line = ' '.join(str(text)[:4 * LONGEST_REASON].encode('utf-8', 'backslashreplace').decode().split())
    return line if len(line) <= LONGEST_REASON else f'{line[:LONGEST_REASON - 3]}...'


@contextmanager
def parsing(path: str | Path, what: str, cure: str = '') -> Iterator[None]:
    """The boundary of a kind of file: whatever its parser throws becomes one line.

    Nothing but the parser belongs into the context, so that errors of our own keep their tracebacks.

    Args:
        path: the file.
        what: is wrong where the parser fails, for example ``'not readable as JSON'``.
        cure: what to do.

    Raises:
        InputError: names the file and the reason.
    """
    try:
        yield
    except (InputError, MissingWeightsError):
        raise
    except Exception as error:  # parsers raise errors of any kind for damaged files
        reason = shortened(getattr(error, 'strerror', None) or error) or type(error).__name__
        raise InputError(f'{path}: {what} ({reason}){cure and "; "}{cure}') from error


def regular(path: str | Path, cure: str = '') -> Path:
    """A path that is a regular file, for libraries that want to open it themselves.

    Raises:
        InputError: nothing there, a folder, a pipe, a device, or a name that no file can have.
    """
    path = Path(path)
    try:
        found = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such file{cure and "; "}{cure}') from error
    except (OSError, ValueError) as error:
        raise InputError(f'{shortened(path)}: cannot be read ({getattr(error, "strerror", None) or error})') from error
    if not found:
        raise InputError(f'{path}: is not a regular file{cure and "; "}{cure}')
    return path


def open_regular(path: str | Path, cure: str = '') -> IO[bytes]:
    """Open a regular file for reading; never waits for a pipe.

    Raises:
        InputError: as of :func:`regular`, or no permission.
    """
    path = regular(path, cure)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InputError(f'{path}: is not a regular file{cure and "; "}{cure}')
        return open(descriptor, 'rb')
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror}); check permissions') from error


def read_bytes(path: str | Path, cure: str = '', most: int = MANY_BYTES) -> bytes:
    """The content of a regular file.

    Args:
        path: the file.
        cure: what to do where it cannot be read.
        most: longer files are refused.

    Raises:
        InputError: as of :func:`open_regular`, or too long.
    """
    with open_regular(path, cure) as file, parsing(path, 'cannot be read', cure):
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise InputError(f'{path}: has {size:,} bytes, expected at most {most:,}{cure and "; "}{cure}')
        return file.read(size)


def read_json(path: str | Path, cure: str = '') -> Any:
    """The content of a JSON file in UTF-8.

    Raises:
        InputError: as of :func:`read_bytes`, or damaged.
    """
    content = read_bytes(path, cure)
    with parsing(path, 'not readable as JSON', cure or 'was it edited or copied only in part?'):
        return json.loads(content.decode('utf-8-sig'))


def is_zip(path: str | Path) -> bool:
    """Whether a file ends as zip files do, damaged ones too."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # of several disks, as its end says
        return True


def check_zip(path: str | Path, what: str, stored: bool = False) -> None:
    """Refuse a zip file that could fill the memory, from its directory alone.

    Args:
        path: the file.
        what: it should be, for messages.
        stored: records must not be compressed, and so not be larger than the file.

    Raises:
        InputError: damaged, too many records, or compressed ones.
    """
    with open_regular(path) as file:
        with parsing(path, f'{what} is damaged'), zipfile.ZipFile(file) as archive:
            records = archive.infolist()
        size = os.fstat(file.fileno()).st_size
    if len(records) > MOST_RECORDS:
        raise InputError(f'{what} {path} is refused: it holds {len(records):,} records')
    if stored and (any(record.compress_type != zipfile.ZIP_STORED for record in records)
                   or sum(record.file_size for record in records) > size):
        raise InputError(f'{what} {path} is refused: its records are compressed or overlap, and could fill the memory')


def check_png(path: str | Path, data: bytes) -> None:
    """Refuse a PNG a piece of which claims more bytes than the file has: decoders take memory for them first. Other data pass.

    Raises:
        InputError: such a piece.
    """
    at = len(PNG)
    while data[:len(PNG)] == PNG and at + 8 <= len(data) and data[at + 4:at + 8] != b'IEND':
        length = int.from_bytes(data[at:at + 4], 'big')
        if length > len(data) - at - 12:
            raise InputError(f'{path}: damaged picture: a piece of it claims {length:,} bytes, more than the file has')
        at += length + 12


def check_nested(content: Any, path: str | Path, most: int = 1_000_000, deepest: int = 100) -> None:
    """Refuse plain data in which few bytes of a file stand for very much: lists that hold the same list twice, and that again.

    Args:
        content: nested dicts, lists and tuples as they were read.
        path: of the file.
        most: entries, each counted as often as it is met.
        deepest: levels.

    Raises:
        InputError: more than that.
    """
    count, waiting = 0, [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        items = [*value.keys(), *value.values()] if isinstance(value, dict) else value \
            if isinstance(value, (list, tuple, set)) else ()
        count += len(items)
        if count > most or depth > deepest:
            raise InputError(f'{path} is refused: its data are nested {"too deep" if depth > deepest else "without end"}, and could '
                             f'fill the memory')
        waiting += ((item, depth + 1) for item in items)


def append(path: str | Path, text: str) -> None:
    """Append a text to a file of ours, which is made where it is missing; its folder, too. Links are not followed.

    Raises:
        OSError: cannot be written.
        InputError: a link, a pipe or a device is in the way.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise InputError(f'{path}: is not a regular file, so nothing is written there; remove it, or choose another name or folder')
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, 'O_NOFOLLOW', 0) | getattr(os, 'O_NONBLOCK', 0)
    with open(os.open(path, flags, 0o666), 'a', encoding='utf-8') as file:
        file.write(text)
