"""What a picture may show where nobody has seen it: patches of the rest, put together.

From coarse to fine, each patch that touches the hole gets the patch of the rest that is most like it, and each pixel what these patches
have there (Wexler et al. 2007). Like patches are found by propagation and random search (PatchMatch, Barnes et al. 2009). The coarsest
picture is filled from the rim inwards, how rough the surface is counts along with its colors, and the finest picture has pixels of
single patches, not means (Newson et al. 2014).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

SIDE, HALF = 7, 3
"""Side of a patch."""
THIN = 3.
"""The coarsest picture is the first in which no place of the hole is further from its rim."""
ROUGHNESS = 3.
"""Weight of the surface's roughness beside colors."""
BESIDE, ABOVE = 40., 150.
"""What a patch from the other side, and one from the other end, of the picture costs: mean square differences, in levels of 0..255.
A floor is a floor at the same height."""
LIGHTER, PRICE = 40., .5
"""Levels of 0..255 by which each color of a patch may be changed to suit what is around it, and what the square of a change costs."""
ROUNDS = (2_500, 5), (10_000, 2)
"""Up to so many patches, a level is searched so often, each time after a new picture. With more it takes over what the coarser one
found."""
JUMPS = (4, 1)
FAINT = 1e-6
"""Least weight of a patch: a pixel that no patch suits gets a mean of them, not nothing."""
CHUNK = 4096
PAIRS = 20_000_000
"""All patches of the coarsest picture are compared with all; a picture with more pairs is filled from around."""
RADIUS = 5
"""Of the neighborhood where a picture has no patches to take (Telea 2004)."""


