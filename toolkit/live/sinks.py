"""Where live pictures go: a window, a video file, a stream, a virtual camera."""

import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from toolkit.live.sending import Sender, listens
from toolkit.structures import InputError
from toolkit.video.io import VideoWriter
from toolkit.video.reader import fit_into

FILE_FPS = 25
ADDRESSES = ('rtmp://', 'rtmps://', 'udp://', 'srt://', 'tcp://')
RETRY = 2.
"""Seconds before a stream that was lost is opened again."""


class Sink:
    """Where pictures go."""

    def show(self, picture: np.ndarray) -> str | None:
        """Take a picture (H, W, 3) uint8 RGB.

        Returns:
            'end' to end the run, 'again' to fit the movement to the body anew, else None.
        """
        raise NotImplementedError

    def wait(self, picture: np.ndarray) -> str | None:
        """Nothing new is there to show; called ten times a second.

        Args:
            picture: (H, W, 3) uint8 RGB for those who look already, where nothing was shown yet.

        Returns:
            As :meth:`show`.
        """

    def close(self) -> None:
        """No more pictures come."""


class Window(Sink):
    """A window on this computer's screen; q or Esc closes it, r fits the movement to the body anew. It opens with the first picture: an
    open one must react all the time.

    Raises:
        InputError: there is no screen, or OpenCV cannot make windows.
    """

    def __init__(self) -> None:
        if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
            raise InputError('there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can be shown; write a file '
                             'or a stream instead: --out live.mp4, --out rtmp://host/app/key')
        try:
            self._open()
            self.close()
        except cv2.error as error:
            raise InputError('this OpenCV cannot make windows (is opencv-python-headless installed?): pip install opencv-python, or '
                             'write a file: --out live.mp4') from error
        self.size, self.waits = None, True

    @staticmethod
    def _open() -> None:
        cv2.namedWindow('live', cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, picture: np.ndarray) -> str | None:
        """Show a picture; returns what the key that was pressed, or the window's button, means."""
        self.waits = False
        self._draw(picture)
        return self._pressed()

    def wait(self, picture: np.ndarray) -> str | None:
        """As :meth:`show`, where nothing else was shown."""
        if self.waits:
            self._draw(picture)
        return self._pressed()

    def _draw(self, picture: np.ndarray) -> None:
        if self.size is None:
            self._open()
        if self.size != picture.shape:
            self.size = picture.shape
            cv2.resizeWindow('live', picture.shape[1], picture.shape[0])
        cv2.imshow('live', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    @staticmethod
    def _pressed() -> str | None:
        key = cv2.waitKey(1) & 0xff
        if key in (27, ord('q')) or cv2.getWindowProperty('live', cv2.WND_PROP_VISIBLE) < 1:
            return 'end'
        return 'again' if key == ord('r') else None

    def close(self) -> None:
        """Close the window."""
        with suppress(cv2.error):  # it is closed already
            cv2.destroyWindow('live')


class File(Sink):
    """A video file that plays as fast as life: each picture is in it once, at the time when it was shown.

    Args:
        path: to write.
        overwrite: replace a file that is there.

    Raises:
        InputError: it cannot be written, or is there already.
    """

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        self.writer, self.start = VideoWriter(path, FILE_FPS, preset='ultrafast', overwrite=overwrite, timed=True), None

    def show(self, picture: np.ndarray) -> None:
        """Append a picture (H, W, 3) uint8 RGB."""
        now = time.perf_counter()
        self.start = self.start or now
        if self.writer.size and picture.shape[:2] != self.writer.size:
            picture, _ = fit_into(picture, *self.writer.size)
        self.writer.write(picture, now - self.start)

    def close(self) -> None:
        """Finish the file; none is left where no picture came."""
        if self.writer.num_frames:
            self.writer.close()
        else:
            self.writer.__exit__(InputError, None, None)


class Stream(Sink):
    """A stream to a server, H.264 in FLV (rtmp) or MPEG-TS. A server that goes away, or takes nothing for five seconds, is tried again
    every two seconds. At an address that listens pictures are left out until somebody connects.

    Args:
        address: such as rtmp://host/app/key.
        say: called with a line when the server is lost, and when it is back.

    Raises:
        InputError: it cannot be reached at the start.
    """

    def __init__(self, address: str, say=print) -> None:
        self.address, self.say, self.sender, self.size = address, say, None, None
        self.reached, self.lost_at = False, None

    def show(self, picture: np.ndarray) -> None:
        """Send a picture (H, W, 3) uint8 RGB; it is left out while the server is away."""
        if self.sender is None and self.lost_at and time.perf_counter() - self.lost_at < RETRY:
            return
        self.size = self.size or tuple(n - n % 2 for n in picture.shape[:2])
        if tuple(n - n % 2 for n in picture.shape[:2]) != self.size:
            picture, _ = fit_into(picture, *self.size)
        try:
            self.sender = self.sender or Sender(self.address, *self.size, waits=not self.reached and not listens(self.address))
            taken = self.sender.send(picture[:self.size[0], :self.size[1]])
        except OSError as error:
            if self.sender is not None:
                self.sender.kill()
                self.sender = None
            if not self.reached:
                raise InputError(f'{self.address}: cannot be reached ({error.strerror or error}); is the server running, and the key '
                                 'right?') from error
            if self.lost_at is None:
                self.say(f'{self.address} is lost ({error.strerror or error}); trying again')
            self.lost_at = time.perf_counter()
            return
        if taken:
            self.reached = True
            if self.lost_at:
                self.say(f'{self.address} is back')
                self.lost_at = None

    def close(self) -> None:
        """End the stream."""
        if self.sender is not None:
            sender, self.sender = self.sender, None
            try:
                sender.close()
            except OSError as error:
                self.say(f'{self.address}: {error.strerror or error}')


class VirtualCamera(Sink):
    """A camera that other programs see, by pyvirtualcam.

    Raises:
        InputError: pyvirtualcam or its driver is not installed.
    """

    def __init__(self) -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise InputError('a virtual camera needs pyvirtualcam: pip install pyvirtualcam; on Linux also the driver v4l2loopback, on '
                             'Windows and macOS OBS') from error
        self.module, self.camera = pyvirtualcam, None

    def show(self, picture: np.ndarray) -> None:
        """Send a picture (H, W, 3) uint8 RGB."""
        if self.camera is None:
            try:
                self.camera = self.module.Camera(width=picture.shape[1], height=picture.shape[0], fps=FILE_FPS)
            except RuntimeError as error:
                raise InputError(f'no virtual camera can be opened ({error}); install its driver: v4l2loopback on Linux, OBS on '
                                 'Windows and macOS') from error
        if picture.shape[:2] != (self.camera.height, self.camera.width):
            picture, _ = fit_into(picture, self.camera.height, self.camera.width)
        self.camera.send(picture)

    def close(self) -> None:
        """Give the camera back."""
        if self.camera is not None:
            self.camera.close()


def output_file(out: str | Path) -> Path | None:
    """The video file that ``out`` of :func:`open_sink` names; None for what is no file.

    Raises:
        InputError: an address to which no stream can be sent.
    """
    if not str(out).startswith(ADDRESSES) and re.match(r'[A-Za-z]\w+://', str(out)):
        raise InputError(f'{out}: streams are sent to {", ".join(ADDRESSES)}; choose one of these, or a video file')
    return None if str(out) in ('window', 'camera') or str(out).startswith(ADDRESSES) else Path(out)


def open_sink(out: str | Path, overwrite: bool = False) -> Sink:
    """Where pictures go.

    Args:
        out: 'window', 'camera' (a virtual one), an address such as rtmp://host/app/key, or a video file.
        overwrite: replace a file that is there.

    Raises:
        InputError: it cannot be opened.
    """
    if (path := output_file(out)) is not None:
        return File(path, overwrite)
    return {'window': Window, 'camera': VirtualCamera}.get(str(out), lambda: Stream(str(out)))()
