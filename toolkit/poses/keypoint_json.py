"""JSON of other programs, read with care: anything may be missing, of another type, or of any size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from toolkit.structures import InputError

KEYPOINT_KEYS = ('pose_keypoints_2d', 'pose_keypoints', 'keypoints', 'joints')
ID_KEYS = ('track_id', 'idx', 'person_id', 'instance_id')
LISTS_OF_PEOPLE = ('people', 'bodies', 'instances', 'instance_info', 'predictions')
LEAST_CONFIDENCE, UNSEEN = -.1, -1.
"""Networks give unseen joints confidences a little below 0, some programs -1. What else is smaller may be a depth."""


@dataclass
class Detection:
    """One person of one frame, as written.

    Attributes:
        keypoints: (J, 3) float32, x, y, confidence in [0, 1], in whatever unit the file has.
        where: file and entry, for messages.
        id: the number by which a tracker tells people apart, or None.
        canvas: height and width of the picture the keypoints belong to, or None.
    """

    keypoints: np.ndarray
    where: str
    id: int | None = None
    canvas: tuple[float, float] | None = None


def short(text) -> str:
    """One line of at most 80 characters, for messages that quote a file."""
    line = ' '.join(str(text).encode('utf-8', 'backslashreplace').decode().split())
    return line if len(line) <= 80 else line[:77] + '...'


def is_number(value) -> bool:
    """A number and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(values, where: str) -> np.ndarray:
    """A list of numbers, flat or nested, as a flat float32 array.

    Raises:
        InputError: not numbers, or not finite.
    """
    try:
        with np.errstate(over='ignore'):
            flat = np.asarray([] if values is None else values, np.float32).ravel()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'{where}: keypoints are not numbers ({short(error)})') from error
    if not np.isfinite(flat).all():
        raise InputError(f'{where}: keypoints are not all finite; write missing joints as 0, 0, 0')
    return flat


def triples(values, scores, where: str) -> np.ndarray | None:
    """List of x, y, confidence, or of x, y beside a list of scores -> (J, 3) float32; None for an empty one.

    COCO's visibility flags 1 and 2 count as confidence 1, and a confidence of -1 as 0.

    Raises:
        InputError: not finite numbers, not three for each joint, or the third one is a depth.
    """
    flat = numbers(values, where)
    if scores is None:
        if flat.size % 3:
            raise InputError(f'{where}: {flat.size} numbers, expected x, y, confidence for each joint')
        joints = flat.reshape(-1, 3).copy()
        below = (joints[:, 2] < LEAST_CONFIDENCE) & (joints[:, 2] != UNSEEN)
        if below.sum() > len(joints) / 4:
            raise InputError(f'{where}: {below.sum()} of {len(joints)} joints have a confidence below 0, such as '
                             f'{joints[below, 2].min():g}; is the third number of each joint its depth z? Expected x, y, confidence')
    else:
        scores = numbers(scores, where)
        if flat.size != 2 * scores.size:
            raise InputError(f'{where}: {flat.size} coordinates and {scores.size} scores, expected x, y and one score for each joint')
        joints = np.concatenate([flat.reshape(-1, 2), scores[:, None]], 1)
    joints[:, 2] = np.clip(joints[:, 2], 0, 1)
    return joints if len(joints) else None


def person(entry, where: str, canvas: tuple[float, float] | None = None) -> Detection | None:
    """One person as OpenPose, AlphaPose, COCO or MMPose write them; None for one without a body (only a face, an empty list).

    Raises:
        InputError: no such entry.
    """
    if not isinstance(entry, dict):
        raise InputError(f'{where} is no object with keypoints')
    key = next((k for k in KEYPOINT_KEYS if k in entry), None)
    if key is None and not any('keypoints' in k for k in entry):
        raise InputError(f'{where} has no "{KEYPOINT_KEYS[0]}" and no "keypoints"')
    joints = triples(entry.get(key), entry.get('keypoint_scores'), f'{where}.{key}')
    return None if joints is None else Detection(joints, where, _identity(entry), canvas)


def canvas_of(entry: dict, prefix: str = '') -> tuple[float, float] | None:
    """Height and width of a picture as an object tells them under these keys with a prefix, or None."""
    height, width = entry.get(f'{prefix}height'), entry.get(f'{prefix}width')
    known = is_number(height) and is_number(width) and 0 < height < 1e6 and 0 < width < 1e6
    return (height, width) if known else None


def people_of_frame(content, where: str) -> Iterator[Detection]:
    """All people in what a program wrote for one frame: a list of people, or an object that holds one.

    Raises:
        InputError: nothing of that kind.
    """
    if isinstance(content, list) and len(content) == 1 and (isinstance(content[0], list) or _holder(content[0])):
        content = content[0]
    key, canvas = _holder(content), None
    if key is not None:
        canvas = canvas_of(content, 'canvas_')
        if key == 'predictions' and isinstance(content[key], list):
            yield from people_of_frame(content[key], f'{where}: {key}')
            return
        where, content = f'{where}: {key}', content[key]
    if not isinstance(content, list):
        raise InputError(f'{where}: no list of people; expected what OpenPose, AlphaPose, MMPose or ComfyUI write for a frame')
    for i, entry in enumerate(content):
        found = person(entry, f'{where}[{i}]', canvas)
        if found is not None:
            yield found


def _holder(content) -> str | None:
    return next((key for key in LISTS_OF_PEOPLE if key in content), None) if isinstance(content, dict) else None


def _identity(entry: dict) -> int | None:
    value = next((entry[key] for key in ID_KEYS if key in entry), None)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value) if is_number(value) and abs(value) < 1e15 and value == int(value) and value >= 0 else None
