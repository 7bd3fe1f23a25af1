"""Whether the color codes of stage II dress the person of a clip as asked, and leave everything else alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from toolkit import fields
from toolkit.analysis.recolorable_clip import RecolorableClip
from toolkit.clips.same_person import DEFAULT_PERSON
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.colors.recolor import build_colorizer
from toolkit.datasets.recolor import recolor_references
from toolkit.datasets.tensors import channels_first
from toolkit.fields import REFERENCES
from toolkit.metrics.color_control import color_response, delta_e, leaks, monotonicity, region_mean
from toolkit.metrics.latent_report import Column
from toolkit.metrics.pck import correct_keypoints, detect, torso_diagonal
from toolkit.metrics.sharpness import laplacian_strength
from toolkit.models.base import VideoModel
from toolkit.skeletons import LIMB_JOINTS, REGIONS
from toolkit.structures import InputError

PCK_ALPHA = 0.1
INNER = 0.99
"""Weight of a garment's pixels that are nothing else."""


class Painter(Protocol):
    """What is measured: :class:`ModelPainter`, or anything else with ``split``, ``encode`` and ``paint``."""

    split: int

    def encode(self, clip: RecolorableClip, content_frame: np.ndarray) -> np.ndarray:
        """Code (D,) of the clothes in a content frame (H, W, 3); the first ``split`` numbers are of the upper body."""

    def paint(self, clip: RecolorableClip, z: np.ndarray) -> np.ndarray:
        """The clip's frames (T, H, W, 3) uint8 from a code (D,), or from one for each frame (T, D)."""


class ModelPainter:
    """A video generator with color codes as a :class:`Painter`.

    Args:
        model: in eval mode; it is opened with ``content``, ``z`` and, where it takes one, ``plate``.

    Raises:
        InputError: a model without color codes.
    """

    def __init__(self, model: VideoModel) -> None:
        if model.codes is None:
            raise InputError('this video generator has no color codes, so its clothes cannot be changed; train one with '
                             'model.color_codes')
        self.model, self.split = model, model.codes.z_dims[0]

    def encode(self, clip: RecolorableClip, content_frame: np.ndarray) -> np.ndarray:
        """See :class:`Painter`."""
        content = _content(clip) | dict(content_frame=torch.from_numpy(np.ascontiguousarray(content_frame)).movedim(-1, 0)[None])
        return self.model.encode(content)[0].cpu().numpy()

    def paint(self, clip: RecolorableClip, z: np.ndarray) -> np.ndarray:
        """See :class:`Painter`."""
        keys = self.model.paints_from
        steps = fields.steps({key: clip.item[key][None] for key in ('frames', *keys)}, keys)
        z = torch.from_numpy(np.atleast_2d(z)).float()
        return np.stack(list(self.model.generate(steps, **_opening(self.model, clip), z=z)))


class RecoloringPainter:
    """A video generator with references and without codes as a :class:`Painter`: the garments of its references are recolored.

    A code is a, b of the upper garment, then of the lower one.

    Args:
        model: in eval mode; it is opened with ``content``.
        colorizer: ``COLORIZERS`` config, default :class:`toolkit.colors.lab_shift.LabShift`.
    """

    split = 2

    def __init__(self, model: VideoModel, colorizer: dict | None = None) -> None:
        self.model, self.colorizer = model, build_colorizer(colorizer)

    def encode(self, clip: RecolorableClip, content_frame: np.ndarray) -> np.ndarray:
        """See :class:`Painter`."""
        lab = rgb8_to_lab(content_frame)[None]
        return np.concatenate([region_mean(lab, weight[None])[0, 1:] for weight in clip.content_weights > INNER])

    def paint(self, clip: RecolorableClip, z: np.ndarray) -> np.ndarray:
        """See :class:`Painter`."""
        sample = {key: clip.item[key].numpy() for key in REFERENCES}
        sample['reference_frames'] = np.moveaxis(sample['reference_frames'], -3, -1)
        sample['reference_parts'] = sample['reference_parts'][:, :, 0]
        keys, z = self.model.paints_from, np.broadcast_to(z, (len(clip.frames), 4))
        steps = fields.steps({key: clip.item[key][None] for key in ('frames', *keys)}, keys)
        return np.stack(list(self.model.generate(self._dressed(steps, sample, clip, z), **_opening(self.model, clip))))

    def _dressed(self, steps: Iterable[dict], sample: dict, clip: RecolorableClip, z: np.ndarray) -> Iterator[dict]:
        size = dict(frames=clip.frames[:1])
        for t, step in enumerate(steps):
            one = {key: value[t:t + 1] for key, value in sample.items()} | size
            wanted = {region: tuple(ab) for region, ab in zip(REGIONS, np.split(z[t], 2)) if np.isfinite(ab).all()}
            yield dict(step, reference_frames=channels_first(recolor_references(one, wanted, self.colorizer))[None])


