"""Two persons' videos side by side, whose frames have nothing to do with each other: the data of CycleGAN."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch.utils.data import Dataset

from toolkit import fields
from toolkit.datasets.scene import steady_plate
from toolkit.datasets.tensors import SAMPLE, computed, tensors
from toolkit.datasets.transforms import scale_pose
from toolkit.datasets.windows import ClipWindows
from toolkit.poses.retarget import PoseNormalizer
from toolkit.registry import DATASETS, TRANSFORMS, check_arguments
from toolkit.skeletons import NECK, NOSE, K
from toolkit.structures import InputError, check_seed

KEPT = tuple(key for key in fields.keys(fields.FRAME, source='stored') if key != 'edges')
"""What an item holds of its frames: all that clips store but the edges, which no transfer uses."""
ANCHOR_DRAWS = 64
B_TAG, RUN_TAG = 1, 2


class _Domain:
    """The windows of one person: of each sample only what is kept, and what the transforms need, is read."""

    def __init__(self, name: str, options: str | Path | dict, window: int, size: Sequence[int] | None, transforms: Sequence,
                 plates: bool, seed: int) -> None:
        options = {'size': size, **(options if isinstance(options, dict) else dict(root=options))}
        if 'root' not in options:
            raise InputError(f'UnpairedClips.{name} needs a root: a folder of prepared clips, or dict(root=..., ClipWindows options)')
        if options.get('window') is not None:
            raise InputError(f'UnpairedClips.{name}.window={options["window"]!r}: both persons have the window of UnpairedClips; leave '
                             f'it out here and set it there')
        options['window'] = window
        check_arguments(ClipWindows, options, f'UnpairedClips.{name}')
        if options.get('references') is not None or options.get('plate'):
            raise InputError(f'UnpairedClips.{name}: its items have no references, and an empty scene by plates=True of UnpairedClips: '
                             'leave references and plate out')
        transforms = options.pop('transforms', transforms)
        self.transforms = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in transforms]
        self.keys = set(KEPT).union(*(getattr(t, 'needs', SAMPLE) for t in self.transforms))
        self.seed = options.setdefault('seed', seed)
        self.windows = ClipWindows(**options)
        self.anchor: torch.Tensor | None = None
        self.plates = [steady_plate(clip, self.windows.size, np.flatnonzero(allowed)) if allowed.any() else None
                       for clip, allowed in zip(self.windows.clips, self.windows.allowed)] if plates else None

    def __len__(self) -> int:
        return len(self.windows)

    def add_fields(self, names: Sequence[str]) -> None:
        """As of :meth:`toolkit.datasets.windows.ClipWindows.add_fields`."""
        self.windows.add_fields(names)
        self.keys |= {key for field in self.windows.added for key in (field.name, *field.inputs)}

    def poses(self) -> np.ndarray:
        """All poses in use, (T, 18, 3) in pixels of the items before any transform."""
        height, width = self.windows.size
        return np.concatenate([scale_pose(clip.poses[allowed], height / clip.height, width / clip.width)
                               for clip, allowed in zip(self.windows.clips, self.windows.allowed)])

    def runs(self, length: int, step: int) -> list[int]:
        """Windows from which ``length`` windows follow each other, ``step`` frames apart, in one clip."""
        reach = (length - 1) * step
        places = [self.windows.locate(i) for i in range(len(self))]
        return [i for i, (clip, start) in enumerate(places) if i + reach < len(self) and places[i + reach] == (clip, start + reach)]

    def item(self, index: int, key: tuple[int, ...]) -> dict:
        """Window ``index``, changed by the transforms with randomness from (seed, \\*key)."""
        sample, about, _ = self.windows.sample(index, keys=self.keys)
        if self.plates is not None:
            sample['plate'] = self.plates[self.windows.locate(index)[0]].copy()
        sample = self._transformed(sample, np.random.default_rng((self.seed, *key)))
        added = [field for field in self.windows.added if field.name not in sample]
        item = dict(tensors({key: value for key, value in sample.items() if key in KEPT or key not in SAMPLE}),
                    **computed(added, dict(sample, size=sample['frames'].shape[1:3])),
                    **{name: about[name] for name in ('clip', 'index', 'fps')})
        if self.anchor is not None:
            item['anchor'] = self.anchor
        return item

    def _transformed(self, sample: dict, rng: np.random.Generator) -> dict:
        for transform in self.transforms:
            sample = transform(sample, rng)
        return sample

    def mean_anchor(self, anchor: Sequence[float]) -> np.ndarray:
        """Where the transforms put an anchor (x, y, height), on average over their draws; (3,) float32."""
        (x, y, height), size = anchor, self.windows.size
        pose = np.zeros((K, 3), np.float32)
        pose[NOSE], pose[NECK] = (x, y - height, 1), (x, y, 1)
        moved = np.zeros((ANCHOR_DRAWS if self.transforms else 1, 3))
        for i in range(len(moved)):
            picture, gray = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
            sample = self._transformed(dict(
                frames=picture[None], edges=gray[None], masks=gray[None], poses=pose[None].copy(), content_frame=picture,
                content_edge=gray, content_mask=gray, content_parts=gray, content_pose=pose.copy()), np.random.default_rng(i))
            (x, top, _), (_, y, _) = sample['poses'][0, [NOSE, NECK]]
            moved[i] = x, y, y - top
        return moved.mean(0).astype(np.float32)


@DATASETS.register_module()
class UnpairedClips(Dataset):
    """Windows of person A, each with a window of person B drawn at random.

    Item: ``dict(a=..., b=...)``, each with ``frames`` (T, 3, H, W) and ``masks`` (T, 1, H, W) uint8, ``poses`` (T, 18, 3) float32,
    ``clip``, ``index``, ``fps``, ``follows`` (bool, see ``sequence``) and, where asked for, ``plate`` (3, H, W) uint8, the empty scene,
    and ``anchor`` (3,) float32, the person's place and height; and with what transforms add. Nothing else is read.

    An epoch is max(|A|, |B|) items, as in CycleGAN. Which window of B comes with item i, and the transforms of either, depend on
    (seed, draw, i) alone; A and B are transformed independently.

    Args:
        a, b: a folder of prepared clips, or a dict of arguments of :class:`toolkit.datasets.windows.ClipWindows`; each stands above the
            shared arguments here but ``window``.
        window: consecutive frames of an item.
        size: (H, W) to resize to.
        transforms: for both, see :mod:`toolkit.datasets.transforms`.
        plates: add the empty scene of each clip; the camera must stand still, and a warning says where it does not.
        anchors: add where each person stands and how tall they are, in pixels of the items: the middle of their walking range as in
            Everybody Dance Now, after the average transform.
        sequence: items that follow each other before a jump to another place, transformed alike. Above 1 the data is made of such runs
            from random places, in order: the sampler needs ``shuffle=False``.
        batch_size: of all processes together: so many runs lie side by side, so that row r of each mini-batch goes on where row r of
            the one before ended. None takes what :meth:`set_batch_size` says, 1 before.
        seed: of all randomness; in a run it is the run's unless the config says otherwise. ``a`` and ``b`` may have one of their own.

    Raises:
        InputError: unusable clips or options; no place for a run in one of the videos; bodies that cannot be measured.
    """

    takes_draw = True
    nested = dict(a=ClipWindows, b=ClipWindows)

    def __init__(self, a: str | dict, b: str | dict, window: int = 1, size: Sequence[int] | None = None, transforms: Sequence = (),
                 plates: bool = False, anchors: bool = False, sequence: int = 1, batch_size: int | None = None, seed: int = 0) -> None:
        if window is None or window < 1 or sequence < 1 or (batch_size is not None and batch_size < 1):
            raise InputError(f'UnpairedClips: window, sequence and batch_size must be at least 1, got {window}, {sequence} and '
                             f'{batch_size}')
        check_seed(seed)
        self.a, self.b = (_Domain(name, options, window, size, transforms, plates, (2 * seed + i) % 2**32)
                          for i, (name, options) in enumerate((('a', a), ('b', b))))
        self.window, self.sequence, self.seed = window, sequence, seed
        self.plates, self.anchors = plates, anchors
        self.batch_size, self._given = batch_size or 1, batch_size is not None
        self._say_what_is_shared()
        if anchors:
            self._measure()
        self._runs = {}
        for name in 'ab' if sequence > 1 else '':
            self._runs[name] = getattr(self, name).runs(sequence, window)
            if not self._runs[name]:
                raise InputError(f'UnpairedClips.{name}: no clip has {sequence * window} frames in a row, for sequence={sequence} '
                                 f'windows of {window}')

    def add_fields(self, names: Sequence[str]) -> None:
        """Have the items of both persons hold these added fields, too, see :func:`toolkit.fields.add`.

        Raises:
            InputError: an unknown name.
        """
        for domain in (self.a, self.b):
            domain.add_fields(names)

    @property
    def ordered(self) -> bool:
        """Whether the items must be taken in order."""
        return self.sequence > 1

    def set_batch_size(self, rows: int) -> None:
        """Lay as many runs side by side as a mini-batch of all processes has rows.

        Raises:
            InputError: the data set was given another number, with which no row would follow itself.
        """
        if self.ordered and self._given and self.batch_size != rows:
            raise InputError(f'UnpairedClips: batch_size={self.batch_size}, but that of all processes is {rows}, so that no row '
                             f'of a mini-batch would go on where it was; leave it out')
        self.batch_size = rows

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames of person A; those of person B are as large where ``size`` is given or all clips are."""
        return self.a.windows.size

    @property
    def clips(self) -> list:
        """Clips of both persons."""
        return [*self.a.windows.clips, *self.b.windows.clips]

    def _say_what_is_shared(self) -> None:
        """Warn of frames that both persons have: where these are all, each would learn to become themselves."""
        used_a, used_b = ({clip.folder.resolve(): allowed for clip, allowed in zip(domain.windows.clips, domain.windows.allowed)}
                          for domain in (self.a, self.b))
        shared = sorted(folder.name for folder in used_a.keys() & used_b.keys() if (used_a[folder] & used_b[folder]).any())
        if shared:
            print_log(f'UnpairedClips: a and b have frames in common, of {", ".join(shared[:8])}: nobody learns to become somebody '
                      f'else from them. Name persons=[...] of each, or different folders', 'current', logging.WARNING)

    def _measure(self) -> None:
        try:
            fitted = PoseNormalizer.fit(self.a.poses(), self.b.poses())
        except InputError as error:
            raise InputError(f'UnpairedClips: anchors=True measures both persons, here a ({self.a.windows.root}) as the source and b '
                             f'({self.b.windows.root}) as the target: {error}') from error
        for domain, body in ((self.a, fitted.source), (self.b, fitted.target)):
            if fitted.mode == 'feet':
                anchor = body.x, (body.far + body.close) / 2, (body.height_far + body.height_close) / 2
            else:
                anchor = body.x, body.y, body.size
            domain.anchor = torch.from_numpy(domain.mean_anchor(anchor))

    def __len__(self) -> int:
        longest, turn = max(len(self.a), len(self.b)), self.sequence * self.batch_size
        return longest if self.sequence == 1 else max(longest // turn, 1) * turn

    def __getitem__(self, key: int | tuple[int, int]) -> dict:
        index, draw = (int(k) for k in key) if isinstance(key, tuple) else (int(key), 0)
        if not -len(self) <= index < len(self):
            raise IndexError(f'UnpairedClips has {len(self)} items, no number {index}')
        index %= len(self)
        if self.sequence == 1:
            chosen = np.random.default_rng((B_TAG, self.seed, draw, index)).integers(len(self.b))
            places, key, follows = (index % len(self.a), int(chosen)), (draw, index), False
        else:
            step, row = divmod(index, self.batch_size)
            run, step = divmod(step, self.sequence)
            key, follows = (draw, run * self.batch_size + row), step > 0
            rng = np.random.default_rng((RUN_TAG, self.seed, *key))
            places = tuple(int(rng.choice(self._runs[name])) + step * self.window for name in 'ab')
        return {name: dict(getattr(self, name).item(place, key), follows=follows) for name, place in zip('ab', places)}
