"""What a benchmark compares: its rows, clips, budgets and seeds, read from a config file and made units of work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.engine.budget_hook import CLOCKS
from toolkit.engine.config import read_plain, with_bases
from toolkit.outputs import plain_name
from toolkit.registry import METRICS, check_keys, did_you_mean
from toolkit.signatures import wrong_kind
from toolkit.structures import InputError, check_seed

METRIC_SET = [
    dict(type='MSSSIM'), dict(type='LPIPS', net='auto'), dict(type='PSNR'), dict(type='SSIM'), dict(type='PCK'), dict(type='Sharpness'),
    dict(type='Temporal', net='auto')]
UNTRAINED = ('data', 'train_dataloader', 'test_dataloader')
"""The parts of a config that a model without weights takes."""
COLOR_CONTROL = ('clips', 'frames')
"""Keys of ``color_control``, all of them numbers."""
LOOKED_AT = ('iterations', 'minutes', 'budgets', 'seeds', 'metrics', 'columns', 'plot')
"""Keys whose values are looked at more closely than for their kind."""


@dataclass
class ClipSpec:
    """Clips that all rows are trained and tested on.

    Args:
        root: folder of prepared clips, or of one; None leaves the data as the row's config has it.
        held_out: (start, stop) of each clip, what is tested; frames, or shares as floats; an end that is None is open. None where the
            config divides its clips.
        person: for file names of ``init``; default the name of the entry.
        options: overrides of every row's config, dotted key -> value.
    """

    root: str | None = None
    held_out: Sequence[float | None] | None = None
    person: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


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
        init: checkpoint to start from, also in place of one that the config's ``needs`` would make; ``{clip}`` and ``{person}`` stand
            for those of the clip. Default the config's own.
        untrained: a model without weights that is tested instead, such as ``'PasteParts'``, on the data of the config. It takes no
            ``init``, ``budgets``, ``seeds``, ``amp`` and ``fast``, and only options of data.
        budgets, seeds: of this row alone.
        clips: names of clips; default all.
        amp, fast: of this row alone, see :class:`Spec`.
    """

    name: str
    config: str
    options: dict[str, Any] = field(default_factory=dict)
    init: str | None = None
    untrained: str | None = None
    budgets: Sequence[Budget] | None = None
    seeds: Sequence[int] | None = None
    clips: Sequence[str] | None = None
    amp: bool | str | None = None
    fast: bool | None = None

    def labels(self) -> list[tuple[str, str]]:
        """Its rows of the table: the name of each point of its budgets, empty without training, and that of the row."""
        points = [budget.label(point) for budget in self.budgets or () for point in budget.points]
        return [('', self.name)] if self.untrained else [(point, f'{self.name}, {point}') for point in points]


@dataclass
class Spec:
    """A benchmark.

    Args:
        rows: dicts with the fields of :class:`Row`; differences are taken to the first one that has results.
        clips: name -> fields of :class:`ClipSpec`.
        budgets: fields of :class:`Budget`; all are run.
        seeds: of every run; each changes all that a run draws.
        metrics: ``METRICS`` configs.
        columns: of the table for people: metrics such as ``'psnr/full'``, of which ``*`` stands for any letters.
        options: overrides of every row's config that has these keys; some row's config must have each.
        amp: half precision for all networks: True for bfloat16, or a type.
        fast: train with what ``--fast`` of ``tools/train.py`` chooses on the machine.
        clock: what minutes are counted by, ``'wall'`` or ``'cpu'``.
        max_frames: only the first frames of each clip are tested.
        frames: of each clip, on the sheet.
        color_control: the :data:`COLOR_CONTROL` of :func:`toolkit.benchmark.unit.control_of`, where color codes are to be measured.
        plot: metrics drawn over the seconds of training.
        path: of the file.
    """

    rows: Sequence[Row]
    clips: dict[str, ClipSpec]
    budgets: Sequence[Budget] = ()
    seeds: Sequence[int] = (0,)
    metrics: Sequence[Mapping] = field(default_factory=lambda: METRIC_SET)
    columns: Sequence[str] = ('ms_ssim/masked', 'lpips*/masked', 'lpips*/full', 'lpips*/crop', 'psnr/full', 'ssim/full',
                              'pck/limbs@0.1', 'sharpness/*', 'temporal/td', 'temporal/*lpips*', 'temporal/warp_error')
    options: dict[str, Any] = field(default_factory=dict)
    amp: bool | str = False
    fast: bool = False
    clock: str = 'wall'
    max_frames: int | None = None
    frames: int = 4
    color_control: dict[str, Any] | None = None
    plot: Sequence[str] = ()
    path: Path = Path()


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
    if len(set(map(plain_name, spec.clips))) < len(spec.clips):
        raise InputError(f'{path}: clips need names that differ as names of files, too, got {", ".join(spec.clips)}')
    spec.clips = {name: _made(ClipSpec, clip, f'{path}: clips.{name}') for name, clip in spec.clips.items()}
    spec.budgets = _budgets(spec.budgets, f'{path}: budgets')
    names = [row.name for row in spec.rows]
    if len(set(map(plain_name, names))) < len(names):
        raise InputError(f'{path}: each row needs a name of its own, got {", ".join(names)}')
    _check_seeds(spec.seeds, f'{path}: seeds')
    labels: set[str] = set()
    for number, row in enumerate(spec.rows):
        where = f'{path}: rows.{number} ({row.name})'
        if row.untrained:
            _check_untrained(row, where)
        if row.seeds is not None:
            _check_seeds(row.seeds, f'{where}.seeds')
        row.budgets = spec.budgets if row.budgets is None else _budgets(row.budgets, f'{where}.budgets')
        if not row.untrained and not row.budgets:
            raise InputError(f'{where}: no budget; give budgets=[dict(iterations=...)], or untrained=... for a model without weights')
        for _, label in row.labels():
            if label in labels:
                raise InputError(f'{where}.budgets: the table has a row {label!r} already; give each number of iterations or minutes '
                                 'once, or another name to the row')
            labels.add(label)
        if row.clips is not None and (not isinstance(row.clips, (list, tuple)) or not row.clips):
            raise InputError(f'{where}.clips: expected a list of names of clips, got {row.clips!r}; leave it out for all')
        if unknown := sorted(set(row.clips or ()) - set(spec.clips)):
            raise InputError(f'{where}.clips: no clips {", ".join(unknown)}.{did_you_mean(unknown[0], spec.clips)}')
    metrics = isinstance(spec.metrics, (list, tuple)) and spec.metrics or [None]
    for metric in metrics:
        if not isinstance(metric, Mapping) or metric.get('type') not in METRICS:
            raise InputError(f'{path}: metrics: expected configs such as dict(type="PSNR") in a list, got {metric or spec.metrics!r}')
    for key in ('columns', 'plot'):
        patterns = getattr(spec, key)
        if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
            raise InputError(f'{path}: {key}: expected a list of names such as "psnr/full", got {patterns!r}')
    if spec.clock not in CLOCKS:
        raise InputError(f'{path}: clock must be one of {", ".join(CLOCKS)}, got {spec.clock!r}')
    if spec.color_control is not None:
        check_keys(spec.color_control, COLOR_CONTROL, f'{path}: color_control')
        for key, value in spec.color_control.items():
            if type(value) is not int or value < 1:
                raise InputError(f'{path}: color_control.{key}: expected a number of at least 1, got {value!r}')
    _check_options(spec)
    return spec