def _opening(model: VideoModel, clip: RecolorableClip) -> dict:
    plate = dict(plate=clip.item['plate'][None]) if 'plate' in model.opens_with else {}
    return dict(content=_content(clip), **plate)


def _content(clip: RecolorableClip) -> dict[str, torch.Tensor]:
    return {key: value[None] for key, value in fields.content_of(clip.item).items()}


@dataclass
class Dressed:
    """One clip in two outfits.

    Attributes:
        clip: the clip.
        frames: two times (T, H, W, 3) uint8, recolored.
        content: two times (H, W, 3).
        codes: two times (D,).
        outfits: two times the colors (a, b) of both garments.
    """

    clip: RecolorableClip
    frames: list[np.ndarray]
    content: list[np.ndarray]
    codes: list[np.ndarray]
    outfits: list[tuple]

    @classmethod
    def draw(cls, clip: RecolorableClip, painter: Painter, rng: np.random.Generator) -> 'Dressed':
        """Draw two outfits of different hues and encode them."""
        first = clip.draw(rng)
        outfits = [first, clip.draw(rng, (first,))]
        pairs = [clip.dressed(*outfit) for outfit in outfits]
        return cls(clip, [p[0] for p in pairs], [p[1] for p in pairs], [painter.encode(clip, p[1]) for p in pairs], outfits)

    def mixed(self, region: str, split: int) -> np.ndarray:
        """Code (D,) of the first outfit with the garment 'up' or 'down', or 'both', of the second."""
        (up, down), (new_up, new_down) = (np.split(code, [split]) for code in self.codes)
        return np.concatenate([up if region == 'down' else new_up, down if region == 'up' else new_down])

    def mixed_outfit(self, region: str) -> tuple:
        """Colors as in :meth:`mixed`."""
        (up, down), (new_up, new_down) = self.outfits
        return up if region == 'down' else new_up, down if region == 'up' else new_down


def measure_control(painter: Painter, clips: Sequence[RecolorableClip], label: str, estimator: Callable | None = None, reason: str = '',
                    seed: int = 0, progress: Callable[[Iterable], Iterable] = iter) -> list[Column]:
    """Every probe of a video generator's color control, see :data:`toolkit.metrics.latent_report.PROBES`.

    Args:
        painter: what is measured.
        clips: held-out clips.
        label: of the columns.
        estimator: of poses, or None.
        reason: why there is none.
        seed: of the outfits.
        progress: wraps the loop over clips.

    Returns:
        Columns for 'up', 'down' and 'both'.
    """
    rng = np.random.default_rng(seed)
    dressed = [Dressed.draw(clip, painter, rng) for clip in clips]
    rows: dict[tuple[str, str], list] = {}

    def add(region: str, name: str, value) -> None:
        rows.setdefault((region, name), []).append(value)

    for index, one in enumerate(progress(dressed)):
        clip, scored = one.clip, one.clip.scored
        base = painter.paint(clip, one.codes[0])
        base_lab, real_lab = rgb8_to_lab(base), [rgb8_to_lab(frames) for frames in one.frames]
        person = clip.masks > 0.5
        shown = scored & person.any((1, 2))
        strength = [laplacian_strength(f[shown], person[shown]) for f in (base, one.frames[0])]
        add('both', 'sharpness', np.stack(strength, 1))
        donors = dict(actor=_donor(dressed, index, True), across=_donor(dressed, index, False))
        borrowed = {kind: rgb8_to_lab(painter.paint(clip, donor.codes[0])) for kind, donor in donors.items() if donor}
        for place, region in enumerate(REGIONS):
            if not (clip.content_weights[place] > INNER).any():  # its color is in no code, and nobody can change it
                continue
            weight = clip.weights[place]
            mixed = rgb8_to_lab(painter.paint(clip, one.mixed(region, painter.split)))
            means = [region_mean(lab, weight)[scored] for lab in (base_lab, mixed, *real_lab)]
            add(region, 'delivered', (means[1] - means[0])[:, 1:])
            add(region, 'wanted', (means[3] - means[2])[:, 1:])
            add(region, 'means', np.stack([means[0], means[2]], 1))
            add(region, 'leaks', leaks(base_lab[scored], mixed[scored], {name: area[scored] for name, area in clip.areas.items()}))
            for kind, lab in borrowed.items():
                wanted = region_mean(rgb8_to_lab(donors[kind].content[0][None]), donors[kind].clip.content_weights[place, None])
                pair = np.broadcast_arrays(region_mean(lab, weight)[scored], wanted)
                add(region, kind, np.stack(pair, 1))
            way = region_mean(rgb8_to_lab(interpolate(painter, one, region)), weight)[:, 1:]
            add(region, 'monotone', _forward(way - region_mean(base_lab, weight)[:, 1:]))
        if estimator:
            own = painter.paint(clip, painter.encode(clip, clip.content_frame))
            add('both', 'pck', [_pck(estimator, frames, clip) for frames in (base, own, one.frames[0])])
    columns = [_column(region, label, {name: v for (r, name), v in rows.items() if r == region}) for region in REGIONS]
    return [*columns, _whole(label, rows, reason)]


