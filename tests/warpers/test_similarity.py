"""Maps scaled and moved with a person."""

import pytest
import torch

from toolkit.warpers.similarity import rescale_maps


def peak(map_):
    """(x, y) of the center of mass of a map."""
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in map_.shape), indexing='ij')
    return [float((map_ * c).sum() / map_.sum()) for c in (columns, rows)]


def blob(x, y, size=64, sigma=2.5):
    rows, columns = torch.meshgrid(torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64), indexing='ij')
    return torch.exp(-((columns - x)**2 + (rows - y)**2) / (2 * sigma**2))[None, None]


def test_equal_bodies_change_nothing():
    maps = torch.randn(2, 3, 8, 12)
    anchor = torch.tensor([20.0, 30.0, 40.0])
    torch.testing.assert_close(rescale_maps(maps, anchor, anchor, cell=8), maps, atol=1e-5, rtol=1e-5)


def test_whole_cells_of_movement_are_exact_and_nothing_comes_from_outside():
    maps = torch.randn(1, 2, 6, 7)
    moved = rescale_maps(maps, torch.tensor([10.0, 20.0, 50.0]), torch.tensor([10.0 + 2 * 8, 20.0 - 8, 50.0]), cell=8)
    expected = torch.zeros_like(maps)
    expected[..., :5, 2:] = maps[..., 1:, :5]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('cell', [1.0, 8.0])
def test_a_point_goes_where_the_formula_says(cell):
    source, target = torch.tensor([30.0, 50.0, 40.0]) * cell, torch.tensor([26.0, 52.0, 50.0]) * cell
    x, y = 34.0, 30.0
    pixel = [(v + 0.5) * cell - 0.5 for v in (x, y)]
    wanted = [1.25 * (p - float(s)) + float(t) for p, s, t in zip(pixel, source, target)]
    wanted = [(w + 0.5) / cell - 0.5 for w in wanted]
    moved = rescale_maps(blob(x, y), source, target, cell)[0, 0]
    assert peak(moved) == pytest.approx(wanted, abs=0.02)
    assert float(moved.sum() / blob(x, y).sum()) == pytest.approx(1.25**2, rel=0.02)


def test_the_way_back_is_the_inverse():
    source, target = torch.tensor([30.0, 50.0, 40.0]), torch.tensor([34.0, 46.0, 48.0])
    there = rescale_maps(blob(32, 30), source, target)
    torch.testing.assert_close(rescale_maps(there, target, source), blob(32, 30), atol=0.05, rtol=0)
