"""Where the clothes are: soft regions of upper and lower garment, with skin, hair, hands, shoes and background left out.

Geometry (:mod:`toolkit.colors.garment_prior`) says what is likely, the colours of this person (:mod:`toolkit.colors.garment_colors`)
decide: each pixel gets the class with the highest product of prior, colour likelihood and the vote of its neighbours. So bare arms,
legs and necks keep their colour, long sleeves do not end at the wrist, and a sweater may hang below the hips.
"""

import cv2
import numpy as np

from toolkit.colors.garment_colors import CLASSES, DOWN, SKIN, UP, GarmentColors, color_cells, learn_colors, refine_colors
from toolkit.colors.garment_prior import PersonView
from toolkit.structures import InputError

ROUNDS = 2
CONTRAST = 1.6
"""How steeply class probabilities are turned into weights."""
BORDER = 5
"""Width of the person's border in which pixels may be mixed with background: half of it on either side."""
MIN_CONTRAST = 24.
"""Least RGB distance of clothes and background for telling their shares in a pixel."""
LEAST = .02
"""Smaller weights are set to 0."""


def fit_garment_colors(frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray, max_frames: int = 8) -> GarmentColors:
    """Learn the colours of a person's skin, hair, shoes and clothes from some frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB of one person in the same clothes.
        parts: (T, H, W) uint8 labels.
        masks: (T, H, W) float in [0, 1] or uint8 in 0..255.
        poses: (T, 18, 3).
        max_frames: so many frames, evenly spread, are looked at.

    Returns:
        The colours, for :func:`garment_masks`.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(max_frames, len(frames))).astype(int))
    views = [PersonView(frames[t], parts[t], masks[t], poses[t]) for t in chosen]
    return _fit([view for view in views if view.visible])


def garment_masks(parts: np.ndarray, mask: np.ndarray, frame: np.ndarray, pose: np.ndarray, colors: GarmentColors | None = None) -> np.ndarray:
    """Soft regions of the upper and the lower garment of one frame.

    Args:
        parts: (H, W) uint8 labels of :func:`toolkit.masks.parts.part_labels`.
        mask: (H, W) person mask, float in [0, 1] or uint8 in 0..255.
        frame: (H, W, 3) uint8 RGB.
        pose: (18, 3).
        colors: colours of this person, learned from several frames; None learns them from this frame alone.

    Returns:
        (2, H, W) float32 in [0, 1], upper and lower; their sum is at most 1. Soft over about 3 pixels at borders, 0 on head, hands, shoes,
        bare skin and where the mask is below 0.1. All 0 without a pose or labels.

    Raises:
        InputError: shapes that do not fit each other.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or parts.shape != frame.shape[:2] or mask.shape != frame.shape[:2]:
        raise InputError(f'garment masks need a uint8 frame (H, W, 3), parts and mask (H, W), got {frame.dtype} {frame.shape}, '
                         f'{parts.shape} and {mask.shape}')
    weights = np.zeros((2, *parts.shape), np.float32)
    view = PersonView(frame, parts, mask, pose)
    if not view.visible:
        return weights
    colors = colors or _fit([view])
    vote = _vote(view, colors)
    where = np.flatnonzero(view.full_labels)
    vote = np.concatenate([_enlarge(vote[..., k:k + 3], view) for k in (0, 3)], -1).reshape(-1, len(CLASSES))[where]
    clothes = _unit(vote * colors.table[color_cells(frame[view.box].reshape(-1, 3)[where])])[:, UP:DOWN + 1]
    clothes = np.clip((clothes - np.float32(.5)) * np.float32(CONTRAST) + np.float32(.5), 0, 1)
    regions = np.zeros((*view.size, 2), np.float32)
    regions.reshape(-1, 2)[where] = clothes
    _refine_border(regions, frame[view.box], view)
    regions = cv2.GaussianBlur(regions, (3, 3), 0)
    regions *= ((view.full_labels > 0)[..., None] & (regions > LEAST))
    for weight, region in zip(weights, cv2.split(regions)):
        weight[view.box] = region
    return weights


