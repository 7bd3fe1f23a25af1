"""What can be wrong with a clip, measured from its poses and masks."""

from dataclasses import dataclass, field

import numpy as np

from toolkit.clips.crop import THRESHOLD, person_boxes
from toolkit.skeletons import JOINTS, LIMB_JOINTS, MIRROR_JOINT, NECK, TORSO_JOINTS, torso_scale

REPEATED = .02
"""Frames that differ by less from the one before, in gray levels, repeat it."""
CUT_LEVELS, CUT_TIMES, AROUND = 8., 6., 12


def present(poses: np.ndarray) -> np.ndarray:
    """Frames in which a person is seen: at least 4 joints above the threshold. (T, K, 3) -> (T,) bool."""
    return (np.asarray(poses)[..., 2] > THRESHOLD).sum(-1) >= 4


def joint_coverage(poses: np.ndarray) -> np.ndarray:
    """Share of frames in which each joint is seen, (T, K, 3) -> (K,) in [0, 1]."""
    return (poses[..., 2] > THRESHOLD).mean(0) if len(poses) else np.zeros(len(JOINTS))


def _usual_torso(poses: np.ndarray) -> float:
    torso = torso_scale(poses)
    if (torso > 0).any():
        return float(np.median(torso[torso > 0]))
    boxes = person_boxes(poses)
    return float(np.nanmedian(boxes[:, 3] - boxes[:, 1]) * .35) if present(poses).any() else 1.


def jitter(poses: np.ndarray) -> np.ndarray:
    """How much joints of poses (T, K, 3) shake: the median over joints of |p[t-1] - 2 p[t] + p[t+1]|, in torso lengths.

    (T,) float32; NaN in the first and last frame and where no joint is seen in three frames on end.
    """
    out = np.full(len(poses), np.nan, np.float32)
    if len(poses) < 3:
        return out
    seen = poses[..., 2] > THRESHOLD
    all_three = seen[:-2] & seen[1:-1] & seen[2:]
    second = np.linalg.norm(poses[:-2, :, :2] - 2 * poses[1:-1, :, :2] + poses[2:, :, :2], axis=-1) / _usual_torso(poses)
    for t in np.flatnonzero(all_three.any(-1)):
        out[t + 1] = np.median(second[t, all_three[t]])
    return out


def person_switches(poses: np.ndarray, times: np.ndarray) -> list[int]:
    """Frames at which the pose seems to jump to another person.

    A jump is a move of neck, shoulders and hips (their median) by more than 0.75 torso lengths plus 6 torso lengths for each second
    passed, at most 6.75: faster than people run.

    Args:
        poses: (T, K, 3) as estimated, before smoothing.
        times: (T,) seconds.

    Returns:
        Numbers of the first frames after a jump.
    """
    joints = [NECK, *TORSO_JOINTS]
    seen = (poses[:, joints, 2] > THRESHOLD)
    frames = np.flatnonzero(seen.sum(-1) >= 2)
    usual, found = _usual_torso(poses), []
    for before, after in zip(frames[:-1], frames[1:]):
        both = seen[before] & seen[after]
        if not both.any():
            continue
        move = np.median(np.linalg.norm(poses[after][joints, :2] - poses[before][joints, :2], axis=-1)[both]) / usual
        if move > .75 + 6 * min(times[after] - times[before], 1.):
            found.append(int(after))
    return found


def picture_cuts(still: np.ndarray) -> list[int]:
    """Frames at which the whole picture changes at once, as where two recordings are joined.

    That is a change by at least 8 gray levels and by six times the usual change within 12 frames around. In one take of a camera that
    stands, or follows a person, it is at most 7 levels and four times (14 clips of people).

    Args:
        still: (T,) mean absolute difference to the frame before, in gray levels; the first one does not count.
    """
    found = []
    for t in range(1, len(still)):
        around = np.concatenate([still[max(1, t - AROUND):t], still[t + 1:t + 1 + AROUND]])
        around = around[around >= REPEATED]
        usual = float(np.median(around)) if len(around) else 0.
        if still[t] >= CUT_LEVELS and still[t] > CUT_TIMES * (usual + .5):
            found.append(t)
    return found


def left_right_swaps(poses: np.ndarray) -> list[int]:
    """Frames at which left and right of the limbs seem to be exchanged.

    So it seems where exchanging the sides of all limb joints makes the step from the frame before less than half as long, and the step
    is longer than 0.25 torso lengths.

    Args:
        poses: (T, K, 3) as estimated.
    """
    limbs, found = np.array(LIMB_JOINTS), []
    mirrored = poses[:, MIRROR_JOINT]
    usual = _usual_torso(poses)
    for t in range(1, len(poses)):
        seen = (poses[t - 1, limbs, 2] > THRESHOLD) & (poses[t, limbs, 2] > THRESHOLD) & (mirrored[t, limbs, 2] > THRESHOLD)
        if seen.sum() < 4:
            continue
        chosen = limbs[seen]
        step = np.linalg.norm(poses[t, chosen, :2] - poses[t - 1, chosen, :2], axis=-1).mean() / usual
        swapped = np.linalg.norm(mirrored[t, chosen, :2] - poses[t - 1, chosen, :2], axis=-1).mean() / usual
        if step > .25 and swapped < step / 2:
            found.append(t)
    return found


