"""What every metric has: a value per clip, then the mean over clips with its confidence interval, counts and definition."""

import math
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
REAL_SIDE = ('real', 'mask', 'poses', 'scored')
BETTER = ('higher', 'lower', 'one', '')


@dataclass(frozen=True)
class Definition:
    """What a number means.

    Attributes:
        text: one line, complete enough to repeat the measurement.
        better: ``'higher'``, ``'lower'``, ``'one'`` (1 is right) or ``''`` (a reference value, neither good nor bad).
        unit: what is counted by ``n_samples``.

    Raises:
        ValueError: no text, or another word for ``better``.
    """
    text: str
    better: str
    unit: str = 'frames'

    def __post_init__(self) -> None:
        if self.better not in BETTER or not self.text.strip():
            raise ValueError(f'a definition needs a text, and better must be one of {", ".join(map(repr, BETTER))}; got '
                             f'{self.text!r} and {self.better!r}')


@dataclass(frozen=True)
class Measure:
    """One number of one clip.

    Attributes:
        value: the number, or None where it is not available; one that is not finite is not available either.
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


def with_heights(sample: dict, heights: Mapping[str, float]) -> dict:
    """Add how high the person is in the whole clip that a sample is a part of, as ``person_height``.

    Args:
        sample: result of a model's ``test_step``.
        heights: of :meth:`toolkit.metrics.parts.ClipParts.person_heights`.
    """
    own, real = heights.get('masks'), heights.get('truth_masks' if sample.get('has_truth') else 'masks')
    if 'input' in sample:
        sample = {**sample, 'input': {**sample['input'], 'person_height': own}}
    return {**sample, 'person_height': real}


def check_sample(sample: dict) -> None:
    """Refuse what no metric could measure.

    Args:
        sample: what a model's ``test_step`` returns for a clip: ``clip`` (str), ``generated`` and ``real`` (T, H, W, 3) uint8 RGB,
            ``mask`` (T, H, W) bool, ``poses`` (T, K, 3), ``scored`` (T,) bool. Of a part of a clip also ``person_height``, that of the
            whole clip in pixels.

    Raises:
        TypeError: pictures are not uint8: a float picture may be in [0, 1] or [-1, 1], and the wrong guess changes every score. Or
            ``mask`` or ``scored`` is not bool: numbers would choose other frames, such as the first two again and again.
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
        if name != 'poses' and sample[name].dtype != bool:
            raise TypeError(f'clip {sample["clip"]}: {name} must be bool, got {sample[name].dtype}')


def compared_with(sample: dict, against: str) -> dict:
    """A transfer's sample seen from its input instead of from the truth about its result.

    Args:
        sample: see :func:`check_sample`. A transfer's also has ``input``, a dict of ``frames``, ``mask`` and ``poses``: the video that
            was translated, which is not the one of the target person it should look like.
        against: ``'real'`` leaves the sample as it is; ``'input'`` puts the input in the place of ``real``, ``mask``, ``poses`` and
            ``person_height``. Samples without an input stay as they are.
    """
    if against == 'real' or 'input' not in sample:
        return sample
    given = sample['input']
    return {**sample, 'real': given['frames'], **{key: value for key, value in given.items() if key != 'frames'}}


def check_against(against: str, metric: str) -> None:
    """Refuse anything that :func:`compared_with` does not know.

    Raises:
        InputError: names the metric.
    """
    if against not in AGAINST:
        raise InputError(f'{metric}: against must be one of {", ".join(AGAINST)}, got {against!r}')


