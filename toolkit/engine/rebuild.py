"""Building the model of a checkpoint from the config inside, which may be of anybody."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint


def build_like(model: Mapping[str, Any], source: str | Path) -> nn.Module:
    """Build the model of a checkpoint, unless its config asks for much more than the file holds.

    It is built without memory for its values first, and given up as soon as it has far more or far larger parameters than the file.

    Args:
        model: ``MODELS`` config.
        source: the checkpoint.

    Raises:
        InputError: the config and the weights do not belong together, or the model cannot be built.
    """
    state = read_checkpoint(source)['state_dict']
    most, largest = 4 * len(state) + 1000, 4 * sum(v.numel() for v in state.values() if isinstance(v, Tensor)) + 10_000_000
    count = values = 0

    def count_parameter(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count, values
        count, values = count + 1, values + (0 if parameter is None else parameter.numel())
        if count > most or values > largest:
            raise InputError(f'checkpoint {source} does not fit the model that its config describes: that has far more parameters than '
                             f'the file')

    handle = torch.nn.modules.module.register_module_parameter_registration_hook(count_parameter)
    try:
        with torch.device('meta'):
            MODELS.build(model)
    except InputError:
        if count > most or values > largest:
            raise
    except Exception as error:  # a part that cannot be built without memory is built with it below, which tells what is wrong
        print_log(f'{source}: not built on the meta device ({type(error).__name__}: {error})', 'current', logging.DEBUG)
    finally:
        handle.remove()
    return MODELS.build(model)
