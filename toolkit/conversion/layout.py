"""How a network of another code is stored, and how its weights are placed in ours."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from toolkit.registry import ALL_REGISTRIES
from toolkit.structures import InputError
from toolkit.weights import FLOATS

SHOWN = 5
State = Mapping[str, Tensor]
COUNTER = 'num_batches_tracked'
STATISTICS = ('.running_mean', '.running_var', f'.{COUNTER}')
"""What old files hold for instance norms, which generate without it; the authors of all these codes leave it out, too."""


@dataclass
class Layout:
    """A network of another code.

    Attributes:
        part: registry of the network here, for example ``'GENERATORS'``.
        config: ``type`` and all arguments that shapes or behavior depend on.
        layers: layer here -> layer there, both as prefixes of keys.
        without_bias: convolutions there have no bias before some norms; here a bias of 0 stands for that.
        changed: key here -> function of the whole state that gives the tensor, where it is not there as it is here.
        notes: what the weights do not say, for the user.
    """

    part: str
    config: dict
    layers: dict[str, str]
    without_bias: bool = False
    changed: dict[str, Callable[[State], Tensor]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Converted:
    """A network with its weights, as it is written.

    Attributes:
        part: registry of the network.
        config: to build it from.
        state: its state dict, float32.
        left: keys of the file that were not placed -> why.
        notes: what the weights do not say, for the user.
    """

    part: str
    config: dict
    state: dict[str, Tensor]
    left: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def place(state: State, layout: Layout, source: str, code: str) -> Converted:
    """Put each weight of another code where it belongs here.

    Args:
        state: of the file.
        layout: of the network.
        source: file, for messages.
        code: name of the other code, for messages.

    Returns:
        The network; every key of the file is either in it or in ``left``.

    Raises:
        InputError: a layer is missing, has another shape, or is not known: the network works otherwise; or weights are not plain
            floating-point numbers.
    """
    with torch.device('meta'):
        own = ALL_REGISTRIES[layout.part].build(layout.config).state_dict()
    used, placed, missing, shapes, kinds = set(), {}, [], [], []
    for key, value in own.items():
        layer, _, kind = key.rpartition('.')
        theirs = f'{layout.layers.get(layer, layer)}.{kind}'
        if theirs in state:
            used.add(theirs)
            found = state[theirs]
        elif kind == COUNTER or (kind == 'bias' and layout.without_bias and f'{theirs.removesuffix("bias")}weight' in state):
            found = torch.zeros(value.shape, dtype=value.dtype)
        else:
            missing.append(theirs)
            continue
        if found.is_nested or found.layout is not torch.strided:
            kinds.append(f'{theirs} is {found.dtype}, sparse or nested')
        elif kind != COUNTER and found.dtype not in FLOATS:
            kinds.append(f'{theirs} is {found.dtype}')
        elif found.shape != value.shape:
            shapes.append(f'{theirs} is {tuple(found.shape)} in the file, {tuple(value.shape)} in {called(layout.config)}')
        placed[key] = found
    without = STATISTICS if layout.config.get('norm') == 'instance' else ()
    left = {key: 'an instance norm keeps no statistics' for key in state if key not in used and key.endswith(without)}
    unknown = [key for key in state if key not in used and key not in left]
    if problems := [f'{len(keys)} {text}: {", ".join(keys[:SHOWN])}{", ..." if len(keys) > SHOWN else ""}' for text, keys in (
            ('of another shape', shapes), ('missing', missing), ('without a place', unknown), ('of another kind', kinds)) if keys]:
        raise InputError(f'{source} is not the {called(layout.config)} of {code} that it seems to be: {"; ".join(problems)}')
    placed |= {key: change(state) for key, change in layout.changed.items()}
    placed = {key: value.to(own[key].dtype, copy=True) for key, value in placed.items()}
    return Converted(layout.part, layout.config, placed, left, layout.notes)


def unknown_network(state: State, source: str, code: str, known: str) -> InputError:
    """The error for a file in which no network of a code is found.

    Args:
        state: of the file.
        source: the file.
        code: name of the code.
        known: what is looked for.
    """
    more = ', ...' if len(state) > SHOWN else ''
    return InputError(f'{source} holds no network of {code} that can be converted ({known}); its keys are '
                      f'{", ".join(list(state)[:SHOWN])}{more}')


def convolutions(state: State, prefix: str) -> list[str]:
    """Names of the convolutions below a prefix, in the order of the numbers in them."""
    found = [key.removesuffix('.weight') for key, value in state.items()
             if key.startswith(f'{prefix}.') and key.endswith('.weight') and value.ndim == 4]
    return sorted(found, key=lambda name: [int(part) if part.isdecimal() else -1 for part in name.split('.')])


def highest(state: State, pattern: str, each: int = 1) -> int:
    """The highest number that a pattern's group finds in keys; -1 where it finds none.

    Args:
        state: of the file.
        pattern: with the group.
        each: how many keys a network has for each number, at least.

    Raises:
        ValueError: there are too few keys for it.
    """
    found = max((int(match[1]) for key in state if (match := re.match(pattern, key))), default=-1)
    if found * max(each, 1) >= len(state):
        raise ValueError(f'a key has the number {found}, and there are {len(state)} keys')
    return found


def called(config: Mapping) -> str:
    """A config in words, in one line."""
    return f'{config["type"]}({", ".join(f"{key}={value}" for key, value in config.items() if key != "type")})'
