"""Where long work says how far it is: to bars in a terminal, to nobody, or to whoever asks for it."""

import sys
from typing import Any

from tqdm import tqdm

from toolkit.cli import spoken

SELDOM = 15.0
"""Seconds between two lines of a bar that is written to a file."""


def bar(**options: Any) -> tqdm:
    """A bar on standard error. In a log file it is written now and then and at its end, not at each step.

    Args:
        options: of ``tqdm``.
    """
    seldom = {} if sys.stderr.isatty() else dict(mininterval=SELDOM, maxinterval=SELDOM, leave=True)
    return tqdm(**{**options, **seldom})


class Progress:
    """Says nothing; a class on top of it hears.

    Work calls :meth:`step` often, and :meth:`say` where there is something to know.
    """

    def step(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of ``stage`` are done."""

    def say(self, line: str) -> None:
        """Something that the user should know, in one line."""

    def close(self) -> None:
        """The work has ended."""


class Bars(Progress):
    """Bars in the terminal, one for each stage. Its rate does not count what is done at the first step, perhaps by an earlier run.

    Args:
        unit: what is counted.
        leave: let full bars stand.
        label: goes before each stage.
    """

    def __init__(self, unit: str = 'frame', leave: bool = False, label: str = '') -> None:
        self.unit, self.leave, self.label, self._stage, self._bar = unit, leave, label, None, None

    def step(self, stage: str, done: int, total: int) -> None:
        """Show it."""
        if stage != self._stage:
            self.close()
            self._stage, self._bar = stage, bar(
                total=total, initial=done, desc=f'{self.label}{stage}', unit=self.unit, leave=self.leave)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def say(self, line: str) -> None:
        """Print it, above the bar."""
        tqdm.write(spoken(line))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._stage = self._bar = None


def progress_of(wish: bool | Progress, **options: Any) -> Progress:
    """What an argument ``progress`` means.

    Args:
        wish: True for bars, False for nothing, or somebody to tell.
        options: of :class:`Bars`.
    """
    if isinstance(wish, Progress):
        return wish
    return Bars(**options) if wish else Progress()
