"""The sound of a video: kept beside a prepared clip, and put into a result, so that both stay together in time.

Sound is copied as it is coded, where the file may hold it, else coded as AAC. It is never a reason to fail, but for a full disk: what
goes wrong is said.
"""

import errno
from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from itertools import chain
from pathlib import Path

import av
import numpy as np

from toolkit.clips.clip import Clip
from toolkit.clips.folder import SOUND_FILE
from toolkit.files import writing_error
from toolkit.structures import InputError
from toolkit.video.pictures import PictureReader
from toolkit.video.reader import VideoReader
from toolkit.video.source import READING_ERRORS, address, open_video

COPIED = {
    '.mp4': ('aac', 'mp3', 'mp3float', 'ac3', 'eac3', 'alac', 'opus'), '.mov': ('aac', 'mp3', 'mp3float', 'ac3', 'alac', 'pcm_s16le')}
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
FORMATS = {'.mp4': 'mp4', '.mov': 'mov', '.mkv': 'matroska'}
TOLERANCE = .05
PROBLEMS = (*READING_ERRORS, InputError, ValueError, ArithmeticError)


def keep_sound(reader: VideoReader | PictureReader, times: np.ndarray, fps: float, path: Path) -> str | None:
    """Copy the sound that belongs to the frames of a clip into a file, whose time 0 is that of the first frame.

    Args:
        reader: the video the frames are of.
        times: (T,) seconds in the video at which the frames are shown there, as the reader gives them.
        fps: frames a second of the clip.
        path: file to write (.mka).

    Returns:
        Why there is no file though the video has sound for these frames, or None.

    Raises:
        InputError: the disk is full.
    """
    if not isinstance(reader, VideoReader):
        return None
    try:
        with open_video(reader.path) as container:
            if not container.streams.audio:
                return None
            known = [s for s in container.streams.audio if s.codec_context is not None]
            stream = max(known, default=None, key=lambda s: bool(s.disposition & av.stream.Disposition.default))
            if stream is None:
                return 'this FFmpeg does not know the codec of the sound'
            if reader.mended:
                return 'the time stamps of the video had to be mended, so that its sound has no sure place'
            index = stream.index
        try:
            count = _write(reader, index, times, fps, path, copied=True)
        except PROBLEMS:
            count = _write(reader, index, times, fps, path, copied=False)
        if not count:
            path.unlink(missing_ok=True)
        return None
    except PROBLEMS as error:
        path.unlink(missing_ok=True)
        if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):  # the next try has its sound
            raise writing_error(path, error) from error
        return f'the sound cannot be copied ({error})'


def _write(reader: VideoReader, index: int, times: np.ndarray, fps: float, path: Path, copied: bool) -> int:
    """Write the sound as it is coded, or as AAC where a container does not take it so. The number of packets."""
    count, times = 0, times + reader.start_time
    options = {'fflags': 'bitexact'}
    with open_video(reader.path) as container, av.open(address(path), 'w', format='matroska', options=options) as out:
        stream = container.streams[index]
        if copied:
            target, packets = out.add_stream_from_template(stream), _placed(container.demux(stream), times, fps)
        else:
            target = _aac_stream(out, stream)
            packets = _coded(_placed(container.decode(stream), times, fps), target)
        for packet in packets:
            packet.stream = target
            out.mux(packet)
            count += 1
    return count


def _is_accepted(stream, kind: str) -> bool:
    """Whether a file of this kind takes the sound as it is coded: tried in memory, as a refusal would cost the whole video."""
    try:
        with av.open(BytesIO(), 'w', format=kind) as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
    except PROBLEMS:
        return False
    return True


def _aac_stream(container, stream):
    codec = stream.codec_context
    rate = codec.sample_rate if codec.sample_rate in AAC_RATES else 48000
    return container.add_stream('aac', rate=rate, layout='mono' if codec.layout.nb_channels == 1 else 'stereo')


