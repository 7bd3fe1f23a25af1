"""Probes of codes: exact on codes that say everything or nothing."""

import numpy as np
import pytest

from toolkit.metrics.latent_probes import (
    distance_correlation,
    distance_rank_correlation,
    grouped_r2,
    hue_correlation,
    linear_accuracy,
    neighbor_r2,
    principal_components,
    r_squared,
    ridge_predict,
    ridge_r2,
)


def split(values, at=300):
    return values[:at], values[at:]


@pytest.fixture
def linear():
    """Colors and codes of which they are linear functions, 300 to fit on and 100 to test."""
    rng = np.random.default_rng(0)
    colors = rng.uniform(-60, 60, (400, 2))
    return [*split(colors @ rng.normal(size=(2, 5)) + 3), *split(colors)]


def test_linear_codes_are_read_completely(linear):
    codes, test_codes, colors, test_colors = linear
    assert ridge_r2(codes, colors, test_codes, test_colors) == pytest.approx(1, abs=1e-4)
    assert neighbor_r2(codes, colors, test_codes, test_colors) > 0.95
    assert grouped_r2(codes, colors, np.arange(300) % 7) == pytest.approx(1, abs=1e-4)


def test_noise_says_nothing(linear):
    _, _, colors, test_colors = linear
    codes, test_codes = split(np.random.default_rng(1).normal(size=(400, 5)))
    assert abs(ridge_r2(codes, colors, test_codes, test_colors)) < 0.1
    assert neighbor_r2(codes, colors, test_codes, test_colors) < 0.1
    constant, test_constant = np.ones((300, 3)), np.ones((100, 3))
    assert ridge_r2(constant, colors, test_constant, test_colors) == pytest.approx(0, abs=0.05)


def test_r_squared_of_mean_and_opposite():
    targets = np.array([[0., 1], [2, 3], [4, 5]])
    assert r_squared(targets, targets) == 1
    assert r_squared(np.tile(targets.mean(0), (3, 1)), targets) == 0
    assert r_squared(targets[::-1], targets) == -3
    assert np.isnan(r_squared(targets, np.ones((3, 2))))


def test_ridge_is_the_closed_form():
    codes, targets = np.array([[-1.], [1]]), np.array([[0.], [4]])
    np.testing.assert_allclose(ridge_predict(codes, targets, np.array([[3.], [0]]), ridge=0), [[8], [2]])
    np.testing.assert_allclose(ridge_predict(codes, targets, np.array([[1.]]), ridge=1), [[3]])


def test_a_nonlinear_code_is_found_by_neighbors_alone():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, 1000)
    codes, targets = np.stack([np.cos(angle), np.sin(angle)], 1), np.cos(3 * angle)[:, None]
    arrays = codes[:800], targets[:800], codes[800:], targets[800:]
    assert abs(ridge_r2(*arrays)) < 0.1 and neighbor_r2(*arrays) > 0.98


def test_groups_are_held_out():
    """Codes that tell groups apart but order them at random do well only where a group was seen."""
    rng = np.random.default_rng(0)
    groups = np.arange(200) % 4
    codes, targets = np.eye(4)[groups] + 0.01 * rng.normal(size=(200, 4)), rng.normal(size=(4, 1))[groups]
    assert ridge_r2(codes, targets, codes, targets) > 0.99 > 0 > grouped_r2(codes, targets, groups)
    assert np.isnan(grouped_r2(codes, targets, np.zeros(200)))


def test_persons_in_codes():
    labels = np.array(['ann', 'bob', 'cem'])[np.arange(300) % 3]
    rng = np.random.default_rng(0)
    told = np.eye(3)[np.arange(300) % 3] + 0.1 * rng.normal(size=(300, 3))
    assert linear_accuracy(told, labels, told, labels) == 1
    noise = rng.normal(size=(600, 3))
    assert linear_accuracy(noise[:300], labels, noise[300:], labels) == pytest.approx(1 / 3, abs=0.1)
    assert np.isnan(linear_accuracy(told, ['ann'] * 300, told, ['ann'] * 300))


def test_distance_correlation_is_one_for_a_turned_copy_and_small_for_noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 3))
    turned = 7 * x @ np.linalg.qr(rng.normal(size=(3, 3)))[0] - 4
    assert distance_correlation(x, turned) == pytest.approx(1)
    assert distance_rank_correlation(x, turned) == pytest.approx(1)
    other = rng.normal(size=(1000, 3))
    assert distance_correlation(x, other) < 0.12 and abs(distance_rank_correlation(x, other)) < 0.05
    assert distance_correlation(x, np.ones((1000, 2))) == distance_rank_correlation(x, np.ones((1000, 2))) == 0
    assert distance_correlation(x[:, :1], x[:, :1]**2) > 0.3, 'dependence without correlation is seen too'


def test_distance_correlation_by_hand():
    """Two points that are two points: exactly 1; three collinear against an equilateral triangle, by the definition."""
    assert distance_correlation(np.array([[0.], [1]]), np.array([[5.], [9]])) == pytest.approx(1)
    x, y = np.array([[0.], [1], [2]]), np.array([[0., 0], [1, 0], [0.5, np.sqrt(0.75)]])
    a, b = np.abs(x - x.T), 1 - np.eye(3)
    a, b = (d - d.mean(0) - d.mean(1)[:, None] + d.mean() for d in (a, b))
    assert distance_correlation(x, y) == pytest.approx(np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean())))


def test_hues():
    angle = np.random.default_rng(0).uniform(-np.pi, np.pi, 500)
    first = 30 * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert hue_correlation(first, 2 * first) == pytest.approx(1)
    assert hue_correlation(first, first @ [[0, 1], [-1, 0]]) == pytest.approx(1)
    assert hue_correlation(first, first * [1, -1]) == pytest.approx(-1)
    assert abs(hue_correlation(first, np.random.default_rng(1).permutation(first))) < 0.1


def test_principal_components():
    rng = np.random.default_rng(0)
    colors = rng.normal(size=(500, 2)) * [3, 1]
    points, shares = principal_components(-colors @ np.linalg.qr(rng.normal(size=(4, 4)))[0][:2] + 5, colors)
    np.testing.assert_allclose(shares, [0.9, 0.1], atol=0.02)
    assert np.corrcoef(points[:, 0], colors[:, 0])[0, 1] > 0.99 and np.corrcoef(points[:, 1], colors[:, 1])[0, 1] > 0.99
    points, shares = principal_components(np.arange(5.)[:, None])
    assert shares.tolist() == [1, 0] and not points[:, 1].any()


@pytest.mark.parametrize('codes, targets', [
    (np.ones((3, 2)), np.ones((4, 2))), (np.ones((1, 2)), np.ones((1, 2))), (np.ones(3), np.ones((3, 1))),
    (np.full((3, 2), np.nan), np.ones((3, 1)))])
def test_bad_shapes_are_refused(codes, targets):
    with pytest.raises(ValueError):
        ridge_predict(codes, targets, np.ones((2, 2)))
