"""A mixture of data sets: clips of many people from several folders, each with a share of the training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import Dataset

from toolkit.clips.clip import find_clips
from toolkit.datasets.tensors import drawn_item
from toolkit.registry import DATASETS
from toolkit.structures import InputError, check_seed

TAG, SIZE_TAG = 3, 4


@DATASETS.register_module()
class MixedClips(Dataset):
    """Items of several data sets: each is of data set i with probability ``weights[i]``, and then any of its items.

    Item: that of the data set, with its name before ``person`` and ``clip``, so that people of two folders are never taken for one.
    Which item comes, and what is drawn for it, depends on (seed, draw, index) alone. An epoch has as many items as all data sets
    together.

    Frames (and pictures of references) may have several sizes. Then a batch has one of them, with the probability of the data sets that
    have it: items follow each other, and the sampler must not shuffle them (their order is one of chance as it is).

    Args:
        datasets: name -> ``DATASETS`` config, of one window.
        weights: name -> share of the items, above 0; default 1 each. They need not add up to 1.
        optional: names of data sets that are left out, with a note, where their ``root`` holds no prepared clips.
        seed: of all randomness; in a run it is the run's. The data sets may have one of their own.

    Raises:
        InputError: no data set, unknown names, weights that cannot be, windows that differ; whatever a data set raises.
    """

    takes_draw = True

    def __init__(self, datasets: dict[str, dict], weights: dict[str, float] | None = None, optional: Sequence[str] = (),
                 seed: int = 0) -> None:
        check_seed(seed)
        for what, names in (('weights', weights or ()), ('optional', optional)):
            if unknown := sorted(set(names) - set(datasets)):
                raise InputError(f'MixedClips.{what} names {", ".join(unknown)}, but the data sets are {", ".join(datasets)}')
        for name, weight in (weights or {}).items():
            if not weight > 0:
                raise InputError(f'MixedClips.weights.{name}={weight}, expected a number above 0; set datasets.{name}=None to leave it '
                                 f'out')
        chosen = {name: cfg for name, cfg in datasets.items() if cfg and not (name in optional and _absent(name, cfg))}
        if not chosen:
            raise InputError(f'MixedClips: no data set is left of {", ".join(datasets) or "none"}')
        self.seed, self.parts = seed, {name: DATASETS.build(cfg) for name, cfg in chosen.items()}
        shares = np.array([(weights or {}).get(name, 1) for name in self.parts], float)
        self.shares, self.batch_size = shares / shares.sum(), 1
        windows, sizes = ({name: getattr(part, key, None) for name, part in self.parts.items()} for key in ('window', 'size'))
        if len(set(windows.values())) > 1:
            told = ', '.join(f'{name} has {value}' for name, value in windows.items())
            raise InputError(f'MixedClips: window differs ({told}); set window of each data set to the same')
        self.window = next(iter(windows.values()))
        self.size = next(iter(sizes.values())) if len(set(sizes.values())) == 1 else None
        shapes = [(sizes[name], getattr(getattr(part, 'references', None), 'scale', None)) for name, part in self.parts.items()]
        self.ordered = len(set(shapes)) > 1
        self._alike = np.array([[one == other for other in shapes] for one in shapes])

    def set_batch_size(self, size: int) -> None:
        """How many items that follow each other make a batch, over all processes."""
        self.batch_size = size

    @property
    def clips(self) -> list:
        """Clips of all data sets."""
        return [clip for part in self.parts.values() for clip in part.clips]

    def add_fields(self, names: Sequence[str]) -> None:
        """As of :meth:`toolkit.datasets.windows.ClipWindows.add_fields`."""
        for part in self.parts.values():
            part.add_fields(names)

    def locate(self, index: int, draw: int = 0) -> tuple[str, int]:
        """Name of the data set that an item is of, and its number there."""
        rng, shares = np.random.default_rng((TAG, self.seed, int(draw), int(index))), self.shares
        if self.ordered:
            batch = np.random.default_rng((SIZE_TAG, self.seed, (int(draw) * len(self) + int(index)) // self.batch_size))
            shares = shares * self._alike[batch.choice(len(shares), p=shares)]
        name = list(self.parts)[rng.choice(len(self.parts), p=shares / shares.sum())]
        return name, int(rng.integers(len(self.parts[name])))

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def __getitem__(self, key: int | tuple[int, int]) -> dict:
        index, draw = (int(k) for k in key) if isinstance(key, tuple) else (int(key), 0)
        if not -len(self) <= index < len(self):
            raise IndexError(f'MixedClips has {len(self)} items, no number {index}')
        index %= len(self)
        name, number = self.locate(index, draw)
        item = drawn_item(self.parts[name], number, draw * len(self) + index)
        return {**item, **{about: f'{name}/{item[about]}' for about in ('person', 'clip') if about in item}}


def _absent(name: str, cfg: Mapping) -> bool:
    """Whether an optional data set has no clips; says so."""
    root = cfg.get('root')
    if not root or cfg.get('synthetic') or (Path(root).exists() and find_clips(root)):
        return False
    print_log(f'{name}: there are no prepared clips in {root}, so this data set is left out. tools/prepare_data.py makes some',
              'current')
    return True
