"""Paint: the videos that were chosen, frame by frame in constant memory."""

import json
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_map_only

from toolkit import __version__, fields
from toolkit.clips.clip import Clip
from toolkit.files import fingerprint, source_hash
from toolkit.inference.choosing import Chosen, footage_of, opening_of, warn_of_norms
from toolkit.inference.driving import FrameTeller, frame_steps
from toolkit.inference.garments import DressedFootage
from toolkit.inference.loading import Trained
from toolkit.inference.overlapping import memories, paint_ahead
from toolkit.inference.request import check_references
from toolkit.inference.runtimes import network_hash
from toolkit.models.adversaries import only_trains
from toolkit.models.base import VideoModel
from toolkit.structures import InputError
from toolkit.weights import weights_hash


class Painting(Iterator[list[np.ndarray]]):
    """The videos of a request on their way, painted side by side, frame by frame. What needs no frame before is done ahead, in other
    threads. A model that was loaded to be fast paints the frames of all videos in one pass of the network, where it can.

    Iterating gives of each frame its picture (H, W, 3) uint8 RGB in each video.

    Args:
        trained: of :func:`toolkit.inference.loading.load`.
        chosen: of :func:`toolkit.inference.choosing.choose`.

    Attributes:
        memory: what the painters remember after the last frame that was given, where that is kept; else None.
    """

    def __init__(self, trained: Trained, chosen: Chosen) -> None:
        self._trained, self._chosen = trained, chosen
        self._painters = [trained.model.open(**opening) for opening in chosen.openings]
        self.memory: list | None = None
        self._rows = self._begin(0)

    def _begin(self, start: int) -> Generator[tuple[list[np.ndarray], list | None], None, None]:
        trained, chosen = self._trained, self._chosen
        given = (chosen.names, chosen.poses, chosen.size, chosen.driving, chosen.style, chosen.extra)
        steps = [frame_steps(*given, footage, trained.model.references, start) for footage in chosen.footage]
        return paint_ahead(self._painters, zip(*steps), trained.fast is not None)

    def go_on(self, start: int, memory: list) -> None:
        """Begin in the middle.

        Args:
            start: number of frames that are painted already, a multiple of :data:`~toolkit.inference.overlapping.EVERY`.
            memory: what :attr:`memory` was then.
        """
        device = self._trained.model.data_preprocessor.device
        for painter, remembered in zip(self._painters, memory, strict=True):
            painter.memory = tree_map_only(torch.Tensor, lambda tensor: tensor.to(device), remembered)
        self._rows = self._begin(start)

    def key(self) -> str | None:
        """A hash of all that the pictures depend on; None where a painter does not say what it remembers, and none can go on."""
        if memories(self._painters) is None:
            return None
        trained, chosen, model = self._trained, self._chosen, self._trained.model
        colors = [footage.outfit for footage in chosen.footage if isinstance(footage, DressedFootage)]
        footage = [footage for footage in chosen.footage if footage is not None]
        shown = {clip.folder: clip for each in footage for clip in each.clips}
        clips = [(clip.state(), _numbers(clip.poses)) for clip in (chosen.driving, *shown.values())]
        weights = {name: network_hash(network) for name, network in model.networks().items()
                   if not only_trains(name) and name != 'losses'}  # published models lack those: they are random
        stages = dict(model.named_buffers(recurse=False))
        file = trained.file and source_hash(trained.file)
        content = [__version__, weights, trained.config.model, trained.fast, file, trained.reference_scale,
                   str(model.data_preprocessor.device), chosen.size, chosen.names, chosen.style, clips,
                   _numbers([chosen.poses, chosen.openings, colors, stages])]
        return fingerprint(json.loads(json.dumps(content, default=str)))

    def __next__(self) -> list[np.ndarray]:
        row, self.memory = next(self._rows)
        return row

    def close(self) -> None:
        """Stop; the threads end."""
        self._rows.close()


def _numbers(content: Any) -> str:
    """A hash of arrays, tensors and words in lists and dicts."""
    leaves, about = tree_flatten(content)
    arrays = [isinstance(leaf, (np.ndarray, torch.Tensor)) for leaf in leaves]
    values = {str(number): torch.as_tensor(leaf) for number, (leaf, array) in enumerate(zip(leaves, arrays)) if array}
    return fingerprint([str(about), weights_hash(values), [None if array else repr(leaf) for leaf, array in zip(leaves, arrays)]])


def paint(trained: Trained, chosen: Chosen) -> Painting:
    """Paint the videos of a request.

    Args:
        trained: of :func:`toolkit.inference.loading.load`.
        chosen: of :func:`toolkit.inference.choosing.choose`.

    Returns:
        An iterator over the frames: of each its picture (H, W, 3) uint8 RGB in each video.
    """
    return Painting(trained, chosen)


def check_paints_poses(model: VideoModel, size: tuple[int, int]) -> None:
    """Refuse a model that cannot paint the person of a clip from poses alone.

    Args:
        model: that generates.
        size: (H, W) of the frames to generate.

    Raises:
        InputError: says what it paints from.
    """
    pictures = FrameTeller(model.paints_from, size, extra=fields.added(model.added_fields)).pictures
    if pictures or 'content' not in model.opens_with:
        raise InputError(f'the person of a clip is painted from poses alone, but this {type(model).__name__} paints from '
                         f'{", ".join(model.paints_from)}')


def stream(trained: Trained, content: Clip, poses: np.ndarray, size: tuple[int, int], content_frame: int = 0,
           z: torch.Tensor | None = None, references: Sequence[Clip] = ()) -> Iterator[np.ndarray]:
    """Generate from poses frame by frame, in constant memory.

    Args:
        trained: of :func:`toolkit.inference.loading.load`; its model takes a content and paints from poses.
        content: clip that shows whom to generate.
        poses: (T, 18, 3) in pixels of the frames to generate.
        size: (H, W) of them.
        content_frame: which frame of ``content``.
        z: (1, D) or (T, D) code of the clothes to wear, see :func:`toolkit.inference.choosing.outfit_codes`; None for those of the
            content frame.
        references: more clips of the person, beside ``content``, for a model with references.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: nobody is seen in the content frame, or the model cannot generate from poses.
    """
    model = trained.model
    model.check_generates()
    check_paints_poses(model, size)
    check_references(model, references)
    warn_of_norms(trained, content)
    given = dict(opening_of(model, content, size, content_frame), **({} if z is None else dict(z=z)))
    footage = footage_of(trained, [content, *references], size) if model.references else None
    steps = frame_steps(model.paints_from, poses, size, style=trained.pose_style, extra=fields.added(model.added_fields),
                        footage=footage, references=model.references)
    return model.generate(steps, **given)
