"""Textures in F: what a reference shows under the target's pose, the empty scene, and who is refused."""

from contextlib import nullcontext

import pytest
import torch

from tests.warpers.test_part_affine import make_pose
from toolkit.colors.lab import rgb_to_lab
from toolkit.generators.deformable import DeformableGenerator
from toolkit.masks.geometry import body_scale
from toolkit.masks.parts import part_labels
from toolkit.model_parts.feature_maps import FeatureMaps
from toolkit.model_parts.textures import NOISE, Textures, _reduced, steadied
from toolkit.structures import InputError
from toolkit.warpers.part_affine import PartAffineWarper, Warp

H, W = 96, 64


def batch_of(scale=2, shift=0, references=1, frames=2):
    """A person in a picture of smooth colors; the target stands ``shift`` pixels to the right of the references."""
    pose = make_pose()
    mask = torch.zeros(H * scale, W * scale)
    mask[8 * scale:84 * scale, 16 * scale:50 * scale] = 1
    large = pose[0].numpy().copy()
    large[:, :2] = large[:, :2] * scale + (scale - 1) / 2
    parts = torch.from_numpy(part_labels(large, mask.numpy()))
    y, x = torch.meshgrid((torch.arange(H * scale) + .5) / scale, (torch.arange(W * scale) + .5) / scale, indexing='ij')
    colors = torch.stack([x / W, y / H, (x + y) / (W + H)])
    moved = pose[0].clone()
    moved[:, 0] += shift
    lead = 1, frames, references
    return dict(
        poses=moved.expand(1, frames, -1, -1), pose_maps=torch.zeros(1, frames, 3, H, W),
        reference_frames=(2 * colors - 1).expand(*lead, -1, -1, -1), reference_parts=parts.expand(*lead, 1, -1, -1),
        reference_poses=pose[0].expand(*lead, -1, -1), plate=torch.full((1, 3, H, W), .25)), colors


@pytest.mark.parametrize('scale', [1, 2])
@pytest.mark.parametrize('shift', [0, 5])
def test_a_reference_lies_where_its_person_moved(scale, shift):
    batch, colors = batch_of(scale, shift)
    found = Textures(1, True)(batch)
    assert found.shape == (1, 2, 7, H, W)
    truth = torch.nn.functional.avg_pool2d(colors[None], scale)[0]
    inside = found[0, 0, 3] > .99
    assert inside[30:45, 24 + shift:36 + shift].all() and not inside[:, :10].any()
    truth = torch.roll(truth, shift, -1)
    assert (found[0, 0, :3] - truth)[:, inside].abs().max() < .01
    assert torch.equal(found[0, 1, 4:], batch['plate'][0])


def test_little_movement_is_taken_for_an_error_of_joints_and_much_is_not():
    source = make_pose()
    scale = float(body_scale(source)[0])
    for way, alone, together in ((.1 * NOISE, .0099, .0385), (NOISE, .5, .8), (10 * NOISE, .990, .9975)):
        lifted, moved = source.clone(), source.clone()
        lifted[:, 4, 1] -= way * scale
        moved[..., 0] += way * scale
        went = (steadied(source, lifted) - source)[0, 4, 1] / (-way * scale)
        assert abs(went - alone) < .06, 'one joint; a part of its way counts as that of all'
        torch.testing.assert_close((steadied(source, moved) - source)[0, :, 0] / (way * scale), torch.full((18,), together), atol=1e-3,
                                   rtol=1e-2)
    target = source.clone()
    target[0, 4], target[0, 7, 2] = target[0, 4] + 1, 0
    source[0, 4] = 0
    assert torch.equal(steadied(source, target)[0, [4, 7]], target[0, [4, 7]]), 'joints that only one of them has stay'
    assert torch.equal(steadied(source, torch.zeros_like(source)), torch.zeros_like(source))


def test_what_a_reference_shows_fades_towards_its_rim():
    batch, _ = batch_of(1)
    coverage = Textures(1, False)(batch)[0, 0, 3]
    row = coverage[34, 12:24].tolist()
    assert row == sorted(row) and any(.1 < value < .9 for value in row)


def test_every_reference_has_its_channels():
    batch, _ = batch_of(references=2)
    batch['reference_frames'] = batch['reference_frames'].clone()
    batch['reference_frames'][:, :, 1] = -1
    found = Textures(2, False)(batch)
    assert found.shape[2] == 8
    assert found[:, :, :3].max() > .5 and found[:, :, 4:7].max() == 0
    assert torch.equal(found[:, :, 3], found[:, :, 7])


