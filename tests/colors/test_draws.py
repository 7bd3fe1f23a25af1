"""Draws of colors."""


import numpy as np
import pytest

from toolkit.colors.draws import ColorDraw, draw_color, hue_difference
from toolkit.colors.gamut import colors_of, is_in_gamut
from toolkit.structures import InputError


@pytest.mark.parametrize('lightness', [7.3, 35.5, 62.1, 91.8])
def test_draws_are_whole_numbers_in_gamut_and_in_the_chroma_range(lightness):
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, b = draw_color(rng, lightness, keep=0)
        assert isinstance(a, int) and isinstance(b, int)
        assert is_in_gamut(lightness, a, b) and 10 <= np.hypot(a, b) <= 80


def test_draws_are_uniform_on_the_grid():
    rng, colors = np.random.default_rng(0), colors_of(60)
    chroma = np.hypot(colors[:, 0], colors[:, 1])
    expected = (colors[(chroma >= 10) & (chroma <= 80)][:, 0] > 0).mean()
    drawn = np.mean([draw_color(rng, 60., keep=0)[0] > 0 for _ in range(1500)])
    assert abs(drawn - expected) < .05


def test_keep_probability_and_seed():
    kept = np.mean([draw_color(np.random.default_rng(i), 50., keep=.3) is None for i in range(600)])
    assert abs(kept - .3) < .07
    assert draw_color(np.random.default_rng(3), 50.) == draw_color(np.random.default_rng(3), 50.)


def test_a_kept_color_takes_as_much_from_the_generator_as_a_drawn_one():
    first, second = np.random.default_rng(0), np.random.default_rng(0)
    draw_color(first, 50., keep=1)
    draw_color(second, 50., keep=0)
    assert first.random() == second.random()


def test_hues_that_are_to_be_avoided():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert hue_difference(draw_color(rng, 60., keep=0, avoid=[(40, 0), (0, -40)], hue_gap=30), (40, 0)) >= 30
    assert hue_difference((1, 0), (-1, .0)) == 180 and hue_difference((1, -.1), (1, .1)) < 12


def test_nearly_black_clothes_get_the_most_there_is():
    a, b = draw_color(np.random.default_rng(0), 1.2, chroma=(40, 80), keep=0)
    assert 0 < np.hypot(a, b) < 40


def test_refusals():
    with pytest.raises(InputError, match='chroma'):
        draw_color(np.random.default_rng(0), 50., chroma=(50, 20))
    with pytest.raises(InputError, match="'up' or 'down'"):
        ColorDraw(0, 0, 50, 'left')
