"""Prepared clips and runs as recordings for the viewer Rerun: pictures and numbers over time, to be played, stopped and compared.

A clip is a tree of its own, on the time lines ``frame`` and ``seconds``::

    CLIP/video/frame, keypoints   the frames, and on them the joints with names and skeleton (missing ones are left out)
         mask, edges, parts       pictures; parts are labels with names
         added/NAME               fields of plugins
         scene                    the empty scene that training takes, if the camera stands still
         references/1, 2          the frames of the same person that are nearest in pose, as training chooses them, with keypoints
         confidence/JOINT         of the pose estimator
         reference_cost/1, 2      how far their poses are, in lengths of the torso

A run is on the time line ``iteration``: ``curves/KEY`` (losses and metrics), ``rates/KEY``, ``costs/KEY`` (seconds of an iteration,
of them those of waiting for data), ``memory/MB`` (on the GPU), ``generated/CLIP`` (the sheets of ``GenerateHook``), and ``config``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from toolkit.analysis.curves import SCALARS, Run, is_rate, read_run
from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.same_person import identity
from toolkit.datasets.footage import Footage, References
from toolkit.datasets.references import PoseSearch, ReferenceTrack, features
from toolkit.datasets.scene import still_scene
from toolkit.datasets.transforms import scale_pose
from toolkit.doors import read_bytes
from toolkit.files import result_file
from toolkit.poses.draw import THRESHOLD
from toolkit.progress import Progress
from toolkit.registry import did_you_mean
from toolkit.skeletons import DRAWN_LIMBS, JOINT_COLORS, JOINTS, LIMBS, PARTS
from toolkit.structures import InputError

QUALITY = 90
"""Of the JPEGs in a recording."""
MOST_CLIPS = 12
"""So many clips are shown unless they are chosen by name."""
MEMORY = 'memory'
"""Among the costs of a run; thousands of MB beside seconds would make these a line at 0."""
SHEET = re.compile(r'(\d{7,})_(.+)\.png')


def rerun() -> ModuleType:
    """The package ``rerun``.

    Raises:
        InputError: it is not installed, or another package of that name.
    """
    try:
        import rerun
        import rerun.blueprint
    except ImportError as error:
        raise InputError(f"the viewer needs rerun-sdk, which cannot be imported ({error}): pip install 'human-video-toolkit[view]'"
                         ) from error
    if not hasattr(rerun, 'RecordingStream'):
        raise InputError("the installed package 'rerun' is another program: pip uninstall rerun, then pip install "
                         "'human-video-toolkit[view]'")
    return rerun


def is_run(path: str | Path) -> bool:
    """Whether a folder is the work dir of a training."""
    path = Path(path)
    return path.is_dir() and not (path / 'manifest.json').exists() and (
        any(path.glob(SCALARS)) or (path / 'vis').is_dir() or any(path.glob('iter_*.pth')))


def choose_clips(path: str | Path, names: Sequence[str] = ()) -> list[Clip]:
    """The clips of a folder to show.

    Args:
        path: a prepared clip, or a folder of some.
        names: which, by the folder's name; all by default.

    Raises:
        InputError: no clip, an unknown name, or more than :data:`MOST_CLIPS` and none chosen.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f'{path}: no such file or folder; give a prepared clip, a folder of clips, or the work dir of a training')
    if path.is_file():
        raise InputError(f'{path}: is a file. Prepare a video first (tools/prepare_data.py), then give the folder of its clip; of a '
                         'training give the work dir')
    clips = find_clips(path)
    if not clips:
        raise InputError(f'{path}: neither a prepared clip, nor a folder of clips, nor the work dir of a training')
    known = {clip.key: clip for clip in clips}
    for name in names:
        if name not in known:
            raise InputError(f'{path}: there is no clip {name!r}.{did_you_mean(name, known)} There is: {", ".join(list(known)[:20])}')
    if not names and len(clips) > MOST_CLIPS:
        raise InputError(f'{path}: holds {len(clips)} clips; choose up to {MOST_CLIPS} by --clips, for example --clips '
                         f'{" ".join(list(known)[:2])}')
    return [known[name] for name in dict.fromkeys(names)] if names else clips


