"""From a video to a prepared clip, in two passes over the video, resumable at any moment.

Pass 1 finds the poses in whole frames; from them come the crop and the checks. Pass 2 cuts the frames and makes masks, edges and
part labels at the clip's size. Both stream the video in chunks; what is done lies in
``.<clip>.partial``.
"""

import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from toolkit.data.clip import Clip, ClipWriter
from toolkit.data.clip_folder import check_clip_folder, clip_lock, partial_folder, tidy_partial
from toolkit.data.crop import Crop, center_crop, given_crop, person_crop
from toolkit.data.files import fingerprint, make_folder, read_json, source_hash, write_file, write_json, writing_error
from toolkit.data.prepare_settings import PrepareSettings, UnusableClipError, clip_name, part_record
from toolkit.data.quality import Quality, border_contact, describe_frames, mask_agreement, measure_poses, person_boxes, present
from toolkit.data.sampling import chunks, sample_frames
from toolkit.data.video import read_video, video_info
from toolkit.data.video_file import require_source
from toolkit.masks.parts import part_labels
from toolkit.outputs import check_name, refuse_inputs
from toolkit.poses.decode import count_people, follow_person
from toolkit.poses.draw import draw_pose_on
from toolkit.poses.smooth import clean_poses
from toolkit.skeletons import K
from toolkit.structures import InputError

POSE_CHUNK, CLIP_CHUNK = 64, 32
POSE_SIDE = 1024
COUNT_EVERY = 8
SAMPLE_HEIGHT = 360


