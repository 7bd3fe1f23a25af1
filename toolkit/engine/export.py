"""What generates, alone: the networks of a checkpoint that a video is made with, in half precision, as safetensors with their config.

Such a file is a checkpoint for whoever generates, tests or starts a training from its weights (``load_from``); only going on with the
training needs the whole one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.engine.checkpoint import AVERAGED, EXPORTED, checkpoint_config, only_trains
from toolkit.files import read_json, source_hash
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.structures import InputError
from toolkit.weights import check_weights_name, checkpoint_file, read_checkpoint, write_weights

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16, 'float32': torch.float32}
LEFT_OUT = ('work_dir', 'load_from', 'resume')
"""Of a config: they name files of the machine it was trained on."""
KEPT = ('iter', 'samples', 'seed', 'max_iters', 'config', 'toolkit_version', 'torch_version', 'plugins', 'custom_imports')


def export_checkpoint(checkpoint: str | Path, out: str | Path, dtype: str = 'float16', any_size: bool = False,
                      overwrite: bool = False, results: str | Path | None = None) -> dict[str, Any]:
    """Write the networks of a checkpoint that generate.

    Averaged networks take the place of those that were trained, and discriminators are left out.

    Args:
        checkpoint: file, or the work dir of a run.
        out: file to write, ``.safetensors``.
        dtype: of the weights: 'float16', 'bfloat16' or 'float32'.
        any_size: forget the size of the frames that it was trained on: it then generates at the size of the clips.
        overwrite: a file of this name may be replaced.
        results: JSON of ``tools/test.py --out`` for this checkpoint; its numbers stand in the file as ``metrics``.

    Returns:
        The file's ``meta``: ``config``, ``sha256`` of the weights, ``metrics`` and others.

    Raises:
        InputError: no checkpoint with a config, a name that cannot be, weights that the type cannot hold, or results of another one.
    """
    check_export(checkpoint, out, dtype, overwrite, results)
    metrics = {} if results is None else dict(metrics=read_results(results, checkpoint_file(checkpoint)))
    config = checkpoint_config(checkpoint)._cfg_dict.to_dict()
    dataset = (config.get('train_dataloader') or {}).get('dataset')
    if any_size and isinstance(dataset, dict):
        dataset['size'] = None
    content = read_checkpoint(checkpoint)
    config = {key: value for key, value in config.items() if key not in LEFT_OUT}
    meta = {key: content['meta'].get(key) for key in KEPT} | {'config': config, EXPORTED: True, **metrics}
    return meta | {'sha256': write_weights(out, generating(content['state_dict'], DTYPES[dtype], str(checkpoint)), meta)}


def check_export(checkpoint: str | Path, out: str | Path, dtype: str = 'float16', overwrite: bool = False,
                 results: str | Path | None = None) -> None:
    """Refuse what could not be exported, before anything is read.

    Raises:
        InputError: see :func:`export_checkpoint`.
    """
    if dtype not in DTYPES:
        raise InputError(f'dtype must be one of {", ".join(DTYPES)}, got {dtype!r}')
    check_weights_name(out)
    refuse_existing([out], overwrite)
    refuse_inputs([out], [checkpoint_file(checkpoint), *([] if results is None else [results])])


def read_results(results: str | Path, checkpoint: Path) -> dict[str, Any]:
    """The numbers of a model in the JSON of ``tools/test.py``.

    Args:
        results: the file.
        checkpoint: whose numbers they must be.

    Raises:
        InputError: not such a file, or of another checkpoint.
    """
    content = read_json(results)
    about = content.get('about') if isinstance(content, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(content.get('metrics'), Mapping):
        raise InputError(f'{results} holds no results: expected the JSON that tools/test.py writes with --out')
    if about.get('checkpoint_sha256') != source_hash(checkpoint):
        raise InputError(f'{results} are results of {about.get("checkpoint")}, another file than {checkpoint}; test this one')
    return dict(content['metrics'])


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
        network = key.partition('.')[0]
        if f'{network}{AVERAGED}' in networks or only_trains(network) or not isinstance(value, Tensor):
            continue
        kept[network.removesuffix(AVERAGED) + key[len(network):]] = value.to(dtype) if value.is_floating_point() else value
    if bad := [key for key, value in kept.items() if value.is_floating_point() and not torch.isfinite(value).all()]:
        kind = str(dtype).removeprefix('torch.')
        raise InputError(f'{source}: {bad[0]} has values that {kind} cannot hold; choose bfloat16 or float32')
    return kept
