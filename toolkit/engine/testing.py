"""What a test of a method needs beside its model: baselines, and the training frames that they show."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from toolkit.data.domain_frames import domain_frames
from toolkit.registry import DATASETS, MODELS, part_arguments
from toolkit.structures import InputError


def training_domains(train: Mapping[str, Any], dataset: Any) -> dict[str, Any]:
    """Training frames of the two persons of a transfer.

    Args:
        train: ``DATASETS`` config of the training.
        dataset: that is tested on.

    Returns:
        'a' and 'b' -> :class:`toolkit.data.domain_frames.DomainFrames`; empty where there are no two persons.
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
        if 'domains' in takes:
            config = dict(config, domains=domains)
        elif 'examples' in takes:
            config = dict(config, examples=train and DATASETS.build(dict(train, window=1, cache='none', transforms=[])))
        if all(config.get(key, True) for key in ('domains', 'examples')):
            built[name] = MODELS.build(config)
    if not built:
        raise InputError(f'a {type(model).__name__} has no baselines on this data: leave --baselines out')
    return built
