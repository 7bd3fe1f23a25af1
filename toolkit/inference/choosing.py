"""Choose: prepare what is not prepared, and find poses, footage and clothes for the videos of a request."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log

from toolkit import fields
from toolkit.clips.clip import Clip
from toolkit.clips.size import check_shape
from toolkit.datasets.directed import DIRECTIONS
from toolkit.datasets.footage import Footage, useful_scale
from toolkit.datasets.scene import empty_scene, steady_plate
from toolkit.datasets.tensors import channels_first
from toolkit.inference.clips import USUAL, as_clip, ready_clip
from toolkit.inference.driving import driving_poses
from toolkit.inference.garments import DressedFootage, Garments
from toolkit.inference.loading import Trained
from toolkit.inference.outfits import Colors, OutfitEncoder, check_outfit, content_batch, describe, split_outfit
from toolkit.inference.request import Request
from toolkit.inference.runtimes import is_of
from toolkit.models.base import VideoModel
from toolkit.progress import Progress, progress_of
from toolkit.structures import InputError
from toolkit.video.io import read_video, video_info

TRIED = 256
"""Height and width that networks take as a rule."""


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
    model, say = trained.model, progress_of(progress).say
    request.check(model)
    style, wanted = trained.pose_style, trained.painted_size(request.size)
    shown = request.driving if request.content is None else request.content
    size = _planned_size(model, request, shown, wanted)
    if request.size is None:
        of = 'the file of --fast' if trained.file_size else 'its training' if wanted else f'{Path(shown).name} as it is prepared'
        say(f'painted at {size[0]}x{size[1]} (HxW), the size of {of}')
    prepared = prepared_size(trained, wanted) or (size if ready_clip(shown) else None)
    content = None if request.content is None else as_clip(request.content, work_dir, prepared, progress)
    given = {} if content is None else opening_of(model, content, size, request.content_frame)
    if content is not None:
        warn_of_norms(trained, content)
    more = [as_clip(path, work_dir, prepared, progress) for path in request.references]
    footage = [footage_of(trained, [content, *more], size) if model.references else None]
    if request.colors.wanted:  # what they refuse is told before the driving video, which may be long, is prepared
        wears = OutfitEncoder(model, given['content']) if model.codes is not None else Garments(footage[0])
        outfits = _outfits(wears, request.colors, work_dir, size, progress)
    driving = as_clip(request.driving, work_dir, prepared, progress)
    poses = driving_poses(driving, content, size, request.retarget, say)[:request.max_frames]
    if 'direction' in model.opens_with:
        given['direction'] = request.direction or 'ab'
    if 'plate' in model.opens_with and content is None:
        given['plate'] = channels_first(steady_plate(driving, size, range(len(driving))))[None]
    openings = [given]
    if request.colors.wanted:
        outfits = _over_time(wears, request.colors, outfits, len(poses))
        if model.codes is not None:
            openings, footage = [dict(given, z=z) for z in outfits], footage * len(outfits)
        else:
            openings, footage = [given] * len(outfits), [DressedFootage(wears, outfit) for outfit in outfits]
    return Chosen(driving, poses, size, openings, model.paints_from, style, fields.added(model.added_fields), footage)


def prepared_size(trained: Trained, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """Size (H, W) at which clips are prepared that are painted at a size: references show more than the frames do. None as it is."""
    return size and tuple(side * (trained.reference_scale if trained.model.references else 1) for side in size)


def _planned_size(model: VideoModel, request: Request, shown: str | Path, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Size (H, W) of the frames to generate, after a look at all that can be refused before anything is prepared.

    Args:
        model: that paints.
        request: what to generate.
        shown: whose clip has the size where nobody says one.
        wanted: the size that was said.
    """
    paths = [path for path in (request.driving, request.content, *request.references) if path is not None]
    clips = {path: clip for path in paths if (clip := ready_clip(path))}
    for path in paths:
        if path not in clips:
            read_video(path)  # opened, not read: the last one may not be a video, and preparing the first ones takes minutes
    size = wanted or ((clips[shown].height, clips[shown].width) if shown in clips else USUAL)
    for clip in clips.values():
        check_shape(clip, size)
    if request.content_frame:
        _check_content_frame(request.content, clips.get(request.content), request.content_frame)
    if len(clips) < len(set(paths)):
        check_size(model, size)
    return size


