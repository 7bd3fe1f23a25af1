"""Networks of a model that begin with the weights of files: converted ones, or those of other models.

A config says it under ``networks_from``, network by network::

    networks_from = dict(
        net_g='converted.safetensors',
        net_d=dict(file='work_dirs/other', without=['scales.0.layers.0.0']))

A file is one of ``tools/convert_weights.py``, a state dict of the network, or a checkpoint or work dir of a model that has a network of
this name, whose averaged copy is taken where there is one. ``without`` names layers that stay as they are, such as a first convolution
for other channels. None leaves a network as it is, as if it were not named. A network inside of another one has a dot in its name:
``'net_e.network'``.

Beside ``load_from``, which loads the weights of a whole model, these come last. A run that goes on (``--resume``) does not read them
again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import AVERAGED, checkpoint_config
from toolkit.engine.random_state import random_state_kept
from toolkit.engine.work_dir import CHECKPOINT
from toolkit.models.loss_table import for_generation
from toolkit.network_files import check_same, network_config
from toolkit.registry import MODELS, PART_REGISTRIES, check_keys, did_you_mean
from toolkit.structures import InputError
from toolkit.weights import check_state, checkpoint_file, load_state, read_checkpoint

KEYS = ('file', 'without')


@dataclass
class Start:
    """Weights of one network.

    Attributes:
        name: of the network in the model.
        network: to load into.
        state: all of its weights; those of ``without`` are its own.
        file: where they are from.
    """

    name: str
    network: nn.Module
    state: dict[str, Any]
    file: Path


def starts(model: nn.Module, networks_from: Mapping[str, Any]) -> list[Start]:
    """What is loaded into a model, looked at and not loaded yet. Averaged copies begin as their networks.

    Args:
        model: not wrapped.
        networks_from: of the config, see :mod:`toolkit.engine.networks_from`.

    Raises:
        InputError: a network or layer that the model does not have, an unreadable or unsafe file, or weights of another network; both
            sides are named.
    """
    found, networks_from = [], {name: source for name, source in sources(networks_from) if source is not None}
    for name, source in networks_from.items():
        where = f'networks_from.{name}'
        if not isinstance(source, Mapping) or not isinstance(source.get('file'), (str, Path)):
            raise InputError(f'{where}={source!r}: expected a file, or dict(file=..., without=[layers])')
        check_keys(source, KEYS, where)
        network = _network(model, name, where)
        state, file, without = _state(name, network, source, where)
        found.append(Start(name, network, state, file))
        top, dot, rest = name.partition('.')
        if f'{top}{AVERAGED}' in dict(model.named_children()) and f'{top}{AVERAGED}{dot}{rest}' not in networks_from:
            copy = _network(model, f'{top}{AVERAGED}{dot}{rest}', where)
            own = copy.state_dict()
            found.append(Start(f'{top}{AVERAGED}{dot}{rest}', copy, {
                key: own[key] if _inside(key, without) else value for key, value in state.items()}, file))
    return found


def load_starts(model: nn.Module, networks_from: Mapping[str, Any]) -> list[Start]:
    """Load what :func:`starts` finds, all of it or nothing; arguments and errors as there.

    Returns:
        What was loaded.
    """
    found = starts(model, networks_from)
    for start in found:
        load_state(start.network, start.state, start.file)
    return found


def check_outside(found: Iterable[Start], work_dir: str | Path) -> None:
    """See that no network comes from the folder of the run that begins with it: checkpoints there are set aside first.

    Args:
        found: of :func:`starts`.
        work_dir: of the run.

    Raises:
        InputError: names the network and the file.
    """
    for start in found:
        file = checkpoint_file(start.file)
        if CHECKPOINT.fullmatch(file.name) and file.parent.resolve() == Path(work_dir).resolve():
            raise InputError(f'networks_from.{start.name}: {file} is a checkpoint in the work dir of this run, which sets aside what '
                             f'an earlier run left there; choose another --work-dir')


def sources(networks_from: Mapping[str, Any], above: str = '') -> Iterator[tuple[str, Any]]:
    """Name of each network -> what the config says of it; a file alone becomes ``dict(file=...)``.

    Args:
        networks_from: of the config; on a command line ``networks_from.net_e={'network': FILE}`` has no dot.
        above: stands before the names.
    """
    for name, source in networks_from.items():
        if isinstance(source, Mapping) and 'file' not in source:
            yield from sources(source, f'{above}{name}.') if source else [(f'{above}{name}', source)]
        else:
            yield f'{above}{name}', dict(file=source) if isinstance(source, (str, Path)) else source


def _network(model: nn.Module, name: str, where: str) -> nn.Module:
    try:
        if name:
            return model.get_submodule(name)
    except AttributeError:
        pass
    children = [child for child, module in model.named_children() if next(module.parameters(), None) is not None]
    raise InputError(f'{where}: {type(model).__name__} has no network {name!r}.{did_you_mean(name, children)} It has: '
                     f'{", ".join(children)}')


def _state(name: str, network: nn.Module, source: Mapping[str, Any], where: str) -> tuple[dict[str, Any], Path, list[str]]:
    file, without = Path(source['file']), source.get('without') or ()
    if not isinstance(without, (list, tuple)) or not all(isinstance(layer, str) for layer in without):
        raise InputError(f'{where}.without={without!r}: expected a list of names of layers')
    checkpoint, own = read_checkpoint(file), network.state_dict()
    state = checkpoint['state_dict']
    top, dot, rest = name.partition('.')
    for prefix in (f'{top}{AVERAGED}{dot}{rest}.', f'{name}.'):
        if any(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            break
    for layer in without:
        if not any(_inside(key, [layer]) for key in own):
            raise InputError(f'{where}.without: {type(network).__name__} has no layer {layer!r}.'
                             f'{did_you_mean(layer, {key.rpartition(".")[0] for key in own})}')
    state = {key: value for key, value in state.items() if not _inside(key, without)}
    state |= {key: value for key, value in own.items() if _inside(key, without)}
    try:
        check_state(network, state, file)
    except InputError as error:
        raise InputError(f'{where}: {error}') from error
    if of_file := _as_built(name, checkpoint, file):
        check_same(network, of_file, file, without)
    return state, file, list(without)


def _as_built(name: str, checkpoint: Mapping[str, Any], file: Path) -> nn.Module | None:
    """The network as the file says that it is built, without memory for its weights; None where the file does not say it."""
    meta = checkpoint.get('meta') or {}
    if found := network_config(meta, file):
        with torch.device('meta'):
            return PART_REGISTRIES[found[0]].build(found[1])
    if not meta.get('config'):
        return None
    config = checkpoint_config(file)
    with naming_parts(config._cfg_dict, str(file)), random_state_kept(), torch.device('meta'):
        model = MODELS.build(for_generation(config.model))
    return dict(model.named_modules()).get(name)


def _inside(key: str, layers: Iterable[str]) -> bool:
    return any(key.startswith(f'{layer}.') for layer in layers)
