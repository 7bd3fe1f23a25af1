"""The live mode of the page: pictures of a browser's camera go to a job, and what it paints comes back, newest first.

::

    browser -- WebSocket --> relay -- pipe --> Wire, in the process of the job: toolkit.live.run.Live
            <--------------        <--------

A picture travels as a JPEG behind 8 bytes, the time of the browser's clock at which the camera took it; the picture that was painted
of it has the same time. So the browser knows how late it is, glass to glass. Every place on the way holds one picture, and drops it
when a newer one comes.
"""

import asyncio
import concurrent.futures
import io
import json
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import cv2
import numpy as np
from PIL import Image

from toolkit.live.run import View
from toolkit.live.sinks import Sink
from toolkit.live.sources import usable
from toolkit.live.stages import Latest, Shot

STAMP = struct.Struct('<d')
MOST_BYTES, MOST_PIXELS = 500_000, 1280 * 1280
"""Of a picture of a camera."""
END, AGAIN, READY = b'end', b'again', b'ready'
QUALITY = 85
PATIENCE = 10.
"""The job ends when the browser has sent no picture for so many seconds."""


@dataclass
class Stamped(Shot):
    """A shot that knows when the browser's camera took it.

    Attributes:
        stamp: of the browser's clock.
    """

    stamp: float = 0.


class Wire(Sink):
    """The end of the pipe in the job: the source, the view and the sink of a live run at once.

    Args:
        pipe: to the server.
    """

    def __init__(self, pipe: Connection) -> None:
        self.pipe, self._view, self._stamp, self._key = pipe, View(figures=False), 0., None

    def __call__(self, take: Callable[[Shot], bool]) -> None:
        """Pass pictures on until the browser goes or ``take`` says False; what is no picture is left out."""
        with suppress(EOFError, OSError):  # the server has gone
            self.pipe.send_bytes(READY)
            while (message := self.pipe.recv_bytes()) != END:
                now = time.perf_counter()
                if message == AGAIN:
                    self._key = 'again'
                    continue
                frame = decoded(message[STAMP.size:])
                if frame is not None and not take(Stamped(frame, now, stamp=STAMP.unpack_from(message)[0])):
                    return

    def compose(self, shot: Shot, line: str) -> np.ndarray:
        """The picture to send; the browser writes the figures on it."""
        self._stamp = getattr(shot, 'stamp', self._stamp)
        return self._view.compose(shot, line)

    def show(self, picture: np.ndarray) -> str | None:
        """Send a picture (H, W, 3) uint8 RGB.

        Returns:
            'end' where nobody takes it, 'again' where the visitor wants to be measured anew.
        """
        data = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        try:
            self.pipe.send_bytes(STAMP.pack(self._stamp) + data)
        except OSError:
            return 'end'
        key, self._key = self._key, None
        return key


def decoded(data: bytes) -> np.ndarray | None:
    """A JPEG of a browser as (H, W, 3) uint8 RGB; None for what is none, or too large."""
    try:
        image = Image.open(io.BytesIO(data), formats=['JPEG'])
        return usable(np.asarray(image.convert('RGB'))) if image.width * image.height <= MOST_PIXELS else None
    except Exception:  # decoders raise errors of all kinds for what a stranger sends
        return None


class Relay:
    """Passes messages between a visitor's socket and the pipe of a job, in two threads; the socket itself is used by its own loop.

    Args:
        socket: with ``send_bytes`` and ``send_text``, coroutines.
        pipe: to the job.
        ended: waits for the job, and says how it ended, for the browser.
    """

    def __init__(self, socket, pipe: Connection, ended: Callable[[], dict]) -> None:
        self.socket, self.pipe, self.ended = socket, pipe, ended
        self.loop, self.there = asyncio.get_running_loop(), True
        self.inbox, self.closed = Latest(), threading.Event()
        for work in (self._up, self._down):
            threading.Thread(target=work, daemon=True).start()

    def put(self, message: bytes | str) -> None:
        """A message of the browser: a picture, or 'again'. Anything else is left out."""
        if message == AGAIN.decode():
            self.inbox.put(AGAIN)
        elif isinstance(message, bytes) and STAMP.size < len(message) <= MOST_BYTES:
            self.inbox.put(message)

    def leave(self) -> None:
        """The browser has gone."""
        self.there = False
        self.inbox.put(END)
        self.inbox.close()

    def _up(self) -> None:
        while (message := self.inbox.get()) is not None:
            try:
                self.pipe.send_bytes(message)
            except OSError:  # the job has ended; it is told below
                return

    def _down(self) -> None:
        """Until the job has ended. Where the browser is slow, this waits, and the job drops pictures."""
        try:
            while True:
                message = self.pipe.recv_bytes()
                self._send(self.socket.send_text('{"ready": true}') if message == READY else self.socket.send_bytes(message))
        except (EOFError, OSError):
            if self.there:
                self._send(self.socket.send_text(json.dumps(self.ended())))
        finally:
            self.inbox.close()
            self.pipe.close()
            self.closed.set()

    def _send(self, sending) -> None:
        if not self.there:
            sending.close()
            return
        from starlette.websockets import WebSocketDisconnect
        sent = asyncio.run_coroutine_threadsafe(sending, self.loop)
        try:
            sent.result(PATIENCE)
        except concurrent.futures.TimeoutError:
            sent.cancel()
            self.there = False
            raise OSError('the browser takes nothing') from None  # the job ends
        except (WebSocketDisconnect, RuntimeError, OSError, CancelledError):  # the browser has gone, or the server's loop has
            self.there = False
