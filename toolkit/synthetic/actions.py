"""The synthetic actions: thirteen actors, sixteen actions, and the truth about every frame."""

import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from toolkit.plugins import import_custom
from toolkit.progress import bar
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError
from toolkit.synthetic.actors import Actor, make_actor
from toolkit.synthetic.choreography import ACTION_NAMES, parameters
from toolkit.synthetic.renderer import VERSION, Rendered, Renderer
from toolkit.synthetic.room import ROOMS
from toolkit.synthetic.variety import drawn_view, vary

KEPT_RENDERERS = 2
"""Actors whose textures stay in memory at a time."""


class SyntheticActions:
    """Videos of people who do not exist, with true poses, masks, part labels and colors of clothes.

    Every actor does every action, in time with the others, in a room of their own before a static camera. A frame depends on its
    (seed, actor, action, t) and on the sizes alone: the order of rendering and the number of processes do not change a bit of it.
    The geometry scales with the height; the width cuts more or less of the room.

    Args:
        height: rows of a frame, at least 32.
        width: columns of a frame, at least 16.
        actors: number of actors.
        actions: number of actions, at most 16.
        frames: length of each action.
        fps: frames per second that are noted in the clips.
        seed: of actors, rooms and noise.
        room: what is behind the actors: 'furnished', or 'plain', a smooth wall.
        stature: factor on the height of every actor, 0.5 to 1.2; the rooms stay as they are.
        varied: draw bodies, clothes, cameras, lights and rooms by chance, see :mod:`toolkit.synthetic.variety`, so that no two actors
            are alike however many there are. Cameras that are close show a part of the body.

    Raises:
        InputError: a size or number out of range.

    Example:
        >>> people = SyntheticActions(height=128, width=96)
        >>> frame, pose, mask, parts = people.render(actor=3, action='squat', t=40)
        >>> frame.shape, pose.shape, mask.shape, parts.shape
        ((128, 96, 3), (18, 3), (128, 96), (128, 96))
    """

    def __init__(self, height: int = 384, width: int = 256, actors: int = 13, actions: int = 16, frames: int = 100, fps: float = 25,
                 seed: int = 0, room: str = 'furnished', stature: float = 1.0, varied: bool = False) -> None:
        limits = dict(height=(height, 32, 4096), width=(width, 16, 8192), actors=(actors, 1, 1000),
                      actions=(actions, 1, len(ACTION_NAMES)), frames=(frames, 1, 100000), seed=(seed, 0, 2**31 - 1))
        for name, (value, low, high) in limits.items():
            if not isinstance(value, (int, np.integer)) or not low <= value <= high:
                raise InputError(f'SyntheticActions: {name} must be a whole number in {low}..{high}, got {value!r}')
        if not fps > 0:
            raise InputError(f'SyntheticActions: fps must be positive, got {fps!r}')
        if room not in ROOMS:
            raise InputError(f'SyntheticActions: room={room!r} is unknown, expected one of {", ".join(ROOMS)}')
        if not 0.5 <= stature <= 1.2:
            raise InputError(f'SyntheticActions: stature must be in 0.5..1.2, got {stature!r}')
        self.room, self.stature, self.varied = room, float(stature), bool(varied)
        self.height, self.width, self.frames, self.fps, self.seed = int(height), int(width), int(frames), fps, int(seed)
        self.actor_names = tuple(f'actor_{i:02d}' for i in range(actors))
        self.action_names = ACTION_NAMES[:actions]
        self._renderers: OrderedDict[int, Renderer] = OrderedDict()
        self._parameters: dict[str, list[dict[str, np.ndarray]]] = {}

    def actor(self, index: int) -> Actor:
        """Describe actor ``index``."""
        actor = make_actor(self._actor_index(index), self.seed)
        actor = vary(actor, self.seed) if self.varied else actor
        return replace(actor, height=actor.height * self.stature, limbs=actor.limbs * self.stature)

    def render(self, actor: int, action: int | str, t: int) -> Rendered:
        """Render one frame.

        Args:
            actor: number of the actor.
            action: number or name of the action.
            t: frame, 0..frames-1.

        Returns:
            frame (H, W, 3) uint8 RGB; pose (18, 3) float32 in pixels, confidence 1, all 0 for a joint outside the frame; mask (H, W)
            float32 coverage in [0, 1]; parts (H, W) uint8, 0 background, and a part label exactly where the mask is above 0.5.

        Raises:
            InputError: no such actor, action or frame.
        """
        actor, name = self._actor_index(actor), self._action_name(action)
        return self._renderer(actor).render(self._moved(name, t), (actor, ACTION_NAMES.index(name), int(t)))

    def pose(self, actor: int, action: int | str, t: int) -> np.ndarray:
        """The pose of :meth:`render` alone, (18, 3) float32; nothing is rendered."""
        return self._renderer(self._actor_index(actor)).pose(self._moved(self._action_name(action), t))

    def _moved(self, name: str, t: int) -> dict[str, np.ndarray]:
        """Parameters of a frame of an action."""
        if not isinstance(t, (int, np.integer)) or not 0 <= t < self.frames:
            raise InputError(f'SyntheticActions: t must be a frame in 0..{self.frames - 1}, got {t!r}')
        if name not in self._parameters:
            self._parameters[name] = parameters(name, self.frames)
        return self._parameters[name][t]

    def _renderer(self, actor: int) -> Renderer:
        if actor not in self._renderers:
            self._renderers[actor] = Renderer(
                self.actor(actor), self.height, self.width, self.seed, self.room, drawn_view(actor, self.seed) if self.varied else None)
        self._renderers.move_to_end(actor)
        while len(self._renderers) > KEPT_RENDERERS:
            self._renderers.popitem(last=False)
        return self._renderers[actor]

    def _actor_index(self, actor: int) -> int:
        if not isinstance(actor, (int, np.integer)) or not 0 <= actor < len(self.actor_names):
            raise InputError(f'SyntheticActions: actor must be in 0..{len(self.actor_names) - 1}, got {actor!r}')
        return int(actor)

    def _action_name(self, action: int | str) -> str:
        if isinstance(action, str) and action in self.action_names:
            return action
        if isinstance(action, (int, np.integer)) and 0 <= action < len(self.action_names):
            return self.action_names[action]
        raise InputError(f'SyntheticActions: no action {action!r}; choose one of {", ".join(self.action_names)} or its number')

    def clip_name(self, actor: int, action: int | str) -> str:
        """Name of a clip's folder."""
        return f'{self._actor_index(actor):02d}_{self._action_name(action)}'

    def truth(self, actor: int) -> dict:
        """What the manifest of a clip says about the actor."""
        truth = dict(self.actor(actor).truth(), seed=self.seed, room=self.room, renderer=VERSION)
        return dict(truth, varied=True) if self.varied else truth

    def write(self, root: str | Path, actors: Iterable[int] | None = None, actions: Iterable[int | str] | None = None,
              frame_format: str = 'jpg', num_workers: int = 2, edge_detector: dict | None = None, progress: bool = True) -> list[Path]:
        """Write prepared clips. Finished ones are skipped; interrupted, it goes on at the next call.

        Args:
            root: folder for the clips.
            actors, actions: which ones; all by default.
            frame_format: 'jpg' or 'png'.
            num_workers: processes; 0 or 1 renders in this one.
            edge_detector: config of the edge detector; the soft Canny by default.
            progress: show a bar with rate and remaining time.

        Returns:
            The folders of the clips, in order of actor and action.

        Raises:
            InputError: no such actor, action or edge detector, or a folder that holds other clips under these names.
        """
        actors, actions = (None if named is None else list(named) for named in (actors, actions))  # an iterator gives them once
        settings = dict(height=self.height, width=self.width, actors=len(self.actor_names), actions=len(self.action_names),
                        frames=self.frames, fps=self.fps, seed=self.seed, room=self.room, stature=self.stature, varied=self.varied)
        edge_detector = json.loads(json.dumps(edge_detector or dict(type='SoftCanny')))  # as manifests give it back
        wanted = self._wanted(actors, actions)
        folders = self.tidy(root, actors, actions)
        tasks = [(settings, edge_detector, str(folder), frame_format, *pair)
                 for pair, folder in zip(wanted, folders) if not self._finished(folder, *pair, edge_detector)]
        skipped = len(wanted) - len(tasks)
        with bar(total=len(wanted), initial=skipped, unit='clip', desc='synthetic clips', disable=not progress) as made:
            for _ in _run(tasks, num_workers):
                made.update()
        return folders

    def missing(self, root: str | Path, actors: Iterable[int] | None = None, actions: Iterable[int | str] | None = None) -> list[Path]:
        """Folders of clips that :meth:`write` has still to make."""
        return [folder for folder in self._folders(root, self._wanted(actors, actions)) if not (folder / 'manifest.json').exists()]

    def tidy(self, root: str | Path, actors: Iterable[int] | None = None, actions: Iterable[int | str] | None = None) -> list[Path]:
        """Take away what a kill left of clips that are finished; the folders of all clips."""
        from toolkit.clips.folder import tidy_finished
        folders = self._folders(root, self._wanted(actors, actions))
        for folder in folders:
            if (folder / 'manifest.json').exists():
                tidy_finished(folder)
        return folders

    def _wanted(self, actors, actions) -> list[tuple[int, str]]:
        actors = range(len(self.actor_names)) if actors is None else list(actors)
        actions = self.action_names if actions is None else list(actions)
        return [(self._actor_index(actor), self._action_name(action)) for actor in actors for action in actions]

    def _folders(self, root, wanted) -> list[Path]:
        return [Path(root) / self.clip_name(*pair) for pair in wanted]

    def _finished(self, folder: Path, actor: int, action: str, edge_detector: dict) -> bool:
        """Whether a folder already holds this very clip."""
        from toolkit.clips.clip import Clip
        if not (folder / 'manifest.json').exists():
            return False
        found = Clip(folder)
        same = (found.height, found.width, len(found), found.fps, found.action) == (
            self.height, self.width, self.frames, self.fps, action)
        if not same or found.manifest.get('truth') != self.truth(actor) or _edges_of(found) != edge_detector:
            raise InputError(f'{folder}: holds a clip made with other settings; delete it or choose another folder')
        return True


