"""Recoloring clothes: regions, colors, hints, a colorizer, compositing, records. The color augmentation of both training stages.

Source: Disentangled human action video generation, 3.1: stage I recolors every frame on its own, stage II all frames of a clip alike.
"""


import numpy as np

from toolkit.colors.anchors import Hints, make_hints
from toolkit.colors.draws import ColorDraw, draw_color
from toolkit.colors.gamut import limit_chroma
from toolkit.colors.garment_colors import GarmentColors
from toolkit.colors.garments import fit_garment_colors, garment_masks
from toolkit.colors.lab_shift import LabShift
from toolkit.colors.lab_uint8 import linear_to_rgb8, planes_to_linear, rgb8_to_lab, rgb8_to_planes
from toolkit.registry import COLORIZERS
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError

SAMPLED_FRAMES, SAMPLED_PIXELS = 4, 3
"""Colors of a clip are learned from so many frames; mean colors are taken over every third pixel of a region."""
MIN_AREA = 16.
"""A region of less than so many pixels in all frames is not recolored."""


def composite(frame: np.ndarray, where: np.ndarray, lab: np.ndarray, share: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Put new colors into a frame: ``ab' = w * ab + (1 - w) * ab_original``, L as it was.

    Args:
        frame: (H, W, 3) uint8 RGB, changed in place at ``where``; all other pixels keep their bits.
        where: (N,) flat indices of the region's pixels.
        lab: (3, N) float32 planes of their Lab; overwritten.
        share: (N,) float32, the region's weight w there.
        ab: (2, N) float32, their new colors.

    Returns:
        (3,) float64, the realized color: sums of a, b (after chroma was limited to what sRGB can show) and of the weights.
    """
    lab[1:] += share * (ab - lab[1:])
    limit_chroma(lab)
    pixel = np.dtype('V3')
    frame.view(pixel).reshape(-1)[where] = linear_to_rgb8(planes_to_linear(lab)).view(pixel).reshape(-1)
    return np.append((lab[1:] @ share).astype(np.float64), share.sum(dtype=np.float64))


def recolor_region(
        frame: np.ndarray, weight: np.ndarray, target_ab: tuple[float, float], colorizer, pose: np.ndarray, region: str,
        region_ab: np.ndarray | None = None, parts: np.ndarray | None = None, original: np.ndarray | None = None) -> np.ndarray:
    """Recolor one region of one frame in place.

    Args:
        frame: (H, W, 3) uint8 RGB, contiguous, changed where ``weight > 0``.
        weight: (H, W) float32.
        target_ab: color wanted.
        colorizer: one of COLORIZERS, built.
        pose: (18, 3).
        region: 'up' or 'down'.
        region_ab: mean color of the region over the clip, see :class:`toolkit.colors.anchors.Hints`.
        parts: (H, W) uint8 labels; only for colorizers that take hints, which get some of the background's pixels.
        original: the frame before any recoloring, which lightness and the hints of protected points are taken from; None =
            ``frame``.

    Returns:
        (3,) sums of the realized a, b and of the weights, all 0 where the region is empty.
    """
    where = np.flatnonzero(weight > 0)
    if not len(where):
        return np.zeros(3)
    share, pixels = weight.take(where), frame.reshape(-1, 3).take(where, 0)
    lab = rgb8_to_planes(pixels)
    if original is not None:
        first = original.reshape(-1, 3).take(where, 0)
        twice = np.flatnonzero(first.view('V3') != pixels.view('V3'))
        lab[0, twice] = rgb8_to_planes(first.take(twice, 0))[0]
    if getattr(colorizer, 'pointwise', False):
        ab = colorizer(lab.T[:, None], share[:, None], target_ab, Hints.empty(region_ab))[:, 0]
    else:
        whole = rgb8_to_lab(frame if original is None else original)
        hints = make_hints(whole, weight, pose, region, target_ab, (weight if parts is None else parts) == 0, region_ab)
        ab = colorizer(whole, weight, target_ab, hints).reshape(-1, 2).take(where, 0)
    return composite(frame, where, lab, share, ab.T)


def region_means(frames: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Mean L, a, b (3,) of a region in a clip (T, H, W, 3) uint8, by weights (T, H, W); None where it is (almost) empty.

    Of a long clip four frames, evenly spread, are looked at.
    """
    if len(frames) > SAMPLED_FRAMES:
        chosen = np.linspace(0, len(frames) - 1, SAMPLED_FRAMES).astype(int)
        frames, weights = frames[chosen], weights[chosen]
    where = np.flatnonzero(weights > 0)[::SAMPLED_PIXELS]
    share = weights.take(where)
    if share.sum() * SAMPLED_PIXELS < MIN_AREA:
        return None
    return (rgb8_to_planes(frames.reshape(-1, 3).take(where, 0)) @ share).astype(np.float64) / share.sum(dtype=np.float64)


def clip_garment_masks(
        frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray, colors: GarmentColors) -> np.ndarray:
    """:func:`toolkit.colors.garments.garment_masks` of all frames, (2, T, H, W) float32."""
    weights = np.zeros((2, *parts.shape), np.float32)
    for t, arrays in enumerate(zip(parts, masks, frames, poses)):
        garment_masks(*arrays, colors, out=weights[:, t])
    return weights


def recolor_frames(
        frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray, up: tuple[float, float] | None = None,
        down: tuple[float, float] | None = None, colorizer=None, colors: GarmentColors | None = None,
        ) -> tuple[np.ndarray, list[ColorDraw]]:
    """Give the clothes of one person in one clip other colors.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        parts: (T, H, W) uint8 part labels.
        masks: (T, H, W) person masks, float in [0, 1] or uint8 in 0..255.
        poses: (T, 18, 3).
        up: (a, b) for the upper garment, None leaves it as it is.
        down: (a, b) for the lower garment, None leaves it as it is.
        colorizer: config dict or built part of COLORIZERS, default :class:`LabShift`.
        colors: see :func:`garment_masks`; None learns them from these frames.

    Returns:
        New frames (T, H, W, 3), and one record for each region asked for. A region that is not to be seen has no record.

    Raises:
        InputError: shapes that do not fit each other.

    Example:
        >>> clip = Clip('clips/walk')
        >>> parts, masks = (np.stack([read(t) for t in range(len(clip))]) for read in (clip.parts, clip.mask_u8))
        >>> new, records = recolor_frames(clip.frames(), parts, masks, clip.poses, up=(60, 30), down=(-20, -40))
    """
    colorizer = build_colorizer(colorizer)
    check_inputs(frames, parts, masks, poses)
    if colors is None:
        colors = fit_garment_colors(frames, parts, masks, poses, SAMPLED_FRAMES)
    weights = clip_garment_masks(frames, parts, masks, poses, colors)
    targets, records = {}, []
    for region, ab in (('up', up), ('down', down)):
        mean = region_means(frames, weights[REGIONS.index(region)]) if ab is not None else None
        if mean is not None:
            targets[region] = (ab, mean[1:])
            records.append(ColorDraw(float(ab[0]), float(ab[1]), float(mean[0]), region, colorizer=_name(colorizer)))
    return apply_colors(frames, weights, poses, targets, colorizer, records, parts), records


def apply_colors(
        frames: np.ndarray, weights: np.ndarray, poses: np.ndarray, targets: dict[str, tuple], colorizer, records: list[ColorDraw],
        parts: np.ndarray) -> np.ndarray:
    """Recolor given regions and note the realized colors.

    Args:
        frames: (T, H, W, 3) uint8.
        weights: (2, T, H, W) float32.
        poses: (T, 18, 3).
        targets: region -> (color wanted, mean color of the region).
        colorizer: built part.
        records: of these regions; ``realized`` is filled in.
        parts: (T, H, W) uint8 labels.

    Returns:
        (T, H, W, 3) uint8 copy.
    """
    out = np.array(frames, order='C')
    for region, (ab, mean) in targets.items():
        weight = weights[REGIONS.index(region)]
        a, b, total = sum(recolor_region(out[t], weight[t], ab, colorizer, poses[t], region, mean, parts[t], frames[t])
                          for t in range(len(frames)))
        for record in records:
            if record.region == region:
                record.realized = (float(a / total), float(b / total))
    return out


def build_colorizer(colorizer):
    """A built colorizer of a config dict, of a part that is built already, or of None (:class:`LabShift`)."""
    if colorizer is None:
        return LabShift()
    return COLORIZERS.build(colorizer) if isinstance(colorizer, dict) else colorizer


def _name(colorizer) -> str:
    """Of a colorizer, for records."""
    return getattr(colorizer, 'name', type(colorizer).__name__)


def check_inputs(frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray) -> None:
    """Refuse arrays that do not belong together."""
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[-1] != 3:
        raise InputError(f'recoloring needs frames of shape (T, H, W, 3), uint8, got {frames.shape} {frames.dtype}')
    if parts.shape != frames.shape[:3] or masks.shape != frames.shape[:3] or len(poses) != len(frames):
        raise InputError(f'recoloring {frames.shape[:3]} frames needs as many parts, masks and poses of the same size, got parts '
                         f'{parts.shape}, masks {masks.shape} and poses {np.shape(poses)}')


class Recolor:
    """The color augmentation: draws colors and recolors one person's frames.

    Args:
        region: 'up', 'down' or 'both' garments.
        per: 'clip' gives all frames the same colors (stage II), 'frame' draws for each frame (stage I).
        colorizer: config dict or built part of COLORIZERS, default :class:`LabShift`.
        chroma, keep: see :func:`toolkit.colors.draws.draw_color`.

    Example:
        >>> recolor = Recolor('both', per='clip')
        >>> frames, records = recolor(frames, parts, masks, poses, np.random.default_rng((seed, draw, index)))
    """

    def __init__(
            self, region: str = 'both', per: str = 'clip', colorizer=None, chroma: tuple[float, float] = (10, 80), keep: float = .1):
        if region not in (*REGIONS, 'both'):
            raise InputError(f"Recolor: region must be 'up', 'down' or 'both', got {region!r}")
        if per not in ('clip', 'frame'):
            raise InputError(f"Recolor: per must be 'clip' or 'frame', got {per!r}")
        self.regions = REGIONS if region == 'both' else (region,)
        self.per, self.chroma, self.keep = per, chroma, keep
        self.colorizer = build_colorizer(colorizer)

    def __call__(self, frames: np.ndarray, parts: np.ndarray, masks: np.ndarray, poses: np.ndarray, rng: np.random.Generator,
                 colors: GarmentColors | None = None) -> tuple[np.ndarray, list[ColorDraw]]:
        """Draw and recolor.

        Args:
            frames, parts, masks, poses: see :func:`recolor_frames`.
            rng: decides on everything random.
            colors: see :func:`garment_masks`.

        Returns:
            New frames (T, H, W, 3), and the records, by frame and region; a region that is not to be seen has none.
        """
        check_inputs(frames, parts, masks, poses)
        if colors is None:
            colors = fit_garment_colors(frames, parts, masks, poses, SAMPLED_FRAMES)
        weights = clip_garment_masks(frames, parts, masks, poses, colors)
        if self.per == 'clip':
            return self._same(frames, weights, poses, parts, rng)
        out, records = np.empty_like(frames), []
        for t in range(len(frames)):
            one = slice(t, t + 1)
            out[one], found = self._same(frames[one], weights[:, one], poses[one], parts[one], rng, t)
            records += found
        return out, records

    def _same(self, frames, weights, poses, parts, rng, frame: int | None = None) -> tuple[np.ndarray, list[ColorDraw]]:
        """Recolor all frames alike."""
        targets, records = {}, []
        for region in self.regions:
            mean = region_means(frames, weights[REGIONS.index(region)])
            drawn = draw_color(rng, 50. if mean is None else mean[0], self.chroma, self.keep)
            if mean is None:
                continue
            lightness, own = float(mean[0]), (float(mean[1]), float(mean[2]))
            record = ColorDraw(*(drawn or own), lightness, region, kept=drawn is None, frame=frame, colorizer=_name(self.colorizer))
            records.append(record)
            if drawn is None:
                record.realized = own
            else:
                targets[region] = (drawn, mean[1:])
        return apply_colors(frames, weights, poses, targets, self.colorizer, records, parts), records
