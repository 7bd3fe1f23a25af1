"""Who owns what: one folder for each visitor, named by a secret of their browser; what is in it, how much may be, and when it goes."""

import hashlib
import json
import math
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from toolkit.clips.clip import Clip, find_clips
from toolkit.doors import read_json
from toolkit.files import make_folder, write_json, writing_error
from toolkit.outputs import check_name, claim_folder, hidden, plain_name
from toolkit.structures import InputError
from toolkit.weights import best_checkpoint

MARKER, ABOUT = '.hvt-web', 'about.json'
TOKEN = re.compile('[A-Za-z0-9_-]{43}')
ROOMS = ('uploads', 'clips', 'results', 'models')
RUN = 'run'
"""Work dir of a fine-tuning in the folder of its model."""
LAST = dict(clips='report.html', results=ABOUT, models=ABOUT)
"""Of each room what is written last: a folder without it is not whole."""
EMPTY_SECONDS = 3600
"""How long a session without files stays: requests that send no cookie back, such as those that watch a server, open one each."""
SERVED = {'.mp4': 'video/mp4', '.png': 'image/png', '.html': 'text/html; charset=utf-8', '.pth': 'application/octet-stream'}
"""What is given out, as what; nothing else is."""


@dataclass(frozen=True)
class Limits:
    """What visitors may ask for.

    Attributes:
        upload_mb: size of a file.
        seconds: of a video; what is longer is cut.
        session_mb: all files of a visitor.
        free_mb: what must stay free on the disk.
        hours: how long files stay after the visitor's last request.
        waiting: jobs in the queue.
        minutes: of one job.
        jobs: at the same time.
        live_minutes: of one live session.
    """

    upload_mb: int = 200
    seconds: float = 20
    session_mb: int = 1000
    free_mb: int = 500
    hours: float = 24
    waiting: int = 32
    minutes: float = 60
    jobs: int = 1
    live_minutes: float = 5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (-1 if name == 'free_mb' else 0) < value < math.inf:
                raise InputError(f'--{name.replace("_", "-")} must be positive and finite, got {value}')


