"""Reading configs with every key checked."""

import logging
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from toolkit.cli import option_value
from toolkit.engine.mmengine_names import check_names
from toolkit.engine.sections import Top
from toolkit.engine.shared_data import data_takers, follow_test, share_data
from toolkit.engine.takers import ANY, check_node, known_keys, nested_takers, takers_of
from toolkit.packaged import PREFIX, find_config
from toolkit.plugins import import_custom
from toolkit.registry import did_you_mean, load_plugins
from toolkit.signatures import wrong_kind
from toolkit.structures import InputError


def load_config(path: str | Path, cfg_options: dict[str, Any] | Sequence[str] | None = None) -> Config:
    """Read a text config, import plugins and ``custom_imports`` (of all its bases too), apply overrides, write ``data`` into each data
    set (:mod:`toolkit.engine.shared_data`) and check every key.

    With ``custom_imports.allow_failed_imports`` a module that cannot be imported is left out, with a warning.

    Args:
        path: a config file, or the name of one of the toolkit's, see :func:`toolkit.packaged.find_config`.
        cfg_options: dotted key -> value, or strings ``'key=value'``.

    Raises:
        InputError: missing or broken file; unknown key at any depth; unknown part; override of a key that does not exist.
    """
    load_plugins()
    path = find_config(path)
    files = list(with_bases(path))
    cfg = _read(path)
    options = cfg_options if isinstance(cfg_options, dict) else parse_options(cfg_options or ())
    imports, tests = ([key for key in options if key.startswith(name)] for name in ('custom_imports', 'test_dataloader'))
    for key in imports:
        set_option(cfg._cfg_dict, key, options[key])
    if modules := [module for part in (*map(_read, files), cfg) for module in _imports(part)]:
        named = cfg.get('custom_imports')
        cfg.custom_imports = dict(imports=_imported(modules, isinstance(named, dict) and named.get('allow_failed_imports', False)))
    for key in tests:
        set_option(cfg._cfg_dict, key, options[key])
    follow_test(cfg._cfg_dict)
    for key in [key for key in options if key not in (*imports, *tests)]:
        set_option(cfg._cfg_dict, key, options[key])
    for key in [k for k in cfg._cfg_dict if k.startswith('_')]:
        del cfg._cfg_dict[key]
    follow_test(cfg._cfg_dict)
    share_data(cfg._cfg_dict)
    check_config(cfg)
    return cfg


