"""What is done to decoded frames before they become pictures: colors named, fields made whole frames, HDR made SDR."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from toolkit.files import write_file
from toolkit.video.primaries import BT709, BT2020, UNSPECIFIED
from toolkit.video.tone_map import TRANSFERS, hdr_primaries, sdr_table

SD_WIDTH, SD_HEIGHT = 1279, 576
"""Largest frame that players show in the colors of BT.601 where the video names none; larger ones in those of BT.709."""


def named_colors(frame: av.VideoFrame) -> av.VideoFrame:
    """A decoded frame, which says how its colors are coded. Where the video does not, that is what players take: by its size; BT.2020
    for HDR. FFmpeg would take BT.601. The numbers of primaries stand for codings, too."""
    if frame.colorspace == UNSPECIFIED and not frame.format.is_rgb:
        if getattr(frame, 'color_trc', 0) in TRANSFERS:
            frame.colorspace = BT2020
        elif frame.width > SD_WIDTH or frame.height > SD_HEIGHT:
            frame.colorspace = BT709
    return frame


def _graph(frame: av.VideoFrame, name: str, **options: str) -> av.filter.Graph:
    """A graph of one filter for frames like this one."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add(name, **options), graph.add('buffersink')).configure()
    return graph


def _pull(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def deinterlaced(frames: Iterable[av.VideoFrame], found: Callable[[], None]) -> Iterator[av.VideoFrame]:
    """Make whole frames of interlaced ones, one of each; frames of progressive video go through untouched.

    Args:
        frames: decoded frames.
        found: called when the first interlaced frame is met.
    """
    graph = kind = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        now = (frame.width, frame.height, frame.format.name)
        if graph is None or kind != now:
            if graph is None:
                found()
            else:
                graph.push(None)
                yield from _pull(graph)
            graph, kind = _graph(frame, 'bwdif', mode='send_frame', deint='interlaced'), now
        graph.push(frame)
        yield from _pull(graph)
    if graph is not None:
        graph.push(None)
        yield from _pull(graph)


class ToneMap:
    """Makes frames of one kind of HDR video SDR.

    Args:
        kind: 'PQ' or 'HLG'.
        primaries: of :func:`toolkit.video.tone_map.hdr_primaries`.
    """

    def __init__(self, kind: str, primaries: int):
        self.kind, self.primaries, self._graph, self._size = kind, primaries, None, None

    @classmethod
    def of(cls, frame: av.VideoFrame) -> 'ToneMap | None':
        """The one that a decoded frame needs; None for SDR."""
        kind = TRANSFERS.get(int(getattr(frame, 'color_trc', 0)))
        return cls(kind, hdr_primaries(int(getattr(frame, 'color_primaries', UNSPECIFIED)))) if kind else None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of the format gbrp16le in HDR -> the same in SDR."""
        if self._size != (frame.width, frame.height):
            with TemporaryDirectory(prefix='tone_map') as folder:  # the filter reads its table once, when it is made
                table = Path(folder) / 'table.cube'
                write_file(table, sdr_table(self.kind, self.primaries))
                self._graph = _graph(frame, 'lut3d', file=str(table), interp='tetrahedral')
            self._size = (frame.width, frame.height)
        self._graph.push(frame)
        return self._graph.pull()