class Session:
    """The files of a visitor. Names come from lists made here: a name that is not in them is refused.

    Args:
        folder: of this visitor.
        examples: folder of clips that everybody may use.

    Attributes:
        tab: number of the visitor's page that asks, of which several may be open; None where none asks.
    """

    def __init__(self, folder: Path, examples: Path) -> None:
        self.folder, self.examples = folder, examples
        self.tab: int | None = None

    @property
    def id(self) -> str:
        """The name of the folder; it tells nothing about the secret."""
        return self.folder.name

    def clips(self) -> dict[str, Clip]:
        """Own clips, newest first, then the examples: name shown -> clip."""
        own = {clip.folder.parent.name: clip for clip in _found(_newest(self.folder / 'clips'))}
        return own | {f'example: {clip.name}': clip for clip in _found([self.examples])}

    def clip(self, name: str | None) -> Clip:
        """The clip of a name.

        Raises:
            InputError: no such clip of this visitor.
        """
        return _pick(self.clips(), name, 'clip')

    def results(self) -> dict[str, dict]:
        """Videos made, newest first: name -> what is known of them, with ``folder``."""
        return {f.name: dict(_about(f), folder=f) for f in _newest(self.folder / 'results') if (f / LAST['results']).is_file()}

    def result(self, name: str | None) -> dict:
        """What is known of a result.

        Raises:
            InputError: no such result of this visitor.
        """
        return _pick(self.results(), name, 'video')

    def models(self) -> dict[str, dict]:
        """Fine-tuned generators, newest first: name -> what is known of them, with ``folder`` and ``best``, None before the first."""
        found = {}
        for folder in _newest(self.folder / 'models'):
            found[folder.name] = dict(_about(folder), folder=folder, best=best_checkpoint(folder / RUN))
        return found

    def model(self, name: str | None) -> dict:
        """What is known of a fine-tuned generator.

        Raises:
            InputError: no such model of this visitor.
        """
        return _pick(self.models(), name, 'model')

    def new_folder(self, room: str, name: str, about: dict | None = None) -> Path:
        """A new folder in a room, named after ``name``, with a number where that is taken. It stays so for a clip that was removed, as
        long as there is a model of it: the fine-tuning would go on with another clip.

        Raises:
            InputError: the disk is full; nothing is left of the folder.
        """
        name, learned = plain_name(name)[:60], {model.get('data') for model in self.models().values()}
        for number in count(1):
            folder = self.folder / room / (name if number == 1 else f'{name}_{number}')
            if str(folder) in learned:
                continue
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                continue
            except OSError as error:
                raise writing_error(folder, error) from error
        if about is not None:
            try:
                write_json(folder / ABOUT, about)
            except InputError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return folder

    def clothes(self) -> list[str]:
        """Names of uploaded pictures of clothes."""
        return sorted(f.name for f in (self.folder / 'uploads').iterdir() if f.is_file() and not f.name.startswith('.'))

    @property
    def prepared(self) -> Path:
        """Where pictures of clothes are prepared, once."""
        return self.folder / 'uploads' / '.prepared'

    def delete(self, room: str, name: str | None) -> None:
        """Remove a clip, a result, a model or a picture of clothes of this visitor.

        Raises:
            InputError: there is none of that name.
        """
        path = self.folder / room / check_name(name or '')
        if room not in ROOMS or not (path.is_file() if room == 'uploads' else path.is_dir()):
            raise InputError(f'nothing of yours is named {name!r}; examples cannot be removed')
        if room == 'uploads':
            path.unlink(missing_ok=True)
            path = self.prepared  # of all pictures: what is still wanted is made again
        shutil.rmtree(path, ignore_errors=True)

    def served(self, path: str) -> tuple[Path, str] | None:
        """The file of a path such as ``results/NAME/result.mp4`` and its media type; None for whatever is not to be given out."""
        parts = path.split('/')
        if parts[0] not in (*ROOMS[1:], 'examples') or any(not p or p.startswith('.') or '\\' in p or '\0' in p for p in parts):
            return None
        base = self.examples.parent if parts[0] == 'examples' else self.folder
        file = base.joinpath(*parts)
        kind = SERVED.get(file.suffix)
        inside = os.path.isfile(file) and Path(os.path.realpath(file)).is_relative_to(os.path.realpath(base))
        return (file, kind) if inside and kind else None

    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in _files(self.folder))

    def tidy(self) -> None:
        """Remove what uploads and jobs left that were cut off, which the visitor does not see. None may be under way."""
        uploads = self.folder / 'uploads'
        left = [*uploads.glob('.in_*'), *uploads.glob('.*.part')]
        left += [folder for room, last in LAST.items() for folder in _newest(self.folder / room) if not (folder / last).is_file()]
        for path in left:
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def touch(self) -> None:
        """The visitor is there."""
        with suppress(OSError):
            os.utime(self.folder)


