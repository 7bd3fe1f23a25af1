"""Poses from files that another program made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.poses.decode import Person, count_people, follow_person
from toolkit.poses.frame_numbers import first_number
from toolkit.poses.keypoint_formats import Detection, Detections, read_file, read_folder
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import LAYOUTS, to_openpose18
from toolkit.structures import InputError

JOINTS_TO_LAYOUT = {len(names): layout for layout, names in LAYOUTS.items()}


@POSE_ESTIMATORS.register_module()
class KeypointFiles:
    """Poses of one video, read from files instead of estimated.

    The files tell of the frames of the *source*, by the numbers in their names or ids; which of them become frames of the clip does
    not matter. Formats, told apart by what ``path`` is:

    * a folder of JSON files, one a frame with its number in the name (OpenPose: ``people[].pose_keypoints_2d``);
    * a ``.json`` file: COCO's list of results, or an object with ``annotations``, AlphaPose (``image_id`` is a number, or a name with
      the frame's number in it; if there are ``images`` with ``file_name``, those names count). A frame without results has nobody;
    * a ``.npz`` or ``.npy`` file with an array (T, J, 3) under ``poses`` (or the only array): x, y, confidence of each source frame.

    Whether numbers count from 0 or 1 is decided by :func:`toolkit.poses.frame_numbers.first_number`. Where a frame has several people,
    the most prominent one of the clip is followed.

    Args:
        path: folder or file.
        layout: keypoint layout, one of :data:`toolkit.skeletons.LAYOUTS`; by default told by the number of joints.
        size: height and width of the pictures the keypoints belong to; if given, they are scaled to the frames' size.
        first: number that the first frame of the source has in the files, where they do not tell.

    Raises:
        InputError: nothing there, unreadable, or not one of these formats.
    """

    name = 'keypoint_files'
    version = '2'

    def __init__(self, path: str | Path, layout: str | None = None, size: tuple[int, int] | None = None, first: int | None = None):
        self.path = Path(path)
        if layout is not None and layout not in LAYOUTS:
            raise InputError(f'unknown keypoint layout {layout!r}, expected one of {sorted(LAYOUTS)}')
        self.layout, self.size, self.first = layout, size, first
        if self.path.is_dir():
            read = read_folder(self.path)
        elif self.path.suffix == '.json' and self.path.is_file():
            read = read_file(self.path)
        elif self.path.suffix in ('.npz', '.npy') and self.path.is_file():
            read = self._read_array()
        else:
            raise InputError(f'{self.path}: no folder of JSON files and no .json, .npz or .npy file')
        if not read.frames:
            raise InputError(f'{self.path}: holds no results')
        self.numbered, self.complete = read.numbered, read.complete
        self.people = {n: [p for p in map(self._person, people) if p is not None] for n, people in read.frames.items()}

    def people_of_frames(self, indices: Sequence[int], size: tuple[int, int], total: int) -> list[list[Person]]:
        """Everybody in each of some frames of the source.

        Args:
            indices: numbers of source frames, from 0.
            size: height and width of the source's frames.
            total: how many frames the source has.

        Returns:
            For each index the people there, in pixels of the source.

        Raises:
            InputError: the files belong to another number of frames, or do not reach as far.
        """
        first, last = self._first(total), max(self.people)
        missing = [i for i in indices if i + first > last]
        if missing and self.complete:
            raise InputError(
                f'{self.path}: keypoints end at frame {last - first}, but frames up to {max(missing)} of {total} are used; give the '
                'results of this whole video, or choose a shorter stretch')
        return [[self._scaled(person, size) for person in self.people.get(i + first, ())] for i in indices]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Give the poses that belong to all frames of a video.

        Args:
            frames: (T, H, W, 3) uint8 RGB; only their number and size are looked at.

        Returns:
            (T, 18, 3) float32 in pixels of the frames.

        Raises:
            InputError: the files tell of another number of frames.
        """
        return follow_person(self._all(frames))

    def num_people(self, frames: np.ndarray) -> np.ndarray:
        """How many people each frame has for certain, (T,) int."""
        return np.array([count_people(people) for people in self._all(frames)], int)

    def _all(self, frames: np.ndarray) -> list[list[Person]]:
        return self.people_of_frames(range(len(frames)), frames.shape[1:3], len(frames))

    def _first(self, total: int) -> int:
        if not self.numbered and len(self.people) != total:
            raise InputError(
                f'{self.path}: keypoints of {len(self.people)} frames, but the video has {total}; give the files of this whole video')
        if not self.numbered:
            return 0
        if self.first is None:
            return first_number(list(self.people), total, str(self.path))
        low, high = min(self.people) - self.first, max(self.people) - self.first
        if low < 0 or high >= total:
            raise InputError(
                f'{self.path}: numbers {min(self.people)}..{max(self.people)} from first={self.first} on are frames {low}..{high}, '
                f'the video has frames 0..{total - 1}')
        return self.first

    def _scaled(self, person: Person, size: tuple[int, int]) -> Person:
        if self.size is None:
            return person
        pose = person.pose.copy()
        found = pose[:, 2:] > 0
        scale = np.array([size[1] / self.size[1], size[0] / self.size[0]])
        pose[:, :2] = np.where(found, (pose[:, :2] + 0.5) * scale - 0.5, 0)
        return Person(pose, person.score)

    def _person(self, detection: Detection) -> Person | None:
        """Check and convert one person's keypoints."""
        keypoints = detection.keypoints
        layout = self.layout or JOINTS_TO_LAYOUT.get(len(keypoints))
        if layout is None or len(keypoints) != len(LAYOUTS[layout]):
            expected = len(LAYOUTS[layout]) if layout else f'one of {sorted(JOINTS_TO_LAYOUT)}'
            raise InputError(f'{detection.where}: keypoints of shape {keypoints.shape}, expected ({expected}, 3) of x, y, confidence')
        pose = to_openpose18(keypoints, layout)
        return Person(pose, float(pose[:, 2].sum())) if (pose[:, 2] > 0).any() else None

    def _read_array(self) -> Detections:
        try:
            content = np.load(self.path, allow_pickle=False)
            arrays = {'poses': content} if isinstance(content, np.ndarray) else dict(content)
        except (OSError, ValueError) as error:
            raise InputError(f'{self.path}: cannot be read as a numpy file of numbers ({error})') from error
        if 'poses' not in arrays and len(arrays) != 1:
            raise InputError(f'{self.path}: arrays {sorted(arrays)}, expected one named "poses"')
        poses = arrays.get('poses', next(iter(arrays.values())))
        if poses.ndim != 3 or poses.shape[-1] != 3 or not np.issubdtype(poses.dtype, np.number):
            raise InputError(f'{self.path}: array of shape {poses.shape} and type {poses.dtype}, expected (frames, joints, 3) numbers')
        frames = {}
        for t, pose in enumerate(poses.astype(np.float32)):
            if not np.isfinite(pose).all():
                raise InputError(f'{self.path}: frame {t}: keypoints are not all finite; write missing joints as 0, 0, 0')
            frames[t] = [Detection(pose, f'{self.path}: frame {t}')]
        return Detections(frames, numbered=False)
