"""Measure models on whole clips: several models side by side on the same clips, interruptible, over several processes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_dist_info
from torch.utils.data import default_collate

from toolkit.metrics.base import ClipMetric, Summary, with_scored
from toolkit.metrics.result_cache import ResultCache
from toolkit.structures import InputError

TIME_KEYS = ('frames', 'poses', 'pose_maps', 'edges', 'masks', 'regions')


def pick_clips(total: int, wanted: int | None) -> list[int]:
    """Indices of ``wanted`` clips spread evenly over ``total`` (all where it is None), the same on every call.

    Raises:
        InputError: fewer than one clip wanted.
    """
    if wanted is not None and wanted < 1:
        raise InputError(f'the number of clips must be at least 1, got {wanted}')
    if wanted is None or wanted >= total:
        return list(range(total))
    return sorted({int(i) for i in np.linspace(0, total - 1, wanted).round()})


def check_frames(max_frames: int | None) -> None:
    """Refuse too few frames to measure anything.

    Raises:
        InputError: fewer than two.
    """
    if max_frames is not None and max_frames < 2:
        raise InputError(f'the number of frames must be at least 2 (the first is the content frame), got {max_frames}')


class ClipEvaluator:
    """Measure every model with every metric on whole clips.

    Args:
        models: name -> model; ``test_step`` of each takes a collated whole-clip item and returns one dict per clip (see
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
        names = [m.prefix for m in metrics]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InputError(f'two metrics are both called {twice[0]}: give one of them another prefix')
        self.models, self.dataset, self.metrics = models, dataset, metrics
        self.max_frames, self.cache = max_frames, cache
        self.results: dict[int, dict[str, list[dict]]] = {}

    def run(self, indices: Sequence[int], progress: Callable[[Iterable], Iterable] = iter,
            on_clip: Callable[[dict[str, dict]], None] | None = None) -> None:
        """Measure the clips ``indices``; over several processes each takes every n-th and all end with all results.

        Args:
            indices: clips of the dataset.
            progress: wraps the loop over clips, for a progress bar.
            on_clip: called with each newly measured clip, model name -> what its ``test_step`` returned. The clip counts as done after
                it: what it writes is whole.
        """
        rank, world = get_dist_info()
        done = self.cache.load() if self.cache else {}
        if self.cache:
            self.cache.prepare()
        mine = list(indices)[rank::world]
        self.results = {i: done[i] for i in mine if i in done}
        for index in progress([i for i in mine if i not in done]):
            samples = self.generate(index)
            self.results[index] = {name: [m.measure(sample) for m in self.metrics] for name, sample in samples.items()}
            if on_clip:
                on_clip(samples)
            if self.cache:
                self.cache.add(index, self.results[index])
        if world > 1:
            self.results = {i: r for part in all_gather_object(self.results) for i, r in part.items()}

    @torch.no_grad()
    def generate(self, index: int) -> dict[str, dict]:
        """What each model makes of clip ``index``: name -> sample."""
        item = self.dataset[index]
        if self.max_frames is not None:
            item = {k: v[:self.max_frames] if k in TIME_KEYS else v for k, v in item.items()}
        batch = default_collate([item])
        return {name: with_scored(model.test_step(batch)[0], batch) for name, model in self.models.items()}

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
