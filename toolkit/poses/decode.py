"""From heatmaps and part affinity fields to people: peaks, limb scores, the greedy parser, and one person followed through a clip.

Map coordinates are cells; cell i of a map of stride s has its center at pixel ``(i + 0.5) * s - 0.5``.
Source: Cao et al. 2017, section 3; thresholds as in its released code.
"""

from dataclasses import dataclass

import numpy as np

from toolkit.skeletons import DRAWN_LIMBS, LIMB_PAFS, LIMBS, K, scale_points

SAMPLES = 10
MIN_FIELD = 0.05
MIN_ALONG = 0.8
MIN_JOINTS = 4
MIN_MEAN_SCORE = 0.4
SURE_JOINTS = 6
SURE_PROMINENCE = 0.3
REACH, REACH_GROWTH = 0.5, 0.2


@dataclass
class Person:
    """One person of one frame.

    Attributes:
        pose: (18, 3) float32, x, y and confidence; 0 = missing.
        score: sum of the scores of its joints and limbs.
        id: number by which a tracker tells people apart through the clip, or None.
    """

    pose: np.ndarray
    score: float
    id: int | None = None

    @property
    def size(self) -> float:
        """Diagonal of the box around the joints; 0 without any."""
        points = self.pose[self.pose[:, 2] > 0, :2]
        return float(np.hypot(*np.ptp(points, axis=0))) if len(points) else 0.

    @property
    def prominence(self) -> float:
        """Score times size."""
        return self.score * self.size


def cell_to_pixel(cells: np.ndarray, stride: float = 8) -> np.ndarray:
    """Map coordinates to pixels of the picture the map was made from: ``(cells + 0.5) * stride - 0.5``."""
    return scale_points(cells, stride)


def refine_peak(heat: np.ndarray, x: int, y: int) -> tuple[float, float]:
    """Place a peak between cells by a parabola through the logarithms of its neighbors (exact for a Gaussian).

    Args:
        heat: (h, w).
        x: column of the peak.
        y: row of the peak.

    Returns:
        x, y in cells; at the border of the map the coordinate stays whole.
    """
    def offset(before: float, center: float, after: float) -> float:
        before, center, after = np.log(np.maximum([before, center, after], 1e-3))
        curvature = before - 2 * center + after
        return float(np.clip(0.5 * (before - after) / curvature, -0.5, 0.5)) if curvature < -1e-6 else 0.0

    height, width = heat.shape
    dx = offset(*heat[y, x - 1:x + 2]) if 0 < x < width - 1 else 0.0
    dy = offset(*heat[y - 1:y + 2, x]) if 0 < y < height - 1 else 0.0
    return x + dx, y + dy


def find_peaks(heat: np.ndarray, threshold: float = 0.1) -> list[np.ndarray]:
    """Local maxima of each joint's heatmap: not below their 8 neighbors (of equal neighbors one) and above the threshold.

    Args:
        heat: (18, h, w).
        threshold: smallest value of a peak.

    Returns:
        For each joint an (N, 3) float array of x, y (cells) and value.
    """
    height, width = heat.shape[1:]
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    is_peak = heat > threshold
    for index, (dy, dx) in enumerate(np.ndindex(3, 3)):
        neighbor = padded[:, dy:dy + height, dx:dx + width]
        if index != 4:
            is_peak &= heat > neighbor if index < 4 else heat >= neighbor
    peaks = []
    for joint, where in enumerate(is_peak):
        found = [(*refine_peak(heat[joint], x, y), heat[joint, y, x]) for y, x in np.argwhere(where)]
        peaks.append(np.array(found, np.float64).reshape(-1, 3))
    return peaks


