"""What a discriminator is shown of a window: all of it, or the person alone."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from toolkit.structures import InputError

CROPS = ('frame', 'person')
AUGMENTATIONS = ('color', 'shift', 'cutout')
CELL = 16
"""Sides of the box are multiples of so many pixels."""
LEAST_SIDE, MARGIN = 64, .02
SHIFT = 1 / 8
"""Largest shift of an augmentation, in sides of the box."""
EMPTY = -1.0


class Shown(NamedTuple):
    """What is to be seen of a batch.

    Attributes:
        rows, columns: of the box.
        grown: (B, T, 1, H, W) masks outside of which frames are black; None shows all.
        draws: (B, 8) uniform in [0, 1], for augmentation; None for none.
        kinds: of :data:`AUGMENTATIONS`.
    """

    rows: slice
    columns: slice
    grown: Tensor | None
    draws: Tensor | None
    kinds: tuple[str, ...]

    def __call__(self, conditions: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Conditions (B, T, C, H, W) and frames (B, T, 3, H, W) in [-1, 1] as the discriminator sees them."""
        if self.grown is not None:
            frames = torch.lerp(torch.full_like(frames, EMPTY), frames, self.grown.to(frames.dtype).expand_as(frames))
        conditions, frames = (x[..., self.rows, self.columns] for x in (conditions, frames))
        return (conditions, frames) if self.draws is None else augmented(conditions, frames, self.draws, self.kinds)


class DiscriminatorView:
    """Cuts out what a discriminator looks at: the same of real and generated frames.

    Where the scene stands still, most patches of real and generated frames agree, and a discriminator that looks at all of them learns
    next to nothing about the person.

    Args:
        crop: ``'person'``, the box of all persons of the batch, or ``'frame'``, whole frames.
        background: whether the scene around the person is shown; without, it is black where the grown mask of the real frame is not.
        margin: by which masks grow, in heights of the frame, at least a pixel; None for :data:`MARGIN`.
        augmentation: of ``'color'`` (brightness, saturation and contrast), ``'shift'`` and ``'cutout'``: random changes, the same for
            the condition, the real and the generated frames of a sample, with gradients (Zhao et al. 2020, DiffAugment).

    Raises:
        InputError: an option that cannot be.
    """

    def __init__(self, crop: str = 'frame', background: bool = True, margin: float | None = None,
                 augmentation: Sequence[str] = ()) -> None:
        if crop not in CROPS:
            raise InputError(f'model.discriminator_view.crop must be one of {", ".join(CROPS)}, got {crop!r}')
        if margin is not None and crop == 'frame' and background:
            raise InputError(f"model.discriminator_view.margin={margin} has no effect, as whole frames are shown: set crop='person' or "
                             f'background=False, or leave margin out')
        margin = MARGIN if margin is None else margin
        if not 0 <= margin < 1:
            raise InputError(f'model.discriminator_view.margin={margin}, expected a share of the height, from 0 to below 1')
        for name in augmentation:
            if name not in AUGMENTATIONS:
                raise InputError(f'model.discriminator_view.augmentation has {name!r}, expected some of {", ".join(AUGMENTATIONS)}')
        self.crop, self.background, self.margin, self.augmentation = crop, background, margin, tuple(augmentation)

    def of(self, batch: dict, noise: Callable[[int, int], Tensor], masks: Tensor | None = None) -> Shown:
        """What is to be seen of a batch.

        Args:
            batch: preprocessed, with ``masks`` (B, T, 1, H, W) in [0, 1].
            noise: (B, n) -> normal numbers of this shape, for augmentation.
            masks: the same in uint8, perhaps on the CPU, where finding the box does not wait for the device.
        """
        radius = max(1, round(self.margin * batch['masks'].shape[-2]))
        rows, columns = slice(None), slice(None)
        if self.crop == 'person':
            rows, columns = box(batch['masks'] if masks is None or get_world_size() > 1 else masks.float() / 255, radius)
        grown = None
        if not self.background:
            masks = batch['masks']
            grown = F.max_pool2d(masks.flatten(0, 1), 2 * radius + 1, 1, radius).unflatten(0, masks.shape[:2])
        draws = torch.special.ndtr(noise(len(batch['masks']), 8)) if self.augmentation else None
        return Shown(rows, columns, grown, draws, self.augmentation)