def _coded(frames: Iterable[av.AudioFrame], target) -> Iterator[av.Packet]:
    """AAC of frames, whose times may overlap a little, as :func:`_placed` leaves them: a file takes only times that go forward."""
    codec, free = target.codec_context, Fraction(0)
    resampler = av.AudioResampler('fltp', codec.layout, codec.sample_rate, 1024)
    for frame in chain(frames, [None]):
        for part in resampler.resample(frame):
            at, length = free if part.pts is None else part.pts * part.time_base, Fraction(part.samples, part.sample_rate)
            if at < free - length / 2:
                continue
            part.pts = int(max(at, free) / part.time_base)
            free = part.pts * part.time_base + length
            yield from target.encode(part)
    yield from target.encode(None)


def _seconds(item: av.Packet | av.AudioFrame) -> float:
    if isinstance(item, av.AudioFrame):
        return item.samples / item.sample_rate
    return float((item.duration or 0) * item.time_base)


def _placed(items: Iterable[av.Packet | av.AudioFrame], times: np.ndarray, fps: float) -> Iterator[av.Packet | av.AudioFrame]:
    """Pieces of sound, moved from the times of the frames to where a steady rate shows them; what falls between frames that are
    missing is left out."""
    shown = np.arange(len(times)) / fps
    steady = np.abs(times - times[0] - shown).max() <= TOLERANCE
    end, free = len(times) / fps, -1e-3
    for item in items:
        if item.pts is None or isinstance(item, av.Packet) and not item.size:
            continue
        heard, length = float(item.pts * item.time_base), _seconds(item)
        if steady or not times[0] <= heard <= times[-1]:
            at = heard - times[0] if steady or heard < times[0] else shown[-1] + heard - times[-1]
        else:
            at = float(np.interp(heard, times, shown))
        if at >= end - length / 2:
            return
        if at < free - length / 2 or at < -1e-3:
            continue
        free = at + length
        item.pts = max(0, round(at / item.time_base))
        if isinstance(item, av.Packet):
            item.dts = item.pts
        yield item


def clip_sound(clip: Clip) -> tuple[Path | None, str | None]:
    """The sound of a prepared clip.

    Returns:
        Its file or None, and why there is none though there may be some in the video it was made of.
    """
    path, source = clip.folder / SOUND_FILE, clip.manifest.get('source')
    if path.is_file():
        return path, None
    if not isinstance(source, dict) or source.get('kind') == 'synthetic' or source.get('sound', '') is None:
        return None, None
    why = source.get('sound', 'the clip was prepared without it; prepare it again with --overwrite')
    return None, f'{path} is gone' if why == SOUND_FILE else str(why)


class SoundTrack:
    """The sound of a file on its way into a video that is being written.

    Args:
        path: file with sound; its time 0 is that of the first frame.
        container: PyAV's container of the video, before its first packet.
        suffix: of the video, which says what codecs it may hold.

    Raises:
        av.error.FFmpegError, InputError, OSError, ValueError: sound that cannot be read or put in.
    """

    def __init__(self, path: Path, container, suffix: str):
        self._source = open_video(path)
        try:
            stream = self._source.streams.audio[0]
            codec = stream.codec_context
            if codec is None:
                raise InputError(f'{path}: the codec of the sound is not known')
            if (suffix not in COPIED or codec.name in COPIED[suffix]) and _is_accepted(stream, FORMATS[suffix]):
                self._packets = self._copied(stream, container.add_stream_from_template(stream))
            else:
                self._packets = _coded(self._source.decode(stream), _aac_stream(container, stream))
        except BaseException:
            self._source.close()
            raise
        self._next = None

    def _copied(self, stream, target) -> Iterator[av.Packet]:
        for packet in self._source.demux(stream):
            if packet.size and packet.pts is not None:
                packet.stream = target
                yield packet

    def until(self, seconds: float) -> Iterator[av.Packet]:
        """The packets that come next and begin before a time."""
        while True:
            self._next = self._next or next(self._packets, None)
            if self._next is None or float(self._next.pts * self._next.time_base) >= seconds:
                return
            packet, self._next = self._next, None
            yield packet

    def close(self) -> None:
        """Close the file that the sound is of."""
        self._source.close()
