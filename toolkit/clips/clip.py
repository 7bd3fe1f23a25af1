"""The prepared clip: one folder with frames, poses, edges, masks, part labels and a manifest; reading and atomic writing.

::

    <clip>/manifest.json   format, name, person, action, num_frames, height, width, fps, frame_format, source, made_by, report, truth
           poses.npz       'poses' (T, 18, 3) float32 in pixels of the frames; more arrays may stand beside it
           frames/000000.png|jpg   RGB
           edges/000000.png        8 bit gray, 255 = edge
           masks/000000.png        8 bit gray, 255 = person
           parts/000000.png        8 bit labels 0..10
           added/NAME.000000.png   8 bit pictures of added fields (where a plugin stores some)
           source.jpg              a picture of the source with the crop drawn in (prepared videos only)
           sound.mka               the sound that belongs to the frames (prepared videos with sound only)
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from toolkit.clips.checks import (
    AGAIN,
    LONGEST_SIDE,
    MOST_FRAMES,
    check_poses,
    check_said,
    field_channels,
    frame_rate,
    read_array,
    read_picture_of,
    shortened,
    text,
    whole_number,
)
from toolkit.clips.folder import (
    ADDED,
    FORMAT,
    KINDS,
    SCENE_FILE,
    SOUND_FILE,
    check_clip_folder,
    is_of_others,
    partial_folder,
    put_in_place,
    start_partial,
    tidy_partial,
)
from toolkit.doors import read_bytes, read_json
from toolkit.files import make_folder, replacing, write_file, write_json, writing_error
from toolkit.outputs import check_name
from toolkit.skeletons import JOINTS, PARTS, K
from toolkit.structures import InputError

ENCODING = {
    'png': [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE],
    'jpg': [cv2.IMWRITE_JPEG_QUALITY, 95]}


class Clip:
    """A prepared clip on disk. Nothing but the manifest is read until it is asked for.

    Args:
        folder: the clip's folder.
        root: the folder of clips that it is in, or itself.

    Attributes:
        manifest: the manifest as a dict.
        fields: name -> channels of the added fields that are stored in it.
        key: its folder relative to ``root``, with ``/``: no two clips of a root have the same.
        name, person, action, fps, height, width: from the manifest.

    Raises:
        InputError: no or damaged manifest, another format, or a value that cannot be.
    """

    def __init__(self, folder: str | Path, root: str | Path | None = None):
        self.folder = Path(folder)
        inside = root is not None and Path(root) != self.folder
        self.key = self.folder.relative_to(root).as_posix() if inside else self.folder.resolve().name
        path = self.folder / 'manifest.json'
        self.manifest = read_json(path, AGAIN)
        if not isinstance(self.manifest, dict) or self.manifest.get('format') != FORMAT:
            raise InputError(f'{path}: not the manifest of a prepared clip of format {FORMAT}')
        try:
            self.name, self.person, self.action = (text(path, self.manifest, key) for key in ('name', 'person', 'action'))
            self.height, self.width = (whole_number(path, self.manifest, key, LONGEST_SIDE) for key in ('height', 'width'))
            self.fps, self._length = frame_rate(path, self.manifest), whole_number(path, self.manifest, 'num_frames', MOST_FRAMES)
            self._suffix, self.fields = self.manifest['frame_format'], field_channels(path, self.manifest)
        except KeyError as error:
            raise InputError(f'{path}: the key {error} is missing; prepare the clip again') from error
        if self._suffix not in list(ENCODING):
            raise InputError(f'{path}: frame_format is {shortened(self._suffix)}, expected one of {", ".join(sorted(ENCODING))}')
        self._poses = None

    def __repr__(self) -> str:
        return f'Clip({self.name!r}, {self._length} frames of {self.height}x{self.width}, {self.person!r} does {self.action!r})'

    def __len__(self) -> int:
        return self._length

    def state(self) -> str:
        """A hash of the manifest and of names, sizes and times of all files: another one where the clip was changed or made anew.

        What the toolkit itself finds in the clip and keeps there does not count, nor do hidden files.
        """
        digest = hashlib.sha256(read_bytes(self.folder / 'manifest.json'))
        for folder in (self.folder, *(self.folder / kind for kind in (*KINDS, *([ADDED] if self.fields else [])))):
            try:
                files = [e for e in os.scandir(folder) if e.name != SCENE_FILE and not e.name.startswith('.') and e.is_file()]
                entries = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in files)
            except OSError as error:
                raise InputError(f'{folder}: cannot be read ({error.strerror}); prepare the clip again') from error
            digest.update(repr(entries).encode())
        return digest.hexdigest()

    def check_whole(self) -> None:
        """See that all pictures are there and that the poses are usable, without decoding a picture.

        Raises:
            InputError: names the first file that is missing, or what is wrong with the poses.
        """
        for kind in (*KINDS, *self.fields):
            folder = picture_path(self.folder, kind, 0, self._suffix).parent
            try:
                there = set(os.listdir(folder))
            except OSError as error:
                raise InputError(f'{folder}: cannot be read ({error.strerror}); prepare the clip again') from error
            names = (picture_name(kind, t, self._suffix) for t in range(self._length))
            missing = [name for name in names if name not in there]
            if missing:
                raise InputError(f'{folder / missing[0]}: no such file, and {len(missing) - 1} more of {self._length} are missing; '
                                 'prepare the clip again')
        self._checked_poses()

    @property
    def poses(self) -> np.ndarray:
        """(T, 18, 3) float32, in pixels of the frames."""
        return self._checked_poses()

    def _checked_poses(self) -> np.ndarray:
        if self._poses is None:
            path, poses = self.folder / 'poses.npz', self.array('poses')
            if poses.shape != (self._length, K, 3):
                raise InputError(f'{path}: poses are {poses.shape}, expected {(self._length, K, 3)}')
            check_poses(path, poses, JOINTS)
            self._poses = poses.astype(np.float32)
        return self._poses

    def array(self, name: str) -> np.ndarray:
        """An array of ``poses.npz``; prepared videos also have ``raw`` (poses before cleaning) and ``times`` (seconds)."""
        return read_array(self.folder / 'poses.npz', name, self._length * K * 3)

    def _read(self, kind: str, t: int, color: bool) -> np.ndarray:
        if not -self._length <= t < self._length:
            raise IndexError(f'clip {self.name} has frames 0..{self._length - 1}, not {t}')
        return read_picture_of(picture_path(self.folder, kind, t % self._length, self._suffix), self.height, self.width, color)

    def picture(self, kind: str, t: int) -> np.ndarray:
        """A stored picture of frame ``t`` in the form of a sample, see :mod:`toolkit.fields`.

        Args:
            kind: field, 'frames', 'edges', 'masks' or 'parts', or one of :attr:`fields`.
            t: number of the frame.
        """
        if kind in self.fields:
            picture = self._read(kind, t, color=self.fields[kind] > 1)
            return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return dict(frames=self.frame, edges=self.edge_u8, masks=self.mask_u8, parts=self.parts)[kind](t)

    def frame(self, t: int) -> np.ndarray:
        """Frame ``t``, (H, W, 3) uint8 RGB."""
        image = self._read('frames', t, color=True)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)

    def edge_u8(self, t: int) -> np.ndarray:
        """Edge map as stored, (H, W) uint8, 255 = edge."""
        return self._read('edges', t, color=False)

    def mask_u8(self, t: int) -> np.ndarray:
        """Person mask as stored, (H, W) uint8, 255 = person."""
        return self._read('masks', t, color=False)

    def edge(self, t: int) -> np.ndarray:
        """Edge map, (H, W) float32 in [0, 1]."""
        return self.edge_u8(t).astype(np.float32) / 255

    def mask(self, t: int) -> np.ndarray:
        """Person mask, (H, W) float32 in [0, 1]."""
        return self.mask_u8(t).astype(np.float32) / 255

    def parts(self, t: int) -> np.ndarray:
        """Part labels, (H, W) uint8 in 0..10."""
        labels = self._read('parts', t, color=False)
        if labels.max() > len(PARTS):
            raise InputError(f'{self.folder / "parts"}: frame {t} has the label {labels.max()}, expected 0 to {len(PARTS)}; prepare '
                             'the clip again')
        return labels

    def frames(self, indices: Iterable[int] | None = None) -> np.ndarray:
        """Several frames (all by default), (T, H, W, 3) uint8 RGB."""
        indices = range(self._length) if indices is None else list(indices)
        out = np.empty((len(indices), self.height, self.width, 3), np.uint8)
        for i, t in enumerate(indices):
            out[i] = self.frame(t)
        return out


class ClipWriter:
    """Writes a prepared clip, frame by frame, into :func:`partial_folder`; :meth:`finish` renames it to ``folder``.

    A writer started again with the same settings goes on after the last complete frame (:attr:`num_frames`), with others it starts
    over. Where several processes might make the same clip, hold :func:`toolkit.clips.folder.clip_lock`. A folder that is no
    prepared clip, or holds other files too, is never replaced.

    Args:
        folder: the clip's folder to be.
        name, person, action: who does what.
        height, width: size of the frames.
        fps: frames per second.
        frame_format: 'png' (lossless) or 'jpg' (quality 95).
        key: anything JSON can hold that must be equal for a partial clip to be continued, such as a hash of source and settings.
        overwrite: replace a finished clip of that name when finishing.
        fields: name -> channels, 1 or 3, of added fields that are stored, too.

    Raises:
        InputError: the clip exists already, something else is in the way, the folder is not writable, the disk is full, person or
            action is empty.
    """

    def __init__(self, folder: str | Path, name: str, person: str, action: str, height: int, width: int, fps: float,
                 frame_format: str = 'png', key=None, overwrite: bool = False, fields: Mapping[str, int] | None = None):
        if frame_format not in ENCODING:
            raise InputError(f'frame_format must be one of {sorted(ENCODING)}, got {frame_format!r}')
        self.folder, self._overwrite = Path(folder), overwrite
        check_name(name, f'{folder}: name')
        check_said(self.folder, person=person, action=action)
        tidy_partial(self.folder)
        check_clip_folder(self.folder, overwrite)
        self.partial = partial_folder(self.folder)
        self._head = dict(
            format=FORMAT, name=name, person=person, action=action, height=int(height), width=int(width), fps=float(fps),
            frame_format=frame_format, **(dict(fields=dict(fields)) if fields else {}))
        self._kinds = (*KINDS, *(fields or ()))
        start_partial(self.folder)
        head_file, self._pose_file = self.partial / 'head.json', self.partial / 'poses.raw'
        head = dict(self._head, key=key)
        if not head_file.exists() or read_json(head_file) != head:
            self._clear()
            write_json(head_file, head, lasting=True)
        for kind in self._kinds:
            make_folder(self._path(kind, 0).parent)
        self.num_frames = self._count_done()
        with open(self._pose_file, 'ab') as file:
            file.truncate(self.num_frames * K * 3 * 4)

    def _clear(self) -> None:
        for kind in (*KINDS, ADDED):
            shutil.rmtree(self.partial / kind, ignore_errors=True)
        for file in (self._pose_file, self.partial / SOUND_FILE):
            file.unlink(missing_ok=True)

    def _path(self, kind: str, t: int) -> Path:
        return picture_path(self.partial, kind, t, self._head['frame_format'])

    def _count_done(self) -> int:
        rows = self._pose_file.stat().st_size // (K * 3 * 4) if self._pose_file.exists() else 0
        return next((t for t in range(rows) if not all(_has_content(self._path(kind, t)) for kind in self._kinds)), rows)

    def add(self, frame: np.ndarray, pose: np.ndarray, edge: np.ndarray, mask: np.ndarray, parts: np.ndarray,
            **added: np.ndarray) -> None:
        """Append one frame.

        Args:
            frame: (H, W, 3) uint8 RGB.
            pose: (18, 3) in pixels of the frame.
            edge, mask: (H, W) float in [0, 1].
            parts: (H, W) uint8 labels 0..10.
            added: (H, W) or RGB (H, W, 3) uint8 of each added field.

        Raises:
            ValueError: a wrong shape.
            InputError: disk full or not writable; all complete frames are kept.
        """
        size = (self._head['height'], self._head['width'])
        for what, array, shape in (('frame', frame, (*size, 3)), ('edge', edge, size), ('mask', mask, size), ('parts', parts, size)):
            if array.shape != shape:
                raise ValueError(f'{self.folder.name}, frame {self.num_frames}: {what} must be {shape}, got {array.shape}')
        images = dict(frames=frame, edges=to_u8(edge), masks=to_u8(mask), parts=parts, **added)
        for kind, image in images.items():
            path, image = self._path(kind, self.num_frames), image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            write_file(path, cv2.imencode(path.suffix, image, ENCODING[path.suffix[1:]])[1].tobytes())
        row = np.ascontiguousarray(pose, np.float32).reshape(K * 3).tobytes()
        try:
            with open(self._pose_file, 'r+b') as file:
                file.seek(self.num_frames * len(row))
                file.write(row)
        except OSError as error:
            raise writing_error(self._pose_file, error) from error
        self.num_frames += 1

    def poses(self) -> np.ndarray:
        """Poses added so far, (T, 18, 3) float32."""
        return np.fromfile(self._pose_file, np.float32).reshape(-1, K, 3)

    def finish(self, arrays: dict[str, np.ndarray] | None = None, **manifest) -> Clip:
        """Write poses and manifest and give the clip its name.

        Args:
            arrays: more arrays for ``poses.npz``.
            manifest: entries of the manifest (source, made_by, report, truth, ...).
        """
        if not self.num_frames:
            raise InputError(f'{self.folder}: no frame was added, a clip needs at least one')
        check_clip_folder(self.folder, self._overwrite)
        path = self.partial / 'poses.npz'
        try:
            with replacing(path) as file:
                np.savez(file, poses=self.poses(), **(arrays or {}))
        except OSError as error:
            raise writing_error(path, error) from error
        write_json(self.partial / 'manifest.json', {**self._head, 'num_frames': self.num_frames, **manifest})
        put_in_place(self.folder)
        return Clip(self.folder)


def _has_content(path: Path) -> bool:
    """Whether a file is there that is not empty, as a power cut may leave it."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def picture_path(folder: Path, kind: str, t: int, suffix: str) -> Path:
    """Where picture ``t`` of a kind, or of an added field, is in the folder of a clip whose frames end in ``suffix``."""
    return folder / (kind if kind in KINDS else ADDED) / picture_name(kind, t, suffix)


