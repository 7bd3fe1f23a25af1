"""When frames are shown: times that only go forward, and the frame rate that they make. What a file's header says is a hint."""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

MAX_RATE = 240
MAX_GAP = 10.
RATE_TOLERANCE = .02
DEFAULT_RATE = Fraction(25)
USUAL_RATES = (
    Fraction(24000, 1001), *map(Fraction, (5, 10, 12, 15, 20, 24, 25)), Fraction(30000, 1001), *map(Fraction, (30, 48, 50)),
    Fraction(60000, 1001), *map(Fraction, (60, 100)), Fraction(120000, 1001), *map(Fraction, (120, 240)))


class ForwardTimes:
    """Makes the times of a stream strictly increasing, one after the other.

    Where the time goes back, as in two recordings in one file, it goes on from the last time plus one step. A gap longer than
    :data:`MAX_GAP` seconds is taken for a damaged time stamp and becomes one step. The first time is 0.

    Args:
        step: seconds a frame lasts as a rule.

    Attributes:
        joins: numbers of the frames at which the time went back.
        gaps: (number of frame, seconds) of each gap that was cut.
    """

    def __init__(self, step: float):
        self.step, self.count = step, 0
        self.last = self._raw = self._shift = 0.
        self.joins: list[int] = []
        self.gaps: list[tuple[int, float]] = []

    def __call__(self, seconds: float | None) -> float:
        """Time of the next frame, in seconds since the first.

        Args:
            seconds: as the file gives it; None where it gives none.
        """
        if not self.count:
            raw, time = seconds or 0., 0.
            self._shift = -raw
        else:
            raw = self._raw + self.step if seconds is None else seconds
            time = self._place(raw)
        self.last, self._raw, self.count = time, raw, self.count + 1
        return time

    def _place(self, raw: float) -> float:
        time, back = raw + self._shift, self._raw - raw
        if self.last + 1e-6 < time <= self.last + MAX_GAP:
            return time
        if time <= self.last + 1e-6 and back <= 2 * self.step:
            return self.last + self.step / 2
        (self.joins.append(self.count) if back > 0 else self.gaps.append((self.count, -back)))
        self._shift += self.last + self.step - time
        return self.last + self.step

    @property
    def removed(self) -> float:
        """Seconds of all gaps that were cut."""
        return sum(seconds for _, seconds in self.gaps)

    def describe(self) -> list[str]:
        """What was mended, a sentence each."""
        said = [f'the time goes back at frame {frame} (two recordings in one file?); it goes on from the frame before'
                for frame in self.joins]
        return said + [f'a gap of {seconds:.3g} s before frame {frame} was cut out' for frame, seconds in self.gaps]


def display_order(stamps: Iterable[tuple[float, float | None]]) -> list[float]:
    """Times of coded frames in the order in which they are shown.

    Args:
        stamps: (time at which the frame is shown, time at which it is decoded or None) in seconds, in the order of the file.

    Returns:
        The times at which frames are shown: increasing, but for where the decoding time goes back.
    """
    out, part, last = [], [], -np.inf
    for shown, decoded in stamps:
        if decoded is not None and decoded < last:
            out += sorted(part)
            part = []
        part.append(shown)
        last = last if decoded is None else decoded
    return out + sorted(part)


def usual_step(times: np.ndarray) -> float | None:
    """Median distance of neighboring times that go forward, (T,) -> seconds; None for fewer than two times."""
    steps = np.diff(times)
    steps = steps[steps > 1e-6]
    return float(np.median(steps)) if len(steps) else None


def is_variable(times: np.ndarray) -> bool:
    """Whether more than a tenth of the frames last 1.5 times longer or shorter than the median frame. times: (T,), increasing."""
    steps = np.diff(times)
    return bool(len(steps) and _uneven(steps).mean() > .1)


def steady_rate(times: np.ndarray) -> float:
    """Frames a second where no frame is missing. times: (T,), increasing, T > 1."""
    steps = np.diff(times)
    even = steps[~_uneven(steps)]
    return 1 / float(even.mean() if len(even) else steps.mean())


def stands_still(times: np.ndarray) -> bool:
    """Whether more than a quarter of the time lies in gaps, as where a recorder writes no frame while nothing moves. times: (T,)."""
    return len(times) > 1 and (len(times) - 1) / (times[-1] - times[0]) < .75 * steady_rate(times)


def _uneven(steps: np.ndarray) -> np.ndarray:
    median = np.median(steps)
    return (steps > 1.5 * median) | (steps < median / 1.5)


def true_rate(times: np.ndarray, announced: Fraction | None) -> Fraction:
    """Frames a second, from the times; the announced rate is kept where it is within 2 % of them.

    Args:
        times: (T,) seconds, increasing.
        announced: what the header says, or None.

    Returns:
        At a steady rate that rate, gaps left out; at a variable one frames divided by time. At most :data:`MAX_RATE`.
    """
    if len(times) < 2:
        usable = announced and 0 < announced <= MAX_RATE
        return announced if usable else DEFAULT_RATE
    mean, steady = (len(times) - 1) / (times[-1] - times[0]), steady_rate(times)
    true = [mean] if is_variable(times) else [steady] if stands_still(times) else [steady, mean]
    if announced and 0 < announced <= MAX_RATE and any(abs(float(announced) / rate - 1) <= RATE_TOLERANCE for rate in true):
        return announced
    rate = min(true[0], MAX_RATE)
    usual = min(USUAL_RATES, key=lambda r: abs(float(r) / rate - 1))
    if abs(float(usual) / rate - 1) <= .002:
        return usual
    return Fraction(rate).limit_denominator(1000) or Fraction(rate)
