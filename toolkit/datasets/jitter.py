"""Changes that make one person many: other colors, and joints and masks as estimators give them. For pretraining."""

from collections.abc import Sequence

import cv2
import numpy as np

from toolkit import fields
from toolkit.datasets.transforms import scale_pose
from toolkit.masks.parts import part_labels
from toolkit.registry import TRANSFORMS
from toolkit.structures import InputError

LEVELS = np.arange(256, dtype=np.float32)
REFERENCES = ('reference_poses', 'reference_parts')


@TRANSFORMS.register_module()
class ColorJitter:
    """Other colors: one change for all pictures of a sample, which are its frames, content frame, references and empty scene.

    Each channel is multiplied by a gain and shifted; sometimes the channels change places. Maps such as edges and masks stay.

    Args:
        contrast: (smallest, largest) factor, drawn for each channel.
        brightness: (smallest, largest) factor, drawn once, on top of it.
        shift: largest shift of a channel, in levels of 0..255.
        shuffle: probability that the channels change places.

    Raises:
        InputError: a range that is none; colors that an earlier transform has measured (``garment_colors``).
    """

    needs = ()

    def __init__(self, contrast: Sequence[float] = (.7, 1.3), brightness: Sequence[float] = (.8, 1.2), shift: float = 25,
                 shuffle: float = .4) -> None:
        for name, given in (('contrast', contrast), ('brightness', brightness)):
            if len(given) != 2 or not 0 < given[0] <= given[1]:
                raise InputError(f'ColorJitter: {name}={tuple(given)}, expected (smallest, largest), both above 0')
        _check_share('ColorJitter', 'shuffle', shuffle)
        if shift < 0:
            raise InputError(f'ColorJitter: shift={shift}, expected at least 0')
        self.contrast, self.brightness, self.shift, self.shuffle = tuple(contrast), tuple(brightness), shift, shuffle

    def __call__(self, sample: dict, rng: np.random.Generator) -> dict:
        if 'garment_colors' in sample:
            raise InputError('ColorJitter changes the colors that an earlier transform has measured: list it before RecolorGarments')
        gain = rng.uniform(*self.contrast, 3) * rng.uniform(*self.brightness)
        shift = rng.uniform(-self.shift, self.shift, 3)
        order = rng.permutation(3) if rng.random() < self.shuffle else np.arange(3)
        tables = np.clip(LEVELS * gain[:, None] + shift[:, None], 0, 255).round().astype(np.uint8)
        pictures = {key: value for key, value in sample.items() if (found := fields.find(key)) and found[0].shows_colors}
        return dict(sample, **{key: _looked_up(value, tables, order) for key, value in pictures.items()})


def _looked_up(picture: np.ndarray, tables: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Channel c of the result is ``tables[c]`` of channel ``order[c]``."""
    out = np.empty_like(picture)
    for c in range(3):
        out[..., c] = tables[c][picture[..., order[c]]]
    return out


@TRANSFORMS.register_module()
class JointNoise:
    """References as estimators see them: joints a little off, and sometimes parts that a coarse mask was divided into.

    True poses and masks, as of synthetic people, are better than any estimator's. A generator that has learned from them alone trusts
    them too much.

    Args:
        pixels: standard deviation of the noise on each coordinate of the references' joints, in pixels of the frames.
        coarse: probability that the part labels of a sample's references are made anew from the noisy poses and a coarse mask.
        cells: (smallest, largest) size of the coarse mask's cells, in pixels of the references.

    Raises:
        InputError: a value out of range; a sample without references.
    """

    needs = ()

    def __init__(self, pixels: float = .8, coarse: float = .3, cells: Sequence[float] = (3, 8)) -> None:
        _check_share('JointNoise', 'coarse', coarse)
        if pixels < 0 or len(cells) != 2 or not 1 <= cells[0] <= cells[1]:
            raise InputError(f'JointNoise: pixels={pixels}, cells={tuple(cells)}; expected at least 0, and (smallest, largest) of at '
                             f'least 1')
        self.pixels, self.coarse, self.cells = pixels, coarse, tuple(cells)

    def __call__(self, sample: dict, rng: np.random.Generator) -> dict:
        if missing := [key for key in REFERENCES if key not in sample]:
            raise InputError(f'JointNoise changes references, but the sample has no {" and no ".join(missing)}: set references=dict() '
                             f'of the data set, or leave JointNoise out')
        poses = np.array(sample['reference_poses'])
        noise = rng.normal(0, self.pixels, (*poses.shape[:-1], 2))
        poses[..., :2] += np.where(poses[..., 2:] > 0, noise, 0)
        coarse, cell, edge = rng.random() < self.coarse, rng.uniform(*self.cells), rng.uniform(.35, .65)
        changed = dict(sample, reference_poses=poses)
        if coarse:
            size = sample['frames'].shape[1:3]
            labels = sample['reference_parts']
            flat = zip(poses.reshape(-1, *poses.shape[-2:]), labels.reshape(-1, *labels.shape[-2:]))
            changed['reference_parts'] = np.stack([_coarse_parts(pose, parts, size, cell, edge) for pose, parts in flat]).reshape(
                labels.shape)
        return changed


def _coarse_parts(pose: np.ndarray, parts: np.ndarray, size: Sequence[int], cell: float, edge: float) -> np.ndarray:
    """Part labels of a coarse mask.

    Args:
        pose: (18, 3) in pixels of frames of ``size``.
        parts: (h, w) uint8 labels.
        size: (H, W) of the frames.
        cell: size of the mask's cells in pixels of ``parts``.
        edge: share of a cell from which it counts as person.
    """
    height, width = parts.shape
    small = max(round(width / cell), 1), max(round(height / cell), 1)
    mask = cv2.resize(np.float32(parts > 0), small, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return part_labels(scale_pose(pose, height / size[0], width / size[1]), mask, edge)


def _check_share(part: str, name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f'{part}: {name}={value}, expected a probability from 0 to 1')
