"""Holes of pictures, filled from the rest of them."""

import cv2
import numpy as np
import pytest

from toolkit.datasets import completion
from toolkit.datasets.completion import LIGHTER, complete


def hole_in(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    hole[rows, columns] = True
    return hole


def emptied(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with something in the hole that is nowhere else."""
    return np.where(hole[..., None], np.uint8((255, 0, 255)), picture)


def blurred(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return cv2.inpaint(picture, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)


def difference(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other)[where].mean())


@pytest.fixture
def planks() -> np.ndarray:
    """(96, 128, 3): boards of 8 pixels, each with its line."""
    picture = np.full((96, 128, 3), (180, 150, 110), np.uint8)
    picture[:, ::8] = (60, 40, 30)
    picture[:, 1::8] = (210, 190, 150)
    return picture


def test_a_pattern_goes_on(planks):
    hole = hole_in(96, 128, slice(30, 66), slice(40, 80))
    found = complete(emptied(planks, hole), hole)
    assert difference(found, planks, hole) < 1 < 10 < difference(blurred(planks, hole), planks, hole)


@pytest.mark.parametrize('rows, columns', [(slice(60, 96), slice(0, 30)), (slice(0, 30), slice(100, 128))])
def test_a_pattern_goes_on_to_the_rim(planks, rows, columns):
    hole = hole_in(96, 128, rows, columns)
    assert difference(complete(emptied(planks, hole), hole), planks, hole) < 3


def test_what_is_known_stays(planks):
    hole = hole_in(96, 128, slice(10, 90), slice(20, 100))
    given = emptied(planks, hole)
    before = given.copy()
    found = complete(given, hole)
    np.testing.assert_array_equal(found[~hole], planks[~hole])
    np.testing.assert_array_equal(given, before)
    assert found.dtype == np.uint8


def test_a_horizon_stays_a_line():
    rng = np.random.default_rng(3)
    picture = np.full((96, 128, 3), (170, 180, 200), np.uint8)
    picture[60:] = (90, 120, 60)
    picture = (picture + rng.integers(-6, 7, (96, 128, 1))).astype(np.uint8)
    hole = hole_in(96, 128, slice(20, 86), slice(50, 80))
    green = complete(emptied(picture, hole), hole)[..., 1].astype(int) < 150
    assert green[64:, 50:80].all()
    assert not green[:56, 50:80].any()


def test_light_that_falls_off_has_no_seam():
    light = np.linspace(60, 220, 128)
    picture = np.repeat(np.repeat(light[None, :, None], 96, 0), 3, 2).round().astype(np.uint8)
    hole = hole_in(96, 128, slice(20, 80), slice(40, 90))
    found = complete(emptied(picture, hole), hole)
    assert np.abs(np.diff(found[..., 0].astype(int), axis=1)).max() <= 8
    assert difference(found, picture, hole) < 6


def test_colors_are_those_of_the_rest():
    rng = np.random.default_rng(0)
    picture = rng.choice(np.uint8([[20, 30, 40], [200, 190, 30]]), (90, 70))
    hole = hole_in(90, 70, slice(20, 70), slice(25, 50))
    found = complete(emptied(picture, hole), hole)[hole].astype(float)
    near = [np.abs(found - color).max(1) <= LIGHTER + 1 for color in ((20, 30, 40), (200, 190, 30))]
    assert (near[0] | near[1]).all()
    assert .2 < near[0].mean() < .8


def test_the_same_twice(planks):
    hole = hole_in(96, 128, slice(30, 66), slice(40, 80))
    np.testing.assert_array_equal(complete(planks, hole), complete(emptied(planks, hole), hole))


@pytest.mark.parametrize('rows, columns', [
    (slice(60, 96), slice(0, 40)), (slice(0, 20), slice(100, 128)), (slice(0, 96), slice(50, 80)), (slice(5, 6), slice(7, 8)),
    (slice(0, 96), slice(0, 100)), (slice(95, 96), slice(0, 128))])
def test_holes_anywhere(planks, rows, columns):
    hole = hole_in(96, 128, rows, columns)
    found = complete(emptied(planks, hole), hole)
    np.testing.assert_array_equal(found[~hole], planks[~hole])
    assert not (found[hole] == (255, 0, 255)).all(-1).any()


@pytest.mark.parametrize('height, width', [(97, 127), (63, 201), (33, 31)])
def test_odd_sizes(height, width):
    picture = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    hole = hole_in(height, width, slice(8, 25), slice(10, 22))
    np.testing.assert_array_equal(complete(picture, hole)[~hole], picture[~hole])


def test_without_a_hole(planks):
    found = complete(planks, np.zeros((96, 128), bool))
    np.testing.assert_array_equal(found, planks)
    assert found is not planks


@pytest.mark.parametrize('rows', [slice(0, 96), slice(6, 90)])
def test_without_a_patch_to_take_from_around(planks, rows):
    hole = hole_in(96, 128, rows, slice(3, 125))
    np.testing.assert_array_equal(complete(planks, hole), blurred(planks, hole))


def test_a_thin_frame_of_a_large_picture_from_around():
    picture = np.random.default_rng(4).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    hole = hole_in(400, 400, slice(10, 390), slice(10, 390))
    np.testing.assert_array_equal(complete(picture, hole), blurred(picture, hole))


def test_a_pixel_that_no_patch_suits_gets_a_mean():
    hole = hole_in(64, 64, slice(20, 30), slice(20, 30)) | hole_in(64, 64, slice(50, 51), slice(50, 51))
    level = completion._Level.of(np.full((64, 64, 4), 200, np.float32), hole)
    alone = np.abs(np.stack(np.divmod(level.targets, 64), 1) - 50).max(1) <= completion.HALF
    cost = np.where(alone, np.float32(1e6), np.float32(0))
    completion._paint(level, np.full(len(level.targets), 8 * 64 + 8), cost)
    np.testing.assert_allclose(level.values[hole], 200, atol=1e-2)


def test_tiny_pictures_from_around():
    picture = np.random.default_rng(2).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    hole = hole_in(12, 10, slice(4, 8), slice(3, 7))
    np.testing.assert_array_equal(complete(picture, hole), blurred(picture, hole))
