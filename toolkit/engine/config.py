"""Reading configs with every key checked."""

import ast
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from toolkit.engine.mmengine_names import check_names
from toolkit.engine.optim import ENTRY_KEYS
from toolkit.engine.runner import LOADER_KEYS
from toolkit.plugins import import_custom
from toolkit.registry import (
    ALL_REGISTRIES,
    KNOWN_SCOPES,
    check_arguments,
    check_keys,
    did_you_mean,
    find_part,
    load_plugins,
    part_arguments,
)
from toolkit.structures import InputError

TOP_KEYS = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper',
    'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks', 'custom_hooks', 'load_from', 'resume', 'launcher',
    'env_cfg', 'log_level', 'visualizer', 'default_scope', 'randomness', 'experiment_name', 'model_wrapper_cfg', 'custom_imports',
    'needs')
"""Known top-level keys. Helper variables of a config file begin with an underscore and are dropped after reading."""

PLAIN_SECTIONS = {
    'randomness': ('seed', 'diff_rank_seed', 'deterministic'),
    'train_dataloader': LOADER_KEYS, 'val_dataloader': LOADER_KEYS, 'test_dataloader': LOADER_KEYS,
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'), 'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
    'env_cfg.dist_cfg': ('backend', 'timeout', 'init_backend'), 'custom_imports': ('imports', 'allow_failed_imports')}
SLOTS = {
    'model': 'MODELS',
    'train_dataloader.dataset': 'DATASETS', 'val_dataloader.dataset': 'DATASETS', 'test_dataloader.dataset': 'DATASETS',
    'train_dataloader.sampler': 'DATA_SAMPLERS', 'val_dataloader.sampler': 'DATA_SAMPLERS', 'test_dataloader.sampler': 'DATA_SAMPLERS',
    'train_cfg': 'LOOPS', 'default_hooks.*': 'HOOKS', 'custom_hooks.*': 'HOOKS',
    'visualizer': 'VISUALIZERS', 'visualizer.vis_backends.*': 'VISBACKENDS',
    'optim_wrapper.*.optimizer': 'OPTIMIZERS', 'param_scheduler': 'PARAM_SCHEDULERS', 'param_scheduler.*': 'PARAM_SCHEDULERS',
    'param_scheduler.*.*': 'PARAM_SCHEDULERS', 'val_evaluator': 'METRICS', 'val_evaluator.*': 'METRICS', 'test_evaluator': 'METRICS',
    'test_evaluator.*': 'METRICS'}
EXTRA_ARGUMENTS = {'LOSSES': ('weight', 'of'), 'HOOKS': ('priority',)}
"""Keys that the engine or the model takes out of a part's config before it is built."""


