"""Where the clothes are: soft regions of upper and lower garment, with skin, hair, hands, shoes and background left out.

Geometry (:mod:`toolkit.colors.garment_prior`) says what is likely, the colors of this person (:mod:`toolkit.colors.garment_colors`)
decide: each pixel gets the class with the highest product of prior, color likelihood and the vote of its neighbors. So bare arms,
legs and necks keep their color, long sleeves do not end at the wrist, and a sweater may hang below the hips.

All is decided on a coarse grid; single pixels are looked at only where that leaves doubt and at the person's border.
"""

import cv2
import numpy as np

from toolkit.colors.garment_colors import CLASSES, DOWN, SKIN, UP, GarmentColors, learn_colors, refine_colors
from toolkit.colors.garment_prior import PersonView
from toolkit.structures import InputError

ROUNDS = 2
CONTRAST = 1.6
"""How steeply class probabilities are turned into weights."""
DOUBT = .06
"""Probabilities further than this from 0 and 1 are in doubt."""
REACH = .2
"""Side of the square in which the colors of cloth and background next to a border pixel are averaged, in body scales."""
MIN_CONTRAST = 24.
"""Least RGB distance of clothes and background for telling their shares in a pixel."""
LEAST = .02
"""Smaller weights are set to 0."""


def fit_garment_colors(frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray,
                       max_frames: int = 4) -> GarmentColors:
    """Learn the colors of a person's skin, hair, shoes and clothes from some frames.

    Args:
        frames: (T, H, W, 3) uint8 RGB of one person in the same clothes.
        parts: (T, H, W) uint8 labels.
        masks: (T, H, W) float in [0, 1] or uint8 in 0..255.
        poses: (T, 18, 3).
        max_frames: so many frames, evenly spread, are looked at.

    Returns:
        The colors, for :func:`garment_masks`.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(max_frames, len(frames))).astype(int))
    views = [PersonView(frames[t], parts[t], masks[t], poses[t]) for t in chosen]
    return _fit([view for view in views if view.visible])


def garment_masks(parts: np.ndarray, mask: np.ndarray, frame: np.ndarray, pose: np.ndarray, colors: GarmentColors | None = None,
                  out: np.ndarray | None = None) -> np.ndarray:
    """Soft regions of the upper and the lower garment of one frame.

    Args:
        parts: (H, W) uint8 labels of :func:`toolkit.masks.parts.part_labels`.
        mask: (H, W) person mask, float in [0, 1] or uint8 in 0..255.
        frame: (H, W, 3) uint8 RGB.
        pose: (18, 3).
        colors: colors of this person, learned from several frames; None learns them from this frame alone.
        out: (2, H, W) float32 zeros to write into.

    Returns:
        (2, H, W) float32 in [0, 1], upper and lower; their sum is at most 1. Soft over about 3 pixels at borders; 0 or nearly so on
        head, hands, shoes and bare skin, 0 where the mask is below 0.1. All 0 without a pose or labels.

    Raises:
        InputError: shapes that do not fit each other.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or parts.shape != frame.shape[:2] or mask.shape != frame.shape[:2]:
        raise InputError(f'garment masks need a uint8 frame (H, W, 3), parts and mask (H, W), got {frame.dtype} {frame.shape}, '
                         f'{parts.shape} and {mask.shape}')
    weights = np.zeros((2, *parts.shape), np.float32) if out is None else out
    view = PersonView(frame, parts, mask, pose)
    if not view.visible:
        return weights
    colors = colors or _fit([view])
    vote, pixels = _vote(view, colors), frame[view.box].reshape(-1, 3)
    person = view.full_labels > 0
    regions = np.stack([view.enlarge(plane) for plane in vote[UP:DOWN + 1]])
    flat = regions.reshape(2, -1)
    most = np.maximum(*regions)
    doubt = np.flatnonzero((most > DOUBT) & (most < 1 - DOUBT) & person)
    around = vote.reshape(len(CLASSES), -1).take(view.grid_index(doubt), 1)
    for plane, decided in zip(flat, _unit(around * colors.likelihood(pixels.take(doubt, 0)))[UP:DOWN + 1]):
        plane[doubt] = decided
    regions *= np.float32(CONTRAST)
    regions += np.float32(.5 - .5 * CONTRAST)
    np.clip(regions, 0, person, out=regions)
    _refine_border(flat, vote, pixels, view)
    for weight, region in zip(weights, regions):
        region = cv2.GaussianBlur(region, (3, 3), 0)
        weight[view.box] = region * (person & (region > LEAST))
    return weights


