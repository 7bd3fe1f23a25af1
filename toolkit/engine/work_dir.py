"""A work dir belongs to one run at a time, and what an earlier run left in it is never overwritten."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from toolkit.files import writing_error
from toolkit.locks import locked
from toolkit.weights import POINTER

LOCK = '.run.lock'
PATIENCE = 15.0
"""Seconds to wait for the data loading processes of a run that was killed: they hold its lock until they see that it is gone."""
CHECKPOINT = re.compile(r'(?:best_.+_)?iter_(\d+)\.pth')
PARTIAL = re.compile(r'\.(?:.*iter_\d+\.pth|' + POINTER + r'|scalars\.jsonl)\.\d+\.tmp')
OTHERS = (POINTER, 'scalars.jsonl', 'vis')


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
        for path in work_dir.iterdir():
            if PARTIAL.fullmatch(path.name) and path.is_file():
                path.unlink()
        yield


def set_aside(work_dir: str | Path, iteration: int | None, config: str | None = None) -> Path | None:
    """Move what a run would overwrite into the first free folder ``earlier_<n>`` of its work dir.

    Args:
        work_dir: of the run.
        iteration: where the run goes on, whose later checkpoints are moved; None for a new run, which moves all checkpoints, the log of
            scalars, pictures and the written config.
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
        elif iteration is None and path.name in (*OTHERS, config):
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