def limb_support(paf: np.ndarray, limb: int, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How well the affinity field of a limb runs from each start to each end.

    Args:
        paf: (38, h, w).
        limb: index into :data:`toolkit.skeletons.LIMBS`.
        starts: (N, 3) candidates for the first joint, cells.
        ends: (M, 3) candidates for the second joint, cells.

    Returns:
        (N, M, 10): at ten points of the line, the field's component along it.
    """
    vector = ends[None, :, :2] - starts[:, None, :2]
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    points = starts[:, None, None, :2] + np.linspace(0, 1, SAMPLES)[:, None] * vector[:, :, None]
    height, width = paf.shape[1:]
    x, y = np.clip(points[..., 0], 0, width - 1), np.clip(points[..., 1], 0, height - 1)
    x0, y0 = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    u, v = x - x0, y - y0
    field = paf[list(LIMB_PAFS[limb])]
    field = (field[:, y0, x0] * (1 - u) + field[:, y0, x1] * u) * (1 - v) + (field[:, y1, x0] * (1 - u) + field[:, y1, x1] * u) * v
    direction = vector / np.maximum(length, 1e-6)
    return field[0] * direction[:, :, None, 0] + field[1] * direction[:, :, None, 1]


def _connect(paf: np.ndarray, limb: int, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int, float]]:
    """Greedy one-to-one connections of a limb, best first, as (start, end, score)."""
    if not len(starts) or not len(ends):
        return []
    support = limb_support(paf, limb, starts, ends)
    distance = np.linalg.norm(ends[None, :, :2] - starts[:, None, :2], axis=-1)
    score = support.mean(-1) + np.minimum(0.5 * paf.shape[1] / np.maximum(distance, 1e-6) - 1, 0)
    accepted = ((support > MIN_FIELD).mean(-1) > MIN_ALONG) & (score > 0)
    connections = []
    for i, j in sorted(np.argwhere(accepted), key=lambda pair: -score[tuple(pair)]):
        if all(i != a and j != b for a, b, _ in connections):
            connections.append((int(i), int(j), float(score[i, j])))
    return connections


def parse_people(heat: np.ndarray, paf: np.ndarray, threshold: float = 0.1) -> list[Person]:
    """Greedy multi-person parser.

    Args:
        heat: (18, h, w) joint heatmaps.
        paf: (38, h, w) part affinity fields.
        threshold: smallest value of a peak.

    Returns:
        People with at least four joints and a mean score of 0.4, highest total score first; coordinates in cells. Joints that no
        accepted limb reaches, but whose strongest free peak has some field support towards the person, are added
        (see :func:`complete`).
    """
    peaks = find_peaks(heat, threshold)
    groups: list[dict[int, int]] = []
    scores: list[float] = []
    for limb, (a, b) in enumerate(LIMBS):
        for i, j, score in _connect(paf, limb, peaks[a], peaks[b]):
            score_a, score_b = peaks[a][i, 2], peaks[b][j, 2]
            matches = [g for g, group in enumerate(groups) if group.get(a) == i or group.get(b) == j]
            if not matches and limb < DRAWN_LIMBS:
                groups.append({a: i, b: j})
                scores.append(score_a + score_b + score)
            elif len(matches) == 1:
                group = groups[matches[0]]
                if a not in group or b not in group:
                    scores[matches[0]] += score + (score_b if a in group else score_a)
                    group.setdefault(a, i)
                    group.setdefault(b, j)
            elif len(matches) == 2 and not groups[matches[0]].keys() & groups[matches[1]].keys():
                groups[matches[0]] |= groups.pop(matches[1])
                scores[matches[0]] += scores.pop(matches[1]) + score
    kept = [(s, g) for s, g in zip(scores, groups) if len(g) >= MIN_JOINTS and s / len(g) >= MIN_MEAN_SCORE]
    kept.sort(key=lambda item: -item[0])
    used = [{group[joint] for _, group in kept if joint in group} for joint in range(K)]
    people = []
    for score, group in kept:
        pose = np.zeros((K, 3), np.float32)
        for joint, peak in group.items():
            pose[joint] = peaks[joint][peak]
        people.append(Person(complete(pose, peaks, used, paf), float(score)))
    return people


def complete(pose: np.ndarray, peaks: list[np.ndarray], used: list[set[int]], paf: np.ndarray) -> np.ndarray:
    """Add missing joints of a person from free peaks that some limb's field supports.

    Args:
        pose: (18, 3) in cells.
        peaks: of :func:`find_peaks`.
        used: for each joint the peaks that belong to people; peaks taken here are added.
        paf: (38, h, w).

    Returns:
        (18, 3), a new array.
    """
    pose = pose.copy()
    for limb, ends in enumerate(LIMBS[:DRAWN_LIMBS]):
        for missing, known in (ends, ends[::-1]):
            free = [i for i in range(len(peaks[missing])) if i not in used[missing]]
            if pose[missing, 2] > 0 or pose[known, 2] == 0 or not free:
                continue
            best = max(free, key=lambda i: peaks[missing][i, 2])
            anchors = {missing: peaks[missing][best:best + 1], known: pose[None, known].astype(np.float64)}
            if limb_support(paf, limb, anchors[ends[0]], anchors[ends[1]]).mean() > MIN_FIELD:
                pose[missing] = peaks[missing][best]
                used[missing].add(best)
    return pose


def pose_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Median distance of the joints both poses have; infinite if there is none. Arguments: (18, 3) each."""
    shared = (a[:, 2] > 0) & (b[:, 2] > 0)
    return float(np.median(np.linalg.norm(a[shared, :2] - b[shared, :2], axis=-1))) if shared.any() else float('inf')


def count_people(people: list[Person]) -> int:
    """How many people a frame shows for certain: the most prominent one and those with six joints and 30 % of its prominence."""
    if not people:
        return 0
    return max(len(sure_people(people)), 1)


def sure_people(people: list[Person], share: float = SURE_PROMINENCE, joints: int = SURE_JOINTS) -> list[Person]:
    """People of a frame with so many joints and this share of the prominence of the most prominent one."""
    largest = max((p.prominence for p in people), default=0)
    return [p for p in people if (p.pose[:, 2] > 0).sum() >= joints and p.prominence >= share * largest]


def follow_person(people: list[list[Person]], chosen: tuple[int, Person] | None = None) -> np.ndarray:
    """Choose the most prominent person of a clip and stay with them.

    The clip is followed forwards and backwards from the frame that shows somebody most prominently. In each frame the person
    with the same ``id`` is taken; where there is none, the person nearest to the last known pose, if their median joint distance is
    below half of the known person's size; else the frame has nobody. The reach grows while the person is lost, so that they
    are found again elsewhere. An ``id`` that two people of one frame have tells nobody apart and does not count.

    Args:
        people: for each frame the people found.
        chosen: number of a frame and the person of it to follow; None takes the most prominent one.

    Returns:
        (T, 18, 3) float32; frames without the person are all zero.
    """
    poses = np.zeros((len(people), K, 3), np.float32)
    prominence = [max((p.prominence for p in frame), default=0.0) for frame in people]
    if not any(prominence):
        return poses
    start = int(np.argmax(prominence))
    start, first = chosen or (start, max(people[start], key=lambda p: p.prominence))
    useless = {None, *(p.id for frame in people for i, p in enumerate(frame) if p.id in [other.id for other in frame[:i]])}
    poses[start] = first.pose
    for order in (range(start + 1, len(people)), range(start - 1, -1, -1)):
        known, lost = first, 0
        for t in order:
            same = [p for p in people[t] if p.id == known.id and p.id not in useless]
            candidates = same or people[t]
            distances = [pose_distance(p.pose, known.pose) for p in candidates]
            lost += 1
            if same or min(distances, default=np.inf) < REACH * known.size * (1 + (lost - 1) * REACH_GROWTH):
                known, lost = candidates[int(np.argmin(distances))], 0
                poses[t] = known.pose
    return poses
