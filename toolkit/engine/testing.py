"""What a test of a method needs: its model with weights, its baselines, and the training frames that they show."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from toolkit import __version__
from toolkit.datasets.domain_frames import domain_frames
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import load_checkpoint
from toolkit.files import source_hash
from toolkit.models.loss_table import for_generation
from toolkit.plugins import describe_plugins
from toolkit.registry import DATASETS, MODELS, part_arguments
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint, use_packed_configs


def build_model(cfg: Config, checkpoint: str | None) -> tuple[nn.Module, dict[str, Any]]:
    """Build a config's model with the weights of a checkpoint. Pretrained networks of its losses are not needed.

    Args:
        cfg: the config; networks of other runs that the checkpoint holds are written into it.
        checkpoint: file; None for a model without weights.

    Returns:
        The model, and what to report about it.

    Raises:
        InputError: no checkpoint for a model that needs one, or one that does not fit.
    """
    if checkpoint:
        use_packed_configs(cfg.model, read_checkpoint(checkpoint)['state_dict'])
    with naming_parts(cfg._cfg_dict):
        model = MODELS.build(_with_examples(for_generation(cfg.model), (cfg.get('train_dataloader') or {}).get('dataset') or {}))
    about = {'toolkit': __version__, 'torch': torch.__version__, 'plugins': describe_plugins(), 'checkpoint': checkpoint}
    if checkpoint:
        about['iteration'] = load_checkpoint(checkpoint, model).get('iter')
        about['checkpoint_sha256'] = source_hash(checkpoint)
    elif model.state_dict():
        raise InputError(f'{cfg.model.type} has weights: name a checkpoint, for example work_dirs/.../iter_0100000.pth')
    return model, about


def ready(models: dict[str, nn.Module], device: str) -> dict[str, nn.Module]:
    """The models on their device, in eval mode."""
    for model in models.values():
        model.to(device).eval()
        if hasattr(model, 'prepare_networks'):
            model.prepare_networks()
    return models


def training_domains(train: Mapping[str, Any], dataset: Any) -> dict[str, Any]:
    """Training frames of the two persons of a transfer.

    Args:
        train: ``DATASETS`` config of the training.
        dataset: that is tested on.

    Returns:
        'a' and 'b' -> :class:`toolkit.datasets.domain_frames.DomainFrames`; empty where there are no two persons.
    """
    return domain_frames(train) if hasattr(dataset, 'domains') and {'a', 'b'} <= set(train) else {}


def build_baselines(model: nn.Module, train: Mapping[str, Any], domains: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Build the baselines of a method, see :meth:`toolkit.models.base.VideoModel.baselines`.

    Those whose constructor takes ``examples`` are given the training clips, one frame an item; those that take ``domains`` the frames
    of both persons. They are left out where there are none.

    Args:
        model: the method.
        train: ``DATASETS`` config of its training; may be empty.
        domains: of :func:`training_domains`.

    Raises:
        InputError: no baseline is left.
    """
    built = {}
    for name, config in model.baselines().items():
        takes = part_arguments(MODELS.get(config['type'])) or ()
        config = dict(config, domains=domains) if 'domains' in takes else _with_examples(config, train)
        if all(config.get(key, True) for key in ('domains', 'examples')):
            built[name] = MODELS.build(config)
    if not built:
        raise InputError(f'a {type(model).__name__} has no baselines on this data: leave --baselines out')
    return built


def _with_examples(config: Mapping[str, Any], train: Mapping[str, Any]) -> dict:
    """A ``MODELS`` config, with the training frames, one an item, where its constructor takes ``examples`` (None if there are none)."""
    if 'examples' not in (part_arguments(MODELS.get(config['type'])) or ()) or config.get('examples') is not None:
        return config
    single = dict(window=1, cache='none', transforms=[])
    shows = train and set(single) <= set(part_arguments(DATASETS.get(train['type'])) or single)
    plain = {key: value for key, value in dict(references=None, plate=False).items() if key in train}
    return dict(config, examples=DATASETS.build({**train, **single, **plain}) if shows else None)