def _refine_border(regions: np.ndarray, pixels: np.ndarray, view: PersonView) -> None:
    """At the border of the person, set the weights to the share of cloth in each mixed pixel, in place.

    A mixed pixel of cloth and background looks like neither, often like skin. Its share is found by projecting its RGB colour on the
    line from the nearby background's mean colour to the nearby clothes'. Where these are too alike, nothing is changed.

    Args:
        regions: (h, w, 2) float32.
        pixels: (h, w, 3) uint8.
        view: whose box this is.
    """
    person = (view.full_mask > .5).view(np.uint8)
    core = cv2.erode(person, np.ones((BORDER, BORDER), np.uint8), borderType=cv2.BORDER_REPLICATE)
    band = np.flatnonzero((core == 0) & (view.full_labels > 0))
    sure = core[..., None] * np.where(regions > .9, regions, 0)
    ground = (view.full_mask < .02).astype(np.float32)
    cloth = sure.sum(-1)
    kernel = (4 * BORDER - 1,) * 2
    weights = cv2.blur(np.dstack([sure, ground, core.astype(np.float32)]), kernel, borderType=cv2.BORDER_CONSTANT).reshape(-1, 4)[band]
    mean = [cv2.blur(pixels * share[..., None], kernel, borderType=cv2.BORDER_CONSTANT).reshape(-1, 3)[band] for share in (cloth, ground)]
    inner, outer = (m / np.maximum(share, 1e-6)[:, None] for m, share in zip(mean, (weights[:, :2].sum(1), weights[:, 2])))
    line = inner - outer
    length = (line * line).sum(1)
    usable = (length > MIN_CONTRAST**2) & (weights[:, :3].min(1, where=np.array([False, False, True]), initial=1) > .02) & (weights[:, :2].sum(1) > .02)
    share = ((pixels.reshape(-1, 3)[band] - outer) * line).sum(1) / np.maximum(length, 1)
    refined = np.clip(share, 0, 1)[:, None] * weights[:, :2] / np.maximum(weights[:, 3:], 1e-6)
    flat = regions.reshape(-1, 2)
    flat[band] = np.where(usable[:, None], np.minimum(refined, 1), flat[band])


def _fit(views: list[PersonView]) -> GarmentColors:
    """Learn colours from seeds, tell classes apart, learn again."""
    empty = np.zeros((0, 3), np.uint8)
    found = [view.seeds() for view in views]
    seeds = {kind: np.concatenate([empty, *(pixels[kind] for pixels in found if kind in pixels)]) for kind in range(len(CLASSES)) if kind != SKIN}
    colors = learn_colors(seeds, np.concatenate([empty, *(view.pixels[view.face] for view in views)]))
    if not views:
        return colors
    beliefs = np.concatenate([(_vote(view, colors) * _unit(view.prior()))[view.labels > 0] for view in views])
    return refine_colors(colors, np.concatenate([view.cells[view.labels > 0] for view in views]), beliefs)


def _vote(view: PersonView, colors: GarmentColors) -> np.ndarray:
    """Class probabilities on the grid from place, colour and neighbours, (h, w, 6) float32."""
    evidence = view.prior() * colors.table[view.cells]
    belief = _unit(evidence)
    for _ in range(ROUNDS):
        around = cv2.blur(belief, (view.window, view.window), borderType=cv2.BORDER_REPLICATE)
        belief = _unit(evidence * (around + np.float32(.01)))
    return cv2.blur(belief, (3, 3), borderType=cv2.BORDER_REPLICATE)


def _unit(scores: np.ndarray) -> np.ndarray:
    """Make the last dimension sum to 1."""
    return scores / np.maximum(scores.sum(-1, keepdims=True), np.float32(1e-12))


def _enlarge(maps: np.ndarray, view: PersonView) -> np.ndarray:
    """Bilinearly from the grid to all pixels of the box, (h, w, C) -> (H', W', C)."""
    shift = -(view.step // 2) / view.step
    back = np.array([[1 / view.step, 0, shift], [0, 1 / view.step, shift]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(np.ascontiguousarray(maps), back, view.size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
