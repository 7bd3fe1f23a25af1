"""What a painter is told of each frame: poses of the driving clip, fitted to the person who is generated, and what else it takes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from toolkit import fields
from toolkit.clips.clip import Clip
from toolkit.clips.same_person import same_person
from toolkit.datasets.references import ReferenceTrack
from toolkit.datasets.tensors import computed, pose_tensors, tensors, with_channels
from toolkit.datasets.transforms import resize_image, scale_pose
from toolkit.inference.request import check_retarget
from toolkit.poses.retarget import PoseNormalizer


def driving_poses(driving: Clip, content: Clip | None, size: tuple[int, int], retarget: str = 'auto',
                  say: Callable[[str], None] | None = None) -> np.ndarray:
    """Poses of the driving clip in the frames to generate, moved and scaled to the person of the content clip.

    Args:
        driving: whose movement.
        content: whose body; None for the driving person's own.
        size: (H, W) of the frames to generate.
        retarget: 'on', 'off', or 'auto': on unless both clips are known to show the same person
            (:func:`toolkit.clips.same_person.same_person`).
        say: called with one line that tells whether the poses were fitted, and why.

    Returns:
        (T, 18, 3) float32 in pixels of the generated frames.

    Raises:
        InputError: one of the clips shows too little of a person to compare them.
    """
    check_retarget(retarget)
    poses, own = (clip and scale_pose(clip.poses, size[0] / clip.height, size[1] / clip.width) for clip in (driving, content))
    if content is None:
        return poses
    same, reason = same_person(driving, content) if retarget == 'auto' else (retarget == 'off', f'that was asked for ({retarget})')
    if say:
        say(f'poses {"not " if same else ""}fitted to {content.name} because {reason}')
    if same:
        return poses
    own = np.repeat(own, 3, 0) if len(own) < 3 else own
    return PoseNormalizer.fit(poses, own)(poses)


def frame_steps(names: Sequence[str], poses: np.ndarray, size: tuple[int, int], driving: Clip | None = None,
                style: str = 'openpose_black', extra: Sequence[fields.Field] = (), footage: Any = None,
                references: int = 0) -> Iterator[dict[str, torch.Tensor]]:
    """What a painter is given, frame by frame, in the form in which data sets yield it.

    Args:
        names: fields of frames.
        poses: (T, 18, 3) in pixels of the frames to generate.
        size: (H, W) of them.
        driving: the clip whose stored pictures are taken where ``names`` has any.
        style: of the stick figures.
        extra: added fields that can be in ``names``; those that are not drawn from poses are of the driving frames.
        footage: frames of the person that references are taken from, as they are or
            :class:`toolkit.inference.garments.DressedFootage`.
        references: K, reference frames of each frame; 0 for none.

    Yields:
        Tensors (1, 1, ...) under ``names``.
    """
    def picture(name: str, t: int) -> np.ndarray:
        return resize_image(driving.picture(name, t), *size, fields.named(name).kind == 'labels')

    seen = [field for field in extra if field.source != 'drawn' and field.name in names and field.name not in driving.fields]
    inputs = {name for field in seen for name in field.inputs} - {'poses', fields.SIZE}
    track = ReferenceTrack(footage.search(), references) if references else None
    for t in range(len(poses)):
        told = pose_tensors(poses[t:t + 1], *size, style, extra)
        if track:
            told |= tensors(footage.entries(track.search, [track(poses[t])]))
        given = dict({name: picture(name, t)[None] for name in inputs}, poses=poses[t:t + 1], size=size)
        told |= computed(seen, given)
        yield {name: told[name][None] if name in told else with_channels(picture(name, t), fields.named(name))[None, None]
               for name in names}