def box(masks: Tensor, radius: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the box that holds the persons of all samples, those of other processes too.

    Args:
        masks: (B, T, 1, H, W) in [0, 1].
        radius: pixels by which they grow.

    Returns:
        Sides are multiples of 16 pixels where the frame is, and at least 64; the whole frame where nobody is seen.
    """
    seen = (masks > 0.1).flatten(0, 2).any(0)
    size, places = seen.shape, []
    for axis in (1, 0):
        at = seen.any(axis).nonzero()[:, 0]
        places += [-at[0], at[-1]] if len(at) else [torch.tensor(-max(size) - 1)] * 2
    ends = torch.stack([place.to(masks.device) for place in places])
    all_reduce(ends, 'max')
    first_row, last_row, first_column, last_column = ends.tolist()
    if last_row < 0:
        return slice(0, size[0]), slice(0, size[1])
    return tuple(_side(max(-first - radius, 0), min(last + radius + 1, length), length) for first, last, length in (
        (first_row, last_row, size[0]), (first_column, last_column, size[1])))


def _side(start: int, stop: int, size: int) -> slice:
    """A stretch on the grid that holds (start, stop) and is long enough."""
    lacking = max(LEAST_SIDE - (stop - start), 0)
    start = max(start - lacking // 2, 0) // CELL * CELL
    stop = min(max(-(-stop // CELL) * CELL, start + LEAST_SIDE), size)
    return slice(max(min(start, stop - LEAST_SIDE), 0), stop)


def augmented(conditions: Tensor, frames: Tensor, draws: Tensor, kinds: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Change conditions and frames alike, each sample in its own way; nothing waits for the device.

    Args:
        conditions, frames: (B, T, C, H, W) in [-1, 1].
        draws: (B, 8) uniform in [0, 1].
        kinds: of :data:`AUGMENTATIONS`.
    """
    height, width = frames.shape[-2:]
    if 'color' in kinds:
        brightness, saturation, contrast = draws[:, :3, None, None, None, None].to(frames.dtype).unbind(1)
        frames = frames + brightness - 0.5
        gray = frames.mean(2, keepdim=True)
        frames = gray + (frames - gray) * 2 * saturation
        middle = frames.mean((1, 2, 3, 4), keepdim=True)
        frames = middle + (frames - middle) * (0.5 + contrast)
    if 'shift' in kinds:
        down, right = (((2 * draws[:, i] - 1) * SHIFT * side).round().long() for i, side in ((3, height), (4, width)))
        conditions, frames = (_shifted(maps, down, right) for maps in (conditions, frames))
    if 'cutout' in kinds:
        y, x = torch.arange(height, device=frames.device)[None, :, None], torch.arange(width, device=frames.device)[None, None]
        row, column = (draws[:, i, None, None] * side for i, side in ((5, height), (6, width)))
        keep = ((y - row).abs() > height / 4) | ((x - column).abs() > width / 4)
        frames = frames.masked_fill(~keep[:, None, None], 0)
    return conditions, frames


def _shifted(maps: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """(B, T, C, H, W), each sample moved by its own (B,) pixels, black where nothing comes in."""
    for axis, way in ((3, down), (4, right)):
        size = maps.shape[axis]
        shape = [len(maps), *(size if i == axis else 1 for i in range(1, 5))]
        place = (torch.arange(size, device=maps.device) - way[:, None]).reshape(shape)
        maps = maps.gather(axis, place.clamp(0, size - 1).expand_as(maps)).masked_fill((place < 0) | (place >= size), EMPTY)
    return maps
