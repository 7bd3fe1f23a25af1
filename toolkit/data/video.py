"""Video in and out through PyAV: any input FFmpeg knows, H.264 out."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from toolkit.data.pictures import PICTURE_SUFFIXES, PictureReader
from toolkit.structures import InputError

WRITABLE_SUFFIXES = ('.mp4', '.mkv', '.mov')


def orient(frame: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turn and flip a frame as a display matrix says.

    Args:
        frame: (H, W, C).
        matrix: (2, 2), rows (a, b), (c, d): pixel (x, y) is shown at (a x + c y, b x + d y) up to a shift. Only turns by quarters and
            flips are applied; the nearest one is taken.

    Returns:
        (H, W, C) or (W, H, C).
    """
    (a, b), (c, d) = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        frame, a, d = frame.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(frame[::-1 if d < 0 else 1, ::-1 if a < 0 else 1])


def _display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    for side in frame.side_data:
        if side.type.name == 'DISPLAYMATRIX':
            return np.frombuffer(bytes(side), np.int32)[[0, 1, 3, 4]].reshape(2, 2).astype(float)
    return None


class VideoReader:
    """Streams the frames of a video file in constant memory; can be iterated again and again.

    Rotation and flip flags and non-square pixels are applied. Damaged frames are skipped; where a file stops early, what decodes is
    given, one warning says at which frame, and :attr:`problems` holds the message.

    Args:
        path: a file FFmpeg can read.

    Attributes:
        fps: average frame rate, Fraction.
        num_frames: frames the file announces (an estimate), or None.
        height, width: size of the frames as given, after rotation.
        problems: messages about damage met by the last full iteration.

    Raises:
        InputError: no such file, not a video, no video stream, no frames.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.problems: list[str] = []
        self._reformatter = VideoReformatter()
        with self._open() as container:
            stream = self._stream(container)
            self.codec = stream.codec_context.name
            self.fps = Fraction(stream.average_rate or stream.guessed_rate or 25).limit_denominator(30030)
            self._sar = stream.sample_aspect_ratio or Fraction(1)
            self._duration = self._announced_duration(container, stream)
            self.num_frames = stream.frames or (round(self._duration * self.fps) if self._duration else None)
            first = next(self._decode(container, stream, []), None)
            if first is None:
                raise InputError(f'{self.path}: the video has zero frames that can be decoded')
            self.height, self.width = self._to_array(first).shape[:2]

    def _open(self):
        if not self.path.is_file():
            raise InputError(f'{self.path}: no such file')
        if not self.path.stat().st_size:
            raise InputError(f'{self.path}: the file is empty (0 bytes)')
        try:
            container = av.open(str(self.path), metadata_errors='ignore')
        except PermissionError as error:
            raise InputError(f'{self.path}: no permission to read the file') from error
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(
                f'{self.path}: not a video, or cut off before its index was written (FFmpeg: {error.strerror}); expected a file '
                'FFmpeg can read, try to play it or to copy it again') from error
        if container.format.name == 'tty':
            container.close()
            raise InputError(f'{self.path}: a text file, not a video')
        return container

    def _stream(self, container):
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise InputError(f'{self.path}: holds no video stream')
        streams[0].thread_type = 'AUTO'
        return streams[0]

    @staticmethod
    def _announced_duration(container, stream) -> float | None:
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if len(container.streams) == 1 and container.duration:
            return container.duration / av.time_base
        return None

    @staticmethod
    def _decode(container, stream, problems: list[str]) -> Iterator[av.VideoFrame]:
        damaged, count, ended = 0, 0, None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                ended = f'reading fails after frame {count} ({error.strerror})'
                break
            if packet is None:
                break
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                damaged += bool(frame.is_corrupt)
                count += 1
                yield frame
        if damaged:
            problems.append(f'{damaged} damaged frames')
        if ended:
            problems.append(ended)

    def _to_array(self, frame: av.VideoFrame) -> np.ndarray:
        array = self._reformatter.reformat(frame, format='rgb24').to_ndarray()
        if self._sar != 1:
            array = cv2.resize(array, (max(1, round(array.shape[1] * self._sar)), array.shape[0]), interpolation=cv2.INTER_LINEAR)
        matrix = _display_matrix(frame)
        return array if matrix is None else orient(array, matrix)

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yields (frame (H, W, 3) uint8 RGB, time in seconds since the first frame)."""
        problems, count, start, end = [], 0, None, 0.0
        with self._open() as container:
            for frame in self._decode(container, self._stream(container), problems):
                seconds = frame.time if frame.time is not None else count / float(self.fps)
                start = seconds if start is None else start
                array = self._to_array(frame)
                if array.shape[:2] != (self.height, self.width):
                    array = cv2.resize(array, (self.width, self.height), interpolation=cv2.INTER_AREA)
                count, end = count + 1, seconds - start + 1 / float(self.fps)
                yield array, seconds - start
        if self._duration and end < .95 * self._duration - .2:
            problems.append(f'truncated: ends after frame {count} ({end:.2f} s of {self._duration:.2f} s)')
        self.problems = problems
        if problems:
            warnings.warn(f'{self.path}: {"; ".join(problems)}', stacklevel=2)

    def times(self) -> np.ndarray:
        """Times of all frames from the packets alone, without decoding: (T,) float64 seconds since the first."""
        with self._open() as container:
            stream, times = self._stream(container), []
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except (av.error.FFmpegError, OSError):
                    break
                if packet is None:
                    break
                if packet.pts is not None and packet.size:
                    times.append(float(packet.pts * packet.time_base))
        times = np.unique(np.array(times, np.float64))
        return times - times[0] if len(times) else np.arange(self.num_frames or 0) / float(self.fps)