def _column(region: str, label: str, rows: dict[str, list]) -> Column:
    column = Column(f'{label} {region}', region)
    if not rows:
        column.reasons = dict.fromkeys(('resp', 'de', 'monotone'), 'no content frame shows this garment')
        return column
    means = _seen(np.concatenate(rows['means']))
    column.values = dict(
        resp=color_response(np.concatenate(rows['delivered']), np.concatenate(rows['wanted'])),
        de=float(delta_e(means[:, 0], means[:, 1]).mean()), dab=float(delta_e(means[:, 0, 1:], means[:, 1, 1:]).mean()),
        dab_blind=float(delta_e(means[:, 1, 1:], means[:, 1, 1:].mean(0)).mean()),
        monotone=float(np.nanmean(rows['monotone'])))
    for kind, whom in (('actor', 'no second held-out clip that is known to be of the same person'),
                       ('across', 'no held-out clip that is known to be of another person')):
        pairs = _seen(np.concatenate(rows[kind])) if kind in rows else ()
        if len(pairs):
            column.values[f'de_{kind}'] = float(delta_e(pairs[:, 0], pairs[:, 1]).mean())
            if kind == 'across':
                column.values['dab_across'] = float(delta_e(pairs[:, 0, 1:], pairs[:, 1, 1:]).mean())
        else:
            column.reasons[f'de_{kind}'] = whom
    other = 'down' if region == 'up' else 'up'
    for name, area in dict(own=region, other=other, head_hands='head_hands', background='background').items():
        moved, pixels = np.sum([leak[area] for leak in rows['leaks']], 0)
        column.values[f'moved_{name}'] = float(moved / pixels) if pixels else float('nan')
    return column


def _whole(label: str, rows: dict, reason: str) -> Column:
    generated, real = np.concatenate(rows['both', 'sharpness']).mean(0)
    column = Column(f'{label} both', 'both', dict(sharpness=float(generated / real) if real else float('nan')))
    if ('both', 'pck') in rows:
        correct = np.sum(rows['both', 'pck'], 0)
        recolored, own, real = (float(c / j) if j else float('nan') for c, j in correct)
        column.values |= dict(pck=recolored, pck_real=real)
        if own > 0:
            column.values['pck_change'] = recolored - own
        else:
            column.reasons['pck_change'] = 'the pose estimator finds no joint of generated frames in their own clothes either'
    else:
        column.reasons['pck'] = reason or 'no pose estimator'
    return column


def interpolate(painter: Painter, one: Dressed, region: str = 'both') -> np.ndarray:
    """Paint a clip while its code goes from the first outfit's to the second's (paper A, figure 4).

    Args:
        painter: paints.
        one: the clip.
        region: whose code changes, 'up', 'down' or 'both'.

    Returns:
        (T, H, W, 3) uint8.
    """
    return painter.paint(one.clip, np.linspace(one.codes[0], one.mixed(region, painter.split), len(one.clip.frames)))


def _forward(way: np.ndarray) -> float:
    """Share of the steps of an interpolation that go forward; NaN where the garment is seen in fewer than two frames.

    Args:
        way: (T, 2) how far the garment's mean a, b is from that of the same frame painted from the first code, so that only the
            code's doing counts, and not the pose's.
    """
    way = way[np.isfinite(way).all(1)]
    return monotonicity(way[None]) if len(way) > 1 else float('nan')


def _donor(dressed: list[Dressed], index: int, same: bool) -> Dressed | None:
    """The next clip that is known to be of the same, or of another, person."""
    mine = dressed[index].clip.person
    known = [d for d in dressed[index + 1:] + dressed[:index] if DEFAULT_PERSON not in (d.clip.person, mine)]
    return next((d for d in known if (d.clip.person == mine) == same), None)


def _seen(pairs: np.ndarray) -> np.ndarray:
    return pairs[np.isfinite(pairs).all((1, 2))]


def _pck(estimator: Callable, frames: np.ndarray, clip: RecolorableClip) -> tuple[int, int]:
    joints = list(LIMB_JOINTS)
    found = detect(estimator, frames, clip.masks > 0.5)[clip.scored][:, joints]
    poses = clip.poses[clip.scored]
    correct, valid = correct_keypoints(found, poses[:, joints], PCK_ALPHA * torso_diagonal(poses))
    return int(correct.sum()), int(valid.sum())
