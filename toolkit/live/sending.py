"""Sends pictures to a server, in a process of its own: FFmpeg may wait for ever, and holds Python's lock while it connects."""

import errno
import os
import queue
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
_TIME = struct.Struct('<Q')


class Sender:
    """A stream to a server, H.264 in FLV (rtmp) or MPEG-TS.

    Args:
        address: such as rtmp://host/app/key.
        height, width: of all pictures, even.
    """

    def __init__(self, address: str, height: int, width: int) -> None:
        command = [sys.executable, '-m', 'toolkit.live.sending', address, str(height), str(width)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                         env=dict(os.environ, PYTHONPATH=os.pathsep.join(path or os.getcwd() for path in sys.path)))
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._owed, self._cut, self._reached, self._start = 0, False, False, None
        threading.Thread(target=self._listen, name='answers', daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line.decode().strip())
        self._answers.put(None)

    def send(self, picture: np.ndarray) -> None:
        """Send a picture (H, W, 3) uint8 RGB, which is shown now.

        Raises:
            OSError: the server cannot be reached, is gone, or takes nothing for too long. This sender is of no use then.
        """
        now = time.perf_counter()
        self._start = self._start or now
        self._settle()
        self._owed, self._cut = 1, True  # until all of it is written
        with suppress(BrokenPipeError):  # the answer says why
            self._write(_TIME.pack(int((now - self._start) * 1000)) + np.ascontiguousarray(picture).tobytes())
        self._cut = False
        self._settle()
        self._reached = True

    def _write(self, what: bytes) -> None:
        rest = memoryview(what)
        while rest:
            rest = rest[self._process.stdin.write(rest):]

    def _settle(self) -> None:
        """Wait for the answers that are owed."""
        while self._owed:
            try:
                answer = self._answers.get(timeout=ANSWER if self._reached else REACHED)
            except queue.Empty:
                raise TimeoutError(errno.ETIMEDOUT, f'it has taken nothing for {ANSWER:.0f} s' if self._reached else
                                   f'it has not answered for {REACHED:.0f} s') from None
            self._owed -= 1
            if answer is None:
                raise OSError(errno.EPIPE, f'the process that sends has ended ({self._process.wait()})')
            if answer:
                raise OSError(errno.EIO, answer)

    def close(self) -> None:
        """End the stream.

        Raises:
            OSError: as :meth:`send`.
        """
        try:
            if not self._cut:  # half a picture is taken for the end
                self._settle()
            self._owed = 1
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the one that sends pictures ends this one
    pipe, answers, stream, error = sys.stdin.buffer, sys.stdout.buffer, None, ''
    while not error:
        head = _read(pipe, _TIME.size)
        data = head and _read(pipe, height * width * 3)
        _alarm(2 * REACHED)
        try:
            if data:
                stream = stream or _Stream(address, height, width)
                stream.write(np.frombuffer(data, np.uint8).reshape(height, width, 3), _TIME.unpack(head)[0])
            elif stream:
                stream.close()
        except (av.error.FFmpegError, OSError) as caught:
            error = ' '.join(str(caught.strerror or caught).split()) or type(caught).__name__
        _alarm(0)
        answers.write(f'{error}\n'.encode())
        answers.flush()
        if not data:
            break
    os._exit(0)  # closing what is broken may wait for ever


if __name__ == '__main__':
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