def _budgets(given: Sequence, where: str) -> list[Budget]:
    if not isinstance(given, (list, tuple)):
        raise InputError(f'{where}: expected a list of dict(iterations=...) and dict(minutes=...), got {given!r}')
    budgets = [_made(Budget, budget, where) for budget in given]
    for budget in budgets:
        budget.check(where)
    return budgets


def _check_seeds(seeds: Any, where: str) -> None:
    if not isinstance(seeds, (list, tuple)) or not seeds:
        raise InputError(f'{where}: expected a list of whole numbers, got {seeds!r}')
    for number, seed in enumerate(seeds):
        check_seed(seed, where)
        if seed in seeds[:number]:
            raise InputError(f'{where}: {seed} is given twice; give each seed once')


def _check_untrained(row: Row, where: str) -> None:
    """Refuse what has no effect on a model without weights."""
    vain = [key for key in ('init', 'budgets', 'seeds', 'amp', 'fast') if getattr(row, key) is not None]
    vain += [f'options[{key!r}]' for key in row.options if key.split('.')[0] not in UNTRAINED]
    if vain:
        raise InputError(f'{where}: {vain[0]} has no effect on untrained={row.untrained!r}, which is not trained; take it out. '
                         f'Options of {", ".join(UNTRAINED)} have one')


def _check_options(spec: Spec) -> None:
    """Refuse options that no row's config has. Those of a spec that this one builds on may be for rows of that one."""
    plains = [read_plain(config)[1] for config in dict.fromkeys(row.config for row in spec.rows)]
    unknown = [key for key in spec.options if not any(has_key(plain, key) for plain in plains)]
    if unknown:
        bases = [read_plain(file)[1].get('rows') or () for file in list(with_bases(spec.path))[:-1]]
        configs = dict.fromkeys(row['config'] for rows in bases for row in rows if isinstance(row, Mapping) and 'config' in row)
        plains = [read_plain(config)[1] for config in configs]
    for key in unknown:
        if not any(has_key(plain, key) for plain in plains):
            raise InputError(f'{spec.path}: options[{key!r}]: no config of the rows has it; correct the key, or take it out')


def _made(kind: type, content: Any, where: str) -> Any:
    if not isinstance(content, Mapping):
        raise InputError(f'{where}: expected a dict, got {content!r}')
    known = [key for key in kind.__dataclass_fields__ if key != 'path']
    check_keys(content, known, where)
    needed = [key for key in dict(Spec=('rows', 'clips'), Row=('name', 'config')).get(kind.__name__, ()) if key not in content]
    if needed:
        raise InputError(f'{where}: {" and ".join(needed)} must be given')
    places = {key: f'{where}{": " if kind is Spec else "."}{key}' for key in content}
    for key, value in content.items():
        if key not in LOOKED_AT and (expected := wrong_kind(value, kind.__dataclass_fields__[key].type)):
            raise InputError(f'{places[key]}: expected {expected}, got {value!r}')
    return kind(**{key: _plain(value, places[key]) for key, value in content.items()})


def _plain(value: Any, where: str) -> Any:
    """A value as workers read it, which get it as JSON; paths become text."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f'{where}.{key}') for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_plain(item, f'{where}.{number}') for number, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int)) or isinstance(value, float) and math.isfinite(value):
        return value
    raise InputError(f'{where}: expected text, a finite number, True, False, None, or a list or dict of these with text as keys, got '
                     f'{value!r}')


def has_key(plain: Mapping, key: str) -> bool:
    """Whether a config has a dotted key; in a list a part of it is an index."""
    node: Any = plain
    for part in key.split('.'):
        if isinstance(node, (list, tuple)) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            return False
    return True
