"""Identity: does the generated person have the colors and the texture of the one they should be?"""

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.metrics.pck import ESTIMATORS, Follower, choose_estimator, detect, named
from toolkit.metrics.person_region import person_region
from toolkit.registry import METRICS
from toolkit.skeletons import torso_scale
from toolkit.structures import InputError, spread

REGIONS = ('detected', 'input')
KINDS = {'color': 3, 'texture': 8}
"""Statistics and the numbers they have for each pixel."""
ORIENTATIONS = 4
SCALES = (1.0, 2.0)
DIRECTIONS, QUANTILES = 64, 256
MOST_PIXELS = 20_000
KEPT_PIXELS = 2**19


def appearance(frame: np.ndarray) -> dict[str, np.ndarray]:
    """What a picture looks like at each pixel.

    Args:
        frame: (H, W, 3) uint8 RGB.

    Returns:
        ``color`` (H, W, 3) CIE L*a*b*, and ``texture`` (H, W, 8): how fast L* changes in four directions at two scales (Gaussian
        derivatives of 1 and 2 pixels), in L* a pixel.
    """
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    angles = np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS
    responses = []
    for scale in SCALES:
        smooth = cv2.GaussianBlur(lab[..., 0], (0, 0), scale, borderType=cv2.BORDER_REFLECT_101)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=1, scale=0.5) for dx, dy in ((1, 0), (0, 1)))
        responses += [np.abs(np.cos(angle) * across + np.sin(angle) * down) for angle in angles]
    return {'color': lab, 'texture': np.stack(responses, -1)}


