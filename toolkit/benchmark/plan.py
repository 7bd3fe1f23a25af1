"""The runs of a benchmark, each with a fingerprint of all that it is made from."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.benchmark.spec import UNTRAINED, ClipSpec, Row, Spec, has_key
from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.folder import ADDED, KINDS
from toolkit.engine.config import read_plain, set_option
from toolkit.engine.shared_data import LOADERS, data_sets, share_data
from toolkit.files import source_hash
from toolkit.outputs import plain_name
from toolkit.packaged import find_packaged
from toolkit.structures import InputError

TESTED = dict(content='first', frames=None, exclude=None, split=None, split_rule=None, split_file=None, persons=None, actions=None)
"""What a data set says of the frames that are tested, and what holds where it says nothing."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A run: a row on one entry of the clips with one budget and one seed. It is plain data, and says all that its worker must know.

    Attributes:
        name: of its folder, with a fingerprint of all else: another spec gives another folder.
        row, clip, seed: what it is of.
        config, options, optional, init, untrained, amp, fast, clock: see ``Row`` and ``Spec`` of :mod:`toolkit.benchmark.spec`;
            ``optional`` are overrides for configs that have these keys.
        held_out, root: see ``ClipSpec``.
        timed: whether the points are minutes.
        points: of the budget; empty without training.
        labels: a row of the table for each point.
        metrics, max_frames, frames, color_control: see ``Spec``.
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


def units_of(spec: Spec) -> list[Unit]:
    """All runs of a benchmark, the longest first.

    Raises:
        InputError: a config, a checkpoint to start from, or a folder of clips, that is not there; rows of the same clips that would be
            tested on different frames.
    """
    for clip in spec.clips.values():
        if clip.root and not any('synthetic' in key for key in clip.options) and not find_clips(clip.root):
            raise InputError(f'{clip.root}: no prepared clips in this folder; make some with tools/prepare_data.py')
    marks = _Marks()
    units = [unit for row in spec.rows for name in row.clips or spec.clips for unit in _units(spec, row, name, spec.clips[name], marks)]
    _check_tested(spec, units, marks)
    return sorted(units, key=lambda unit: -unit.size)


def _units(spec: Spec, row: Row, name: str, clip: ClipSpec, marks: '_Marks') -> list[Unit]:
    init = row.init and row.init.format(clip=name, person=clip.person or name)
    if init and not find_packaged(init).exists():
        raise InputError(f'{spec.path}: {row.name} on {name} starts from {init}, which is not there')
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
            unit = Unit(name='', **common, seed=seed, timed=bool(budget and budget.minutes is not None), points=points, labels=labels)
            units.append(replace(unit, name=f'{plain_name(row.name)}-{plain_name(name)}-{seed}-{marks.of(unit)}'))
    return units


def _check_tested(spec: Spec, units: Sequence[Unit], marks: '_Marks') -> None:
    """Refuse rows that score other frames than the first one on the same clips: their numbers would not compare."""
    first: dict[str, tuple[str, dict]] = {}
    for unit in {(unit.row, unit.clip): unit for unit in units}.values():
        tested = tested_frames(unit, marks.content(unit))
        row, known = first.setdefault(unit.clip, (unit.row, tested))
        for key in [key for key in known if key in tested and tested[key] != known[key]]:
            place = f'test_dataloader.dataset.{key}'
            raise InputError(f'{spec.path}: {row} and {unit.row} would be tested on different frames of {unit.clip}: {place} is '
                             f'{known[key]!r} and {tested[key]!r}. Say the same in the options of both')


def tested_frames(unit: Unit, plain: Mapping) -> dict[str, Any]:
    """What the data set that a unit is tested on says of its frames: key, dotted where it holds others, -> value.

    Args:
        unit: which.
        plain: what its config says.
    """
    cfg = _with_data(plain, options_of(unit, plain))
    try:
        share_data(cfg)
    except InputError:  # the run will tell it
        return {}
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    parts = {'': dataset, **{f'{name}.': dataset[name] for name in 'ab' if isinstance(dataset.get(name), Mapping)}}
    tested = {f'{where}{key}': part.get(key, default) for where, part in parts.items() for key, default in TESTED.items()
              if key not in ('split_rule', 'split_file') or part.get('split')}
    return {key: list(value) if isinstance(value, tuple) else None if value == '' else value for key, value in tested.items()}


