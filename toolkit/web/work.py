"""What the page has done: each kind of job is a call of :mod:`toolkit.apis` in a process of its own.

A process of its own can be interrupted like a command in a terminal, keeps its random numbers and its memory to itself, and cannot take
the page down with it.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from toolkit import apis
from toolkit.cli import Interrupted
from toolkit.clips.clip import Clip, find_clips
from toolkit.datasets.footage import References
from toolkit.datasets.transforms import resize_image
from toolkit.engine.launch import load_config
from toolkit.files import write_file, write_json
from toolkit.live.person import build_parts_for, open_person
from toolkit.live.run import Live
from toolkit.packaged import PRETRAINED
from toolkit.poses.draw import draw_pose_on
from toolkit.preparing.report import sample_sheet, write_report
from toolkit.progress import Progress
from toolkit.sheets import overlay_mask
from toolkit.structures import InputError, MissingWeightsError
from toolkit.synthetic.build import build_synthetic
from toolkit.video.io import VideoWriter, video_info
from toolkit.web.advice import for_page
from toolkit.web.live import PATIENCE, Wire

EXAMPLE_FRAMES, FOUND_HEIGHT = 60, 192


class Told(Progress):
    """Sends what it hears through a pipe."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def step(self, stage: str, done: int, total: int) -> None:
        """Send it."""
        self.connection.send(('step', stage, done, total))

    def say(self, line: str) -> None:
        """Send it."""
        self.connection.send(('say', line))


def run(connection: Connection, log: str, task: str, arguments: dict) -> None:
    """The process of a job: do it, and send how it ended as ('done', value), ('failed', why) or ('stopped', what is kept).

    Args:
        connection: to the page.
        log: file that takes what is printed.
        task: name of a function of this file.
        arguments: of it.
    """
    with suppress(OSError):
        os.setsid()  # Ctrl-C in the terminal of the server is for the server, which stops its jobs one time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    try:
        connection.send(('done', TASKS[task](Told(connection), **arguments)))
    except (InputError, MissingWeightsError) as error:
        connection.send(('failed', str(error)))
        _note(f'{task}: {error}')
    except KeyboardInterrupt as stop:
        connection.send(('stopped', str(stop) if isinstance(stop, Interrupted) else ''))
    except MemoryError:
        connection.send(('failed', 'there is not enough memory for this; choose a smaller size or a shorter video'))
    except BaseException:
        connection.send(('failed', 'something went wrong that should not; the log of the server says what'))
        _note(traceback.format_exc())
        raise
    finally:
        connection.close()


