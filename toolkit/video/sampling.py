"""Which frames of a video become frames of a clip: a stretch of time, a constant rate, a number."""

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np


def sample_frames(
        frames: Iterable[tuple[np.ndarray, float]], fps: float | None = None, start: float = 0, end: float | None = None,
        max_frames: int | None = None, numbers: Iterable[int] | None = None) -> Iterator[tuple[np.ndarray, float, int]]:
    """Choose frames by their times, streaming.

    Args:
        frames: (frame, time in seconds), times strictly increasing.
        fps: constant rate to make; at each tick the frame then on display is given, so frames repeat where the source is slower and
            are left out where it is faster. None keeps every frame.
        start, end: seconds; frames with start <= time < end.
        max_frames: stop after as many.
        numbers: of the frames in the source, as a reader's ``numbers()`` gives them; None counts from 0.

    Yields:
        (frame, time, index): the time of the tick, or of the frame when ``fps`` is None; the number of the frame in the source.
    """
    numbered = ((frame, time, index) for (frame, time), index in zip(frames, count() if numbers is None else numbers))
    end = np.inf if end is None else end
    chosen = _ticks(numbered, fps, start, end) if fps else _between(numbered, start, end)
    for i, item in enumerate(chosen):
        if max_frames is not None and i >= max_frames:
            return
        yield item


def _between(frames, start, end):
    for item in frames:
        if item[1] >= end - 1e-6:
            return
        if item[1] >= start - 1e-6:
            yield item


def _ticks(frames, fps, start, end):
    held, held_time, held_index, step, tick = None, 0., 0, 1 / fps, 0
    for frame, time, index in frames:
        while held is not None and start + tick / fps < min(time, end) - 1e-4:
            yield held, start + tick / fps, held_index
            tick += 1
        if time >= end - 1e-6:
            return
        if held is not None:
            step = time - held_time
        held, held_time, held_index = frame, time, index
    while held is not None and start + tick / fps < min(held_time + step, end) - 1e-4:
        yield held, start + tick / fps, held_index
        tick += 1


def chunks(items: Iterable, size: int) -> Iterator[list]:
    """Lists of ``size`` items, the last one shorter."""
    chunk = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
