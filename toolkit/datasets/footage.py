"""References and the empty scene in the items of :class:`toolkit.datasets.windows.ClipWindows`."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from mmengine.logging import print_log

from toolkit.clips.clip import Clip
from toolkit.clips.same_person import DEFAULT_PERSON, identity
from toolkit.colors.garment_colors import GarmentColors
from toolkit.colors.garments import fit_garment_colors, garment_masks
from toolkit.colors.recolor import SAMPLED_FRAMES
from toolkit.datasets.figure import FRAMES, whole_figure
from toolkit.datasets.limbs import Limbs
from toolkit.datasets.plate import FITS, background_plate, scene_difference
from toolkit.datasets.references import PoseSearch, ReferenceTrack
from toolkit.datasets.same_video import same_moments, shown_of, times_of
from toolkit.datasets.scene import empty_scene
from toolkit.datasets.transforms import resize_image, scale_pose
from toolkit.structures import InputError, spread

TAG = 77
"""Tells the random numbers of references from those of transforms."""
HANDFUL = (2, 24)
"""A handful of frames is so many, the last not included."""
KEPT_PICTURES = 32
DEFAULT_SCALE = 2
BYTES = 4
"""A pixel of a frame and its part label; two more with its garments."""


def useful_scale(clips: Sequence[Clip], size: Sequence[int], most: int) -> int:
    """How many times as large as frames of ``size`` references should be: as large as the largest footage, ``most`` times at most.

    Footage that is enlarged shows nothing more, costs time, and is a little blurred by being sampled twice.
    """
    largest = max((clip.height * clip.width for clip in clips), default=0)
    return min(max(round((largest / (size[0] * size[1])) ** .5), 1), most)


class Footage:
    """Frames of clips that references are taken from. Labels of limbs hold nothing else (:class:`toolkit.datasets.limbs.Limbs`).

    Args:
        clips: prepared clips.
        allowed: for each clip (T,) bool, which frames may be shown.
        size: (H, W) of the frames to generate.
        scale: the references' pictures are so many times as large; footage that is smaller is enlarged.
        keep: decode every picture once and keep it in memory.
        garments: find the clothes, too: ``reference_garments``, soft regions of the upper and the lower garment.
        figure: behind the references of each frame also give the person put together from all frames
            (:func:`toolkit.datasets.figure.whole_figure`).
    """

    def __init__(self, clips: Sequence[Clip], allowed: Sequence[np.ndarray], size: Sequence[int], scale: int = DEFAULT_SCALE,
                 keep: bool = False, garments: bool = False, figure: bool = False) -> None:
        self.clips, self.allowed, self.size, self.garments, self.figure = list(clips), list(allowed), tuple(size), garments, figure
        self.picture_size = scale * size[0], scale * size[1]
        self._kept: OrderedDict[tuple[int, int], tuple[np.ndarray, ...]] = OrderedDict()
        self._colors: dict[int, GarmentColors] = {}
        self._figures: dict[tuple[int, ...], tuple[np.ndarray, ...]] = {}
        self._known_limbs: dict[str, Limbs] = {}
        self._limit = float('inf') if keep else KEPT_PICTURES
        self._searches: dict[str | None, PoseSearch] = {}
        for number in range(len(self.clips)) if keep else ():
            for t in np.flatnonzero(self._shown(number)):
                self._pictures(number, int(t))

    def memory(self) -> int:
        """Bytes that all pictures take when they are kept."""
        most, each = self.picture_size[0] * self.picture_size[1], BYTES + 2 * self.garments
        return sum(int(self._shown(n).sum()) * min(clip.height * clip.width, most) * each for n, clip in enumerate(self.clips))

    def _shown(self, number: int) -> np.ndarray:
        return self.allowed[number] & (self.clips[number].poses[..., 2] > 0).any(-1)

    def skip(self) -> None:
        """Go by a frame: footage that wears an outfit counts them."""

    def search(self, person: str | None = None) -> PoseSearch:
        """What finds the frames of a person (:func:`toolkit.clips.same_person.identity`), of all clips by default; made once."""
        if person not in self._searches:
            numbers = [n for n, clip in enumerate(self.clips) if person in (None, identity(clip))]
            frames = [np.flatnonzero(self._shown(n)) for n in numbers]
            poses = [self._poses(n, t) for n, t in zip(numbers, frames)]
            self._searches[person] = PoseSearch(
                np.concatenate([np.empty((0, 18, 3), np.float32), *poses]), np.repeat(numbers, [len(t) for t in frames]),
                np.concatenate([np.empty(0, np.int64), *frames]))
        return self._searches[person]

    def _poses(self, number: int, t: int | np.ndarray) -> np.ndarray:
        clip = self.clips[number]
        return scale_pose(clip.poses[t], self.size[0] / clip.height, self.size[1] / clip.width)

    def entries(self, search: PoseSearch, rows: Sequence[Sequence[int]], figure: bool | None = None) -> dict[str, np.ndarray]:
        """The references of frames in the form of a sample, see :mod:`toolkit.fields`.

        Args:
            search: of :meth:`search`.
            rows: (T, K), of each frame its references.
            figure: whether the person's figure stands behind them; by default as the footage was asked for.
        """
        behind = [self._whole(search)] if (self.figure if figure is None else figure) else []
        shown = [[self._shown_at(int(search.clips[row]), int(search.frames[row])) for row in of_frame] + behind for of_frame in rows]
        keys = 'reference_poses', 'reference_frames', 'reference_parts', *['reference_garments'] * self.garments
        return {key: np.stack([[one[i] for one in of_frame] for of_frame in shown]) for i, key in enumerate(keys)}

    def _shown_at(self, number: int, t: int) -> tuple[np.ndarray, ...]:
        return self._poses(number, t), *self._enlarged(number, t)

    def _whole(self, search: PoseSearch) -> tuple[np.ndarray, ...]:
        """The figure of a person in the form of :meth:`_shown_at`; made once."""
        key = tuple(np.unique(search.clips).tolist())
        if key not in self._figures:
            rows = spread(len(search), FRAMES)
            poses, frames, parts = map(np.stack, list(zip(*(
                self._shown_at(int(search.clips[row]), int(search.frames[row])) for row in rows)))[:3])
            scale = self.picture_size[0] / self.size[0]
            frame, labels, pose = whole_figure(frames, parts, scale_pose(poses, scale, scale))
            found = scale_pose(pose, 1 / scale, 1 / scale), frame, labels
            self._figures[key] = (*found, self._garments(key[0], frame, labels, pose)) if self.garments else found
        return self._figures[key]

    def _enlarged(self, number: int, t: int) -> tuple[np.ndarray, ...]:
        frame, parts, *garments = self._pictures(number, t)
        return (resize_image(frame, *self.picture_size), resize_image(parts, *self.picture_size, labels=True),
                *(resize_image(weights, *self.picture_size) for weights in garments))

    def _pictures(self, number: int, t: int) -> tuple[np.ndarray, ...]:
        """Frame, part labels and, if asked for, garments, not enlarged. The last ones are kept: neighbors in a video take the same."""
        if (number, t) in self._kept:
            self._kept.move_to_end((number, t))
            return self._kept[number, t]
        frame, parts, pose = self._read(number, t)
        parts = self._limbs(number).cut(frame, parts, pose)
        self._kept[number, t] = frame, parts, *([self._garments(number, frame, parts, pose)] if self.garments else [])
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return self._kept[number, t]

    def _read(self, number: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frame, part labels and pose in pixels of them, no larger than references are."""
        clip = self.clips[number]
        frame, parts = clip.frame(t), clip.parts(t)
        if frame.shape[0] * frame.shape[1] > self.picture_size[0] * self.picture_size[1]:
            frame, parts = resize_image(frame, *self.picture_size), resize_image(parts, *self.picture_size, labels=True)
        return frame, parts, scale_pose(clip.poses[t], frame.shape[0] / clip.height, frame.shape[1] / clip.width)

    def _limbs(self, number: int) -> Limbs:
        """What the limbs of a clip's person look like; found once."""
        person = identity(self.clips[number])
        if person not in self._known_limbs:
            search = self.search(person)
            shown = [self._read(int(search.clips[row]), int(search.frames[row])) for row in spread(len(search), FRAMES)]
            self._known_limbs[person] = Limbs(*zip(*shown))
        return self._known_limbs[person]

    def _garments(self, number: int, frame: np.ndarray, parts: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """(h, w, 2) uint8, the garments of a frame, by the colors that the clip's clothes have."""
        if number not in self._colors:
            times = np.flatnonzero(self._shown(number))
            frames, labels, poses = map(np.stack, zip(*(self._read(number, int(times[i])) for i in spread(len(times), SAMPLED_FRAMES))))
            self._colors[number] = fit_garment_colors(frames, labels, np.float32(labels > 0), poses, SAMPLED_FRAMES)
        weights = garment_masks(parts, np.float32(parts > 0), frame, pose, self._colors[number])
        return np.rint(255 * np.moveaxis(weights, 0, -1)).astype(np.uint8)


class References:
    """How the references of a data set are chosen.

    Args:
        count: K, references of each frame; 0 for none, where ``pool`` is only to say where the empty scene is seen.
        scale: their pictures are so many times as large as the frames, so that they can be warped at the footage's resolution. Windows
            enlarge smaller footage, so that sizes agree in a mini-batch: set 1 where clips are no larger than the frames. Whole clips
            and generation take no more than there is.
        gap: (smallest, largest), drawn for each item: of the item's own clip, and of others that were made of the same video, no frame
            is taken that is so near to a frame of the window or nearer. Only of data sets of windows.
        garments: give the regions of their clothes, too, for a model of which textures have the garments' lightness alone.
        figure: behind them give the person put together from all frames that may be taken, for a model that fills holes with it. Frames
            of the window are among these, too; what it shows is a median, in which no single frame counts.
        vary: draw for each item how many frames there are to choose from, a third each: another clip of the person alone (where there
            is one of another video), a handful of frames, all. Only of data sets of windows.
        pool: arguments of :class:`toolkit.datasets.windows.ClipWindows` that choose the frames to take: ``root``, ``persons``,
            ``actions``, ``split``, ``split_rule``, ``split_file``, ``frames``, ``exclude``. Root and rules are those of the data set if
            no root is given. By default windows take the frames of their own data set, and whole clips, which are generated for a test,
            the training half where their data set is of the split 'test'.

    Raises:
        InputError: a value that cannot be.
    """

    nested = dict(pool='toolkit.datasets.windows:ClipWindows')

    def __init__(self, count: int = 2, scale: int = DEFAULT_SCALE, gap: Sequence[int] = (1, 6), vary: bool = False,
                 pool: dict | None = None, garments: bool = False, figure: bool = False) -> None:
        if count < 0 or not isinstance(scale, int) or not 1 <= scale <= 8:
            raise InputError(f'references: count={count}, scale={scale}; expected at least 0, and a whole number from 1 to 8')
        unused = [name for name, wanted in dict(vary=vary, garments=garments, figure=figure).items() if wanted]
        if not count and unused:
            raise InputError(f'references: {" and ".join(unused)} of no references (count=0) has no effect: set count to at least 1, '
                             f'or {unused[0]}=False')
        if len(gap) != 2 or not 0 <= gap[0] <= gap[1]:
            raise InputError(f'references.gap={tuple(gap)}, expected (smallest, largest), whole numbers of frames of at least 0')
        self.count, self.scale, self.gap, self.vary, self.pool = count, scale, tuple(gap), vary, pool
        self.garments, self.figure = garments, figure


class ClipFootage:
    """What the items of a data set are given of other frames.

    Args:
        clips, allowed, size: of the data set: its clips, which frames of each are in use, (H, W) of its items.
        pool: (clips, allowed) of the frames that may be taken; None for those of the data set itself.
        references: how references are chosen; None for a plate alone.
        contents: for each clip of the data set its content frame, or one that stands for those that are drawn; None for a clip that
            has no item.
        window: frames of an item, None for whole clips.
        plate: give the empty scene.
        seed: of the data set.
        cache_limit: most bytes of the pictures that are kept in memory; None keeps none.

    Raises:
        InputError: no frames to take of somebody; tested frames among those that may be taken.
    """

    def __init__(self, clips: Sequence[Clip], allowed: Sequence[np.ndarray], size: Sequence[int],
                 pool: tuple[Sequence[Clip], Sequence[np.ndarray]] | None, references: References | None,
                 contents: Sequence[int | None], window: int | None, plate: bool, seed: int, cache_limit: float | None = None) -> None:
        self.clips, self.allowed, self.size, self.contents = clips, allowed, size, contents
        self.options, self.window, self.plate, self.seed = references or References(0), window, plate, seed
        given = pool or (clips, allowed)
        scale = self.options.scale if window else useful_scale(given[0], size, self.options.scale)
        if (useful := useful_scale(given[0], size, scale)) < scale and self.options.count:
            print_log(f'references are enlarged to {scale} times the frames; the clips are no larger than {useful} times, so that '
                      f'references.scale={useful} would show as much, sharper and faster', 'current', logging.WARNING)
        self.footage = Footage(*given, size, scale, False, self.options.garments, self.options.figure)
        places = {clip.folder.resolve(): number for number, clip in enumerate(self.footage.clips)}
        self._places = [places.get(clip.folder.resolve()) for clip in clips]
        shown: dict[tuple[str, str], list[int]] = {}
        for number, clip in enumerate(self.footage.clips):
            shown.setdefault(shown_of(clip), []).append(number)
        self._same_video = [shown.get(shown_of(clip), []) for clip in clips]
        times = cache(times_of)  # each is read once, and only where a video has several clips
        self._moments = [self._near(number, times) for number in range(len(clips))]
        self._plates: dict[int, np.ndarray] = {}
        self._whole: tuple[int, list] | None = None
        self._check(pool is None)
        if cache_limit is not None and self.options.count:
            if (need := self.footage.memory()) > cache_limit:
                raise InputError(f"cache='decoded' needs {need / 2**30:.1f} GiB more for the references; raise cache_limit by that, or "
                                 f"set cache='none'")
            self.footage = Footage(*given, size, scale, True, self.options.garments, self.options.figure)
        if self.plate and self.window:
            for number in self._in_use():
                self._plate(number)

    def _in_use(self) -> list[int]:
        """Numbers of the clips that have items."""
        return [number for number, content in enumerate(self.contents) if content is not None]

    def _near(self, number: int, times: Callable[[Clip], np.ndarray | None]) -> dict[int, np.ndarray]:
        """The clips of the footage that show moments of a clip, or such near them, and where: see :func:`same_moments`."""
        clip, reach, found = self.clips[number], self.options.gap[1] + 1, {}
        for place in self._same_video[number]:
            other = self.footage.clips[place]
            own = place == self._places[number]
            at = np.arange(len(clip), dtype=float) if own else same_moments(times(clip), times(other), other.fps)
            if at is not None and at[-1] >= -reach and at[0] < len(other) + reach:
                found[place] = at
        return found

    def _check(self, own: bool) -> None:
        if self.window is None:
            if own:
                raise InputError(
                    'whole clips are generated for a test, so their references and empty scene must come from other frames: say from '
                    'which by references=dict(pool=dict(...)), for example pool=dict(exclude=(0.75, 1.0)) where the last quarter is '
                    "tested, or pool=dict(split='train')")
            if self.options.vary:
                raise InputError('references.vary is for training: leave it out of a data set of whole clips (window=None)')
            for number, moments in enumerate(self._moments):
                for place, at in moments.items():
                    self._refuse_tested(number, place, at)
        if not self.options.count:
            return
        for number in self._in_use():
            clip = self.clips[number]
            found = self.footage.search(identity(clip))
            if not len(found):
                unnamed = 'Clips of one person must be prepared with the same --person NAME. ' if clip.person == DEFAULT_PERSON else ''
                raise InputError(f'clip {clip.name}: references.pool has no frame of {clip.person!r}. {unnamed}Name clips of that '
                                 f'person in references=dict(pool=dict(root=..., persons=...)), or prepare one')
            if self.window is not None and self._may_lack(number, found):
                raise InputError(
                    f'clip {clip.name}: {len(found)} frames of {clip.person!r} are in use, too few for a reference that is more than '
                    f'{self.options.gap[1]} frames away from a window of {self.window}; set references.gap to less, or use more frames')

    def _may_lack(self, number: int, found: PoseSearch) -> bool:
        """Whether there may be a window of a clip to which all frames of its person are too near: where the largest gap is drawn."""
        gap, moments = self.options.gap[1], self._moments[number]
        if not np.isin(found.clips, [*moments]).all():
            return False
        all_near = np.lib.stride_tricks.sliding_window_view(self.allowed[number], self.window).all(1)
        for place, at in moments.items():
            frames = found.frames[found.clips == place]
            if len(frames):
                first, last = np.floor(at[:len(all_near)]) - gap, np.ceil(at[self.window - 1:]) + gap
                all_near &= (first <= frames.min()) & (frames.max() <= last)
        return bool(all_near.any())

    def _refuse_tested(self, number: int, place: int, at: np.ndarray) -> None:
        """Refuse a clip of the pool that shows tested frames of a clip."""
        clip, other = self.clips[number], self.footage.clips[place]
        tested = np.flatnonzero(self.allowed[number] & (at > -.5) & (at < len(other) - .5))
        both = tested[self.footage.allowed[place][np.rint(at[tested]).astype(int)]]
        if len(both):
            again = '' if other.folder.resolve() == clip.folder.resolve() else f', as {other.folder} shows the same video'
            raise InputError(f'clip {clip.name}: frame {both[0]} is tested and may be taken as a reference at once{again}; leave the '
                             f'tested frames out of references.pool by exclude=(start, stop) or by a split')

    def sample(self, number: int, window: range, wanted: range, key: tuple[int, int]) -> dict[str, np.ndarray]:
        """References and plate of a window in the form of a sample.

        Args:
            number: of the clip.
            window: frames of the item.
            wanted: those of them that are asked for.
            key: (draw, index) of the item.
        """
        out = self.plate_of(number)
        if self.options.count:
            search = self.footage.search(identity(self.clips[number]))
            rows = self._rows(search, number, window, key)[wanted.start - window.start:wanted.stop - window.start]
            out |= self.footage.entries(search, rows)
        return out

    def plate_of(self, number: int) -> dict[str, np.ndarray]:
        """The empty scene of a clip in the form of a sample; nothing where it is not given."""
        return dict(plate=self._plate(number).copy()) if self.plate else {}

    def allowed_for(self, number: int, window: range, key: tuple[int, int]) -> np.ndarray:
        """Which frames of :meth:`Footage.search` of the clip's person an item may take, (N,) bool; arguments of :meth:`sample`."""
        search = self.footage.search(identity(self.clips[number]))
        return self._allowed(search, number, window, np.random.default_rng((TAG, self.seed, *key)))

    def _rows(self, search: PoseSearch, number: int, window: range, key: tuple[int, int]) -> list[list[int]]:
        """Of each frame of an item its references. Those of a whole clip are found once for all its parts."""
        if self._whole and self._whole[0] == number:
            return self._whole[1]
        clip = self.clips[number]
        poses = scale_pose(clip.poses[window.start:window.stop], self.size[0] / clip.height, self.size[1] / clip.width)
        track = ReferenceTrack(search, self.options.count)
        if self.window is None:
            self._whole = number, [track(pose) for pose in poses]
            return self._whole[1]
        allowed = self.allowed_for(number, window, key)
        return [track(pose, allowed) for pose in poses]

    def _allowed(self, search: PoseSearch, number: int, window: range, rng: np.random.Generator) -> np.ndarray:
        """Which frames an item may take, (N,) bool."""
        gap, allowed = int(rng.integers(self.options.gap[0], self.options.gap[1] + 1)), np.ones(len(search), bool)
        for place, at in self._moments[number].items():
            away = (search.frames < np.floor(at[window.start]) - gap) | (search.frames > np.ceil(at[window.stop - 1]) + gap)
            allowed &= away | (search.clips != place)
        if not self.options.vary:
            return allowed
        kind, others = int(rng.integers(3)), np.setdiff1d(search.clips, self._same_video[number])
        if kind == 0 and len(others):
            return search.clips == rng.choice(others)
        if kind == 1:
            rows = np.flatnonzero(allowed)
            allowed = np.zeros_like(allowed)
            allowed[rng.choice(rows, min(len(rows), int(rng.integers(*HANDFUL))), replace=False)] = True
        return allowed

    def _plate(self, number: int) -> np.ndarray:
        """The empty scene of a clip, made once."""
        if number not in self._plates:
            self._plates[number] = self._made_plate(number)
        return self._plates[number]

    def _made_plate(self, number: int) -> np.ndarray:
        clip, place, content = self.clips[number], self._places[number], self.contents[number]
        if place is None or not self.footage.allowed[place].any():
            place = self._same_scene(clip, content)
        if place is not None:
            return empty_scene(self.footage.clips[place], self.size, np.flatnonzero(self.footage.allowed[place]), clip, content)
        return background_plate(clip, self.size, [content])

    def _same_scene(self, clip: Clip, content: int) -> int | None:
        """The clip of the person whose background is most like that of the content frame; None where none is like it."""
        allowed = self.footage.allowed
        differences = {n: scene_difference(clip, content, other, int(np.flatnonzero(allowed[n])[0]))
                       for n, other in enumerate(self.footage.clips) if identity(other) == identity(clip) and allowed[n].any()}
        best = min(differences, key=differences.get, default=None)
        return best if best is not None and differences[best] < FITS else None
