"""Threads that pass frames on, each to the next, and drop what is stale."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LOOK = .1
"""Seconds after which somebody who waits for a picture looks at other things."""


@dataclass
class Shot:
    """A frame on its way through the stages.

    Attributes:
        frame: (H, W, 3) uint8 RGB as it came.
        time: when, in seconds of :func:`time.perf_counter`.
        value: what the last stage made of it.
        pose: (18, 3) that was found in the frame; None before.
        spans: stage -> (begun, done), seconds of the same clock.
        work: stage -> seconds in which its thread had a processor.
    """

    frame: np.ndarray
    time: float
    value: Any = None
    pose: np.ndarray | None = None
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)


class Latest:
    """A queue of a few items that never makes anybody wait who brings one: the oldest is dropped.

    Args:
        depth: most items.
    """

    def __init__(self, depth: int = 1) -> None:
        self._items: deque = deque()
        self.depth, self.dropped, self.closed = depth, 0, False
        self._changed = threading.Condition()

    def put(self, item: Any) -> None:
        """Bring an item; nothing happens when the queue is closed."""
        with self._changed:
            if self.closed:
                return
            if len(self._items) == self.depth:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> Any:
        """Take the oldest item.

        Args:
            timeout: seconds to wait; None waits for ever.

        Returns:
            The item; None where none came in time, or where the queue is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self.closed, timeout)
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Nothing more comes; what is there can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Closed and empty."""
        with self._changed:
            return self.closed and not self._items


class Chain:
    """Stages one after the other, each in a thread of its own, with a queue before each that keeps the newest frame alone.

    Args:
        source: gives shots, called with the function that takes each; it returns when there are no more, or when that says False.
        stages: name -> function of a shot. What it returns is the shot's value; None drops the shot.

    Attributes:
        out: queue of what comes out.
        failure: what a stage was ended by; everything ends with it.
        captured: shots that came in.
    """

    def __init__(self, source: Callable[[Callable[[Shot], bool]], None], stages: dict[str, Callable[[Shot], Any]]) -> None:
        self.queues = {name: Latest() for name in (*stages, 'show')}
        self.out, self.failure, self.captured, self.newest = self.queues['show'], None, 0, time.perf_counter()
        names = list(self.queues)
        self._stop = threading.Event()
        works = [lambda: source(self._take), *(self._stage(name, work, self.queues[after])
                                               for (name, work), after in zip(stages.items(), names[1:]))]
        ends = [self.queues[names[0]], *(self.queues[name] for name in names[1:])]
        self._threads = [threading.Thread(target=self._guarded, args=(work, queue), name=name, daemon=True)
                         for work, queue, name in zip(works, ends, ('capture', *stages))]

    def warm_up(self, shot: Shot, timeout: float = 120., ended: Callable[[], bool] = lambda: False) -> bool:
        """Start the stages and wait for what they make of a shot that does not count: networks are loaded and slow at first.

        Args:
            shot: it.
            timeout: seconds to wait at most.
            ended: asked ten times a second whether to wait no longer.

        Returns:
            False where that was so.
        """
        for thread in self._threads[1:]:
            thread.start()
        next(iter(self.queues.values())).put(shot)
        until = time.perf_counter() + timeout
        while self.out.get(LOOK) is None and not self.out.ended and time.perf_counter() < until:
            if ended():
                return False
        return True

    def start(self) -> None:
        """Take shots from the source."""
        self.newest = time.perf_counter()
        self._threads[0].start()

    def stop(self, timeout: float = 2.) -> None:
        """End all stages; one that hangs, such as a camera that does not answer, is left behind."""
        self._stop.set()
        for queue in self.queues.values():
            queue.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)

    def _take(self, shot: Shot) -> bool:
        """Bring a shot from the source; False tells it to end."""
        self.captured += 1
        self.newest = time.perf_counter()
        shot.spans['capture'] = shot.time, self.newest
        self.queues[next(iter(self.queues))].put(shot)
        return not self._stop.is_set()

    def _stage(self, name: str, work: Callable[[Shot], Any], after: Latest) -> Callable[[], None]:
        inbox = self.queues[name]

        def run() -> None:
            while (shot := inbox.get()) is not None and not self._stop.is_set():
                begun, worked = time.perf_counter(), time.thread_time()
                shot.value = work(shot)
                shot.spans[name], shot.work[name] = (begun, time.perf_counter()), time.thread_time() - worked
                if shot.value is not None:
                    after.put(shot)
        return run

    def _guarded(self, work: Callable[[], None], after: Latest) -> None:
        try:
            work()
        except BaseException as error:  # handed to the main thread, which raises it
            self.failure = self.failure or error
            self._stop.set()
        finally:
            after.close()
