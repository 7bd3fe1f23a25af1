"""What is done to decoded frames before they become pictures: fields made whole frames, HDR made SDR."""

from collections.abc import Callable, Iterable, Iterator

import av

from toolkit.video.tone_map import TRANSFERS, sdr_table


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
    """

    def __init__(self, kind: str):
        self.kind, self._graph, self._size = kind, None, None

    @classmethod
    def of(cls, frame: av.VideoFrame) -> 'ToneMap | None':
        """The one that a decoded frame needs; None for SDR."""
        kind = TRANSFERS.get(int(getattr(frame, 'color_trc', 0)))
        return cls(kind) if kind else None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of the format gbrp16le in HDR -> the same in SDR."""
        if self._size != (frame.width, frame.height):
            self._graph = _graph(frame, 'lut3d', file=str(sdr_table(self.kind)), interp='tetrahedral')
            self._size = (frame.width, frame.height)
        self._graph.push(frame)
        return self._graph.pull()
