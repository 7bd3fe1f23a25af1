"""Percentage of correct keypoints: does the generated person stand as the poses asked?"""

import inspect
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log

from toolkit.fingerprints import part_fingerprint
from toolkit.metrics.base import ClipMetric, Definition, Measure, check_against, compared_with
from toolkit.metrics.pictures import person_box
from toolkit.registry import METRICS, POSE_ESTIMATORS, at_hand
from toolkit.skeletons import L_HIP, LIMB_JOINTS, R_SHOULDER, K, scale_points
from toolkit.structures import InputError, MissingWeightsError

PERSON_HEIGHT = 256
LONGEST_SIDE = 1280
ESTIMATORS = ('MediaPipePose', 'ConvolutionalPoseMachine')
JOINT_SETS = {'limbs': LIMB_JOINTS, 'all': tuple(range(K))}


def torso_diagonal(poses: np.ndarray) -> np.ndarray:
    """Distance (T,) from right shoulder to left hip of poses (T, K, 3), in pixels; 0 where one is missing."""
    present = (poses[:, R_SHOULDER, 2] > 0) & (poses[:, L_HIP, 2] > 0)
    return np.linalg.norm(poses[:, R_SHOULDER, :2] - poses[:, L_HIP, :2], axis=-1) * present


def box_size(mask: np.ndarray) -> np.ndarray:
    """Longer side (T,) float32 in pixels of the box of each mask (T, H, W) bool (Yang and Ramanan 2013); 0 for an empty mask."""
    sizes = np.zeros(len(mask), np.float32)
    for t in np.flatnonzero(mask.any((1, 2))):
        top, bottom, left, right = person_box(mask[t])
        sizes[t] = max(bottom - top, right - left)
    return sizes


