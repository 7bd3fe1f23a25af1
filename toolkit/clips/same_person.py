"""Whether two clips are known to show one person."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.clips.clip import Clip
from toolkit.clips.crop import Crop
from toolkit.skeletons import scale_points

DEFAULT_PERSON = 'person'
"""Who is seen in a clip when nobody said it."""


def identity(clip: Clip) -> str:
    """Who is seen in a clip, the same for two clips only where that is known: the name, or, of the default name, the video itself."""
    if clip.person != DEFAULT_PERSON:
        return clip.person
    followed = followed_in(clip)
    return f'{DEFAULT_PERSON} of {video_of(clip)}' + (f', {followed}' if followed else '')


def video_of(clip: Clip) -> str:
    """Of which video a clip was made: a hash of it. A clip that does not say it counts as one of its own."""
    return str(_said(clip, 'source').get('sha256') or clip.folder.resolve())


def same_person(driving: Clip, content: Clip) -> tuple[bool, str]:
    """Are both clips known to show the same person? The answer and its reason.

    They are if one file was prepared twice, with the same person of it followed, and both clips say which part of its frames they
    show, or if the same name was given to both. They are not if they were given two names, as of two people who come one after the
    other in a video. The name that prepared clips have by default says nothing.
    """
    persons = driving.person, content.person
    named = DEFAULT_PERSON not in persons
    one_video = _crops(driving, content) and followed_in(driving) == followed_in(content)
    if driving.folder == content.folder or one_video and not (named and persons[0] != persons[1]):
        return True, 'both are made of the same video'
    if not named:
        return False, 'nothing says that both clips show the same person (--person NAME of tools/prepare_data.py does)'
    if persons[0] == persons[1]:
        return True, f'both clips show {persons[0]!r}'
    return False, f'the driving clip shows {persons[0]!r} and the content clip {persons[1]!r}'


def poses_in(driving: Clip, content: Clip) -> np.ndarray | None:
    """Poses of a clip in the frames of another one that shows another part of the same video.

    Returns:
        (T, 18, 3) in pixels of the content clip's frames; None where the clips are not known to be of one video.
    """
    if (crops := _crops(driving, content)) is None:
        return None
    (there, here), poses = crops, np.array(driving.poses)
    if there == here:
        return poses
    for axis, (origin, scale) in enumerate(zip((there.x, there.y), there.scale)):
        poses[..., axis] = scale_points(poses[..., axis], 1 / scale) + origin
    return here.pose(poses)


def _said(clip: Clip, key: str) -> Mapping[str, Any]:
    """An entry of the manifest that has entries of its own; empty where it has none."""
    said = clip.manifest.get(key)
    return said if isinstance(said, Mapping) else {}


def followed_in(clip: Clip) -> str | list[float] | None:
    """Which of the people in its video a clip shows, as :class:`toolkit.preparing.settings.PrepareSettings` says it; None where nobody
    chose."""
    return _said(clip, 'settings').get('follow')


def _crops(*clips: Clip) -> list[Crop] | None:
    """What part of its frames each of two clips of one video shows; None for clips of several, or where a part is not known."""
    sources = [_said(clip, 'source') for clip in clips]
    windows = [source.get('crop') for source in sources]
    same = sources[0].get('sha256') and sources[0]['sha256'] == sources[1].get('sha256')
    known = all(isinstance(window, list) and len(window) == 4 and all(isinstance(n, int) for n in window) and min(window[2:]) > 0
                for window in windows)
    return [Crop(*window, clip.height, clip.width) for window, clip in zip(windows, clips)] if same and known else None
