"""Who works on what: claims of units by lock files with a heartbeat, between processes and machines that share a folder."""

import json
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

BEAT = 5.0
"""Seconds between heartbeats."""
STALE = 60.0
"""A claim without a heartbeat for so many seconds is of a process that is gone."""


class Claim:
    """A claim of a folder by this process: the file ``claim`` in it.

    Taken by creating the file, which one process alone can. Its time is renewed by a thread. A claim of a process of this machine that
    is gone, and one of another machine without a heartbeat, is taken over. A process of this machine that lives keeps it, also while it
    is stopped; it is known by its number and its start. Times are compared with that of a file written now in the same folder, so that
    clocks of machines may differ.

    Args:
        folder: of the unit; it is made.
        stale: see :data:`STALE`.
    """

    def __init__(self, folder: str | Path, stale: float = STALE) -> None:
        self.path, self.stale, self.token = Path(folder) / 'claim', stale, uuid.uuid4().hex
        self._stop, self._thread = threading.Event(), None
        self.deaths = 0

    def take(self) -> bool:
        """Take the unit, unless a living process has it. ``deaths`` then says how many processes died with it before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._create():
            if not self._is_dead() or not self._bury() or not self._create():
                return False
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return True

    def owned(self) -> bool:
        """Whether it is still this process's."""
        return (self._read(self.path) or {}).get('token') == self.token

    def release(self) -> None:
        """Give the unit back."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self.owned():
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        content = dict(owner(), token=self.token, deaths=self.deaths)
        draft = self.path.with_name(f'.claim.{self.token}')
        draft.write_text(json.dumps(content))
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with open(self.path, 'x') as file:
                    json.dump(content, file)
            except FileExistsError:
                return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    @staticmethod
    def _read(path: Path) -> dict | None:
        """What a claim says; {} while it is being written, None where there is none."""
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _is_dead(self, path: Path | None = None) -> bool:
        path = path or self.path
        claim = self._read(path)
        if claim is None:
            return False
        gone = is_gone(claim)
        if gone is not None:
            return gone
        now = self.path.with_name(f'.now.{self.token}')
        try:
            now.touch()
            return now.stat().st_mtime - path.stat().st_mtime > self.stale
        except OSError:
            return False
        finally:
            now.unlink(missing_ok=True)

    def _bury(self) -> bool:
        """Move a dead claim away, which one process alone can. One that another process has just renewed is put back."""
        grave = self.path.with_name(f'.claim.dead.{self.token}')
        try:
            os.rename(self.path, grave)
        except OSError:
            return False
        try:
            if not self._is_dead(grave):
                with suppress(OSError):
                    os.link(grave, self.path)
                return False
            self.deaths = int((self._read(grave) or {}).get('deaths', 0)) + 1
            return True
        finally:
            grave.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(min(BEAT, self.stale / 4)):
            with suppress(OSError):
                if self.owned():
                    os.utime(self.path)


def owner() -> dict[str, Any]:
    """This process, as others know it: machine, number and start. Each container is a machine of its own, also where several have one
    name: they do not see each other's processes."""
    processes = ''
    with suppress(OSError):
        processes = os.readlink('/proc/self/ns/pid')
    return dict(host=f'{socket.gethostname()} {processes}'.strip(), pid=os.getpid(), started=_started(os.getpid()))


def is_gone(process: Mapping[str, Any]) -> bool | None:
    """Whether a process is no more.

    Args:
        process: what it said by :func:`owner`.

    Returns:
        None where that is not known: it is of another machine, or of a system that does not say when processes began.
    """
    if process.get('host') != owner()['host'] or not isinstance(process.get('pid'), int):
        return None
    if not _alive(process['pid']):
        return True
    return None if process.get('started') is None else process['started'] != _started(process['pid'])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return _stat(pid)[:1] != ['Z']  # a zombie is dead


def _started(pid: int) -> int | None:
    """When a process began, in ticks of the system; None where the system does not tell."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """What Linux says of a process, from its state on; nothing on other systems."""
    with suppress(OSError):
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return []
