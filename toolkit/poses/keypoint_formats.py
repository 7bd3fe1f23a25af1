"""What other programs write: JSON files with keypoints -> detections by frame number."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.poses.frame_numbers import numbers_of_names
from toolkit.structures import InputError

POSE_KEYS = ('pose_keypoints_2d', 'pose_keypoints')


@dataclass
class Detection:
    """One person of one frame, as written.

    Attributes:
        keypoints: (J, 3) float32, x, y, confidence in [0, 1], in whatever unit the file has.
        where: file and entry, for messages.
    """

    keypoints: np.ndarray
    where: str


@dataclass
class Detections:
    """All people of a clip.

    Attributes:
        frames: frame number -> people; an empty list is a frame that is named and has nobody.
        numbered: the numbers come from names or ids; else they are positions, from 0.
        complete: the program writes something for each frame, so that where nothing is at the end it was not run.
    """

    frames: dict[int, list[Detection]] = field(default_factory=dict)
    numbered: bool = True
    complete: bool = True


def read_folder(path: Path) -> Detections:
    """A folder of JSON files, one a frame (OpenPose).

    Raises:
        InputError: no such files, unreadable, or names without numbers.
    """
    files = sorted(path.glob('*.json'))
    if not files:
        raise InputError(f'{path}: no JSON files in this folder, expected one a frame as OpenPose writes them')
    numbers = numbers_of_names([file.name for file in files], str(path))
    return Detections({number: list(_people(read_json(file), str(file))) for number, file in zip(numbers, files)})


def read_file(path: Path) -> Detections:
    """One JSON file for the clip: COCO results or annotations, AlphaPose.

    Raises:
        InputError: unreadable, or not one of these formats.
    """
    content = read_json(path)
    if isinstance(content, dict) and 'annotations' in content:
        return _coco(content['annotations'], content.get('images'), str(path))
    if isinstance(content, list):
        return _coco(content, None, str(path))
    raise InputError(f'{path}: neither a list of results nor an object with "annotations"')


def read_json(file: Path):
    """The content of a JSON file.

    Raises:
        InputError: not a file, not readable, not JSON.
    """
    try:
        if not file.is_file():
            raise InputError(f'{file}: not a regular file')
        return json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise error if isinstance(error, InputError) else InputError(f'{file}: cannot be read as JSON ({error})') from error


def triples(values, where: str) -> np.ndarray | None:
    """Flat or nested list of x, y, confidence -> (J, 3) float32; None for an empty one.

    COCO's visibility flags 1 and 2 count as confidence 1.

    Raises:
        InputError: not finite numbers, or not three for each joint.
    """
    try:
        flat = np.asarray([] if values is None else values, np.float32).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'{where}: keypoints are not numbers ({error})') from error
    if flat.size % 3:
        raise InputError(f'{where}: {flat.size} numbers, expected x, y, confidence for each joint')
    if not np.isfinite(flat).all():
        raise InputError(f'{where}: keypoints are not all finite; write missing joints as 0, 0, 0')
    joints = flat.reshape(-1, 3).copy()
    joints[:, 2] = np.clip(joints[:, 2], 0, 1)
    return joints if len(joints) else None


def _people(content, where: str) -> Iterable[Detection]:
    if not isinstance(content, dict) or not isinstance(content.get('people'), list):
        raise InputError(f'{where}: no list "people", expected a file as OpenPose writes it')
    for i, entry in enumerate(content['people']):
        here = f'{where}: people[{i}]'
        if not isinstance(entry, dict) or not any('keypoints' in key for key in entry):
            raise InputError(f'{here} has no "{POSE_KEYS[0]}"')
        joints = triples(next((entry[key] for key in POSE_KEYS if key in entry), None), f'{here}.{POSE_KEYS[0]}')
        if joints is not None:
            yield Detection(joints, here)


def _coco(results, images, where: str) -> Detections:
    if not isinstance(results, list):
        raise InputError(f'{where}: neither a list of results nor an object with "annotations"')
    for i, result in enumerate(results):
        if not isinstance(result, dict) or 'image_id' not in result or 'keypoints' not in result:
            raise InputError(f'{where}: entry {i} has no "image_id" or no "keypoints"')
        if not _is_id(result['image_id']):
            raise InputError(f'{where}: entry {i} has image_id {str(result["image_id"])[:40]!r}, expected a number or a name')
    number_of = _image_numbers(images, where) if images else _id_numbers({r['image_id'] for r in results}, where)
    frames = {number: [] for number in number_of.values()}
    for i, result in enumerate(results):
        here = f'{where}: entry {i}'
        if result['image_id'] not in number_of:
            raise InputError(f'{here}: image_id {result["image_id"]!r} is not among the images')
        joints = triples(result['keypoints'], here)
        if joints is not None:
            frames[number_of[result['image_id']]].append(Detection(joints, here))
    return Detections(frames, complete=bool(images))


def _is_id(value) -> bool:
    return isinstance(value, str) or isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _id_numbers(ids: set, where: str) -> dict:
    names = [i for i in ids if isinstance(i, str)]
    if names and len(names) < len(ids):
        raise InputError(f'{where}: some image_id are numbers and some are names; expected one kind')
    return dict(zip(names, numbers_of_names(names, where))) if names else {i: i for i in ids}


def _image_numbers(images, where: str) -> dict:
    """Image id -> frame number, by the files' names if all have one."""
    if not isinstance(images, list) or not all(isinstance(image, dict) and _is_id(image.get('id')) for image in images):
        raise InputError(f'{where}: "images" is no list of objects with an "id"')
    ids = [image['id'] for image in images]
    if len(set(ids)) < len(ids):
        raise InputError(f'{where}: two images have one "id"')
    names = [image['file_name'] for image in images if isinstance(image.get('file_name'), str)]
    return dict(zip(ids, numbers_of_names(names, where))) if len(names) == len(ids) else _id_numbers(set(ids), where)
