"""How a method makes videos: opened for what a video is made of, it paints frame after frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from toolkit.fields import content_of, steps
from toolkit.structures import InputError

Painter = Callable[[dict], np.ndarray]
"""Paints the next frame of a video, see :meth:`PaintedVideos.open`."""


class FramePainter:
    """A painter made of a function. What it remembers can be kept, so that a video that was stopped goes on.

    Args:
        paint: given what a frame is painted from and what is remembered, returns the picture and what to remember.

    Attributes:
        memory: of the frames before: numbers and tensors, in tuples and lists; None before the first frame.
    """

    def __init__(self, paint: Callable[[dict, Any], tuple[np.ndarray, Any]]) -> None:
        self._paint, self.memory = paint, None

    @classmethod
    def of_each(cls, paint: Painter) -> 'FramePainter':
        """One that remembers nothing: ``paint`` is given a frame alone."""
        return cls(lambda frame, memory: (paint(frame), None))

    def __call__(self, frame: dict) -> np.ndarray:
        """Paint the next frame."""
        picture, self.memory = self._paint(frame, self.memory)
        return picture


class TwoStagePainter:
    """A painter that says which part of its work needs no frame before: that can be done ahead, and for several frames at once."""

    def ahead(self, frames: Sequence[dict]) -> list:
        """That part, for the next frames.

        Args:
            frames: of each what the painter is given.

        Returns:
            For each frame what :meth:`paint` takes.
        """
        raise NotImplementedError

    def paint(self, ready: Sequence, others: Sequence['TwoStagePainter'] = ()) -> list[np.ndarray]:
        """Paint the next frame, of other videos in the same pass of the network.

        Args:
            ready: of :meth:`ahead`, of this painter and of each of the others.
            others: painters of the same model, for frames of the same size.

        Returns:
            Their pictures (H, W, 3) uint8 RGB.
        """
        raise NotImplementedError

    def __call__(self, frame: dict) -> np.ndarray:
        """Paint the next frame."""
        return self.paint(self.ahead([frame]))[0]


class PaintedVideos:
    """What a method offers that makes videos.

    It says what it is told of a video (:attr:`opens_with`) and of each frame (:attr:`paints_from`), and :meth:`open` gives a painter:
    testing, previews in training and ``tools/generate.py`` all use that. A method that makes something else leaves both empty and has
    a :meth:`test_step` of its own.
    """

    opens_with: tuple[str, ...] = ()
    """Arguments of :meth:`open`: some of ``content`` (the ``content_*`` entries of an item with a batch axis of 1), ``direction``
    (``'ab'`` or ``'ba'``), ``plate`` (the empty scene, (1, 3, H, W) uint8) and ``z`` (codes (1, D) or (T, D), see :attr:`codes`)."""
    paints_from: tuple[str, ...] = ()
    """What the painter is given of each frame; nothing for a method that makes no videos."""
    references: int = 0
    """Reference frames of each frame (:mod:`toolkit.datasets.references`) that the painter is given, where :attr:`paints_from` names
    them."""
    fills: bool = False
    """Whether one more shows the torso put together from all frames."""
    codes: nn.Module | None = None
    """Codes of clothes that a method can be opened with, see :class:`toolkit.model_parts.color_codes.ColorCodes`."""
    encoder: nn.Module | None = None
    """The encoder of a garment (:mod:`toolkit.region_encoders`) of a method that learns one; it paints pictures
    from its codes by ``decode(features, z, regions)``, with what ``frames_of(batch)`` gives."""

    def check_generates(self) -> None:
        """Refuse to make videos of people's own clips, before any of them is prepared.

        Raises:
            InputError: the method has no painter, or one that needs what only a test clip has.
        """
        if not self.paints_from:
            raise InputError(f'a {type(self).__name__} does not generate from poses or frames of a video; give a checkpoint of a '
                             f'method that does')

    def open(self, **given) -> Painter:
        """Begin a video.

        Args:
            given: what :attr:`opens_with` names.

        Returns:
            What paints the frames of one video, in order: it is given the entries of a frame that :attr:`paints_from` names, as data
            sets yield them, (1, 1, ...), and returns the picture (H, W, 3) uint8 RGB. It may remember the frames before; where it has
            an attribute ``memory`` as a :class:`FramePainter` has, a video that was stopped goes on.
        """
        raise NotImplementedError(f'{type(self).__name__} has no open()')

    def generate(self, frames: Iterable[dict], **given) -> Iterator[np.ndarray]:
        """Paint a video frame by frame, in constant memory.

        Args:
            frames: of each frame, in order, what :attr:`paints_from` names.
            given: see :meth:`open`.

        Returns:
            Pictures (H, W, 3) uint8 RGB; a frame is taken when its picture is asked for.
        """
        return map(self.open(**given), frames)

    def test_step(self, data: dict) -> list[dict]:
        """Make of a whole clip what the method makes; a method without a painter says what that is.

        Args:
            data: one whole-clip item (``window=None``) with a batch axis of 1.

        Returns:
            One dict, see :meth:`clip_result`.
        """
        if not self.paints_from:
            raise NotImplementedError(f'{type(self).__name__} needs paints_from and open(), or a test_step() of its own')
        return list(self.test_stream([data]))

    def test_stream(self, parts: Iterable[dict]) -> Iterator[dict]:
        """The same as :meth:`test_step` of a clip that comes in parts, in constant memory.

        Args:
            parts: items of consecutive frames of one clip, in order, with a batch axis of 1.

        Yields:
            The result of each part, see :meth:`test_step`, before the next one is asked for.

        Raises:
            InputError: the data set does not give what :attr:`paints_from` names.
        """
        paint = None
        for part in parts:
            if not self.paints_from:
                yield from self.test_step(part)
                continue
            if missing := [name for name in self.paints_from if name not in part]:
                raise InputError(f'{type(self).__name__} paints from {", ".join(missing)}, which the items of this dataset do not have')
            paint = paint or self.open(**self._opening(part))
            yield self.clip_result(part, np.stack([paint(step) for step in steps(part, self.paints_from)]))

    def _opening(self, part: dict) -> dict:
        """What :attr:`opens_with` names, of an item with a batch axis of 1."""
        given = {name: part[name] for name in self.opens_with if name in part}
        given = {name: value if isinstance(value, Tensor) else value[0] for name, value in given.items()}
        if 'content' in self.opens_with:
            given['content'] = content_of(part)
        return given
