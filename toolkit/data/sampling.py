"""Which frames of a video become frames of a clip: a stretch of time, a constant rate, a number."""

from collections.abc import Iterable, Iterator

import numpy as np


def sample_frames(
        frames: Iterable[tuple[np.ndarray, float]], fps: float | None = None, start: float = 0, end: float | None = None,
        max_frames: int | None = None) -> Iterator[tuple[np.ndarray, float]]:
    """Choose frames by their times, streaming.

    Args:
        frames: (frame, time in seconds), times increasing.
        fps: constant rate to make; at each tick the frame then on display is given, so frames repeat where the source is slower and
            are left out where it is faster. None keeps every frame.
        start, end: seconds; frames with start <= time < end.
        max_frames: stop after as many.

    Yields:
        (frame, time): the time of the tick, or of the frame when ``fps`` is None.
    """
    chosen = _ticks(frames, fps, start, end) if fps else ((f, t) for f, t in _until(frames, end) if t >= start - 1e-6)
    for count, item in enumerate(chosen):
        if max_frames is not None and count >= max_frames:
            return
        yield item


def _until(frames, end):
    for frame, time in frames:
        if end is not None and time >= end - 1e-6:
            return
        yield frame, time


def _ticks(frames, fps, start, end):
    held, held_time, step, tick = None, 0., 1 / fps, 0
    for frame, time in _until(frames, end):
        while held is not None and start + tick / fps < time - 1e-4:
            yield held, start + tick / fps
            tick += 1
        if held is not None:
            step = time - held_time
        held, held_time = frame, time
    while held is not None and start + tick / fps < min(held_time + step, end or np.inf) - 1e-4:
        yield held, start + tick / fps
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
