"""What every metric has: a value per clip, then the mean over clips with its confidence interval, counts and definition."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from toolkit.metrics.statistics import bootstrap_ci
from toolkit.structures import InputError

NO_TRUTH = 'no truth: nobody filmed the target person doing this (a test dataset with paired=True has it)'
AGAINST = ('real', 'input')


@dataclass(frozen=True)
class Definition:
    """What a number means.

    Attributes:
        text: one line, complete enough to repeat the measurement.
        better: ``'higher'``, ``'lower'``, ``'one'`` (1 is right) or ``''`` (a reference value, neither good nor bad).
        unit: what is counted by ``n_samples``.
    """
    text: str
    better: str
    unit: str = 'frames'


@dataclass(frozen=True)
class Measure:
    """One number of one clip.

    Attributes:
        value: the number, or None where it is not available.
        frames: frames that took part.
        samples: what was averaged, in the definition's unit; None means frames.
        reason: why there is no value.
    """
    value: float | None
    frames: int = 0
    samples: int | None = None
    reason: str = ''

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError('a measure without a value needs a reason')


@dataclass(frozen=True)
class Summary:
    """One number over all clips; ``value`` is None, with a ``reason``, where no clip has one."""
    value: float | None
    ci: tuple[float, float] | None
    n_clips: int
    n_frames: int
    n_samples: int
    unit: str
    better: str
    definition: str
    reason: str
    per_clip: dict[str, float | None]


def with_scored(sample: dict, data: dict | None) -> dict:
    """Mark which frames count: all but the content frame, which the model was given (Yang et al. 2019 score frames 2..N).

    Args:
        sample: result of a model's ``test_step``; one that has ``scored`` is returned as it is.
        data: the collated whole-clip item it was made from: ``index``, the clip's frame where it begins, and ``content_index``.

    Returns:
        The sample with ``scored`` (T,) bool.

    Raises:
        ValueError: neither ``scored`` nor ``data``.
    """
    if 'scored' in sample:
        return sample
    if data is None:
        raise ValueError(f'clip {sample["clip"]}: without "scored" or the data it was made from, the content frame is not known')
    first, content = (int(np.asarray(data[key]).ravel()[0]) for key in ('index', 'content_index'))
    return {**sample, 'scored': np.arange(first, first + len(sample['real'])) != content}


def check_sample(sample: dict) -> None:
    """Refuse what no metric could judge.

    Args:
        sample: what a model's ``test_step`` returns for a clip: ``clip`` (str), ``generated`` and ``real`` (T, H, W, 3) uint8 RGB,
            ``mask`` (T, H, W) bool, ``poses`` (T, K, 3), ``scored`` (T,) bool.

    Raises:
        TypeError: pictures are not uint8: a float picture may be in [0, 1] or [-1, 1], and the wrong guess changes every score.
        ValueError: shapes do not fit together.
    """
    generated, real = sample['generated'], sample['real']
    for name in ('generated', 'real'):
        if not isinstance(sample[name], np.ndarray) or sample[name].dtype != np.uint8:
            found = getattr(sample[name], 'dtype', type(sample[name]))
            raise TypeError(f'clip {sample["clip"]}: {name} must be a uint8 array, got {found}')
    if real.ndim != 4 or real.shape[-1] != 3 or generated.shape != real.shape:
        raise ValueError(
            f'clip {sample["clip"]}: generated and real must both be (T, H, W, 3), got {generated.shape} and {real.shape}')
    expected = {'mask': real.shape[:3], 'scored': real.shape[:1], 'poses': (real.shape[0], *sample['poses'].shape[1:])}
    for name, shape in expected.items():
        if sample[name].shape != shape:
            raise ValueError(f'clip {sample["clip"]}: {name} must be {shape} to go with frames {real.shape}, got {sample[name].shape}')


def compared_with(sample: dict, against: str) -> dict:
    """A transfer's sample seen from its input instead of from the truth about its result.

    Args:
        sample: see :func:`check_sample`. A transfer's also has ``input``, a dict of ``frames``, ``mask`` and ``poses``: the video that
            was translated, which is not the one of the target person it should look like.
        against: ``'real'`` leaves the sample as it is; ``'input'`` puts the input in the place of ``real``, ``mask`` and ``poses``.
            Samples without an input stay as they are.
    """
    if against == 'real' or 'input' not in sample:
        return sample
    given = sample['input']
    return {**sample, 'real': given['frames'], 'mask': given['mask'], 'poses': given['poses']}


def check_against(against: str, metric: str) -> None:
    """Refuse anything that :func:`compared_with` does not know.

    Raises:
        InputError: names the metric.
    """
    if against not in AGAINST:
        raise InputError(f'{metric}: against must be one of {", ".join(AGAINST)}, got {against!r}')


class ClipMetric(BaseMetric):
    """Base of all metrics: measure clip by clip, then average over clips.

    A subclass fills ``self.definitions`` (key -> :class:`Definition`) in its constructor and implements :meth:`compute`. Where it
    cannot work at all, for want of weights, it sets ``self.missing`` to the reason; all its numbers are then 'n/a'.

    MMEngine's loops use :meth:`process` and :meth:`evaluate`, which works over several processes; ``tools/test.py`` uses
    :meth:`measure` and :meth:`summarize`, which keep counts, intervals and reasons.

    A transfer between two persons is measured by samples that also have ``direction`` ('ab' or 'ba'), ``has_truth`` and ``input`` (see
    :func:`compared_with`). Metrics with ``needs_truth`` are 'n/a' where ``has_truth`` is false; those with ``needs_domains`` want
    :meth:`fit` first.

    Args:
        device: where tensors are computed; ``'auto'`` = the GPU if there is one.
        kwargs: of MMEngine's ``BaseMetric``.
    """

    needs_truth = False
    needs_domains = False

    def __init__(self, device: str = 'auto', **kwargs) -> None:
        super().__init__(**kwargs)
        self.device = torch.device(('cuda' if torch.cuda.is_available() else 'cpu') if device == 'auto' else device)
        self.definitions: dict[str, Definition] = {}
        self.missing = ''
        self._real_cache: dict[str, tuple[tuple, Any]] = {}

    @abstractmethod
    def compute(self, sample: dict) -> dict[str, Measure]:
        """Measure one clip.

        Args:
            sample: see :func:`check_sample`; only frames with ``scored`` count.

        Returns:
            For each key of ``self.definitions`` its measure.
        """

    def fit(self, domains: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> None:
        """Look at real frames of both persons of a transfer; only metrics with ``needs_domains`` do.

        Args:
            domains: 'a' and 'b' -> frames (H, W, 3) uint8 RGB, each with its pose (K, 3).
        """

    def measure(self, sample: dict) -> dict:
        """Measure one clip.

        Args:
            sample: see :func:`check_sample`.

        Returns:
            A row of plain numbers and strings, fit for JSON: ``clip``, ``measures`` and, of a transfer, its direction as ``group``.

        Raises:
            TypeError, ValueError: see :func:`check_sample`.
        """
        check_sample(sample)
        if self.missing:
            measures = {k: Measure(None, reason=self.missing) for k in self.definitions}
        elif not sample['scored'].any():
            measures = {k: Measure(None, reason='the clip has no frame besides its content frame') for k in self.definitions}
        elif self.needs_truth and not sample.get('has_truth', True):
            measures = {k: Measure(None, reason=NO_TRUTH) for k in self.definitions}
        else:
            measures = self.compute(sample)
        group = {'group': sample['direction']} if 'direction' in sample else {}
        return {'clip': sample['clip'], **group, 'measures': {k: asdict(m) for k, m in measures.items()}}

    def of_real(self, name: str, sample: dict, function: Callable[[], Any]) -> Any:
        """``function()``, remembered for the clip: what depends on the real frames alone is computed once for all methods in turn."""
        key = (sample['clip'], sample['real'].shape, crc32(sample['real'].tobytes()))
        if name not in self._real_cache or self._real_cache[name][0] != key:
            self._real_cache[name] = (key, function())
        return self._real_cache[name][1]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure each clip of ``data_samples`` (what the model's ``test_step`` returned)."""
        self.results.extend(self.measure(with_scored(sample, data_batch)) for sample in data_samples)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Means over clips as plain floats, for MMEngine's log; what is n/a is left out and its reason logged."""
        values = {}
        for key, summary in self.summarize(results, prefixed=False).items():
            if summary.value is None:
                print_log(f'{self.prefix}/{key}: n/a: {summary.reason}', logger='current')
            else:
                values[key] = summary.value
        return values

    def summarize(self, rows: Sequence[dict], prefixed: bool = True) -> dict[str, Summary]:
        """Mean over clips of each number, with a 95 % bootstrap interval over clips.

        Args:
            rows: results of :meth:`measure`.
            prefixed: whether keys carry the metric's prefix, ``psnr/full`` instead of ``full``.

        Returns:
            Key -> summary, in the order of ``self.definitions``.
        """
        return {f'{self.prefix}/{key}' if prefixed else key: self._summary(key, definition, rows)
                for key, definition in self.definitions.items()}

    @staticmethod
    def _summary(key: str, definition: Definition, rows: Sequence[dict]) -> Summary:
        measures = {row['clip']: Measure(**row['measures'][key]) for row in rows}
        present = [m for m in measures.values() if m.value is not None]
        reasons = Counter(m.reason for m in measures.values() if m.value is None)
        reason = reasons.most_common(1)[0][0] if reasons else ('' if rows else 'no clip was measured')
        if reasons and present:
            reason = f'left out {sum(reasons.values())} of {len(measures)} clips: {reason}'
        values = [m.value for m in present]
        return Summary(
            value=float(np.mean(values)) if values else None, ci=bootstrap_ci(values), n_clips=len(present),
            n_frames=sum(m.frames for m in present), n_samples=sum(m.frames if m.samples is None else m.samples for m in present),
            unit=definition.unit, better=definition.better, definition=definition.text, reason=reason,
            per_clip={clip: m.value for clip, m in measures.items()})
