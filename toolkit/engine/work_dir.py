"""A work dir belongs to one run at a time, and what an earlier run left in it is never overwritten."""

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from toolkit.doors import open_regular, read_bytes
from toolkit.engine.saving import write_atomically
from toolkit.files import make_folder, writing_error
from toolkit.locks import locked
from toolkit.structures import InputError
from toolkit.weights import POINTER

LOCK = '.run.lock'
PATIENCE = 15.0
"""Seconds to wait for the data loading processes of a run that was killed: they hold its lock until they see that it is gone."""
SCALARS = Path('vis_data') / 'scalars.json'
"""The log of scalars in the folder of a run, ``<work_dir>/<time of its start>``; MMEngine's name."""
CHECKPOINT = re.compile(r'(?:best_.+_)?iter_(\d+)\.pth')
PARTIAL = re.compile(r'\.(?:.*iter_\d+\.pth|' + POINTER + r'|scalars\.json|\d{7,}_.+\.png)\.\d+\.tmp')
OTHERS = re.compile(POINTER + r'|vis|point_\d+\.pth')
MARK = b'# Written by a run of the toolkit: all its settings. The next run in this folder replaces this file.\n'
"""First line of the config that a run writes into its work dir; a file of that name without it is not ours."""


@contextmanager
def to_itself(work_dir: str | Path) -> Iterator[None]:
    """Hold a work dir for one run, and remove what saves that were cut off left in it.

    Args:
        work_dir: of the run.

    Raises:
        InputError: another run holds it.
    """
    work_dir = Path(work_dir)
    with locked(work_dir / LOCK, wait=PATIENCE, busy=f'{work_dir} is in use by another run; wait for its end, or choose another folder '
                                                     f'with --work-dir'):
        for path in [*work_dir.iterdir(), *work_dir.glob(f'*/{SCALARS.parent}/.*'), *work_dir.glob('vis/.*')]:
            if PARTIAL.fullmatch(path.name) and path.is_file():
                path.unlink()
        yield


def config_file(work_dir: str | Path, config: str | Path) -> Path:
    """Where a run writes its whole config: ``<work_dir>/<name of the config>``.

    Args:
        work_dir: of the run.
        config: the file that the config was read from.

    Raises:
        InputError: what is there was not written by a run.
    """
    path, config = Path(work_dir) / Path(config).name, Path(config)
    if not os.path.lexists(path):
        return path
    with open_regular(path, 'choose another --work-dir') as file:
        if file.readline(len(MARK)) == MARK:
            return path
    if config.exists() and path.samefile(config):
        raise InputError(f'{path}: this is the config itself, and the run writes all its settings under the same name; choose another '
                         f'--work-dir')
    raise InputError(f'{path}: the run writes all its settings under this name, but a file is there that no run wrote; choose another '
                     f'--work-dir, or move the file away')


def set_aside(work_dir: str | Path, iteration: int | None, config: str | None = None) -> Path | None:
    """Move what a run would overwrite into the first free folder ``earlier_<n>`` of its work dir.

    Args:
        work_dir: of the run.
        iteration: where the run goes on, whose later checkpoints are moved; None for a new run, which moves all checkpoints, pictures,
            the written config, and folders of runs with a log of scalars.
        config: name of the written config.

    Returns:
        The folder, or None when there was nothing to move.

    Raises:
        InputError: cannot be moved.
    """
    work_dir, moving = Path(work_dir), []
    for path in sorted(work_dir.iterdir()):
        match = CHECKPOINT.fullmatch(path.name)
        if match and (iteration is None or int(match[1]) > iteration):
            moving.append(path)
        elif iteration is None and (path.name == config or OTHERS.fullmatch(path.name)
                                    or (not path.is_symlink() and (path / SCALARS).exists())):
            moving.append(path)
    if all(path.name == config for path in moving):
        return None
    folder = next(f for n in count(1) if not (f := work_dir / f'earlier_{n}').exists())
    try:
        folder.mkdir()
        for path in moving:
            path.rename(folder / path.name)
    except OSError as error:
        raise writing_error(folder, error) from error
    return folder


def take_scalars_along(work_dir: str | Path, path: Path, iteration: int, validated: bool = True) -> None:
    """Move the log of scalars of the run that is gone on with into the folder of the run that goes on.

    Args:
        work_dir: of both.
        path: where the log is from now on.
        iteration: where the run goes on; later lines, and broken ones, are dropped.
        validated: False where the run validates at this iteration once more: the line of the validation that failed is dropped, too.

    Raises:
        InputError: the log cannot be read, or not be written there.
    """
    logs = sorted(Path(work_dir).glob(f'*/{SCALARS}'))
    if not logs or (iteration == 0 and logs[-1] != path):
        return
    cure = 'the log of scalars goes on from it: remove it, or choose another --work-dir'
    text = read_bytes(logs[-1], cure, 1 << 30).decode(errors='replace')
    make_folder(path.parent)
    try:
        logs[-1].rename(path)
    except OSError as error:
        raise writing_error(path, error) from error
    write_atomically(path, ''.join(line + '\n' for line in text.splitlines()
                                  if _step(line) <= iteration - (not validated and '"iter": ' not in line)))


def drop_scalars(work_dir: str | Path) -> None:
    """Remove the logs of scalars of a run that was stopped before its first checkpoint, and so begins anew.

    Raises:
        InputError: one cannot be removed.
    """
    for path in Path(work_dir).glob(f'*/{SCALARS}'):
        try:
            path.unlink()
        except OSError as error:
            raise writing_error(path, error) from error


def _step(line: str) -> float:
    try:
        return float(json.loads(line)['step'])
    except (ValueError, TypeError, KeyError, RecursionError):
        return math.inf