def complete(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill the hole of a picture.

    Args:
        picture: (H, W, 3) uint8; what it has in the hole does not matter.
        hole: (H, W) bool.

    Returns:
        (H, W, 3) uint8, the same picture outside of the hole. The same input gives the same result.
    """
    if not hole.any():
        return picture.copy()
    levels = _levels(picture, hole)
    if levels is None:
        return cv2.inpaint(picture, hole.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
    rng = np.random.default_rng(0)
    for number, level in enumerate(levels):
        if number == 0:
            _fill_inwards(level)
            found = _nearest(level, level.targets)
        else:
            found = _finer(levels[number - 1], found, level)
            level.values[level.hole] = cv2.resize(levels[number - 1].values, level.hole.shape[::-1])[level.hole]
        cost, rounds = _cost(level, found), next((rounds for most, rounds in ROUNDS if len(found) <= most), 0)
        for _ in range(rounds):
            _paint(level, found, cost)
            found, cost = _search(level, found, _cost(level, found), rng)
        _paint(level, found, cost, single=not rounds or number + 1 == len(levels))
    result = picture.copy()
    result[hole] = levels[-1].values[..., :3].round().clip(0, 255).astype(np.uint8)[hole]
    return result


@dataclass
class _Level:
    """A picture of the pyramid.

    Attributes:
        values: (H, W, 4) float32: colors and roughness; known outside of the hole.
        hole: (H, W) bool.
        whole: (H, W) bool, middles of patches that lie in the picture and have nothing of the hole.
        targets: (N,) flat places of the middles of all patches in the picture that touch the hole.
    """

    values: np.ndarray
    hole: np.ndarray
    whole: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, hole: np.ndarray) -> '_Level':
        """A level of its picture."""
        inside = np.zeros(hole.shape, bool)
        inside[HALF:-HALF, HALF:-HALF] = True
        touched = cv2.dilate(hole.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)) > 0
        return cls(values, hole, inside & ~touched, np.flatnonzero(touched & inside))

    @property
    def offsets(self) -> np.ndarray:
        """(49,) flat steps from the middle of a patch to its pixels."""
        steps = np.arange(-HALF, HALF + 1)
        return (steps[:, None] * self.hole.shape[1] + steps).ravel()

    def patches(self, middles: np.ndarray) -> np.ndarray:
        """(n, 49, 4) values of patches by their flat middles."""
        return self.values.reshape(-1, self.values.shape[-1])[middles[:, None] + self.offsets]


def _levels(picture: np.ndarray, hole: np.ndarray) -> list[_Level] | None:
    """The pyramid, the coarsest first; None where the picture has no patch to take, or those alone that are lost in a coarser one."""
    colors, known = picture.astype(np.float32), ~hole
    gray = colors.mean(-1)
    rough = sum(np.abs(cv2.Sobel(gray, cv2.CV_32F, *axis, scale=.25)) for axis in ((1, 0), (0, 1)))
    clean = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # elsewhere a gradient is that of the hole
    values, levels = np.concatenate([colors, ROUGHNESS * _spread(rough, clean)[..., None]], -1), []
    while True:
        if min(hole.shape) <= 2 * SIDE:
            break
        level = _Level.of(np.where(hole[..., None], 0, values).astype(np.float32), hole)
        if level.whole.sum() < SIDE * SIDE:
            break
        levels.insert(0, level)
        inner = cv2.distanceTransform(np.pad(hole, 1).astype(np.uint8), cv2.DIST_L2, 3)
        if inner.max() <= THIN:
            break
        values, hole = _half(values, hole)
    return levels if levels and len(levels[0].targets) * levels[0].whole.sum() <= PAIRS else None


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W) means over a wide neighborhood of what is known there."""
    side = (4 * SIDE + 1,) * 2
    return cv2.blur(np.where(known, values, 0).astype(np.float32), side) / np.maximum(cv2.blur(known.astype(np.float32), side), 1e-6)


def _half(values: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the size: means of what is known; a hole where less than half of it is."""
    height, width = hole.shape[0] // 2, hole.shape[1] // 2
    known = (~hole).astype(np.float32)
    weight = cv2.resize(known, (width, height), interpolation=cv2.INTER_AREA)
    mean = cv2.resize(np.where(hole[..., None], 0, values).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return mean / np.maximum(weight, 1e-6)[..., None], weight < .5


def _fill_inwards(level: _Level) -> None:
    """Fill a small hole from its rim inwards, each pixel with the middle of the patch that is most like what is known around it."""
    known, inside = ~level.hole, np.zeros(level.hole.shape, bool)
    inside[HALF:-HALF, HALF:-HALF] = True
    width = level.hole.shape[1]
    while not known.all():
        rim = ~known & (cv2.dilate(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        places = np.argwhere(rim)
        middles = places.clip(HALF, np.subtract(level.hole.shape, HALF + 1))
        flat = middles[:, 0] * width + middles[:, 1]
        seen = known.ravel()[flat[:, None] + level.offsets]
        sources = _nearest(level, flat, seen)
        difference = level.patches(flat) - level.patches(sources)
        values, shift = level.values.reshape(-1, level.values.shape[-1]), (places - middles) @ (width, 1)
        filled = values[sources + shift]
        filled[:, :3] += _light(difference, seen)
        values[places @ (width, 1)] = filled
        known |= rim


def _nearest(level: _Level, targets: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """(N,) flat middles of the whole patches that are most like some others, all compared with all.

    Args:
        level: where.
        targets: (N,) flat middles.
        seen: (N, 49) bool, pixels that count; None for all.
    """
    sources = np.flatnonzero(level.whole)
    theirs = level.patches(sources).reshape(len(sources), -1)
    squares, channels, best = theirs ** 2, level.values.shape[-1], np.empty(len(targets), np.int64)
    for start in range(0, len(targets), CHUNK):
        part = slice(start, start + CHUNK)
        own = level.patches(targets[part]).reshape(-1, theirs.shape[1])
        weight = np.ones_like(own) if seen is None else np.repeat(seen[part], channels, 1).astype(np.float32)
        cost = weight @ squares.T - 2 * (weight * own) @ theirs.T
        cost /= np.maximum(weight.sum(1, keepdims=True), 1)
        best[part] = sources[(cost + _distance(level, targets[part][:, None], sources[None])).argmin(1)]
    return best


def _distance(level: _Level, targets: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """What it costs that a patch comes from far away."""
    height, width = level.hole.shape
    dy, dx = sources // width - targets // width, sources % width - targets % width
    return (dy * dy * (ABOVE / height ** 2) + dx * dx * (BESIDE / width ** 2)).astype(np.float32)


def _cost(level: _Level, sources: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
    """(n,) what it costs to take patches for the targets, or for some of them."""
    targets = level.targets if which is None else level.targets[which]
    cost = np.empty(len(targets), np.float32)
    for start in range(0, len(targets), CHUNK):
        part = slice(start, start + CHUNK)
        difference = level.patches(targets[part]) - level.patches(sources[part])
        light = _light(difference)
        squares = np.einsum('npc,npc->nc', difference, difference) / len(level.offsets)
        squares[:, :3] += light * ((1 + PRICE) * light - 2 * difference[..., :3].mean(1))
        cost[part] = squares.mean(1)
    return cost + _distance(level, targets, sources)


def _light(difference: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """(n, 3) by how much the colors of patches are changed, by their differences (n, 49, 4), or those of the pixels that count."""
    colors = difference[..., :3]
    mean = colors.mean(1) if seen is None else (colors * seen[..., None]).sum(1) / np.maximum(seen.sum(1, keepdims=True), 1)
    return mean.clip(-LIGHTER, LIGHTER)


def _search(level: _Level, found: np.ndarray, cost: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Take better patches: those beside the ones of neighbors, and some by chance, ever nearer to the best so far."""
    height, width = level.hole.shape
    index = np.full(height * width, -1)
    index[level.targets] = np.arange(len(level.targets))

    def attempt(candidates: np.ndarray, valid: np.ndarray) -> None:
        which = np.flatnonzero(valid)
        which = which[level.whole.ravel()[candidates[which]] & (candidates[which] != found[which])]
        if len(which):
            new = _cost(level, candidates[which], which)
            better = new < cost[which]
            found[which[better]], cost[which[better]] = candidates[which[better]], new[better]

    for jump in JUMPS:
        for step in (jump, -jump, jump * width, -jump * width):
            beside = level.targets + step
            there = (beside >= 0) & (beside < len(index))
            neighbor = np.where(there, index[beside.clip(0, len(index) - 1)], -1)
            candidates = found[neighbor] - step
            attempt(candidates.clip(0, len(index) - 1), (neighbor >= 0) & (candidates >= 0) & (candidates < len(index)))
    for radius in _radii(max(height, width)):
        y = found // width + rng.integers(-radius, radius + 1, len(found))
        x = found % width + rng.integers(-radius, radius + 1, len(found))
        attempt(y.clip(0, height - 1) * width + x.clip(0, width - 1), np.ones(len(found), bool))
    return found, cost


def _radii(most: int) -> Iterator[int]:
    while most >= 1:
        yield most
        most //= 2


def _finer(coarse: _Level, found: np.ndarray, level: _Level) -> np.ndarray:
    """(N,) what a level takes for its patches after the coarser one: the patches there, at twice the size."""
    (height, width), (rows, columns) = level.hole.shape, coarse.hole.shape
    index = np.full((rows, columns), -1)
    index.ravel()[coarse.targets] = np.arange(len(coarse.targets))
    y, x = level.targets // width, level.targets % width
    nearest = _closest(index >= 0)[(y // 2).clip(0, rows - 1), (x // 2).clip(0, columns - 1)]
    places, taken = coarse.targets[index.ravel()[nearest]], found[index.ravel()[nearest]]
    dy, dx = 2 * (taken // columns - places // columns), 2 * (taken % columns - places % columns)
    wanted = (y + dy).clip(0, height - 1), (x + dx).clip(0, width - 1)
    return _closest(level.whole)[wanted]


def _closest(there: np.ndarray) -> np.ndarray:
    """(H, W) flat place of the nearest pixel that is true."""
    _, labels = cv2.distanceTransformWithLabels((~there).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    places = np.zeros(labels.max() + 1, np.int64)
    places[labels[there]] = np.flatnonzero(there)
    return places[labels]


def _paint(level: _Level, found: np.ndarray, cost: np.ndarray, single: bool = False) -> None:
    """Fill the hole with what patches have there: a mean of those that fit well, or that of the patch that fits best alone."""
    values = level.values.reshape(-1, level.values.shape[-1])
    total, weights = np.zeros_like(values), np.zeros(len(values), np.float32)
    lowest = np.full(len(values), np.inf, np.float32)
    hole, light = level.hole.ravel(), np.zeros((len(found), values.shape[-1]), np.float32)
    for start in range(0, len(found), CHUNK):
        part = slice(start, start + CHUNK)
        light[part, :3] = _light(level.patches(level.targets[part]) - level.patches(found[part]))
    weight = np.exp(-cost / (2 * max(float(np.percentile(cost, 75)), 1e-3))) + FAINT
    for offset in level.offsets:
        places = level.targets + offset
        which = np.flatnonzero(hole[places])
        places, sources = places[which], found[which] + offset
        if single:
            better = cost[which] < lowest[places]
            places, sources = places[better], sources[better]
            lowest[places], weights[places] = cost[which[better]], 1
            total[places] = values[sources] + light[which[better]]
        else:
            total[places] += weight[which, None] * (values[sources] + light[which])
            weights[places] += weight[which]
    values[hole] = total[hole] / np.maximum(weights[hole], 1e-12)[:, None]
