"""Windows whose frames a trained model paints, of poses that are drawn: what a student learns from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate, get_worker_info

from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.same_person import identity
from toolkit.datasets.footage import Footage, useful_scale
from toolkit.datasets.references import ReferenceTrack
from toolkit.datasets.tensors import SAMPLE, item_tensors
from toolkit.datasets.transforms import scale_pose
from toolkit.datasets.windows import ClipWindows
from toolkit.distillation.sampled_poses import SampledPoses, check_turn
from toolkit.edges.soft_canny import SoftCanny
from toolkit.fields import CONTENT, added, find
from toolkit.inference.loading import load
from toolkit.machine import machine
from toolkit.masks.geometry import part_shapes
from toolkit.poses.retarget import PoseNormalizer
from toolkit.registry import DATASETS
from toolkit.structures import InputError

TAG = 91
"""Tells the random numbers of poses from those of transforms and references."""


@DATASETS.register_module()
class TaughtWindows(ClipWindows):
    """Windows of a person in movements that were never filmed, painted by a trained model, in the form of a :class:`ClipWindows`.

    Each item begins at a window of the clips, which lends its content frame and, to some items, its poses
    (:class:`toolkit.distillation.sampled_poses.SampledPoses`). The teacher paints the drawn poses from the frames in use, as generation
    does. Any method may learn from the items: ``frames`` are the teacher's, ``masks`` the shapes of the pose's parts, ``edges``
    those of :class:`toolkit.edges.soft_canny.SoftCanny`, and added fields are computed from these, also where clips store them.
    References are taken from the same frames as the teacher's, never nearer to the item's window than ``references.gap`` says.

    Items depend on the seed, the draw and the index alone. In the main process the teacher runs on the GPU where there is one, and goes
    back to the CPU after each item; there it runs in workers, which cannot use the GPU of the process that they were forked from.

    Args:
        teacher: checkpoint, work dir or published file of a model that generates from poses.
        movements: folder of prepared clips whose movements are drawn, too, fitted to the person; None for the toolkit's synthetic
            actions.
        turn: how far limbs are turned, see :class:`toolkit.distillation.sampled_poses.SampledPoses`.
        allow_imports: modules that the teacher's checkpoint may import though they are not installed.
        kwargs: of :class:`toolkit.datasets.windows.ClipWindows`.

    Raises:
        InputError: a teacher that does not generate from poses alone, or what it needs and the data set does not give; no movements;
            clips that show too little of anybody to fit one's movements to another.
    """

    def __init__(self, teacher: str | Path, movements: str | Path | None = None, turn: float = 25., allow_imports: tuple[str, ...] = (),
                 **kwargs) -> None:
        check_turn(turn)
        if kwargs.get('window', 2) is None:
            raise InputError('TaughtWindows gives windows to learn from: set window to a number of frames, and test on a ClipWindows')
        super().__init__(**kwargs)
        self.teacher = load(teacher, 'cpu', allow_imports=allow_imports, fast='half' if machine('cpu').half else False)
        self.turn, self.name = turn, str(teacher)
        model = self.teacher.model
        self._check(model)
        moved = [] if movements is None else find_clips(movements)
        self.movements = [clip.poses for clip in moved]
        for clip, poses in zip(moved, self.movements):
            with _naming([clip]):
                PoseNormalizer.fit(poses, poses)
        if movements is not None and not self.movements:
            raise InputError(f'{movements}: no prepared clips in this folder; make some with tools/prepare_data.py, or leave movements '
                             f'out')
        source = self if self._footage is None else self._footage.footage
        scale = useful_scale(source.clips, self.size, self.teacher.reference_scale)
        self._shown = Footage(source.clips, source.allowed, self.size, scale, False, 'reference_garments' in model.paints_from,
                              model.fills)
        self._samplers: dict[str, SampledPoses] = {}
        self._edges = SoftCanny()
        for number, starts in enumerate(self._starts):
            if starts:
                self._sampler(number)

    def _check(self, model) -> None:
        model.check_generates()
        if 'content' not in model.opens_with:
            raise InputError(f'{self.name}: a {type(model).__name__} looks at frames of a driving video; a teacher paints from poses '
                             f'alone')
        needed = [(name, find(name)[0]) for name in model.paints_from]
        if missing := [name for name, field in needed if field.kind != 'pose' and field.source not in ('drawn', 'footage')]:
            raise InputError(f'{self.name}: the teacher needs {", ".join(missing)} of each frame, which nobody knows of poses that are '
                             f'drawn; take a model that paints from poses alone')
        if 'plate' in model.opens_with and not self.plate:
            raise InputError(f'{self.name}: the teacher paints before the empty scene: set plate=True of the data set, too')
        if model.references and not (self.references and self.references.count):
            raise InputError(f'{self.name}: the teacher takes pixels of references: set references=dict(count=1) of the data set, at '
                             f'least')

    def _sampler(self, number: int) -> SampledPoses:
        """Draws movements of the person of a clip; made once."""
        person = identity(self.clips[number])
        if person not in self._samplers:
            clips = [(clip, allowed) for clip, allowed in zip(self.clips, self.allowed) if identity(clip) == person]
            own = [scale_pose(clip.poses[allowed], self.size[0] / clip.height, self.size[1] / clip.width) for clip, allowed in clips]
            with _naming([clip for clip, _ in clips]):
                self._samplers[person] = SampledPoses(np.concatenate(own), self.size, self.movements, self.turn)
        return self._samplers[person]

    def _item(self, index: int, draw: int, part: tuple[int, int] | None) -> dict:
        number, start = self.locate(int(index))
        key = int(draw), int(index) % len(self)
        wanted = {key for key in SAMPLE if find(key)[1] == CONTENT} | {'poses'}
        sample, about, rng = self.sample(index, draw, wanted)  # added fields that clips store are of other frames than the teacher's
        sample['poses'] = self._sampler(number)(sample['poses'], np.random.default_rng((TAG, self.seed, *key)))
        height, width = self.size
        sample['frames'] = np.zeros((self.window, height, width, 3), np.uint8)
        sample['edges'] = np.zeros((self.window, height, width), np.uint8)
        sample['masks'] = np.stack([np.uint8(255) * part_shapes(pose, height, width).any(0) for pose in sample['poses']])
        plate, allowed, person = {}, None, identity(self.clips[number])
        if self._footage is not None:
            plate = self._footage.plate_of(number)
            allowed = self._footage.allowed_for(number, range(start, start + self.window), key) if self.references.count else None
        sample['frames'] = self._painted(dict(sample, **plate, **self._taken(self._shown, person, self.teacher.model.references,
                                                                            sample['poses'], allowed)), about)
        sample['edges'] = np.rint(255 * self._edges(sample['frames'])).astype(np.uint8)
        if self._footage is not None:
            sample |= plate | self._taken(self._footage.footage, person, self.references.count, sample['poses'], allowed)
        for transform in self.transforms:
            sample = transform(sample, rng)
        return {**item_tensors(sample, self.pose_style, self.added), **about}

    @staticmethod
    def _taken(footage: Footage, person: str, count: int, poses: np.ndarray, allowed: np.ndarray | None) -> dict[str, np.ndarray]:
        """References of a movement."""
        if not count:
            return {}
        search = footage.search(person)
        track = ReferenceTrack(search, count)
        return footage.entries(search, [track(pose, allowed) for pose in poses])

    @torch.no_grad()
    def _painted(self, sample: dict, about: dict) -> np.ndarray:
        """What the teacher makes of a sample, (T, H, W, 3) uint8."""
        model = self.teacher.model
        item = {**item_tensors(sample, self.teacher.pose_style, added(model.added_fields)), **about}
        lent = get_worker_info() is None and torch.cuda.is_available()
        try:
            if lent:
                model.cuda()
            return next(iter(model.test_stream([default_collate([item])])))['generated']
        finally:
            if lent:
                model.cpu()


@contextmanager
def _naming(clips: Sequence[Clip]) -> Iterator[None]:
    """Say which clips show too little of somebody to measure them."""
    try:
        yield
    except InputError as error:
        folders = ', '.join(str(clip.folder) for clip in clips)
        raise InputError(f'{folders}: both shoulders are seen in fewer than 3 of the frames in use, so that movements cannot be fitted '
                         f'to or from this body; leave it out, or prepare it again with another pose estimator') from error
