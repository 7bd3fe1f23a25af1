"""Poses from files that another program made."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np

from toolkit.doors import open_regular
from toolkit.poses.array_files import ArrayFile
from toolkit.poses.decode import Person, count_people, follow_person
from toolkit.poses.frame_numbers import first_number, numbers_of_names
from toolkit.poses.keypoint_formats import Detections, read_file, read_folder
from toolkit.poses.keypoint_json import Detection, is_number, short, triples
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import JOINTS, LAYOUTS, scale_points, to_openpose18
from toolkit.structures import InputError

JOINTS_TO_LAYOUT = {len(names): layout for layout, names in LAYOUTS.items()}
UNITS = ('pixels', '0..1', '-1..1')
SMALL = 10.
"""Coordinates are no pixels if none is larger than this and half of them are within 1."""
LOW, DEEP = .05, -.5
"""They are within 0..1 if less than the first share is negative, and within -1..1 if this share is below the second number. Between
lie people in the middle of -1..1, and those who are cut off at the left or at the top of 0..1."""
MIN_NAMED = 8
WEAKEST = .11
"""Least confidence of a joint that is there: preparing leaves out what has not more than 0.1."""


@POSE_ESTIMATORS.register_module()
class KeypointFiles:
    """Poses of one video, read from files instead of estimated.

    The files tell of the frames of the *source*, by the numbers in their names or ids; which of them become frames of the clip does
    not matter. Formats, told apart by what ``path`` is and holds (docs/keypoints.md says which program writes which):

    * a folder of ``.json`` files, one a frame with its number in the name: OpenPose, AlphaPose, MMPose, ComfyUI;
    * a ``.json`` file for the whole video: COCO's results or annotations, AlphaPose, MMPose, ComfyUI;
    * a ``.npz`` or ``.npy`` file with an array (T, J, 3) under ``poses`` (or the only array): x, y, confidence of each source frame.

    Whether numbers count from 0 or 1 is decided by :func:`toolkit.poses.frame_numbers.first_number`. Frames without results have
    nobody. Where a frame has several people, the most prominent one of the clip is followed, by the tracker's ids if there are any.

    Args:
        path: folder or file.
        layout: keypoint layout, one of :data:`toolkit.skeletons.LAYOUTS`; by default told by the number of joints.
        size: height and width of the pictures the keypoints belong to; if given, they are scaled to the frames' size.
        first: number that the first frame of the source has in the files, where they do not tell.
        unit: 'pixels', '0..1' or '-1..1' (of the frame's width and height); by default told by the values.
        threshold: joints of a smaller confidence are missing; all others have at least 0.11 in the poses.

    Raises:
        InputError: nothing there, unreadable, or not one of these formats.
    """

    name = 'keypoint_files'
    version = '3'

    def __init__(self, path: str | Path, layout: str | None = None, size: tuple[int, int] | None = None, first: int | None = None,
                 unit: str | None = None, threshold: float = 0.1):
        if layout is not None and layout not in tuple(LAYOUTS):
            raise InputError(f'unknown keypoint layout {layout!r}, expected one of {sorted(LAYOUTS)}')
        if unit is not None and unit not in UNITS:
            raise InputError(f'unknown unit {unit!r} of keypoints, expected one of {UNITS}')
        if size is not None and not (isinstance(size, Sequence) and len(size) == 2 and all(is_number(n) and 0 < n < 1e6 for n in size)):
            raise InputError(f'size of keypoints must be (height, width) in pixels, got {size!r}')
        if first is not None and (not isinstance(first, int) or isinstance(first, bool)):
            raise InputError(f'first must be the number that the first frame has in the files, got {first!r}')
        if not (is_number(threshold) and 0 <= threshold <= 1):
            raise InputError(f'threshold must be a confidence between 0 and 1, got {threshold!r}')
        self.path = Path(str(path))
        self.layout, self.size, self.first, self.threshold = layout, size, first, threshold
        self.wished_unit, self.joints, self.array, read = unit, None, None, Detections(numbered=False)
        if self.path.is_dir():
            read = read_folder(self.path)
        elif self.path.suffix == '.json' and self.path.is_file():
            read = read_file(self.path)
        elif self.path.suffix in ('.npz', '.npy') and self.path.is_file():
            self.array = self._open_array()
        else:
            raise InputError(f'{self.path}: no folder of JSON files and no .json, .npz or .npy file')
        self.numbered, self.complete, self.joints = read.numbered, read.complete, read.joints
        self.people = self._persons(read.frames)
        if not self.people and self.array is None:
            raise InputError(f'{self.path}: holds no results')
        if first is not None and not self.numbered:
            raise InputError(f'{self.path}: first={first} has no meaning here, the frames in this file have places and no numbers')

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the names and contents of the files, 16 hexadecimal digits.

        Raises:
            InputError: a file cannot be read any more.
        """
        digest = hashlib.sha256()
        try:
            for file in sorted(self.path.glob('*.json')) if self.path.is_dir() else [self.path]:
                digest.update(file.name.encode(errors='surrogateescape') + b'\0')
                with open_regular(file) as stream:
                    while block := stream.read(1 << 20):
                        digest.update(block)
        except OSError as error:
            raise InputError(f'{self.path}: cannot be read ({error.strerror})') from error
        return digest.hexdigest()[:16]

    def people_of_frames(
            self, indices: Sequence[int], size: tuple[int, int], total: int, names: dict[int, str] | None = None) -> list[list[Person]]:
        """Everybody in each of some frames of the source.

        Args:
            indices: numbers of source frames, from 0.
            size: height and width of the source's frames.
            total: how many frames the source has.
            names: if the source is pictures, the file name of each under its index, in order; some indices may be missing. The numbers
                of the keypoints are looked for in these names first.

        Returns:
            For each index the people there, in pixels of the source.

        Raises:
            InputError: the files belong to another number or size of frames, do not reach as far, or do not tell their unit.
        """
        numbers = self._numbers(indices, total, names)
        if not self.people:
            self.people = self._persons(self._read_array())
        last = max(self.people)
        if self.complete and max(numbers, default=0) > last:
            raise InputError(
                f'{self.path}: keypoints end at number {last}, but frames up to number {max(numbers)} are used of the {total} of the '
                'video; give the results of this whole video, or choose a shorter stretch')
        if self.size is None:
            self._check_within(size)
        return [[self._in_pixels(*pair, size) for pair in self.people.get(number, ())] for number in numbers]

    def _check_within(self, size: tuple[int, int]) -> None:
        """Refuse keypoints of a larger picture than the frames, most of which lie beyond these."""
        poses = [self._in_pixels(*pair, size).pose for people in self.people.values() for pair in people]
        points = np.concatenate([pose[pose[:, 2] > 0, :2] for pose in poses]) if poses else np.zeros((1, 2))
        if (~((points > -1) & (points < size[::-1])).all(-1)).mean() > .5:
            x, y = points.max(0)
            raise InputError(
                f'{self.path}: most of the keypoints lie beyond the frames of {size[1]}x{size[0]} (width x height), they reach to '
                f"{x:.5g},{y:.5g} (x,y); give the size of the pictures that they belong to, 'size=(HEIGHT, WIDTH)', or the files of "
                'this video')

    def check_pixels(self, stored: tuple[int, int], shown: tuple[int, int]) -> None:
        """Refuse a video whose pixels are not square, where nothing says which of its two sizes the keypoints belong to.

        Args:
            stored: height and width of its frames as most programs see them.
            shown: the same with square pixels, as here.

        Raises:
            InputError: names both sizes.
        """
        if self.unit == 'pixels' and any(canvas is None for people in self.people.values() for _, canvas in people):
            told = [f"'size=({height}, {width})'" for height, width in (stored, shown)]
            raise InputError(
                f'{self.path}: the pixels of the video are not square, so it is not known whether the keypoints belong to frames of '
                f'{stored[1]}x{stored[0]} as they are stored, or of {shown[1]}x{shown[0]} as they are shown (width x height); give '
                f'{told[0]}, which is right for most programs, or {told[1]}')

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Poses (T, 18, 3) that belong to all frames (T, H, W, 3) of a video, of which only the number and the size are looked at.

        Raises:
            InputError: the files tell of another number of frames.
        """
        return follow_person(self._all(frames))

    def num_people(self, frames: np.ndarray) -> np.ndarray:
        """How many people each frame has for certain, (T,) int."""
        return np.array([count_people(people) for people in self._all(frames)], int)

    def _all(self, frames: np.ndarray) -> list[list[Person]]:
        return self.people_of_frames(range(len(frames)), frames.shape[1:3], len(frames))

    def _numbers(self, indices: Sequence[int], total: int, names: dict[int, str] | None) -> list[int]:
        """The number that each of these source frames has in the files."""
        if names is not None and self.numbered and self.first is None:
            with suppress(InputError):
                known = dict(zip(names, numbers_of_names(list(names.values()), 'pictures')))
                if set(self.people) <= set(known.values()):
                    return [known[i] for i in indices]
        first = self._first(total)
        place = None if names is None else {index: k for k, index in enumerate(names)}
        return [first + (i if place is None else place[i]) for i in indices]

    def _first(self, total: int) -> int:
        if not self.numbered:
            count = len(self.people) if self.array is None else self.array.headers[self.array_name].shape[0]
            if count != total or not count:
                raise InputError(
                    f'{self.path}: keypoints of {count} frames, but the video has {total}; give the files of this whole video')
            return 0
        if self.first is None:
            return first_number(list(self.people), total, str(self.path))
        low, high = min(self.people) - self.first, max(self.people) - self.first
        if low < 0 or high >= total:
            raise InputError(
                f'{self.path}: numbers {min(self.people)}..{max(self.people)} from first={self.first} on are frames {low}..{high}, '
                f'the video has frames 0..{total - 1}')
        return self.first

    def _names(self, count: int, where: str) -> tuple[str, ...]:
        """Names of a person's joints."""
        known = self.joints if self.layout is None else None
        names = known or LAYOUTS.get(self.layout or JOINTS_TO_LAYOUT.get(count))
        if names is None or count != len(names):
            expected = len(names) if names else f'one of {sorted(JOINTS_TO_LAYOUT)}'
            raise InputError(f'{where}: keypoints of shape ({count}, 3), expected ({expected}, 3) of x, y, confidence')
        if known and len(set(known) & set(JOINTS)) < MIN_NAMED:
            raise InputError(f'{self.path}: the joints {short(", ".join(known))} are not those of a human body; give layout=')
        return names

    def _persons(self, frames: dict[int, list[Detection]]) -> dict[int, list[tuple[Person, tuple[float, float] | None]]]:
        return {n: [pair for pair in map(self._person, people) if pair] for n, people in frames.items()}

    def _person(self, detection: Detection) -> tuple[Person, tuple[float, float] | None] | None:
        """Check and convert one person's keypoints; with the size of the picture they belong to, if that is known."""
        keypoints, names = detection.keypoints, self._names(len(detection.keypoints), detection.where)
        pose = to_openpose18(np.where(keypoints[:, 2:] >= self.threshold, keypoints, 0), names)
        found = pose[:, 2] > 0
        pose[found, 2] = np.maximum(pose[found, 2], WEAKEST)
        return (Person(pose, float(pose[:, 2].sum()), detection.id), self.size or detection.canvas) if found.any() else None

    @cached_property
    def unit(self) -> str:
        """Of the coordinates: 'pixels', '0..1' or '-1..1'.

        Raises:
            InputError: fractions that may be either.
        """
        if self.wished_unit is not None:
            return self.wished_unit
        poses = [person.pose for people in self.people.values() for person, _ in people]
        values = np.concatenate([pose[pose[:, 2] > 0, :2] for pose in poses]) if poses else np.zeros((1, 2))
        if np.abs(values).max() > SMALL or np.median(np.abs(values)) > 1:
            return 'pixels'
        low = float(np.quantile(values, LOW))
        if DEEP <= low < 0:
            raise InputError(
                f'{self.path}: the coordinates, {values.min():.2f} to {values.max():.2f}, are fractions of the frame, either 0..1 of '
                'people who reach beyond it, or -1..1; say which, unit=0..1 or unit=-1..1')
        return '-1..1' if low < 0 else '0..1'

    def _in_pixels(self, person: Person, canvas: tuple[float, float] | None, size: tuple[int, int]) -> Person:
        """The person in pixels of a source of this size."""
        pose, (height, width) = person.pose.copy(), size
        points = pose[:, :2]
        if self.unit == '-1..1':
            points = (points + 1) / 2
        if self.unit != 'pixels':
            points = points * (width - 1, height - 1)
        elif canvas is not None:
            points = scale_points(points, (width / canvas[1], height / canvas[0]))
        pose[:, :2] = np.where(pose[:, 2:] > 0, points, 0)
        return Person(pose, person.score, person.id)

    def _open_array(self) -> ArrayFile:
        """The file, its header checked."""
        file = ArrayFile(self.path)
        if 'poses' not in file.headers and len(file.headers) != 1:
            raise InputError(f'{self.path}: arrays {short(sorted(file.headers))}, expected one named "poses"')
        self.array_name = 'poses' if 'poses' in file.headers else next(iter(file.headers))
        shape, dtype = file.headers[self.array_name].shape, file.headers[self.array_name].dtype
        if len(shape) != 3 or shape[-1] != 3 or dtype.kind not in 'fiu':
            raise InputError(f'{self.path}: array of shape {shape} and type {short(dtype)}, expected (frames, joints, 3) numbers')
        self._names(shape[1], f'{self.path}')
        return file

    def _read_array(self) -> dict[int, list[Detection]]:
        frames = {}
        with np.errstate(over='ignore'):
            poses = self.array.read(self.array_name).astype(np.float32)
        for t, pose in enumerate(poses):
            where = f'{self.path}: frame {t}'
            joints = triples(pose, None, where)
            frames[t] = [Detection(joints, where)]
        return frames
