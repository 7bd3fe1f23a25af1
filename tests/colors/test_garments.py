"""Regions of clothes of a painted person."""

import numpy as np
import pytest

from toolkit.colors.garments import fit_garment_colors, garment_masks
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions


def masks_of(p):
    return garment_masks(p.parts, p.mask, p.frame, p.pose)


def shares(weights, p):
    """Mean weight on the true garment, and on skin."""
    return [float(w[g].mean()) for w, g in zip(weights, p.garments)], float(weights.sum(0)[p.skin].mean())


@pytest.mark.parametrize('shirt, trousers', [
    ((40, 70, 160), (60, 60, 62)), ((230, 230, 225), (30, 40, 90)), ((150, 20, 40), (190, 170, 120))])
@pytest.mark.parametrize('sleeves', ['short', 'long'])
def test_clothes_are_found_and_bare_arms_face_and_neck_are_not(paint_person, shirt, trousers, sleeves):
    p = paint_person(shirt, trousers, sleeves)
    (up, down), skin = shares(masks_of(p), p)
    assert up > .9 and down > .9 and skin < .08


def test_a_shirt_of_nearly_the_color_of_skin_is_still_found(paint_person):
    p = paint_person((225, 165, 110), (40, 50, 90), 'long')
    (up, down), _ = shares(masks_of(p), p)
    assert up > .8 and down > .9


def test_regions_are_disjoint_soft_and_stay_inside_the_mask(person):
    weights = masks_of(person)
    assert weights.shape == (2, *person.mask.shape) and weights.dtype == np.float32
    assert weights.min() == 0 and weights.max() <= 1 and weights.sum(0).max() <= 1 + 1e-5
    assert (weights[:, person.mask == 0] == 0).all()
    assert ((weights > 0) & (weights < .9)).any()


def test_upper_and_lower_do_not_mix(person):
    weights = masks_of(person)
    assert weights[1][person.garments[0]].mean() < .05 and weights[0][person.garments[1]].mean() < .05


def test_colors_learned_from_a_clip_and_mask_of_8_bits(person, clip):
    frames, parts, masks, poses = clip
    colors = fit_garment_colors(frames, parts, masks, poses)
    assert colors.face_seen and 50 < colors.skin[0] < 90
    as_float = garment_masks(person.parts, person.mask, person.frame, person.pose, colors)
    as_byte = garment_masks(person.parts, (person.mask * 255).astype(np.uint8), person.frame, person.pose, colors)
    np.testing.assert_allclose(as_float, as_byte, atol=1e-6)
    assert as_float[0][person.garments[0]].mean() > .9


@pytest.mark.parametrize('size', [(128, 96), (384, 256)])
def test_heads_and_hands_of_the_synthetic_people_stay_out(size):
    people = SyntheticActions(*size)
    for actor in (1, 4, 8):
        frame, pose, mask, parts = people.render(actor, 'squat', 10)
        weights = garment_masks(parts, mask, frame, pose)
        assert weights.sum(0)[parts == 2].mean() < .12
        assert weights[0][parts == 1].mean() > .75 and weights[1][(parts == 3) | (parts == 4)].mean() > .7


def test_nobody_has_no_clothes(person):
    assert garment_masks(person.parts, person.mask, person.frame, np.zeros((18, 3), np.float32)).max() == 0
    assert garment_masks(person.parts * 0, person.mask * 0, person.frame, person.pose).max() == 0


@pytest.mark.parametrize('missing', [range(14, 18), (0, 14, 15, 16, 17), (8, 11), (2,), range(8, 14)])
def test_missing_joints_are_survived(person, missing):
    pose = person.pose.copy()
    pose[list(missing)] = 0
    weights = garment_masks(person.parts, person.mask, person.frame, pose)
    assert np.isfinite(weights).all() and weights[0][person.garments[0]].mean() > .6


def test_wrong_shapes_are_refused(person):
    with pytest.raises(InputError, match='parts and mask'):
        garment_masks(person.parts[:-1], person.mask, person.frame, person.pose)
