"""Reads any video that FFmpeg knows, frame by frame."""

import warnings
from collections.abc import Iterable, Iterator
from copy import copy
from fractions import Fraction
from itertools import count, islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import Interpolation, VideoReformatter

from toolkit.structures import InputError
from toolkit.video.filters import ToneMap, deinterlaced, named_colors
from toolkit.video.frame_times import DEFAULT_RATE, ForwardTimes, display_order, true_rate, usual_step
from toolkit.video.picture_file import add_note, on_white
from toolkit.video.primaries import NAMES
from toolkit.video.source import READING_ERRORS, check_pixels, decoder_of, moving_pictures, open_video, video_stream
from toolkit.video.wide_gamut import in_bt709, wide_primaries

LOOKED_AT = 32
"""Frames that are decoded first, where the times of the packets may not be those of the frames."""


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
    if _is_turned(matrix):
        frame, a, d = frame.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(frame[::-1 if d < 0 else 1, ::-1 if a < 0 else 1])


def _is_turned(matrix: np.ndarray) -> bool:
    """Whether rows become columns."""
    (a, b), (c, d) = np.abs(matrix)
    return a + d < b + c


def fit_into(frame: np.ndarray, height: int, width: int) -> tuple[np.ndarray, bool]:
    """A frame (H, W, C) made as large as fits into a size; whether it has another shape and so got black borders."""
    factor = min(height / frame.shape[0], width / frame.shape[1])
    inner = [max(1, round(n * factor)) for n in frame.shape[:2]]
    rows, columns = (free if free > 1 else 0 for free in (height - inner[0], width - inner[1]))  # one line is rounding
    frame = cv2.resize(frame, (width - columns, height - rows), interpolation=cv2.INTER_AREA)
    frame = cv2.copyMakeBorder(frame, rows // 2, rows - rows // 2, columns // 2, columns - columns // 2, cv2.BORDER_CONSTANT)
    return frame, bool(rows or columns)


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def _display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The matrix of a frame. Asking for side data ties the frame into a cycle of references, so it must not be done for each frame."""
    try:
        side = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # PyAV knows no name for another entry there, such as the EXIF of a JPEG
        return None
    return None if side is None else np.frombuffer(bytes(side), np.int32)[[0, 1, 3, 4]].reshape(2, 2).astype(float)


def whole_frames(shown: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Times of frames, where the two fields of a frame may have a packet each, with a time of its own.

    Args:
        shown: (T,) seconds, of packets in the order in which they are shown.
        first: (N,) seconds, of the first decoded frames.

    Returns:
        The times without those of second fields.
    """
    step = usual_step(first)
    if step is None or ((shown >= first[0]) & (shown <= first[-1])).sum() <= len(first):
        return shown
    kept = [shown[0]]
    for time in shown[1:]:
        if not 0 <= time - kept[-1] < .6 * step:
            kept.append(time)
    return np.array(kept)


def goes_back(stamps: Iterable[tuple[float | None, float | None]]) -> bool:
    """Whether of (time at which a frame is shown, time at which it is decoded) the first ever goes back while the second goes on."""
    known = [stamp for stamp in stamps if None not in stamp]
    return any(later[0] < earlier[0] and later[1] > earlier[1] for earlier, later in pairwise(known))


class VideoReader:
    """Streams the frames of a video file in constant memory; can be iterated again and again.

    Rotation and flip flags and non-square pixels are applied, and transparent places become white. Of several video streams the one
    that is marked as default is read, else the first, and :attr:`notes` says which. Frames have the size of the first one; others are
    made as large, with black borders where their shape is another one, and :attr:`problems` names the first of each kind. Damaged
    frames are skipped; where a file stops early, what decodes is given, one warning says at which frame, and :attr:`problems` holds the
    message. Times are those of the file, made strictly increasing by :class:`~toolkit.video.frame_times.ForwardTimes`.

    Args:
        path: a file FFmpeg can read.
        max_side: make frames smaller as they are decoded, so that no side is longer than this; None keeps their size.

    Attributes:
        fps: frame rate, Fraction: the announced one, or that of the time stamps where the two differ.
        num_frames: frames the file announces, or number of its coded frames; two fields count as one frame.
        height, width: size of the frames as given, after rotation.
        full_size: (H, W) of the frames after rotation, without ``max_side``.
        stored_size: (H, W) of the frames after rotation as other programs see them that take all pixels for square.
        start_time: seconds on the clock of the file at which the first frame is shown.
        mended: time stamps went back or had a gap that was cut, so that times are not those of the file's clock.
        problems: messages about damage met by the last full iteration.
        notes: what was done to the pictures, a sentence each.

    Raises:
        InputError: no such file, not a video, no video stream, no frames.
    """

    def __init__(self, path: str | Path, max_side: int | None = None):
        self.path = Path(path)
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._reformatter, self._factor = VideoReformatter(), 1.
        self._turn = None
        with self._open() as container:
            stream = self._stream(container)
            self.codec = stream.codec_context.name
            announced = stream.average_rate or stream.guessed_rate
            self._sar = stream.sample_aspect_ratio or Fraction(1)
            check_pixels(self.path, stream.codec_context.height, round(stream.codec_context.width * self._sar))
            self._duration, num_frames = self._announced_duration(container, stream), stream.frames
            first = next(self._decode(container, stream, []), None)
            reorders = stream.codec_context.has_b_frames
            if first is None:
                raise InputError(f'{self.path}: the video has zero frames that can be decoded')
            self.start_time = first.time or 0.
            self._tone_map = ToneMap.of(first)
            if self._tone_map:
                self.notes.append(f'HDR ({self._tone_map.kind}) was made SDR')
            self._primaries = None if self._tone_map else wide_primaries(first)
            if self._primaries:
                self.notes.append(f'the colors of {NAMES[self._primaries]} were made those of BT.709')
            self.full_size = self.height, self.width = self._shown_size(first, self._sar)
            self.stored_size = self._shown_size(first, Fraction(1))
            streams = moving_pictures(container)
            if len(streams) > 1:
                self.notes.append(f'of {len(streams)} video streams number {streams.index(stream) + 1} was taken')
        announced = Fraction(announced).limit_denominator(30030) if announced else None
        self._find_times(announced, num_frames, first.interlaced_frame, reorders)
        self.fps = true_rate(self._times, announced)
        if max_side:
            vars(self).update(vars(self.at_most(max_side)))

    def at_most(self, max_side: int) -> 'VideoReader':
        """A reader of the same file whose frames have no side longer than ``max_side`` pixels; the file is not looked at again."""
        small = copy(self)
        small._reformatter, small.problems = VideoReformatter(), []
        small._tone_map = self._tone_map and ToneMap(self._tone_map.kind, self._tone_map.primaries)
        small._factor = min(1., max_side / max(self.full_size))
        small.height, small.width = (max(1, round(n * small._factor)) for n in self.full_size)
        return small

    def _open(self):
        return open_video(self.path)

    def _stream(self, container):
        return video_stream(container, self.path)

    @staticmethod
    def _announced_duration(container, stream) -> float | None:
        if stream.duration:
            return float(stream.duration * stream.time_base)
        if len(container.streams) == 1 and container.duration:
            return (container.duration - max(container.start_time or 0, 0)) / av.time_base  # Matroska counts from time 0
        return None

    @staticmethod
    def _decode(container, stream, problems: list[str]) -> Iterator[av.VideoFrame]:
        damaged, count, ended = 0, 0, None
        packets = container.demux(stream)
        decoder, lost = decoder_of(stream)
        if lost:
            problems.append(lost)
        while True:
            try:
                packet = next(packets, None)
            except READING_ERRORS as error:
                ended = f'reading fails after frame {count} ({getattr(error, "strerror", error)})'
                break
            if packet is None:
                break
            try:
                frames = decoder.decode(packet)
            except av.error.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                damaged += bool(frame.is_corrupt)
                count += 1
                yield named_colors(frame)
        if damaged:
            problems.append(f'{damaged} damaged frames')
        if ended:
            problems.append(ended)

    def _note_fields(self) -> None:
        add_note(self.notes, 'interlaced video was made progressive')

    def _to_rgb(self, frame: av.VideoFrame, *size: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB; ``size`` is (W, H), or nothing to keep the size."""
        if not _has_alpha(frame):
            return self._colors(frame, *size)
        alpha = self._reformatter.reformat(frame, format='rgba').to_ndarray()[..., 3]
        array = on_white(self._colors(frame), alpha, self.notes)
        return cv2.resize(array, size, interpolation=cv2.INTER_AREA) if size else array

    def _colors(self, frame: av.VideoFrame, *size: int) -> np.ndarray:
        """:meth:`_to_rgb` without transparency."""
        options = dict(zip(('width', 'height'), size), **(dict(interpolation=Interpolation.AREA) if size else {}))
        if self._tone_map:
            frame, options = self._tone_map(self._reformatter.reformat(frame, format='gbrp16le', **options)), {}
        array = self._reformatter.reformat(frame, format='rgb24', **options).to_ndarray()
        return in_bt709(array, self._primaries) if self._primaries else array

    @staticmethod
    def _shown_size(frame: av.VideoFrame, sar: Fraction) -> tuple[int, int]:
        height, width = frame.height, max(1, round(frame.width * sar))
        matrix = _display_matrix(frame)
        return (width, height) if matrix is not None and _is_turned(matrix) else (height, width)

    def _to_array(self, frame: av.VideoFrame) -> np.ndarray:
        if self._factor < 1:
            shown = frame.height, max(1, round(frame.width * self._sar))  # rounded twice, as full_size and its share of it are
            height, width = (max(1, round(n * self._factor)) for n in shown)
            array = self._to_rgb(frame, width, height)
        else:
            array = self._to_rgb(frame)
            if self._sar != 1:
                array = cv2.resize(array, (max(1, round(array.shape[1] * self._sar)), array.shape[0]), interpolation=cv2.INTER_LINEAR)
        if self._turn is None or frame.rotation != self._turn[0]:
            self._turn = frame.rotation, _display_matrix(frame)
        return array if self._turn[1] is None else orient(array, self._turn[1])

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yields (frame (H, W, 3) uint8 RGB, time in seconds since the first frame), times strictly increasing."""
        problems, other, forward = [], {}, ForwardTimes(self._step)
        with self._open() as container:
            decoded = self._decode(container, self._stream(container), problems)
            for number, frame in enumerate(deinterlaced(decoded, self._note_fields)):
                array = self._to_array(frame)
                if array.shape[:2] != (self.height, self.width):
                    array, borders = fit_into(array, self.height, self.width)
                    if borders not in other:
                        (h, w), (height, width) = self._shown_size(frame, self._sar), self.full_size
                        done = 'this and all of another shape have black borders' if borders else (
                            'this and all of another size were made as large as the first')
                        other[borders] = f'frame {number} is {w}x{h}, the first {width}x{height} (width x height): {done}'
                shown = frame.time
                if self._by_place:
                    shown = float(self._times[number]) if number < len(self._times) else None
                yield array, forward(shown)
        problems += other.values()
        end = forward.last + forward.removed + self._step
        if self._duration and end < .95 * self._duration - .2:
            problems.append(f'truncated: ends after frame {forward.count} ({end:.2f} s of {self._duration:.2f} s)')
        self.problems = problems + forward.describe()
        if self.problems:
            warnings.warn(f'{self.path}: {"; ".join(self.problems)}', stacklevel=2)

    def _find_times(self, announced: Fraction | None, num_frames: int, interlaced: bool, reorders: bool) -> None:
        """Find the times of all frames: those of the packets. A few frames are decoded to know of two kinds of files: those with a
        packet for each field, and those that do not say when frames are shown, as AVI. There decoded frames have wrong times, and that
        of their place is right."""
        stamps, rate = self._stamps(announced), float(announced or DEFAULT_RATE)
        packets = shown = np.array(display_order(stamps))
        in_order = bool(stamps) and not goes_back(stamps)
        first = self._first_stamps() if interlaced or (reorders and in_order) else []
        self._by_place = in_order and goes_back(first)
        if interlaced:
            known = [time for time, _ in first if time is not None]
            shown = whole_frames(packets, np.array(known or np.arange(len(first)) / rate))
        self._step = usual_step(shown) or 1 / rate
        forward = ForwardTimes(self._step)
        self._times = np.array([*map(forward, shown)])
        self.mended = bool(forward.joins or forward.gaps)
        self.num_frames = num_frames if num_frames and len(shown) == len(packets) else len(shown)
        if self._by_place:
            self.start_time = float(shown[0])

    def _first_stamps(self) -> list[tuple[float | None, int | None]]:
        """When the first decoded frames are shown and decoded, in the order in which they come."""
        with self._open() as container:
            return [(frame.time, frame.dts) for frame in islice(self._decode(container, self._stream(container), []), LOOKED_AT)]

    def _stamps(self, announced: Fraction | None) -> list[tuple[float, float | None]]:
        """When the packets are shown and decoded, in seconds and in the order of the file, without decoding."""
        stamps, lengths = [], []
        with self._open() as container:
            packets = container.demux(self._stream(container))
            while True:
                try:
                    packet = next(packets, None)
                except READING_ERRORS:
                    break
                if packet is None:
                    break
                if not packet.size or packet.is_discard:
                    continue
                lengths.append(float(packet.duration * packet.time_base if packet.duration else 1 / (announced or DEFAULT_RATE)))
                shown = packet.dts if packet.pts is None else packet.pts
                if shown is not None:
                    base = float(packet.time_base)
                    stamps.append((shown * base, None if packet.dts is None else packet.dts * base))
        if len(stamps) < .4 * len(lengths):  # of a frame of two fields often only the first has a time
            stamps = [(end - length, None) for end, length in zip(np.cumsum(lengths).tolist(), lengths)]
        return stamps

    def times(self) -> np.ndarray:
        """Times of all coded frames, found without decoding: (T,) float64 seconds since the first, strictly increasing."""
        return self._times

    def numbers(self) -> Iterable[int]:
        """Numbers of the frames in the source, in the order in which iterating gives them: 0, 1, 2, ..."""
        return count()
