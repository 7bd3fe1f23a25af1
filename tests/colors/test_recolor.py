"""The color augmentation."""

import numpy as np
import pytest

from toolkit.colors.anchors import Hints
from toolkit.colors.garments import fit_garment_colors
from toolkit.colors.lab_shift import LabShift
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.colors.recolor import Recolor, clip_garment_masks, recolor_frames
from toolkit.registry import COLORIZERS
from toolkit.structures import InputError


@pytest.fixture(scope='module')
def weights(clip):
    frames, parts, masks, poses = clip
    return clip_garment_masks(frames, parts, masks, poses, fit_garment_colors(frames, parts, masks, poses, 4))


@pytest.mark.parametrize('up, down', [((50, 30), None), (None, (-30, -20)), ((-40, 40), (45, -10))])
def test_lightness_stays_and_everything_outside_is_identical(clip, weights, up, down):
    frames = clip[0]
    new, records = recolor_frames(*clip, up=up, down=down)
    touched = (weights[0] > 0) * (up is not None) + (weights[1] > 0) * (down is not None) > 0
    np.testing.assert_array_equal(new[~touched], frames[~touched])
    change = np.abs(rgb8_to_lab(new)[..., 0] - rgb8_to_lab(frames)[..., 0]) * 2.55
    assert change.max() < .75
    assert [r.region for r in records] == [r for r, ab in (('up', up), ('down', down)) if ab is not None]


def test_the_region_gets_the_color_and_the_record_says_what_came_out(clip, weights):
    new, (record,) = recolor_frames(*clip, up=(20, 25))
    lab, inside = rgb8_to_lab(new), weights[0] > .99
    np.testing.assert_allclose(lab[inside][:, 1:].mean(0), (20, 25), atol=1.5)
    share = weights[0][..., None]
    np.testing.assert_allclose(record.realized, (lab[..., 1:] * share).sum((0, 1, 2)) / share.sum(), atol=.2)
    assert record.ab == (20, 25) and record.colorizer == 'LabShift' and not record.kept


def test_out_of_gamut_wishes_lose_chroma_not_lightness(clip):
    new, (record,) = recolor_frames(*clip, down=(-60, 70))
    assert np.hypot(*record.realized) < np.hypot(60, 70) * .6
    assert np.abs(rgb8_to_lab(new)[..., 0] - rgb8_to_lab(clip[0])[..., 0]).max() * 2.55 < 1


def test_shift_keeps_part_of_the_variation():
    ab = np.random.default_rng(0).normal((10, -5), 6, (8, 8, 2)).astype(np.float32)
    lab = np.concatenate([np.full((8, 8, 1), 50, np.float32), ab], -1)
    weight = np.ones((8, 8), np.float32)
    out = LabShift(kappa=.5)(lab, weight, (30, 40), Hints.empty())
    np.testing.assert_allclose(out.mean((0, 1)), (30, 40), atol=1e-3)
    np.testing.assert_allclose(out.std((0, 1)), ab.std((0, 1)) / 2, rtol=1e-4)


def test_a_colorizer_of_ones_own_needs_nothing_but_to_be_called(clip, weights):
    class Paint:
        def __call__(self, lab, weight, target_ab, hints):
            assert lab.shape == (*weight.shape, 3) == clip[0].shape[1:] and len(hints.points)
            return np.broadcast_to(np.float32(target_ab), (*weight.shape, 2))

    new, (record,) = recolor_frames(*clip, up=(20, 25), colorizer=Paint())
    np.testing.assert_allclose(rgb8_to_lab(new)[weights[0] > .99][:, 1:].mean(0), (20, 25), atol=1.5)
    _, drawn = Recolor('up', keep=0, colorizer=Paint())(*clip, np.random.default_rng(0))
    assert record.colorizer == drawn[0].colorizer == 'Paint'


def test_clip_wise_all_frames_get_the_same_colors_and_frame_wise_each_its_own(clip):
    _, same = Recolor('both', per='clip', keep=0)(*clip, np.random.default_rng(0))
    assert [r.region for r in same] == ['up', 'down'] and all(r.frame is None for r in same)
    new, own = Recolor('up', per='frame', keep=0)(*clip, np.random.default_rng(0))
    assert [r.frame for r in own] == [0, 1, 2] and len({r.ab for r in own}) == 3 and {r.region for r in own} == {'up'}
    for t, record in enumerate(own):
        inside = (np.abs(new[t].astype(int) - clip[0][t]).sum(-1) > 0)
        assert np.abs(rgb8_to_lab(new[t])[inside][:, 1:].mean(0) - record.realized).max() < 6


def test_same_seed_same_bits_and_sources_are_left_alone(clip):
    before = clip[0].copy()
    first, second = (Recolor('both')(*clip, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    np.testing.assert_array_equal(clip[0], before)


def test_kept_colors_change_no_bit(clip):
    new, records = Recolor('both', keep=1)(*clip, np.random.default_rng(0))
    np.testing.assert_array_equal(new, clip[0])
    assert all(r.kept and r.realized == r.ab for r in records)


def test_a_region_that_is_not_to_be_seen_has_no_record(clip):
    frames, parts, masks, _ = clip
    new, records = Recolor('both')(frames, parts, masks, np.zeros((3, 18, 3), np.float32), np.random.default_rng(0))
    assert records == []
    np.testing.assert_array_equal(new, frames)


def test_built_by_name_and_refusals(clip):
    assert isinstance(COLORIZERS.build(dict(type='LabShift', kappa=.3)), LabShift)
    with pytest.raises(InputError, match='region'):
        Recolor('left')
    with pytest.raises(InputError, match='per'):
        Recolor(per='video')
    with pytest.raises(InputError, match='uint8'):
        recolor_frames(clip[0] / 255., *clip[1:])
    with pytest.raises(InputError, match='masks'):
        recolor_frames(clip[0], clip[1], clip[2][:2], clip[3])
