import numpy as np
import pytest

from toolkit.metrics.statistics import bootstrap_ci


def test_same_on_every_call_and_other_for_another_seed():
    values = np.random.default_rng(0).normal(size=30)
    assert bootstrap_ci(values) == bootstrap_ci(values)
    assert bootstrap_ci(values) != bootstrap_ci(values, seed=1)


def test_close_to_the_normal_interval():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = bootstrap_ci(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_narrower_for_less_confidence():
    values = np.arange(20.0)
    wide, narrow = bootstrap_ci(values), bootstrap_ci(values, confidence=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_equal_values_have_no_width():
    assert bootstrap_ci([3.0, 3.0, 3.0]) == (3.0, 3.0)


@pytest.mark.parametrize('values', [[], [1.0]])
def test_one_clip_has_no_interval(values):
    assert bootstrap_ci(values) is None


@pytest.mark.parametrize('confidence', [0, 1, 95])
def test_refuses_impossible_confidence(confidence):
    with pytest.raises(ValueError, match='between 0 and 1'):
        bootstrap_ci([1.0, 2.0], confidence=confidence)
