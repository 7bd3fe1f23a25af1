"""Video in and out through PyAV: any input FFmpeg knows, H.264 out."""

import errno
import warnings
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from toolkit.clips.folder import is_clip
from toolkit.locks import locked
from toolkit.outputs import TakenError, give_name, hidden, partial_video, refuse_existing
from toolkit.structures import InputError
from toolkit.video.frame_times import MAX_RATE, is_variable, stands_still, usual_step
from toolkit.video.picture_file import PICTURE_SUFFIXES, is_heif
from toolkit.video.pictures import PictureReader, open_pictures
from toolkit.video.reader import VideoReader
from toolkit.video.sound import PROBLEMS as SOUND_PROBLEMS
from toolkit.video.sound import SoundTrack
from toolkit.video.source import address, open_video, require_source, turn_log_off

WRITABLE_SUFFIXES = ('.mp4', '.mkv', '.mov')
LEAST_FPS, MOST_FPS = Fraction(1, 30030), 10**6
"""Frames a second: files keep them as a quotient of whole numbers."""
TICK = Fraction(1, 1000)
"""Seconds in which the times of frames are counted that come when they come."""


def read_video(path: str | Path, fps: float | Fraction = 25, max_side: int | None = None) -> VideoReader | PictureReader:
    """Open a video, an animated picture (GIF, PNG, WebP, AVIF), a folder of pictures or a single picture for reading.

    Args:
        path: file or folder.
        fps: frame rate to assume for pictures; videos know their own.
        max_side: make frames smaller as they are read, so that no side is longer than this; None keeps their size.

    Returns:
        A reader with ``fps``, ``num_frames``, ``height``, ``width``, ``full_size``, ``problems`` and ``notes``; iterating yields
        (frame (H, W, 3) uint8 RGB, time in seconds), times strictly increasing; ``times()`` are those of all frames, ``numbers()``
        their numbers in the source; ``at_most(max_side)`` gives a reader of smaller frames.

    Raises:
        InputError: the message names the path and what is wrong with it.
    """
    path = Path(path)
    require_source(path)
    if is_clip(path):
        raise InputError(f'{path}: a prepared clip, which is ready as it is; give the video that it was made of, or this folder where '
                         'clips are taken (--data)')
    if path.is_dir() or path.suffix.lower() in (*PICTURE_SUFFIXES, '.gif') or is_heif(path):
        return open_pictures(path, fps, max_side)
    return VideoReader(path, max_side)


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
        sample_rate: frames a second to sample the video at, where its own times are not to be taken: they vary, have long gaps, or are
            closer than :data:`~toolkit.video.frame_times.MAX_RATE` allows. None: every frame is taken.
    """

    codec: str
    fps: Fraction
    num_frames: int
    height: int
    width: int
    duration: float
    variable: bool
    gaps: tuple[int, ...]
    sample_rate: float | None


def video_info(source: str | Path | VideoReader | PictureReader) -> VideoInfo:
    """Size, rate, number of frames, and where the time stamps have gaps, without decoding.

    A stream counts as variable when more than a tenth of its frames last 1.5 times longer or shorter than the median frame.

    Args:
        source: a path, or a reader that is open already.

    Raises:
        InputError: as :func:`read_video`.
    """
    reader = read_video(source) if isinstance(source, (str, Path)) else source
    times = reader.times()
    steps = np.diff(times)
    median = usual_step(times) or 1 / float(reader.fps)
    variable = is_variable(times)
    gaps = () if variable else tuple(int(i) + 1 for i in np.flatnonzero(steps > 1.5 * median))
    duration = float(times[-1]) + median if len(times) else 0.
    sampled = variable or stands_still(times) or len(steps) / max(duration, 1e-9) > 1.02 * MAX_RATE
    return VideoInfo(reader.codec, reader.fps, len(times), *reader.full_size, duration, variable, gaps,
                     float(reader.fps) if sampled else None)


def check_suffix(path: str | Path) -> None:
    """Refuse a name that :class:`VideoWriter` would not write to.

    Raises:
        InputError: a suffix of no video.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in WRITABLE_SUFFIXES:
        raise InputError(f'{path}: videos are written as {", ".join(WRITABLE_SUFFIXES)}, not as {suffix!r}')


THREADS = 4
"""Of the encoder, on any machine: by itself it cuts each frame into as many slices as there are cores, and writes other bytes."""

SAME_EVERYWHERE = 'cpu-independent=1'
"""Of the encoder: the same bytes from any processor. With AVX-512 it also wrote other bytes of a small video at each try."""

