"""Finding code outside the toolkit: installed plugins by entry point, and modules named in a config's ``custom_imports``.

A plugin is a package with an entry point in the group ``toolkit.plugins`` that names the module to import; importing it registers its
parts. ``TOOLKIT_DISABLE_PLUGINS`` switches plugins off: ``1`` or ``all`` for all of them, else names separated by commas.
"""

import importlib
import importlib.util
import json
import os
import site
import sys
import sysconfig
import threading
import warnings
from collections.abc import Sequence
from importlib.metadata import distribution, entry_points, packages_distributions
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from toolkit.structures import InputError

GROUP = 'toolkit.plugins'
DISABLE_VARIABLE = 'TOOLKIT_DISABLE_PLUGINS'

_loaded: list[dict[str, str]] | None = None
_failed: list[dict[str, str]] = []
_custom: list[str] = []
_loading = threading.RLock()


def load_plugins() -> list[dict[str, str]]:
    """Import every installed plugin once; later calls only return what was loaded. Another thread waits until all are.

    A plugin that cannot be imported is reported as a warning and does not stop the others.

    Returns:
        For each plugin its ``name``, ``version`` and ``module``, in the order of their names.
    """
    global _loaded
    with _loading:
        if _loaded is None:
            _loaded = []  # a plugin may ask while it is imported
            _load_all(_loaded)
        return list(_loaded)


def _load_all(loaded: list[dict[str, str]]) -> None:
    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, '').split(',') if name.strip()}
    if disabled & {'1', 'all', 'true'}:
        return
    found = sorted(entry_points(group=GROUP), key=lambda e: e.name)
    if unknown := sorted(disabled - {entry.name for entry in found}):
        warnings.warn(f'{DISABLE_VARIABLE} names {", ".join(unknown)}, which is no installed plugin; installed: '
                      f'{", ".join(dict.fromkeys(entry.name for entry in found)) or "none"}', stacklevel=3)
    for entry in found:
        if entry.name in disabled or any((entry.name, entry.value) == (p['name'], p['module']) for p in loaded):
            continue
        try:
            entry.load()
        except Exception as error:  # the code of others may fail in any way; it must not stop a run that does not use it
            _failed.append(dict(name=entry.name, module=entry.value, error=f'{type(error).__name__}: {error}'))
            warnings.warn(f'plugin {entry.name!r} ({entry.value}) could not be loaded: {type(error).__name__}: {error}', stacklevel=3)
        else:
            loaded.append(dict(name=entry.name, version=entry.dist.version if entry.dist else 'unknown', module=entry.value))


def import_custom(modules: Sequence[str], where: str = 'custom_imports') -> None:
    """Import the modules a config names in ``custom_imports``; the current folder counts as a place to import from.

    Args:
        modules: dotted names.
        where: what named them, for messages.

    Raises:
        InputError: a module cannot be imported.
    """
    if os.getcwd() not in sys.path and '' not in sys.path:
        sys.path.append(os.getcwd())
    _import(modules, where)
    _custom.extend(module for module in modules if module not in _custom)


def _import(modules: Sequence[str], where: str) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InputError(
                f'{where}: cannot import {module!r} ({error}). Install its package, start from the folder that holds it, or add '
                f'that folder to PYTHONPATH.') from error


def import_named(modules: object, allowed: Sequence[str] = (), where: str = 'checkpoint') -> None:
    """Import modules that a checkpoint names. It may come from anybody, so that a name alone must not choose what code is run.

    A module is imported when its package is installed, when the program or the user's own config has imported it already, or when it is
    allowed. Only for one that is allowed does the current folder count.

    Args:
        modules: dotted names, as they stand in the checkpoint.
        allowed: names that the user allows.
        where: the checkpoint, for messages.

    Raises:
        InputError: no dotted names, a module that is neither installed nor allowed, or one that cannot be imported.
    """
    plain = isinstance(modules, (list, tuple)) and all(
        isinstance(m, str) and all(part.isidentifier() for part in m.split('.')) for m in modules)
    if not plain:
        raise InputError(f'{where}: custom_imports must be a list of names of modules, got {modules!r}')
    for module in modules:
        if module not in sys.modules and module not in allowed and not is_installed(module):
            raise InputError(
                f'{where}: needs the module {module!r}, which no installed package holds. If you know and trust it, start from '
                f'its folder and say --allow-import {module} (allow_imports=[{module!r}]); or install its package')
    (import_custom if set(modules) & set(allowed) else _import)(modules, f'{where}: custom_imports')


def is_installed(module: str) -> bool:
    """Whether a module belongs to an installed package: it lies in a folder for packages, or in one that is installed as editable."""
    top = module.partition('.')[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = [spec.origin] if spec and spec.origin else list(spec.submodule_search_locations or ()) if spec else []
    places = [Path(os.path.realpath(place)) for place in places]
    folders = [Path(os.path.realpath(sysconfig.get_path(kind))) for kind in ('purelib', 'platlib')]
    folders += [Path(os.path.realpath(folder)) for folder in (*site.getsitepackages(), site.getusersitepackages())]
    if places and all(any(place.is_relative_to(folder) for folder in folders) for place in places):
        return True
    for name in packages_distributions().get(top, ()):
        found = distribution(name)
        link = json.loads(found.read_text('direct_url.json') or '{}')
        if link.get('dir_info', {}).get('editable') and Path(os.path.realpath(found.locate_file(''))) in folders:
            source = os.path.realpath(url2pathname(urlparse(link['url']).path))
            return bool(places) and all(place.is_relative_to(source) for place in places)
    return False


def describe_plugins() -> str:
    """What was loaded from outside, in one line for logs and errors."""
    parts = [f'{p["name"]} {p["version"]}' for p in load_plugins()] + [f'{name} (custom_imports)' for name in _custom]
    parts += [f'{p["name"]} FAILED ({p["error"]})' for p in _failed]
    if os.environ.get(DISABLE_VARIABLE):
        parts.append(f'{DISABLE_VARIABLE}={os.environ[DISABLE_VARIABLE]}')
    return ', '.join(parts) or 'none'


def origin(module: str) -> str:
    """Where the part defined in ``module`` came from.

    Args:
        module: ``cls.__module__``.

    Returns:
        ``'toolkit'``, ``'<plugin> <version>'``, or the name of the top-level package.
    """
    top = module.split('.')[0]
    for plugin in load_plugins():
        if plugin['module'].split(':')[0].split('.')[0] == top:
            return f'{plugin["name"]} {plugin["version"]}'
    return top
