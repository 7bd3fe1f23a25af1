"""Control of colors on made-up means and pictures."""

import numpy as np
import pytest

from toolkit.metrics.color_control import color_response, delta_e, leaks, monotonicity, region_mean

WANTED = np.array([[30., -40], [10, 0], [-20, 5]])


@pytest.mark.parametrize('share', [1, 0.5, 0, -0.25])
def test_response_is_the_share_delivered(share):
    assert color_response(share * WANTED, WANTED) == pytest.approx(share)


def test_response_ignores_what_goes_sideways_and_what_is_not_seen():
    assert color_response(WANTED @ [[0, 1], [-1, 0]], WANTED) == pytest.approx(0)
    hidden = np.array([[np.nan, np.nan]])
    assert color_response(np.concatenate([WANTED, hidden]), np.concatenate([WANTED, 1 + 0 * hidden])) == pytest.approx(1)
    assert np.isnan(color_response(np.zeros((2, 2)), np.zeros((2, 2))))


def test_region_mean_is_weighted():
    picture = np.zeros((2, 1, 3, 2))
    picture[0, 0] = [[1, 10], [4, 40], [100, 100]]
    weights = np.array([[[1, .5, 0]], [[0, 0, 0]]])
    np.testing.assert_allclose(region_mean(picture, weights)[0], [2, 20])
    assert np.isnan(region_mean(picture, weights)[1]).all()


def test_delta_e_is_euclidean():
    assert delta_e([50, 3, 0], [50, 0, 4]) == 5 and delta_e([[1., 2]], [[1, 2]]).tolist() == [0]


def test_leaks_are_counted_where_they_are():
    first = np.zeros((1, 2, 2, 3))
    second = first.copy()
    second[0, 0, 0] = 0, 3, 4
    second[0, 0, 1] = 1, 0, 0
    top, bottom = (np.zeros((1, 2, 2), bool) for _ in range(2))
    top[:, 0], bottom[:, 1] = True, True
    assert leaks(first, second, dict(top=top, bottom=bottom)) == dict(top=(6.0, 2), bottom=(0.0, 2))


def test_monotonicity():
    straight = np.linspace([0, 0], [10, -5], 6)
    assert monotonicity(straight[None]) == 1
    assert monotonicity(straight[None, [0, 2, 1, 3, 5]]) == 0.75
    assert monotonicity(np.ones((3, 4, 2))) == 0
