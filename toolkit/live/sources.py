"""Where live frames come from: a camera, a video file played at its own speed, a stream. One that is lost is opened again."""

import itertools
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from toolkit.live.stages import Shot
from toolkit.structures import InputError
from toolkit.video.filters import named_colors
from toolkit.video.io import read_video
from toolkit.video.source import turn_log_off

SCHEMES = ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'udp', 'tcp', 'srt')
OPEN_SECONDS, READ_SECONDS = 10., 5.
PAUSES = .5, 1., 2., 4.
"""Seconds to wait before the next try."""
SIDE = 640
"""Longest side of the frames that are passed on: poses are found as well in them, and it is fast."""
KEY_SECONDS = 15.
"""A stream that sends for so many seconds, but nothing that can be decoded, is lost. Key frames may be many seconds apart, and there is
no picture before the first one."""
PROBE_SECONDS = 1.
"""How long a stream is looked at for what it holds."""


class CameraLost(Exception):
    """No more frames for now; the message says why."""


def is_address(text: str) -> bool:
    """Whether a text is the address of a stream, such as rtsp://camera/1."""
    return re.match(rf'({"|".join(SCHEMES)})://', text) is not None


def open_camera(number: int, size: tuple[int, int] | None = None) -> Iterator[np.ndarray]:
    """Frames of a camera of this computer.

    Args:
        number: 0 is the first.
        size: (H, W) to ask it for; the nearest that it has is taken.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        CameraLost: there is none, or it gives no more frames.
    """
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise CameraLost(f'camera {number} cannot be opened: is it plugged in, used by another program, or forbidden?')
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for key, value in zip((cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH), size or ()):
            camera.set(key, value)
        while True:
            there, frame = camera.read()
            if not there:
                raise CameraLost(f'camera {number} gives no more frames')
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        camera.release()


def open_stream(address: str) -> Iterator[np.ndarray]:
    """Frames of a stream, as they come: with square pixels, and no side longer than :data:`SIDE`. What is damaged is left out.

    Args:
        address: such as rtsp://camera/1.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        CameraLost: it cannot be opened, ends, does not answer, or sends nothing that can be decoded.
    """
    options = dict(flags='low_delay', analyzeduration=str(round(PROBE_SECONDS * 10**6)))
    if address.startswith('rtsp'):
        options['rtsp_transport'] = 'tcp'
    try:
        turn_log_off()
        container = av.open(address, options=options, timeout=(OPEN_SECONDS, READ_SECONDS))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise CameraLost(f'{address} cannot be opened ({_reason(error)})') from error
    with container:
        if not container.streams.video:
            raise CameraLost(f'{address} sends no video')
        stream = container.streams.video[0]
        stream.thread_type = 'SLICE'  # frame threads would hold frames back
        decoded, packets, reformatter = time.perf_counter(), container.demux(stream), VideoReformatter()
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                raise CameraLost(f'{address}: {_reason(error)}') from error
            if packet is None:
                raise CameraLost(f'{address}: the stream ends')
            try:
                frames = [frame for frame in packet.decode() if not frame.is_corrupt]
            except av.error.FFmpegError:
                frames = []
            if frames:
                decoded = time.perf_counter()
            elif time.perf_counter() - decoded > KEY_SECONDS:
                raise CameraLost(f'{address}: has sent nothing that can be decoded for {KEY_SECONDS:.0f} s')
            for frame in frames:
                height, width = frame.height, frame.width * (stream.sample_aspect_ratio or 1)
                factor = min(1, SIDE / max(height, width))
                height, width = (max(1, round(n * factor)) for n in (height, width))
                small = reformatter.reformat(named_colors(frame), width, height, 'rgb24', interpolation=Interpolation.AREA)
                yield small.to_ndarray()


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