class ClipMetric(BaseMetric):
    """Base of all metrics: measure clip by clip, then average over clips.

    A subclass fills ``self.definitions`` (key -> :class:`Definition`) in its constructor and implements :meth:`update`, which looks at
    some consecutive frames of a clip, and :meth:`compute`, which makes numbers of all that was seen. What it keeps in between must not
    grow with the clip by more than a few numbers a frame. Where it cannot work at all, for want of weights, it sets ``self.missing`` to
    the reason; all its numbers are then 'n/a'.

    MMEngine's loops use :meth:`process` and :meth:`evaluate`, which works over several processes; ``tools/test.py`` uses
    :meth:`begin` and :meth:`summarize`, which keep counts, intervals and reasons.

    A transfer between two persons is measured by samples that also have ``direction`` ('ab' or 'ba'), ``has_truth`` and ``input`` (see
    :func:`compared_with`). Metrics with ``needs_truth`` are 'n/a' where ``has_truth`` is false; those with ``needs_domains`` want
    :meth:`fit` first; those with ``needs_height`` are told ``person_height``.

    Args:
        device: where tensors are computed; ``'auto'`` = the GPU if there is one.
        kwargs: of MMEngine's ``BaseMetric``.
    """

    needs_truth = False
    needs_domains = False
    needs_height = False

    def __init__(self, device: str = 'auto', **kwargs) -> None:
        super().__init__(**kwargs)
        self.device = torch.device(('cuda' if torch.cuda.is_available() else 'cpu') if device == 'auto' else device)
        self.definitions: dict[str, Definition] = {}
        self.missing = ''
        self._real_cache: dict[str, tuple[tuple, Any]] = {}

    @abstractmethod
    def update(self, state: dict, sample: dict) -> None:
        """Look at the next frames of a clip.

        Args:
            state: what is kept of the frames so far; empty at the beginning of a clip.
            sample: see :func:`check_sample`, a part of a clip or all of it; only frames with ``scored`` count.
        """

    @abstractmethod
    def compute(self, state: dict) -> dict[str, Measure]:
        """The numbers of a clip; at least one frame of it was scored.

        Args:
            state: as :meth:`update` left it.

        Returns:
            For each key of ``self.definitions`` its measure.
        """

    def extra(self, state: dict) -> dict:
        """What a row has beside its measures, fit for JSON."""
        return {}

    def fit(self, domains: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> None:
        """Look at real frames of both persons of a transfer; only metrics with ``needs_domains`` do.

        Args:
            domains: 'a' and 'b' -> frames (H, W, 3) uint8 RGB, each with its pose (K, 3).
        """

    def begin(self) -> 'Measurement':
        """Begin with a clip that comes in parts."""
        return Measurement(self)

    def measure(self, sample: dict) -> dict:
        """Measure one clip, given whole.

        Args:
            sample: see :func:`check_sample`.

        Returns:
            See :meth:`Measurement.row`.

        Raises:
            TypeError, ValueError: see :func:`check_sample`.
        """
        measurement = self.begin()
        measurement.add(sample)
        return measurement.row()

    def of_real(self, name: str, sample: dict, function: Callable[[], Any]) -> Any:
        """``function()``, remembered for these frames: what does not depend on the generated frames is computed once for all models.

        Args:
            name: of what is computed.
            sample: see :func:`check_sample`; all that the function looks at: ``clip``, ``real`` and, where needed, ``mask``, ``poses``,
                ``scored`` and ``person_height``. Where one of them differs, the function is called again.
            function: what computes it.
        """
        arrays = [(part, sample[part].shape, crc32(sample[part].tobytes())) for part in REAL_SIDE if part in sample]
        key = (sample['clip'], sample.get('person_height'), arrays)
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
        measures = {(row['clip'], row.get('group')): Measure(**row['measures'][key]) for row in rows}
        names = Counter(clip for clip, _ in measures)  # two persons may each have a clip of this name
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
            per_clip={clip if names[clip] == 1 else f'{clip} ({group})': m.value for (clip, group), m in measures.items()})


class Measurement:
    """One clip on its way through one metric: parts in, a row out.

    Args:
        metric: that measures.
    """

    def __init__(self, metric: ClipMetric) -> None:
        self.metric, self._state = metric, {}
        self._clip, self._scored, self._reason = {}, False, ''

    def add(self, sample: dict) -> None:
        """Look at the next frames.

        Args:
            sample: see :func:`check_sample`.

        Raises:
            TypeError, ValueError: see :func:`check_sample`.
        """
        check_sample(sample)
        metric = self.metric
        self._clip = {'clip': sample['clip'], **({'group': sample['direction']} if 'direction' in sample else {})}
        self._scored = self._scored or bool(sample['scored'].any())
        self._reason = metric.missing or (NO_TRUTH if metric.needs_truth and not sample.get('has_truth', True) else '')
        if not self._reason:
            metric.update(self._state, sample)

    def row(self) -> dict:
        """The result, fit for JSON: ``clip``, ``measures`` and, of a transfer, its direction as ``group``.

        Raises:
            InputError: the metric gives other measures than it defines.
        """
        metric, extra = self.metric, {}
        reason = metric.missing or ('' if self._scored else 'the clip has no frame besides its content frame') or self._reason
        if reason:
            measures = {k: Measure(None, reason=reason) for k in metric.definitions}
        else:
            measures, extra = metric.compute(self._state) or {}, metric.extra(self._state)
        if set(measures) != set(metric.definitions) or not all(isinstance(m, Measure) for m in measures.values()):
            given = ', '.join(f'{key} ({type(m).__name__})' for key, m in measures.items()) or 'nothing'
            raise InputError(f'clip {self._clip["clip"]}: compute of {type(metric).__name__} gave {given}, expected a Measure for each '
                             f'of its definitions: {", ".join(metric.definitions)}')
        return {**self._clip, 'measures': {k: asdict(_plain(m)) for k, m in measures.items()}, **extra}


def _plain(measure: Measure) -> Measure:
    """A measure in numbers of Python, as JSON wants them. JSON has no NaN and no infinity, and one of them spoils any mean."""
    value = None if measure.value is None else float(measure.value)
    if value is not None and not math.isfinite(value):
        return Measure(None, reason=f'the value is {value}')
    return Measure(value, int(measure.frames), None if measure.samples is None else int(measure.samples), measure.reason)
