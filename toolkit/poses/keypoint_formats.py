"""The files of other programs -> detections by frame number. What each program writes stands in docs/keypoints.md."""

from dataclasses import dataclass, field
from pathlib import Path

from toolkit.doors import read_json
from toolkit.poses.frame_numbers import name_stem, numbers_of_names
from toolkit.poses.keypoint_json import Detection, canvas_of, people_of_frame, person, short
from toolkit.structures import InputError

KNOWN = 'expected what COCO, AlphaPose, MMPose or ComfyUI write, see docs/keypoints.md'


@dataclass
class Detections:
    """All people of a clip.

    Attributes:
        frames: frame number -> people; an empty list is a frame that is named and has nobody.
        numbered: the numbers come from names or ids; else they are positions, from 0.
        complete: the program writes something for each frame, so that where nothing is at the end it was not run.
        joints: names of the joints, where the file has them.
    """

    frames: dict[int, list[Detection]] = field(default_factory=dict)
    numbered: bool = True
    complete: bool = True
    joints: tuple[str, ...] | None = None


def read_folder(path: Path) -> Detections:
    """A folder of JSON files, one a frame with its number in the name.

    Raises:
        InputError: no such files, unreadable, or names without numbers.
    """
    files = sorted(file for file in path.glob('*.json') if not file.name.startswith('.'))
    if not files:
        raise InputError(f'{path}: no JSON files in this folder, expected one a frame as OpenPose writes them')
    if len(files) == 1 and not any(c.isdigit() for c in name_stem(files[0].name)):
        return Detections({0: list(people_of_frame(read_json(files[0]), str(files[0])))}, numbered=False)
    read = Detections()
    for number, file in zip(numbers_of_names([file.name for file in files], str(path)), files):
        content = read_json(file)
        read.frames[number] = list(people_of_frame(content, str(file)))
        read.complete = read.complete and not _of_alphapose(content)
    return read


def read_file(path: Path) -> Detections:
    """One JSON file for the clip.

    Raises:
        InputError: unreadable, or of no known format.
    """
    content, where = read_json(path), str(path)
    if not isinstance(content, dict):
        return _list(content, where)
    if 'annotations' in content:
        return _coco(_with_keypoints(content['annotations']), content.get('images'), where)
    if 'instance_info' in content:
        read = _list(content['instance_info'], f'{where}: instance_info')
        read.joints = _joint_names(content.get('meta_info'))
        return read
    if isinstance(content.get('predictions'), list):
        return _positions(content['predictions'], f'{where}: predictions')
    if any(key in content for key in ('people', 'bodies', 'instances')):
        return Detections({0: list(people_of_frame(content, where))}, numbered=False)
    if content and all(isinstance(v, dict) and ('people' in v or 'bodies' in v) for v in content.values()):
        names = list(content)
        return Detections({n: list(people_of_frame(content[name], f'{where}: {short(name)}'))
                           for n, name in zip(numbers_of_names(names, where), names)}, complete=False)
    raise InputError(f'{where}: an object with the keys {short(sorted(content))}; {KNOWN}')


def _list(content, where: str) -> Detections:
    if not isinstance(content, list):
        raise InputError(f'{where}: no list; {KNOWN}')
    objects = [entry for entry in content if isinstance(entry, dict)]
    if any('image_id' in entry for entry in objects):
        return _coco(content, None, where)
    if any('frame_id' in entry for entry in objects):
        return _with_frame_ids(content, where)
    if any('predictions' in entry for entry in objects):
        for i, entry in enumerate(content):
            if not isinstance(entry, dict) or not isinstance(entry.get('predictions'), list):
                raise InputError(f'{where}: entry {i} has no list "predictions"')
        return _positions([frame for entry in content for frame in entry['predictions']], where)
    if any('keypoints' in entry for entry in objects):
        return Detections({0: list(people_of_frame(content, where))}, numbered=False)
    return _positions(content, where)


def _positions(content: list, where: str) -> Detections:
    """A list with what there is of each frame."""
    return Detections({i: list(people_of_frame(entry, f'{where}: entry {i}')) for i, entry in enumerate(content)}, numbered=False)


def _with_frame_ids(content: list, where: str) -> Detections:
    frames = {}
    for i, entry in enumerate(content):
        number = entry.get('frame_id') if isinstance(entry, dict) else None
        if not _is_number(number):
            raise InputError(f'{where}: entry {i} has no "frame_id" that is a number from 0')
        if number in frames:
            raise InputError(f'{where}: entry {i} has the frame_id {number} of an entry before')
        frames[number] = list(people_of_frame(entry, f'{where}: entry {i}'))
    return Detections(frames)


def _joint_names(meta) -> tuple[str, ...] | None:
    """Names of the joints in MMPose's ``meta_info``."""
    names = meta.get('keypoint_id2name') if isinstance(meta, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        return None
    ordered = [names.get(str(i)) for i in range(len(names))]
    return None if None in ordered else tuple(ordered)


def _of_alphapose(content) -> bool:
    return isinstance(content, dict) and ('bodies' in content or str(content.get('version')).startswith('AlphaPose'))


def _with_keypoints(annotations):
    """Annotations without those that are boxes only."""
    entries = annotations if isinstance(annotations, list) else ()
    if any(isinstance(entry, dict) and 'keypoints' in entry for entry in entries):
        return [entry for entry in entries if not isinstance(entry, dict) or 'keypoints' in entry or 'bbox' not in entry]
    return annotations


def _coco(results, images, where: str) -> Detections:
    if not isinstance(results, list):
        raise InputError(f'{where}: "annotations" is no list; {KNOWN}')
    for i, result in enumerate(results):
        if not isinstance(result, dict) or 'image_id' not in result or 'keypoints' not in result:
            raise InputError(f'{where}: entry {i} has no "image_id" or no "keypoints"')
        if not _is_id(result['image_id']):
            raise InputError(f'{where}: entry {i} has image_id {short(result["image_id"])!r}, expected a number from 0 or a name')
    number_of = _image_numbers(images, where) if images else _id_numbers({r['image_id'] for r in results}, where)
    canvases = {image['id']: canvas_of(image) for image in images or ()}
    frames = {number: [] for number in number_of.values()}
    for i, result in enumerate(results):
        here = f'{where}: entry {i}'
        if result['image_id'] not in number_of:
            raise InputError(f'{here}: image_id {short(result["image_id"])!r} is not among the images')
        found = person(result, here, canvases.get(result['image_id']))
        if found is not None:
            frames[number_of[result['image_id']]].append(found)
    return Detections(frames, complete=bool(images))


def _is_number(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 60


def _is_id(value) -> bool:
    return isinstance(value, str) or _is_number(value)


def _id_numbers(ids: set, where: str) -> dict:
    names = sorted(i for i in ids if isinstance(i, str))
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
