"""Means of maps over body parts, and maps that are constant on each part."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit import fields
from toolkit.masks.parts import part_labels
from toolkit.skeletons import MIRROR_PART, P

LABELS = P + 1
"""Background and the ten parts."""


@fields.add('body_parts', kind='labels', mirror=(0, *(part + 1 for part in MIRROR_PART)))
def body_parts(poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The shapes of the ten parts under each pose, where no mask is known: (T, H, W) uint8, 0 background, part i has label i + 1."""
    return np.stack([part_labels(pose, np.ones(size, bool), reach=1.0) for pose in poses])


def pool(maps: Tensor, labels: Tensor) -> Tensor:
    """Mean of maps over each part.

    Args:
        maps: (N, C, H, W).
        labels: (N, 1, H, W), 0 .. :data:`LABELS` - 1.

    Returns:
        (N, LABELS, C); 0 for a part that no pixel has.
    """
    where = one_hot(labels).to(maps.dtype)
    with torch.autocast(maps.device.type, enabled=False):  # a sum over a picture is beyond float16
        return torch.einsum('nlhw,nchw->nlc', where, maps) / where.sum((2, 3))[..., None].clamp_min(1)


def spread(means: Tensor, labels: Tensor) -> Tensor:
    """Maps that have each part's value on all its pixels.

    Args:
        means: (N, LABELS, C).
        labels: (N, 1, H, W).

    Returns:
        (N, C, H, W).
    """
    return torch.einsum('nlhw,nlc->nchw', one_hot(labels).to(means.dtype), means)


def one_hot(labels: Tensor) -> Tensor:
    """(N, 1, H, W) labels -> (N, LABELS, H, W), 1 where the label is."""
    return F.one_hot(labels[:, 0].long(), LABELS).movedim(-1, 1)