def load_config(path: str | Path, cfg_options: dict[str, Any] | Sequence[str] | None = None) -> Config:
    """Read a text config, import plugins and ``custom_imports`` (of all its bases too), apply overrides and check every key.

    Args:
        path: a config file.
        cfg_options: dotted key -> value, or strings ``'key=value'``.

    Raises:
        InputError: missing or broken file; unknown key at any depth; unknown part; override of a key that does not exist.
    """
    load_plugins()
    path = Path(path)
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path('configs')
        hint = did_you_mean(path.name, (p.name for p in folder.rglob('*.py'))) if folder.is_dir() else ''
        raise InputError(f'config {path} does not exist.{hint}')
    cfg = _read(path)
    modules = [m for file in _with_bases(path) for m in _imports(_read(file))]
    import_custom(modules)
    options = cfg_options if isinstance(cfg_options, dict) else parse_options(cfg_options or ())
    for key, value in options.items():
        set_option(cfg._cfg_dict, key, value)
    modules = list(dict.fromkeys([*modules, *_imports(cfg)]))
    if modules:
        import_custom(modules)
        cfg.custom_imports = dict(imports=modules)
    for key in [k for k in cfg._cfg_dict if k.startswith('_')]:
        del cfg._cfg_dict[key]
    check_config(cfg)
    return cfg


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Parse ``'a.b=1'`` strings; values are Python literals, ``true``, ``false``, ``none``, or else text.

    Raises:
        InputError: no ``=``.
    """
    parsed = {}
    for option in options:
        key, equals, text = option.partition('=')
        if not equals or not key:
            raise InputError(f'--cfg-options: {option!r} is not of the form key=value')
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = {'true': True, 'false': False, 'none': None, 'null': None}.get(text.lower(), text)
        parsed[key] = value
    return parsed


def set_option(cfg: dict, key: str, value: Any) -> None:
    """Set a dotted key that exists, or that is an argument of the part it belongs to.

    Args:
        cfg: nested dicts and lists; changed in place.
        key: such as ``'model.generator.ngf'`` or ``'custom_hooks.0.interval'``.
        value: new value; a dict is merged.

    Raises:
        InputError: unknown key (with near names), or text where a number was.
    """
    node, parts = cfg, key.split('.')
    for depth, part in enumerate(parts):
        where = '.'.join(parts[:depth]) or 'the config'
        last = depth == len(parts) - 1
        if isinstance(node, (list, tuple)):
            if not part.lstrip('-').isdigit() or not -len(node) <= int(part) < len(node):
                raise InputError(f'--cfg-options {key}: {where} is a list of {len(node)}; expected an index, got {part!r}')
            if last and isinstance(node, tuple):
                raise InputError(f'--cfg-options {key}: {where} is a tuple; set it whole')
            part = int(part)
        elif not isinstance(node, dict):
            raise InputError(f'--cfg-options {key}: {where} is {node!r}, which has no key {part!r}')
        elif part not in node:
            known = set(node) | (set(TOP_KEYS) if depth == 0 else _arguments_of(node, where))
            if part not in known or not last:
                raise InputError(f'--cfg-options {key}: {where} has no key {part!r}.{did_you_mean(part, known)} '
                                 f'Known: {", ".join(sorted(map(str, known - {"type"})))}.')
        if last:
            old = node[part] if isinstance(part, int) else node.get(part)
            if isinstance(old, (int, float)) and isinstance(value, str):
                raise InputError(f'--cfg-options {key}: expected a number like {old!r}, got the text {value!r}')
            if isinstance(old, dict) and isinstance(value, dict):
                for name, item in value.items():
                    set_option(cfg, f'{key}.{name}', item)
            else:
                node[part] = value
        else:
            node = node[part]


def check_config(cfg: Config | dict) -> None:
    """Check every key of a config without building anything.

    Top-level keys and known sections are checked by name; every dict with a ``type`` against the arguments of that part.

    Raises:
        InputError: names the full key, near names and what is known.
    """
    cfg = cfg._cfg_dict if isinstance(cfg, Config) else cfg
    check_names(cfg)
    for key in cfg:
        if key not in TOP_KEYS:
            raise InputError(f'config: unknown top-level key {key!r}.{did_you_mean(key, TOP_KEYS)} Known: {", ".join(TOP_KEYS)}. A '
                             f'helper variable must begin with an underscore.')
    for where, node in _dicts(cfg):
        if where in PLAIN_SECTIONS:
            check_keys(node, PLAIN_SECTIONS[where], where)
        if isinstance(cfg.get('optim_wrapper'), dict) and where.startswith('optim_wrapper.') and where.count('.') == 1:
            check_keys(node, ENTRY_KEYS, where)
            continue
        if where.startswith('default_hooks.') and where.count('.') == 1 and 'type' not in node:
            name = where.split('.')[1]
            raise InputError(f'{where} has no type.{did_you_mean(name, set(cfg["default_hooks"]) - {name})}')
        if isinstance(node.get('type'), str):
            _check_part(where, node)


def _check_part(where: str, node: dict) -> None:
    kind = node['type']
    scope = kind.rpartition('.')[0]
    if scope and scope not in KNOWN_SCOPES:
        raise InputError(f'{where}.type={kind!r} is a dotted path. Paths are refused because they could run anything: register the '
                         f'class and name its module in custom_imports.')
    if node.get('_scope_', KNOWN_SCOPES[0]) not in KNOWN_SCOPES:
        raise InputError(f'{where}._scope_={node["_scope_"]!r} is not supported')
    slot = _slot(where)
    if slot is not None:
        registry = ALL_REGISTRIES[slot]
        try:
            found = {slot: registry.get(kind)}
        except InputError as error:
            raise InputError(f'{where}: {error}') from None
    else:
        found = find_part(kind)
        if not found and kind[:1].isupper():
            names = {name for registry in ALL_REGISTRIES.values() for name in registry.module_dict}
            raise InputError(f'{where}.type={kind!r} is not registered anywhere.{did_you_mean(kind, names)} A part of your own is '
                             f'found when its '
                             f'package has an entry point in the group "toolkit.plugins", or when custom_imports names its module.')
    errors = []
    for registry_name, part in found.items():
        try:
            check_arguments(part, [key for key in node if key not in ('type', '_scope_')], where,
                            EXTRA_ARGUMENTS.get(registry_name, ()))
        except InputError as error:
            errors.append(error)
    if found and len(errors) == len(found):
        raise errors[0]


def _slot(where: str) -> str | None:
    parts = where.split('.')
    for pattern, slot in SLOTS.items():
        names = pattern.split('.')
        if len(names) == len(parts) and all(n in ('*', p) for n, p in zip(names, parts)):
            return slot
    return None


def _dicts(node: Any, where: str = '') -> Iterator[tuple[str, dict]]:
    if isinstance(node, dict):
        if where:
            yield where, node
        for key, value in node.items():
            yield from _dicts(value, f'{where}.{key}' if where else str(key))
    elif isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _dicts(value, f'{where}.{i}')


def _arguments_of(node: dict, where: str) -> set[str]:
    if where.startswith('optim_wrapper.') and where.count('.') == 1:
        return set(ENTRY_KEYS)
    if not isinstance(node.get('type'), str):
        return set(PLAIN_SECTIONS.get(where, ()))
    found = find_part(node['type'])
    return {a for name, part in found.items() for a in {*(part_arguments(part) or ()), *EXTRA_ARGUMENTS.get(name, ())}}


def _read(path: Path) -> Config:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            return Config.fromfile(str(path), import_custom_modules=False, lazy_import=False)
    except Exception as error:  # a config file is Python code of the user and may fail in any way
        raise InputError(f'config {path} cannot be read: {type(error).__name__}: {error}') from error


def _with_bases(path: Path) -> Iterator[Path]:
    for base in Config._get_base_files(str(path)):
        yield from _with_bases((path.parent / base).resolve())
    yield path


def _imports(cfg: Config) -> list[str]:
    named = cfg.get('custom_imports') or {}
    imports = named.get('imports', []) if isinstance(named, dict) else named
    return [imports] if isinstance(imports, str) else list(imports)
