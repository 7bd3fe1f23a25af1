"""Where the toolkit may write. Every tool asks here before its work: names, temporary names, and what is refused.

The rule: a file that we did not make is never touched. A result that exists is replaced only where the user said so, an output is never
one of the inputs, and a name is one plain part of a path. Temporary names begin with a dot, as no clip or result can.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from toolkit.structures import InputError

LONGEST_NAME, LONGEST_PLAIN = 200, 180
"""Bytes of a name, and of one that is made of a text: such names may get an ending."""


class TakenError(InputError):
    """A file has come under the name of a result while that was being made."""


def plain_name(text: str, default: str = 'unnamed') -> str:
    """Any text made a name that is one plain part of a path.

    Args:
        text: such as the name of somebody's file.
        default: what to say where nothing is left of it.

    Returns:
        Letters, digits, ``-``, ``_`` and ``.`` of the text, ``_`` for others; no dot at the ends, at most :data:`LONGEST_PLAIN` bytes.
    """
    name = ''.join(c if c.isalnum() or c in '-_.' else '_' for c in text)
    return name.encode()[:LONGEST_PLAIN].decode(errors='ignore').strip('.') or default


def plain_path(text: str) -> Path:
    """The key of a clip, its folder below the root, made a path that stays below. Parts that can be names, see :func:`check_name`, are
    kept as they are, so that two clips do not become one file."""
    return Path(*(part if _is_plain(part) else plain_name(part) for part in text.split('/')))


def plain_names(texts: Iterable[str]) -> dict[str, str]:
    """A name as of :func:`plain_name` for each text. No two are alike: the second of two gets ``_2`` at its end, and so on."""
    names: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        name, number = plain_name(text), 1
        while name in names.values():
            number += 1
            name = f'{plain_name(text)}_{number}'
        names[text] = name
    return names


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith('.') and all(c not in '/\\' and c.isprintable() for c in name) \
        and len(name.encode()) <= LONGEST_NAME


def check_name(name: str, what: str = 'name') -> str:
    """A name that somebody chose, as it is.

    Raises:
        InputError: it is not one plain part of a path, or begins with a dot as temporary names do.
    """
    if not _is_plain(name):
        raise InputError(f'{what} {name!r}: expected one plain name, without / and \\, that does not begin with a dot and has at most '
                         f'{LONGEST_NAME} bytes, such as {plain_name(name)!r}')
    return name


def hidden(path: str | Path, ending: str) -> Path:
    """A temporary name beside ``path`` that no clip and no result can have: ``.<name>.<ending>``."""
    path = Path(path)
    return path.with_name(f'.{path.name}.{ending}')


def partial_video(path: str | Path) -> Path:
    """Where a video is while it is being written; players want its suffix: ``.<stem>.partial<suffix>``."""
    path = Path(path)
    return path.with_name(f'.{path.stem}.partial{path.suffix}')


def taken(made: Path, path: Path) -> TakenError:
    """What to say where a file that is made cannot have its name."""
    return TakenError(f'{path}: a file of this name has come while this one was being made, and is left as it is. What was made is '
                      f'{made}; give it another name')


def give_name(made: str | Path, path: str | Path, overwrite: bool = False, lasting: bool = False) -> None:
    """Give a file that is made its name. It was looked at before the work; what has come there since is not replaced either.

    Args:
        made: the file, in the same folder.
        path: its name to be.
        overwrite: replace a file of that name.
        lasting: wait for the disk, so that the name holds the whole file, or what it held before, even after a power cut.

    Raises:
        TakenError: a file of that name is there; ``made`` stays where it is.
        OSError: the folder cannot be written, or the disk fails.
    """
    made, path = Path(made), Path(path)
    if lasting:
        with open(made, 'rb+') as file:
            os.fsync(file.fileno())
    os.replace(made, path) if overwrite else _give_free_name(made, path)
    if lasting and os.name == 'posix':
        _wait_for_folder(path.parent)


def _wait_for_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; some folders cannot be read, and some file systems cannot do that."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _give_free_name(made: Path, path: Path) -> None:
    """Rename, where no file has the new name."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise taken(made, path) from None
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise taken(made, path) from None
        os.rename(made, path)
        return
    made.unlink()


def refuse_filled(folder: str | Path, overwrite: bool = False) -> None:
    """See that a folder for many results is new or empty, unless the user said that what is in the way there may be replaced.

    Raises:
        InputError: something is in it, it cannot be read, or it is no folder.
    """
    folder = Path(folder)
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f'{folder}: is no folder; choose another name')
    try:
        filled = not overwrite and folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise InputError(f'{folder}: cannot be read ({error.strerror}); choose another folder') from error
    if filled:
        raise InputError(f'{folder}: holds files already; say --overwrite to write there (files of the same names are replaced), or '
                         f'choose another folder')


def claim_folder(folder: str | Path, marker: str, cure: str) -> None:
    """Make a folder ours, or see that it is: it carries our marker, or is new or empty, and then gets it.

    Args:
        folder: made where it is not there.
        marker: name of a file that only we write.
        cure: what to do about a folder of others.

    Raises:
        InputError: the folder holds what we did not make, is no folder, or cannot be written.
    """
    folder = Path(folder)
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            raise InputError(f'{folder}: is no folder; {cure}')
        if (folder / marker).is_file():
            return
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        if names:
            raise InputError(f'{folder}: holds what was not made here ({", ".join(names[:3])}{" and more" if len(names) > 3 else ""}); '
                             f'{cure}')
        folder.mkdir(parents=True, exist_ok=True)
        (folder / marker).touch()
    except OSError as error:
        raise InputError(f'{folder}: cannot be written ({error.strerror}); {cure}') from error


def refuse_inputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """See that nothing that is to be written is, holds, or lies in something that is read. Links and hard links count as the file.

    Args:
        outputs: files and folders to be written; they need not exist.
        inputs: files and folders to be read.

    Raises:
        InputError: names both.
    """
    inputs = [Path(path) for path in inputs]
    for output in map(Path, outputs):
        for given in inputs:
            if _same(output, given):
                raise InputError(f'{output}: this is also an input and would be overwritten; write to another name or folder')
            if _within(given, output):
                raise InputError(f'{output}: the input {given} lies in it and would be overwritten; write to another name or folder')
            if _within(output, given):
                raise InputError(f'{output}: this lies in the input {given}; write to another folder')


def _same(a: Path, b: Path) -> bool:
    try:
        return os.path.realpath(a) == os.path.realpath(b) or os.path.samefile(a, b)
    except OSError:
        return False


def _within(inner: Path, outer: Path) -> bool:
    return any(_same(folder, outer) for folder in Path(os.path.realpath(inner)).parents)


def refuse_existing(paths: Iterable[str | Path], overwrite: bool = False) -> None:
    """See that no file is replaced unless the user said so.

    Args:
        paths: files to be written.
        overwrite: plain files may be replaced.

    Raises:
        InputError: one exists, or something that is no plain file is in the way.
    """
    for path in map(Path, paths):
        check_name(path.name, f'{path}: the name')
        if os.path.lexists(path) and not (path.is_file() and not path.is_symlink()):
            raise InputError(f'{path}: something that is no plain file is in the way; choose another name')
        if path.exists() and not overwrite:
            raise InputError(f'{path}: exists already; say --overwrite (overwrite=True) to replace it, or choose another name')