RECOVERS = av.library_versions['libavformat'] >= (61, 7)
"""Whether this FFmpeg can write an MP4 that plays however the writing ends, and is an ordinary one when it ends well."""


class VideoWriter:
    """Writes H.264 (yuv420p, BT.709), which browsers play. Frames of odd size are padded to even by repeating the last row or column.

    The file appears under its name only when it is complete and on the disk; after an error in the ``with`` block the frames so far
    stay, playable, in :func:`toolkit.outputs.partial_video` (a recording in ``.<stem>.recorded<suffix>``). Those of an earlier error
    stay there until then.

    Args:
        path: file to write, .mp4, .mkv or .mov; folders are made.
        fps: frames per second.
        size: (H, W), or None to take it from the first frame.
        crf: quality, 0 (lossless) to 51 (worst).
        preset: x264's trade of speed for size.
        overwrite: replace a file of that name.
        sound: file with sound that begins with the first frame; as much of it as the frames last goes in. Where it cannot be put in, a
            warning says why.
        timed: each frame comes with its time, and ``fps`` is about how many come. Such a recording cannot be made again: all but its
            last seconds play even after a kill, and the next writer of this name, of any kind, calls them ``<stem>_earlier_<n>``,
            with a warning.

    Raises:
        InputError: a file is there already, or has come when all is written; another process is writing it; unwritable path, unknown
            suffix, a frame of another size or kind, no frame written.
    """

    def __init__(self, path: str | Path, fps: float | Fraction, size: tuple[int, int] | None = None, crf: int = 18,
                 preset: str = 'medium', overwrite: bool = False, sound: Path | None = None, timed: bool = False):
        self.path = Path(path)
        check_suffix(self.path)
        refuse_existing([self.path], overwrite)
        if not float(LEAST_FPS) <= float(fps) < MOST_FPS:
            raise InputError(f'{self.path}: fps must be positive, at least {float(LEAST_FPS):.2g} and below a million, got {fps}')
        self.fps = Fraction(fps).limit_denominator(LEAST_FPS.denominator)
        self.size, self.num_frames = tuple(size) if size else None, 0
        self._options = {'crf': str(crf), 'preset': preset, 'x264-params': SAME_EVERYWHERE}
        # Frames of PyAV 19 share one with threads, which other videos have used, and which hangs in a forked process.
        self._reformatter = VideoReformatter()
        recorded, recording, begun = (self.path.with_name(f'.{self.path.stem}.{ending}{self.path.suffix}') for ending in (
            'recorded', 'recording', 'begun'))
        self._recordings = recorded, recording
        self._partial, self._begun = self._recordings if timed else (partial_video(self.path), begun)
        self._overwrite, self._timed = overwrite, timed
        self._make_folder()
        with ExitStack() as held:
            held.enter_context(locked(hidden(self.path, 'lock'), wait=False, keep=False, busy=(
                f'{self.path}: is being written by another process; wait for it, or choose another name')))
            refuse_existing([self.path], overwrite)
            self._open()
            self._held = held.pop_all()
        self._stream, self._copied, self._sound_file, self._sound = None, False, sound, None
        self._base, self._last = TICK if timed else 1 / self.fps, -1

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f'{self.path}: cannot write here ({error.strerror}); choose another path') from error

    def _open(self) -> None:
        try:
            turn_log_off()
            self._keep_earlier()
            self._begun.unlink(missing_ok=True)
            self._begun.touch(exist_ok=False)
            self._container = av.open(address(self._begun), 'w', options=self._muxing())
        except (av.error.FFmpegError, OSError) as error:
            with suppress(OSError):
                self._begun.unlink(missing_ok=True)
            raise InputError(f'{self.path}: cannot write here ({error.strerror}); choose another path') from error

    def _muxing(self) -> dict[str, str]:
        """Options of the container."""
        if self.path.suffix.lower() == '.mkv':
            return dict(flush_packets='1', cluster_time_limit='1000') if self._timed else {}
        if self._timed and RECOVERS:
            return dict(flush_packets='1', movflags='hybrid_fragmented', frag_duration='1000000')
        return dict(movflags='faststart')

    def _keep_earlier(self) -> None:
        """Give names to recordings that a kill, or a full disk, ended."""
        for left in self._recordings:
            if left.is_symlink() or not left.is_file() or (self.path.exists() and left.samefile(self.path)) or not _plays(left):
                continue
            for number in count(1):
                kept = self.path.with_stem(f'{self.path.stem}_earlier_{number}')
                with suppress(TakenError):
                    give_name(left, kept)
                    break
            warnings.warn(f'{self.path}: an earlier recording was cut off; what there is of it is {kept}', stacklevel=2)

    def _start(self) -> None:
        height, width = (n + n % 2 for n in self.size)
        try:
            self._stream = self._container.add_stream('libx264', rate=self.fps, options=self._options)
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError('this FFmpeg has no H.264 encoder (libx264); install PyAV from its wheels') from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, 'yuv420p'
        context = self._stream.codec_context
        context.time_base = self._base
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        context.thread_type, context.thread_count = 'FRAME', THREADS
        self._add_sound()

    def _add_sound(self) -> None:
        if self._sound_file:
            try:
                self._sound = SoundTrack(self._sound_file, self._container, self.path.suffix.lower())
            except SOUND_PROBLEMS as error:
                self._go_on_silent(error)

    def _go_on_silent(self, error: Exception) -> None:
        self._close_sound()
        warnings.warn(f'{self.path}: the sound cannot be put in ({error})', stacklevel=2)

    def _close_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    def _mux_sound(self) -> None:
        """Put in the sound of the frames so far."""
        try:
            for packet in self._sound.until(self.num_frames / self.fps) if self._sound else ():
                self._container.mux(packet)
        except SOUND_PROBLEMS as error:
            if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise self._full_disk(error) from error
            self._go_on_silent(error)

    def write(self, frame: np.ndarray, at: float | None = None) -> None:
        """Append one frame, (H, W, 3) uint8 RGB.

        Args:
            frame: the frame.
            at: its time in seconds after the first one, of a writer that is ``timed``.
        """
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
        picture = self._reformatter.reformat(
            picture, format='yuv420p', dst_colorspace='ITU709', src_color_range='JPEG', dst_color_range='MPEG', threads=1)
        self._last = self.num_frames if at is None else max(round(at / self._base), self._last + 1)
        picture.pts, picture.time_base = self._last, self._base
        self._mux(picture)
        self.num_frames += 1
        self._mux_sound()

    def append(self, path: str | Path) -> None:
        """Append the frames of a finished video of the same size and rate, which another writer has written, as they are coded.

        Args:
            path: the video.

        Raises:
            InputError: it cannot be read; the disk is full.
        """
        with open_video(path) as source:
            stream = source.streams.video[0]
            if self._stream is None:
                self._stream, self._copied = self._container.add_stream_from_template(stream), True
                self._add_sound()
            behind = round(self.num_frames / self.fps / stream.time_base)
            for packet in source.demux(stream):
                if packet.dts is None:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts + behind, packet.dts + behind, self._stream
                with self._naming_full_disk():
                    self._container.mux(packet)
                self.num_frames += 1
                self._mux_sound()

    def _mux(self, picture: av.VideoFrame | None) -> None:
        with self._naming_full_disk():
            self._container.mux(self._stream.encode(picture))

    @contextmanager
    def _naming_full_disk(self):
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise self._full_disk(error) from error

    def _full_disk(self, error: av.error.FFmpegError | OSError) -> InputError:
        kept = f' What was recorded until then is {self._partial}' if self._timed and self.num_frames else ''
        return InputError(f'{self.path}: writing fails at frame {self.num_frames} ({error.strerror}); is the disk full?{kept}')

    def _finish_partial(self) -> None:
        """What was written becomes the partial video, in the place of an older one."""
        try:
            try:
                if self._stream is not None and not self._copied:
                    self._mux(None)
            finally:
                self._close_sound()
                with self._naming_full_disk():
                    self._container.close()
        finally:
            self._begun.replace(self._partial)

    def _leave_nothing(self) -> None:
        self._container.close()
        self._begun.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            InputError: no frame was written; or a file has come there, which is left, and what was written stays as a partial video.
        """
        with self._held:
            if not self.num_frames:
                self._leave_nothing()
                raise InputError(f'{self.path}: no frame was written')
            self._finish_partial()
            with self._naming_full_disk():
                give_name(self._partial, self.path, self._overwrite, lasting=True)

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close() if kind is None else self.stop()

    def stop(self) -> None:
        """Leave the frames so far as a partial video."""
        with self._held:
            if self.num_frames:
                self._finish_partial()
            else:
                self._leave_nothing()


def _plays(path: Path) -> bool:
    """Whether a file has a picture that can be read."""
    try:
        return next(iter(read_video(path)), None) is not None
    except InputError:
        return False
