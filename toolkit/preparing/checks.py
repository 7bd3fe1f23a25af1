"""Is a clip usable, and what is to be said of it: the checks between and after the two passes of a preparation."""

from collections.abc import Sequence

import numpy as np

from toolkit.clips.checks import read_picture_of
from toolkit.clips.clip import ClipWriter
from toolkit.clips.crop import Crop
from toolkit.preparing.poses import Found
from toolkit.preparing.quality import Quality, border_contact, describe_frames, mask_agreement, measure_poses, person_boxes, present
from toolkit.preparing.settings import PrepareSettings, UnusableClipError
from toolkit.structures import InputError
from toolkit.video.io import VideoInfo

ROUNDING = 0.01
"""How far a probability may be outside of 0 to 1."""


def stretch(path, raw: np.ndarray, clean: np.ndarray, settings: PrepareSettings, estimator: str) -> tuple[int, int]:
    """Which frames become the clip.

    Args:
        path: the video, for messages.
        raw, clean: (T, 18, 3) poses in source pixels as estimated and as cleaned.
        settings: of the preparation.
        estimator: its name, for messages.

    Returns:
        First frame and the one after the last.

    Raises:
        UnusableClipError: nobody is seen, in too few frames, or too small.
    """
    total, seen = len(clean), present(raw)
    if not seen.any():
        raise UnusableClipError(
            f'{path}: no person found in any of {total} frames by {estimator}; is somebody to be seen, upright and '
            'not too small? Another estimator (--pose) may find them')
    frames = np.flatnonzero(present(clean) | seen)
    first, last = (int(frames[0]), int(frames[-1]) + 1) if settings.trim else (0, total)
    share = seen[first:last].mean()
    if share < settings.min_presence:
        raise UnusableClipError(
            f'{path}: a person is found in {share:.0%} of frames {first}..{last - 1} only, at least {settings.min_presence:.0%} '
            'are needed; choose a stretch with the person in view (--start, --end) or another estimator (--pose)')
    boxes = person_boxes(raw)
    height = float(np.nanmedian(boxes[:, 3] - boxes[:, 1]))
    if height < settings.min_person:
        raise UnusableClipError(
            f'{path}: the person is only {height:.0f} pixels high in the video, at least {settings.min_person:.0f} are needed; film '
            'from nearer or at a higher resolution')
    return first, last


def measure(found: Found, clean: np.ndarray, crop: Crop, writer: ClipWriter, first: int, last: int, gaps: list[int],
            size: tuple[int, int]) -> Quality:
    """Measure a clip whose frames are all written.

    Args:
        found: of pass 1, all frames.
        clean: (T, 18, 3) cleaned poses of frames ``first`` to ``last - 1``, in source pixels.
        crop: the clip's window.
        writer: holds the masks.
        first, last: which frames were kept.
        gaps: frames of the clip before which source frames are missing.
        size: (H, W) of the source.
    """
    height, width = size
    raw, times = found.poses[first:last], found.times[first:last]
    quality = measure_poses(raw, clean, times, found.people[first:last], found.still[first:last], gaps)
    scale = np.array(crop.scale * 2)
    inside = np.array([-crop.x, -crop.y, width - crop.x, height - crop.y]) * scale
    inside = np.clip(np.ceil(inside[:2]).tolist() + np.floor(inside[2:]).tolist(), 0, [crop.width, crop.height] * 2).astype(int)
    masks = (read_picture_of(writer.partial / 'masks' / f'{t:06d}.png', crop.height, crop.width, color=False) / 255
             for t in range(last - first))
    checked = [(border_contact(mask, inside), mask_agreement(mask, pose)) for mask, pose in zip(masks, crop.pose(clean))]
    contact, agreement = np.mean([c for c, _ in checked], 0), np.array([a for _, a in checked])
    poor = [int(t) for t in np.flatnonzero(agreement < .6)]
    if poor:
        quality.warnings.append(
            f'the mask misses the person in {len(poor)} of {last - first} frames ({describe_frames(poor)}); try another segmentor '
            '(--mask)')
    padding = crop.padding(height, width)
    quality.numbers.update(
        mask_agreement=round(float(np.nanmean(agreement)), 3) if np.isfinite(agreement).any() else None,
        cut_off={side: round(float(c), 3) for side, c in zip(('left', 'top', 'right', 'bottom'), contact)},
        scale=round(crop.scale[1], 3), padding=round(padding, 3))
    for side, share in quality.numbers['cut_off'].items():
        text = f'the person is cut off at the {side} in {share:.0%} of the frames'
        if side != 'bottom' and share > .1 or side == 'bottom' and .1 < share < .9:
            quality.warnings.append(text + (': leaves the frame' if share < .9 else ''))
        elif share >= .9:
            quality.notes.append(text)
    if padding > .1:
        quality.warnings.append(f'{padding:.0%} of the picture lies beyond the video and repeats its border; film with more room')
    if crop.scale[1] > 1.5:
        quality.warnings.append(f'the person is small: the picture is enlarged {crop.scale[1]:.1f} times and will be soft')
    return quality


def add_notes(quality: Quality, settings: PrepareSettings, info: VideoInfo, fps: float, source_fps: float, kept: tuple[int, int],
              total: int, problems: list[str]) -> None:
    """Say what was done to the source: damage, frames left out, another rate. ``kept``: first frame and end."""
    quality.warnings[:0] = [f'source: {p}' for p in problems]
    first, last = kept
    if first or last < total:
        quality.notes.append(f'kept frames {first}..{last - 1} of {total}: nobody is seen before and after')
    if info.variable and settings.fps is None:
        quality.notes.append(f'the source has a variable frame rate; made constant at {fps:.2f} frames a second')
    if settings.fps and settings.fps > 1.02 * source_fps:
        quality.notes.append(f'{settings.fps:g} frames a second asked for, the source has {source_fps:.2f}: frames repeat')


def check_maps(kind: str, part: object, maps: Sequence[np.ndarray], frames: Sequence[np.ndarray]) -> None:
    """See that a part gave one map for each frame.

    Args:
        kind: of the part, for the message.
        part: that was called.
        maps: what it returned.
        frames: (H, W, 3) each.

    Raises:
        InputError: maps of another number or shape, or no numbers from 0 to 1.
    """
    shapes, wanted = [np.shape(one) for one in maps], frames[0].shape[:2]
    if shapes != [wanted] * len(frames):
        named = ', '.join(map(str, sorted(set(shapes), key=str)))
        raise InputError(f'the {kind} {type(part).__name__} returned {len(shapes)} maps of the shape {named}; expected '
                         f'{len(frames)} of {wanted}, one for each frame')
    low, high = np.min([np.min(one) for one in maps]), np.max([np.max(one) for one in maps])
    if not -ROUNDING <= low <= high <= 1 + ROUNDING:
        raise InputError(f'the {kind} {type(part).__name__} returned values from {low:g} to {high:g}; expected 0 to 1')
