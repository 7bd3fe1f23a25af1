"""Poses from files that another program made: OpenPose JSON folders, COCO-style JSON, npz."""

import json
from pathlib import Path

import numpy as np

from toolkit.poses.decode import Person, count_people, follow_person
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import LAYOUTS, to_openpose18
from toolkit.structures import InputError

JOINTS_TO_LAYOUT = {len(names): layout for layout, names in LAYOUTS.items()}
OPENPOSE_KEYS = ('pose_keypoints_2d', 'pose_keypoints')
OPENPOSE_LAYOUTS = {18: 'openpose18', 25: 'body25'}


@POSE_ESTIMATORS.register_module()
class KeypointFiles:
    """Poses of one clip, read from files instead of estimated.

    Formats, told apart by what ``path`` is:

    * a folder of OpenPose JSON files, one a frame in order of their names (``people[].pose_keypoints_2d``, 18 or 25 joints);
    * a ``.json`` file in COCO's style: a list of results, or an object with ``annotations`` (``image_id``, ``keypoints`` of 17 joints);
      frames in order of the object's ``images`` by file name if it has them, else of ``image_id``;
    * a ``.npz`` or ``.npy`` file with an array (T, J, 3) under ``poses`` (or the only array): x, y, confidence.

    Where a frame has several people, the most prominent one of the clip is followed.

    Args:
        path: folder or file.
        layout: keypoint layout, one of :data:`toolkit.skeletons.LAYOUTS`; by default told by the number of joints.
        size: height and width of the pictures the keypoints belong to; if given, they are scaled to the frames' size.

    Raises:
        InputError: nothing there, unreadable, or not one of these formats.
    """

    name = 'keypoint_files'
    version = '1'

    def __init__(self, path: str | Path, layout: str | None = None, size: tuple[int, int] | None = None):
        self.path = Path(path)
        if layout is not None and layout not in LAYOUTS:
            raise InputError(f'unknown keypoint layout {layout!r}, expected one of {sorted(LAYOUTS)}')
        self.layout = layout
        self.size = size
        if self.path.is_dir():
            self.people = self._read_openpose()
        elif self.path.suffix == '.json' and self.path.is_file():
            self.people = self._read_coco()
        elif self.path.suffix in ('.npz', '.npy') and self.path.is_file():
            self.people = self._read_array()
        else:
            raise InputError(f'{self.path}: no folder of OpenPose JSON files and no .json, .npz or .npy file')

    def __len__(self) -> int:
        """Number of frames the files tell of."""
        return len(self.people)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Give the poses that belong to all frames of the clip.

        Args:
            frames: (T, H, W, 3) uint8 RGB; only their number and size are looked at.

        Returns:
            (T, 18, 3) float32 in pixels of the frames.

        Raises:
            InputError: the files tell of another number of frames.
        """
        self._check_length(frames)
        poses = follow_person(self.people)
        if self.size is not None:
            found = poses[..., 2:] > 0
            scale = np.array([frames.shape[2] / self.size[1], frames.shape[1] / self.size[0]])
            poses[..., :2] = np.where(found, (poses[..., :2] + 0.5) * scale - 0.5, 0)
        return poses

    def num_people(self, frames: np.ndarray) -> np.ndarray:
        """How many people each frame has for certain, (T,) int."""
        self._check_length(frames)
        return np.array([count_people(people) for people in self.people], int)

    def _check_length(self, frames: np.ndarray) -> None:
        if len(frames) != len(self.people):
            raise InputError(
                f'{self.path}: keypoints of {len(self.people)} frames, but the clip has {len(frames)}; give the files of this clip')

    def _person(self, keypoints: np.ndarray, where: str, layout: str | None = None) -> Person | None:
        """Check and convert one person's keypoints (J, 3)."""
        layout = self.layout or layout or JOINTS_TO_LAYOUT.get(len(keypoints))
        if layout is None or keypoints.shape != (len(LAYOUTS[layout]), 3):
            expected = len(LAYOUTS[layout]) if layout else f'one of {sorted(JOINTS_TO_LAYOUT)}'
            raise InputError(f'{where}: keypoints of shape {keypoints.shape}, expected ({expected}, 3) of x, y, confidence')
        if not np.isfinite(keypoints).all():
            raise InputError(f'{where}: keypoints are not all finite; write missing joints as 0, 0, 0')
        pose = to_openpose18(keypoints, layout)
        return Person(pose, float(pose[:, 2].sum())) if (pose[:, 2] > 0).any() else None

    def _read_openpose(self) -> list[list[Person]]:
        files = sorted(self.path.glob('*.json'))
        if not files:
            raise InputError(f'{self.path}: no JSON files in this folder, expected one a frame as OpenPose writes them')
        people = []
        for file in files:
            content = _read_json(file)
            if not isinstance(content, dict) or not isinstance(content.get('people'), list):
                raise InputError(f'{file}: no list "people", expected a file as OpenPose writes it')
            persons = []
            for i, entry in enumerate(content['people']):
                key = next((k for k in OPENPOSE_KEYS if k in entry), None)
                if key is None:
                    raise InputError(f'{file}: people[{i}] has no "{OPENPOSE_KEYS[0]}"')
                keypoints = _triples(entry[key], f'{file}: people[{i}].{key}')
                persons.append(self._person(keypoints, f'{file}: people[{i}].{key}', OPENPOSE_LAYOUTS.get(len(keypoints))))
            people.append([p for p in persons if p is not None])
        return people

    def _read_coco(self) -> list[list[Person]]:
        content = _read_json(self.path)
        results = content.get('annotations') if isinstance(content, dict) else content
        if not isinstance(results, list):
            raise InputError(f'{self.path}: neither a list of results nor an object with "annotations"')
        for i, result in enumerate(results):
            if not isinstance(result, dict) or 'image_id' not in result or 'keypoints' not in result:
                raise InputError(f'{self.path}: entry {i} has no "image_id" or no "keypoints"')
        images = content.get('images') if isinstance(content, dict) else None
        if images:
            order = [image['id'] for image in sorted(images, key=lambda image: image.get('file_name', ''))]
        else:
            ids = {result['image_id'] for result in results}
            if all(isinstance(i, int) for i in ids) and ids:
                order = list(range(min(ids), max(ids) + 1))
            else:
                order = sorted(ids, key=str)
        people = {image_id: [] for image_id in order}
        for i, result in enumerate(results):
            where = f'{self.path}: entry {i}'
            if result['image_id'] not in people:
                raise InputError(f'{where}: image_id {result["image_id"]!r} is not among the images')
            person = self._person(_triples(result['keypoints'], where), where)
            if person is not None:
                people[result['image_id']].append(person)
        return [people[image_id] for image_id in order]

    def _read_array(self) -> list[list[Person]]:
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
        people = [self._person(pose.astype(np.float32), f'{self.path}: frame {t}') for t, pose in enumerate(poses)]
        return [[] if person is None else [person] for person in people]


def _read_json(file: Path):
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(f'{file}: cannot be read as JSON ({error})') from error


def _triples(values, where: str) -> np.ndarray:
    """Flat list of x, y, confidence -> (J, 3). COCO's visibility flags 1 and 2 count as confidence 1."""
    try:
        flat = np.asarray(values, np.float32).ravel()
    except (TypeError, ValueError) as error:
        raise InputError(f'{where}: keypoints are not numbers ({error})') from error
    if flat.size == 0 or flat.size % 3:
        raise InputError(f'{where}: {flat.size} numbers, expected x, y, confidence for each joint')
    triples = flat.reshape(-1, 3).copy()
    triples[:, 2] = np.clip(triples[:, 2], 0, 1)
    return triples
