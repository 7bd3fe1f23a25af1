"""What generates, alone: the networks of a checkpoint that a video is made with, in half precision, as safetensors with their config.

Such a file is a checkpoint for whoever generates, tests or starts a training from its weights (``load_from``); only going on with the
training needs the whole one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from toolkit.doors import read_json
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import AVERAGED, EXPORTED, checkpoint_config, plain
from toolkit.engine.networks_from import load_starts
from toolkit.engine.trained_on import FRAME_SIZE
from toolkit.files import check_output, source_hash
from toolkit.models.adversaries import only_trains
from toolkit.models.loss_table import for_generation
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.weights import check_weights_name, checkpoint_file, read_checkpoint, write_weights

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16, 'float32': torch.float32}
LEFT_OUT = ('work_dir', 'load_from', 'networks_from', 'resume')
"""Of a config: they name files of the machine it was trained on."""
KEPT = ('iter', 'samples', 'seed', 'max_iters', 'config', 'toolkit_version', 'torch_version', 'plugins', 'custom_imports')


def export_checkpoint(checkpoint: str | Path | Config, out: str | Path, dtype: str = 'float16', any_size: bool = False,
                      overwrite: bool = False, results: str | Path | None = None,
                      allow_imports: Sequence[str] = ()) -> dict[str, Any]:
    """Write the networks of a checkpoint that generate, or those of a config whose ``networks_from`` has weights for all of them.

    Averaged networks take the place of those that were trained, and discriminators are left out.

    Args:
        checkpoint: file, or the work dir of a run; or a config.
        out: file to write, ``.safetensors``.
        dtype: of the weights: 'float16', 'bfloat16' or 'float32'.
        any_size: forget the size of the frames that it was trained on: it then generates at the size of the clips.
        overwrite: a file of this name may be replaced.
        results: JSON of ``tools/test.py --out`` for this checkpoint; its numbers stand in the file as ``metrics``.
        allow_imports: modules that the checkpoint may import though they are not installed.

    Returns:
        The file's ``meta``: ``config``, ``sha256`` of the weights, ``metrics`` and others.

    Raises:
        InputError: no checkpoint with a config, a name that cannot be, weights that the type cannot hold, or results of another one.
    """
    check_export(checkpoint, out, dtype, overwrite, results)
    whole = isinstance(checkpoint, Config)
    checkpoint = checkpoint if whole else checkpoint_file(checkpoint)  # a run that goes on may write another one meanwhile
    metrics = {} if results is None else dict(metrics=read_results(results, checkpoint))
    content = assembled(checkpoint, out) if whole else read_checkpoint(checkpoint)
    config = content['meta']['config'] if whole else checkpoint_config(checkpoint, allow_imports)._cfg_dict.to_dict()
    config = {key: value for key, value in config.items() if key not in LEFT_OUT} | ({FRAME_SIZE: None} if any_size else {})
    name = str(checkpoint.filename if whole else checkpoint)
    meta = {key: content['meta'].get(key) for key in KEPT} | {'config': config, EXPORTED: True, **metrics}
    weights = generating(content['state_dict'], DTYPES[dtype], name)
    return meta | {'sha256': write_weights(out, weights, meta, overwrite)}


def check_export(checkpoint: str | Path | Config, out: str | Path, dtype: str = 'float16', overwrite: bool = False,
                 results: str | Path | None = None) -> None:
    """Refuse what could not be exported, before anything is read.

    Raises:
        InputError: see :func:`export_checkpoint`.
    """
    if dtype not in DTYPES:
        raise InputError(f'dtype must be one of {", ".join(DTYPES)}, got {dtype!r}')
    check_weights_name(out)
    refuse_existing([check_output(out)], overwrite)
    if isinstance(checkpoint, Config) and results is not None:
        raise InputError('results are of a checkpoint; a config has none yet')
    inputs = [] if isinstance(checkpoint, Config) else [checkpoint_file(checkpoint)]
    refuse_inputs([out], [*inputs, *([] if results is None else [results])])


def assembled(config: Config, out: str | Path) -> dict[str, Any]:
    """A checkpoint of a model that was not trained here: its networks have the weights that ``networks_from`` names.

    Args:
        config: of :func:`toolkit.engine.config.load_config`; None in ``networks_from`` says that a network is not used.
        out: file that it is made for.

    Raises:
        InputError: a network that generates, or a layer of one, has no weights; ``out`` is one of the files that are read; see also
            :func:`toolkit.engine.networks_from.starts`.
    """
    with naming_parts(config._cfg_dict, f'config {config.filename}'):
        model = MODELS.build(for_generation(config.model))
    networks_from = config.get('networks_from') or {}
    found = load_starts(model, networks_from)
    refuse_inputs([out], [checkpoint_file(start.file) for start in found])
    if partly := [name for name, source in networks_from.items() if not only_trains(name.partition('.')[0]) and _leaves_out(source)]:
        raise InputError(f'{config.filename}: networks_from.{partly[0]} leaves layers as they are (without), and nothing has trained '
                         f'them: train it first, and give the checkpoint')
    given = {f'{start.name}.{key}' for start in found for key in start.state}
    unused = {name for name, source in networks_from.items() if source is None}
    without = {name.partition('.')[0] for name, _ in model.named_parameters() if name not in given}
    without = {name for name in without if not only_trains(name) and not name.endswith(AVERAGED)} - unused
    if without:
        raise InputError(f'{config.filename}: {", ".join(sorted(without))} of {type(model).__name__} has no weights: name a file for '
                         f'it, --cfg-options networks_from.{min(without)}=FILE; or give a checkpoint')
    return dict(state_dict=model.state_dict(), meta=dict(config=plain(config._cfg_dict.to_dict(), 'config')))


def _leaves_out(source: Any) -> bool:
    """Whether what ``networks_from`` says of a network, or of one inside of it, has ``without``."""
    return isinstance(source, Mapping) and bool(source.get('without') or any(map(_leaves_out, source.values())))


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
