"""The empty scene of a clip as data sets give it: found once, and kept in the clip."""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from toolkit.clips.checks import read_array
from toolkit.clips.clip import Clip, picture_path
from toolkit.clips.folder import SCENE_FILE
from toolkit.datasets.camera import camera_moves
from toolkit.datasets.plate import background_plate
from toolkit.datasets.transforms import resize_image
from toolkit.files import replacing
from toolkit.poses.array_files import ArrayFile
from toolkit.structures import InputError

VERSION = 2
"""Of what finds scenes: another one finds them anew."""
KEPT = 4
"""Scenes that are kept in a clip, each of other frames; of a moving camera nothing but that it moves."""


def empty_scene(clip: Clip, size: Sequence[int], frames: Sequence[int], shown: Clip, content: int) -> np.ndarray:
    """The plate of a clip; where its camera moves the content frame with the person painted over, and a warning.

    That picture is the only one of the scene that training and generation both have, and it is in the range of true plates, so that
    a generator learns how far to trust it.

    Args:
        clip: with masks.
        size: (H, W) of the result.
        frames: numbers of the frames that may be looked at.
        shown: the clip of the content frame.
        content: its number.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    plate = _still_or_said(clip, size, frames, 'there is no empty scene for all frames. The content frame with the person painted '
                           'over takes its place, and what is seen behind the person will not move along')
    return background_plate(shown, size, [content]) if plate is None else plate


def steady_plate(clip: Clip, size: Sequence[int], frames: Sequence[int]) -> np.ndarray:
    """The plate of a clip whose camera is said to stand still; where it moves, what its frames have in common, and a warning.

    Args:
        clip: with masks.
        size: (H, W) of the result.
        frames: numbers of the frames that may be looked at.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    plate = _still_or_said(clip, size, frames, 'its empty scene is a mixture of all that it has shown. People are put before that. '
                           'Film with a camera that stands still')
    return background_plate(clip, size, frames) if plate is None else plate


def _still_or_said(clip: Clip, size: Sequence[int], frames: Sequence[int], otherwise: str) -> np.ndarray | None:
    """The plate of a clip, (H, W, 3); where its camera moves None, and a warning of what that means."""
    plate = still_scene(clip, frames)
    if plate is None:
        print_log(f'clip {clip.name}: the camera moves, so {otherwise}', 'current', logging.WARNING)
    return None if plate is None else resize_image(plate, *size)


def still_scene(clip: Clip, frames: Sequence[int]) -> np.ndarray | None:
    """The plate of a clip at its own size, None where its camera moves.

    It takes seconds to find, and there may be hundreds of clips: it is kept in the clip's folder, where that can be written,
    and found anew where the pictures have changed.

    Args:
        clip: with masks.
        frames: numbers of the frames that may be looked at.
    """
    path = clip.folder / SCENE_FILE
    key = 'x' + hashlib.sha256(repr((VERSION, clip.manifest, _pictures(clip, frames))).encode()).hexdigest()[:24]
    most = clip.height * clip.width * 3
    try:
        found = read_array(path, key, most)
    except InputError:
        found = None
    if found is None or found.dtype != np.uint8 or found.shape not in ((0,), (clip.height, clip.width, 3)):
        found = np.zeros(0, np.uint8) if camera_moves(clip, frames) else background_plate(clip, None, frames)
        _keep(path, key, found, most)
    return found if len(found) else None


def _pictures(clip: Clip, frames: Sequence[int]) -> list[tuple[str, int, int]]:
    """Name, size and time of each picture that may be looked at."""
    paths = [picture_path(clip.folder, kind, int(t), clip.manifest['frame_format']) for t in frames for kind in ('frames', 'masks')]
    try:
        found = [path.stat() for path in paths]
    except OSError as error:
        raise InputError(f'{error.filename}: cannot be read ({error.strerror}); prepare the clip again') from error
    return [(f'{path.parent.name}/{path.name}', stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, found)]


def _keep(path: Path, key: str, found: np.ndarray, most: int) -> None:
    """Put a scene beside those that a clip has; nothing where that is not possible."""
    scenes = {}
    with suppress(OSError, ValueError, InputError):
        for name in [*ArrayFile(path).headers][1 - KEPT:]:
            scenes[name] = read_array(path, name, most)
    scenes.pop(key, None)
    with suppress(OSError, InputError), replacing(path) as file:
        np.savez_compressed(file, **scenes, **{key: found})