class Sessions:
    """All visitors.

    Args:
        root: folder of the page; everything lies there.
        limits: see :class:`Limits`.

    Attributes:
        cookie: name of the cookie that holds a browser's secret. Browsers give the cookies of one server to all others of the same
            machine, so servers of other folders have other names.

    Raises:
        InputError: a folder that holds what is not of this page.
    """

    def __init__(self, root: str | Path, limits: Limits) -> None:
        self.root, self.limits = Path(root).resolve(), limits
        self.cookie = f'hvt_session_{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]}'
        claim_folder(self.root, MARKER, 'choose another folder with --work-dir')
        self.examples = make_folder(self.root / 'examples')
        self._lock = threading.Lock()

    def open(self, token: str | None) -> tuple[Session, str | None]:
        """The session of a browser's secret.

        Args:
            token: what the browser sent.

        Returns:
            The session, and a new secret to give to the browser where it had none, or one that is not known.
        """
        fresh = None
        if not self.knows(token):
            token = fresh = secrets.token_urlsafe(32)
            for room in ROOMS:
                make_folder(self._folder(token) / room)
        session = Session(self._folder(token), self.examples)
        session.touch()
        return session, fresh

    def knows(self, token: str | None) -> bool:
        """Whether a secret is one that was given out, of a session that is still there."""
        return bool(token and TOKEN.fullmatch(token) and self._folder(token).is_dir())

    def _folder(self, token: str) -> Path:
        return self.root / 'sessions' / hashlib.sha256(token.encode()).hexdigest()[:32]

    def check_room(self, session: Session, wanted: int = 0) -> None:
        """See that there is room for so many bytes.

        Raises:
            InputError: says what to remove.
        """
        limit = self.limits
        if wanted > limit.upload_mb * 1e6:
            raise InputError(f'the file has {wanted / 1e6:.0f} MB, at most {limit.upload_mb} MB can be taken; cut it or make it '
                             'smaller')
        if session.size() + wanted > limit.session_mb * 1e6:
            raise InputError(f'your files would take more than {limit.session_mb} MB; remove some in the gallery')
        if shutil.disk_usage(self.root).free - wanted < limit.free_mb * 1e6:
            raise InputError('the disk of the server is nearly full; nothing of yours is lost. Remove what you do not need in the '
                             'gallery, or come back later')

    def tidy(self) -> None:
        """Remove what a server left unfinished that was killed, before there are jobs."""
        for folder in (self.root / 'sessions').glob('*'):
            Session(folder, self.examples).tidy()

    def clean(self, busy: Iterable[str] = (), now: float | None = None) -> list[str]:
        """Remove the files of visitors who have not come for long, and sessions without files, whose visitors get a new one.

        Args:
            busy: sessions whose work goes on.
            now: in seconds since 1970.

        Returns:
            The sessions that are gone.
        """
        gone, now = [], now or time.time()
        with self._lock:
            folders = self.root / 'sessions'
            for folder in folders.iterdir() if folders.is_dir() else ():
                with suppress(OSError):
                    if folder.name.startswith('.'):  # its removal was cut off
                        shutil.rmtree(folder)
                    elif folder.name not in busy and folder.stat().st_mtime < now - self._stays(folder):
                        going = folder.rename(hidden(folder, 'gone'))  # nobody comes back to half of a session
                        gone.append(folder.name)
                        shutil.rmtree(going)
        return gone

    def _stays(self, folder: Path) -> float:
        """Seconds that a session stays after its visitor's last request."""
        hours = 3600 * self.limits.hours
        return hours if any(True for _ in _files(folder)) else min(hours, EMPTY_SECONDS)


def _found(folders: Iterable[Path]) -> list[Clip]:
    """Clips that can be read; what is being written or broken is left out."""
    clips = []
    for folder in folders:
        with suppress(InputError):
            clips += find_clips(folder, {})
    return clips


def _newest(room: Path) -> list[Path]:
    found = []
    with suppress(OSError):
        for folder in room.iterdir():
            with suppress(OSError):  # it goes at this moment
                if folder.is_dir() and not folder.name.startswith('.'):
                    found.append((-folder.stat().st_ctime, folder))
    return [folder for _, folder in sorted(found)]


def _about(folder: Path) -> dict:
    with suppress(InputError, json.JSONDecodeError):
        return read_json(folder / ABOUT)
    return {}


def _pick(known: dict, name: str | None, what: str) -> object:
    if not name or name not in known:
        raise InputError(f'choose a {what} first' if not name else f'you have no {what} {name!r}; it may have been removed')
    return known[name]


def _files(folder: Path) -> Iterable[tuple[Path, int]]:
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                path = Path(place, name)
                yield path, path.lstat().st_size