def _check_content_frame(content: str | Path, clip: Clip | None, frame: int) -> None:
    """Refuse a number that the content has no frame of, as far as its length is known before it is prepared."""
    if clip is not None:
        most = len(clip)
    else:
        info = video_info(content)
        most = round(info.duration * info.sample_rate) + 1 if info.sample_rate else info.num_frames
    if not -most <= frame < most:
        raise InputError(f'{content}: has {most} frames, no content frame {frame}; the first one is 0')


def check_size(model: VideoModel, size: tuple[int, int]) -> None:
    """Refuse a size that the networks of a model cannot take; a made-up frame is painted.

    Raises:
        InputError: says which sizes would do, where the network does.
    """
    try:
        _paint_example(model, size)
    except Exception as error:  # whatever networks raise
        try:
            _paint_example(model, (TRIED, TRIED))
        except Exception:  # it is not the size; what is wrong is told when the first frame is painted
            return
        raise InputError(f'a {type(model).__name__} like this one cannot paint frames of {size[0]}x{size[1]} (HxW): {error}. Choose '
                         f'another size (--size)') from error


def _paint_example(model: VideoModel, size: tuple[int, int]) -> None:
    """Paint a made-up frame; random numbers stay as they are."""
    batch = model.example_batch(*size, 1)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        list(model.test_stream([{'direction': DIRECTIONS[:1], **batch.get('a', batch)}]))


def opening_of(model: VideoModel, content: Clip, size: tuple[int, int], frame: int) -> dict:
    """What a model is opened with that takes a content."""
    given = dict(content=content_batch(content, size, frame, model.added_fields))
    if 'plate' in model.opens_with:
        given['plate'] = channels_first(empty_scene(content, size, range(len(content)), content, frame))[None]
    return given


def warn_of_norms(trained: Trained, content: Clip) -> None:
    """Say so where the network is that of a file whose norms are frozen over frames of somebody else, as far as is known."""
    if trained.frozen_on and not is_of(trained.frozen_on, content):
        print_log(f'{trained.file} has norms that are frozen over frames of another clip, and nothing says that {content.name} shows '
                  f'the same person: contrast and colors may be wrong. Export it again with --freeze-norms {content.folder}, or '
                  'without --freeze-norms', 'current', logging.WARNING)


def footage_of(trained: Trained, clips: Sequence[Clip], size: tuple[int, int]) -> Footage:
    """All frames of the person."""
    scale = useful_scale(clips, size, trained.reference_scale)
    garments = 'reference_garments' in trained.model.paints_from
    figure = trained.model.fills
    return Footage(clips, [np.ones(len(clip), bool) for clip in clips], size, scale, False, garments, figure)


def outfit_codes(trained: Trained, content: Clip, size: tuple[int, int], colors: Colors, frames: int, content_frame: int = 0,
                 work_dir: str | Path = 'prepared', progress: bool | Progress = True) -> list[torch.Tensor | None]:
    """Codes of the clothes that are asked for, for :func:`toolkit.inference.painting.stream`.

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
    return _over_time(encoder, colors, _outfits(encoder, colors, work_dir, size, progress), frames)


def _outfits(encoder: OutfitEncoder | Garments, colors: Colors, work_dir: str | Path, size: tuple[int, int],
             progress: bool | Progress) -> list:
    """What is asked for: codes, or colors of garments, for each video; the two that one goes between where colors change."""
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
        return [outfit(wish) for wish in colors.interpolate]
    return [outfit(colors.like) if colors.like else colored(colors.up, colors.down)]


def _over_time(encoder: OutfitEncoder | Garments, colors: Colors, outfits: list, frames: int) -> list:
    """What is worn in each video, of the outfits that are asked for."""
    return [encoder.between(*outfits, frames)] if colors.interpolate else outfits
