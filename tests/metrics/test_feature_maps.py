"""L1 and edge F1 of feature maps, on edges drawn by hand."""

import numpy as np
import pytest

from toolkit.metrics.feature_maps import FeatureMapError, edge_f1


def column(*at, width=12, value=255):
    """(1, 10, width) edge map with lines in some columns."""
    edges = np.zeros((1, 10, width), np.uint8)
    edges[:, :, list(at)] = value
    return edges


@pytest.mark.parametrize('estimated, real, tolerance, expected', [
    ((3,), (3,), 0, 1), ((3,), (4,), 0, 0), ((3,), (4,), 1, 1), ((3,), (5,), 1.9, 0), ((3,), (5,), 2, 1), ((), (), 0, 1),
    ((3,), (), 5, 0), ((), (3,), 5, 0), ((3, 8), (3,), 0, 2 / 3), ((3,), (3, 8), 0, 2 / 3), ((1, 3, 5, 7), (3,), 0, 0.4)])
def test_f1_of_lines(estimated, real, tolerance, expected):
    assert edge_f1(column(*estimated), column(*real), tolerance=tolerance)[0] == pytest.approx(expected)


def test_threshold():
    assert edge_f1(column(3, value=52), column(3))[0] == 1
    assert edge_f1(column(3, value=51), column(3))[0] == 0
    assert edge_f1(column(3, value=51), column(3), threshold=0.19)[0] == 1


def test_exact_f1_equals_scikit_learns_definition():
    rng = np.random.default_rng(0)
    estimated, real = (rng.integers(0, 256, (3, 20, 30)).astype(np.uint8) for _ in range(2))
    e, r = estimated > 51, real > 51
    dice = 2 * (e & r).sum((1, 2)) / (e.sum((1, 2)) + r.sum((1, 2)))
    np.testing.assert_allclose(edge_f1(estimated, real), dice)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match='one shape'):
        edge_f1(column(3), column(3, width=13))


def sample(**extra):
    """Three frames; the first is the content frame and far off."""
    real = np.zeros((3, 10, 12, 4), np.uint8)
    real[..., 3] = column(3)
    features = real.copy()
    features[0] = 255
    features[1:, ..., 0] = 30
    features[2, ..., 3] = column(4)
    pictures = np.zeros((3, 10, 12, 3), np.uint8)
    return dict(clip='c', generated=pictures, real=pictures, mask=np.ones((3, 10, 12), bool), poses=np.zeros((3, 18, 3)),
                scored=np.array([False, True, True]), **(extra or dict(features=features, real_features=real)))


def test_metric_by_hand():
    row = FeatureMapError(tolerance=0.1).measure(sample())['measures']
    values = {key: measure['value'] for key, measure in row.items()}
    edge = 2 * 255 / 12 / 2  # two of twelve columns are wrong in one of two frames
    assert values == pytest.approx(dict(l1=(30 + edge) / 4, pose_l1=10, edge_l1=edge, edge_f1=0.5, edge_f1_near=1.0))
    assert {m['frames'] for m in row.values()} == {2}


def test_a_model_without_maps_has_no_value():
    row = FeatureMapError().measure(sample(features_of_nobody=None))['measures']
    assert row['edge_f1']['value'] is None and 'no feature maps' in row['edge_f1']['reason']
