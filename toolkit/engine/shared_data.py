"""Data stated once: ``data`` of a config is what all its data sets take, and validation and looks take the data set of the test.

A config says::

    data = dict(root='data/mine', size=(192, 128))
    train_dataloader = dict(dataset=dict(type='ClipWindows', split='train'))
    test_dataloader = dict(dataset=dict(type='ClipWindows', split='test', window=None))

Both data sets then have that root and size. One that is trained on may not say otherwise, or testing would silently stay where it was.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from toolkit.engine.takers import ANY, Takers, check_node, known_keys, takers_of
from toolkit.registry import did_you_mean
from toolkit.structures import InputError

TRAIN = 'train_dataloader.dataset'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def data_sets(cfg: Mapping[str, Any]) -> Iterator[tuple[str, dict]]:
    """Place and config of each data set of a config that names its type: those of data loaders and of hooks."""
    hooks = cfg.get('custom_hooks')
    hooks = enumerate(hooks) if isinstance(hooks, (list, tuple)) else ()
    for where, owner in (*((name, cfg.get(name)) for name in LOADERS), *((f'custom_hooks.{i}', hook) for i, hook in hooks)):
        dataset = owner.get('dataset') if isinstance(owner, Mapping) else None
        if isinstance(dataset, Mapping) and 'type' in dataset:
            yield f'{where}.dataset', dataset


def data_takers(cfg: Mapping[str, Any]) -> Takers:
    """Who takes the keys of ``data``: the data sets of a config."""
    return [group for where, dataset in data_sets(cfg) for group in takers_of(where, dataset, [])]


def follow_test(cfg: dict) -> None:
    """Validate on the test's data where ``val_dataloader`` does not say otherwise. In place.

    What ``val_dataloader`` leaves out is that of ``test_dataloader``, unless its dataset has a type of its own. With a
    ``val_evaluator`` it may be left out as a whole; None means no validation.
    """
    test, val = cfg.get('test_dataloader'), cfg.get('val_dataloader', {} if cfg.get('val_evaluator') else None)
    if isinstance(test, Mapping) and isinstance(val, Mapping) and 'type' not in (val.get('dataset') or {}):
        cfg['val_dataloader'] = _filled(deepcopy(val), test)


def share_data(cfg: dict) -> None:
    """Write ``data`` into each data set that takes its keys and does not say otherwise, and take it out of the config. In place.

    Raises:
        InputError: a key that no data set takes or uses; a data set of training that says otherwise.
    """
    data = cfg.pop('data', None)
    if data is None:
        return
    if not isinstance(data, Mapping):
        raise InputError(f'data={data!r}: expected a dict of what all data sets of the config take, such as root')
    sets, given = dict(data_sets(cfg)), {}
    if not sets:
        raise InputError('data is given, but the config has no data set that would take it')
    known = {where: known_keys(takers_of(where, dataset, [])) for where, dataset in sets.items()}
    for key in data:
        if not any(key in names or ANY in names for names in known.values()):
            kinds = ', '.join(dict.fromkeys(dataset['type'] for dataset in sets.values()))
            near = did_you_mean(key, set.union(*known.values()))
            raise InputError(f'data.{key}: no data set of the config takes it ({kinds}).{near} Where they have nothing in common with '
                             f'the base config, say data = None')
    check_node('data', data, data_takers(cfg))
    for where, names in known.items():
        given[where] = {key: value for key, value in data.items() if key in names or ANY in names}
    otherwise = {where: list(_said_otherwise(given[where], dataset)) for where, dataset in sets.items()}
    for key, value, own in otherwise.get(TRAIN, ()):
        if isinstance(own, Mapping):
            raise InputError(f'data.{key}={value!r}: expected a dict, such as dict(root=...), as {TRAIN}.{key} is one')
        raise InputError(f'{TRAIN}.{key}={own!r}, but data.{key}={value!r} holds for all data sets of the config. Say '
                         f'data.{key}={own!r}; a data set that is not trained on may differ')
    said = {where: {key for key, *_ in found} for where, found in otherwise.items()}
    for key in sorted(set().union(*said.values())):
        if all(key in said[where] or key.split('.')[0] not in given[where] for where in sets):
            raise InputError(f'data.{key} is used by no data set: {", ".join(where for where in sets if key in said[where])} says '
                             f'otherwise')
    for where, dataset in sets.items():
        _filled(dataset, given[where])


def _said_otherwise(data: Mapping, own: Mapping, where: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Dotted key of each entry of ``data`` in whose place a data set has another value, and both values."""
    for key, value in data.items():
        if key not in own:
            continue
        if isinstance(value, Mapping) and isinstance(own[key], Mapping):
            yield from _said_otherwise(value, own[key], f'{where}{key}.')
        elif value != own[key]:
            yield f'{where}{key}', value, own[key]


def _filled(own: dict, given: Mapping) -> dict:
    """``own``, with what it does not say of ``given``, at any depth."""
    for key, value in given.items():
        if key not in own:
            own[key] = deepcopy(value)
        elif isinstance(value, Mapping) and isinstance(own[key], Mapping):
            _filled(own[key], value)
    return own
