"""The color augmentation as a transform of samples: other clothes, everything else as it was."""

import numpy as np

from toolkit.colors.recolor import Recolor, recolor_frames
from toolkit.datasets.transforms import scale_pose
from toolkit.fields import REFERENCES
from toolkit.masks.parts import part_labels
from toolkit.registry import TRANSFORMS
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError


@TRANSFORMS.register_module()
class RecolorGarments:
    """Give the person of a sample clothes of random colors (method of paper A, section 3.1).

    Edges, masks and poses stay: lightness, and with it structure, is not changed. The garments are found in the frames themselves; see
    :func:`toolkit.colors.garments.garment_masks`. References of the sample get the colors of its frames; those that come with
    ``reference_garments`` stay, as a model takes no more than their lightness there.
    Adds ``garment_colors`` (T, 2, 2) float32 to the sample: realized mean a, b of the upper and of the lower garment of each frame, NaN
    where it was not recolored or is not to be seen.

    Args:
        region: 'up', 'down' or 'both' garments.
        per: 'clip' draws one color for all frames of a window, its content frame and references (stage II); 'frame' draws for each
            frame and leaves the content frame and references as they are (stage I).
        chroma: smallest and largest chroma drawn.
        keep: probability of keeping the original color.
        colorizer: ``COLORIZERS`` config, default ``LabShift``.
    """

    def __init__(self, region: str = 'both', per: str = 'clip', chroma: tuple[float, float] = (10, 80), keep: float = .1,
                 colorizer: dict | None = None) -> None:
        if chroma[0] > chroma[1]:
            raise InputError(f'RecolorGarments: chroma={tuple(chroma)}, expected (smallest, largest)')
        if not 0 <= keep <= 1:
            raise InputError(f'RecolorGarments: keep={keep}, expected a probability from 0 to 1')
        self.recolor = Recolor(region, per, colorizer, tuple(chroma), keep)
        self.needs = ('frames', 'masks', 'poses')
        if self.recolor.per == 'clip':
            self.needs += ('content_frame', 'content_mask', 'content_pose', 'content_parts')

    def __call__(self, sample: dict, rng: np.random.Generator) -> dict:
        frames, masks, poses = sample['frames'], sample['masks'].astype(np.float32) / 255, sample['poses']
        parts = np.stack([part_labels(pose, mask) for pose, mask in zip(poses, masks)])
        count = len(frames)
        if self.recolor.per == 'clip':
            frames = np.concatenate([frames, sample['content_frame'][None]])
            masks = np.concatenate([masks, sample['content_mask'][None].astype(np.float32) / 255])
            poses = np.concatenate([poses, sample['content_pose'][None]])
            parts = np.concatenate([parts, sample['content_parts'][None]])
        frames, records = self.recolor(frames, parts, masks, poses, rng)
        colors = np.full((count, 2, 2), np.nan, np.float32)
        for record in records:
            rows = slice(None) if record.frame is None else record.frame
            if not record.kept:
                colors[rows, REGIONS.index(record.region)] = record.realized
        changed = dict(sample, frames=frames[:count], garment_colors=colors)
        if self.recolor.per == 'frame':
            return changed
        wanted = {record.region: (record.a, record.b) for record in records if not record.kept}
        if wanted and 'reference_frames' in sample and 'reference_garments' not in sample:
            changed['reference_frames'] = recolor_references(sample, wanted, self.recolor.colorizer)
        return dict(changed, content_frame=frames[count])


def recolor_references(sample: dict, wanted: dict[str, tuple[float, float]], colorizer: object = None) -> np.ndarray:
    """The references of a sample with garments of other colors.

    Args:
        sample: with ``reference_frames``, ``reference_parts`` and ``reference_poses``; ``frames`` tell the size of the poses.
        wanted: region -> (a, b).
        colorizer: built part of ``COLORIZERS``, default ``LabShift``.

    Returns:
        ``reference_frames`` anew. A garment that is not to be seen stays as it is.
    """
    frames, parts, poses = (sample[key] for key in REFERENCES)
    scale = frames.shape[-3] / sample['frames'].shape[1]
    flat, parts = frames.reshape(-1, *frames.shape[-3:]), parts.reshape(-1, *parts.shape[-2:])
    poses = scale_pose(poses.reshape(-1, *poses.shape[-2:]), scale, scale)
    return recolor_frames(flat, parts, np.float32(parts > 0), poses, **wanted, colorizer=colorizer)[0].reshape(frames.shape)
