"""Results of clips that are measured already, on disk, so that a stopped evaluation goes on where it was."""

import glob
import hashlib
import json
from pathlib import Path
from typing import Any

from mmengine.dist import get_dist_info

from toolkit.doors import append, open_regular, parsing
from toolkit.structures import InputError

START = '{"key": '


def fingerprint(*parts: Any) -> str:
    """Hash of anything JSON can hold, to know whether stored results belong to what is measured now."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


class ResultCache:
    """Results of clips that are done, on disk, so that a stopped evaluation continues where it was.

    A JSON line for each time it was begun, and one per clip. Each process appends to a file of its own beside ``path`` and reads those
    of all, so that the number of processes may change in between. Lines of another fingerprint, or cut off in the middle, are ignored.

    Args:
        path: file of process 0; process r writes ``<path>.<r>``.
        key: see :func:`fingerprint`.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.base, self.key = Path(path), key
        rank, _ = get_dist_info()
        self.path = self.base if rank == 0 else self.base.with_name(f'{self.base.name}.{rank}')

    def files(self) -> list[Path]:
        """All existing files of this cache."""
        beside = self.base.parent.glob(f'{glob.escape(self.base.name)}.*') if self.base.parent.is_dir() else []
        return sorted(f for f in [self.base, *(f for f in beside if f.suffix[1:].isdigit())] if f.is_file())

    def load(self) -> dict[int, dict]:
        """Clip index -> stored results.

        Raises:
            InputError: a file with lines that no evaluation wrote, which could be somebody's own.
        """
        return {entry['index']: entry['results'] for entry in self._entries() if 'index' in entry}

    def begun(self) -> bool:
        """Whether this same evaluation was begun before, with or without a clip that was done.

        Raises:
            InputError: see :meth:`load`.
        """
        return bool(self._entries())

    def _entries(self) -> list[dict]:
        """All lines of this fingerprint. Files may be long: features of every frame are kept for FID."""
        entries, cure = [], 'or choose another --out'
        for file in self.files():
            with open_regular(file, cure) as lines, parsing(file, 'cannot be read', cure):
                for number, line in enumerate(lines, 1):
                    entry = self._entry(line.decode(errors='replace').strip())
                    if entry is None:
                        raise InputError(f'{file}: line {number} is not a result of a stopped evaluation, for which this file is kept. '
                                         'Move the file away, or choose another --out')
                    if entry.get('key') == self.key:
                        entries.append(entry)
        return entries

    @staticmethod
    def _entry(line: str) -> dict | None:
        """What a line says; nothing for one that is empty or cut off, and None for one that is not ours."""
        line = line.rstrip('\0')  # as a power cut may leave a file
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return {} if START.startswith(line[:len(START)]) else None
        if not isinstance(entry, dict) or set(entry) not in ({'key', 'begun'}, {'key', 'index', 'results'}):
            return None
        if 'begun' in entry:
            return entry if entry['begun'] is True else None
        return entry if isinstance(entry['index'], int) and isinstance(entry['results'], dict) else None

    def prepare(self) -> None:
        """Note that the evaluation begins, before the first clip is measured; so it is seen that results can be written.

        Raises:
            InputError: they cannot.
        """
        self._append(json.dumps({'key': self.key, 'begun': True}))

    def add(self, index: int, results: dict) -> None:
        """Append one clip. The line break comes first, so that a line cut off by a crash spoils no other.

        Raises:
            InputError: the disk is full, or the file cannot be written.
        """
        self._append(json.dumps({'key': self.key, 'index': index, 'results': results}))

    def _append(self, line: str) -> None:
        try:
            append(self.path, '\n' + line)
        except OSError as error:
            raise InputError(f'{self.path}: cannot be written ({error.strerror}). Clips that are measured are kept in it: free some '
                             'space or give permission and run the same command again, or choose another --out') from error

    def remove(self) -> None:
        """Delete the files: the final results are written."""
        for file in self.files():
            file.unlink(missing_ok=True)
