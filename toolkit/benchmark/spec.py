"""What a benchmark compares: its rows, clips, budgets and seeds, read from a config file and made units of work."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.clips.clip import find_clips
from toolkit.engine.budget_hook import CLOCKS
from toolkit.engine.config import read_plain
from toolkit.files import source_hash
from toolkit.outputs import plain_name
from toolkit.packaged import find_packaged
from toolkit.registry import METRICS, check_keys, did_you_mean
from toolkit.structures import InputError, check_seed

METRIC_SET = [
    dict(type='MSSSIM'), dict(type='LPIPS', net='auto'), dict(type='PSNR'), dict(type='SSIM'), dict(type='PCK'), dict(type='Sharpness'),
    dict(type='Temporal', net='auto')]


@dataclass
class ClipSpec:
    """Clips that all rows are trained and tested on.

    Args:
        root: folder of prepared clips, or of one; None leaves the data as the row's config has it.
        held_out: (start, stop) of each clip, what is tested; frames, or shares as floats. None where the config divides its clips.
        person: for file names of ``init``; default the name of the entry.
        options: overrides of every row's config, dotted key -> value.
    """

    root: str | None = None
    held_out: Sequence[float] | None = None
    person: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Budget:
    """How long a run trains: to the last of some points, each of which is a row of the table. 0 is what the run begins with.

    Args:
        iterations: numbers of iterations, or one.
        minutes: of training instead; the learning rate falls as the minutes pass.
    """

    iterations: int | Sequence[int] | None = None
    minutes: float | Sequence[float] | None = None

    @property
    def points(self) -> list[float]:
        """The points, rising."""
        given = self.iterations if self.minutes is None else self.minutes
        return sorted(set(given)) if isinstance(given, (list, tuple)) else [given]

    def label(self, point: float) -> str:
        """Name of a point."""
        if self.minutes is None:
            return f'{point:,} iteration{"s" if point > 1 else ""}' if point else 'no training'
        return f'{point:g} min' if point >= 1 or not point else f'{60 * point:g} s'

    def check(self, where: str) -> None:
        """Raises:
            InputError: not one of both, or numbers that cannot be.
        """
        if (self.iterations is None) == (self.minutes is None):
            raise InputError(f'{where}: expected dict(iterations=...) or dict(minutes=...), got {asdict(self)}')
        kind = int if self.minutes is None else (int, float)
        if not self.points or not all(isinstance(p, kind) and not isinstance(p, bool) and p >= 0 for p in self.points):
            raise InputError(f'{where}: expected numbers of at least 0, got {self.points}')


@dataclass
class Row:
    """One method.

    Args:
        name: in the table.
        config: a config file, or the name of one of the toolkit's.
        options: overrides of it, dotted key -> value.
        init: checkpoint to start from; ``{clip}`` and ``{person}`` stand for those of the clip. Default the config's own.
        untrained: a model without weights that is tested instead, such as ``'PasteParts'``, on the data of the config.
        budgets, seeds: of this row alone.
        clips: names of clips; default all.
        amp, fast: of this row alone, see :class:`Spec`.
    """

    name: str
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    init: str | None = None
    untrained: str | None = None
    budgets: Sequence[Budget] | None = None
    seeds: Sequence[int] | None = None
    clips: Sequence[str] | None = None
    amp: bool | str | None = None
    fast: bool | None = None


@dataclass
class Spec:
    """A benchmark.

    Args:
        rows: dicts with the fields of :class:`Row`; differences are taken to the first one.
        clips: name -> fields of :class:`ClipSpec`.
        budgets: fields of :class:`Budget`; all are run.
        seeds: of every run; each changes all that a run draws.
        metrics: ``METRICS`` configs.
        columns: of the table for people: metrics such as ``'psnr/full'``, of which ``*`` stands for any letters.
        options: overrides of every row's config that has these keys.
        amp: half precision for all networks: True for bfloat16, or a type.
        fast: train with what ``--fast`` of ``tools/train.py`` chooses on the machine.
        clock: what minutes are counted by, ``'wall'`` or ``'cpu'``.
        max_frames: only the first frames of each clip are tested.
        frames: of each clip, on the sheet.
        color_control: arguments of :func:`toolkit.benchmark.unit.control_of`, where color codes are to be measured.
        plot: metrics drawn over the seconds of training.
        path: of the file.
    """

    rows: Sequence[Row]
    clips: Mapping[str, ClipSpec]
    budgets: Sequence[Budget] = ()
    seeds: Sequence[int] = (0,)
    metrics: Sequence[Mapping] = field(default_factory=lambda: METRIC_SET)
    columns: Sequence[str] = ('ms_ssim/masked', 'lpips*/masked', 'lpips*/full', 'lpips*/crop', 'psnr/full', 'ssim/full',
                              'pck/limbs@0.1', 'sharpness/*', 'temporal/td', 'temporal/*lpips*', 'temporal/warp_error')
    options: Mapping[str, Any] = field(default_factory=dict)
    amp: bool | str = False
    fast: bool = False
    clock: str = 'wall'
    max_frames: int | None = None
    frames: int = 4
    color_control: Mapping[str, Any] | None = None
    plot: Sequence[str] = ()
    path: Path = Path()


@dataclass(frozen=True, eq=False)
class Unit:
    """A run: a row on one entry of the clips with one budget and one seed. It is plain data, and says all that its worker must know.

    Attributes:
        name: of its folder, with a fingerprint of all else: another spec gives another folder.
        row, clip, seed: what it is of.
        config, options, optional, init, untrained, amp, fast, clock: see :class:`Row` and :class:`Spec`; ``optional`` are overrides for
            configs that have these keys.
        held_out, root: see :class:`ClipSpec`.
        timed: whether the points are minutes.
        points: of the budget; empty without training.
        labels: a row of the table for each point.
        metrics, max_frames, frames, color_control: see :class:`Spec`.
    """

    name: str
    row: str
    clip: str
    seed: int
    config: str
    options: Mapping[str, Any]
    optional: Mapping[str, Any]
    init: str | None
    untrained: str | None
    amp: bool | str
    fast: bool
    clock: str
    held_out: Sequence[float] | None
    root: str | None
    timed: bool
    points: Sequence[float]
    labels: Sequence[str]
    metrics: Sequence[Mapping]
    max_frames: int | None
    frames: int
    color_control: Mapping[str, Any] | None

    @property
    def size(self) -> float:
        """How much longer than others it may take: minutes, or iterations in hundreds."""
        return (self.points[-1] if self.timed else self.points[-1] / 100) if self.points else 0


def read_spec(path: str | Path) -> Spec:
    """Read a benchmark from a config file.

    Args:
        path: a file, or the name of one of the toolkit's, such as ``benchmarks/people``.

    Raises:
        InputError: names the key, and what is expected.
    """
    path, content = read_plain(path)
    spec = _made(Spec, content, str(path))
    spec.path = path
    if not spec.rows or not spec.clips:
        raise InputError(f'{path}: rows and clips must name something')
    spec.rows = [_made(Row, row, f'{path}: rows.{number}') for number, row in enumerate(spec.rows)]
    spec.clips = {name: _made(ClipSpec, clip, f'{path}: clips.{name}') for name, clip in spec.clips.items()}
    spec.budgets = _budgets(spec.budgets, f'{path}: budgets')
    names = [row.name for row in spec.rows]
    if len(set(map(plain_name, names))) < len(names):
        raise InputError(f'{path}: each row needs a name of its own, got {", ".join(names)}')
    for number, row in enumerate(spec.rows):
        where = f'{path}: rows.{number} ({row.name})'
        row.budgets = spec.budgets if row.budgets is None else _budgets(row.budgets, f'{where}.budgets')
        if not row.untrained and not row.budgets:
            raise InputError(f'{where}: no budget; give budgets=[dict(iterations=...)], or untrained=... for a model without weights')
        for seed in row.seeds or spec.seeds:
            check_seed(seed, f'{where}.seeds')
        if unknown := sorted(set(row.clips or ()) - set(spec.clips)):
            raise InputError(f'{where}.clips: no clips {", ".join(unknown)}.{did_you_mean(unknown[0], spec.clips)}')
    for metric in spec.metrics:
        if not isinstance(metric, Mapping) or metric.get('type') not in METRICS:
            raise InputError(f'{path}: metrics: expected configs such as dict(type="PSNR"), got {metric!r}')
    if spec.clock not in CLOCKS:
        raise InputError(f'{path}: clock must be one of {", ".join(CLOCKS)}, got {spec.clock!r}')
    return spec


def _budgets(given: Sequence, where: str) -> list[Budget]:
    if not isinstance(given, (list, tuple)):
        raise InputError(f'{where}: expected a list of dict(iterations=...) and dict(minutes=...), got {given!r}')
    budgets = [_made(Budget, budget, where) for budget in given]
    for budget in budgets:
        budget.check(where)
    return budgets


def _made(kind: type, content: Any, where: str) -> Any:
    if not isinstance(content, Mapping):
        raise InputError(f'{where}: expected a dict, got {content!r}')
    known = [key for key in kind.__dataclass_fields__ if key != 'path']
    check_keys(content, known, where)
    needed = [key for key in dict(Spec=('rows', 'clips'), Row=('name', 'config')).get(kind.__name__, ()) if key not in content]
    if needed:
        raise InputError(f'{where}: {" and ".join(needed)} must be given')
    return kind(**content)


def units_of(spec: Spec) -> list[Unit]:
    """All runs of a benchmark, the longest first.

    Raises:
        InputError: a checkpoint to start from, or a folder of clips, that is not there.
    """
    states = {name: _state(clip) for name, clip in spec.clips.items()}
    hashes: dict[str, str] = {}
    units = [unit for row in spec.rows for name in row.clips or spec.clips
             for unit in _units(spec, row, name, spec.clips[name], states[name], hashes)]
    return sorted(units, key=lambda unit: -unit.size)


def _units(spec: Spec, row: Row, name: str, clip: ClipSpec, state: str, hashes: dict[str, str]) -> list[Unit]:
    init = row.init and row.init.format(clip=name, person=clip.person or name)
    if init and init not in hashes:
        if not find_packaged(init).exists():
            raise InputError(f'{spec.path}: {row.name} on {name} starts from {init}, which is not there')
        hashes[init] = source_hash(find_packaged(init))
    common = dict(
        row=row.name, clip=name, config=row.config, options={**clip.options, **row.options}, optional=dict(spec.options), init=init,
        untrained=row.untrained, amp=spec.amp if row.amp is None else row.amp, fast=spec.fast if row.fast is None else row.fast,
        clock=spec.clock, held_out=clip.held_out, root=clip.root,
        metrics=list(spec.metrics), max_frames=spec.max_frames, frames=spec.frames, color_control=spec.color_control)
    units = []
    for budget in row.budgets if not row.untrained else (None,):
        for seed in (row.seeds or spec.seeds) if budget else (0,):
            points = budget.points if budget else []
            labels = [f'{row.name}, {budget.label(point)}' for point in points] if budget else [row.name]
            all_of_it = dict(common, seed=seed, timed=bool(budget and budget.minutes is not None), points=points, labels=labels)
            known = json.dumps([all_of_it, state, hashes.get(init)], sort_keys=True, default=str)
            mark = hashlib.sha256(known.encode()).hexdigest()[:10]
            units.append(Unit(name=f'{plain_name(row.name)}-{plain_name(name)}-{seed}-{mark}', **all_of_it))
    return units


def _state(clip: ClipSpec) -> str:
    """What the clips are now; nothing where they are rendered on first use."""
    if not clip.root or any('synthetic' in key for key in clip.options):
        return ''
    clips = find_clips(Path(clip.root))
    if not clips:
        raise InputError(f'{clip.root}: no prepared clips in this folder; make some with tools/prepare_data.py')
    return ' '.join(source_hash(found.folder / 'manifest.json') for found in clips)
