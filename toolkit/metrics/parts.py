"""Whole clips in parts of a few frames, so that memory does not grow with their length."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import default_collate

from toolkit import fields

PART = 32


class ClipParts:
    """A clip of a dataset, read part by part.

    Iterating yields items of at most ``length`` frames, in order, with a batch axis of 1. A dataset that offers ``clip_length``,
    ``clip_part`` and ``clip_masks``, as :class:`toolkit.datasets.windows.ClipWindows` does, reads only these frames; the items of
    another one are read whole and cut.

    Args:
        dataset: of whole clips.
        index: of the clip.
        limit: only the first frames; None for all.
        length: most frames of a part.

    Attributes:
        frames: frames of all parts together.
    """

    def __init__(self, dataset: Sequence, index: int, limit: int | None = None, length: int = PART) -> None:
        self.dataset, self.index, self.length = dataset, index, length
        self._whole = None if hasattr(dataset, 'clip_part') else fields.check_item(dataset[index])
        total = dataset.clip_length(index) if self._whole is None else len(self._whole['frames'])
        self.frames = total if limit is None else min(total, limit)

    def _spans(self) -> Iterator[tuple[int, int]]:
        return ((start, min(start + self.length, self.frames)) for start in range(0, self.frames, self.length))

    def __iter__(self) -> Iterator[dict]:
        for start, stop in self._spans():
            yield fields.Batch(default_collate([self._cut(start, stop)]))

    def _cut(self, start: int, stop: int) -> dict:
        if self._whole is None:
            return self.dataset.clip_part(self.index, start, stop)
        part = fields.cut(self._whole, start, stop)
        return {**part, 'index': part['index'] + start} if 'index' in part else part

    def person_heights(self) -> dict[str, float]:
        """How high the person is: median height of the boxes of the masks, in pixels.

        Returns:
            ``masks`` and, where the dataset knows the truth about a transfer, ``truth_masks`` -> height; without those that are empty
            throughout.
        """
        heights: dict[str, list[int]] = {}
        for start, stop in self._spans():
            for key, masks in self._masks(start, stop).items():
                rows = (np.flatnonzero(mask.any(1)) for mask in masks)
                heights.setdefault(key, []).extend(int(r[-1] - r[0]) + 1 for r in rows if len(r))
        return {key: float(np.median(found)) for key, found in heights.items() if found}

    def _masks(self, start: int, stop: int) -> dict[str, np.ndarray]:
        if self._whole is None:
            return self.dataset.clip_masks(self.index, start, stop)
        return {key: self._whole[key][start:stop, 0].numpy() > 127 for key in ('masks', 'truth_masks') if key in self._whole}
