"""Changes of a sample before its maps are drawn: they move frames, edges, masks, part labels and poses alike.

A transform is called with (sample, rng). The sample is a dict of arrays: ``frames`` (T, H, W, 3), ``edges``, ``masks`` (T, H, W)
uint8, ``poses`` (T, 18, 3), and ``content_frame``, ``content_edge``, ``content_mask``, ``content_parts``, ``content_pose`` of the
content frame; where the data set brings them, also ``reference_frames`` (T, K, s H, s W, 3) and ``reference_parts`` (T, K, s H, s W)
uint8, ``reference_poses`` (T, K, 18, 3) and ``plate`` (H, W, 3).
Stick figures and regions are drawn afterwards from the changed poses, so that they always agree. ``rng`` is seeded by (seed, draw,
index): what a transform draws from it does not depend on workers or on where a run was interrupted.

A transform may add keys (arrays with one shape for all samples, tensors, numbers, texts); items and mini-batches carry them on. What
it adds is not mirrored or cropped afterwards, so transforms that do that come first; another order is an error for pictures. A data
set of which a method takes a part alone, such as :class:`toolkit.datasets.unpaired.UnpairedClips`, reads that part and what the
attribute ``needs`` of its transforms names. A transform without ``needs`` is given everything, which takes longer to read.
"""

from collections.abc import Callable

import cv2
import numpy as np

from toolkit import fields
from toolkit.registry import TRANSFORMS
from toolkit.skeletons import MIRROR_JOINT, scale_points
from toolkit.structures import InputError


def resize_image(image: np.ndarray, height: int, width: int, labels: bool = False) -> np.ndarray:
    """Resize (H, W) or (H, W, 3) uint8: area averaging when smaller, linear when larger, nearest for labels."""
    if image.shape[:2] == (height, width):
        return image
    smaller = image.shape[0] * image.shape[1] > height * width
    how = cv2.INTER_NEAREST_EXACT if labels else cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


def scale_pose(pose: np.ndarray, scale_y: float, scale_x: float) -> np.ndarray:
    """Poses (..., K, 3) after resizing their frame; missing joints stay zero."""
    out = np.array(pose, np.float32)
    out[..., 0], out[..., 1] = scale_points(out[..., 0], scale_x), scale_points(out[..., 1], scale_y)
    out[out[..., 2] <= 0] = 0
    return out


def move(sample: dict, picture: Callable[[np.ndarray, fields.Field], np.ndarray], pose: Callable[[np.ndarray], np.ndarray]) -> None:
    """Move everything that has a place in the frames alike.

    Args:
        sample: its entries are replaced.
        picture: changes a picture, map or labels (h, w[, C]), of a field; h and w are those of the frames, or of references a whole
            multiple of them.
        pose: changes poses (..., 18, 3) in pixels of the frames.

    Raises:
        InputError: an entry with the height and width of the frames that a transform added before: nobody knows how to move it.
    """
    size = sample['frames'].shape[1:3]
    for key, value in sample.items():
        field, _ = fields.find(key) or (None, None)
        if field and field.has_place and field.kind == 'pose':
            sample[key] = pose(value)
        elif field and field.has_place and field.is_picture:
            lead = value.ndim - (3 if field.channels > 1 else 2)
            moved = np.stack([picture(image, field) for image in value.reshape(-1, *value.shape[lead:])])
            sample[key] = moved.reshape(*value.shape[:lead], *moved.shape[1:])
        elif any(tuple(value.shape[i:i + 2]) == size for i in range(getattr(value, 'ndim', 0))):
            raise InputError(f'{key!r} was added by an earlier transform and has the height and width of the frames: list transforms '
                             'that mirror or crop before the one that adds it')


@TRANSFORMS.register_module()
class RandomFlip:
    """Mirror all frames and the content frame together; left and right of poses and part labels are exchanged.

    Not used by the methods by default: color codes may tell left from right.

    Args:
        probability: of mirroring.

    Raises:
        InputError: no probability.
    """

    needs = ()

    def __init__(self, probability: float = .5):
        if not 0 <= probability <= 1:
            raise InputError(f'RandomFlip: probability={probability}, expected one from 0 to 1')
        self.probability = probability

    def __call__(self, sample: dict, rng: np.random.Generator) -> dict:
        if rng.random() >= self.probability:
            return sample
        width = sample['frames'].shape[2]

        def picture(image: np.ndarray, field: fields.Field) -> np.ndarray:
            image = np.ascontiguousarray(image[:, ::-1])
            return np.array(field.mirror, image.dtype)[image] if field.mirror else image

        def pose(value: np.ndarray) -> np.ndarray:
            value = np.array(value[..., MIRROR_JOINT, :])
            value[..., 0] = np.where(value[..., 2] > 0, width - 1 - value[..., 0], 0)
            return value

        move(sample, picture, pose)
        return sample


@TRANSFORMS.register_module()
class RandomCrop:
    """Enlarge, then cut a random window of the frames' former or another size; the same for all frames and the content frame.

    CycleGAN's augmentation is ``scale=286 / 256``.

    Args:
        scale: enlargement before cutting.
        size: (H, W) of the window; by default the size of the frames.

    Raises:
        InputError: the window is larger than the enlarged frames.
    """

    needs = ()

    def __init__(self, scale: float = 286 / 256, size: tuple[int, int] | None = None):
        self.scale, self.size = scale, size

    def __call__(self, sample: dict, rng: np.random.Generator) -> dict:
        rows, columns = sample['frames'].shape[1:3]
        height, width = self.size or (rows, columns)
        large = round(rows * self.scale), round(columns * self.scale)
        if large[0] < height or large[1] < width:
            raise InputError(f'RandomCrop: window {height}x{width} is larger than the frames, {large[0]}x{large[1]} (HxW)')
        y, x = int(rng.integers(large[0] - height + 1)), int(rng.integers(large[1] - width + 1))

        def picture(image: np.ndarray, field: fields.Field) -> np.ndarray:
            s = image.shape[0] // rows
            enlarged = resize_image(image, s * large[0], s * large[1], field.kind == 'labels')
            return np.ascontiguousarray(enlarged[s * y:s * (y + height), s * x:s * (x + width)])

        def pose(value: np.ndarray) -> np.ndarray:
            value = scale_pose(value, large[0] / rows, large[1] / columns)
            value[..., :2] -= np.where(value[..., 2:] > 0, (x, y), 0)
            return value

        move(sample, picture, pose)
        return sample
