"""Compiling networks in place, with a way back where that fails."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn


def compile_network(network: nn.Module, options: Mapping[str, Any]) -> None:
    """Compile a network in place with ``torch.compile``; keys of its state dict stay.

    Where compiling fails, at the first call, the network is run as it is, and the log says why.

    Args:
        network: it.
        options: of ``torch.compile``.
    """
    network.compile(**options)
    compiled = network._compiled_call_impl

    def call(*args, **kwargs) -> Any:
        try:
            return compiled(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            print_log(f'{type(network).__name__} is not compiled: {reason}', 'current', logging.WARNING)
            network._compiled_call_impl = None
            return network(*args, **kwargs)

    network._compiled_call_impl = call
