"""The training order: endless, reproducible from any position, the same for any number of processes."""

from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from toolkit.registry import DATA_SAMPLERS
from toolkit.structures import InputError


@DATA_SAMPLERS.register_module()
class DrawSampler(Sampler):
    """Yields indices for ever: sample n of the run is entry ``n mod N`` of the permutation of its epoch, its draw.

    A data set whose items are drawn anew each epoch says so by ``takes_draw = True`` and is asked for ``(index, draw)``; others are
    asked for the index alone.

    A permutation depends on (seed, epoch) alone. Process r of W takes the samples n = r, r + W, r + 2W, ..., so that a global batch
    holds the same samples whether it is made by one process or spread over several. The draw seeds a dataset's randomness.

    Args:
        dataset: only its length and ``takes_draw`` are used.
        shuffle: else in order.
        seed: of the run.

    Raises:
        InputError: empty dataset.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = 0) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size, self.shuffle, self.seed = len(dataset), shuffle, seed or 0
        self.start, self.takes_draw = 0, getattr(dataset, 'takes_draw', False)
        if not self.size:
            raise InputError(f'{type(dataset).__name__} is empty: no sample to train on')

    def set_start(self, samples: int) -> None:
        """Begin at a position; no data is read.

        Args:
            samples: samples all processes together have used so far.
        """
        self.start = samples

    def permutation(self, epoch: int) -> list[int]:
        """Order of one pass over the dataset."""
        if not self.shuffle:
            return list(range(self.size))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return torch.randperm(self.size, generator=generator).tolist()

    def __iter__(self) -> Iterator[int | tuple[int, int]]:
        n, epoch, order = self.start + self.rank, -1, []
        while True:
            if n // self.size != epoch:
                epoch = n // self.size
                order = self.permutation(epoch)
            index = order[n % self.size]
            yield (index, epoch) if self.takes_draw else index
            n += self.world_size

    def __len__(self) -> int:
        return -(-self.size // self.world_size)