def _fit(views: list[PersonView]) -> GarmentColors:
    """Learn colors from seeds, tell classes apart, learn again."""
    empty = np.zeros((0, 3), np.uint8)
    found = [view.seeds() for view in views]
    kinds = [kind for kind in range(len(CLASSES)) if kind != SKIN]
    seeds = {kind: np.concatenate([empty, *(pixels[kind] for pixels in found if kind in pixels)]) for kind in kinds}
    colors = learn_colors(seeds, np.concatenate([empty, *(view.pixels[view.face] for view in views)]))
    if not views:
        return colors
    beliefs = np.concatenate([(_vote(view, colors) * _unit(view.prior()))[:, view.labels > 0] for view in views], 1)
    return refine_colors(colors, np.concatenate([view.cells[view.labels > 0] for view in views]), beliefs)


def _vote(view: PersonView, colors: GarmentColors) -> np.ndarray:
    """Class probabilities on the grid from place, color and neighbors, (6, h, w) float32."""
    evidence = view.prior() * colors.table.take(view.cells, 1)
    belief = _unit(evidence)
    for _ in range(ROUNDS):
        belief = _unit(evidence * (_blur(belief, view.window) + np.float32(.01)))
    return _blur(belief, 3)


def _blur(maps: np.ndarray, window: int) -> np.ndarray:
    """Box filter of each of some maps."""
    return np.stack([cv2.blur(plane, (window, window), borderType=cv2.BORDER_REPLICATE) for plane in maps])


def _unit(scores: np.ndarray) -> np.ndarray:
    """Make the first dimension sum to 1."""
    return scores / np.maximum(scores.sum(0), np.float32(1e-12))


def _refine_border(regions: np.ndarray, vote: np.ndarray, pixels: np.ndarray, view: PersonView) -> None:
    """At the border of the person, set the weights to the share of cloth in each mixed pixel, in place.

    A mixed pixel of cloth and background looks like neither, often like skin. Its share is found by projecting its RGB color on the
    line from the nearby background's mean color to the nearby clothes'. Where these are too alike, nothing is changed.

    Args:
        regions: (2, h * w) float32, all pixels of the person's box.
        vote: class probabilities on the grid.
        pixels: (h * w, 3) uint8.
        view: whose box this is.
    """
    kernel = np.ones((view.border, view.border), np.uint8)
    core = cv2.erode((view.full_mask > .5).view(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE)
    band = np.flatnonzero((core == 0) & (view.full_labels > 0))
    inside = view.on_grid(core).astype(np.float32)
    cloth = inside * vote[UP:DOWN + 1] * (vote[UP:DOWN + 1] > .9)
    ground = (view.mask < .02).astype(np.float32)
    colors = view.pixels.transpose(2, 0, 1).astype(np.float32)
    maps = np.concatenate([cloth, inside[None], ground[None], colors * cloth.sum(0), colors * ground])
    maps = _blur(maps, max(3, round(REACH * view.scale / view.step / 2) * 2 + 1)).reshape(len(maps), -1).take(view.grid_index(band), 1)
    up_down, persons, grounds = maps[:2], maps[2], maps[3]
    inner = maps[4:7] / np.maximum(up_down.sum(0), np.float32(1e-6))
    outer = maps[7:] / np.maximum(grounds, np.float32(1e-6))
    line = inner - outer
    length = (line * line).sum(0)
    usable = (length > MIN_CONTRAST**2) & (up_down.sum(0) > LEAST) & (grounds > LEAST)
    share = ((pixels.take(band, 0).T - outer) * line).sum(0) / np.maximum(length, 1)
    refined = np.clip(share, 0, 1) * np.minimum(up_down / np.maximum(persons, np.float32(1e-6)), 1)
    where = band[usable]
    for region, values in zip(regions, refined):
        region[where] = values[usable]
