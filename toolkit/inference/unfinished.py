"""What is kept of a result while it is painted, so that the same command goes on where it was stopped, however it was stopped."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.doors import read_json
from toolkit.files import write_file, write_json
from toolkit.inference.overlapping import EVERY
from toolkit.locks import locked
from toolkit.outputs import TakenError, claim_folder, give_name, hidden, partial_video, refuse_existing
from toolkit.structures import InputError
from toolkit.video.io import VideoWriter
from toolkit.weights import read_checkpoint

MARK, STATE, LOCK, SHEET, NAMED = '.unfinished', 'state.pth', '.lock', 'sheet.png', 'named.json'


def is_kept(out: Path) -> bool:
    """Whether frames of a result that was stopped are kept, so that the same command goes on behind them."""
    return (hidden(out, 'unfinished') / STATE).is_file()


def named_already(out: Path, results: Sequence[Path]) -> list[Path]:
    """Which of several results have their names, where a run was stopped before all had. What was changed since is not ours."""
    try:
        made = read_json(hidden(out, 'unfinished') / NAMED)['files']
        return [path for path in results if path.is_file() and made.get(path.name) == _identity(path)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _identity(path: Path) -> list[int]:
    about = path.stat()
    return [about.st_ino, about.st_size, about.st_mtime_ns]


class Unfinished:
    """Videos in pieces of :data:`~toolkit.inference.overlapping.EVERY` frames, and what was remembered after the last whole piece.

    They lie in a hidden folder beside the result, which goes when the result is there.

    Args:
        out: name of the result.
        videos: that are made of it.
        fps: frames per second.
        sound: file with sound that begins with the first frame, or None.
        overwrite: results that are there may be replaced.
        sheet: a picture that belongs to the videos, or None.
    """

    def __init__(self, out: Path, videos: Sequence[Path], fps: float, sound: Path | None = None, overwrite: bool = False,
                 sheet: Path | None = None) -> None:
        self.out, self.videos, self.fps, self.sound, self.overwrite, self.sheet = out, list(videos), fps, sound, overwrite, sheet
        self.folder, self.done = hidden(out, 'unfinished'), 0
        self._writers: list[VideoWriter] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folder to ourselves. When all went well it is removed; else the frames so far become partial videos.

        Raises:
            InputError: another process paints the same result, or the folder is not ours.
        """
        claim_folder(self.folder, MARK, 'move it away, or choose another name for the result')
        busy = f'{self.out}: is being painted by another process; wait for it, or choose another name'
        keep = True
        try:
            with locked(self.folder / LOCK, wait=False, keep=False, busy=busy):
                try:
                    yield
                    keep = False
                except TakenError:
                    raise
                except BaseException:
                    with suppress(InputError, OSError):  # what went wrong before is what to tell
                        self._show_partial()
                    keep = is_kept(self.out)
                    raise
                finally:
                    if not keep:
                        self._clear()
        finally:
            if not keep:
                with suppress(OSError):
                    (self.folder / MARK).unlink(missing_ok=True)  # one that ended at this moment may have taken it
                    self.folder.rmdir()

    def resume(self, key: str | None) -> tuple[int, Any]:
        """Take what is kept, where it is of the same work; else it goes.

        Args:
            key: a hash of all that the result depends on; None where nothing can go on.

        Returns:
            Number of frames that are there, and what was given to :meth:`save` then.

        Raises:
            InputError: results of other work have their names already, and may not be replaced.
        """
        state = None
        if key is not None:
            with suppress(InputError):  # none, or damaged: the work is done anew
                state = read_checkpoint(self.folder / STATE)
        named = named_already(self.out, self.results)
        if named and not self._same_sound():
            refuse_existing(named, self.overwrite)
        with suppress(AttributeError, KeyError, TypeError):
            if state['key'] == key and all(part.is_file() for parts in self._parts(state['done']) for part in parts):
                self.done = state['done']
                return self.done, state['kept']
        refuse_existing(named, self.overwrite)
        self._clear()
        return 0, None

    def write(self, pictures: Sequence[np.ndarray]) -> None:
        """The next frame of each video, (H, W, 3) uint8 RGB."""
        if not self._writers:
            self._writers = [VideoWriter(parts[-1], self.fps, overwrite=True) for parts in self._parts(self.done + 1)]
        for writer, picture in zip(self._writers, pictures, strict=True):
            writer.write(picture)
        self.done += 1

    def save(self, key: str | None, kept: Any) -> None:
        """Keep what is done: a piece is whole, or all is painted.

        Args:
            key: of :meth:`resume`; None keeps the videos alone.
            kept: what to go on with, of numbers, words and tensors.
        """
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.close()
        if key is not None:
            state = BytesIO()
            torch.save(dict(state_dict={}, key=key, done=self.done, kept=kept), state)
            write_file(self.folder / STATE, state.getvalue(), lasting=True)

    @property
    def results(self) -> list[Path]:
        """All that is made."""
        return [*self.videos, *([self.sheet] if self.sheet else [])]

    def finish(self, sheet: bytes = b'') -> None:
        """Put the pieces together. When all results are there, they get their names; one that has its name already stays.

        Args:
            sheet: the picture, coded.

        Raises:
            TakenError: a file has come under the name of a result, which may not be replaced.
        """
        there = named_already(self.out, self.results) if self._same_sound() else []
        for path in self.results:
            if path not in there and path.exists() and not self.overwrite:
                raise TakenError(f'{path}: a file of this name has come while this one was being made, and is left as it is. What was '
                                 f'made is kept in {self.folder}: move the file away and give the same command again')
        for path, parts in zip(self.videos, self._parts(self.done)):
            if path not in there:
                self._join(path, parts)
        made = {path: partial_video(path) for path in self.videos} | ({self.sheet: self.folder / SHEET} if self.sheet else {})
        if self.sheet:
            write_file(made[self.sheet], sheet)
        names = {path: path if path in there else made[path] for path in self.results}
        files = {path.name: _identity(at) for path, at in names.items()}
        write_json(self.folder / NAMED, dict(sound=self._sound, files=files), lasting=True)
        for path in self.results:
            if path in there:
                made[path].unlink(missing_ok=True)
            else:
                give_name(made[path], path, self.overwrite, lasting=True)

    @property
    def _sound(self) -> list | None:
        return self.sound and [str(self.sound), *_identity(self.sound)]

    def _same_sound(self) -> bool:
        """Whether results that have their names already have the sound that is wanted now."""
        with suppress(OSError, ValueError, LookupError, TypeError):
            return read_json(self.folder / NAMED)['sound'] == self._sound
        return False

    def _join(self, path: Path, parts: Sequence[Path]) -> None:
        """Put pieces together to a partial video."""
        writer = VideoWriter(path, self.fps, overwrite=True, sound=self.sound)
        try:
            for part in parts:
                writer.append(part)
        finally:
            writer.stop()

    def _parts(self, done: int) -> list[list[Path]]:
        """The pieces of each video that hold so many frames."""
        pieces = range(-(-done // EVERY))
        return [[self.folder / f'{video:03d}_{piece:06d}.mp4' for piece in pieces] for video in range(len(self.videos))]

    def _show_partial(self) -> None:
        with ExitStack() as stack:
            for writer in self._writers:
                stack.callback(writer.stop)
        named = named_already(self.out, self.results)
        for path, parts in zip(self.videos, self._parts(self.done)):
            if parts and path not in named:
                self._join(path, [part if part.is_file() else partial_video(part) for part in parts])

    def _clear(self) -> None:
        """Remove all that is ours, but the mark and the lock."""
        single = (each for name in (STATE, SHEET, NAMED) for each in (name, f'.{name}.*.tmp'))
        for name in ('[0-9]*_[0-9]*.mp4', '.[0-9]*_[0-9]*.mp4*', *single):
            for file in self.folder.glob(name):
                file.unlink(missing_ok=True)
