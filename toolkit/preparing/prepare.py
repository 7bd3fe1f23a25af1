"""From a video to a prepared clip, in two passes over the video, resumable at any moment.

Pass 1 finds the poses in small copies of the frames (:mod:`toolkit.preparing.poses`); from them come the crop and the checks. Pass 2
cuts the frames and makes masks, edges and part labels at the clip's size. Both take one frame of the video at a time, so that memory
does not depend on its size or length. What is done lies in ``.<clip>.partial``.
"""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice, tee
from pathlib import Path

import cv2
import numpy as np

from toolkit import fields
from toolkit.clips.checks import check_said
from toolkit.clips.clip import Clip, ClipWriter, to_u8
from toolkit.clips.crop import Crop, center_crop, check_window, fit_window, given_crop, person_crop, person_range
from toolkit.clips.folder import (
    MARK,
    SOUND_FILE,
    check_clip_folder,
    clip_lock,
    clip_target,
    partial_folder,
    start_partial,
    tidy_finished,
    tidy_partial,
)
from toolkit.clips.same_person import DEFAULT_PERSON
from toolkit.clips.size import Range, agreed_size, choose_size, folder_size, given_size
from toolkit.files import fingerprint, make_folder, source_hash, write_json, writing_error
from toolkit.masks.parts import part_labels
from toolkit.outputs import check_name, hidden
from toolkit.poses.smooth import clean_poses
from toolkit.preparing.checks import add_notes, check_maps, measure, stretch
from toolkit.preparing.poses import POSE_CHUNK, POSE_SIDE, SAMPLE_HEIGHT, Found, PosePass, check_can_follow, write_picture
from toolkit.preparing.settings import PrepareSettings, UnusableClipError, clip_name, part_record
from toolkit.structures import InputError
from toolkit.video.io import read_video, video_info
from toolkit.video.picture_file import read_picture
from toolkit.video.sampling import chunks, sample_frames
from toolkit.video.sound import keep_sound
from toolkit.video.source import require_source

CLIP_CHUNK = 32
"""Frames that a segmentor without ``track`` gets at a time."""