def person_pixels(frames: Iterable[np.ndarray], poses: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """``color`` (N, 3) and ``texture`` (N, 8) of a person's pixels in frames (H, W, 3) uint8, see :func:`appearance`; N = 0 for nobody.

    ``poses`` (K, 3): :func:`toolkit.metrics.person_region.person_region` says which pixels count.
    """
    found = {kind: [np.zeros((0, size), np.float32)] for kind, size in KINDS.items()}
    for frame, pose in zip(frames, poses):
        region = person_region(pose, *frame.shape[:2])
        for kind, values in appearance(frame).items():
            found[kind].append(values[region])
    return {kind: np.concatenate(values) for kind, values in found.items()}


class PersonPixels:
    """Pixels of a person through a clip, so many that memory stays bounded: beyond 2^19 every second one is left out, and so on.

    Attributes:
        scored: frames that were scored.
    """

    def __init__(self) -> None:
        self.scored, self._step, self._skip, self._parts = 0, 1, 0, [person_pixels([], [])]

    def add(self, pixels: dict[str, np.ndarray]) -> None:
        """Add some of :func:`person_pixels`."""
        count = len(pixels['color'])
        self._parts.append({kind: values[self._skip::self._step] for kind, values in pixels.items()})
        self._skip = (self._skip - count) % self._step
        while sum(len(part['color']) for part in self._parts) > KEPT_PIXELS:
            everything = self.pixels()
            self._skip += self._step * (len(everything['color']) % 2)
            self._step *= 2
            self._parts = [{kind: np.ascontiguousarray(values[::2]) for kind, values in everything.items()}]

    def pixels(self) -> dict[str, np.ndarray]:
        """All that are kept."""
        return {kind: np.concatenate([part[kind] for part in self._parts]) for kind in KINDS}


def projected_quantiles(values: np.ndarray, directions: int = DIRECTIONS) -> np.ndarray:
    """A distribution as its quantiles along fixed random directions.

    Args:
        values: (N, D), N >= 1; of more than 20,000 every n-th is taken.
        directions: unit vectors, drawn once and for all for each D.

    Returns:
        (directions, QUANTILES) float64, at the middles of as many equal shares.
    """
    chosen = values[::max(1, len(values) // MOST_PIXELS)].astype(np.float64)
    axes = np.random.default_rng(0).normal(size=(directions, values.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return np.quantile(chosen @ axes.T, (np.arange(QUANTILES) + 0.5) / QUANTILES, axis=0).T


def sliced_wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Sliced 1-Wasserstein distance (Bonneel et al. 2015) of two results of :func:`projected_quantiles`.

    It is the mean over directions of the area between two quantile functions, in the unit of the values; 0 for equal distributions. A
    shift by a vector v counts with its mean length along a direction, |v| / 2 in three dimensions.
    """
    return float(np.abs(a - b).mean())


@METRICS.register_module()
class Identity(ClipMetric):
    """Sliced Wasserstein distances between the generated person's pixels and those of each person's training frames.

    ``color`` and ``texture`` are the distances to the target, ``..._source`` those to the person of the input, and ``..._share`` is
    target / (target + source): 0 is the target, 1 the source, 0.5 neither. ``..._truth`` is the target's distance from their own
    training frames where the true result is known: no transfer can be expected to be nearer. Distributions are compared, not where a
    color is: shirt and trousers exchanged would go unnoticed.

    Which pixels are the person's is said by a pose, for generated and real frames alike, since a segmentation network may find anything
    in a bad picture and would be one more thing to install. By default it is the pose that a pose estimator finds in the generated
    frame, so that a person in the wrong pose still counts as who they are (the pose is what PCK measures); frames in which it finds no
    torso are looked at where the input's person is.

    Args:
        region: 'detected', or 'input': always where the input's person is.
        estimators, pose_estimator, trained_against: who detects, see :class:`toolkit.metrics.pck.PCK`.
        frames: training frames of each person that are looked at, spread evenly.
        kwargs: of :class:`ClipMetric`.
    """

    default_prefix = 'identity'
    needs_domains = True
    needs_height = True

    def __init__(self, region: str = 'detected', estimators: Sequence[str | dict] = ESTIMATORS,
                 pose_estimator: str | dict | None = None, trained_against: Sequence[str] = (), frames: int = 96, **kwargs) -> None:
        super().__init__(**kwargs)
        if region not in REGIONS or frames < 1:
            raise InputError(f'Identity: region must be one of {", ".join(REGIONS)} and frames at least 1, got {region!r} and {frames}')
        self.estimator, reason = choose_estimator(estimators, pose_estimator, trained_against) if region == 'detected' else (None, '')
        self.frames = frames
        self.domains: dict[str, dict[str, np.ndarray]] = {}
        self.no_estimator = reason if region == 'detected' and self.estimator is None else ''
        self.missing = self.no_estimator or 'no training frames of the two persons were shown to this metric'
        where = "the input's pose" if self.estimator is None else f'the pose found by {named(self.estimator)}'
        self.definitions = {}
        for kind, what in (('color', 'L*a*b* colors'), ('texture', "|oriented derivatives of L*|")):
            text = f'sliced Wasserstein distance of {what} inside {where} to '
            share = f'distance of {what} to the target / (to the target + to the source); 0 is the target person, 1 the source'
            self.definitions |= {
                kind: Definition(f'{text}training frames of the target person', 'lower'),
                f'{kind}_source': Definition(f'{text}training frames of the source person', ''),
                f'{kind}_share': Definition(share, 'lower'),
                f'{kind}_truth': Definition(f'the same distance to the target of the TRUE frames, in their own poses, for {what}', '')}

    def fit(self, domains: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]) -> None:
        """Take the statistics of both persons.

        Args:
            domains: 'a' and 'b' -> frames, each with its pose; see :meth:`ClipMetric.fit`.

        Raises:
            InputError: no frame of a domain shows a torso.
        """
        if self.no_estimator:
            return
        self._real_cache.clear()
        for name, frames in domains.items():
            places = spread(len(frames), self.frames)
            pixels = person_pixels(*zip(*(frames[i] for i in places)))
            if not len(pixels['color']):
                raise InputError(f'Identity: no training frame of person {name.upper()} has shoulders and hips, between '
                                 f'which colors are compared: leave Identity out of the metrics')
            self.domains[name] = {kind: projected_quantiles(values) for kind, values in pixels.items()}
        self.missing = ''

    def update(self, state: dict, sample: dict) -> None:
        """Take the person's pixels of the next frames."""
        if 'direction' not in sample:
            return
        state['direction'], scored = sample['direction'], sample['scored']
        generated = state.setdefault('generated', PersonPixels())
        generated.scored += int(scored.sum())
        generated.add(person_pixels(sample['generated'][scored], self._poses(state, sample)[scored]))
        if sample.get('has_truth'):
            truth = self.of_real('truth', sample, lambda: person_pixels(sample['real'][scored], sample['poses'][scored]))
            state.setdefault('truth', PersonPixels()).add(truth)

    def compute(self, state: dict) -> dict[str, Measure]:
        """Distances of a clip to both persons."""
        if not state:
            return {key: Measure(None, reason='the clip is no transfer from one person to another') for key in self.definitions}
        source, target = state['direction']
        generated = self._distances(state['generated'])
        truth = self._distances(state['truth']) if 'truth' in state else {}
        measures = {}
        for kind in KINDS:
            own, other = generated.get((kind, target)), generated.get((kind, source))
            share = None if own is None or own + other == 0 else own / (own + other)
            values = {'': own, '_source': other, '_share': share, '_truth': truth.get((kind, target))}
            reasons = {'_truth': 'no truth'} if not truth else {}
            for suffix, value in values.items():
                reason = reasons.get(suffix, 'no torso in any frame')
                measures[kind + suffix] = Measure(None, reason=reason) if value is None else Measure(value, state['generated'].scored)
        return measures

    def _poses(self, state: dict, sample: dict) -> np.ndarray:
        """Where the person is in each generated frame."""
        given = sample['input']
        if self.estimator is None:
            return given['poses']
        follower = state.setdefault('follower', Follower(self.estimator))
        found = detect(self.estimator, sample['generated'], given['mask'], given.get('person_height'), follower)
        return np.where((torso_scale(found) > 0)[:, None, None], found, given['poses'])

    def _distances(self, person: PersonPixels) -> dict[tuple[str, str], float]:
        """(kind, domain) -> distance; empty where nobody is seen."""
        pixels = person.pixels()
        if not len(pixels['color']):
            return {}
        own = {kind: projected_quantiles(values) for kind, values in pixels.items()}
        return {(kind, name): sliced_wasserstein(own[kind], domain[kind]) for kind in KINDS for name, domain in self.domains.items()}
