"""What generates, alone: the networks of a checkpoint that a video is made with, in half precision, as safetensors with their config.

Such a file is a checkpoint for whoever generates, tests or starts a training from its weights (``load_from``); only going on with the
training needs the whole one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.engine.checkpoint import AVERAGED, EXPORTED, checkpoint_config, only_trains
from toolkit.files import write_file
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.structures import InputError
from toolkit.weights import META, checkpoint_file, read_checkpoint

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16, 'float32': torch.float32}
SUFFIX = '.safetensors'
KEPT = ('iter', 'samples', 'seed', 'max_iters', 'config', 'toolkit_version', 'torch_version', 'plugins', 'custom_imports')


def export_checkpoint(checkpoint: str | Path, out: str | Path, dtype: str = 'float16', any_size: bool = False,
                      overwrite: bool = False) -> Path:
    """Write the networks of a checkpoint that generate.

    Averaged networks take the place of those that were trained, and discriminators are left out.

    Args:
        checkpoint: file, or the work dir of a run.
        out: file to write, ``.safetensors``.
        dtype: of the weights: 'float16', 'bfloat16' or 'float32'.
        any_size: forget the size of the frames that it was trained on: it then generates at the size of the clips.
        overwrite: a file of this name may be replaced.

    Returns:
        ``out``.

    Raises:
        InputError: no checkpoint with a config, a name that cannot be, or weights that the type cannot hold.
    """
    out = check_export(checkpoint, out, dtype, overwrite)
    config = checkpoint_config(checkpoint)._cfg_dict.to_dict()
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    if any_size and isinstance(dataset, dict):
        dataset['size'] = None
    content = read_checkpoint(checkpoint)
    meta = {key: content['meta'].get(key) for key in KEPT} | {'config': config, EXPORTED: True}
    write_file(out, packed(generating(content['state_dict'], DTYPES[dtype], str(checkpoint)), meta))
    return out


def check_export(checkpoint: str | Path, out: str | Path, dtype: str = 'float16', overwrite: bool = False) -> Path:
    """Refuse what could not be exported, before anything is read.

    Raises:
        InputError: see :func:`export_checkpoint`.
    """
    out = Path(out)
    if dtype not in DTYPES:
        raise InputError(f'dtype must be one of {", ".join(DTYPES)}, got {dtype!r}')
    if out.suffix != SUFFIX:
        raise InputError(f'{out}: expected a name that ends with {SUFFIX}')
    refuse_existing([out], overwrite)
    refuse_inputs([out], [checkpoint_file(checkpoint)])
    return out


def generating(state: Mapping[str, Any], dtype: torch.dtype, source: str) -> dict[str, Tensor]:
    """The weights that generate: averaged ones under the names of those that were trained, none of discriminators.

    Args:
        state: of a whole model.
        dtype: of weights that are no whole numbers.
        source: file named in errors.

    Raises:
        InputError: a weight that is not finite in this type.
    """
    networks = {key.partition('.')[0] for key in state}
    kept = {}
    for key, value in state.items():
        network, _, rest = key.partition('.')
        if f'{network}{AVERAGED}' in networks or only_trains(network) or not isinstance(value, Tensor):
            continue
        kept[f'{network.removesuffix(AVERAGED)}.{rest}'] = value.to(dtype) if value.is_floating_point() else value
    if bad := [key for key, value in kept.items() if value.is_floating_point() and not torch.isfinite(value).all()]:
        kind = str(dtype).removeprefix('torch.')
        raise InputError(f'{source}: {bad[0]} has values that {kind} cannot hold; choose bfloat16 or float32')
    return kept


def packed(state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """Weights and what is said about them, as a safetensors file."""
    from safetensors.torch import save
    return save({key: value.contiguous() for key, value in state.items()}, {META: json.dumps(meta, sort_keys=True)})
