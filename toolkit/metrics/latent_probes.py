"""What codes say about colors, persons and poses: probes on arrays, each an exact function of its inputs.

Sources: ridge probes as usual for representations; distance correlation (Szekely et al. 2007); circular correlation (Fisher and Lee
1983).
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

RIDGE = 1e-3
DISTANCE_SAMPLES = 2000


def ridge_predict(codes: np.ndarray, targets: np.ndarray, test_codes: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """Linear prediction of targets from codes, fitted by least squares with a small penalty on the slopes.

    Args:
        codes: (N, D) to fit on; each dimension is standardized by its own mean and spread.
        targets: (N, M).
        test_codes: (L, D).
        ridge: penalty for each sample, on slopes of standardized codes; the intercept is free.

    Returns:
        (L, M) float64.

    Raises:
        ValueError: shapes do not fit, fewer than two samples, or numbers that are not finite.
    """
    codes, targets, test_codes = _matrix('codes', codes), _matrix('targets', targets), _matrix('test codes', test_codes)
    if len(codes) != len(targets) or codes.shape[1] != test_codes.shape[1] or len(codes) < 2:
        raise ValueError(f'a probe needs at least 2 codes (N, D), targets (N, M) and test codes (L, D), got {codes.shape}, '
                         f'{targets.shape} and {test_codes.shape}')
    mean, spread = codes.mean(0), codes.std(0)
    spread = np.where(spread > 1e-9, spread, 1)
    x, middle = (codes - mean) / spread, targets.mean(0)
    slopes = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(x.shape[1]), x.T @ (targets - middle))
    return (test_codes - mean) / spread @ slopes + middle


def r_squared(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Share of the targets' variance that a prediction explains, all dimensions of both (L, M) together.

    1 is a perfect prediction, 0 one as good as the mean of these targets, below 0 a worse one; NaN where the targets do not vary.
    """
    targets = _matrix('targets', targets)
    total = np.square(targets - targets.mean(0)).sum()
    return float(1 - np.square(_matrix('predictions', predicted) - targets).sum() / total) if total > 0 else float('nan')


def ridge_r2(codes: np.ndarray, targets: np.ndarray, test_codes: np.ndarray, test_targets: np.ndarray) -> float:
    """:func:`r_squared` on test samples of :func:`ridge_predict` fitted on others."""
    return r_squared(ridge_predict(codes, targets, test_codes), test_targets)


def neighbor_r2(codes: np.ndarray, targets: np.ndarray, test_codes: np.ndarray, test_targets: np.ndarray) -> float:
    """:func:`r_squared` of the mean target of the ten nearest codes; also finds what is not coded linearly."""
    codes, test_codes, targets = _matrix('codes', codes), _matrix('test codes', test_codes), _matrix('targets', targets)
    nearest = np.argsort(_distances(test_codes, codes), 1, kind='stable')[:, :10]
    return r_squared(targets[nearest].mean(1), test_targets)


def grouped_r2(codes: np.ndarray, targets: np.ndarray, groups: Sequence) -> float:
    """Cross-validated :func:`ridge_r2` of codes (N, D) and targets (N, M): no probe has seen anything of a sample's group.

    ``groups`` are N labels, for example persons, dealt out to at most five folds in sorted order. NaN for fewer than two groups.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return float('nan')
    codes, targets = _matrix('codes', codes), _matrix('targets', targets)
    fold, predicted = member % min(5, len(names)), np.empty(targets.shape)
    for number in range(fold.max() + 1):
        held = fold == number
        predicted[held] = ridge_predict(codes[~held], targets[~held], codes[held])
    return r_squared(predicted, targets)


def linear_accuracy(codes: np.ndarray, labels: Sequence, test_codes: np.ndarray, test_labels: Sequence) -> float:
    """Share of test samples whose label a linear probe (ridge on one-hot labels, largest wins) finds.

    Args:
        codes: (N, D).
        labels: N, of any kind that sorts.
        test_codes: (L, D).
        test_labels: L.

    Returns:
        In [0, 1]; chance is one over the number of labels where they are equally frequent. NaN for fewer than two labels.
    """
    names, number = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        return float('nan')
    scores = ridge_predict(codes, np.eye(len(names))[number], test_codes)
    return float((names[scores.argmax(1)] == np.asarray(test_labels)).mean())


def distance_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Distance correlation in [0, 1] of x (N, D) and y (N, M): 0 for independent samples (as N grows), or where one does not vary.

    1 where one is a scaled, turned, moved copy of the other. Of more than 2000 samples, 2000 evenly spread ones are taken.
    """
    a, b = (_centered(_distances(v, v)) for v in (_thinned(x), _thinned(y)))
    spread = np.sqrt(np.square(a).mean() * np.square(b).mean())
    return float(np.sqrt(max((a * b).mean(), 0) / spread)) if spread > 0 else 0.0


def distance_rank_correlation(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """Spearman correlation between the distances of 5,000 random pairs of samples in x (N, D) and in y (N, M).

    Samples paired with themselves are left out.

    Returns:
        In [-1, 1]; 0 where one of them does not vary.
    """
    x, y = _matrix('x', x), _matrix('y', y)
    first, second = np.random.default_rng(seed).integers(0, len(x), (2, 5000))
    first, second = first[first != second], second[first != second]
    of_x, of_y = (np.linalg.norm(v[first] - v[second], axis=1) for v in (x, y))
    return float(spearmanr(of_x, of_y).statistic) if np.ptp(of_x) > 0 and np.ptp(of_y) > 0 else 0.0


def hue_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Circular correlation in [-1, 1] of the hues of two sets of colors a, b (N, 2), which needs no mean direction.

    1 where one set of hues is the other, turned or not; -1 mirrored; near 0 unrelated.
    """
    hues = [np.arctan2(c[:, 1], c[:, 0]) for c in (_thinned(first), _thinned(second))]
    sines = [np.sin(h[:, None] - h[None]) for h in hues]
    spread = np.sqrt(np.square(sines[0]).sum() * np.square(sines[1]).sum())
    return float((sines[0] * sines[1]).sum() / spread) if spread > 0 else 0.0


def principal_components(codes: np.ndarray, orient: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first two components of a PCA, centered and not whitened.

    Args:
        codes: (N, D).
        orient: (N, >= 2) values, for example a, b; each component's sign is such that it correlates positively with its column.

    Returns:
        (N, 2) coordinates, zeros where there are fewer dimensions; and (2,) shares of the variance.
    """
    codes = _matrix('codes', codes)
    centered = codes - codes.mean(0)
    left, sizes, _ = np.linalg.svd(centered, full_matrices=False)
    points, shares = np.zeros((len(codes), 2)), np.zeros(2)
    there = min(2, len(sizes))
    points[:, :there] = left[:, :there] * sizes[:there]
    shares[:there] = np.square(sizes[:there]) / max(np.square(sizes).sum(), 1e-30)
    if orient is not None:
        orient = _matrix('orientation', orient)[:, :2]
        points *= np.where((points * (orient - orient.mean(0))).sum(0) < 0, -1, 1)
    return points, shares


def _matrix(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f'{name} must be a matrix of finite numbers, got shape {values.shape}')
    return values


def _thinned(values: np.ndarray) -> np.ndarray:
    values = _matrix('samples', values)
    if len(values) <= DISTANCE_SAMPLES:
        return values
    return values[np.linspace(0, len(values) - 1, DISTANCE_SAMPLES).astype(int)]


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T, 0))


def _centered(distances: np.ndarray) -> np.ndarray:
    return distances - distances.mean(0) - distances.mean(1)[:, None] + distances.mean()