def _edges_of(clip) -> dict:
    """Config of the edge detector that a clip of ours was made with."""
    return {key: value for key, value in clip.manifest['made_by']['edges'].items() if key != 'version'}


def _run(tasks: list[tuple], num_workers: int):
    """Do the tasks in this or other processes; yields once per task."""
    workers = min(num_workers, len(tasks))
    if workers <= 1:
        yield from map(_write_clip, tasks)
        return
    context = multiprocessing.get_context('spawn')
    module = EDGE_DETECTORS.get(str(tasks[0][1].get('type'))).__module__
    stopped, stop = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, _prepare_worker, (stopped, module))
    try:
        for done in as_completed([pool.submit(_write_clip, task) for task in tasks]):
            yield done.result()
    except BrokenProcessPool as error:
        raise InputError(
            'a process that renders was killed, or ended at its start. Where it was killed, memory has often run out: close other '
            'programs, or set num_workers=0. Where it printed an error before, and a script of your own starts the rendering: the '
            "start must stand below if __name__ == '__main__':, or each such process runs the script again. The same command goes "
            'on') from error
    finally:
        stop.send('stop')
        pool.shutdown(cancel_futures=True)


def _prepare_worker(stopped: multiprocessing.connection.Connection, module: str) -> None:
    """One thread per process; Ctrl-C is the parent's business. When that stops or is gone, killed perhaps, this ends, too.

    ``module`` registers the edge detector: one of the user's own is known to the parent alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gone = multiprocessing.parent_process().sentinel

    def end_with_parent() -> None:
        multiprocessing.connection.wait([gone, stopped])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    with suppress(InputError):  # a module that only the parent has: the detector is told to be unknown
        import_custom([module], 'edge_detector')


_people: dict[tuple, SyntheticActions] = {}


def _write_clip(task: tuple) -> str:
    """Write one clip; a partial one is continued at the first missing frame."""
    from toolkit.clips.folder import clip_lock
    settings, edge_config, folder, frame_format, actor, action = task
    key = tuple(sorted(settings.items()))
    if key not in _people:
        _people.clear()
        _people[key] = SyntheticActions(**settings)
    with clip_lock(folder, wait=True):
        if not _people[key]._finished(Path(folder), actor, action, edge_config):
            _render_clip(_people[key], task)
    return folder


def _render_clip(people: SyntheticActions, task: tuple) -> None:
    from toolkit.clips.clip import ClipWriter
    settings, edge_config, folder, frame_format, actor, action = task
    detector = EDGE_DETECTORS.build(dict(edge_config))
    writer = ClipWriter(
        folder, Path(folder).name, people.actor_names[actor], action, people.height, people.width, people.fps, frame_format,
        key=dict(truth=people.truth(actor), frames=people.frames, edge_detector=edge_config))
    for t in range(writer.num_frames, people.frames):
        frame, pose, mask, parts = people.render(actor, action, t)
        writer.add(frame, pose, detector(frame[None])[0], mask, parts)
    made = dict(type='SyntheticActions', version=VERSION)
    writer.finish(
        source=dict(kind='synthetic', **settings), truth=people.truth(actor), report={},
        made_by=dict(poses=made, masks=made, parts=made, edges=dict(edge_config, version=str(detector.version))))