class Recording:
    """Collects pictures and numbers of clips or runs; written by :meth:`save`, or shown by :meth:`show`.

    Args:
        name: what the viewer calls it.
    """

    def __init__(self, name: str) -> None:
        self.rr = rerun()
        self.views = self.rr.blueprint
        self.stream = self.rr.RecordingStream('human_video_toolkit')
        self.stream.send_recording_name(name)
        self.tabs: list[Any] = []
        self._fill: list[Callable[[], None]] = []

    def add_clips(self, clips: Sequence[Clip], max_frames: int | None = None, progress: Progress | None = None,
                  others: Sequence[Clip] = ()) -> None:
        """Take clips into the recording.

        Args:
            clips: prepared clips; references are taken from all of the same person.
            max_frames: the first ones of each; None for all.
            progress: hears how far it is.
            others: clips that are not shown, but that references are taken from, too. Those that are shown may be among them.

        Raises:
            InputError: damaged files.
        """
        if max_frames is not None and max_frames < 1:
            raise InputError(f'max_frames must be at least 1, got {max_frames}')
        shown, persons = {clip.folder.resolve() for clip in clips}, set(map(identity, clips))
        known = [*clips, *(clip for clip in others if clip.folder.resolve() not in shown and identity(clip) in persons)]
        for clip in known:
            clip.check_whole()
        progress = progress or Progress()
        footage = Footage(known, [np.ones(len(clip), bool) for clip in known], (clips[0].height, clips[0].width), 1)
        for number, clip in enumerate(clips):
            self.tabs.append(self._clip_view(clip))
            count = min(len(clip), max_frames or len(clip))
            self._fill.append(partial(self._log_clip, clip, number, footage, count, progress))

    def add_run(self, path: str | Path) -> None:
        """Take a training into the recording.

        Args:
            path: its work dir.

        Raises:
            InputError: nothing was logged.
        """
        path = Path(path)
        run = read_run(path)
        sheets = sorted(_sheets(path))
        self.tabs.append(self._run_view(run, list(dict.fromkeys(clip for _, clip, _ in sheets))))
        self._fill.append(partial(self._log_run, path, run, sheets))

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write all to a file ``.rrd``, which is there whole or not at all.

        Args:
            path: of the file.
            overwrite: a file of this name may be replaced.

        Raises:
            InputError: a file of this name has come, or it cannot be written.
        """
        with result_file(path, overwrite) as file:
            self.stream.save(file.name, self._blueprint())
            self._run_all()
            self.stream.flush()
            self.stream.disconnect()

    def show(self) -> None:
        """Open the viewer's window and send all to it."""
        self.stream.spawn(default_blueprint=self._blueprint())
        self._run_all()
        self.stream.flush()

    def serve(self, port: int) -> str:
        """Send all to a server for the browser's viewer on this machine.

        Args:
            port: of the page; the data come by the next one.

        Returns:
            The page's address.
        """
        data = self.stream.serve_grpc(grpc_port=port + 1, default_blueprint=self._blueprint())
        self.rr.serve_web_viewer(web_port=port, open_browser=False, connect_to=data)
        self._run_all()
        self.stream.flush()
        return f'http://localhost:{port}/?url={data}'

    def _run_all(self) -> None:
        for fill in self._fill:
            fill()

    def _blueprint(self) -> Any:
        views = self.views
        return views.Blueprint(views.Tabs(*self.tabs) if len(self.tabs) > 1 else self.tabs[0], views.SelectionPanel(state='collapsed'),
                               views.TimePanel(state='expanded'), auto_views=False, auto_layout=False)

    # ---- a clip ------------------------------------------------------------------------------------------------------------------

    def _clip_view(self, clip: Clip) -> Any:
        views, path = self.views, self._path(clip.key)
        flat = [views.Spatial2DView(origin=f'{path}/{name}', name=name) for name in (
            'mask', 'edges', 'parts', 'scene', *(f'added/{field}' for field in clip.fields))]
        near = [views.Spatial2DView(origin=f'{path}/references/{n}', name=f'reference {n}') for n in self._numbers()]
        curves = [views.TimeSeriesView(origin=f'{path}/{name}', name=words) for name, words in (
            ('confidence', 'confidence of each joint'), ('reference_cost', 'how far the references are'))]
        return views.Vertical(
            views.Horizontal(views.Spatial2DView(origin=f'{path}/video', name='frame and keypoints'), *near, views.Grid(*flat),
                             column_shares=[2, *([1] * len(near)), 2]),
            views.Horizontal(*curves), row_shares=[3, 1], name=clip.key)

    @staticmethod
    def _numbers() -> range:
        return range(1, References().count + 1)

    def _path(self, *parts: str) -> str:
        return self.rr.new_entity_path([piece for part in parts for piece in part.split('/')])

    def _log_clip(self, clip: Clip, number: int, footage: Footage, count: int, progress: Progress) -> None:
        rr, path, search = self.rr, self._path(clip.key), footage.search(identity(clip))
        for where in ('video', *(f'references/{n}' for n in self._numbers())):
            self.stream.log(f'{path}/{where}', _skeleton(rr), static=True)
        self.stream.log(f'{path}/parts', _labels(rr), static=True)
        scene = still_scene(clip, range(len(clip)))
        self.stream.log(f'{path}/scene', rr.TextDocument('The camera moves: there is no empty scene for all frames.')
                        if scene is None else self._jpeg(scene), static=True)
        track = ReferenceTrack(search, References().count)
        for t in range(count):
            self.stream.set_time('frame', sequence=t)
            self.stream.set_time('seconds', duration=t / clip.fps)
            self._log_frame(clip, t, f'{path}/video')
            for name, picture in (('mask', clip.mask_u8(t)), ('edges', clip.edge_u8(t))):
                self.stream.log(f'{path}/{name}', self._jpeg(picture))
            self.stream.log(f'{path}/parts', rr.SegmentationImage(clip.parts(t)))
            for name in clip.fields:
                self.stream.log(f'{path}/added/{name}', self._jpeg(clip.picture(name, t)))
            for joint, confidence in zip(JOINTS, clip.poses[t, :, 2]):
                self.stream.log(f'{path}/confidence/{joint}', rr.Scalars(float(confidence)))
            allowed = ~((search.clips == number) & (np.abs(search.frames - t) <= References().gap[1]))
            if allowed.any():
                self._log_references(clip, footage, search, allowed, track, t, path)
            progress.step(clip.key, t + 1, count)
        progress.close()

    def _log_frame(self, clip: Clip, t: int, path: str) -> None:
        rr, pose = self.rr, clip.poses[t]
        seen = np.flatnonzero(pose[:, 2] >= THRESHOLD)
        self.stream.log(f'{path}/frame', self._jpeg(clip.frame(t)))
        # pixel centers are at integers here, and at halves in Rerun
        self.stream.log(f'{path}/keypoints', rr.Points2D(pose[seen, :2] + .5, class_ids=np.zeros(len(seen), np.uint16),
                                                         keypoint_ids=seen.astype(np.uint16), radii=rr.Radius.ui_points(3),
                                                         show_labels=False))

    def _log_references(self, clip: Clip, footage: Footage, search: PoseSearch, allowed: np.ndarray, track: ReferenceTrack, t: int,
                        path: str) -> None:
        """Pictures of references are logged where they change; in between the viewer shows the last one."""
        before, pose = list(track.before), scale_pose(clip.poses[t], footage.size[0] / clip.height, footage.size[1] / clip.width)
        points, seen = features(pose[None])
        for n, row in zip(self._numbers(), track(pose, allowed)):
            if before[n - 1:n] != [row]:
                self._log_frame(footage.clips[search.clips[row]], int(search.frames[row]), f'{path}/references/{n}')
            self.stream.log(f'{path}/reference_cost/{n}', self.rr.Scalars(float(search.costs(points[0], seen[0], [row])[0])))

    def _jpeg(self, picture: np.ndarray) -> Any:
        return self.rr.Image(picture).compress(jpeg_quality=QUALITY)

    # ---- a run -------------------------------------------------------------------------------------------------------------------

    def _run_view(self, run: Run, clips: Sequence[str]) -> Any:
        views = self.views
        groups = dict.fromkeys(key.partition('/')[0] for key in run.curves if not is_rate(key))
        curves = [views.TimeSeriesView(origin='/curves', name=group, contents=[f'/curves/{group}/**']) for group in groups]
        memory = ['memory'] if MEMORY in run.costs else []
        curves += [views.TimeSeriesView(origin=f'/{name}', name=name) for name in ('rates', 'costs', *memory)]
        pictures = [views.Spatial2DView(origin=self._path('generated', clip), name=clip) for clip in clips]
        parts = [*([views.Tabs(*pictures)] if pictures else []), views.Grid(*curves)]
        return views.Tabs(views.Vertical(*parts, name=run.name), views.TextDocumentView(origin='/config', name='config'))

    def _log_run(self, path: Path, run: Run, sheets: Sequence[tuple[int, str, Path]]) -> None:
        rr = self.rr
        for key, (steps, values) in run.curves.items():
            self._curve(self._path('rates' if is_rate(key) else 'curves', key), steps, values)
        for key, (steps, values) in run.costs.items():
            self._curve('/memory/MB' if key == MEMORY else self._path('costs', key), steps, values)
        for iteration, clip, file in sheets:
            self.stream.reset_time()
            self.stream.set_time('iteration', sequence=iteration)
            self.stream.log(self._path('generated', clip), rr.EncodedImage(contents=read_bytes(file), media_type='image/png'))
        for file in sorted(path.glob('*.py'))[:1]:
            self.stream.log('config', rr.TextDocument(read_bytes(file).decode(errors='replace')), static=True)

    def _curve(self, path: str, steps: np.ndarray, values: np.ndarray) -> None:
        self.stream.send_columns(path, [self.rr.TimeColumn('iteration', sequence=steps)], self.rr.Scalars.columns(scalars=values))


def _sheets(work_dir: Path) -> Iterator[tuple[int, str, Path]]:
    """(iteration, clip, file) of the pictures that a run made."""
    folder = work_dir / 'vis'
    for file in folder.rglob('*.png'):
        if found := SHEET.fullmatch(file.relative_to(folder).as_posix()):
            yield int(found[1]), found[2], file


def _skeleton(rr: ModuleType) -> Any:
    """Names, colors and limbs of the joints."""
    return rr.AnnotationContext(rr.ClassDescription(
        info=rr.AnnotationInfo(id=0, label='person', color=(255, 255, 255)),
        keypoint_annotations=[rr.AnnotationInfo(id=i, label=name, color=tuple(map(int, color)))
                              for i, (name, color) in enumerate(zip(JOINTS, JOINT_COLORS))],
        keypoint_connections=list(LIMBS[:DRAWN_LIMBS])))


def _labels(rr: ModuleType) -> Any:
    """Names of the part labels."""
    return rr.AnnotationContext([rr.AnnotationInfo(id=0, label='scene', color=(0, 0, 0)),
                                 *(rr.AnnotationInfo(id=i + 1, label=name) for i, name in enumerate(PARTS))])
