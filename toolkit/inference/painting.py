"""Choose and paint: the videos of a request, each painted frame by frame in constant memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from toolkit import fields
from toolkit.clips.clip import Clip
from toolkit.clips.size import check_shape
from toolkit.datasets.footage import Footage, useful_scale
from toolkit.datasets.plate import background_plate
from toolkit.datasets.scene import empty_scene
from toolkit.datasets.tensors import channels_first
from toolkit.inference.clips import as_clip
from toolkit.inference.driving import driving_poses, frame_steps
from toolkit.inference.garments import DressedFootage, Garments
from toolkit.inference.loading import Trained
from toolkit.inference.outfits import Colors, OutfitEncoder, check_outfit, content_batch, describe, split_outfit
from toolkit.inference.overlapping import paint_ahead
from toolkit.inference.request import Request, check_references
from toolkit.models.base import VideoModel
from toolkit.progress import Progress, progress_of


@dataclass
class Chosen:
    """Everything a request needs, prepared.

    Attributes:
        driving: the clip that moves.
        poses: (T, 18, 3) in pixels of the frames to generate.
        size: (H, W) of them.
        openings: for each video what the model is opened with.
        names: what its painter is given of each frame.
        style: of the stick figures it was trained on.
        extra: added fields that it takes.
        footage: for each video frames of the person that references are taken from; None for a model without references.
    """

    driving: Clip
    poses: np.ndarray
    size: tuple[int, int]
    openings: list[dict]
    names: tuple[str, ...]
    style: str
    extra: list[fields.Field]
    footage: list[Footage | DressedFootage | None]


def choose(trained: Trained, request: Request, work_dir: str | Path, progress: bool | Progress = True) -> Chosen:
    """Prepare what is not prepared, fit the poses and find the codes of the clothes.

    Args:
        trained: of :func:`toolkit.inference.loading.load`.
        request: what to generate.
        work_dir: where unprepared inputs are prepared.
        progress: show bars, or somebody to tell.

    Raises:
        InputError: a wish that the model cannot fulfill, unusable input, clips that do not fit.
    """
    model = trained.model
    request.check(model)
    size = request.size or trained.size
    prepared = size and tuple(side * (trained.reference_scale if model.references else 1) for side in size)
    driving = as_clip(request.driving, work_dir, prepared, progress)
    content = None if request.content is None else as_clip(request.content, work_dir, prepared, progress)
    shown = driving if content is None else content
    size = size or (shown.height, shown.width)
    more = [as_clip(path, work_dir, prepared, progress) for path in request.references]
    for clip in filter(None, (driving, content, *more)):
        check_shape(clip, size)
    poses = driving_poses(driving, content, size, request.retarget, progress_of(progress).say)[:request.max_frames]
    given = {} if content is None else _opening(model, content, size, request.content_frame)
    if 'direction' in model.opens_with:
        given['direction'] = request.direction or 'ab'
    if 'plate' in model.opens_with and content is None:
        given['plate'] = channels_first(background_plate(driving, size))[None]
    openings, footage = [given], [_footage(trained, [content, *more], size) if model.references else None]
    if request.colors.wanted:
        wears = OutfitEncoder(model, given['content']) if model.codes is not None else Garments(footage[0])
        outfits = _outfits(wears, request.colors, len(poses), work_dir, size, progress)
        if model.codes is not None:
            openings, footage = [dict(given, z=z) for z in outfits], footage * len(outfits)
        else:
            openings, footage = [given] * len(outfits), [DressedFootage(wears, outfit) for outfit in outfits]
    return Chosen(driving, poses, size, openings, model.paints_from, pose_style(trained), fields.added(model.added_fields), footage)


def _opening(model: VideoModel, content: Clip, size: tuple[int, int], frame: int) -> dict:
    """What a model is opened with that takes a content."""
    given = dict(content=content_batch(content, size, frame, model.added_fields))
    if 'plate' in model.opens_with:
        given['plate'] = channels_first(empty_scene(content, size, range(len(content)), content, frame))[None]
    return given


def _footage(trained: Trained, clips: Sequence[Clip], size: tuple[int, int]) -> Footage:
    """All frames of the person."""
    scale = useful_scale(clips, size, trained.reference_scale)
    garments = 'reference_garments' in trained.model.paints_from
    figure = trained.model.fills
    return Footage(clips, [np.ones(len(clip), bool) for clip in clips], size, scale, False, garments, figure)


def paint(trained: Trained, chosen: Chosen) -> Iterator[list[np.ndarray]]:
    """Paint the videos of a request side by side, frame by frame. What needs no frame before is done ahead, in other threads.

    A model that was loaded to be fast paints the frames of all videos in one pass of the network, where it can.

    Args:
        trained: of :func:`toolkit.inference.loading.load`.
        chosen: of :func:`choose`.

    Yields:
        Of each frame its picture (H, W, 3) uint8 RGB in each video.
    """
    given = (chosen.names, chosen.poses, chosen.size, chosen.driving, chosen.style, chosen.extra)
    painters = [trained.model.open(**opening) for opening in chosen.openings]
    steps = [frame_steps(*given, footage, trained.model.references) for footage in chosen.footage]
    return paint_ahead(painters, zip(*steps), trained.fast is not None)


def pose_style(trained: Trained) -> str:
    """Style of the stick figures that a model was trained on."""
    return trained.config.get('train_dataloader', {}).get('dataset', {}).get('pose_style', 'openpose_black')


def stream(trained: Trained, content: Clip, poses: np.ndarray, size: tuple[int, int], content_frame: int = 0,
           z: torch.Tensor | None = None, references: Sequence[Clip] = ()) -> Iterator[np.ndarray]:
    """Generate from poses frame by frame, in constant memory.

    Args:
        trained: of :func:`toolkit.inference.loading.load`; its model takes a content and paints from poses.
        content: clip that shows whom to generate.
        poses: (T, 18, 3) in pixels of the frames to generate.
        size: (H, W) of them.
        content_frame: which frame of ``content``.
        z: (1, D) or (T, D) code of the clothes to wear, see :func:`outfit_codes`; None for those of the content frame.
        references: more clips of the person, beside ``content``, for a model with references.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: nobody is seen in the content frame, or the model cannot generate from poses.
    """
    model = trained.model
    model.check_generates()
    check_references(model, references)
    given = dict(_opening(model, content, size, content_frame), **({} if z is None else dict(z=z)))
    footage = _footage(trained, [content, *references], size) if model.references else None
    steps = frame_steps(model.paints_from, poses, size, style=pose_style(trained), extra=fields.added(model.added_fields),
                        footage=footage, references=model.references)
    return model.generate(steps, **given)


def outfit_codes(trained: Trained, content: Clip, size: tuple[int, int], colors: Colors, frames: int, content_frame: int = 0,
                 work_dir: str | Path = 'prepared', progress: bool | Progress = True) -> list[torch.Tensor | None]:
    """Codes of the clothes that are asked for, for :func:`stream`.

    Args:
        trained: of :func:`toolkit.inference.loading.load`.
        content: clip that shows whom to generate.
        size: (H, W) of the frames to generate.
        colors: what is asked for.
        frames: T, how many are to be generated.
        content_frame: which frame of ``content``.
        work_dir: where pictures of other people are prepared.
        progress: say what colors become.

    Returns:
        A code for each video to generate, (1, D) or (T, D); None stands for the content's own clothes.

    Raises:
        InputError: a model without color codes, or a wish that cannot be fulfilled.
    """
    if not colors.wanted:
        return [None]
    encoder = OutfitEncoder(trained.model, content_batch(content, size, content_frame))
    return _outfits(encoder, colors, frames, work_dir, size, progress)


def _outfits(encoder: OutfitEncoder | Garments, colors: Colors, frames: int, work_dir: str | Path, size: tuple[int, int],
             progress: bool | Progress) -> list:
    """What is asked for, for each video: codes, or colors of garments."""
    def colored(up: str | None, down: str | None):
        z, records = encoder.colored(up, down)
        for line in describe(records, dict(up=up, down=down)):
            progress_of(progress).say(line)
        return z

    def outfit(wish: str | Path):
        check_outfit(wish)
        if pair := split_outfit(wish):
            return colored(*pair)
        return encoder.like(as_clip(wish, work_dir, size, progress), colors.regions)

    if colors.outfits:
        return [outfit(wish) for wish in colors.outfits]
    if colors.samples:
        return encoder.samples(colors.samples, colors.seed, colors.regions)
    if colors.interpolate:
        return [encoder.between(*map(outfit, colors.interpolate), frames)]
    return [outfit(colors.like) if colors.like else colored(colors.up, colors.down)]