class Preparation:
    """Makes one clip: :func:`prepare_video` takes its arguments, and ``look`` and ``set_size`` give several clips one size.

    Attributes:
        progress: called with (stage, frames done, frames in all).
    """

    def __init__(self, path: str | Path, out_dir: str | Path, pose_estimator, edge_detector, segmentor, settings: PrepareSettings,
                 name: str | None = None, person: str = DEFAULT_PERSON, action: str | None = None, overwrite: bool = False,
                 part_options: dict[str, dict] | None = None):
        self.path, self.settings = Path(path), settings
        name = name or clip_name(path)
        self._place(Path(out_dir) / check_name(name))
        self.estimator, self.edges, self.segmentor = pose_estimator, edge_detector, segmentor
        self.person, self.action, self.overwrite = person, name if action is None else action, overwrite
        check_said(self.folder, person=self.person, action=self.action)
        self.progress: Callable[[str, int, int], None] = lambda stage, done, total: None
        self.made_by = dict(poses=part_record(pose_estimator), edges=part_record(edge_detector), masks=part_record(segmentor),
                            parts=dict(type='part_labels', version='1'))
        for kind, options in (part_options or {}).items():
            self.made_by[kind].update({k: v for k, v in options.items() if k != 'type'})
        self.fields = fields.to_store()
        self.problems: list[str] = []
        self.seen: tuple | None = None
        if settings.follow is not None:
            check_can_follow(pose_estimator)
        self.failed = False
        self.size_given = settings.height is not None

    def _place(self, folder: Path) -> None:
        self.folder, self.partial = folder, partial_folder(folder)
        self.work = self.partial / 'work'

    @property
    def key(self) -> dict:
        """What a finished clip must agree with to be taken as done."""
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.settings).items()}
        made_by = {kind: ' '.join(str(x) if n in ('type', 'version') else f'{n}={x}' for n, x in record.items())
                   for kind, record in self.made_by.items()}
        more = dict(fields=[f'{f.name}={f.compute.__module__}.{f.compute.__qualname__}' for f in self.fields]) if self.fields else {}
        return dict(source=self.sha, person=self.person, action=self.action, **settings, **made_by, **more)

    @cached_property
    def sha(self) -> str:
        return source_hash(self.path)

    def _finished(self) -> Clip:
        """The clip that is there, if it was made with these settings."""
        clip = Clip(self.folder)
        if self.settings.height is None:
            self.set_size(clip.height, clip.width)
        was = clip.manifest.get('settings', {})
        differing = [f'{k} was {was.get(k)!r}, now {v!r}' for k, v in self.key.items() if was.get(k) != v]
        if differing:
            raise InputError(
                f'{self.folder}: made before with other input ({"; ".join(differing[:4])}); make it again with '
                'tools/prepare_data.py --overwrite (overwrite=True), or choose another name or folder for the clip')
        return clip

    def look(self) -> Range | None:
        """Pass 1 and its checks.

        Returns:
            Where the clip's window may lie, or None if the clip is finished already.

        Raises:
            InputError: as :func:`prepare_video`.
        """
        with self._ours() as finished:
            return None if finished else self._guarded(self._look)

    def run(self, unique: bool = False) -> Clip:
        """Both passes, the checks, the manifest; ``unique`` as of :func:`prepare_video`."""
        require_source(self.path)
        if unique:
            self._place(self.folder.with_name(f'{self.folder.name}-{fingerprint(self.key)[:8]}'))
        with self._ours() as finished:
            if finished:
                return self._finished()
            if self.settings.height is not None:
                with given_size(self.folder.parent, self.settings.height, self.settings.width):
                    return self._guarded(self._make)
            place, own = self.folder.parent, [self.folder.name] if self.overwrite else []
            known = None if unique else folder_size(place, own)
            chosen = known or choose_size([self._guarded(self._look)], self.settings.multiple)
            with nullcontext(chosen) if unique else agreed_size(place, lambda: chosen, own) as size:
                self.set_size(*size)
                return self._guarded(self._make)

    def check_finished(self) -> None:
        """See that a clip that is there was made with these settings.

        Raises:
            InputError: it was not.
        """
        if self._there():
            self._finished()

    def set_size(self, height: int, width: int) -> None:
        """Give the clip its size."""
        self.settings = replace(self.settings, height=height, width=width)

    @contextmanager
    def _ours(self) -> Iterator[bool]:
        """Have the clip's folder to ourselves; yields whether a clip is there and need not be made again."""
        require_source(self.path)
        clip_target(self.path, self.folder.parent, self.folder.name)
        if self._there():
            tidy_finished(self.folder)
            yield True
            return
        make_folder(self.folder.parent)
        with clip_lock(self.folder):
            tidy_partial(self.folder)
            finished = self._there()
            if not finished:
                check_clip_folder(self.folder, self.overwrite)
            yield finished

    def _there(self) -> bool:
        return not self.overwrite and (self.folder / 'manifest.json').exists()

    def _guarded(self, step: Callable):
        """Do a step of the work; errors are noted in the working folder."""
        start_partial(self.folder)
        make_folder(self.work)
        (self.work / 'failure.json').unlink(missing_ok=True)
        try:
            return step()
        except InputError as error:
            self._note_failure(str(error))
            raise
        except OSError as error:
            if not self._is_of_writing(error):
                raise
            raise writing_error(self.folder, error) from error

    def _is_of_writing(self, error: OSError) -> bool:
        """Whether it is the clip that cannot be written; else a part lacks a file of its own."""
        if error.filename is None:
            return error.errno is not None
        place, ours = Path(str(error.filename)), {self.folder, self.partial, hidden(self.folder, 'old')}
        return not ours.isdisjoint((place, *place.parents))

    def _note_failure(self, reason: str) -> None:
        if (self.partial / MARK).is_file():
            with suppress(InputError):
                write_json(self.work / 'failure.json', dict(name=self.folder.name, source=self.path.name, reason=reason))

    def _look(self) -> Range:
        """Pass 1; what it finds is kept."""
        reader = self.reader = read_video(self.path, self.settings.fps or 25)
        self.info, start = video_info(reader), self.settings.start
        if start and start >= self.info.duration:
            raise UnusableClipError(
                f'{self.path}: lasts {self.info.duration:.1f} s, so nothing is left from second {start:g} on; choose an earlier start')
        self._check_crop()
        self.rate = self.settings.fps or self.info.sample_rate
        self.fps = self.rate or float(reader.fps)
        found = self._find_poses()
        clean = clean_poses(found.poses, self.fps, smooth=self.settings.smooth)
        first, last = stretch(self.path, found.poses, clean, self.settings, self.key['poses'])
        self.seen = found, clean[first:last], first, last
        size, crop = (reader.height, reader.width), self.settings.crop
        boxes = person_range(clean[first:last], *size) if crop == 'person' else (None, None)
        return Range(*size, *boxes, window=None if isinstance(crop, str) else tuple(crop))

    def _make(self) -> Clip:
        """Pass 2, the checks, the manifest."""
        if self.seen is None:
            self._look()
        (found, clean, first, last), reader = self.seen, self.reader
        total, size, raw = len(found.poses), (reader.height, reader.width), found.poses[first:last]
        crop = self._crop(clean)
        writer = ClipWriter(
            self.folder, self.folder.name, self.person, self.action, crop.height, crop.width, self.fps, self.settings.frame_format,
            key=dict(self.key, first=first, last=last, window=[crop.x, crop.y, crop.w, crop.h]), overwrite=self.overwrite,
            fields={f.name: f.channels for f in self.fields})
        self._preview(crop, total)
        with _quiet_reader():
            self._make_frames(writer, crop, crop.pose(clean), first, last)
        quality = measure(found, clean, crop, writer, first, last, self._gaps(found.times[first:last]), size)
        quality.notes += reader.notes
        sound = self.partial / SOUND_FILE
        silent = keep_sound(reader, found.times[first:last], self.fps, sound)
        if silent:
            quality.notes.append(f'the clip has no sound: {silent}')
        add_notes(quality, self.settings, self.info, self.fps, float(reader.fps), (first, last), total, self.problems)
        source = dict(
            file=self.path.name, sha256=self.sha, codec=self.info.codec, height=reader.height, width=reader.width,
            fps=float(reader.fps), num_frames=self.info.num_frames, variable_rate=self.info.variable, first_frame=first,
            crop=[crop.x, crop.y, crop.w, crop.h], sound=SOUND_FILE if sound.exists() else silent)
        return writer.finish(
            arrays=dict(raw=crop.pose(raw), times=found.times[first:last], people=found.people[first:last]),
            source=source, settings=self.key, made_by=json.loads(json.dumps(self.made_by, default=str)), report=quality.as_dict())

    def _sampled(self, reader) -> Iterator[tuple[np.ndarray, float, int]]:
        """Yields (frame, time, number of the source frame)."""
        s = self.settings
        return sample_frames(reader, self.rate, s.start, s.end, s.max_frames, reader.numbers())

    def _expected(self) -> int:
        s = self.settings
        end = min(s.end or self.info.duration, self.info.duration)
        return max(1, min(round((end - s.start) * self.fps), s.max_frames or 1 << 60))

    def _find_poses(self) -> Found:
        """Pass 1."""
        s, total = self.settings, self._expected()
        key = dict(source=self.sha, poses=self.key['poses'], fps=s.fps, start=s.start, end=s.end, max_frames=s.max_frames,
                   follow=self.key['follow'] if hasattr(self.estimator, 'track') else None)
        if s.follow is not None and not isinstance(s.follow, str) and not (
                s.follow[0] < self.reader.width and s.follow[1] < self.reader.height):
            raise InputError(f'{self.path}: follow {s.follow[0]:g},{s.follow[1]:g} lies beyond the frames of {self.reader.width}x'
                             f'{self.reader.height} (width x height); give x,y in pixels of the video')
        pictures = getattr(self.reader, 'files', ())
        names = dict(zip(self.reader.numbers(), (p.name for p in pictures))) if len(pictures) == self.info.num_frames else None
        poses = PosePass(
            self.estimator, self.work, (self.reader.height, self.reader.width), self.info.num_frames,
            lambda done: self.progress('poses', done, max(total, done)), names, s.follow)
        poses.check(self._near_the_end(), getattr(self.reader, 'stored_size', poses.size))
        small = self.reader.at_most(POSE_SIDE)
        with _quiet_reader():
            found, self.problems = poses.run(self._sampled(small), key, lambda: list(small.problems))
        if found is None:
            raise UnusableClipError(f'{self.path}: zero frames between {s.start} s and {s.end or "the end"} s')
        return found

    def _near_the_end(self) -> list[int]:
        """A source frame after nine tenths of the stretch (later ones may be damaged); none where that depends on the rate."""
        s, end = self.settings, self.settings.end or np.inf
        numbers = [n for n, time in zip(self.reader.numbers(), self.reader.times()) if s.start <= time < end][:s.max_frames]
        return [] if s.max_frames and self.rate else numbers[int(.9 * len(numbers)):][:1]

    def _preview(self, crop: Crop, total: int) -> None:
        """A picture of the source with the crop drawn in, from the middle of the video; none where a power cut left half of it."""
        try:
            picture = read_picture(self.work / f'poses_{total // 2 // POSE_CHUNK:05d}.jpg')
        except InputError:
            return
        factor = SAMPLE_HEIGHT / self.reader.height
        x0, y0, x1, y1 = (round(v * factor) for v in (crop.x, crop.y, crop.x + crop.w, crop.y + crop.h))
        pad = max(0, 2 - x0, 2 - y0, x1 + 2 - picture.shape[1], y1 + 2 - picture.shape[0])
        picture = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(90, 90, 90))
        cv2.rectangle(picture, (x0 + pad, y0 + pad), (x1 + pad, y1 + pad), (255, 220, 60), 2)
        write_picture(self.partial / 'source.jpg', picture)

    def _check_crop(self) -> None:
        """See that a window that the user gave fits the video, before the poses are looked for."""
        s, size = self.settings, (self.reader.height, self.reader.width)
        if isinstance(s.crop, str):
            return
        try:
            if self.size_given:
                given_crop(s.crop, *size, s.height, s.width)
            else:
                check_window(s.crop, *size)
        except InputError as error:
            raise InputError(f'{self.path}: {error}') from error

    def _crop(self, poses: np.ndarray) -> Crop:
        s, size = self.settings, (self.reader.height, self.reader.width)
        if s.crop == 'center':
            return center_crop(*size, s.height, s.width)
        if s.crop == 'person':
            return person_crop(poses, *size, s.height, s.width)
        return (given_crop if self.size_given else fit_window)(s.crop, *size, s.height, s.width)

    def _make_frames(self, writer: ClipWriter, crop: Crop, poses: np.ndarray, first: int, last: int) -> None:
        """Pass 2: each frame is cut as it comes.

        Chunks have fixed limits, so that a resumed run gives edge detectors and segmentors the same frames together. A segmentor with
        ``track(frames, poses)`` sees the clip as one stream; it begins again at the first frame when a run is resumed.
        """
        total, tracks = last - first, hasattr(self.segmentor, 'track')
        whole = writer.num_frames - writer.num_frames % CLIP_CHUNK
        skipped = 0 if tracks else whole
        cut = (crop.frame(frame) for i, (frame, *_) in enumerate(self._sampled(self.reader)) if first + skipped <= i < last)
        if tracks:
            cut, stream = tee(cut)
            stream = self.segmentor.track(stream, poses)
        for start, chunk in zip(range(skipped, total, CLIP_CHUNK), chunks(cut, CLIP_CHUNK)):
            here = poses[start:start + len(chunk)]
            masks = list(islice(stream, len(chunk))) if tracks else self.segmentor(np.stack(chunk), here)
            check_maps('segmentor', self.segmentor, masks, chunk)
            if start + len(chunk) > writer.num_frames:
                edges = self.edges(np.stack(chunk))
                check_maps('edge detector', self.edges, edges, chunk)
                given = dict(frames=np.stack(chunk), edges=to_u8(np.stack(edges)), masks=to_u8(np.stack(masks)), poses=here,
                             size=(crop.height, crop.width))
                added = {field.name: fields.computed(field, given) for field in self.fields}
                for i in range(writer.num_frames - start, len(chunk)):
                    writer.add(chunk[i], here[i], edges[i], masks[i], part_labels(here[i], masks[i]),
                               **{name: value[i] for name, value in added.items()})
            self.progress('frames', start + len(chunk), total)
        if writer.num_frames != total:
            raise UnusableClipError(
                f'{self.path}: {total} frames were read first, {writer.num_frames} the second time; is the file changing?')

    def _gaps(self, times: np.ndarray) -> list[int]:
        """Frames of the clip before which the source misses frames."""
        if self.rate is None:
            steps = np.diff(times)
            return [int(t) + 1 for t in np.flatnonzero(steps > 1.5 * np.median(steps))] if len(steps) else []
        if not self.info.gaps:
            return []
        at = self.reader.times()[list(self.info.gaps)]
        return sorted({int(t) for t in np.searchsorted(times, at - 1e-4) if 0 < t < len(times)})