def correct_keypoints(detected: np.ndarray, target: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which joints were found where they should be.

    Args:
        detected: (T, K, 3); confidence 0 = not found, and not found is wrong.
        target: (T, K, 3); a joint with confidence 0 is not asked for.
        radius: (T,) in pixels; a joint nearer than this is correct. Frames with radius 0 do not count.

    Returns:
        ``correct`` and ``valid``, both (T, K) bool: valid joints count, and correct ones are valid.

    Raises:
        ValueError: shapes do not fit.
    """
    if detected.shape != target.shape or radius.shape != target.shape[:1]:
        raise ValueError(f'poses must be (T, K, 3) and radius (T,), got {detected.shape}, {target.shape} and {radius.shape}')
    valid = (target[..., 2] > 0) & (radius[:, None] > 0)
    near = np.linalg.norm(detected[..., :2] - target[..., :2], axis=-1) < radius[:, None]
    return valid & near & (detected[..., 2] > 0), valid


def count_joints(state: dict, key: str, correct: np.ndarray, valid: np.ndarray) -> None:
    """Add frames to the counts of a clip.

    Args:
        state: where counts are kept.
        key: of these counts.
        correct, valid: of :func:`correct_keypoints`.
    """
    counts = np.array([correct.sum(), valid.sum(), valid.any(1).sum()], np.int64)
    state['joints', key] = state.get(('joints', key), 0) + counts


def share_of_joints(state: dict, key: str, reason: str) -> Measure:
    """Correct joints of all valid ones, as :func:`count_joints` counted them; no value, for ``reason``, where none is valid."""
    correct, valid, frames = map(int, state['joints', key])
    return Measure(correct / valid, frames, valid) if valid else Measure(None, reason=reason)


def detection_size(frames: np.ndarray, mask: np.ndarray, person: float | None = None) -> tuple[int, int]:
    """Height and width at which to look for joints: pose networks need the person about 256 pixels high.

    Args:
        frames: (T, H, W, 3).
        mask: (T, H, W) bool; the median height of its boxes is the person's.
        person: height of the person in the whole clip, where these frames are a part of it.

    Returns:
        The frame's size, or larger by one factor, up to a longest side of 1280.
    """
    height, width = frames.shape[1:3]
    heights = [bottom - top for top, bottom, _, _ in (person_box(m) for m in mask if m.any())] if person is None else [person]
    wanted = PERSON_HEIGHT / np.median(heights) if heights else 1
    factor = max(1.0, min(wanted, LONGEST_SIDE / max(height, width)))
    return round(height * factor), round(width * factor)


class Follower:
    """A pose estimator on its way through one clip, called with one part after the other.

    Args:
        estimator: one that offers ``track`` (frames one by one -> poses one by one, without looking ahead) finds what it finds in
            the whole clip. Another is called part by part: where several people are in view it chooses anew in each part.
    """

    def __init__(self, estimator: Callable[[np.ndarray], np.ndarray]) -> None:
        self.estimator, self._waiting = estimator, deque()
        self._poses = estimator.track(self._frames()) if hasattr(estimator, 'track') else None

    def _frames(self) -> Iterator[np.ndarray]:
        while self._waiting:
            yield self._waiting.popleft()

    def __call__(self, frames: np.ndarray, **guide: np.ndarray) -> np.ndarray:
        if guide or self._poses is None:
            return self.estimator(frames, **guide)
        found = []
        for frame in frames:
            self._waiting.append(frame)
            found.append(next(self._poses))
        return np.stack(found)


def detect(estimator: Callable[[np.ndarray], np.ndarray], frames: np.ndarray, mask: np.ndarray, person: float | None = None,
           follower: Follower | None = None) -> np.ndarray:
    """Poses in a clip, found at :func:`detection_size` and given in the clip's own pixels.

    An estimator that looks inside a box, such as ``ConvolutionalPoseMachine``, is told where the real person is: by itself it does not
    find a person who is a small part of the picture.

    Args:
        estimator: a ``POSE_ESTIMATORS`` part; it is given ``masks`` if it takes them.
        frames: (T, H, W, 3) uint8 RGB.
        mask: (T, H, W) bool, the real person.
        person: see :func:`detection_size`.
        follower: of the clip, where the frames are a part of it; else the estimator starts afresh.

    Returns:
        (T, K, 3) float32.
    """
    height, width = detection_size(frames, mask, person)
    scale = np.array([frames.shape[2] / width, frames.shape[1] / height], np.float32)
    if (height, width) != frames.shape[1:3]:
        frames = np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in frames])
    guide = {}
    if 'masks' in inspect.signature(getattr(estimator, 'forward', estimator)).parameters:
        guide['masks'] = np.stack([cv2.resize(m.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) for m in mask])
    poses = np.array((follower or estimator)(frames, **guide), np.float32)
    poses[..., :2] = scale_points(poses[..., :2], scale)
    poses[poses[..., 2] <= 0] = 0
    return poses


def first_available(estimators: Sequence[str | dict]) -> tuple[Callable | None, str]:
    """Build the first estimator that can be had.

    Args:
        estimators: names or configs of ``POSE_ESTIMATORS`` parts, best first.

    Returns:
        The estimator, and why the ones before it were passed over; None where there is none.
    """
    reasons = []
    for estimator in estimators:
        config = {'type': estimator} if isinstance(estimator, str) else estimator
        name = config['type']
        try:
            POSE_ESTIMATORS.get(name)
        except InputError as error:
            reasons.append(f'{str(error).split(". ")[0]} (is its plugin installed?)')
            continue
        if not at_hand(POSE_ESTIMATORS, name):
            reasons.append(f'{name}: what it needs is not installed')
            continue
        try:
            return POSE_ESTIMATORS.build(config), '; '.join(reasons)
        except (MissingWeightsError, ImportError) as error:
            reasons.append(f'{name}: {error}')
    return None, '; '.join(reasons) or 'no pose estimator was named'


def choose_estimator(estimators: Sequence[str | dict], pose_estimator: str | dict | None,
                 trained_against: Sequence[str]) -> tuple[Callable | None, str]:
    """The first estimator that can be had and that the model was not trained against.

    Args:
        estimators: names or configs of ``POSE_ESTIMATORS`` parts, best first.
        pose_estimator: the only one to take instead.
        trained_against: types of the pose networks of the model's losses, or their ``name``; they would flatter it.

    Returns:
        See :func:`first_available`.

    Raises:
        InputError: ``pose_estimator`` is one of ``trained_against``.
    """
    def name(estimator: str | dict) -> str:
        return estimator if isinstance(estimator, str) else estimator.get('type', '')

    def flatters(estimator: str | dict) -> bool:
        kind = name(estimator)
        return kind in trained_against or kind in POSE_ESTIMATORS and getattr(POSE_ESTIMATORS.get(kind), 'name', '') in trained_against

    if pose_estimator is not None:
        if flatters(pose_estimator):
            raise InputError(f'{name(pose_estimator)} may not measure this model, which was trained against it: it would flatter the '
                             f'model. Name another pose estimator, or several in estimators')
        return first_available([pose_estimator])
    biased = [name(e) for e in estimators if flatters(e)]
    estimator, reason = first_available([e for e in estimators if not flatters(e)])
    if biased:
        passed = f'{", ".join(biased)} may not measure this model, which was trained against it'
        reason = passed if len(biased) == len(estimators) else '; '.join(filter(None, [passed, reason]))
        print_log(passed, 'current', logging.WARNING)
    return estimator, reason


def named(estimator: Any) -> str:
    """What a definition says of a pose estimator: another version, or other weights, is another definition."""
    mark = part_fingerprint(estimator)
    return f'{estimator.name} ({", ".join([estimator.version, *([mark[:8]] if mark else [])])})'


@METRICS.register_module()
class PCK(ClipMetric):
    """Share of correct joints when a pose estimator looks at the generated frames.

    Correct is nearer to the conditioning pose than alpha x the torso diagonal (right shoulder to left hip of that pose), or than alpha
    x the longer side of the person's box (``box``). Only joints the conditioning pose has are asked for; one that is not found is
    wrong. ``ceiling_...`` is the same share for the *real* frames: what a perfect generator would get from this estimator. Small frames
    are enlarged until the person is 256 pixels high.

    The estimator must not be a network that the model was trained against.

    Args:
        estimators: names or configs of ``POSE_ESTIMATORS`` parts; the first that can be built is taken and named in the definitions.
        pose_estimator: name or config of the only one to take, instead of ``estimators``.
        trained_against: estimators that may not measure this model, see :func:`choose_estimator`; the engine fills it in.
        against: of a transfer: ``'real'`` compares with the poses of the true result where it is known, ``'input'`` with those of the
            video that was translated (the ceiling is then that of the input).
        alphas: fractions of the torso diagonal.
        box_alpha: fraction of the box's longer side.
        kwargs: of :class:`ClipMetric`.
    """

    default_prefix = 'pck'
    needs_height = True

    def __init__(self, estimators: Sequence[str | dict] = ESTIMATORS, pose_estimator: str | dict | None = None,
                 alphas: Sequence[float] = (0.1, 0.2), box_alpha: float = 0.05, trained_against: Sequence[str] = (),
                 against: str = 'real', **kwargs) -> None:
        super().__init__(**kwargs)
        check_against(against, 'PCK')
        self.against = against
        self.estimator, reason = choose_estimator(estimators, pose_estimator, trained_against)
        self.missing = '' if self.estimator else f'no pose estimator: {reason}'
        who = named(self.estimator) if self.estimator else 'a pose estimator'
        self._scores = [(f'{joints}@{alpha}', joints, 'torso', alpha) for alpha in alphas for joints in JOINT_SETS]
        self._scores.append((f'all_box@{box_alpha}', 'all', 'box', box_alpha))
        pose = 'conditioning pose' if against == 'real' else "input's pose"
        for prefix, frames in (('', 'generated'), ('ceiling_', 'REAL' if against == 'real' else 'INPUT')):
            for key, joints, reference, alpha in self._scores:
                length = 'torso diagonal' if reference == 'torso' else "longer side of the person's box"
                what = '12 arm and leg joints' if joints == 'limbs' else f'all {K} joints'
                self.definitions[prefix + key] = Definition(
                    f'share of {what} found in {frames} frames by {who} within {alpha} x {length} of the {pose}',
                    '' if prefix else 'higher', 'joints')

    def update(self, state: dict, sample: dict) -> None:
        """Look for joints in the next frames and count them."""
        sample = compared_with(sample, self.against)

        def found(key: str) -> np.ndarray:
            follower = state.setdefault(('follower', key), Follower(self.estimator))
            return detect(self.estimator, sample[key], sample['mask'], sample.get('person_height'), follower)

        detections = {'': found('generated'), 'ceiling_': self.of_real('poses', sample, lambda: found('real'))}
        references, scored = {'torso': torso_diagonal(sample['poses']), 'box': box_size(sample['mask'])}, sample['scored']
        for prefix, detected in detections.items():
            for key, joints, reference, alpha in self._scores:
                chosen = list(JOINT_SETS[joints])
                count_joints(state, prefix + key, *correct_keypoints(
                    detected[scored][:, chosen], sample['poses'][scored][:, chosen], alpha * references[reference][scored]))

    def compute(self, state: dict) -> dict[str, Measure]:
        """Shares over all valid joints of the clip."""
        reason = 'no scored frame has the joints (right shoulder, left hip) or mask that give the scale'
        return {key: share_of_joints(state, key, reason) for key in self.definitions}
