"""Who is painted live: a model, opened for the footage of a person."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from toolkit.clips.clip import Clip
from toolkit.clips.crop import center_crop
from toolkit.clips.same_person import identity
from toolkit.clips.size import check_shape
from toolkit.datasets.directed import DIRECTIONS
from toolkit.datasets.transforms import scale_pose
from toolkit.engine.trained_on import chosen as chosen_clips
from toolkit.inference.choosing import check_size, choose, prepared_size
from toolkit.inference.clips import as_clip
from toolkit.inference.driving import FrameTeller
from toolkit.inference.loading import Trained, load
from toolkit.inference.outfits import Colors
from toolkit.inference.request import Request
from toolkit.live.stages import Shot
from toolkit.models.painting import Painter
from toolkit.packaged import PRETRAINED, find_packaged
from toolkit.preparing.parts import build_parts
from toolkit.structures import InputError
from toolkit.weights import latest_checkpoint

CPU_SIZE = 144, 96
STEP = 16
"""Sides of pictures are multiples of it where they are chosen."""
CHECKPOINTS = ('.pth', '.pt', '.safetensors')


@dataclass
class LivePerson:
    """Who is painted, and how.

    Attributes:
        paint: of a model that was opened.
        tell: what the painter is given.
        size: (H, W) of the pictures.
        poses: (T, 18, 3) of the person in pixels of the pictures; None for a model that knows its persons.
        about: what was loaded, for the report.
    """

    paint: Painter
    tell: FrameTeller
    size: tuple[int, int]
    poses: np.ndarray | None
    about: dict

    def inputs(self, shot: Shot, parts: dict[str, Callable]) -> dict[str, torch.Tensor]:
        """What the painter is given of a shot whose value is the pose to paint.

        Args:
            shot: with the pose that was found in ``pose``.
            parts: 'edges' and 'masks': detector and segmentor, for a model that looks at the driving frames.
        """
        crop = center_crop(*shot.frame.shape[:2], *self.size)

        def picture(name: str) -> np.ndarray:
            frame = crop.frame(shot.frame)
            if name == 'frames':
                return frame
            made = parts['masks'](frame[None], crop.pose(shot.pose)[None]) if name == 'masks' else parts['edges'](frame[None])
            return cv2.convertScaleAbs(np.asarray(made[0], np.float32), alpha=255)

        return self.tell(shot.value, picture)


def is_checkpoint(path: str | Path) -> bool:
    """Whether a path is a checkpoint or the work dir of a run, and not a clip, video or picture."""
    path = find_packaged(path)
    return path.suffix.lower() in CHECKPOINTS or (
        path.is_dir() and not (path / 'manifest.json').exists() and latest_checkpoint(path) is not None)


def open_person(person: str | Path, content: str | Path | None = None, size: tuple[int, int] | None = None, half: bool | None = None,
                device: str | None = None, up: str | None = None, down: str | None = None, direction: str | None = None,
                work_dir: str | Path = 'work_dirs/live', allow_imports: tuple[str, ...] = ()) -> LivePerson:
    """Load a model and open it for a person.

    Args:
        person: a prepared clip, video or picture of somebody, whom the generator of the toolkit then paints; or a checkpoint or the
            work dir of a run.
        content: with a checkpoint: clip, video or picture of whom to paint; by default a clip that it was trained on.
        size: (H, W) of the pictures. By default that of the training; for a model with references, as the generator of the toolkit is
            one, and for one that was published for any size, that of the clip, on a CPU about 144x96.
        half: paint in bfloat16 (True) or float32 (False); None in the fastest way that the machine has.
        device: such as 'cpu'; the GPU if there is one.
        up, down: colors of the garments such as '#c03030'; None leaves one as it is.
        direction: of a transfer between two persons: 'ab' or 'ba'.
        work_dir: where what is not prepared is prepared.
        allow_imports: modules that the checkpoint may import though they are not installed.

    Raises:
        InputError: nobody to paint, or what the model cannot do.
    """
    if not find_packaged(person).exists():
        raise InputError(f'{person}: no such file or folder')
    checkpoint = person if is_checkpoint(person) else None
    if checkpoint is None and content is not None:
        raise InputError('--content says whom a checkpoint paints, but --person is no checkpoint: give only one of them')
    if content is not None and not Path(content).exists():
        raise InputError(f'{content}: no such file or folder')
    if checkpoint is None and allow_imports:
        raise InputError('--allow-import is for a checkpoint of your own, but --person is no checkpoint: leave it out')
    colors = Colors(up, down)
    if direction not in (None, *DIRECTIONS):
        raise InputError(f'direction must be one of {", ".join(DIRECTIONS)}, got {direction!r}')
    fast = {None: True, True: 'half', False: False}[half]
    trained = load(checkpoint or PRETRAINED, device, allow_imports=allow_imports, fast=fast)
    model = trained.model
    model.check_generates()
    if size:
        check_size(model, size)
    if 'content' not in model.opens_with:
        return _of_transfer(trained, size, direction, content or up or down, checkpoint)
    given = content or (None if checkpoint else person)
    clips = [] if given else _training_clips(trained, checkpoint)
    paths = [given] if given else [clip.folder for clip in clips]
    request = Request(paths[0], paths[0], retarget='off', max_frames=1, size=size, direction=direction, colors=colors,
                      references=paths[1:] if model.references else ())
    request.check(model)
    size = trained.painted_size(size)
    clips = clips or [as_clip(given, work_dir, prepared_size(trained, size))]
    size = size or _size(clips[0], device)
    request = replace(request, driving=clips[0].folder, content=clips[0].folder, size=size)
    chosen = choose(trained, request, work_dir, progress=False)
    tell = FrameTeller(chosen.names, size, chosen.style, chosen.extra, chosen.footage[0], model.references)
    own = scale_pose(clips[0].poses, size[0] / clips[0].height, size[1] / clips[0].width)
    about = dict(person=clips[0].name, model=type(model).__name__, checkpoint=str(checkpoint or PRETRAINED), size=list(size),
                 speed=trained.fast)
    return LivePerson(model.open(**chosen.openings[0]), tell, size, own, about)


def _of_transfer(trained: Trained, size: tuple[int, int] | None, direction: str | None, content, checkpoint) -> LivePerson:
    """A model that knows its persons and looks at the driving frames."""
    model = trained.model
    if content:
        raise InputError(f'a {type(model).__name__} paints whom it was trained on, as they were: leave --content and colors out')
    if 'plate' in model.opens_with:
        raise InputError(f'this {type(model).__name__} puts its person into the empty scene of the driving video, which is not known '
                         'before that has ended: live cannot; use tools/generate.py')
    size = trained.painted_size(size) or CPU_SIZE
    tell = FrameTeller(model.paints_from, size, trained.pose_style)
    about = dict(model=type(model).__name__, checkpoint=str(checkpoint), size=list(size), speed=trained.fast)
    return LivePerson(model.open(direction=direction or 'ab'), tell, size, None, about)


def _training_clips(trained: Trained, checkpoint: str | Path) -> list[Clip]:
    """The clips that a checkpoint was trained on, if they are still there, those of the first person."""
    options = {**(trained.config.get('data') or {}), **trained.config.get('train_dataloader', {}).get('dataset', {})}
    elsewhere = '; say whom to paint by --content, a clip, video or picture'
    if not options.get('root'):
        raise InputError(f'{checkpoint}: does not name the clips of its training{elsewhere}')
    try:
        clips = [clip for clip, frames in chosen_clips(options) if frames.any()]
    except (TypeError, ValueError, AttributeError) as error:  # other clips now, or a config of another version
        raise InputError(f'{checkpoint}: the clips of its training are not there ({error}){elsewhere}') from error
    return [clip for clip in clips if identity(clip) == identity(clips[0])]


def _size(clip: Clip, device: str | None) -> tuple[int, int]:
    """The clip's own size; on a CPU about 144x96 pixels, and no more than it has, of about the same shape."""
    own = clip.height, clip.width
    if device != 'cpu' and torch.cuda.is_available():
        return own
    pixels = min(CPU_SIZE[0] * CPU_SIZE[1], own[0] * own[1])
    heights, widths = (range(2 * STEP, side + 1, STEP) for side in own)
    sizes = [(height, width) for height in heights for width in widths if _keeps_shape(clip, (height, width))]
    return min(sizes, key=lambda size: abs(math.log(size[0] * size[1] / pixels)), default=own)


def _keeps_shape(clip: Clip, size: tuple[int, int]) -> bool:
    with suppress(InputError):
        check_shape(clip, size)
        return True
    return False


def build_parts_for(person: LivePerson, pose: dict | None) -> tuple[Any, dict[str, Callable], dict]:
    """The pose estimator, and 'edges' and 'masks' parts where the model wants them.

    Args:
        person: who is painted.
        pose: ``POSE_ESTIMATORS`` config; None takes the best that is installed.

    Returns:
        (estimator, parts, config of the estimator).

    Raises:
        InputError: what the model looks at cannot be made of a frame.
    """
    if unknown := person.tell.pictures - {'frames', 'masks', 'edges'}:
        raise InputError(f'this model looks at {", ".join(sorted(unknown))} of the driving frames, which live does not make')
    (estimator, edges, masks), configs = build_parts(pose)
    return estimator, dict(edges=edges, masks=masks), configs['poses']
