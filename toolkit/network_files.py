"""One network in a file of its own: its weights, and the config to build it from."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.registry import PART_REGISTRIES, part_arguments
from toolkit.structures import InputError
from toolkit.weights import as_read, check_state, load_state, read_checkpoint, write_weights


def write_network(path: str | Path, part: str, config: Mapping[str, Any], state: Mapping[str, Tensor],
                  source: Mapping[str, Any], overwrite: bool = True) -> str:
    """Write a network.

    Args:
        path: ``.safetensors`` file.
        part: registry of the network, for example ``'GENERATORS'``.
        config: ``type`` and arguments, plain data.
        state: its state dict.
        source: what it was made of, plain data.
        overwrite: a file of this name may be replaced.

    Returns:
        The hash of the weights, see :func:`toolkit.weights.weights_hash`.
    """
    return write_weights(path, state, dict(network=dict(part=part, config=dict(config)), source=dict(source)), overwrite)


def network_config(meta: Mapping[str, Any], path: str | Path) -> tuple[str, dict] | None:
    """Registry and config of the network in a file; None for a file that does not say them.

    Args:
        meta: of the file, see :func:`toolkit.weights.read_checkpoint`.
        path: of the file.

    Raises:
        InputError: damaged.
    """
    network = meta.get('network')
    if network is None:
        return None
    if not isinstance(network, Mapping) or network.get('part') not in PART_REGISTRIES or not isinstance(network.get('config'), Mapping):
        raise InputError(f'{path} is damaged: what it says about its network is {network!r}')
    return network['part'], dict(network['config'])


def open_network(path: str | Path) -> nn.Module | Any:
    """Build the network of a file of :func:`write_network` and load its weights.

    Args:
        path: the file.

    Returns:
        The network, on the CPU, in eval mode; of a pose estimator or the like the part itself, which reads the file.

    Raises:
        InputError: another file, or weights that do not fit.
    """
    checkpoint = read_checkpoint(path)
    found = network_config(checkpoint.get('meta', {}), path)
    if found is None:
        raise InputError(f'{path} does not say how its network is built: expected a file of tools/convert_weights.py')
    registry, config = PART_REGISTRIES[found[0]], found[1]
    if 'weights' in (part_arguments(registry.get(config['type'])) or ()):
        return registry.build(dict(config, weights=str(path)))
    with torch.device('meta'):
        check_state(registry.build(config), checkpoint['state_dict'], path)
    network = registry.build(config)
    load_state(network, checkpoint['state_dict'], path)
    return network.eval()


def check_same(network: nn.Module, of_file: nn.Module, path: str | Path, without: Iterable[str] = ()) -> None:
    """Refuse a network that works otherwise than that of a file, though its weights would fit: other norms, borders or enlarging.

    Args:
        network: that is to get the weights.
        of_file: the network as the file says that it is built.
        path: of the file.
        without: layers that do not get weights.

    Raises:
        InputError: names the first layer that differs, as it is in both.
    """
    theirs, mine = dict(of_file.named_modules()), dict(network.named_modules())
    for name in dict.fromkeys([*theirs, *mine]):
        a, b = (_said(modules.get(name)) for modules in (theirs, mine))
        if name and a != b and not any(name == layer or name.startswith(f'{layer}.') for layer in without):
            raise InputError(f'{path} does not fit {type(network).__name__}: its {name} is {a}, that of the model is {b}')
    for key, value in getattr(theirs[''], 'config', {}).items():
        if key in getattr(network, 'config', {}) and as_read(network.config[key]) != as_read(value):
            raise InputError(f'{path} does not fit {type(network).__name__}: it was made with {key}={value!r}, the model with '
                             f'{network.config[key]!r}')


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Weights of a file of others, without the ``module.`` that a model on several GPUs puts before their names.

    Raises:
        InputError: see :func:`toolkit.weights.read_checkpoint`; or something else than tensors among them.
    """
    state = read_checkpoint(path)['state_dict']
    wrong = [key for key, value in state.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    if wrong:
        raise InputError(f'{path}: {wrong[0]!r} is a {type(state[wrong[0]]).__name__}, expected tensors alone')
    return {key.removeprefix('module.'): value for key, value in state.items()}


def _said(module: nn.Module | None) -> str:
    if module is None:
        return 'missing'
    return type(module).__name__ if next(module.children(), None) is not None else repr(module)
