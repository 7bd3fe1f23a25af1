"""Networks without the wrappers of a distributed run."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.model import is_model_wrapper
from torch import nn


def bare(network: nn.Module) -> nn.Module:
    """A network, or a model, without its own wrapper. Never call it in training: that would skip the averaging of gradients.

    Args:
        network: wrapped or not.
    """
    return network.module if is_model_wrapper(network) else network


@contextmanager
def unwrapped(model: nn.Module) -> Iterator[nn.Module]:
    """The bare model, with bare networks as children, so that keys of state dicts are those of a single process.

    Args:
        model: wrapped or not.
    """
    model = bare(model)
    wrappers = {name: child for name, child in model._modules.items() if child is not None and is_model_wrapper(child)}
    for name, child in wrappers.items():
        model._modules[name] = bare(child)
    try:
        yield model
    finally:
        model._modules.update(wrappers)