def read_plain(path: str | Path) -> tuple[Path, dict[str, Any]]:
    """Read a config that is no method's, such as a list of what to compare; its keys are not checked.

    Args:
        path: a config file, or the name of one of the toolkit's, see :func:`toolkit.packaged.find_config`.

    Returns:
        The file, and what it says, without helper variables.

    Raises:
        InputError: missing or broken file.
    """
    path = find_config(path)
    list(with_bases(path))
    return path, {key: value for key, value in _read(path)._cfg_dict.to_dict().items() if not key.startswith('_')}


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Parse ``'a.b=1'`` strings; values are those of :func:`toolkit.cli.option_value`.

    Raises:
        InputError: no ``=``, or brackets around something that is no list or dict.
    """
    parsed = {}
    for option in options:
        key, equals, text = option.partition('=')
        if not equals or not key:
            raise InputError(f'--cfg-options: {option!r} is not of the form key=value')
        try:
            parsed[key] = option_value(text)
        except InputError as error:
            raise InputError(f'--cfg-options {key}: {error}') from None
    return parsed


def set_option(cfg: dict, key: str, value: Any) -> None:
    """Set a dotted key that exists, or that is an argument of what its dict is given to.

    Args:
        cfg: nested dicts and lists; changed in place.
        key: such as ``'model.generator.ngf'`` or ``'custom_hooks.0.interval'``.
        value: new value; a dict is merged.

    Raises:
        InputError: unknown key (with near names), or text where a number was.
    """
    node, parts, takers = cfg, key.split('.'), [[Top]]
    for depth, part in enumerate(parts):
        where, last = '.'.join(parts[:depth]), depth == len(parts) - 1
        called = where or 'the config'
        if isinstance(node, (list, tuple)):
            if not part.lstrip('-').isdecimal() or not -len(node) <= int(part) < len(node):
                raise InputError(f'--cfg-options {key}: {called} is a list of {len(node)}; expected an index, got {part!r}')
            if last and isinstance(node, tuple):
                raise InputError(f'--cfg-options {key}: {called} is a tuple; set it whole')
            part = int(part)
        elif not isinstance(node, dict):
            raise InputError(f'--cfg-options {key}: {called} is {node!r}, which has no key {part!r}')
        else:
            takers = takers_of(where, node, takers)
            known = set(node) | known_keys(takers)
            inner = data_takers(cfg) if parts[:depth + 1] == ['data'] else nested_takers(takers, part)
            new_part = isinstance(value, dict) and 'type' in value
            allowed = part in known and (part in node or last or inner or new_part) or last and new_part and not takers
            if not allowed and ANY not in known:
                raise InputError(f'--cfg-options {key}: {called} has no key {part!r}.{did_you_mean(part, known)} '
                                 f'Known: {", ".join(sorted(map(str, known - {"type"})))}.')
            if not last and (inner or new_part) and node.get(part) is None:
                node[part] = {}
            takers = inner
        if last:
            old = node[part] if isinstance(part, int) else node.get(part)
            if isinstance(old, (int, float)) and isinstance(value, str) and not isinstance(old, bool):
                raise InputError(f'--cfg-options {key}: expected a number like {old!r}, got the text {value!r}')
            if isinstance(old, dict) and isinstance(value, dict):
                for name, item in value.items():
                    set_option(cfg, f'{key}.{name}', item)
            else:
                node[part] = value
        elif isinstance(node, dict) and part not in node:
            raise InputError(f'--cfg-options {key}: {called} has no {part!r} yet; set it whole, as a dict')
        else:
            node = node[part]


def check_config(cfg: Config | dict) -> None:
    """Check every key of a config, and the kinds of its values, without building anything.

    A dict with a ``type`` is checked against the arguments of that part; one without against what its receiver says of it, see
    :func:`toolkit.signatures.nested_parts`; sections against :mod:`toolkit.engine.sections`.

    Raises:
        InputError: names the full key, near names and what is known or expected.
    """
    cfg = cfg._cfg_dict if isinstance(cfg, Config) else cfg
    _check_types(cfg)
    known = Top.__annotations__
    for key, value in cfg.items():
        if key in known and (expected := wrong_kind(value, known[key])):
            raise InputError(f'{key}={value!r}: expected {expected}')
    check_names(cfg)
    for key in cfg:
        if key not in known:
            raise InputError(f'config: unknown top-level key {key!r}.{did_you_mean(str(key), known)} Known: {", ".join(known)}. A '
                             f'helper variable must begin with an underscore.')
    for name, hook in (cfg.get('default_hooks') or {}).items() if isinstance(cfg.get('default_hooks'), dict) else ():
        if isinstance(hook, dict) and 'type' not in hook:
            raise InputError(f'default_hooks.{name} has no type.{did_you_mean(name, set(cfg["default_hooks"]) - {name})}')
    check_node('', cfg, [[Top]])
    for name, entry in (cfg.get('optim_wrapper') or {}).items():
        if name not in ('constructor', 'type', 'paramwise_cfg') and not isinstance(entry, dict):
            raise InputError(f'optim_wrapper.{name}={entry!r}: expected a dict with networks and optimizer')


def _check_types(node: Any, where: str = '') -> None:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ():
        place = f'{where}.{key}' if where else str(key)
        if key == 'type' and not isinstance(value, (str, type)):
            raise InputError(f'{place}={value!r}: expected the name of a part')
        _check_types(value, place)


def _read(path: Path) -> Config:
    try:
        with warnings.catch_warnings(), _marks_dropped(), _bases_by_name():
            warnings.simplefilter('ignore', DeprecationWarning)
            return Config.fromfile(str(path), import_custom_modules=False, lazy_import=False)
    except Exception as error:  # a config file is Python code of the user and may fail in any way
        frames = [frame for frame in traceback.extract_tb(error.__traceback__)
                  if 'mmengine' not in Path(frame.filename).parts and frame.filename != __file__]
        place = f'{frames[-1].filename}, line {frames[-1].lineno}: ' if frames and Path(frames[-1].filename).is_file() else ''
        raise InputError(f'config {path} cannot be read: {place}{type(error).__name__}: {error}') from error


def _check_text(path: Path) -> None:
    """Refuse a file that is no Python text, and name the line."""
    try:
        text = path.read_text('utf-8-sig')
        compile(text, str(path), 'exec')
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'config {path} cannot be read as text in UTF-8 ({error})') from error
    except (SyntaxError, ValueError) as error:
        line = f', line {error.lineno}' if getattr(error, 'lineno', None) else ''
        shown = (getattr(error, 'text', None) or '').strip()
        reason = getattr(error, 'msg', error)
        raise InputError(f'config {path}{line}: {type(error).__name__}: {reason}{shown and ": " + shown}') from error
    if 'read_base' in text:
        raise InputError(f"config {path}: lazy configs (read_base) are not supported; write a text config: _base_ = ['base.py'], "
                         f"parts as dict(type='Name'), and no imports")


@contextmanager
def _marks_dropped() -> Iterator[None]:
    """MMEngine reads configs as UTF-8; within the context also those that begin with a byte-order mark, as Windows writes them."""

    def open_text(file, mode='r', encoding=None, **kwargs):
        return open(file, mode, encoding='utf-8-sig' if mode == 'r' and encoding == 'utf-8' else encoding, **kwargs)

    reader = sys.modules[Config.__module__]
    reader.open = open_text
    try:
        yield
    finally:
        del reader.open


@contextmanager
def _bases_by_name() -> Iterator[None]:
    """MMEngine reads ``package::path`` for its own packages only; within the context also for configs of the toolkit."""
    theirs = Config._get_cfg_path

    def get_path(base: str, filename: str) -> tuple[str, str | None]:
        return (str(find_config(base)), None) if base.startswith(PREFIX) else theirs(base, filename)

    Config._get_cfg_path = staticmethod(get_path)
    try:
        yield
    finally:
        Config._get_cfg_path = staticmethod(theirs)


def with_bases(path: Path) -> Iterator[Path]:
    """The files that a config is made of: those that its ``_base_`` names, theirs before them, then itself.

    Raises:
        InputError: a base that cannot be read.
    """
    if path.suffix == '.py' and path.is_file():
        _check_text(path)
    with _marks_dropped():
        try:
            bases = Config._get_base_files(str(path))
        except Exception as error:  # whatever stands in _base_
            raise InputError(f'config {path}: its _base_ cannot be read ({type(error).__name__}: {error})') from error
    for base in bases:
        if not isinstance(base, str):
            raise InputError(f'config {path}: _base_ must be file names, got {base!r}')
        base = base.replace('{{fileDirname}}', str(path.parent.resolve()))
        if base.startswith(PREFIX):
            yield from with_bases(_named_base(base, path))
        elif '::' not in base:
            if not (path.parent / base).is_file():
                raise InputError(f'config {path}: its _base_ {base} does not exist beside it')
            yield from with_bases((path.parent / base).resolve())
    yield path


def _named_base(base: str, path: Path) -> Path:
    try:
        return find_config(base)
    except InputError as error:
        raise InputError(f'config {path}: its _base_: {error}') from error


def _imports(cfg: Config) -> list[str]:
    """Modules that ``custom_imports`` names."""
    named = cfg.get('custom_imports') or {}
    check_node('', dict(custom_imports=named), [[Top]])
    imports = named.get('imports', []) if isinstance(named, dict) else named
    return [imports] if isinstance(imports, str) else list(imports)


def _imported(modules: Sequence[str], may_fail: bool) -> list[str]:
    """Import modules, each once; those that could be imported."""
    imported = []
    for module in dict.fromkeys(modules):
        try:
            import_custom([module])
        except InputError as error:
            if not may_fail:
                raise
            print_log(f'{error} It is left out (allow_failed_imports)', 'current', logging.WARNING)
        else:
            imported.append(module)
    return imported
