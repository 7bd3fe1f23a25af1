"""What a live run costs: latency from camera to screen, by stage, frames a second, memory."""

import os
import platform
from collections import deque
from pathlib import Path

import numpy as np

from toolkit.live.stages import Chain, Shot
from toolkit.machine import cores, most_memory

SHOWN = 60
"""Frames that the figures on the picture are of."""
KEPT = 100_000
"""Latencies of so many frames are kept for the report."""


class Timing:
    """Collects the time stamps of the frames that were shown.

    Latency of a frame is the time from when the camera's driver, file or stream gave it to when its picture was handed to the screen,
    file or stream. What a camera and a screen take themselves comes on top.
    """

    def __init__(self) -> None:
        self.shown, self.first, self.last = 0, 0., 0.
        self._latency: deque[float] = deque(maxlen=KEPT)
        self._recent: deque[tuple[float, float]] = deque(maxlen=SHOWN)
        self._spans: dict[str, deque[float]] = {}
        self._work: dict[str, deque[float]] = {}
        self._memory: list[float | None] = []

    def add(self, shot: Shot) -> None:
        """A frame that is shown now: its last span ends now."""
        done = max(end for _, end in shot.spans.values())
        self.first, self.last, self.shown = self.first or done, done, self.shown + 1
        self._latency.append(done - shot.time)
        self._recent.append((done, done - shot.time))
        before = shot.time
        for name, (begun, end) in shot.spans.items():
            self._spans.setdefault(f'wait for {name}' if name != 'capture' else 'wait', deque(maxlen=KEPT)).append(begun - before)
            self._spans.setdefault(name, deque(maxlen=KEPT)).append(end - begun)
            before = end
        for name, seconds in shot.work.items():
            self._work.setdefault(name, deque(maxlen=KEPT)).append(seconds)
        if self.shown % 25 == 1:
            self._memory.append(memory_mb())

    def line(self) -> str:
        """For the picture: frames a second, median and 95th percentile of the latency of the last frames."""
        if len(self._recent) < 2:
            return 'starting'
        times, latency = np.array(self._recent).T
        return (f'{(len(times) - 1) / max(times[-1] - times[0], 1e-9):.0f} fps  {1e3 * np.median(latency):.0f} ms  '
                f'95%: {1e3 * np.quantile(latency, .95):.0f} ms')

    def report(self, chain: Chain, **about) -> dict:
        """Everything, for a JSON file.

        Args:
            chain: whose counts go in.
            about: what was run.

        Returns:
            ``about``, ``machine``, ``seconds``, ``frames`` (captured, shown, dropped before each stage), ``fps``, ``latency_ms`` and
            ``stages_ms`` (median, p95, mean, max), ``cpu_ms`` (the same of the processor time of a stage's thread, which other programs
            do not lengthen), ``memory_mb`` (first, quarter, last, peak; empty where the system does not say it).
        """
        memory = [mb for mb in self._memory or [memory_mb()] if mb is not None]
        seconds = self.last - self.first
        return dict(
            about=about, machine=machine(), seconds=round(seconds, 2),
            frames=dict(captured=chain.captured, shown=self.shown, dropped={name: q.dropped for name, q in chain.queues.items()}),
            fps=round((self.shown - 1) / seconds, 2) if seconds > 0 else 0., latency_ms=spread_ms(self._latency),
            stages_ms={name: spread_ms(values) for name, values in self._spans.items() if name != 'wait'},
            cpu_ms={name: spread_ms(values) for name, values in self._work.items()},
            memory_mb=dict(first=memory[0], quarter=memory[len(memory) // 4], last=memory[-1], peak=max(memory)) if memory else {})


def spread_ms(seconds) -> dict[str, float]:
    """Median, 95th percentile, mean and maximum, in milliseconds; empty of nothing."""
    values = 1e3 * np.array(seconds)
    if not len(values):
        return {}
    return {name: round(float(value), 2) for name, value in (
        ('median', np.median(values)), ('p95', np.quantile(values, .95)), ('mean', values.mean()), ('max', values.max()))}


def memory_mb() -> float | None:
    """Memory of this process in MB, millions of bytes: what is resident now, or, where that cannot be asked for, the most it was; None
    where the system says neither."""
    table = Path('/proc/self/statm')
    if table.exists():
        return round(int(table.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6, 1)
    peak = most_memory()
    return None if peak is None else round(peak / 1e6, 1)


def machine() -> str:
    """Processor and number of cores that this process may use."""
    table = Path('/proc/cpuinfo')
    names = [line.partition(':')[2].strip() for line in table.read_text().splitlines() if line.startswith('model name')] \
        if table.exists() else []
    return f'{names[0] if names else platform.processor() or platform.machine()}, {cores()} cores'
