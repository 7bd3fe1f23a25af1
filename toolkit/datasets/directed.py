"""Whole clips of two persons, each to be turned into the other one: what a transfer is tested on."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from toolkit import fields
from toolkit.clips.clip import Clip
from toolkit.datasets.scene import steady_plate
from toolkit.datasets.windows import ClipWindows
from toolkit.registry import DATASETS, check_arguments
from toolkit.structures import InputError

DIRECTIONS = ('ab', 'ba')


@DATASETS.register_module()
class DirectedClips(Dataset):
    """All clips of person A (direction 'ab'), then all of person B ('ba').

    Item: a whole clip as of :class:`toolkit.datasets.windows.ClipWindows`, with ``direction``, which its name ``clip`` ends with, too:
    both persons may have a clip of one name. Where asked for, ``plate`` (3, H, W) uint8, the empty scene, and ``truth_frames``,
    ``truth_poses`` and so on, every entry of frames of the other person.

    Args:
        a, b: a folder of prepared clips, or a dict of arguments of ``ClipWindows``.
        size: (H, W) to resize to.
        directions: which of 'ab' and 'ba'.
        plates: add the empty scene of each clip; the camera must stand still, and a warning says where it does not.
        paired: clip i of A and clip i of B show the same movement frame by frame, as those of two synthetic actors do: the one is the
            truth about the other.

    Raises:
        InputError: unusable clips or options; paired clips that differ in number, action, length or size.
    """

    nested = dict(a=ClipWindows, b=ClipWindows)

    def __init__(self, a: str | dict, b: str | dict, size: Sequence[int] | None = None, directions: Sequence[str] = DIRECTIONS,
                 plates: bool = False, paired: bool = False) -> None:
        if not directions or not set(directions) <= set(DIRECTIONS):
            raise InputError(f'DirectedClips: directions must be some of {", ".join(DIRECTIONS)}, got {directions!r}')
        self.domains = {}
        for name, options in (('a', a), ('b', b)):
            options = {'size': size, **(options if isinstance(options, dict) else dict(root=options))}
            if options.get('window') is not None:
                raise InputError(f'DirectedClips.{name}.window={options["window"]!r}: its items are whole clips; leave it out')
            options['window'] = None
            check_arguments(ClipWindows, options, f'DirectedClips.{name}')
            self.domains[name] = ClipWindows(**options)
        self.plates, self._last_plate = plates, None
        self.items = [(name, i) for name in 'ab' if name + self.other(name) in directions for i in range(len(self.domains[name]))]
        self.paired = paired
        if paired:
            self._check_pairs()

    @staticmethod
    def other(name: str) -> str:
        """The other domain."""
        return 'b' if name == 'a' else 'a'

    @property
    def clips(self) -> list:
        """Clips of both persons."""
        return [*self.domains['a'].clips, *self.domains['b'].clips]

    def _check_pairs(self) -> None:
        known = [[(clip.action, int(used.sum())) for clip, used in zip(d.clips, d.allowed)] for d in self.domains.values()]
        if known[0] != known[1] or self.domains['a'].size != self.domains['b'].size:
            raise InputError('DirectedClips: paired=True needs clips of equal actions, lengths and sizes, in the same order; A has '
                             f'{known[0]} of {self.domains["a"].size}, B has {known[1]} of {self.domains["b"].size} (action, frames)')

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict:
        return self.clip_part(index, 0, self.clip_length(index))

    def add_fields(self, names: Sequence[str]) -> None:
        """As of :meth:`toolkit.datasets.windows.ClipWindows.add_fields`."""
        for domain in self.domains.values():
            domain.add_fields(names)

    def clip_length(self, index: int) -> int:
        """Frames of item ``index``."""
        name, i = self.items[int(index)]
        return self.domains[name].clip_length(i)

    def clip_frames(self, index: int) -> tuple[Clip, range]:
        """The clip of item ``index``, and which of its frames."""
        name, i = self.items[int(index)]
        return self.domains[name].clip_frames(i)

    def clip_part(self, index: int, start: int, stop: int) -> dict:
        """Frames ``start`` to ``stop`` of item ``index``, in its form; nothing else is read."""
        name, i = self.items[int(index)]
        item, direction = self.domains[name].clip_part(i, start, stop), name + self.other(name)
        item = dict(item, direction=direction, clip=f'{item["clip"]}_{direction}')
        if self.plates:
            item['plate'] = self._plate(name, i)
        if self.paired:
            truth = self.domains[self.other(name)].clip_part(i, start, stop)
            item |= {fields.TRUTH + key: value for key, value in truth.items() if fields.is_per_frame(key)}
        return item

    def clip_masks(self, index: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """The masks of these frames alone, ``masks`` and, with ``paired``, ``truth_masks`` (T, H, W) bool."""
        name, i = self.items[int(index)]
        masks = self.domains[name].clip_masks(i, start, stop)
        if self.paired:
            masks['truth_masks'] = self.domains[self.other(name)].clip_masks(i, start, stop)['masks']
        return masks

    def _plate(self, name: str, i: int) -> torch.Tensor:
        """The empty scene of item ``i`` of a person; the last one is kept, for the parts of its clip."""
        if self._last_plate is None or self._last_plate[0] != (name, i):
            windows = self.domains[name]
            number = windows.locate(i)[0]   # a clip without a frame in use has no item
            plate = steady_plate(windows.clips[number], windows.size, np.flatnonzero(windows.allowed[number]))
            self._last_plate = (name, i), torch.from_numpy(plate).movedim(-1, 0).contiguous()
        return self._last_plate[1]