def _note(text: str) -> None:
    """Write to the log, if its disk is not full."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def render_examples(told: Progress, out: str, size: tuple[int, int], people: Sequence[tuple[int, str]]) -> None:
    """Render the people of the examples, unless they are there.

    Args:
        told: hears how far it is.
        out: folder of clips.
        size: (H, W).
        people: (number of the actor, action).
    """
    for done, (actor, action) in enumerate(people):
        told.step('rendering the examples, once', done, len(people))
        folder = Path(out) / f'{actor:02d}_{action}'
        build_synthetic(folder, dict(
            height=size[0], width=size[1], frames=EXAMPLE_FRAMES, actors=[actor], actions=[action], num_workers=0))
        if not (folder / 'found.png').exists():
            draw_found(find_clips(folder)[0], folder)


def prepare(told: Progress, video: str, out: str, size: tuple[int, int], seconds: float, start: float = 0) -> str:
    """Prepare a picture or video, and draw what was found.

    Args:
        told: hears how far it is.
        video: file.
        out: folder of the clip; its name is the clip's.
        size: (H, W); clips of one shape fit each other.
        seconds: at most so many.
        start: second to begin at.

    Returns:
        The clip's name.

    Raises:
        InputError: a file that cannot be used.
    """
    length = video_info(video).duration
    if start >= max(length, 1e-9):
        raise InputError(f'{Path(video).name}: lasts {length:.1f} s, so nothing is left from second {start:g} on')
    if length - start > seconds + .05:
        told.say(f'seconds {start:g} to {start + seconds:g} of {length:.0f} are taken; this page takes at most {seconds:g}')
    name = Path(out).name
    clip = apis.prepare(video, out, size, progress=told, name=name, person=name, start=start, end=start + seconds)
    told.step('drawing what was found', 0, 1)
    draw_found(clip, Path(out))
    write_report(out, for_page)
    for warning in clip.manifest.get('report', {}).get('warnings', []):
        told.say(f'warning: {warning}')
    return name


def draw_found(clip: Clip, out: Path) -> None:
    """Write ``found.mp4`` with frame, pose and mask, and ``found.png``, some frames with pose, parts, edges and mask."""
    with VideoWriter(out / 'found.mp4', clip.fps, overwrite=True) as writer:
        for t in range(len(clip)):
            frame = clip.frame(t)
            shown = np.concatenate([frame, draw_pose_on(frame, clip.poses[t]), overlay_mask(frame, clip.mask(t))], 1)
            writer.write(resize_image(shown, FOUND_HEIGHT, round(shown.shape[1] * FOUND_HEIGHT / shown.shape[0])))
    write_file(out / 'found.png', cv2.imencode('.png', sample_sheet(clip, 6)[..., ::-1])[1].tobytes())


def generate(told: Progress, out: str, content: str, driving: str, checkpoint: str | None, seconds: float, small: bool, colors: dict,
             longest: float, prepared: str, about: dict) -> str:
    """Generate a video.

    Args:
        told: hears how far it is.
        out: folder for ``result.mp4``, ``driving.mp4`` and what is known of them.
        content, driving: prepared clips.
        checkpoint: None for the generator that comes with the toolkit.
        seconds: at most so many.
        small: paint at half the size of the content clip.
        colors: arguments of :class:`toolkit.inference.outfits.Colors`.
        longest: seconds of a video of clothes that are looked at.
        prepared: where pictures of clothes are prepared.
        about: what to note.

    Returns:
        Name of the result.
    """
    shown, moves = Clip(content), Clip(driving)
    frames = min(len(moves), max(1, round(seconds * moves.fps)))
    size = (shown.height // 2, shown.width // 2) if small else (shown.height, shown.width)
    folder = Path(out)
    if like := colors.get('like'):
        if (length := video_info(like).duration) > longest + .05:
            told.say(f'{Path(like).name}: the first {longest:g} of {length:.0f} seconds are looked at')
        clothes = apis.prepare(like, prepared, size, unique=True, multiple=1, end=longest, progress=told)
        colors = dict(colors, like=clothes.folder)
    apis.generate(checkpoint or PRETRAINED, content, driving, folder / 'result.mp4', work_dir=prepared, max_frames=frames, size=size,
                  colors=apis.Colors(**colors), progress=told)
    with VideoWriter(folder / 'driving.mp4', moves.fps, overwrite=True) as writer:
        for t in range(frames):
            writer.write(resize_image(moves.frame(t), *size))
    write_json(folder / 'about.json', dict(about, frames=frames, height=size[0], width=size[1]))
    return folder.name


def finetune(told: Progress, work_dir: str, data: str, iterations: int, resume: bool) -> str:
    """Fine-tune the generator on a clip. Weights of the perceptual loss are taken where they are, and not loaded from the network.

    Args:
        told: hears how far it is.
        work_dir: of the run, in the folder of the model.
        data: folder of the clip.
        iterations: at most so many.
        resume: go on with the run.

    Returns:
        Name of the model.
    """
    apis.finetune([], work_dir, data, iterations, resume, cfg_options=[
        'default_hooks.logger.interval=2', f'train_cfg.val_interval={max(2, iterations // 8)}',
        f'default_hooks.checkpoint.interval={iterations}', 'model.losses.perceptual.download=False'], progress=told, fast=True)
    return Path(work_dir).parent.name


def live(told: Progress, pipe: Connection, person: str, checkpoint: str | None, up: str | None, down: str | None, seconds: float,
         prepared: str) -> None:
    """Paint a person as somebody before the browser's camera moves, until that goes, or the time is over.

    Args:
        told: hears how far it is.
        pipe: brings pictures of the camera, see :mod:`toolkit.web.live`.
        person: prepared clip.
        checkpoint: None for the generator that comes with the toolkit.
        up, down: colors of the garments; None leaves one as it is.
        seconds: at most so many.
        prepared: a folder of the visitor.
    """
    told.step('getting ready', 0, 1)
    whom = open_person(checkpoint or person, person if checkpoint else None, up=up, down=down, work_dir=prepared)
    estimator, parts, _ = build_parts_for(whom, None)
    wire = Wire(pipe)
    run = Live(wire, estimator, whom, wire, parts, wire, seconds=seconds, patience=PATIENCE, say=told.say)
    told.step('live', 0, 1)
    try:
        run.run()
    finally:
        told.say(run.summary())


@cache
def least_frames() -> int:
    """Frames that a clip needs to be fine-tuned on: beside the held-out ones a window, and one far enough from it to look at."""
    data = load_config(apis.FINETUNE).train_dataloader['dataset']
    needed = data['window'] + 2 * References(**data['references']).gap[1] + 1
    start, stop = data['exclude']
    return next(n for n in count(needed) if n - (round(stop * n) - round(start * n)) >= needed)


TASKS = dict(render_examples=render_examples, prepare=prepare, generate=generate, finetune=finetune, live=live)