def picture_name(kind: str, t: int, suffix: str) -> str:
    """Name of that file. Where all frames of many clips are looked for, paths would take most of the time."""
    return f'{t:06d}.{suffix if kind == "frames" else "png"}' if kind in KINDS else f'{kind}.{t:06d}.png'


def to_u8(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as they are stored, 0..255."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def find_clips(root: str | Path, broken: dict[str, str] | None = None) -> list[Clip]:
    """All prepared clips in ``root`` (which may be a clip itself) and its folders, sorted by name; unfinished ones are left out.

    Links are followed; a folder that several lead to counts once. A ``manifest.json`` of another program is no clip.

    Args:
        root: the folder.
        broken: takes folder -> what is wrong of clips that cannot be used, in place of an error.

    Raises:
        InputError: a folder that cannot be read, or a clip that cannot be used.
    """
    found, seen = [], set()

    def unreadable(error: OSError) -> None:
        if os.path.lexists(root):
            raise InputError(f'{error.filename}: cannot be read ({error.strerror}), so clips in it would be missed; check permissions')

    for folder, names, files in os.walk(root, onerror=unreadable, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:
            names.clear()
            continue
        seen.add(place)
        if 'manifest.json' in files:
            try:
                found.append(Clip(folder, root))
                names.clear()
            except InputError as error:
                if not is_of_others(folder):
                    names.clear()
                    if broken is None:
                        raise
                    broken[str(folder)] = str(error)
        names[:] = sorted(n for n in names if not n.startswith('.'))
    return sorted(found, key=lambda clip: (clip.name, clip.key))
