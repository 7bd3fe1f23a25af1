"""What parts take: names and kinds of their arguments, read from their signatures."""

import importlib
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT_CLASSES = (('builtins', 'object'), ('torch.nn.modules.module', 'Module'))
"""Classes whose constructors take no arguments, whatever their signatures say."""
WORDS = {int: 'a whole number', float: 'a number', bool: 'True or False', str: 'text', type(None): 'None', Path: 'a path',
         dict: 'a dict', Mapping: 'a dict', list: 'a list', tuple: 'a list', Sequence: 'a list', Iterable: 'a list',
         Callable: 'a function'}
LISTS = (list, tuple, Sequence, Iterable)


@cache
def part_parameters(part: Callable) -> dict[str, tuple[Any, Any]] | None:
    """What a class or function takes by keyword.

    A class whose constructor passes ``**kwargs`` on also takes what its base classes take.

    Returns:
        Name -> (annotation, default), ``inspect.Parameter.empty`` where there is none; or None when anything is accepted.
    """
    constructors = [part]
    if inspect.isclass(part):
        if typing.is_typeddict(part):
            return {name: (kind, inspect.Parameter.empty) for name, kind in typing.get_type_hints(part).items()}
        own = [c for c in part.__mro__ if '__init__' in c.__dict__ and (c.__module__, c.__name__) not in ROOT_CLASSES]
        constructors = [c.__dict__['__init__'] for c in own]
        if not constructors:
            return {}
    found: dict[str, tuple[Any, Any]] = {}
    for function in constructors:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return None
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != 'self':
                found.setdefault(p.name, (_meant(p.annotation, function), p.default))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return found
    return None


def _meant(annotation: Any, function: Callable) -> Any:
    """An annotation itself, also where its module keeps annotations as text (``from __future__ import annotations``)."""
    if isinstance(annotation, str):
        with suppress(Exception):  # it may name what is imported for type checkers alone; any value passes then
            owner = types.SimpleNamespace(__annotations__=dict(meant=annotation))
            return typing.get_type_hints(owner, inspect.unwrap(function).__globals__)['meant']
    return annotation


def nested_parts(part: Callable, key: str) -> list[Callable]:
    """Whose arguments a dict without ``type`` holds that a part takes as ``key``.

    A class says it by ``nested``: name of its argument -> a class or function, the name of one as ``'module:name'``, or several.

    Returns:
        The classes and functions; empty where the part does not say.
    """
    named = getattr(part, 'nested', {}).get(key, ())
    return [_resolve(one) for one in (named if isinstance(named, (tuple, list)) else [named])]


def _resolve(named: str | Callable) -> Callable:
    if not isinstance(named, str):
        return named
    module, _, path = named.partition(':')
    found = importlib.import_module(module)
    for name in path.split('.'):
        found = getattr(found, name)
    return found


def wrong_kind(value: Any, annotation: Any, default: Any = inspect.Parameter.empty) -> str:
    """Whether a value of a config is not of the kind that an annotation asks for.

    Plain kinds are looked at: numbers, text, True and False, None, dicts, lists, and unions of these. Everything else passes, as do a
    default itself and a config of a part, which is a dict with ``type``.

    Returns:
        What was expected, in words; empty where the value passes.
    """
    if annotation is inspect.Parameter.empty or (type(value) is type(default) and value == default):
        return ''
    return '' if _fits(value, annotation) else _words(annotation)


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if kind is None or kind is type(None):
        return value is None
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
    if (origin or kind) is Callable:
        return callable(value)
    if kind in (str, Path):
        return isinstance(value, (str, Path))
    if (origin or kind) in (dict, Mapping):
        return isinstance(value, Mapping)
    if (origin or kind) in LISTS:
        if not isinstance(value, (list, tuple)):
            return False
        if origin is tuple and inner and inner[-1] is not Ellipsis:
            return len(value) == len(inner) and all(map(_fits, value, inner))
        return all(_fits(item, inner[0]) for item in value) if inner else True
    return True


def _words(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(dict.fromkeys(map(_words, inner)))
    if origin is typing.Literal:
        return ' or '.join(map(repr, inner))
    if (origin or kind) in LISTS and inner:
        if origin is tuple and inner[-1] is not Ellipsis:
            return f'a list of {len(inner)}: {", ".join(map(_words, inner))}'
        return f'a list, each {_words(inner[0])}'
    return WORDS.get(type(None) if kind is None else origin or kind, getattr(kind, '__name__', str(kind)))
