"""Opens a video file, and nothing but that file: no playlist, no address, no pipe; and no picture too large for memory."""

import os
from functools import cache
from pathlib import Path

import av

from toolkit.doors import open_regular
from toolkit.structures import InputError

MAX_PIXELS = 1 << 26
"""Largest frame of a video: a decoder holds up to seventeen."""
MANY_PIXELS = 1 << 23  # each thread of a decoder holds frames: of larger ones only two work, so that memory stays bounded
READING_ERRORS = (av.error.FFmpegError, OSError, IndexError)  # IndexError: a stream that the head of the file does not announce
ALPHA_DECODERS = {'vp8': 'libvpx', 'vp9': 'libvpx-vp9'}
"""Decoders that read the transparency of WebM, for codecs of which FFmpeg's own decoders leave it out."""
NAMES_OTHER_FILES = {'avisynth', 'concat', 'dash', 'hls', 'imf', 'mlv', 'sdp', 'vapoursynth', 'vobsub', 'webm_dash_manifest'}
"""Formats whose files name others, or open those beside them."""
LONGEST_READ = 30.
"""Seconds after which opening a file, or reading its next piece, is given up."""
METADATA = dict(metadata_errors='ignore') if int(av.__version__.partition('.')[0]) < 19 else {}  # from 19 on nothing is strict
PLAYLISTS = (b'#EXTM3U', b'ffconcat', b'<MPD', b'v=0', b'<AssetMap', b'<CompositionPlaylist')


def require_source(path: Path) -> None:
    """See that a path is a plain file or a folder.

    Raises:
        InputError: it is not there, or is a pipe or a device.
    """
    if not path.exists():
        raise InputError(f'{path}: no such file or folder')
    if not path.is_file() and not path.is_dir():
        raise InputError(f'{path}: a pipe or a device, which can be read only once; save the video to a file first')


def check_pixels(path: Path, height: int, width: int, most: int = MAX_PIXELS) -> None:
    """See that pictures of this size fit into memory.

    Raises:
        InputError: more than ``most`` pixels.
    """
    if height * width > most:
        raise InputError(
            f'{path}: pictures of {width}x{height} pixels (width x height) are too large, at most {most // 10**6} million pixels '
            'can be read; make it smaller first')


@cache
def _allowed_formats() -> str:
    """All that are read from a file, but those that name others."""
    names = {name for names in av.formats_available for name in names.split(',')}
    return ','.join(sorted(name for name in names - NAMES_OTHER_FILES if not _of_a_device(name)))


def _of_a_device(name: str) -> bool:
    try:
        return av.format.ContainerFormat(name, 'r').no_file
    except ValueError:  # a format that is written only
        return True


def address(path: Path) -> str:
    """A file as FFmpeg takes it: also a name with a colon is a file's name, not a protocol."""
    return f'file:{os.path.abspath(path)}'


def open_video(path: Path):
    """Open a file for reading with FFmpeg.

    Only the file itself is opened: formats that name other files are refused, and a name such as ``concat:x`` is a file's name.

    Args:
        path: a file.

    Returns:
        PyAV's container, to be closed by the caller.

    Raises:
        InputError: no file, empty, unreadable, a text, a playlist, or nothing that FFmpeg knows.
    """
    turn_log_off()
    return _open(path)


def turn_log_off() -> None:
    """Let FFmpeg be silent, as PyAV has it at first; to be called before threads of FFmpeg begin.

    A thread that logs waits for Python, while Python waits for the threads of the video that it closes. torchvision 0.21 turns
    the log on when it is imported.
    """
    if av.logging.get_level() is not None:
        av.logging.set_level(None)


def _open(path: Path):
    require_source(path)
    if path.is_dir():
        raise InputError(f'{path}: a folder, not a video')
    if not path.stat().st_size:
        raise InputError(f'{path}: the file is empty (0 bytes)')
    options = dict(protocol_whitelist='file', format_whitelist=_allowed_formats())
    try:
        container = av.open(address(path), options=options, timeout=LONGEST_READ, **METADATA)
    except PermissionError as error:
        raise InputError(f'{path}: no permission to read the file') from error
    except (av.error.FFmpegError, OSError) as error:
        if _is_playlist(path):
            raise InputError(f'{path}: a playlist, which names other files; give the video itself') from error
        raise InputError(
            f'{path}: not a video, or cut off before its index was written (FFmpeg: {error.strerror}); expected a file '
            'FFmpeg can read, try to play it or to copy it again') from error
    if container.format.name == 'tty':
        container.close()
        raise InputError(f'{path}: a text file, not a video')
    return container


def _is_playlist(path: Path) -> bool:
    with open_regular(path) as file:
        head = file.read(1024).removeprefix(b'\xef\xbb\xbf').lstrip()
    return head.startswith(PLAYLISTS) or (head.startswith(b'<?xml') and any(mark in head for mark in PLAYLISTS))


def video_stream(container, path: Path):
    """The stream of moving pictures to read, ready to be decoded with threads: of those that can be decoded, the one that the file
    marks as the default one, else the first.

    Raises:
        InputError: there is none, its codec is not known, or its pictures are too large.
    """
    streams = moving_pictures(container)
    if not streams:
        raise InputError(f'{path}: holds no video stream')
    known = max((s for s in streams if s.codec_context is not None), default=None,
                key=lambda s: bool(s.disposition & av.stream.Disposition.default))
    if known is None:
        raise InputError(
            f'{path}: this FFmpeg (PyAV {av.__version__}) cannot decode its video{_codec_tag(path)}; convert it to H.264 first')
    check_pixels(path, known.codec_context.height, known.codec_context.width)
    known.thread_type = 'AUTO'
    if known.codec_context.height * known.codec_context.width > MANY_PIXELS:
        known.codec_context.thread_count = 2
    known.codec_context.options = {**known.codec_context.options, 'max_pixels': str(MAX_PIXELS)}
    return known


def moving_pictures(container) -> list:
    """The video streams of PyAV's container, without cover pictures."""
    return [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]


def decoder_of(stream) -> tuple[av.VideoCodecContext, str | None]:
    """What decodes a stream of :func:`video_stream`, its transparency too.

    Returns:
        The decoder; and what is lost with it, or None.
    """
    own = stream.codec_context
    name = ALPHA_DECODERS.get(own.name) if stream.metadata.get('alpha_mode') == '1' else None
    if name is None:
        return own, None
    try:
        decoder = av.CodecContext.create(name, 'r')
    except ValueError:  # PyAV's error for a codec that FFmpeg was built without
        return own, f'its transparency is left out, as this FFmpeg (PyAV {av.__version__}) has no decoder {name}'
    decoder.options = own.options
    return decoder, None


def _codec_tag(path: Path) -> str:
    """What FFmpeg says of a codec that it does not know, for a message."""
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as messages:
            _open(path).close()
    finally:
        turn_log_off()
    said = (text.partition('(Video: ')[2].partition(', ')[0] for _, _, text in messages if '(Video: ' in text)
    found = (tag.removeprefix('none ').strip('()') for tag in said)
    return next((f' (codec {tag})' for tag in found if tag != 'none'), '')
