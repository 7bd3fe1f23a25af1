"""Work that runs ahead in a thread of its own: stages of a video that overlap."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar('Item')
AHEAD = 3
END = object()
POLL = .05
"""Seconds after which a thread that waits for room looks whether it is still wanted."""


def ahead(items: Iterable[Item], most: int = AHEAD) -> Iterator[Item]:
    """Take items in a thread of their own, in order, while earlier ones are still in use.

    Numpy, OpenCV, FFmpeg and torch let other threads run while they compute, so that several such stages share the cores. Memory does
    not grow: no more than ``most`` items wait.

    Args:
        items: what is taken; it runs in that thread alone.
        most: how many may wait.

    Yields:
        The items. What goes wrong in the thread is raised here, after the items before it. When it is no longer asked, the thread ends.
    """
    waiting, unwanted = queue.Queue(most), threading.Event()

    def hand_over(item: Item | object, error: BaseException | None = None) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put((item, error), timeout=POLL)
                return True
            except queue.Full:
                pass
        return False

    def work() -> None:
        try:
            for item in items:
                if not hand_over(item):
                    break
            else:
                hand_over(END)
        except BaseException as error:  # whatever it is, the thread that asks for items must learn of it
            hand_over(None, error)
        finally:
            if hasattr(items, 'close'):
                items.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        unwanted.set()
        thread.join()
