"""Configs of models that are only to generate: without the pretrained networks of their losses."""

from copy import deepcopy
from typing import Any


def without_loss_networks(model: dict[str, Any]) -> dict[str, Any]:
    """A copy of a model's config whose losses need no pretrained weights; its checkpoints fit as before.

    Args:
        model: ``MODELS`` config.

    Returns:
        The same with perceptual and skeleton losses that have no networks. It generates and cannot be trained.
    """
    model = deepcopy(model)
    for loss in (model.get('losses') or {}).values():
        if loss.get('type') == 'PerceptualLoss':
            loss['network'] = 'off'
        elif loss.get('type') == 'SkeletonLoss':
            loss['pose_network'] = None
    return model


def trained_against(model: dict[str, Any]) -> set[str]:
    """Names of the pose networks in a model's losses, which must not judge what it generates.

    Args:
        model: ``MODELS`` config.
    """
    losses = (loss for loss in (model.get('losses') or {}).values() if loss.get('weight', 1))
    return {loss['pose_network']['type'] for loss in losses if loss.get('pose_network')}
