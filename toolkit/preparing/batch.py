"""Several videos become clips of one folder and one size; several processes may share the work.

Under torchrun each has its share. Else any number of them, on one machine or on several that share the folder, may be started with the
same arguments: a clip that another one makes is left for later, and taken over where that one is gone, which frees its lock.
"""

import atexit
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from torch import distributed
from tqdm import tqdm

from toolkit.cli import Interrupted, spoken
from toolkit.clips.folder import check_clip_folder, clip_target
from toolkit.clips.size import agreed_size, choose_size, folder_size, size_in_use
from toolkit.files import make_folder
from toolkit.locks import BusyError
from toolkit.preparing.parts import build_parts
from toolkit.preparing.prepare import Preparation
from toolkit.preparing.report import check_report, write_report
from toolkit.preparing.settings import PrepareSettings, clip_names
from toolkit.progress import progress_of
from toolkit.structures import InputError
from toolkit.together import join_group

T = TypeVar('T')
PAUSE, MOMENT = 1.0, 0.2
"""Seconds between looks at clips that other processes are making; and of a renaming."""


class VideoBatch:
    """The videos of one call, checked; :meth:`run` prepares them.

    ::

        batch = VideoBatch(['a.mp4', 'b.mp4'], 'data/mine', person='me')
        failed = batch.run()

    Args:
        videos: files that FFmpeg reads, animated GIFs, or folders of pictures.
        out: folder for the clips and report.html.
        settings: what decides how clips come out; without a size it is that of the clips in ``out``, or else one that fits the people
            in all videos.
        pose, edges, mask: configs of a pose estimator, an edge detector and a segmentor; None takes the best that is installed.
        name: of the clip, for a single video; None for the files' names.
        person: who is seen in all of them.
        action: what they do; None for the clips' names.
        overwrite: make clips again that are there already.
        keep_going: after a clip failed go on with the others.

    Raises:
        InputError: a video that is not there, an output that cannot be written or is not ours, parts that cannot be built.
    """

    def __init__(self, videos: Sequence[str | Path], out: str | Path, settings: PrepareSettings | None = None, *,
                 pose: dict | None = None, edges: dict | None = None, mask: dict | None = None, name: str | None = None,
                 person: str = 'person', action: str | None = None, overwrite: bool = False, keep_going: bool = False) -> None:
        self.rank, self.processes = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
        self.out, self.settings, self.keep_going = Path(out), settings or PrepareSettings(), keep_going
        self.overwrite = overwrite
        if name and len(videos) > 1:
            raise InputError(f'--name is for a single video, but {len(videos)} are given')
        for path in videos if not keep_going else ():
            if not Path(path).exists():
                raise InputError(f'{path}: no such file or folder')
        names = [name] if name else clip_names(videos)
        for path, clip in zip(videos, names):
            folder = clip_target(path, out, clip)
            if not keep_going:
                _check_folder(folder, overwrite)
        check_report(out)
        if overwrite or not all((self.out / clip / 'manifest.json').exists() for clip in names):
            make_folder(out)
        given = self.settings.height and (self.settings.height, self.settings.width)
        self.again = names if overwrite else []
        self.size = given or folder_size(out, self.again)
        share = list(zip(videos, names))[self.rank::self.processes]
        parts, configs = build_parts(pose, edges, mask) if share else (None, None)
        if share and len(videos) > 1 and hasattr(parts[0], 'people_of_frames'):
            raise InputError(
                f'--pose: the keypoint files belong to one video, but {len(videos)} videos are given; prepare them one by one')
        self.jobs = [Preparation(path, out, *parts, self.settings, clip, person, action, overwrite, configs) for path, clip in share]
        self.failed = 0
        for job in self.jobs if not keep_going else ():
            job.check_finished()

    def run(self) -> int:
        """Prepare this process's share of the videos, and write the report. Bars and what came of each clip are shown.

        Returns:
            How many clips of all processes have failed; each was told with the reason on standard error.

        Raises:
            Interrupted: by the user; what is done is kept.
        """
        if self.size is None:
            ranges = [found for found in self._each(Preparation.look) if found]
            if self.keep_going or not self.failed:
                ranges = sum(over_processes(ranges, self.processes), [])
                if ranges or folder_size(self.out, self.again):
                    with agreed_size(self.out, lambda: choose_size(ranges, self.settings.multiple), self.again) as self.size:
                        self._each(self._make)
        else:
            self._each(self._make)
        writable = os.access(self.out, os.W_OK)
        if writable:
            size_in_use(self.out)
        page = write_report(self.out) if writable else None
        if self.keep_going or not self.failed:
            self.failed = sum(over_processes(self.failed, self.processes))
        if self.rank == 0:
            print(f'look at {page}' if page else f'{self.out} cannot be written to: its report stays as it is')
        return self.failed

    def _each(self, step: Callable[[Preparation], T]) -> list[T]:
        """What ``step`` gives for each clip that has not failed so far. A clip that another process is making comes last."""
        results, left, busy, told = [], deque(enumerate(self.jobs, 1)), 0, False
        while left and (self.keep_going or not self.failed):
            number, job = left.popleft()
            if job.failed:
                continue
            name, message = job.folder.name, None
            bars = progress_of(self.rank == 0, label=f'[{number}/{len(self.jobs)}] {name} ')
            job.progress = bars.step
            try:
                if busy > len(left):  # all that are left
                    if not told:
                        tqdm.write(f'waiting for {name}: another process is making it')
                    told, busy = True, 0
                    time.sleep(PAUSE)
                results.append(step(job))
                busy = 0
            except InputError as error:
                if isinstance(error, BusyError) and not self.overwrite:
                    left.append((number, job))
                    busy += 1
                else:
                    job.failed, self.failed = True, self.failed + 1
                    message = spoken(f'FAILED {name}: {error}')
            except KeyboardInterrupt:
                again = '; but with --overwrite it makes clips that are ready once more, so leave out their videos' * self.overwrite
                raise Interrupted(f'interrupted; what is done is kept, the same command goes on from there{again}') from None
            finally:
                bars.close()
            if message:
                print(message, file=sys.stderr, flush=True)
        return results

    def _make(self, job: Preparation) -> None:
        if not self.settings.height:
            job.set_size(*self.size)
        clip = job.run()
        warnings = ''.join(f'\n  warning: {w}' for w in clip.manifest.get('report', {}).get('warnings', []))
        tqdm.write(f'ready {job.folder.name}: {len(clip)} frames of {clip.height}x{clip.width}{warnings}')
        sys.stdout.flush()


def _check_folder(folder: Path, overwrite: bool) -> None:
    """As :func:`check_clip_folder`; what does not fit is looked at twice: another process may have been giving the clip its name."""
    try:
        check_clip_folder(folder, overwrite, reuse=True)
    except InputError:
        time.sleep(MOMENT)
        check_clip_folder(folder, overwrite, reuse=True)


def over_processes(value: Any, processes: int) -> list:
    """The values of all processes, in the same order everywhere. It waits until each has come here, for days if need be."""
    if processes == 1:
        return [value]
    if not distributed.is_initialized():
        join_group(timedelta(days=7))
        atexit.register(distributed.destroy_process_group)
    values = [None] * processes
    distributed.all_gather_object(values, value)
    return values