@contextmanager
def _quiet_reader() -> Iterator[None]:
    """Let readers not warn of damage while frames are sampled: the clip's report tells it. Warnings of others are shown."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', category=UserWarning, module=re.escape(sample_frames.__module__))
        yield


def prepare_video(
        path: str | Path, out_dir: str | Path, pose_estimator, edge_detector, segmentor, height: int | None = None,
        width: int | None = None, *, name: str | None = None, unique: bool = False, person: str = DEFAULT_PERSON,
        action: str | None = None, overwrite: bool = False, progress: Callable[[str, int, int], None] | None = None,
        part_options: dict[str, dict] | None = None, **settings) -> Clip:
    """Make a prepared clip of a video, an animated GIF or a folder of pictures.

    A finished clip made of the same file with the same settings is returned as it is; an interrupted one is continued.

    Args:
        path: the video.
        out_dir: folder of clips; the clip becomes a folder in it.
        pose_estimator: see :mod:`toolkit.preparing.poses` for what it may offer; it sees frames of at most 1024 pixels a side.
        edge_detector: frames -> (T, H, W) in [0, 1].
        segmentor: (frames, poses) -> (T, H, W) in [0, 1]; or with ``track(frames, poses)``: an iterator of frames (H, W, 3) and all
            poses (T, 18, 3) -> an iterator of masks (H, W), one stream through the clip.
        height, width: size of the clip; by default that of the clips in ``out_dir``, or else one chosen by
            :func:`toolkit.clips.size.choose_size`.
        name: of the clip; by default the file name without suffix.
        unique: add a short hash of source and settings to the name, so that clips of other sources and settings stand beside.
        person, action: recorded in the manifest, splits go by them; the action is by default the clip's name.
        overwrite: make the clip again even if there is one.
        progress: called with (stage, frames done, frames in all).
        part_options: under 'poses', 'edges', 'masks', with what options the part was built, to be recorded and compared.
        settings: the other fields of :class:`PrepareSettings`.

    Returns:
        The finished clip; ``clip.manifest['report']`` holds what was measured and the warnings.

    Raises:
        UnusableClipError: no frames, no person, too small.
        InputError: bad file, settings, output folder, full disk.
    """
    options = PrepareSettings(height=height, width=width, **settings)
    preparation = Preparation(
        path, out_dir, pose_estimator, edge_detector, segmentor, options, name, person, action, overwrite, part_options)
    preparation.progress = progress or preparation.progress
    return preparation.run(unique)
