"""Building data sets that draw from the run's seed."""

import copy
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from toolkit.models.bare import bare
from toolkit.registry import DATASETS, TRANSFORMS, part_arguments


def build_dataset(cfg: dict, seed: int | None = None) -> Dataset:
    """Build a data set whose randomness follows the seed of the run.

    Args:
        cfg: ``DATASETS`` config; not changed.
        seed: of the run: each data set and transform in ``cfg``, at any depth, that takes a ``seed`` and was given none gets it. None
            leaves them to their own defaults.
    """
    return DATASETS.build(cfg if seed is None else _seeded(copy.deepcopy(cfg), seed))


def give_fields(model: nn.Module, dataset: Dataset) -> None:
    """Have a data set give the added fields (:func:`toolkit.fields.add`) that a model takes, where it can."""
    names = getattr(bare(model), 'added_fields', ())
    if names and hasattr(dataset, 'add_fields'):
        dataset.add_fields(names)


def _seeded(cfg: Any, seed: int) -> Any:
    if isinstance(cfg, dict):
        if _takes_seed(cfg.get('type')):
            cfg.setdefault('seed', seed)
        for value in cfg.values():
            _seeded(value, seed)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            _seeded(value, seed)
    return cfg


def _takes_seed(kind: Any) -> bool:
    if not isinstance(kind, str):
        return False
    parts = [registry.get(kind) for registry in (DATASETS, TRANSFORMS) if kind in registry]
    return any('seed' in (part_arguments(part) or ()) for part in parts)
