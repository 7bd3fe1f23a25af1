"""A clip whose person can be dressed in any colors, and the areas of its frames that a color code should and should not reach."""

from functools import cached_property

import numpy as np
import torch

from toolkit.colors.draws import draw_color
from toolkit.colors.garments import fit_garment_colors
from toolkit.colors.recolor import SAMPLED_FRAMES, apply_colors, build_colorizer, clip_garment_masks, region_means
from toolkit.datasets.windows import ClipWindows
from toolkit.masks.geometry import body_scale, segment_distance
from toolkit.masks.parts import part_labels
from toolkit.masks.regions import HAND_RADIUS, HAND_REACH
from toolkit.skeletons import L_ELBOW, L_WRIST, LOWER_PARTS, PARTS, R_ELBOW, R_WRIST, REGIONS, UPPER_PARTS
from toolkit.structures import InputError

CLOTH = 0.5
TRACE = 0.05
"""A pixel with more than so much of a garment or of the person is not counted as free of it."""
HUE_GAP = 40.0


class RecolorableClip:
    """Frames of a clip and its content frame, with the garments found.

    Args:
        item: a clip, or a part of it, as :class:`toolkit.datasets.windows.ClipWindows` gives it.
        colorizer: ``COLORIZERS`` config, default :class:`toolkit.colors.lab_shift.LabShift`.

    Attributes:
        item: the frames, as tensors.
        name, person: of the clip.
        frames: (T, H, W, 3) uint8 in their own clothes.
        content_frame: (H, W, 3) uint8.
        masks: (T, H, W) float32.
        poses: (T, 18, 3) float32.
        weights: (2, T, H, W) float32, upper and lower garment.
        content_weights: (2, H, W) float32.
        numbers: (T,) int, of the frames in their clip.
        scored: (T,) bool, False for the content frame.

    Raises:
        InputError: a garment is not to be seen anywhere in the clip.
    """

    def __init__(self, item: dict, colorizer: dict | None = None) -> None:
        self.item = item
        self.name, self.person, self.colorizer = item['clip'], item['person'], build_colorizer(colorizer)
        pictures = torch.cat([self.item['frames'], item['content_frame'][None]]).movedim(1, -1).numpy()
        masks = torch.cat([self.item['masks'], item['content_mask'][None]])[:, 0].numpy().astype(np.float32) / 255
        poses = torch.cat([self.item['poses'], item['content_pose'][None]]).numpy()
        parts = np.stack([*(part_labels(pose, mask) for pose, mask in zip(poses[:-1], masks)), item['content_parts'][0].numpy()])
        colors = fit_garment_colors(pictures, parts, masks, poses, SAMPLED_FRAMES)
        self._all = pictures, clip_garment_masks(pictures, parts, masks, poses, colors), poses, parts
        self.frames, self.masks, self.poses, self.parts = (values[:-1] for values in (pictures, masks, poses, parts))
        self.content_frame = pictures[-1]
        self.weights, self.content_weights = self._all[1][:, :-1], self._all[1][:, -1]
        self.numbers = item['index'] + np.arange(len(item['frames']))
        self.scored = self.numbers != item['content_index']
        self._means = [region_means(pictures, weight) for weight in self._all[1]]
        for region, mean in zip(REGIONS, self._means):
            if mean is None:
                raise InputError(f'clip {self.name}: no {dict(up="upper", down="lower")[region]} garment is seen; leave this clip out')

    @classmethod
    def read(cls, dataset: ClipWindows, index: int, count: int, colorizer: dict | None = None) -> 'RecolorableClip':
        """Frames from the middle of a clip of a dataset, where poses differ from the content frame's; no other frame is read.

        Args:
            dataset: of whole clips.
            index: of the clip.
            count: frames, consecutive; all where the clip has fewer.
            colorizer: see the class.
        """
        total = dataset.clip_length(index)
        start = (total - min(count, total)) // 2
        return cls(dataset.clip_part(index, start, start + min(count, total)), colorizer)

    def draw(self, rng: np.random.Generator, avoid: tuple = ()) -> tuple[tuple[int, int], tuple[int, int]]:
        """Random colors (a, b) for both garments that sRGB can show at their lightness.

        Args:
            rng: random generator.
            avoid: outfits drawn before, whose hues are avoided.
        """
        return tuple(draw_color(rng, mean[0], keep=0, avoid=[outfit[i] for outfit in avoid], hue_gap=HUE_GAP)
                     for i, mean in enumerate(self._means))

    def dressed(self, up: tuple[float, float], down: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """The person in other colors.

        Returns:
            Frames (T, H, W, 3) and content frame (H, W, 3), uint8.
        """
        pictures, weights, poses, parts = self._all
        targets = {region: (ab, mean[1:]) for region, ab, mean in zip(REGIONS, (up, down), self._means)}
        new = apply_colors(pictures, weights, poses, targets, self.colorizer, [], parts)
        return new[:-1], new[-1]

    @cached_property
    def areas(self) -> dict[str, np.ndarray]:
        """Name -> (T, H, W) bool: ``up`` and ``down``, body parts with their garment or skin and nothing of the other garment;
        ``head_hands``, without any garment; ``background``, free of the person."""
        free = self.weights < TRACE
        labels = self.parts.astype(int) - 1
        hands = np.stack([_hands(pose, *self.parts.shape[1:]) for pose in self.poses]) & (self.parts > 0)
        head_hands = ((labels == PARTS.index('head')) | hands) & free[0] & free[1]
        return {
            'up': np.isin(labels, UPPER_PARTS) & free[1] & ~head_hands | (self.weights[0] > CLOTH),
            'down': np.isin(labels, LOWER_PARTS) & free[0] | (self.weights[1] > CLOTH),
            'head_hands': head_hands, 'background': self.masks < TRACE}


def _hands(pose: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) bool, discs over the hands."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    scale, found = float(body_scale(pose)), np.zeros((height, width), bool)
    for elbow, wrist in ((R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST)):
        if pose[wrist, 2] > 0:
            reach = HAND_REACH * (pose[wrist, :2] - pose[elbow, :2]) if pose[elbow, 2] > 0 else 0
            center = pose[wrist, :2] + reach
            found |= segment_distance(x, y, center, center) < HAND_RADIUS * scale
    return found
