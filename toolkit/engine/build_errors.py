"""Errors of building, told with the place in the config."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from toolkit.registry import BUILD_ERRORS, PartError
from toolkit.structures import InputError


@contextmanager
def naming_parts(cfg: Mapping, what: str = 'the config') -> Iterator[None]:
    """Within the context, a part that cannot be built is named by its place in the config.

    Args:
        cfg: a whole config.
        what: is built, for errors that belong to no part.

    Raises:
        InputError: in place of what building raises for a value that cannot be.
    """
    try:
        yield
    except PartError as error:
        where = place_of(cfg, error.config)
        raise InputError(f'{where}: {error}' if where else str(error)) from error
    except InputError:
        raise
    except BUILD_ERRORS as error:
        raise InputError(f'{what} cannot be built: {type(error).__name__}: {error}') from error


def place_of(node: Any, wanted: Mapping, where: str = '') -> str:
    """Dotted key of the dict of a part, empty where it is not found.

    Args:
        node: a whole config, or a part of it.
        wanted: the part's ``type`` and arguments; more than the config says may be filled in.
        where: dotted key of ``node``.
    """
    if isinstance(node, Mapping):
        if where and node.get('type') == wanted.get('type') and all(k in wanted and wanted[k] == v for k, v in node.items()):
            return where
        items = node.items()
    else:
        items = enumerate(node) if isinstance(node, (list, tuple)) else ()
    return next(filter(None, (place_of(value, wanted, f'{where}.{key}' if where else str(key)) for key, value in items)), '')