def read_video(path: str | Path, fps: float | Fraction = 25) -> VideoReader | PictureReader:
    """Open a video, an animated GIF, a folder of pictures or a single picture for reading.

    Args:
        path: file or folder.
        fps: frame rate to assume for pictures; videos know their own.

    Returns:
        A reader with ``fps``, ``num_frames``, ``height``, ``width``; iterating yields (frame (H, W, 3) uint8 RGB, time in seconds).

    Raises:
        InputError: the message names the path and what is wrong with it.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureReader(path, fps)
    return VideoReader(path)


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video without decoding it.

    Attributes:
        codec: name of the codec, or ``pictures``.
        fps: average frame rate.
        num_frames: number of coded frames.
        height, width: of the frames as shown.
        duration: seconds.
        variable: the frame rate varies.
        gaps: numbers of the frames before which at least one frame is missing in a stream of constant rate.
    """

    codec: str
    fps: Fraction
    num_frames: int
    height: int
    width: int
    duration: float
    variable: bool
    gaps: tuple[int, ...]


def video_info(path: str | Path) -> VideoInfo:
    """Size, rate, number of frames, and where the time stamps have gaps, from packets alone.

    A stream counts as variable when more than a tenth of its frames last 1.5 times longer or shorter than the median frame.

    Raises:
        InputError: as :func:`read_video`.
    """
    reader = read_video(path)
    times = reader.times()
    steps = np.diff(times)
    median = float(np.median(steps)) if len(steps) else 1 / float(reader.fps)
    uneven = (steps > 1.5 * median) | (steps < median / 1.5)
    variable = bool(len(steps) and uneven.mean() > .1)
    gaps = () if variable else tuple(int(i) + 1 for i in np.flatnonzero(steps > 1.5 * median))
    duration = float(times[-1]) + median if len(times) else 0.
    return VideoInfo(reader.codec, reader.fps, len(times), reader.height, reader.width, duration, variable, gaps)


class VideoWriter:
    """Writes H.264 (yuv420p, BT.709), which browsers play. Frames of odd size are padded to even by repeating the last row or column.

    The file appears under its name only when it is complete; after an error in the ``with`` block the frames so far stay, playable, in
    ``<name>.partial<suffix>``.

    Args:
        path: file to write, .mp4, .mkv or .mov; folders are made.
        fps: frames per second.
        size: (H, W), or None to take it from the first frame.
        crf: quality, 0 (lossless) to 51 (worst).
        preset: x264's trade of speed for size.

    Raises:
        InputError: unwritable path, unknown suffix, a frame of another size or kind, no frame written.
    """

    def __init__(self, path: str | Path, fps: float | Fraction, size: tuple[int, int] | None = None, crf: int = 18,
                 preset: str = 'medium'):
        self.path = Path(path)
        if self.path.suffix.lower() not in WRITABLE_SUFFIXES:
            raise InputError(f'{self.path}: videos are written as {", ".join(WRITABLE_SUFFIXES)}, not as {self.path.suffix!r}')
        self.fps = Fraction(fps).limit_denominator(30030)
        if self.fps <= 0:
            raise InputError(f'{self.path}: fps must be positive, got {fps}')
        self.size, self.num_frames = tuple(size) if size else None, 0
        self._options = dict(crf=str(crf), preset=preset)
        self._partial = self.path.with_name(f'{self.path.stem}.partial{self.path.suffix}')
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            options = {'movflags': 'faststart'} if self.path.suffix.lower() != '.mkv' else {}
            self._partial.touch()
            self._container = av.open(str(self._partial), 'w', options=options)
        except OSError as error:
            raise InputError(f'{self.path}: cannot write here ({error.strerror}); choose another path') from error
        self._stream = None

    def _start(self) -> None:
        height, width = (n + n % 2 for n in self.size)
        try:
            self._stream = self._container.add_stream('libx264', rate=self.fps, options=self._options)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError('this FFmpeg has no H.264 encoder (libx264); install PyAV from its wheels') from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, 'yuv420p'
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, (H, W, 3) uint8 RGB."""
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise InputError(f'{self.path}: frame {self.num_frames} must be (H, W, 3) uint8 RGB, got {frame.shape} {frame.dtype}')
        self.size = self.size or frame.shape[:2]
        if frame.shape[:2] != self.size:
            raise InputError(f'{self.path}: frame {self.num_frames} is {frame.shape[:2]} (H, W), the video is {self.size}')
        if self._stream is None:
            self._start()
        height, width = self.size
        if height % 2 or width % 2:
            frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
        picture = picture.reformat(format='yuv420p', dst_colorspace='ITU709', src_color_range='JPEG', dst_color_range='MPEG')
        picture.pts, picture.time_base = self.num_frames, 1 / self.fps
        self._mux(picture)
        self.num_frames += 1

    def _mux(self, picture: av.VideoFrame | None) -> None:
        with self._naming_full_disk():
            self._container.mux(self._stream.encode(picture))

    @contextmanager
    def _naming_full_disk(self):
        try:
            yield
        except OSError as error:
            raise InputError(f'{self.path}: writing fails at frame {self.num_frames} ({error.strerror}); is the disk full?') from error

    def _finish_partial(self) -> None:
        try:
            if self._stream is not None:
                self._mux(None)
        finally:
            with self._naming_full_disk():
                self._container.close()

    def close(self) -> None:
        """Finish the file and give it its name."""
        if not self.num_frames:
            self._container.close()
            self._partial.unlink(missing_ok=True)
            raise InputError(f'{self.path}: no frame was written')
        self._finish_partial()
        self._partial.replace(self.path)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        elif self.num_frames:
            self._finish_partial()
        else:
            self._container.close()
            self._partial.unlink(missing_ok=True)