class Camera:
    """Frames of something that may be lost, and is opened again then.

    Args:
        name: for messages.
        open: gives its frames from now on.
        patience: seconds without any frame after which it is given up.
        say: called with a line when it is lost, and when it is back.
        pause: waits for so many seconds.
    """

    def __init__(self, name: str, open: Callable[[], Iterator[np.ndarray]], patience: float = 30., say: Callable[[str], None] = print,
                 pause: Callable[[float], None] = time.sleep) -> None:
        self.name, self.open, self.patience, self.say, self.pause = name, open, patience, say, pause

    def __call__(self, take: Callable[[Shot], bool]) -> None:
        """Pass frames on until ``take`` says False.

        Raises:
            InputError: nothing comes for longer than the patience lasts.
        """
        last, lost, tries = time.perf_counter(), '', 0
        while True:
            try:
                for frame in self.open():
                    now = time.perf_counter()
                    frame = usable(frame)
                    if frame is None:
                        lost = f'{self.name} gives frames that are no pictures'
                        if now - last > self.patience:
                            break
                        continue
                    if tries:
                        self.say(f'{self.name} is back')
                    last, tries = now, 0
                    if not take(Shot(frame, now)):
                        return
                else:
                    lost = f'{self.name} ends'
            except CameraLost as error:
                lost = str(error)
            if time.perf_counter() - last > self.patience:
                raise InputError(f'{lost}; tried for {self.patience:.0f} s. Check the camera, or wait longer with --patience')
            if not tries:
                self.say(f'{lost}; trying again')
            self.pause(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1


class PlayedFile:
    """A video file, or a folder of pictures, that plays at its own speed, as a camera would.

    Args:
        path: of it.
        loop: begin again at its end.

    Raises:
        InputError: not a video.
    """

    def __init__(self, path: str | Path, loop: bool = False) -> None:
        self.reader, self.loop = read_video(path, max_side=SIDE), loop

    def __call__(self, take: Callable[[Shot], bool]) -> None:
        """Pass each frame on when it is due, with the time when it was, until the end or until ``take`` says False."""
        start = time.perf_counter()
        for _ in itertools.count() if self.loop else (0,):
            length = 0.
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', UserWarning)
                for frame, at in self.reader:
                    due, length = start + at, at + 1 / float(self.reader.fps)
                    late = time.perf_counter() - due
                    if late < 0:
                        time.sleep(-late)
                    if not take(Shot(frame, max(due, time.perf_counter() - .001) if late < 0 else time.perf_counter())):
                        return
            start = max(start + length, time.perf_counter() - length)


def usable(frame: np.ndarray) -> np.ndarray | None:
    """A frame as (H, W, 3) uint8 RGB of at most :data:`SIDE` pixels a side; None for what is no picture."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or not frame.size or frame.ndim not in (2, 3):
        return None
    if frame.ndim == 2 or frame.shape[2] == 1:
        frame = np.repeat(frame.reshape(*frame.shape[:2], 1), 3, 2)
    if frame.shape[2] not in (3, 4) or min(frame.shape[:2]) < 16:
        return None
    frame = frame[..., :3]
    factor = SIDE / max(frame.shape[:2])
    if factor < 1:
        frame = cv2.resize(frame, (round(frame.shape[1] * factor), round(frame.shape[0] * factor)), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(frame)


def open_source(camera: int | None, given: str | None, loop: bool = False, patience: float = 30.,
                say: Callable[[str], None] = print) -> Callable[[Callable[[Shot], bool]], None]:
    """What gives the shots of a live run.

    Args:
        camera: number of a camera, or None.
        given: a file, a folder of pictures, or an address, where there is no camera.
        loop: play a file again and again.
        patience, say: see :class:`Camera`.

    Raises:
        InputError: none of both, or both, or a file that is no video.
    """
    if (camera is None) == (given is None):
        raise InputError('live takes its frames either from a camera (--camera 0) or from a file or stream (--input): give one of them')
    if given is not None and not is_address(given):
        return PlayedFile(given, loop)
    if loop:
        raise InputError('--loop is for a file; a camera and a stream have no end')
    if camera is not None and camera < 0:
        raise InputError(f'a camera has a number from 0 on, got {camera}')
    if camera is not None:
        return Camera(f'camera {camera}', lambda: open_camera(camera), patience, say)
    return Camera(given, lambda: open_stream(given), patience, say)


