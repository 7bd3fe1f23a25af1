"""Measure models on whole clips, read and measured in parts: several models side by side, interruptible, over several processes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.dist import get_dist_info

from toolkit.metrics.base import ClipMetric, Summary, with_heights, with_scored
from toolkit.metrics.parts import ClipParts
from toolkit.metrics.result_cache import ResultCache
from toolkit.structures import InputError, spread
from toolkit.together import from_all_processes

Watch = Callable[[], AbstractContextManager[Callable[[dict[str, dict]], None]]]


def pick_clips(total: int, wanted: int | None) -> list[int]:
    """Indices of ``wanted`` clips spread evenly over ``total`` (all where it is None), the same on every call.

    Raises:
        InputError: fewer than one clip wanted.
    """
    if wanted is not None and wanted < 1:
        raise InputError(f'the number of clips must be at least 1, got {wanted}')
    return spread(total, total if wanted is None else wanted)


def check_frames(max_frames: int | None) -> None:
    """Refuse too few frames to measure anything.

    Raises:
        InputError: fewer than two.
    """
    if max_frames is not None and max_frames < 2:
        raise InputError(f'the number of frames must be at least 2 (the first is the content frame), got {max_frames}')


def check_prefixes(metrics: Sequence[ClipMetric]) -> None:
    """Refuse two metrics of one name.

    Raises:
        InputError: names it.
    """
    names = [metric.prefix for metric in metrics]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f'two metrics are both called {twice[0]}: give one of them another prefix')


class ClipEvaluator:
    """Measure every model with every metric on whole clips.

    Args:
        models: name -> model; ``test_stream`` of each takes a clip in parts and yields a dict for each part (see
            :func:`toolkit.metrics.base.check_sample`).
        dataset: yields whole-clip items (``ClipWindows`` with ``window=None``).
        metrics: each measures every model in turn; its networks are loaded once.
        max_frames: look at the first frames of each clip only.
        cache: where results of finished clips are kept.

    Attributes:
        results: clip index -> model name -> one row per metric, filled by :meth:`run` even when it is interrupted.
    """

    def __init__(self, models: Mapping[str, Any], dataset: Sequence, metrics: Sequence[ClipMetric], max_frames: int | None = None,
                 cache: ResultCache | None = None) -> None:
        check_frames(max_frames)
        check_prefixes(metrics)
        self.models, self.dataset, self.metrics = models, dataset, metrics
        self.max_frames, self.cache = max_frames, cache
        self.results: dict[int, dict[str, list[dict]]] = {}

    def run(self, indices: Sequence[int], progress: Callable[[Iterable], Iterable] = iter, watch: Watch | None = None) -> None:
        """Measure the clips ``indices``; over several processes each takes every n-th and all end with all results.

        Args:
            indices: clips of the dataset.
            progress: wraps the loop over clips, for a progress bar.
            watch: entered for each newly measured clip, it gives a function that is called with each part of it: model name -> what its
                ``test_step`` returned. The clip counts as done after it is left: what it writes is whole.

        Raises:
            Exception: of measuring. Where it happens in one process, each of the others still measures its clips, and raises an
                InputError then.
        """
        parts = from_all_processes(lambda: self._run_share(indices, progress, watch))
        self.results = {i: rows for part in parts for i, rows in part.items()}

    def _run_share(self, indices: Sequence[int], progress: Callable[[Iterable], Iterable], watch: Watch | None) -> dict:
        """Measure this process's share; the results so far are in ``results``, too."""
        rank, world = get_dist_info()
        done = self.cache.load() if self.cache else {}
        if self.cache:
            self.cache.prepare()
        mine = list(indices)[rank::world]
        self.results = {i: done[i] for i in mine if i in done}
        for index in progress([i for i in mine if i not in done]):
            with watch() if watch else nullcontext(lambda samples: None) as see:
                results = self.measure(index, see)
            self.results[index] = results
            if self.cache:
                self.cache.add(index, results)
        return self.results

    def measure(self, index: int, see: Callable[[dict[str, dict]], None]) -> dict[str, list[dict]]:
        """Measure clip ``index`` part by part: model name -> one row per metric."""
        measurements = {name: [metric.begin() for metric in self.metrics] for name in self.models}
        for samples in self.generate(index):
            for name, sample in samples.items():
                for measurement in measurements[name]:
                    measurement.add(sample)
            see(samples)
        return {name: [measurement.row() for measurement in row] for name, row in measurements.items()}

    @torch.no_grad()
    def generate(self, index: int) -> Iterator[dict[str, dict]]:
        """What each model makes of clip ``index``, part by part: name -> sample. Only one part is in memory."""
        parts, here = ClipParts(self.dataset, index, self.max_frames), []
        heights = parts.person_heights() if any(metric.needs_height for metric in self.metrics) else {}

        def given() -> Iterator[dict]:
            while here:
                yield here[0]

        streams = {name: model.test_stream(given()) for name, model in self.models.items()}
        for part in parts:
            here[:] = [part]
            yield {name: with_scored(with_heights(next(stream), heights), part) for name, stream in streams.items()}
        here.clear()

    def groups(self) -> list[str]:
        """Directions of the clips measured so far, of a transfer between two persons; else empty."""
        rows = (row for clip in self.results.values() for rows in clip.values() for row in rows)
        return sorted({row['group'] for row in rows if 'group' in row})

    def summarize(self, group: str | None = None) -> dict[str, dict[str, Summary]]:
        """Model name -> key -> summary, over the clips measured so far, or over those of one of :meth:`groups`."""
        done = [self.results[i] for i in sorted(self.results)]

        def rows(name: str, i: int) -> list[dict]:
            return [clip[name][i] for clip in done if group is None or clip[name][i].get('group') == group]

        return {name: {key: summary for i, metric in enumerate(self.metrics)
                       for key, summary in metric.summarize(rows(name, i)).items()}
                for name in self.models}
