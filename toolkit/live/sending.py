"""Sends pictures to a server, in a process of its own: FFmpeg may wait for ever, and holds Python's lock while it connects."""

import errno
import os
import queue
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np

from toolkit.video.primaries import BT709
from toolkit.video.source import turn_log_off

ANSWER = 5.
"""A server that takes nothing for so many seconds is lost."""
REACHED = 10.
"""A server that does not answer for so many seconds at first cannot be reached."""
LISTENS = 3600.
"""So many seconds it waits for somebody to connect."""
_TIME = struct.Struct('<Q')


def listens(address: str) -> bool:
    """Whether an address says to wait for somebody who connects, such as tcp://0.0.0.0:9000?listen=1."""
    return re.search(r'[?&](listen=[12]|mode=listener)(&|$)', address) is not None


class Sender:
    """A stream to a server, H.264 in FLV (rtmp) or MPEG-TS.

    Args:
        address: such as rtmp://host/app/key.
        height, width: of all pictures, even.
        waits: wait for the server with the first picture, for at most :data:`REACHED` seconds. Else pictures are left out until it
            answers, which may take as long, and for somebody who connects to us for ever.
    """

    def __init__(self, address: str, height: int, width: int, waits: bool = True) -> None:
        command = [sys.executable, '-m', 'toolkit.live.sending', address, str(height), str(width)]
        self._process = subprocess.Popen(  # Ctrl-C is for us alone
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(path or os.getcwd() for path in sys.path)))
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._waits, self._listens = waits, listens(address)
        self._owed, self._cut, self._reached, self._start, self._asked = 0, False, False, None, 0.
        threading.Thread(target=self._listen, name='answers', daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line.decode().strip())
        self._answers.put(None)

    def send(self, picture: np.ndarray) -> bool:
        """Send a picture (H, W, 3) uint8 RGB, which is shown now.

        Returns:
            Whether the server has taken it; else it has not answered yet.

        Raises:
            OSError: the server cannot be reached, is gone, or takes nothing for too long. This sender is of no use then.
        """
        if not self._settle():
            return False
        self._asked = time.perf_counter()
        self._start = self._start or self._asked
        self._owed, self._cut = 1, True  # until all of it is written
        with suppress(BrokenPipeError):  # the answer says why
            self._write(_TIME.pack(int((self._asked - self._start) * 1000)) + np.ascontiguousarray(picture).tobytes())
        self._cut = False
        return self._settle()

    def _write(self, what: bytes) -> None:
        rest = memoryview(what)
        while rest:
            rest = rest[self._process.stdin.write(rest):]

    def _settle(self) -> bool:
        """Take the answer that is owed; False where there is none yet, and it is not waited for."""
        if not self._owed:
            return True
        waits, left = self._waits or self._reached, self._asked + (ANSWER if self._reached else REACHED) - time.perf_counter()
        try:
            answer = self._answers.get(timeout=max(left, 0)) if waits else self._answers.get_nowait()
        except queue.Empty:
            if not waits and (self._listens or left > 0):
                return False
            raise TimeoutError(errno.ETIMEDOUT, f'it has taken nothing for {ANSWER:.0f} s' if self._reached else
                               f'it has not answered for {REACHED:.0f} s') from None
        self._owed = 0
        if answer is None:
            raise OSError(errno.EPIPE, f'the process that sends has ended ({self._process.wait()})')
        if answer:
            raise OSError(errno.EIO, answer)
        self._reached = True
        return True

    def close(self) -> None:
        """End the stream.

        Raises:
            OSError: as :meth:`send`.
        """
        try:
            if self._reached:
                if not self._cut:  # half a picture is taken for the end
                    self._settle()
                self._owed, self._asked = 1, time.perf_counter()
                self._process.stdin.close()
                self._settle()
        finally:
            self.kill()

    def kill(self) -> None:
        """Let go of the server at once."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._process.stdin.close()


class _Stream:
    """What the process of a sender writes to."""

    def __init__(self, address: str, height: int, width: int) -> None:
        turn_log_off()
        self.container = av.open(address, 'w', format='flv' if address.startswith('rtmp') else 'mpegts')
        self.stream = self.container.add_stream('libx264', rate=30, options=dict(preset='veryfast', tune='zerolatency', g='60'))
        self.stream.height, self.stream.width, self.stream.pix_fmt = height, width, 'yuv420p'
        context = self.stream.codec_context
        context.time_base = Fraction(1, 1000)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = 1
        self.last = -1

    def write(self, picture: np.ndarray, at: int) -> None:
        frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
        self.last = frame.pts = max(at, self.last + 1)
        frame.time_base = Fraction(1, 1000)
        frame = frame.reformat(format='yuv420p', dst_colorspace='ITU709', src_color_range='JPEG', dst_color_range='MPEG')
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        self.container.mux(self.stream.encode(None))
        self.container.close()


def _read(pipe: BinaryIO, size: int) -> bytes | None:
    """So many bytes, or None at the end."""
    data = pipe.read(size)
    return data if len(data) == size else None


def _alarm(seconds: float) -> None:
    """End this process if it is not told otherwise for so long; where the one that it sends for was killed, nobody else would."""
    if hasattr(signal, 'setitimer'):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _main(address: str, height: int, width: int) -> None:
    """Take pictures from the standard input, and answer each on the standard output with an empty line, or with what went wrong."""
    pipe, answers, stream, error = sys.stdin.buffer, sys.stdout.buffer, None, ''
    while not error:
        head = _read(pipe, _TIME.size)
        data = head and _read(pipe, height * width * 3)
        _alarm(LISTENS if listens(address) and stream is None else 2 * REACHED)
        try:
            if data:
                stream = stream or _Stream(address, height, width)
                stream.write(np.frombuffer(data, np.uint8).reshape(height, width, 3), _TIME.unpack(head)[0])
            elif stream:
                stream.close()
        except (av.error.FFmpegError, OSError) as caught:
            error = ' '.join(str(caught.strerror or caught).split()) or type(caught).__name__
        _alarm(0)
        with suppress(OSError):  # nobody is there any more: the input ends, too
            answers.write(f'{error}\n'.encode())
            answers.flush()
        if not data:
            break
    os._exit(0)  # closing what is broken may wait for ever


if __name__ == '__main__':
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
