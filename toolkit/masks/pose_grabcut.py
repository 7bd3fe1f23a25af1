"""Person masks without weights: GrabCut seeded from the pose."""

import cv2
import numpy as np

from toolkit.edges.soft_canny import check_frames
from toolkit.masks.geometry import body_scale, box_around, clean_pose, part_field
from toolkit.registry import SEGMENTORS
from toolkit.skeletons import P, scale_points
from toolkit.structures import InputError

SURE, POSSIBLE = 0.55, 1.75
"""Up to these multiples of a slim body a pixel is surely and possibly the person; up to 1 probably; beyond it is background."""
SLIM = (0.8, 0.7, *[0.6] * 4, *[0.42] * 4)
"""Part field values at the outline of a slim body."""


@SEGMENTORS.register_module()
class PoseGrabCut:
    """OpenCV's GrabCut, started from the body parts of the pose.

    Pixels near the bones are foreground for sure, pixels inside the part shapes probably, a margin possibly; everything further is
    background for sure. The last frame's mask shifts these bounds, so that masks of a clip flicker less.

    Args:
        iterations: GrabCut iterations per frame.
        max_side: longest side of the picture GrabCut works on; larger is slower and finer.
        coherence: weight of the last frame's mask in the seeds of the next (0 = frames are independent), in [0, 1).

    Raises:
        InputError: an option out of range.
    """

    name = 'PoseGrabCut'
    version = '1'

    def __init__(self, iterations: int = 3, max_side: int = 192, coherence: float = 0.5) -> None:
        if iterations < 1 or max_side < 16 or not 0 <= coherence < 1:
            raise InputError('PoseGrabCut needs iterations >= 1, max_side >= 16 and 0 <= coherence < 1, got '
                             f'iterations={iterations}, max_side={max_side}, coherence={coherence}')
        self.iterations, self.max_side, self.coherence = iterations, max_side, coherence

    def __call__(self, frames: np.ndarray, poses: np.ndarray | None) -> np.ndarray:
        """Masks (T, H, W) float32 in [0, 1] of the person the poses show; zeros for a frame without a pose. See :mod:`toolkit.masks`.

        Raises:
            InputError: no poses, or another number of them than frames; frames of another shape or type.
        """
        if poses is None:
            raise InputError('PoseGrabCut starts from the pose: give it poses, or use a segmentor that needs none')
        check_frames(frames)
        if len(frames) != len(poses):
            raise InputError(f'frames must be (T, H, W, 3) with one pose each, got frames {frames.shape} and {len(poses)} poses')
        cv2.setRNGSeed(0)  # GrabCut draws its first clusters: without this masks depend on what was cut out before
        masks = np.zeros(frames.shape[:3], np.float32)
        previous = None
        for t, (frame, pose) in enumerate(zip(frames, poses)):
            previous = self._segment(frame, clean_pose(pose), previous)
            if previous is not None:
                masks[t] = cv2.resize(previous, masks.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
        return np.clip(masks, 0, 1)

    def _segment(self, frame: np.ndarray, pose: np.ndarray, previous: np.ndarray | None) -> np.ndarray | None:
        """Mask at working size, or None where the pose is missing."""
        factor = min(1.0, self.max_side / max(frame.shape[:2]))
        width, height = (max(round(s * factor), 1) for s in frame.shape[1::-1])
        image = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1]
        seen = pose[:, 2] > 0
        pose[seen, :2] = scale_points(pose[seen, :2], factor)
        scale = float(body_scale(pose))
        if scale <= 0:
            return None
        box = box_around(pose[seen, :2], scale, height, width)
        field = self._field(pose, scale, box)
        if field is None or not field.size or field.min() > SURE:
            return None
        if previous is not None:
            field = field - self.coherence * (previous[box] - 0.5)
        seeds = np.full(field.shape, cv2.GC_BGD, np.uint8)
        seeds[field <= POSSIBLE] = cv2.GC_PR_BGD
        seeds[field <= 1] = cv2.GC_PR_FGD
        seeds[field <= SURE] = cv2.GC_FGD
        if (seeds == cv2.GC_BGD).any():
            models = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.grabCut(np.ascontiguousarray(image[box]), seeds, None, *models, self.iterations, cv2.GC_INIT_WITH_MASK)
        mask = np.zeros((height, width), np.float32)
        mask[box] = _largest((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD), seeds == cv2.GC_FGD)
        return cv2.GaussianBlur(mask, (3, 3), 0)

    @staticmethod
    def _field(pose: np.ndarray, scale: float, box: tuple[slice, slice]) -> np.ndarray | None:
        rows, columns = box
        x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        fields = [(part_field(part, pose, scale, x, y, floor=0), SLIM[part]) for part in range(P)]
        fields = [field / np.float32(slim) for field, slim in fields if field is not None]
        return np.min(fields, 0) if fields else None


def _largest(mask: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Components of a mask that touch sure pixels, with small holes closed."""
    mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(mask)
    return np.isin(labels, np.setdiff1d(np.unique(labels[sure]), [0]))