def options_of(unit: Unit, plain: Mapping) -> dict[str, Any]:
    """All overrides of the config of a unit.

    Args:
        unit: whose.
        plain: what its config says.
    """
    own = {**{key: value for key, value in unit.optional.items() if has_key(plain, key)}, **unit.options}
    return {key: value for key, value in _with_clip(unit, plain, own).items() if not unit.untrained or key.split('.')[0] in UNTRAINED}


def _with_clip(unit: Unit, plain: Mapping, own: Mapping[str, Any]) -> dict[str, Any]:
    """Where the data of a unit lies and what of it is held out, as overrides of a config, and its ``own`` ones."""
    options, data = {}, plain.get('data') or {}
    if unit.root is not None:
        options['data.root'] = unit.root
        if data.get('synthetic') and not any('synthetic' in key for key in unit.options):
            options |= {'data.synthetic': None} | ({'data.split_rule': None} if 'split_rule' in data else {})
    options |= own
    if unit.held_out is not None:
        held, test = tuple(unit.held_out), 'test_dataloader.dataset'
        options = {'train_dataloader.dataset.split': None, 'train_dataloader.dataset.exclude': held, f'{test}.split': None,
                   f'{test}.frames': held, **options}
        shown = _with_data(plain, own)
        given = {**(shown.get('data') or {}), **(shown['test_dataloader'].get('dataset') or {})}
        alone = given.get('references') is None
        if given.get('plate') or not alone:
            options[f'{test}.references'] = dict(pool=dict(exclude=held)) | (
                dict(count=0) if alone else own.get(f'{test}.references') or {})
    return options


def _with_data(plain: Mapping, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says, with overrides of its data; from one that cannot be on without them, as the run will tell."""
    cfg = deepcopy(dict(plain))
    with suppress(InputError):
        for key, value in options.items():
            if key.split('.')[0] in UNTRAINED:
                set_option(cfg, key, value)
    return cfg


def content_of(config: str | Path) -> dict[str, Any]:
    """What a config says, with its bases, and with the content of the configs of its ``needs`` in place of their names.

    Args:
        config: a file, or the name of one of the toolkit's.
    """
    _, plain = read_plain(config)
    needs = {name: dict(need, config=content_of(need['config'])) for name, need in (plain.get('needs') or {}).items()
             if isinstance(need, Mapping) and isinstance(need.get('config'), str)}
    return dict(plain, needs=needs)


class _Marks:
    """Fingerprints of units, and of the files that they are made from as these are now; each is read once."""

    def __init__(self) -> None:
        self._read: dict[tuple, Any] = {}

    def of(self, unit: Unit) -> str:
        """The fingerprint of a unit."""
        content = self.content(unit)
        init = unit.init and self._once(source_hash, find_packaged(unit.init))
        known = json.dumps([asdict(unit), content, self._clips(unit, content), init], sort_keys=True, default=str)
        return hashlib.sha256(known.encode()).hexdigest()[:10]

    def content(self, unit: Unit) -> dict[str, Any]:
        """See :func:`content_of`, of the config of a unit."""
        return self._once(content_of, unit.config)

    def _clips(self, unit: Unit, content: Mapping) -> list[str]:
        """What the clips of a unit are; nothing of those that are rendered on first use, or are not there yet."""
        if (unit.row, unit.clip) not in self._read:
            self._read[unit.row, unit.clip] = [
                f'{clip.key} {self._once(_state, clip)}' for root, persons in _roots(content, options_of(unit, content))
                if Path(root).is_dir() for clip in self._once(find_clips, root) if not persons or clip.person in persons]
        return self._read[unit.row, unit.clip]

    def _once(self, read: Any, what: Any) -> Any:
        key = read, str(getattr(what, 'folder', what))
        if key not in self._read:
            self._read[key] = read(what)
        return self._read[key]


def _roots(plain: Mapping, options: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    """The folders of clips that a config's runs read, each with the persons that are chosen there; none that are rendered."""
    cfg = _with_data(plain, options)
    try:
        share_data(cfg)
    except InputError:  # the run will tell it
        return
    nodes = [dataset for where, dataset in data_sets(cfg) if where.split('.')[0] in LOADERS]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Mapping):
            nodes += node.values()
            if isinstance(node.get('root'), str) and not node.get('synthetic'):
                persons = node.get('persons') or ()
                yield node['root'], [persons] if isinstance(persons, str) else persons


def _state(clip: Clip) -> str:
    """What a clip is now. What data sets keep beside its files does not count."""
    kinds = [*KINDS, *([ADDED] if clip.fields else [])]
    return ' '.join(source_hash(clip.folder / name) for name in ('manifest.json', 'poses.npz', *kinds))
