"""Whether a network keeps the contract of its registry.

It is tried by shapes alone when a model is built, so that one that does not fit is refused there, with both sides named, and not in the
first step of training.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from toolkit.registry import ALL_REGISTRIES, DISCRIMINATORS, GENERATORS, Registry, part_arguments
from toolkit.structures import InputError

SIDE = 512
"""Height and width of the picture that networks are tried with. Nothing is computed, so it costs nothing."""


def build_network(registry: Registry, cfg: Mapping, owner: str, where: str, filled: Mapping[str, Any]) -> nn.Module:
    """Build a network of a method with the arguments that the method fills in.

    Args:
        registry: of the network.
        cfg: its config.
        owner: name of the method.
        where: key of the config, for example ``'model.generator'``.
        filled: what the method fills in.

    Raises:
        InputError: an argument that the part does not take, or that the config sets to something else.
    """
    part = registry.get(cfg['type']) if isinstance(cfg.get('type'), str) else None
    takes = None if part is None else part_arguments(part)
    for key, value in filled.items():
        if takes is not None and key not in takes:
            raise InputError(f'{where}: {owner} fills in {key}={value!r}, but the {registry.name} {cfg["type"]} takes no {key}. '
                             f'{_contract(registry)}')
        given = cfg.get(key, value)
        if (tuple(given) if isinstance(value, tuple) and isinstance(given, (list, tuple)) else given) != value:
            raise InputError(f'{where}.{key}={given!r}, but {owner} needs {value!r}: leave {key} out, it is filled in')
    return registry.build(dict(cfg, **filled))


def build_generator(cfg: Mapping, owner: str, input_nc: int, z_dims: Sequence[int] | None = None,
                    where: str = 'model.generator', offered: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a generator that fits, see :mod:`toolkit.generators`.

    Args:
        cfg: ``GENERATORS`` config.
        owner: name of the method.
        input_nc: channels of its input.
        z_dims: length of each region's code; None leaves them to the config, and an empty list is for methods that have no code.
        where: key of the config.
        offered: further arguments, filled in where the part takes them.

    Raises:
        InputError: names what the method wants and what the part offers.
    """
    part = GENERATORS.get(cfg['type']) if isinstance(cfg.get('type'), str) else None
    takes = set() if part is None else part_arguments(part) or set()
    filled = dict(input_nc=input_nc, **(dict(z_dims=tuple(z_dims)) if z_dims else {}))
    filled |= {key: value for key, value in (offered or {}).items() if key in takes}
    dims = tuple(z_dims or cfg.get('z_dims', ()))
    if z_dims is not None and not z_dims and any(cfg.get('z_dims', ())):
        raise InputError(f'{where}.z_dims={tuple(cfg["z_dims"])}, but {owner} gives its generators no code: leave z_dims out')
    network = build_network(GENERATORS, cfg, owner, where, filled)
    inputs = dict(x=(2, input_nc, SIDE, SIDE), z=(2, sum(dims)) if any(dims) else None,
                  regions=(2, len(dims), SIDE, SIDE) if any(dims) else None)
    check_call(GENERATORS, network, owner, where, inputs, (2, 3, SIDE, SIDE))
    return network


def build_discriminator(cfg: Mapping, owner: str, input_nc: int, where: str = 'model.discriminator') -> nn.Module:
    """Build a discriminator that fits, see :mod:`toolkit.discriminators`; arguments and errors as of :func:`build_generator`."""
    network = build_network(DISCRIMINATORS, cfg, owner, where, dict(input_nc=input_nc))
    check_call(DISCRIMINATORS, network, owner, where, dict(x=(2, input_nc, SIDE, SIDE)), _lists_of_layers)
    return network


def check_attributes(registry: Registry, network: nn.Module, owner: str, where: str, names: Sequence[str]) -> None:
    """Refuse a network that lacks an attribute.

    Raises:
        InputError: names it.
    """
    missing = [name for name in names if not hasattr(network, name)]
    if missing:
        raise InputError(f'{where}: {owner} needs {", ".join(names)} of its {registry.name}, but {type(network).__name__} has no '
                         f'{", ".join(missing)}. {_contract(registry)}')


def check_call(registry: Registry, network: nn.Module, owner: str, where: str, inputs: Mapping[str, tuple[int, ...] | None],
               wanted: Any | Callable[[Any], bool]) -> None:
    """Refuse a network that cannot be called as its registry says, or returns something else.

    What fails for another reason, such as the size of the picture, is let pass here: the network says it in its own words when it is
    used.

    Args:
        registry: of the network.
        network: to try; it stays as it is.
        owner: name of the method.
        where: key of the config.
        inputs: name -> shape of each argument, in order; None stands for itself.
        wanted: shape of what it must return, or a list of shapes; or a function of what it returned.

    Raises:
        InputError: names how it is called, and what it takes or returned.
    """
    name, call = type(network).__name__, f'({", ".join(inputs)})'
    signature = inspect.signature(network.forward)
    try:
        signature.bind(*inputs)
    except TypeError:
        raise InputError(f'{where}: {owner} calls its {registry.name} as {call}, but {name} is called as {signature}. '
                         f'{_contract(registry)}') from None
    called = f'{where}: {owner} calls its {registry.name} as {call} with the shapes {", ".join(map(str, inputs.values()))}'
    try:
        made = _shapes_of_a_call(network, inputs.values())
    except Exception as error:  # what a network of others may raise; only what is surely its contract counts
        if isinstance(error, RuntimeError) and 'channel' in str(error) and 'meta' not in str(error):
            raise InputError(f'{called}, but {name} has a layer for another number of channels ({str(error).splitlines()[0]}). '
                             f'{_contract(registry)}') from error
        return
    if not (wanted(made) if callable(wanted) else made == wanted):
        needs = 'a list of scales, each a list of tensors, the scores last' if callable(wanted) else wanted
        raise InputError(f'{called} and needs {needs}, but {name} returned {made}. {_contract(registry)}')


def _shapes_of_a_call(network: nn.Module, shapes: Sequence[tuple[int, ...] | None]) -> Any:
    """Shapes of what a network makes of inputs, in eval mode; no number is computed or drawn, and nothing is kept."""
    state = {key: value.detach().to('meta') for key, value in chain(network.named_parameters(), network.named_buffers())}
    modes = {module: module.training for module in network.modules()}
    inputs = tuple(None if shape is None else torch.zeros(shape, device='meta') for shape in shapes)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return _shapes(functional_call(network.eval(), state, inputs))
    finally:
        for module, mode in modes.items():
            module.training = mode


def _shapes(made: Any) -> Any:
    if isinstance(made, Tensor):
        return tuple(made.shape)
    return [_shapes(one) for one in made] if isinstance(made, (list, tuple)) else type(made).__name__


def _lists_of_layers(made: Any) -> bool:
    return isinstance(made, list) and bool(made) and all(
        isinstance(scale, list) and scale and all(isinstance(layer, tuple) and layer[:1] == (2,) for layer in scale) for scale in made)


def _contract(registry: Registry) -> str:
    kind = next(key for key, value in ALL_REGISTRIES.items() if value is registry)
    return f'What is expected: python tools/list_parts.py {kind}'
