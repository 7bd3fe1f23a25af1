"""The runs of a benchmark, each with a fingerprint of all that it is made from."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from inspect import Parameter
from itertools import chain
from pathlib import Path
from typing import Any

from toolkit.benchmark.spec import UNTRAINED, Row, Spec, has_key
from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.folder import ADDED, KINDS
from toolkit.engine.config import read_plain, set_option
from toolkit.engine.networks_from import sources
from toolkit.engine.shared_data import LOADERS, data_sets, share_data
from toolkit.engine.takers import nested_takers, takers_of
from toolkit.files import source_hash
from toolkit.outputs import plain_name
from toolkit.packaged import find_packaged
from toolkit.signatures import part_parameters
from toolkit.structures import InputError
from toolkit.weights import checkpoint_file, latest_checkpoint

TESTED = ('content', 'frames', 'exclude', 'split', 'split_rule', 'split_file', 'persons', 'actions')
"""What a data set says of the frames that are tested."""
FOLDERS = ('a', 'b', 'movements')
"""Keys of a data set that hold a folder of clips, or one with options."""
STARTS = ('load_from', 'networks_from')
"""What a config says of the weights that training starts from."""


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
    held_out: Sequence[float | None] | None
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


def units_of(spec: Spec, chosen: Callable[[str, str], bool] = lambda row, clip: True) -> list[Unit]:
    """All runs of a benchmark, the longest first.

    Args:
        spec: of the benchmark.
        chosen: (row, clip) -> whether its runs are to be done now. What the others need may be missing: they then have names of units
            that nobody has done.

    Raises:
        InputError: a config, a checkpoint to start from, or a folder of clips, that is not there; rows of the same clips that would be
            tested on different frames.
    """
    marks, units, lacking = _Marks(), [], []
    for row in spec.rows:
        for name in row.clips or spec.clips:
            try:
                units += _units(spec, row, name, marks)
            except InputError:
                if chosen(row.name, name):
                    raise
                lacking += _units(spec, row, name, None)
    _check_tested(spec, units, marks)
    return sorted([*units, *lacking], key=lambda unit: -unit.size)


def _units(spec: Spec, row: Row, name: str, marks: '_Marks | None') -> list[Unit]:
    """The runs of a row on an entry of the clips; without marks nothing that they need is looked at."""
    clip = spec.clips[name]
    init = row.init and _init(spec, row, name) if marks else row.init
    if marks and clip.root and not any('synthetic' in key for key in clip.options) and not marks.clips(clip.root):
        raise InputError(f'{clip.root}: no prepared clips in this folder; make some with tools/prepare_data.py')
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
            mark = marks.of(unit) if marks else 'lacking'
            units.append(replace(unit, name=f'{plain_name(f"{row.name}-{name}-{seed}")}-{mark}'))
    return units


def _init(spec: Spec, row: Row, name: str) -> str:
    """The checkpoint that a row starts from on an entry of the clips."""
    try:
        init = row.init.format(clip=name, person=spec.clips[name].person or name)
    except (LookupError, ValueError, AttributeError):
        raise InputError(f'{spec.path}: {row.name} starts from {row.init}: expected no braces but {{clip}} and {{person}}') from None
    if not find_packaged(init).exists():
        raise InputError(f'{spec.path}: {row.name} on {name} starts from {init}, which is not there')
    return init


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
    """What the data set that a unit is tested on says of its frames: key, dotted where it holds others, -> value; what it does not say
    is what its class takes then.

    Args:
        unit: which.
        plain: what its config says.
    """
    cfg = _with(plain, options_of(unit, plain), UNTRAINED)
    try:
        share_data(cfg)
        dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
        takers = takers_of('test_dataloader.dataset', dataset, [])
    except InputError:  # the run will tell it
        return {}
    tested = {}
    for where, part, takes in (('', dataset, takers), *((f'{name}.', dataset.get(name), nested_takers(takers, name)) for name in 'ab')):
        if isinstance(part, Mapping):
            known = {key: default for group in takes for taker in group
                     for key, (_, default) in (part_parameters(taker) or {}).items() if default is not Parameter.empty}
            tested |= {f'{where}{key}': part.get(key, known.get(key)) for key in TESTED if (key in known or key in part)
                       and (key not in ('split_rule', 'split_file') or part.get('split'))}
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
        shown = _with(plain, own, UNTRAINED)
        given = {**(shown.get('data') or {}), **((shown.get('test_dataloader') or {}).get('dataset') or {})}
        alone = given.get('references') is None
        if given.get('plate') or not alone:
            options[f'{test}.references'] = dict(pool=dict(exclude=held)) | (
                dict(count=0) if alone else own.get(f'{test}.references') or {})
    return options


def _with(plain: Mapping, options: Mapping[str, Any], sections: Sequence[str]) -> dict[str, Any]:
    """What a config says, with overrides of some of its sections; from one that cannot be on without them, as the run will tell."""
    cfg = deepcopy(dict(plain))
    with suppress(InputError):
        for key, value in options.items():
            if key.split('.')[0] in sections:
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


def made_from(config: str | Path, shared: Sequence[Mapping | str | None] = ()) -> tuple[dict[str, Any], list[str]]:
    """What a run that others build on is made from, as it is now.

    Args:
        config: a file, or the name of one of the toolkit's.
        shared: data sets, or folders of clips, that it gets from what builds on it.

    Returns:
        Its :func:`content_of`, and the states of the clips that it, and what it builds on itself, read.
    """
    content, given = content_of(config), [dict(root=data) if isinstance(data, str) else data for data in shared]
    return content, _Marks().states(chain(_roots(content, {}), _roots_of_needs(content), _folders(given)))


class _Marks:
    """Fingerprints of units, and of the files that they are made from as these are now; each is read once."""

    def __init__(self) -> None:
        self._read: dict[tuple, Any] = {}

    def of(self, unit: Unit) -> str:
        """The fingerprint of a unit."""
        content = self.content(unit)
        known = [asdict(unit), content, self._clips(unit, content), self._starts(unit, content), *self._measured_by(unit)]
        return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:10]

    def content(self, unit: Unit) -> dict[str, Any]:
        """See :func:`content_of`, of the config of a unit."""
        return self._once(content_of, unit.config)

    def clips(self, root: str) -> list[Clip]:
        """The clips in a folder."""
        return self._once(find_clips, root)

    def _starts(self, unit: Unit, content: Mapping) -> str | list[str | None] | None:
        """What the checkpoints are now that training starts from or learns from, but for those that are made for the unit."""
        if unit.untrained:
            return None
        options, needs = options_of(unit, content), content['needs'].values()
        cfg = _with(content, options, STARTS)
        made = unit.init or any(need.get('part') == 'load_from' for need in needs)
        files = [None if made else cfg.get('load_from'), *network_files(cfg.get('networks_from'))]
        runs = [options.get(str(need.get('part'))) for need in needs if 'use' not in need]
        files += [str(latest_checkpoint(run) or run) for run in runs if isinstance(run, str)]
        files += [dataset.get('teacher') for dataset in _nested(_data_sets(content, options))]
        found = [self._once(_file, file) for file in files if isinstance(file, str)]
        if unit.init:
            start = self._once(_file, unit.init)
            return [start, *found] if found else start
        return found or None

    def _measured_by(self, unit: Unit) -> list[str]:
        """What the files and runs are now whose networks measure."""
        named = [node.get(key) for node in _dicts(unit.metrics) for key in ('checkpoint', 'weights')]
        return [self._once(_file, str(name)) for name in named if isinstance(name, (str, Path))]

    def _clips(self, unit: Unit, content: Mapping) -> list[str]:
        """The :meth:`states` of the clips of a unit, and of what it builds on."""
        if (unit.row, unit.clip) not in self._read:
            needed = () if unit.untrained else _roots_of_needs(content)
            self._read[unit.row, unit.clip] = self.states(chain(_roots(content, options_of(unit, content)), needed))
        return self._read[unit.row, unit.clip]

    def states(self, roots: Iterable[tuple[str, Sequence[str], str | None]]) -> list[str]:
        """What clips are, and how they are divided; nothing of clips that are rendered on first use, or not there yet."""
        found = []
        for root, persons, division in roots:
            clips = self.clips(root) if root and Path(root).is_dir() else []
            found += [f'{clip.key} {self._once(_state, clip)}' for clip in clips if not persons or clip.person in persons]
            found += [f'{division} {self._once(_file, division)}'] if division else []
        return found

    def _once(self, read: Any, what: Any) -> Any:
        key = read, str(getattr(what, 'folder', what))
        if key not in self._read:
            self._read[key] = read(what)
        return self._read[key]


def _roots(plain: Mapping, options: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], str | None]]:
    """The folders of clips that a config's runs read, each with the persons that are chosen there and the file that divides its clips;
    no name for one whose clips are rendered."""
    return _folders(_data_sets(plain, options))


def _data_sets(plain: Mapping, options: Mapping[str, Any]) -> list[dict]:
    """What a config, with overrides, says of its data sets; nothing of one that cannot be."""
    cfg = _with(plain, options, UNTRAINED)
    try:
        share_data(cfg)
    except InputError:  # the run will tell it
        return []
    return [dataset for where, dataset in data_sets(cfg) if where.split('.')[0] in LOADERS]


def _roots_of_needs(content: Mapping) -> Iterator[tuple[str, Sequence[str], str | None]]:
    """:func:`_roots` of all that a config builds on; of its :func:`content_of`."""
    for need in content['needs'].values():
        yield from _roots(need['config'], {})
        yield from _roots_of_needs(need['config'])


def _folders(datasets: Sequence[Mapping | None]) -> Iterator[tuple[str, Sequence[str], str | None]]:
    """:func:`_roots`, of some data sets."""
    for node in _nested(datasets):
        if isinstance(node.get('root'), str):
            root, persons = '' if node.get('synthetic') else node['root'], node.get('persons') or ()
            yield root, [persons] if isinstance(persons, str) else persons, node.get('split_file')


def _nested(datasets: Sequence[Mapping | None]) -> Iterator[Mapping]:
    """Data sets and all dicts in them, with one for each folder of clips that stands alone."""
    nodes: list[Any] = list(datasets)
    while nodes:
        node = nodes.pop()
        if isinstance(node, Mapping):
            nodes += [*node.values(), *(dict(root=node[name]) for name in FOLDERS if isinstance(node.get(name), str))]
            yield node


def _dicts(node: Any) -> Iterator[Mapping]:
    """A dict and all dicts in it, and in its lists."""
    if isinstance(node, Mapping):
        yield node
    for inner in node.values() if isinstance(node, Mapping) else node if isinstance(node, (list, tuple)) else ():
        yield from _dicts(inner)


def network_files(networks: Any) -> list[Any]:
    """The files of ``networks_from``."""
    named = sources(networks) if isinstance(networks, Mapping) else ()
    return [source.get('file') for _, source in named if isinstance(source, Mapping)]


def _file(path: str) -> str | None:
    """What a file, or the checkpoint of a work dir, is now; None for one that cannot be read, as the run will tell."""
    with suppress(InputError):
        return source_hash(checkpoint_file(path))
    return None


def _state(clip: Clip) -> str:
    """What a clip is now. What data sets keep beside its files does not count."""
    kinds = [*KINDS, *([ADDED] if clip.fields else [])]
    return ' '.join(source_hash(clip.folder / name) for name in ('manifest.json', 'poses.npz', *kinds))