def border_contact(mask: np.ndarray, inside: tuple[int, int, int, int]) -> np.ndarray:
    """Which sides of the source picture a person is cut off by.

    Args:
        mask: (H, W) float.
        inside: x0, y0, x1, y1, the part of the clip's frame that shows the source picture rather than repeated border.

    Returns:
        (4,) bool for left, top, right, bottom: more than 2 % of the side, and at least 3 pixels, are person.
    """
    x0, y0, x1, y1 = inside
    person = mask[y0:y1, x0:x1] > .5
    if not person.size:
        return np.zeros(4, bool)
    sides = person[:, 0], person[0], person[:, -1], person[-1]
    return np.array([side.sum() > max(.02 * len(side), 2) for side in sides])


def mask_agreement(mask: np.ndarray, pose: np.ndarray) -> float:
    """Share of a pose's joints inside the frame that lie on the mask, (H, W), (K, 3) -> [0, 1]; NaN without such joints."""
    height, width = mask.shape
    x, y = np.rint(pose[pose[:, 2] > THRESHOLD, :2]).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return float((mask[y[inside], x[inside]] > .5).mean()) if inside.any() else float('nan')


@dataclass
class Quality:
    """What was measured of one clip; :meth:`as_dict` goes into its manifest."""

    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    numbers: dict = field(default_factory=dict)

    def as_dict(self) -> dict:
        return dict(verdict='warnings' if self.warnings else 'ok', warnings=self.warnings, notes=self.notes, **self.numbers)


def describe_frames(frames: list[int], limit: int = 6) -> str:
    """``3, 5-9, 20 and 4 more places`` for a list of frame numbers."""
    runs = []
    for t in frames:
        if runs and t == runs[-1][1] + 1:
            runs[-1][1] = t
        else:
            runs.append([t, t])
    text = ', '.join(str(a) if a == b else f'{a}-{b}' for a, b in runs[:limit])
    return text + (f' and {len(runs) - limit} more places' if len(runs) > limit else '')


def measure_poses(
        raw: np.ndarray, clean: np.ndarray, times: np.ndarray, people: np.ndarray, still: np.ndarray, gaps: list[int]) -> Quality:
    """Measure a clip from its poses in source pixels.

    Args:
        raw, clean: (T, K, 3) poses as estimated and as cleaned.
        times: (T,) seconds.
        people: (T,) number of people; -1 where not counted.
        still: (T,) mean absolute difference to the frame before, in gray levels.
        gaps: frames before which source frames are missing.

    Shaking is measured at 15 frames a second and more only: at lower rates second differences are motion.
    """
    quality, total = Quality(), len(raw)
    seen = present(raw)
    coverage = joint_coverage(raw)
    shake, shake_clean = jitter(raw), jitter(clean)
    switches, swaps = person_switches(raw, times), left_right_swaps(raw)
    cuts = picture_cuts(still)
    boxes = person_boxes(raw)
    sizes = (boxes[:, 3] - boxes[:, 1])[seen]
    repeated = [int(t) for t in np.flatnonzero(still[1:] < REPEATED) + 1]
    several = [int(t) for t in np.flatnonzero(people > 1)]
    counted = int((people >= 0).sum())
    quality.numbers = dict(
        frames=total, presence=round(float(seen.mean()), 4), joint_coverage={n: round(float(c), 3) for n, c in zip(JOINTS, coverage)},
        jitter=_median(shake), jitter_cleaned=_median(shake_clean), dropped=gaps, repeated=repeated, cuts=cuts, switches=switches,
        swaps=swaps, several_people=several, people_counted_in=counted,
        person_height=round(float(np.median(sizes)), 1) if len(sizes) else 0.)
    absent = [int(t) for t in np.flatnonzero(~seen)]
    if absent:
        quality.warnings.append(
            f'the person is not seen in {len(absent)} of {total} frames ({describe_frames(absent)}): leaves the frame, or is missed by '
            'the pose estimator')
    if several:
        quality.warnings.append(
            f'two or more people in {len(several)} of {counted} frames looked at ({describe_frames(several)}); one of them is '
            'followed (--follow says whom); crop the others away if the pictures below jump between them')
    if cuts:
        quality.warnings.append(
            f'the whole picture changes at once at frame {describe_frames(cuts)}: a cut, after which somebody else may be seen; '
            'prepare each part by itself (--start, --end)')
    if switches:
        quality.warnings.append(f'the pose may jump to another person at frame {describe_frames(switches)}; see the pictures')
    if len(swaps) > 1:
        quality.warnings.append(f'left and right of the body seem to be exchanged at frame {describe_frames(swaps)}')
    if (quality.numbers['jitter'] or 0) > .08 and total > 1 and (times[-1] - times[0]) / (total - 1) < .07:
        quality.warnings.append(
            f'poses shake by {quality.numbers["jitter"]:.3f} torso lengths a frame as estimated (after smoothing '
            f'{quality.numbers["jitter_cleaned"]:.3f}); below 0.03 is steady')
    if gaps:
        quality.warnings.append(f'source frames are missing before frame {describe_frames(gaps)}; motion jumps there')
    if len(repeated) > .1 * total:
        quality.warnings.append(f'{len(repeated)} of {total} frames repeat the one before; choose a lower rate (--fps)')
    rare = [n.replace('_', ' ') for n, c in zip(JOINTS, coverage) if c < .5]
    if rare:
        quality.notes.append(f'seen in less than half of the frames: {", ".join(rare)}')
    return quality


def _median(values: np.ndarray) -> float | None:
    values = values[~np.isnan(values)]
    return round(float(np.median(values)), 4) if len(values) else None
