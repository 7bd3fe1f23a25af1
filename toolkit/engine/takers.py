"""Who takes the keys of a dict in a config: the part that its ``type`` names, the receiver of a plain dict, or a section.

Takers are alternatives, each a list of classes and functions that share the keys of one dict: a name may be registered in several
registries, and one dict may be given to a class and to one of its methods.
"""

from collections.abc import Callable, Mapping
from typing import Any

from toolkit.engine.sections import SECTIONS, Optimizer, Top
from toolkit.registry import ALL_REGISTRIES, KNOWN_SCOPES, did_you_mean, find_part
from toolkit.signatures import nested_parts, part_parameters, wrong_kind
from toolkit.structures import InputError

Takers = list[list[Callable]]
ANY = '*'
SLOTS = {
    'model': 'MODELS',
    'train_dataloader.dataset': 'DATASETS', 'val_dataloader.dataset': 'DATASETS', 'test_dataloader.dataset': 'DATASETS',
    'train_dataloader.sampler': 'DATA_SAMPLERS', 'val_dataloader.sampler': 'DATA_SAMPLERS', 'test_dataloader.sampler': 'DATA_SAMPLERS',
    'train_cfg': 'LOOPS', 'val_cfg': 'LOOPS', 'default_hooks.*': 'HOOKS', 'custom_hooks.*': 'HOOKS',
    'visualizer': 'VISUALIZERS', 'visualizer.vis_backends.*': 'VISBACKENDS',
    'optim_wrapper.*.optimizer': 'OPTIMIZERS', 'param_scheduler': 'PARAM_SCHEDULERS', 'param_scheduler.*': 'PARAM_SCHEDULERS',
    'param_scheduler.*.*': 'PARAM_SCHEDULERS', 'val_evaluator': 'METRICS', 'val_evaluator.*': 'METRICS', 'test_evaluator': 'METRICS',
    'test_evaluator.*': 'METRICS'}
TYPED = ('model', 'train_dataloader.dataset', 'val_dataloader.dataset', 'test_dataloader.dataset', 'custom_hooks.*',
         'optim_wrapper.*.optimizer', 'val_evaluator.*', 'test_evaluator.*')
"""Where a dict without ``type`` is a mistake."""
EXTRA_ARGUMENTS = {'LOSSES': ('weight', 'of'), 'HOOKS': ('priority',)}
"""Keys that the engine or the model takes out of a part's config before it is built."""
ENGINE_KEYS = ('type', '_scope_')


def takers_of(where: str, node: Mapping, inherited: Takers) -> Takers:
    """Who takes the keys of a dict.

    Args:
        where: its dotted key, empty for the whole config.
        node: the dict.
        inherited: what its receiver says of it, see :func:`nested_takers`.

    Returns:
        The alternatives; empty where nobody says what the dict may hold.

    Raises:
        InputError: a ``type`` that is not known, not of the kind that belongs there, or missing.
    """
    if not where:
        return [[Top]]
    if isinstance(node.get('type'), str) and not _matches(where, 'optim_wrapper.*'):
        return [[part] for part in _parts(where, node).values()]
    if _matches(where, 'optim_wrapper.*'):
        return [[Optimizer]]
    for pattern, section in SECTIONS.items():
        if _matches(where, pattern):
            return [[section]]
    if any(_matches(where, pattern) for pattern in TYPED):
        raise InputError(f'{where} has no type: expected the name of a {ALL_REGISTRIES[_slot(where)].name}')
    return inherited


def nested_takers(takers: Takers, key: str) -> Takers:
    """What the takers of a dict say of the plain dict that they take as ``key``; empty where they say nothing."""
    return [parts for parts in ([inner for part in group for inner in nested_parts(part, key)] for group in takers) if parts]


def known_keys(takers: Takers) -> set[str]:
    """Names that some alternative takes, with :data:`ANY` where one takes anything."""
    names: set[str] = set()
    for group in takers:
        names |= set(ENGINE_KEYS if any(_registered(part) for part in group) else ())
        for part in group:
            parameters = part_parameters(part)
            names |= {ANY} if parameters is None else {*parameters, *_extra(part)}
    return names


def check_node(where: str, node: Any, inherited: Takers) -> None:
    """Check keys and kinds of values of a config, from a dict or list down.

    Raises:
        InputError: names the key, near names, the value and what was expected.
    """
    if isinstance(node, (list, tuple)):
        for i, item in enumerate(node):
            check_node(f'{where}.{i}', item, [])
    if not isinstance(node, Mapping):
        return
    fitting, errors = [], []
    for group in takers_of(where, node, inherited):
        try:
            _check(where, node, group)
            fitting.append(group)
        except InputError as error:
            errors.append(error)
    if errors and not fitting:
        raise errors[0]
    for key, value in node.items():
        check_node(f'{where}.{key}' if where else str(key), value, nested_takers(fitting, key))


def _check(where: str, node: Mapping, group: list[Callable]) -> None:
    found = [part_parameters(part) for part in group]
    known = {name for parameters in found for name in parameters or ()}
    allowed = {*known, *(name for part in group for name in _extra(part))}
    name, section = group[0].__name__, hasattr(group[0], '__total__')
    for key, value in node.items():
        if key in ENGINE_KEYS and not (section and key in known):
            continue
        if None not in found and key not in allowed:
            what = f'unknown key {key!r}' if section else f'{name} got an unknown argument {key!r}'
            raise InputError(f'{where}: {what}.{did_you_mean(str(key), allowed)} It takes: {", ".join(sorted(allowed)) or "nothing"}.')
        wrong = [wrong_kind(value, *parameters[key]) for parameters in found if parameters and key in parameters]
        if wrong and all(wrong):
            raise InputError(f'{where}.{key}'.lstrip('.') + f'={value!r}: expected {" or ".join(wrong)}')


def _parts(where: str, node: Mapping) -> dict[str, Callable]:
    """Registry -> part of the ``type`` of a dict."""
    kind = node['type']
    scope = kind.rpartition('.')[0]
    if scope and scope not in KNOWN_SCOPES:
        raise InputError(f'{where}.type={kind!r} is a dotted path. Paths are refused because they could run anything: register the '
                         f'class and name its module in custom_imports.')
    if node.get('_scope_', KNOWN_SCOPES[0]) not in KNOWN_SCOPES:
        raise InputError(f'{where}._scope_={node["_scope_"]!r} is not supported')
    slot = _slot(where)
    if slot is not None:
        try:
            return {slot: ALL_REGISTRIES[slot].get(kind)}
        except InputError as error:
            raise InputError(f'{where}: {error}') from None
    found = find_part(kind)
    if not found and kind[:1].isupper():
        names = {name for registry in ALL_REGISTRIES.values() for name in registry.module_dict}
        raise InputError(f'{where}.type={kind!r} is not registered anywhere.{did_you_mean(kind, names)} A part of your own is found '
                         f'when its package has an entry point in the group "toolkit.plugins", or custom_imports names its module.')
    return found


def _registered(part: Callable) -> bool:
    return any(part in registry.module_dict.values() for registry in ALL_REGISTRIES.values())


def _extra(part: Callable) -> tuple[str, ...]:
    return next((extra for name, extra in EXTRA_ARGUMENTS.items() if part in ALL_REGISTRIES[name].module_dict.values()), ())


def _slot(where: str) -> str | None:
    return next((slot for pattern, slot in SLOTS.items() if _matches(where, pattern)), None)


def _matches(where: str, pattern: str) -> bool:
    parts, names = where.split('.'), pattern.split('.')
    return len(names) == len(parts) and all(n in (ANY, p) for n, p in zip(names, parts))
