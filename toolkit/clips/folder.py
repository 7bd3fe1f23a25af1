"""The folder of a prepared clip: which files in it are ours, when it may be replaced, and the lock of the one who makes it."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.doors import read_json
from toolkit.fields import stored_pictures
from toolkit.files import make_folder, result_of, writing_error
from toolkit.locks import locked
from toolkit.outputs import check_name, hidden, refuse_inputs
from toolkit.structures import InputError

FORMAT = 1
KINDS = stored_pictures()
_PICTURE = re.compile(rf'(?P<kind>{"|".join(KINDS)})/(?P<t>\d{{6,}})\.(?P<suffix>png|jpg)')
ADDED = 'added'
"""Folder of the pictures of added fields, ``<field>.<frame>.png``; the manifest's ``fields`` names them."""
_ADDED = re.compile(rf'{ADDED}/(?P<field>[A-Za-z]\w*)\.(?P<t>\d{{6,}})\.png', re.ASCII)
SOUND_FILE = 'sound.mka'
SCENE_FILE = 'scene.npz'
"""Empty scenes that were found in the clip, see :mod:`toolkit.datasets.scene`."""
MARK = '.clip'
"""An empty file in folders under temporary names: it says that they are ours."""
_BESIDE = {'manifest.json', 'poses.npz', 'source.jpg', SOUND_FILE, SCENE_FILE, MARK}
_UNFINISHED = re.compile(r'head\.json|poses\.raw|work/[\w.]+\.(json|npz|jpg)')
_TEMPORARY = re.compile(r'(.+/)?\.[^/]+\.\d+\.tmp')


def partial_folder(folder: str | Path) -> Path:
    """Where a clip is while it is being made."""
    return hidden(folder, 'partial')


@contextmanager
def clip_lock(folder: str | Path, wait: bool = False) -> Iterator[None]:
    """Hold a clip while it is made.

    Args:
        folder: of the clip.
        wait: wait while another process makes it.

    Raises:
        BusyError: another process is making it and ``wait`` is False.
    """
    busy = f'{folder}: is being made by another process; wait for it, or choose another name or folder'
    with locked(hidden(folder, 'lock'), wait, busy, keep=False):
        yield


def is_clip(folder: str | Path) -> bool:
    """Whether a folder is a finished clip by the names of its files; they are not looked into."""
    return all((Path(folder) / file).is_file() for file in ('manifest.json', 'poses.npz'))


def clip_target(path: str | Path, out_dir: str | Path, name: str) -> Path:
    """Folder of the clip that is made of a video, after a look at what could go wrong there; nothing is changed.

    Args:
        path: the video.
        out_dir: folder of clips.
        name: of the clip.

    Raises:
        InputError: a name that is no plain part of a path, a folder of clips that is a clip itself, or a clip that would be, hold or
            lie in the video.
    """
    folder = Path(out_dir) / check_name(name)
    refuse_inputs([folder, partial_folder(folder)], [path])
    if is_clip(folder.parent):
        raise InputError(f'{out_dir}: is a prepared clip, and nobody looks for clips in a clip; give the folder that it is in')
    return folder


def check_clip_folder(folder: str | Path, overwrite: bool = False, reuse: bool = False) -> None:
    """See that a clip may be made here: nothing is there, or a clip that may be replaced. Nothing is changed.

    Args:
        folder: of the clip to be made.
        overwrite: a finished clip may be replaced.
        reuse: one that may not be replaced may be there, to be taken as it is.

    Raises:
        InputError: a folder or file that is not a clip of ours, a clip that holds other files too, or one that may not be replaced.
    """
    folder = Path(folder)
    check_name(folder.name, f'{folder.parent}: the name of the clip')
    for path in (partial_folder(folder), hidden(folder, 'old')):
        if os.path.lexists(path) and not _empty(path):
            marked = not path.is_symlink() and (path / MARK).is_file()
            _refuse_foreign(path, foreign_files(path, unfinished=True) if marked else _names(path))
    if not os.path.lexists(folder) or _empty(folder):
        return
    manifest = _manifest(folder)
    if manifest is None:
        raise InputError(f'{folder}: is in the way and is not a prepared clip{_listed(folder)}; it is left as it is. Choose another '
                         f'name or folder for the clip')
    if not overwrite:
        if reuse:
            return
        raise InputError(f'{folder}: a finished clip of this name exists; choose to overwrite it, or another name or folder')
    _refuse_foreign(folder, foreign_files(folder))


