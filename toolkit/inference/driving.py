"""What a painter is told of each frame: poses of the driving clip, fitted to the person who is generated, and what else it takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch

from toolkit import fields
from toolkit.clips.clip import Clip
from toolkit.clips.same_person import poses_in, same_person
from toolkit.datasets.references import ReferenceTrack
from toolkit.datasets.tensors import computed, pose_tensors, tensors, with_channels
from toolkit.datasets.transforms import resize_image, scale_pose
from toolkit.inference.request import check_retarget
from toolkit.poses.retarget import PoseNormalizer, median_window_at
from toolkit.structures import InputError


def driving_poses(driving: Clip, content: Clip | None, size: tuple[int, int], retarget: str = 'auto',
                  say: Callable[[str], None] | None = None) -> np.ndarray:
    """Poses of the driving clip in the frames to generate, moved and scaled to the person of the content clip.

    Args:
        driving: whose movement.
        content: whose body; None for the driving person's own.
        size: (H, W) of the frames to generate.
        retarget: 'on', 'off', or 'auto': on unless both clips are known to show the same person
            (:func:`toolkit.clips.same_person.same_person`). If they are of one video, poses are moved to where the content clip shows
            them.
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
        moved = poses_in(driving, content) if retarget == 'auto' else None
        return poses if moved is None else scale_pose(moved, size[0] / content.height, size[1] / content.width)
    try:
        return PoseNormalizer.fit(poses, own, median_window_at(driving.fps))(poses)
    except InputError as error:
        which = content if 'target' in str(error) else driving
        raise InputError(f'{which.folder}: shows both shoulders in too few frames to fit the movement of {driving.name} to '
                         f'{content.name}; give another video, or leave the poses as they are with --retarget off') from error


class FrameTeller:
    """What a painter is given of the frames of one video, one after the other, in the form in which data sets yield it.

    Args:
        names: fields of frames.
        size: (H, W) of the frames to generate.
        style: of the stick figures.
        extra: added fields that can be in ``names``; those that are not drawn from poses are of the driving frames.
        footage: frames of the person that references are taken from, as they are or
            :class:`toolkit.inference.garments.DressedFootage`.
        references: K, reference frames of each frame; 0 for none.
        stored: names of added fields that are not computed, because pictures of them are given.
    """

    def __init__(self, names: Sequence[str], size: tuple[int, int], style: str = 'openpose_black', extra: Sequence[fields.Field] = (),
                 footage: Any = None, references: int = 0, stored: Iterable[str] = ()) -> None:
        self.names, self.size, self.style, self.extra = names, size, style, extra
        self.footage = copy(footage)  # one that wears an outfit counts frames: each video has a count of its own
        self.seen = [field for field in extra if field.source != 'drawn' and field.name in names and field.name not in stored]
        self.inputs = {name for field in self.seen for name in field.inputs} - {'poses', fields.SIZE}
        self.track = ReferenceTrack(footage.search(), references) if references else None

    @property
    def pictures(self) -> set[str]:
        """Pictures of the driving frame that :meth:`__call__` asks for."""
        told = {*fields.keys(fields.FRAME, source='drawn'), *(field.name for field in self.extra if field.source == 'drawn')}
        told |= {'poses', 'regions', *fields.keys(fields.FRAME, source='footage'), *(field.name for field in self.seen)}
        return {*self.names, *self.inputs} - told

    def skip(self, pose: np.ndarray) -> None:
        """Go by a frame that is painted already; the references of the next one depend on it."""
        if self.track:
            self.track(pose)
            self.footage.skip()

    def __call__(self, pose: np.ndarray, picture: Callable[[str], np.ndarray]) -> dict[str, torch.Tensor]:
        """The next frame.

        Args:
            pose: (18, 3) in pixels of the frame to generate.
            picture: gives a picture of the driving frame by its name, in the size of the frame to generate.

        Returns:
            Tensors (1, 1, ...) under ``names``.
        """
        poses = pose[None]
        told = pose_tensors(poses, *self.size, self.style, self.extra)
        if self.track:
            told |= tensors(self.footage.entries(self.track.search, [self.track(pose)]))
        given = dict({name: picture(name)[None] for name in self.inputs}, poses=poses, size=self.size)
        told |= computed(self.seen, given)
        return {name: told[name][None] if name in told else with_channels(picture(name), fields.named(name))[None, None]
                for name in self.names}


def frame_steps(names: Sequence[str], poses: np.ndarray, size: tuple[int, int], driving: Clip | None = None,
                style: str = 'openpose_black', extra: Sequence[fields.Field] = (), footage: Any = None,
                references: int = 0, start: int = 0) -> Iterator[dict[str, torch.Tensor]]:
    """What a painter is given of a prepared clip, frame by frame.

    Args:
        names, size, style, extra, footage, references: see :class:`FrameTeller`.
        poses: (T, 18, 3) in pixels of the frames to generate.
        driving: the clip whose stored pictures are taken where ``names`` has any.
        start: the first frame that is wanted.

    Yields:
        Tensors (1, 1, ...) under ``names``.
    """
    tell = FrameTeller(names, size, style, extra, footage, references, driving.fields if driving else ())
    for pose in poses[:start]:
        tell.skip(pose)
    for t, pose in enumerate(poses[start:], start):
        yield tell(pose, lambda name, t=t: resize_image(driving.picture(name, t), *size, fields.named(name).kind == 'labels'))