def test_garments_keep_no_more_than_their_lightness():
    batch, colors = batch_of(1)
    garments = torch.zeros(1, 2, 1, 2, H, W)
    garments[..., 0, 30:40, :] = 1
    batch['reference_garments'] = garments
    plain, gray = Textures(1, False)(batch)[0, 0], Textures(1, False, lightness=True)(batch)[0, 0]
    assert gray.shape[0] == 6 and torch.equal(gray[3], plain[3])
    inside = plain[3] > .999
    worn = inside.clone()
    worn[:30] = worn[40:] = False
    (gray_lab, plain_lab), elsewhere = (rgb_to_lab(maps[:3].movedim(0, -1)) for maps in (gray, plain)), inside & ~worn
    assert worn.sum() > 50 and gray_lab[worn][:, 1:].abs().max() < .05
    torch.testing.assert_close(gray_lab[worn][:, 0], plain_lab[worn][:, 0], atol=.05, rtol=0)
    assert torch.equal(gray[:3, elsewhere], plain[:3, elsewhere]) and (gray[4, worn] > .999).all() and not gray[5].any()
    with pytest.raises(InputError, match='gives no reference_garments: set references=dict\\(count=1, garments=True\\)'):
        del batch['reference_garments']
        Textures(1, False, lightness=True)(batch)
    with pytest.raises(InputError, match='texture_lightness is about references'):
        FeatureMaps(texture_lightness=True)


def test_f_ends_with_the_textures():
    maps = FeatureMaps(references=1, plate=True, edge_channel='none')
    assert (maps.map_channels, maps.channels) == (3, 10)
    assert set(maps.target_keys) == {'reference_frames', 'reference_parts', 'reference_poses'}
    batch, _ = batch_of()
    assert torch.equal(maps(batch)[:, :, 3:], maps.textures(batch))


def test_poses_may_be_on_the_cpu_beside_pictures_on_a_device(monkeypatch):
    """As in training on a GPU. The device here computes shapes alone; the warper and autocast, which do not know it, are left out."""
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())
    batch, _ = batch_of(references=2)
    batch = {key: value if key.endswith('poses') else value.to('meta') for key, value in batch.items()}
    monkeypatch.setattr(PartAffineWarper, 'forward', lambda self, maps, *others: Warp(maps, maps[:, :1], None))
    found = Textures(1, True, fill=True)(batch)
    assert found.is_meta and found.shape == (1, 2, 7, H, W)


@pytest.mark.parametrize('change, message', [
    (lambda batch: batch.pop('plate'), 'gives no plate: set references=dict\\(count=1\\) and plate=True'),
    (lambda batch: batch.pop('reference_poses'), 'gives no reference_poses'),
    (lambda batch: batch.update(reference_poses=batch['reference_poses'].repeat(1, 1, 3, 1, 1)), 'references=1, but .* gives 3'),
    (lambda batch: batch.update(reference_frames=batch['reference_frames'][..., :-8, :]), '184x128, .* 96x64')])
def test_a_batch_without_what_is_needed_is_refused(change, message):
    batch, _ = batch_of()
    change(batch)
    with pytest.raises(InputError, match=message):
        Textures(1, True)(batch)


def test_a_negative_number_of_references_is_refused():
    with pytest.raises(InputError, match='references=-1'):
        FeatureMaps(references=-1)


@pytest.mark.parametrize('size, small', [((24, 16), (12, 8)), ((24, 18), (8, 6)), ((24, 16), (10, 7))])
def test_a_reduced_picture_is_that_of_area_interpolation_to_the_bit(size, small):
    torch.manual_seed(0)
    maps = torch.rand(2, 3, *size)
    torch.testing.assert_close(_reduced(maps, small), torch.nn.functional.interpolate(maps, size=small, mode='area'), rtol=0, atol=0)


def test_a_warper_that_takes_over_the_row_before_is_refused():
    """Rows of its batch are frames of other windows and references: a torso would move as somebody else's."""
    warper = dict(type='PartAffineWarper', consecutive=True)
    for key, build in (
            ('feature_maps.warper', lambda: FeatureMaps(warper)), ('feature_maps.texture_warper', lambda: Textures(2, False, warper)),
            ('model.generator.warper', lambda: DeformableGenerator(ngf=4, n_down=2, warper=dict(warper, mask_space='target')))):
        with pytest.raises(InputError, match=f'^{key}: consecutive=True takes over the transform of the row before'):
            build()