class Preparation:
    """Makes one clip. Use :func:`prepare_video`."""

    def __init__(self, path, folder, pose_estimator, edge_detector, segmentor, settings: PrepareSettings, person: str, action: str,
                 overwrite: bool, progress: Callable[[str, int, int], None], part_options: dict[str, dict]):
        self.path, self.settings = Path(path), settings
        self._place(Path(folder))
        self.estimator, self.edges, self.segmentor = pose_estimator, edge_detector, segmentor
        self.person, self.action, self.overwrite, self.progress = person, action, overwrite, progress
        self.made_by = dict(poses=part_record(pose_estimator), edges=part_record(edge_detector), masks=part_record(segmentor),
                            parts=dict(type='part_labels', version='1'))
        for kind, options in part_options.items():
            self.made_by[kind].update({k: v for k, v in options.items() if k != 'type'})
        self.problems: list[str] = []

    def _place(self, folder: Path) -> None:
        self.folder, self.partial = folder, partial_folder(folder)
        self.work = self.partial / 'work'

    @cached_property
    def key(self) -> dict:
        """What a finished clip must agree with to be taken as done."""
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.settings).items()}
        made_by = {kind: ' '.join(x if n in ('type', 'version') else f'{n}={x}' for n, x in record.items())
                   for kind, record in self.made_by.items()}
        return dict(source=self.sha, person=self.person, action=self.action, **settings, **made_by)

    @cached_property
    def sha(self) -> str:
        return source_hash(self.path)

    def finished(self) -> Clip | None:
        """The clip, if it is done already with these settings."""
        if self.overwrite or not (self.folder / 'manifest.json').exists():
            return None
        clip = Clip(self.folder)
        was = clip.manifest.get('settings', {})
        differing = [f'{k} was {was.get(k)!r}, now {v!r}' for k, v in self.key.items() if was.get(k) != v]
        if differing:
            raise InputError(
                f'{self.folder}: made before with other input ({"; ".join(differing[:4])}); use --overwrite to make it again, or '
                'another name or folder')
        return clip

    def run(self, unique: bool = False) -> Clip:
        """Both passes, the checks, the manifest; ``unique`` as of :func:`prepare_video`."""
        require_source(self.path)
        if unique:
            self._place(self.folder.with_name(f'{self.folder.name}-{fingerprint(self.key)[:8]}'))
        clip_target(self.path, self.folder.parent, self.folder.name)
        make_folder(self.folder.parent)
        with clip_lock(self.folder):
            tidy_partial(self.folder)
            done = self.finished()
            if done is not None:
                return done
            check_clip_folder(self.folder, self.overwrite)
            return self._make()

    def _make(self) -> Clip:
        make_folder(self.work)
        (self.work / 'failure.json').unlink(missing_ok=True)
        try:
            return self._run(read_video(self.path, self.settings.fps or 25))
        except InputError as error:
            self._note_failure(str(error))
            raise
        except OSError as error:
            raise writing_error(self.folder, error) from error

    def _note_failure(self, reason: str) -> None:
        with suppress(InputError):
            write_json(self.work / 'failure.json', dict(name=self.folder.name, source=self.path.name, reason=reason))

    def _run(self, reader) -> Clip:
        self.reader, self.info = reader, video_info(reader)
        rate = self.settings.fps or self.info.sample_rate
        self.rate, self.fps = rate, rate or float(reader.fps)
        found = self._find_poses()
        clean = clean_poses(found['poses'], self.fps, smooth=self.settings.smooth)
        first, last = self._check(found, clean)
        raw, clean = found['poses'][first:last], clean[first:last]
        crop = self._crop(clean)
        writer = ClipWriter(
            self.folder, self.folder.name, self.person, self.action, crop.height, crop.width, self.fps, self.settings.frame_format,
            key=dict(self.key, first=first, last=last), overwrite=self.overwrite)
        self._preview(crop, len(found['poses']))
        self._make_frames(writer, crop, crop.pose(clean), first, last)
        quality = self._measure(found, clean, crop, writer, first, last)
        source = dict(
            file=self.path.name, sha256=self.sha, codec=self.info.codec, height=reader.height, width=reader.width,
            fps=float(reader.fps), num_frames=self.info.num_frames, variable_rate=self.info.variable, first_frame=first,
            crop=[crop.x, crop.y, crop.w, crop.h])
        shutil.rmtree(self.work)
        return writer.finish(
            arrays=dict(raw=crop.pose(raw), times=found['times'][first:last], people=found['people'][first:last]),
            source=source, settings=self.key, made_by=self.made_by, report=quality.as_dict())

    def _sampled(self):
        """Yields (frame, time, number of the source frame)."""
        s = self.settings
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)
            yield from sample_frames(self.reader, self.rate, s.start, s.end, s.max_frames, self.reader.numbers())
        self.problems = list(self.reader.problems)

    def _expected(self) -> int:
        s = self.settings
        end = min(s.end or self.info.duration, self.info.duration)
        return max(1, min(round((end - s.start) * self.fps), s.max_frames or 1 << 60))

    def _find_poses(self) -> dict[str, np.ndarray]:
        """Pass 1. Poses in source pixels, times, number of people, difference to the frame before; one file a chunk."""
        s = self.settings
        key = dict(source=self.sha, poses=self.key['poses'], fps=s.fps, start=s.start, end=s.end, max_frames=s.max_frames)
        if not (self.work / 'key.json').exists() or read_json(self.work / 'key.json') != key:
            shutil.rmtree(self.work)
            make_folder(self.work)
            write_json(self.work / 'key.json', key)
        of_files = getattr(self.estimator, 'people_of_frames', None)
        size = (self.reader.height, self.reader.width)
        if of_files:
            of_files([], size, self.info.num_frames)
        complete = self.work / 'poses.json'
        if not complete.exists():
            total, done, before = self._expected(), 0, None
            for i, chunk in enumerate(chunks(self._sampled(), POSE_CHUNK)):
                path = self.work / f'poses_{i:05d}.npz'
                if not path.exists():
                    self._pose_chunk(chunk, before, path)
                before, done = chunk[-1][0], done + len(chunk)
                self.progress('poses', done, max(total, done))
            write_json(complete, dict(chunks=-(-done // POSE_CHUNK), problems=self.problems))
        state = read_json(complete)
        self.problems = state['problems']
        if not state['chunks']:
            raise UnusableClipError(f'{self.path}: zero frames between {s.start} s and {s.end or "the end"} s')
        parts = []
        for i in range(state['chunks']):
            with np.load(self.work / f'poses_{i:05d}.npz') as arrays:
                parts.append(dict(arrays))
        found = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        if of_files:
            people = of_files(found['index'].tolist(), size, self.info.num_frames)
            found.update(poses=follow_person(people), people=np.array([count_people(p) for p in people], np.int32))
        return found

    def _pose_chunk(self, chunk: list, before: np.ndarray | None, path: Path) -> None:
        frames = [frame for frame, _, _ in chunk]
        height, width = frames[0].shape[:2]
        factor = min(1., POSE_SIDE / max(height, width))
        if factor < 1:
            size = (round(width * factor), round(height * factor))
            small = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
        else:
            small = np.stack(frames)
        files = hasattr(self.estimator, 'people_of_frames')
        poses = np.zeros((len(frames), K, 3), np.float32) if files else np.array(self.estimator(small), np.float32)
        if poses.shape != (len(frames), K, 3):
            raise ValueError(f'pose estimator {self.key["poses"]} returned {poses.shape} for {len(frames)} frames')
        scale = np.array([width / small.shape[2], height / small.shape[1]], np.float32)
        poses[..., :2] = (poses[..., :2] + .5) * scale - .5
        poses[poses[..., 2] <= 0] = 0
        people = np.full(len(frames), -1, np.int32)
        if hasattr(self.estimator, 'num_people') and not files:
            people[::COUNT_EVERY] = self.estimator.num_people(small[::COUNT_EVERY])
        still = np.array([_difference(a, b) for a, b in zip([before, *frames[:-1]], frames)], np.float32)
        self._sample(frames[0], poses[0], path.with_suffix('.jpg'))
        temporary = path.with_suffix('.tmp.npz')
        np.savez(temporary, poses=poses, times=np.array([t for _, t, _ in chunk]), people=people, still=still,
                 index=np.array([i for _, _, i in chunk]))
        temporary.replace(path)

    @staticmethod
    def _sample(frame: np.ndarray, pose: np.ndarray, path: Path) -> None:
        """A small picture of the frame with its pose, for the report of a clip that fails."""
        factor = SAMPLE_HEIGHT / frame.shape[0]
        picture = cv2.resize(frame, (max(1, round(frame.shape[1] * factor)), SAMPLE_HEIGHT), interpolation=cv2.INTER_AREA)
        picture = draw_pose_on(picture, pose * np.array([factor, factor, 1], np.float32))
        write_file(path, cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())

    def _preview(self, crop: Crop, total: int) -> None:
        """A picture of the source with the crop drawn in, from the middle of the video."""
        picture = cv2.imread(str(self.work / f'poses_{total // 2 // POSE_CHUNK:05d}.jpg'))
        if picture is None:
            return
        factor = SAMPLE_HEIGHT / self.reader.height
        x0, y0, x1, y1 = (round(v * factor) for v in (crop.x, crop.y, crop.x + crop.w, crop.y + crop.h))
        pad = max(0, 2 - x0, 2 - y0, x1 + 2 - picture.shape[1], y1 + 2 - picture.shape[0])
        picture = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(90, 90, 90))
        cv2.rectangle(picture, (x0 + pad, y0 + pad), (x1 + pad, y1 + pad), (60, 220, 255), 2)
        write_file(self.partial / 'source.jpg', cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())

    def _check(self, found: dict, clean: np.ndarray) -> tuple[int, int]:
        """Raise if unusable; the stretch of frames to keep."""
        s, total = self.settings, len(clean)
        seen = present(found['poses'])
        if not seen.any():
            raise UnusableClipError(
                f'{self.path}: no person found in any of {total} frames by {self.key["poses"]}; is somebody to be seen, upright and '
                'not too small? Another estimator (--pose) may find them')
        frames = np.flatnonzero(present(clean) | seen)
        first, last = (int(frames[0]), int(frames[-1]) + 1) if s.trim else (0, total)
        share = seen[first:last].mean()
        if share < s.min_presence:
            raise UnusableClipError(
                f'{self.path}: a person is found in {share:.0%} of frames {first}..{last - 1} only, at least {s.min_presence:.0%} '
                'are needed; choose a stretch with the person in view (--start, --end) or another estimator (--pose)')
        boxes = person_boxes(found['poses'])
        height = float(np.nanmedian(boxes[:, 3] - boxes[:, 1]))
        if height < s.min_person:
            raise UnusableClipError(
                f'{self.path}: the person is only {height:.0f} pixels high in the video, at least {s.min_person:.0f} are needed; film '
                'from nearer or at a higher resolution')
        return first, last

    def _crop(self, poses: np.ndarray) -> Crop:
        s, size = self.settings, (self.reader.height, self.reader.width)
        if s.crop == 'center':
            return center_crop(*size, s.height, s.width)
        if s.crop == 'person':
            return person_crop(poses, *size, s.height, s.width)
        return given_crop(s.crop, *size, s.height, s.width)

    def _make_frames(self, writer: ClipWriter, crop: Crop, poses: np.ndarray, first: int, last: int) -> None:
        """Pass 2. Chunks have fixed limits, so that a resumed run gives segmentors the same frames together."""
        wanted = (frame for i, (frame, _, _) in enumerate(self._sampled()) if first <= i < last)
        for c, chunk in enumerate(chunks(wanted, CLIP_CHUNK)):
            start = c * CLIP_CHUNK
            if start + len(chunk) <= writer.num_frames:
                continue
            frames = np.stack([crop.frame(f) for f in chunk])
            here = poses[start:start + len(chunk)]
            masks, edges = self.segmentor(frames, here), self.edges(frames)
            for i in range(writer.num_frames - start, len(chunk)):
                writer.add(frames[i], here[i], edges[i], masks[i], part_labels(here[i], masks[i]))
            self.progress('frames', start + len(chunk), last - first)
        if writer.num_frames != last - first:
            raise UnusableClipError(
                f'{self.path}: {last - first} frames were read first, {writer.num_frames} the second time; is the file changing?')

    def _measure(self, found, clean, crop: Crop, writer: ClipWriter, first: int, last: int) -> Quality:
        raw, times = found['poses'][first:last], found['times'][first:last]
        gaps = self._gaps(times, first)
        quality = measure_poses(raw, clean, times, found['people'][first:last], found['still'][first:last], gaps)
        height, width = self.reader.height, self.reader.width
        scale = np.array(crop.scale * 2)
        inside = np.array([-crop.x, -crop.y, width - crop.x, height - crop.y]) * scale
        inside = np.clip(np.ceil(inside[:2]).tolist() + np.floor(inside[2:]).tolist(), 0, [crop.width, crop.height] * 2).astype(int)
        masks = (cv2.imread(str(writer.partial / 'masks' / f'{t:06d}.png'), cv2.IMREAD_GRAYSCALE) / 255 for t in range(last - first))
        checked = [(border_contact(mask, inside), mask_agreement(mask, pose)) for mask, pose in zip(masks, crop.pose(clean))]
        contact, agreement = np.mean([c for c, _ in checked], 0), np.array([a for _, a in checked])
        poor = [int(t) for t in np.flatnonzero(agreement < .6)]
        if poor:
            quality.warnings.append(
                f'the mask misses the person in {len(poor)} of {last - first} frames ({describe_frames(poor)}); try another segmentor '
                '(--mask)')
        padding = crop.padding(height, width)
        quality.numbers.update(
            mask_agreement=round(float(np.nanmean(agreement)), 3) if np.isfinite(agreement).any() else None,
            cut_off={side: round(float(c), 3) for side, c in zip(('left', 'top', 'right', 'bottom'), contact)},
            scale=round(crop.scale[1], 3), padding=round(padding, 3))
        for side, share in quality.numbers['cut_off'].items():
            text = f'the person is cut off at the {side} in {share:.0%} of the frames'
            if side != 'bottom' and share > .1 or side == 'bottom' and .1 < share < .9:
                quality.warnings.append(text + (': leaves the frame' if share < .9 else ''))
            elif share >= .9:
                quality.notes.append(text)
        if padding > .1:
            quality.warnings.append(f'{padding:.0%} of the picture lies beyond the video and repeats its border; film with more room')
        if crop.scale[1] > 1.5:
            quality.warnings.append(f'the person is small: the picture is enlarged {crop.scale[1]:.1f} times and will be soft')
        quality.warnings[:0] = [f'source: {p}' for p in self.problems]
        quality.notes += self.reader.notes
        if first or last < len(found['poses']):
            quality.notes.append(f'kept frames {first}..{last - 1} of {len(found["poses"])}: nobody is seen before and after')
        if self.info.variable and self.settings.fps is None:
            quality.notes.append(f'the source has a variable frame rate; made constant at {self.fps:.2f} frames a second')
        if self.settings.fps and self.settings.fps > 1.02 * float(self.reader.fps):
            quality.notes.append(
                f'{self.settings.fps:g} frames a second asked for, the source has {float(self.reader.fps):.2f}: frames repeat')
        return quality

    def _gaps(self, times: np.ndarray, first: int) -> list[int]:
        """Frames of the clip before which the source misses frames."""
        if self.rate is None:
            steps = np.diff(times)
            return [int(t) + 1 for t in np.flatnonzero(steps > 1.5 * np.median(steps))] if len(steps) else []
        if not self.info.gaps:
            return []
        at = self.reader.times()[list(self.info.gaps)]
        return sorted({int(t) for t in np.searchsorted(times, at - 1e-4) if 0 < t < len(times)})


def prepare_video(
        path: str | Path, out_dir: str | Path, pose_estimator, edge_detector, segmentor, height: int = 384, width: int = 256, *,
        name: str | None = None, unique: bool = False, person: str = 'person', action: str | None = None, overwrite: bool = False,
        progress: Callable[[str, int, int], None] | None = None, part_options: dict[str, dict] | None = None, **settings) -> Clip:
    """Make a prepared clip of a video, an animated GIF or a folder of pictures.

    A finished clip made of the same file with the same settings is returned as it is; an interrupted one is continued.

    Args:
        path: the video.
        out_dir: folder of clips; the clip becomes a folder in it.
        pose_estimator: frames (T, H, W, 3) uint8 -> poses (T, 18, 3); may have ``num_people(frames) -> (T,)``. Frames longer than 1024
            pixels are made smaller before. One with ``people_of_frames`` (see
            :class:`toolkit.poses.keypoint_files.KeypointFiles`) is asked for the poses of source frames instead.
        edge_detector: frames -> (T, H, W) in [0, 1].
        segmentor: (frames, poses) -> (T, H, W) in [0, 1].
        height, width: size of the clip.
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
    name = name or clip_name(path)
    preparation = Preparation(
        path, Path(out_dir) / check_name(name), pose_estimator, edge_detector, segmentor, options, person, action or name, overwrite,
        progress or (lambda stage, done, total: None), part_options or {})
    return preparation.run(unique)


def clip_target(path: str | Path, out_dir: str | Path, name: str) -> Path:
    """Folder of the clip that is made of a video, after a look at what could go wrong there; nothing is changed.

    Args:
        path: the video.
        out_dir: folder of clips.
        name: of the clip.

    Raises:
        InputError: a name that is no plain part of a path, or a folder that is, holds or lies in the source.
    """
    folder = Path(out_dir) / check_name(name)
    refuse_inputs([folder, partial_folder(folder)], [path])
    return folder


def _difference(a: np.ndarray | None, b: np.ndarray) -> float:
    """Mean absolute difference of two frames made small, in gray levels."""
    if a is None:
        return np.inf
    a, b = (cv2.resize(f, (128, 128), interpolation=cv2.INTER_AREA).astype(np.int16) for f in (a, b))
    return float(np.abs(a - b).mean())
