"""Finding code outside the toolkit: installed plugins by entry point, and modules named in a config's ``custom_imports``.

A plugin is a package with an entry point in the group ``toolkit.plugins`` that names the module to import; importing it registers its
parts. ``TOOLKIT_DISABLE_PLUGINS`` switches plugins off: ``1`` or ``all`` for all of them, else names separated by commas.
"""

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points

from toolkit.structures import InputError

GROUP = 'toolkit.plugins'
DISABLE_VARIABLE = 'TOOLKIT_DISABLE_PLUGINS'

_loaded: list[dict[str, str]] | None = None
_failed: list[dict[str, str]] = []
_custom: list[str] = []


def load_plugins() -> list[dict[str, str]]:
    """Import every installed plugin once; later calls only return what was loaded.

    A plugin that cannot be imported is reported as a warning and does not stop the others.

    Returns:
        For each plugin its ``name``, ``version`` and ``module``, in the order of their names.
    """
    global _loaded
    if _loaded is not None:
        return list(_loaded)
    _loaded = []
    disabled = {name.strip() for name in os.environ.get(DISABLE_VARIABLE, '').split(',') if name.strip()}
    if disabled & {'1', 'all', 'true'}:
        return []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        if entry.name in disabled or any(entry.name == p['name'] for p in _loaded):
            continue
        try:
            entry.load()
        except Exception as error:  # the code of others may fail in any way; it must not stop a run that does not use it
            _failed.append(dict(name=entry.name, module=entry.value, error=f'{type(error).__name__}: {error}'))
            warnings.warn(f'plugin {entry.name!r} ({entry.value}) could not be loaded: {type(error).__name__}: {error}', stacklevel=2)
        else:
            _loaded.append(dict(name=entry.name, version=entry.dist.version if entry.dist else 'unknown', module=entry.value))
    return list(_loaded)


def import_custom(modules: Sequence[str]) -> None:
    """Import the modules a config names in ``custom_imports``; the current folder counts as a place to import from.

    Args:
        modules: dotted names.

    Raises:
        InputError: a module cannot be imported.
    """
    if os.getcwd() not in sys.path and '' not in sys.path:
        sys.path.append(os.getcwd())
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InputError(
                f'custom_imports: cannot import {module!r} ({error}). Install its package, start from the folder that holds it, or add '
                f'that folder to PYTHONPATH.') from error
        if module not in _custom:
            _custom.append(module)


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
