"""The dataset of all methods: windows of consecutive frames of prepared clips, each with a content frame of the same clip."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate, product
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.size import smaller_size
from toolkit.datasets.footage import ClipFootage, References
from toolkit.datasets.split import checked_half, split_by_file, split_clips
from toolkit.datasets.tensors import SAMPLE, item_tensors
from toolkit.datasets.transforms import resize_image, scale_pose
from toolkit.fields import CONTENT, added, find, named, stored_pictures
from toolkit.registry import DATASETS, TRANSFORMS
from toolkit.skeletons import K
from toolkit.structures import InputError, check_seed
from toolkit.synthetic.build import build_synthetic

POOL = ('root', 'persons', 'actions', 'split', 'split_rule', 'split_file', 'frames', 'exclude', 'synthetic')
"""What may be said of the frames that references are taken from."""


@DATASETS.register_module()
class ClipWindows(Dataset):
    """Windows of consecutive frames, never across clips, with a content frame of the same clip.

    Item (torch tensors; T frames of a window)::

        frames (T, 3, H, W) uint8      poses (T, 18, 3) float32    pose_maps (T, 3, H, W) uint8
        edges, masks (T, 1, H, W) uint8                            regions (T, 2, H, W) uint8 (upper, lower body)
        content_frame (3, H, W), content_pose_map (3, H, W), content_edge, content_mask, content_parts (1, H, W) uint8
        content_regions (2, H, W) uint8   content_pose (18, 3) float32
        clip (folder of the clip, relative to ``root``), person (str)   index, content_index (int, frames in the clip)   fps (float)

    With ``references`` also K references of each frame (:mod:`toolkit.datasets.references`), and with ``plate`` the empty scene::

        reference_frames (T, K, 3, s H, s W) uint8   reference_parts (T, K, 1, s H, s W) uint8   plate (3, H, W) uint8
        reference_poses (T, K, 18, 3) float32, in pixels of the window

    Whatever else a transform adds to a sample is in the item too, such as ``garment_colors`` of RecolorGarments, and so are the fields
    of :meth:`add_fields`.

    uint8 maps mean 0..1 as 0..255, parts are labels. Randomness comes from ``numpy.random.default_rng((seed, draw, index))`` alone: an
    item is the same in any worker, process or resumed run. A key is an index or (index, draw); samplers give another draw each epoch.

    Args:
        root: folder that holds prepared clips, or one clip.
        window: frames of a window; None gives each clip (or its ``frames``) whole, one item a clip.
        content: 'first' frame of those in use, 'random' (never one of the window; not of whole clips), or the number of a frame of the
            clip, which may lie outside of ``frames``, but not in ``exclude``.
        persons, actions: only clips of these; a name or several.
        split: 'train' or 'test' half of the clips (see :func:`split_clips`), made before persons and actions are chosen; None for all.
            Where it is left out all are taken, too, and there must be no rule and no file. With None there may be: the data sets of a
            config share them.
        split_rule: arguments of :func:`split_clips`.
        split_file: JSON with explicit lists (see :func:`split_by_file`), instead of a rule.
        frames: (start, stop), use only these frames of each clip; negative numbers count from the end, None is open. Floats are shares
            of each clip: (0.75, 1.0) is its last quarter, whatever its length.
        exclude: (start, stop) in the same way, use no window that touches these frames, nor any of them as content. Some clip must
            have some of them.
        size: (H, W) to resize to; poses are scaled along. By default clips must be of one size, which is taken.
        pixels: instead of ``size``: resize to the shape of the clips with about so many pixels.
        multiple: with ``pixels``, of which the sides are multiples, as networks want it; with a small one the shape is kept better.
        pose_style: style of the stick figures.
        transforms: configs or callables (sample, rng) -> sample, see :mod:`toolkit.datasets.transforms`.
        skip_empty: leave out windows with a frame in which no joint is seen.
        cache: 'none', or 'decoded': all pictures are decoded once and kept in memory, shared with forked workers.
        cache_limit: most memory for that, in GiB.
        seed: of all randomness; in a run it is the run's unless the config says otherwise.
        references: arguments of :class:`toolkit.datasets.footage.References`; None for items without references.
        plate: give the empty scene (:func:`toolkit.datasets.plate.background_plate`), seen in the frames in use, or for whole clips in
            those of the references' pool; where the camera moves see :func:`toolkit.datasets.footage.empty_scene`.
        synthetic: options of the synthetic actions to render into ``root`` on first use, see
            :func:`toolkit.synthetic.build.build_synthetic`.

    Raises:
        InputError: no clips, no windows, clips of different sizes, or an option that cannot be.
    """

    takes_draw = True
    nested = dict(split_rule=split_clips, references=References, synthetic=(
        'toolkit.synthetic.actions:SyntheticActions', 'toolkit.synthetic.actions:SyntheticActions.write'))

    def __init__(
            self, root: str | Path, window: int | None = 2, content: str | int = 'first', persons: str | Sequence[str] | None = None,
            actions: str | Sequence[str] | None = None, split: str | None = '', split_rule: dict | None = None,
            split_file: str | Path | None = None, frames: Sequence[float | None] | None = None,
            exclude: Sequence[float | None] | None = None, size: Sequence[int] | None = None, pixels: int | None = None,
            multiple: int = 16, pose_style: str = 'openpose_black', transforms: Sequence[dict | Callable] = (), skip_empty: bool = True,
            cache: str = 'none', cache_limit: float = 4, seed: int = 0, references: dict | None = None, plate: bool = False,
            synthetic: dict | None = None):
        if window is not None and (not isinstance(window, int) or window < 1):
            raise InputError(f'window must be a whole number of frames, at least 1, or None for whole clips, got {window!r}')
        check_seed(seed)
        split = checked_half(split, split_rule, split_file)
        if content not in ('first', 'random') and (isinstance(content, bool) or not isinstance(content, int)):
            raise InputError(f"content must be 'first', 'random' or the number of a frame, got {content!r}")
        if content == 'random' and window is None:
            raise InputError("content='random' is a frame that the window does not have, and with window=None it has all of them: set "
                             "content='first' or the number of a frame")
        if size and (len(size) != 2 or min(size) < 1):
            raise InputError(f'size must be (height, width) in pixels, got {size!r}')
        if size and pixels:
            raise InputError(f'size={tuple(size)} and pixels={pixels} both say how large frames are: set one of them to None')
        if cache not in ('none', 'decoded'):
            raise InputError(f"cache must be 'none' or 'decoded', got {cache!r}")
        self.root, self.window, self.content, self.pose_style, self.seed = Path(root), window, content, pose_style, seed
        self.transforms = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in transforms]
        self.references, self.plate = None if references is None else References(**references), plate
        if synthetic is not None:
            build_synthetic(self.root, synthetic)
        self.clips = self._choose_clips(persons, actions, split, split_rule or {}, split_file)
        self.size = tuple(size) if size else self._common_size()
        if pixels:
            self.size = smaller_size(*self.size, pixels, multiple)
        held_out = [_inside('exclude', (0, 0) if exclude is None else exclude, len(clip)) for clip in self.clips]
        if exclude is not None and not any(held.any() for held in held_out):
            raise InputError(f'{self.root}: exclude={exclude} has no frame of any clip; the longest has {max(map(len, self.clips))} '
                             f'frames. Name frames that are there, or leave exclude out')
        self.allowed = [self._allowed_frames(clip, frames, held) for clip, held in zip(self.clips, held_out)]
        for clip in self.clips:
            clip.check_whole()
        self._starts = [self._window_starts(clip, allowed, skip_empty) for clip, allowed in zip(self.clips, self.allowed)]
        self._ends = list(accumulate(len(starts) for starts in self._starts))
        alone = [clip for clip, allowed in zip(self.clips, self.allowed) if content == 'random' and allowed.sum() == window]
        if not len(self) and alone:
            raise InputError(f'clip {alone[0].name} of {len(alone[0])} frames: only {window} are in use, as many as a window, so no '
                             f'other one can be a random content frame; use a longer clip')
        if not len(self):
            lengths = sorted(len(clip) for clip in self.clips)
            long = f'{lengths[0]} to {lengths[-1]}' if lengths[0] < lengths[-1] else lengths[0]
            raise InputError(
                f'{self.root}: {len(self.clips)} clips of {long} frames, but no window of {window or "any"} frames in a row is left '
                f'(frames={frames}, exclude={exclude}). Use longer clips or other frames; shares such as (0.75, 1.0) fit any length')
        self._cache, self.added, self._footage = {}, [], None
        left = self._room_beside_cache(cache_limit) if cache == 'decoded' else None
        if self.references or plate:
            self._footage = ClipFootage(
                self.clips, self.allowed, self.size, self._pool(split, split_rule, split_file), self.references,
                [self._fixed_content(number) if starts else None for number, starts in enumerate(self._starts)], window, plate, seed,
                left)
        if cache == 'decoded':
            self._fill_cache()

    def _choose_clips(self, persons, actions, split, split_rule, split_file) -> list[Clip]:
        clips = find_clips(self.root)
        if not clips:
            raise InputError(
                f'{self.root}: no prepared clips in this folder; make some with tools/prepare_data.py, or set synthetic=dict(...) in '
                'the config to render some')
        if split is not None:
            halves = split_by_file(clips, split_file) if split_file else split_clips(clips, **split_rule)
            if split not in halves:
                raise InputError(f"split must be 'train', 'test' or None, got {split!r}")
            everything, clips = clips, halves[split]
        for what, wanted in (('person', persons), ('action', actions)):
            if wanted is None:
                continue
            wanted = [wanted] if isinstance(wanted, str) else wanted
            known = sorted({getattr(clip, what) for clip in clips})
            if split is not None and set(wanted) <= {getattr(clip, what) for clip in everything} - set(known):
                raise InputError(
                    f'{self.root}: split={split!r} leaves no clip of {what} {", ".join(wanted)}: clips are divided by action, and the '
                    f'only action of a person is for training. Prepare a clip of another action of theirs, or set split=None and keep '
                    f'some frames of the clip apart with frames=(start, stop)')
            if not set(wanted) <= set(known):
                raise InputError(f'{self.root}: no clips of {what} {sorted(set(wanted) - set(known))}; there are {known}')
            clips = [clip for clip in clips if getattr(clip, what) in wanted]
        if not clips:
            raise InputError(
                f'{self.root}: no clips are left for split={split!r}, persons={persons}, actions={actions}; clips are divided by '
                f'action, and the only action of a person is for training. Prepare more, or set split=None')
        return clips

    def _common_size(self) -> tuple[int, int]:
        sizes = {(clip.height, clip.width): clip.name for clip in self.clips}
        if len(sizes) > 1:
            named = ', '.join(f'{name} is {h}x{w}' for (h, w), name in sizes.items())
            raise InputError(f'{self.root}: clips have different sizes ({named}, HxW); set size=(H, W) to resize them all')
        return next(iter(sizes))

    def _allowed_frames(self, clip: Clip, frames, held_out: np.ndarray) -> np.ndarray:
        if isinstance(self.content, int):
            if not -len(clip) <= self.content < len(clip):
                raise InputError(f'clip {clip.name} has {len(clip)} frames, no content frame {self.content}')
            if held_out[self.content]:
                raise InputError(f'clip {clip.name}: content={self.content} is one of the frames that exclude holds out; name another')
        return _inside('frames', (None, None) if frames is None else frames, len(clip)) & ~held_out

    def _pool(self, split, split_rule, split_file) -> tuple[list[Clip], list[np.ndarray]] | None:
        """Clips that references are taken from and which frames of each are in use; None for those of this data set."""
        pool = self.references and self.references.pool
        if pool is None and (self.window is not None or split != 'test'):
            return None
        pool = dict(split='train') if pool is None else dict(pool)
        if unknown := sorted(set(pool) - set(POOL)):
            raise InputError(f'references.pool: {", ".join(unknown)} cannot be given, only {", ".join(POOL)}')
        own = {} if 'root' in pool else dict(root=self.root)
        if own and pool.get('split') and not (pool.get('split_rule') or pool.get('split_file')):
            own |= dict(split_rule=split_rule, split_file=split_file)
        try:
            chosen = ClipWindows(**{**own, **pool}, window=1, size=self.size)
        except InputError as error:
            raise InputError(f'references.pool: {error}') from error
        return chosen.clips, chosen.allowed

    def _window_starts(self, clip: Clip, allowed: np.ndarray, skip_empty: bool) -> list[int]:
        if self.window is None:
            chosen = np.flatnonzero(allowed)
            if len(chosen) and chosen[-1] - chosen[0] + 1 != len(chosen):
                raise InputError(f'clip {clip.name}: with window=None, exclude must not cut the frames in two')
            return chosen[:1].tolist()
        usable = allowed & (clip.poses[..., 2] > 0).any(-1) if skip_empty else allowed
        starts = [t for t in range(len(clip) - self.window + 1) if usable[t:t + self.window].all()]
        return [] if self.content == 'random' and allowed.sum() <= self.window else starts   # no other frame is left for the content

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def locate(self, index: int) -> tuple[int, int]:
        """Number of the clip and first frame of window ``index``."""
        if not -len(self) <= index < len(self):
            raise IndexError(f'{self.root}: {len(self)} windows, no number {index}')
        index %= len(self)
        number = bisect_right(self._ends, index)
        return number, self._starts[number][index - (self._ends[number] - len(self._starts[number]))]

    def _content_index(self, number: int, wanted: Sequence[int], rng: np.random.Generator) -> int:
        if self.content != 'random':
            return self._fixed_content(number)
        others = np.setdiff1d(np.flatnonzero(self.allowed[number]), wanted)
        seen = others[(self.clips[number].poses[others, :, 2] > 0).any(-1)]
        return int(rng.choice(seen if len(seen) else others))

    def _fixed_content(self, number: int) -> int:
        """The number that ``content`` names, else the first frame in use."""
        return self.content % len(self.clips[number]) if isinstance(self.content, int) else int(self.allowed[number].argmax())

    def _room_beside_cache(self, limit: float) -> float:
        """Bytes that all decoded pictures leave of the most memory, in GiB, that they may take."""
        need = sum(len(clip) for clip in self.clips) * self.size[0] * self.size[1] * 6 / 2**30
        if need > limit:
            raise InputError(
                f"{self.root}: cache='decoded' needs {need:.1f} GiB for {len(self.clips)} clips, cache_limit is {limit:g}; raise it or "
                "set cache='none'")
        return (limit - need) * 2**30

    def _fill_cache(self) -> None:
        """Decode all pictures."""
        for number, clip in enumerate(self.clips):
            for kind in stored_pictures():
                self._cache[number, kind] = np.stack([self._decode(clip, kind, t) for t in range(len(clip))])

    def poses(self, person: str) -> tuple[list[tuple[int, int]], np.ndarray]:
        """All frames in use that show a person.

        Args:
            person: as clips name them.

        Returns:
            (number of the clip, frame) of each, for :meth:`frame`; and their poses (N, 18, 3) in pixels of the items' frames.
        """
        places, poses = [], [np.empty((0, K, 3), np.float32)]
        for number, clip in enumerate(self.clips):
            if clip.person == person:
                chosen = np.flatnonzero(self.allowed[number] & (clip.poses[..., 2] > 0).any(-1))
                places += [(number, int(t)) for t in chosen]
                poses.append(scale_pose(clip.poses[chosen], self.size[0] / clip.height, self.size[1] / clip.width))
        return places, np.concatenate(poses)

    def frame(self, number: int, t: int) -> np.ndarray:
        """Frame ``t`` of clip ``number`` in the items' size, (H, W, 3) uint8 RGB."""
        return self._picture(number, 'frames', t)

    def _decode(self, clip: Clip, kind: str, t: int) -> np.ndarray:
        return resize_image(clip.picture(kind, t), *self.size, labels=named(kind).kind == 'labels')

    def _picture(self, number: int, kind: str, t: int) -> np.ndarray:
        if (number, kind) in self._cache:
            return self._cache[number, kind][t]
        return self._decode(self.clips[number], kind, t)

    def sample(self, index: int, draw: int = 0, keys: Collection[str] = SAMPLE,
               part: tuple[int, int] | None = None) -> tuple[dict, dict, np.random.Generator]:
        """A window as it is on disk, before any transform.

        Args:
            index: of the window.
            draw: of its randomness.
            keys: which of :data:`toolkit.datasets.tensors.SAMPLE`, and of the added fields, to read; no other picture is decoded.
            part: (start, stop), read only these frames of the window; the content frame is that of the whole window.

        Returns:
            Arrays by key; what an item says about them (``clip``, ``person``, ``index``, ``fps``, and ``content_index`` where the
            content was asked for); and the random numbers for the transforms.
        """
        number, start = self.locate(int(index))
        clip = self.clips[number]
        rng = np.random.default_rng((self.seed, int(draw), int(index) % len(self)))
        window = range(start, start + (self.window or int(self.allowed[number].sum())))
        wanted = window[slice(*part)] if part else window
        about = dict(clip=clip.key, person=clip.person, index=wanted.start, fps=clip.fps)
        scale = self.size[0] / clip.height, self.size[1] / clip.width
        described = {key: find(key) for key in (*SAMPLE, *self._stored(clip)) if key in keys}
        if any(of == CONTENT for _, of in described.values()):
            about['content_index'] = content = self._content_index(number, window, rng)
        sample = {}
        for key, (field, of) in described.items():
            if field.kind == 'pose':
                sample[key] = scale_pose(clip.poses[content if of == CONTENT else slice(wanted.start, wanted.stop)], *scale)
            elif of == CONTENT:
                sample[key] = self._picture(number, field.name, content).copy()   # a transform may change what it is given
            else:
                sample[key] = np.stack([self._picture(number, field.name, t) for t in wanted])
        return sample, about, rng

    def __getitem__(self, key: int | tuple[int, int]) -> dict:
        index, draw = key if isinstance(key, tuple) else (key, 0)
        return self._item(index, draw, None)

    def _item(self, index: int, draw: int, part: tuple[int, int] | None) -> dict:
        keys = (*SAMPLE, *self._stored(self.clips[self.locate(int(index))[0]]))
        sample, about, rng = self.sample(index, draw, keys, part)
        if self._footage is not None:
            number, start = self.locate(int(index))
            wanted = range(about['index'], about['index'] + len(sample['frames']))
            window = range(start, start + self.clip_length(index))
            sample |= self._footage.sample(number, window, wanted, (int(draw), int(index) % len(self)))
        for transform in self.transforms:
            sample = transform(sample, rng)
        return {**item_tensors(sample, self.pose_style, self.added), **about}

    def add_fields(self, names: Sequence[str]) -> None:
        """Have items hold these added fields, too, see :func:`toolkit.fields.add`. One that a clip stores is read, others are computed
        after the transforms.

        Raises:
            InputError: an unknown name, or a clip that stores another number of channels.
        """
        self.added = added(dict.fromkeys([*(field.name for field in self.added), *names]))
        for clip, field in product(self.clips, self.added):
            if clip.fields.get(field.name, field.channels) != field.channels:
                raise InputError(f'{clip.folder}: has {field.name!r} with {clip.fields[field.name]} channels, but it is now added with '
                                 f'{field.channels}; prepare the clip again')

    def _stored(self, clip: Clip) -> list[str]:
        return [key for field in self.added if field.name in clip.fields for key in (field.name, field.content)]

    @property
    def reference_clips(self) -> list[Clip]:
        """Clips that references and empty scenes are taken from."""
        return [] if self._footage is None else self._footage.footage.clips

    def clip_length(self, index: int) -> int:
        """Frames of item ``index``."""
        return self.window or int(self.allowed[self.locate(int(index))[0]].sum())

    def clip_frames(self, index: int) -> tuple[Clip, range]:
        """The clip of item ``index``, and which of its frames."""
        number, start = self.locate(int(index))
        return self.clips[number], range(start, start + self.clip_length(index))

    def clip_part(self, index: int, start: int, stop: int) -> dict:
        """Frames ``start`` to ``stop`` of item ``index``, in its form; nothing else is read.

        Each part is transformed with the random numbers of the whole. A transform that draws something for each frame, such as
        RecolorGarments with ``per='frame'``, therefore draws the same again in each part.
        """
        return self._item(index, 0, (start, stop))

    def clip_masks(self, index: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """The masks of these frames alone, ``masks`` (T, H, W) bool, transformed as in an item."""
        needs = {'frames', 'masks', 'poses'}.union(*(getattr(t, 'needs', SAMPLE) for t in self.transforms))
        sample, _, rng = self.sample(index, keys=needs if self.transforms else {'masks'}, part=(start, stop))
        for transform in self.transforms:
            sample = transform(sample, rng)
        return dict(masks=sample['masks'] > 127)


def _inside(name: str, given: Sequence[float | None], total: int) -> np.ndarray:
    """Which frames (start, stop) means in a clip of ``total`` frames, (total,) bool."""
    if not isinstance(given, (tuple, list)) or len(given) != 2 or not all(
            place is None or isinstance(place, (int, float, np.integer)) for place in given):
        raise InputError(f'{name} must be (start, stop), numbers of frames or shares, got {given!r}')
    if any(isinstance(place, float) for place in given):
        if not all(place is None or 0 <= place <= 1 for place in given):
            raise InputError(f'{name}={tuple(given)}: expected two numbers of frames, or two shares from 0.0 to 1.0')
        given = [None if place is None else round(place * total) for place in given]
    inside = np.zeros(total, bool)
    inside[slice(*given)] = True
    return inside
