"""From the arrays of a sample to the tensors of an item, and from items to a mini-batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from toolkit import fields
from toolkit.masks.regions import pose_regions
from toolkit.poses.draw import draw_pose
from toolkit.structures import InputError

SAMPLE = (*fields.keys('frame', 'stored'), *fields.keys('content', 'stored'))
"""Keys of a sample; whatever else it has was added by a transform."""


def item_tensors(sample: dict, style: str, extra: Sequence[fields.Field] = ()) -> dict:
    """What a sample becomes in an item, see :class:`toolkit.datasets.windows.ClipWindows`.

    Args:
        sample: arrays under the keys of :data:`SAMPLE`, and what transforms added.
        style: of the stick figures.
        extra: fields to compute, see :func:`toolkit.fields.added`.

    Returns:
        Tensors and what was added, see :func:`tensors`.

    Raises:
        InputError: an added value that no mini-batch can hold.
    """
    height, width = sample['frames'].shape[1:3]
    out, extra = tensors(sample), [field for field in extra if field.name not in sample]
    for of in (fields.FRAME, fields.CONTENT):
        stored = {field.name: sample[key] if of == fields.FRAME else sample[key][None]
                  for key, field in fields.entries(of) if key in SAMPLE}
        made = pose_tensors(stored['poses'], height, width, style, extra)
        made |= computed([field for field in extra if field.source != 'drawn'], dict(stored, size=(height, width)))
        out |= made if of == fields.FRAME else {fields.find(key)[0].content: value[0] for key, value in made.items()}
    return out


def tensors(sample: dict) -> dict:
    """The entries of a sample in the form of an item, see :mod:`toolkit.fields`. What no field describes is passed on: arrays as
    tensors; tensors, numbers and texts as they are.

    Raises:
        InputError: a value that no mini-batch can hold, or a picture of another type than uint8, whose range nobody knows.
    """
    out = {}
    for key, value in sample.items():
        found = fields.find(key)
        if found and found[0].has_place:
            if found[0].is_picture and value.dtype != np.uint8:
                raise InputError(f'{key!r} of a sample is {value.dtype} after the transforms, expected uint8: 0..255 is brought to the '
                                 'range of networks later')
            value = torch.from_numpy(pose_array(value)) if found[0].kind == 'pose' else with_channels(value, found[0])
        elif isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
            value = own(value)
        elif not isinstance(value, (torch.Tensor, np.number, int, float, str)):
            kind = f'array of {value.dtype}' if isinstance(value, np.ndarray) else type(value).__name__
            raise InputError(f'a transform added {key!r} of type {kind} to a sample: expected an array of numbers, a tensor, a number '
                             'or a text, which a mini-batch can hold')
        out[key] = value
    return out


def pose_tensors(poses: np.ndarray, height: int, width: int, style: str = 'openpose_black',
                 extra: Sequence[fields.Field] = ()) -> dict[str, torch.Tensor]:
    """What a model is told of poses, in an item's form: the same for training, testing and generation from poses alone.

    Args:
        poses: (T, 18, 3) in pixels of the frames.
        height, width: size of the frames.
        style: of the stick figures.
        extra: of these the fields that are drawn from poses are added.

    Returns:
        ``poses`` (T, 18, 3) float32, ``pose_maps`` (T, 3, H, W) uint8, ``regions`` (T, 2, H, W) uint8.
    """
    maps = np.stack([draw_pose(pose, height, width, style=style) for pose in pose_array(poses)])
    regions = np.stack([pose_regions(pose, height, width) for pose in pose_array(poses)])
    regions = cv2.convertScaleAbs(regions.reshape(-1, width), alpha=255).reshape(regions.shape)
    drawn = [field for field in extra if field.source == 'drawn']
    return dict(computed(drawn, dict(poses=pose_array(poses), size=(height, width))), poses=torch.from_numpy(pose_array(poses)),
                pose_maps=channels_first(maps), regions=own(regions))


def computed(extra: Sequence[fields.Field], given: dict) -> dict[str, torch.Tensor]:
    """Added fields in an item's form, by name, see :func:`toolkit.fields.computed`."""
    values = {field.name: (field, fields.computed(field, given)) for field in extra}
    return {name: with_channels(value, field) if field.is_picture else own(value) for name, (field, value) in values.items()}


def pose_array(poses: np.ndarray) -> np.ndarray:
    """A copy, float32, contiguous."""
    return np.array(poses, np.float32, order='C')


def with_channels(pictures: np.ndarray, field: fields.Field) -> torch.Tensor:
    """Pictures of a sample, (..., H, W) or (..., H, W, C) as the field has channels, as those of an item."""
    return channels_first(pictures) if field.channels > 1 else own(pictures)[..., None, :, :]


def channels_first(images: np.ndarray) -> torch.Tensor:
    """(..., H, W, C) -> (..., C, H, W), contiguous, with memory of its own."""
    return torch.from_numpy(np.array(np.moveaxis(images, -1, -3), order='C'))


def own(array: np.ndarray) -> torch.Tensor:
    """A tensor with memory of its own, never the cache's."""
    return torch.from_numpy(np.array(array))


def drawn_item(dataset: Dataset, index: int, draw: int = 0) -> dict:
    """An item of one random draw; some data sets draw nothing, and take the index alone."""
    return fields.check_item(dataset[index, draw] if getattr(dataset, 'takes_draw', False) else dataset[index])


def collate(items: Sequence[Mapping]) -> dict[str, Any]:
    """Stack items into a mini-batch, as torch's default collate does, with errors that name the key.

    Args:
        items: with the same keys; a value may be a mapping again.

    Raises:
        InputError: items that are no dicts, or a key that some items lack, or whose values do not fit together.
    """
    fields.check_item(items[0])
    keys = set(items[0])
    for item in items[1:]:
        if differing := sorted(keys ^ set(item)):
            raise InputError(f'items of one mini-batch differ: some lack {", ".join(map(repr, differing))}. A transform must add a key '
                             'to every sample, or to none')
    return fields.Batch({key: _collated(key, [item[key] for item in items]) for key in items[0]})


def _collated(key: str, values: list) -> Any:
    if isinstance(values[0], Mapping):
        return collate(values)
    try:
        return default_collate(values)
    except (TypeError, RuntimeError) as error:
        shapes = [tuple(v.shape) if isinstance(v, torch.Tensor) else type(v).__name__ for v in values]
        raise InputError(f'{key!r} cannot be put into one mini-batch: its values are {shapes}; all must have one shape. Use '
                         'batch_size=1, or a transform that gives equal shapes') from error
