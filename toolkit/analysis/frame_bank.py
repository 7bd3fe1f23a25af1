"""Frames of clips with their garments found once, to be recolored again and again: what color codes are measured on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from toolkit import fields
from toolkit.colors.draws import draw_color
from toolkit.colors.garments import fit_garment_colors
from toolkit.colors.recolor import build_colorizer, clip_garment_masks, recolor_region, region_means
from toolkit.datasets.windows import ClipWindows
from toolkit.masks.parts import part_labels
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError

FRAMES_A_CLIP = 4
LEAST_FRAMES = 8


@dataclass
class Recolored:
    """A bank's frames in other clothes.

    Attributes:
        frames: (N, H, W, 3) uint8.
        colors: (N, 2, 2) float64 realized mean a, b of upper and lower garment, NaN where it was not recolored or is not seen.
    """

    frames: np.ndarray
    colors: np.ndarray


class FrameBank:
    """Single frames spread at random over the clips of a dataset, in memory.

    Args:
        dataset: windows of one frame, without transforms.
        count: how many frames; four of each clip, of as many clips as that makes, or more of each if there are fewer clips.
        seed: of the choice.
        colorizer: ``COLORIZERS`` config, default :class:`toolkit.colors.lab_shift.LabShift`.
        progress: wraps the loop over clips, for a progress bar.

    Attributes:
        frames: (N, H, W, 3) uint8 in their own clothes.
        weights: (2, N, H, W) uint8, soft masks of upper and lower garment as 0..255.
        poses: (N, 18, 3) float32.
        persons, clips: N names.

    Raises:
        InputError: the dataset has fewer than 8 frames.
    """

    def __init__(self, dataset: ClipWindows, count: int, seed: int = 0, colorizer: dict | None = None,
                 progress: Callable[[Iterable], Iterable] = iter) -> None:
        if len(dataset) < LEAST_FRAMES:
            raise InputError(f'{dataset.root}: {len(dataset)} frames are too few to measure codes on')
        self.colorizer = build_colorizer(colorizer)
        rng = np.random.default_rng(seed)
        of_clip: dict[int, list[int]] = {}
        for index in range(len(dataset)):
            of_clip.setdefault(dataset.locate(index)[0], []).append(index)
        chosen = sorted(rng.choice(sorted(of_clip), min(len(of_clip), -(-count // FRAMES_A_CLIP)), replace=False))
        each = -(-count // len(chosen))
        groups = [sorted(rng.choice(of_clip[c], min(each, len(of_clip[c])), replace=False)) for c in chosen]
        parts, weights, items = [], [], []
        for group in progress(groups):
            found = [dataset[int(index)] for index in group]
            arrays = _arrays(found)
            colors = fit_garment_colors(*arrays, FRAMES_A_CLIP)
            weights.append(np.rint(255 * clip_garment_masks(*arrays, colors)).astype(np.uint8))
            parts.append(arrays[1])
            items += found
        self.parts, self.weights = np.concatenate(parts), np.concatenate(weights, 1)
        self.frames = np.stack([item['frames'][0].movedim(0, -1).numpy() for item in items])
        self.poses = np.stack([item['poses'][0].numpy() for item in items])
        self.persons, self.clips = ([item[key] for item in items] for key in ('person', 'clip'))
        maps = [key for key in items[0] if fields.is_per_frame(key) and fields.kind_of(key) == 'map']
        self._maps = {key: torch.stack([item[key] for item in items]) for key in maps}

    def __len__(self) -> int:
        return len(self.frames)

    def recolored(self, regions: Sequence[str] = REGIONS, seed: int | Sequence[int] = 0) -> Recolored:
        """Give each frame's garments colors of their own.

        Args:
            regions: 'up', 'down'; the other garment stays as it is.
            seed: of the colors, a number or several.
        """
        rng, frames = np.random.default_rng(seed), self.frames.copy()
        colors = np.full((len(self), 2, 2), np.nan)
        for n, frame in enumerate(frames):
            for region in regions:
                place = REGIONS.index(region)
                weight = self.weights[place, n].astype(np.float32) / 255
                mean = region_means(self.frames[n:n + 1], weight[None])
                ab = draw_color(rng, 50. if mean is None else mean[0], keep=0)
                if mean is not None:
                    sums = recolor_region(
                        frame, weight, ab, self.colorizer, self.poses[n], region, mean[1:], self.parts[n], self.frames[n])
                    colors[n, place] = sums[:2] / sums[2]
        return Recolored(frames, colors)

    def batch(self, frames: np.ndarray, chosen: Sequence[int] | slice) -> dict[str, torch.Tensor]:
        """Some of the frames as a collated batch of windows of one frame, for a model's preprocessor.

        Args:
            frames: (N, H, W, 3) uint8, those of the bank or recolored ones.
            chosen: numbers of frames.
        """
        pictures = torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames[chosen], -1, 1)))
        batch = {key: value[chosen] for key, value in self._maps.items()}
        return dict(batch, frames=pictures[:, None], poses=torch.from_numpy(self.poses[chosen])[:, None])


def _arrays(items: list[dict]) -> tuple[np.ndarray, ...]:
    """Frames, part labels, masks and poses of one clip's items."""
    frames = np.stack([item['frames'][0].movedim(0, -1).numpy() for item in items])
    masks = np.stack([item['masks'][0, 0].numpy() for item in items]).astype(np.float32) / 255
    poses = np.stack([item['poses'][0].numpy() for item in items])
    return frames, np.stack([part_labels(pose, mask) for pose, mask in zip(poses, masks)]), masks, poses