def foreign_files(folder: str | Path, unfinished: bool = False) -> list[str]:
    """What lies in the folder of a clip and does not belong to it, relative to the folder, sorted.

    Args:
        folder: of a clip.
        unfinished: it is a clip in the making: pictures may have any number, and stages and temporary files lie there too.
    """
    folder = Path(folder)
    if folder.is_symlink() or not folder.is_dir():
        return ['.']
    manifest, marked = {} if unfinished else _manifest(folder) or {}, unfinished or (folder / MARK).is_file()
    fields = manifest.get('fields') or {}
    kinds, found = {*KINDS, *(['work'] if marked else []), *([ADDED] if unfinished or fields else [])}, []

    def ours(name: str) -> bool:
        if name in _BESIDE or result_of(name) == SCENE_FILE:
            return True
        if marked and (_UNFINISHED.fullmatch(name) or _TEMPORARY.fullmatch(name)):
            return True
        if extra := _ADDED.fullmatch(name):
            return unfinished or (extra['field'] in fields and int(extra['t']) < manifest.get('num_frames', 0))
        picture = _PICTURE.fullmatch(name)
        if not picture or picture['suffix'] == 'jpg' and picture['kind'] != 'frames':
            return False
        return unfinished or (
            int(picture['t']) < manifest.get('num_frames', 0)
            and (picture['kind'] != 'frames' or picture['suffix'] == manifest.get('frame_format')))

    for place, folders, files in os.walk(folder, onerror=_unreadable):
        inside = Path(place).relative_to(folder)
        for name in [*folders]:
            if inside != Path() or name not in kinds or (Path(place) / name).is_symlink():
                folders.remove(name)
                found.append((inside / name).as_posix() + '/')
        found += [name for name in ((inside / name).as_posix() for name in files) if not ours(name) or (folder / name).is_symlink()]
    return sorted(found)


def is_of_others(folder: str | Path) -> bool:
    """Whether the ``manifest.json`` of a folder is that of another program: a JSON object without the format that ours have."""
    file = Path(folder) / 'manifest.json'
    try:
        content = read_json(file) if file.is_file() else None
    except InputError:
        return False
    return isinstance(content, dict) and 'format' not in content


def tidy_partial(folder: str | Path) -> None:
    """Take away what a kill left of a clip in the making: temporary files, and an older clip that was being replaced. Hold the lock."""
    folder, old = Path(folder), hidden(folder, 'old')
    if (old / MARK).is_file() and not foreign_files(old, unfinished=True):
        if folder.exists():
            _remove(old)
        else:
            os.replace(old, folder)
    if _manifest(folder) is not None and (folder / MARK).is_file():
        _settle(folder)
    partial = partial_folder(folder)
    if not (partial / MARK).is_file():
        return
    for file in partial.rglob('.*.tmp'):
        if _TEMPORARY.fullmatch(file.relative_to(partial).as_posix()):
            file.unlink(missing_ok=True)


def tidy_finished(folder: str | Path) -> None:
    """Take away what a kill left beside or in a clip that had its name already: the lock, our mark, an older clip that it replaced.

    Cheap where nothing is left. Nothing is done while another process holds the clip, or where the folder cannot be written.
    """
    folder = Path(folder)
    if any(map(os.path.lexists, (hidden(folder, 'lock'), folder / MARK, hidden(folder, 'old')))):
        with suppress(InputError, OSError), clip_lock(folder):
            tidy_partial(folder)


def start_partial(folder: str | Path) -> Path:
    """Make :func:`partial_folder`, already checked, and mark it as ours.

    Raises:
        InputError: it cannot be written.
    """
    partial = make_folder(partial_folder(folder))
    try:
        (partial / MARK).touch()
    except OSError as error:
        raise writing_error(partial, error) from error
    return partial


def put_in_place(folder: str | Path) -> None:
    """Give the finished clip in :func:`partial_folder` its name; an older one, already checked, goes."""
    folder, old = Path(folder), hidden(folder, 'old')
    if hasattr(os, 'sync'):  # after a power cut the name must not stand for pictures that were never on the disk
        os.sync()
    if folder.exists() and not _empty(folder):
        (folder / MARK).touch()
        os.replace(folder, old)
    elif folder.exists():
        folder.rmdir()
    os.replace(partial_folder(folder), folder)
    _settle(folder)
    if (old / MARK).exists():
        _remove(old)


def _manifest(folder: Path) -> dict | None:
    file = folder / 'manifest.json'
    try:
        content = read_json(file) if file.is_file() and not folder.is_symlink() else None
    except InputError:
        return None
    known = isinstance(content, dict) and content.get('format') == FORMAT and 'frame_format' in content
    return content if known and isinstance(content.get('num_frames'), int) else None


def _settle(folder: Path) -> None:
    """Take out of a clip that has its name what it was made with, which until then lets the work go on; our mark goes last."""
    for name in ('head.json', 'poses.raw'):
        (folder / name).unlink(missing_ok=True)
    if (folder / 'work').is_dir():
        shutil.rmtree(folder / 'work')
    (folder / MARK).unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Delete a folder of ours; its mark goes last, so that what a kill leaves of it is still known."""
    for path in folder.iterdir():
        if path.name != MARK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / MARK).unlink()
    folder.rmdir()


def _empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


def _unreadable(error: OSError) -> None:
    raise InputError(f'{error.filename}: cannot be read ({error.strerror}); check permissions') from error


def _listed(folder: Path) -> str:
    names = _names(folder) if folder.is_dir() else []
    return f' (it holds {", ".join(names[:3])}{" and more" if len(names) > 3 else ""})' if names else ''


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ['.']


def _refuse_foreign(folder: Path, names: list[str]) -> None:
    if names:
        more = ' and more' if len(names) > 5 else ''
        raise InputError(f'{folder}: holds what does not belong to the clip: {", ".join(names[:5])}{more}; move it away, or choose '
                         f'another name or folder')
