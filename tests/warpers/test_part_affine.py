"""The warper: exact cases, agreement with a per-part OpenCV loop, gradients, batches, devices."""

import cv2
import numpy as np
import pytest
import torch

from toolkit.masks.parts import part_labels
from toolkit.registry import WARPERS
from toolkit.skeletons import HEAD_JOINTS, LIMB_PARTS, MIRROR_PART, R_ELBOW, R_WRIST, P
from toolkit.structures import InputError
from toolkit.warpers import part_affine as module
from toolkit.warpers.affine import part_affines
from toolkit.warpers.part_affine import PartAffineWarper

H, W = 96, 64
STANDING = np.array([
    (32, 14), (32, 24), (25, 25), (21, 36), (19, 46), (39, 25), (43, 36), (45, 46), (28, 49), (27, 64), (27, 80), (36, 49), (37, 64),
    (37, 80), (30, 12), (34, 12), (28, 14), (36, 14)], float)


def make_pose(points=STANDING, missing=()):
    out = np.concatenate([points, np.ones((18, 1))], 1)
    out[list(missing)] = 0
    return torch.from_numpy(out).float()[None]


def random_poses(rng, count):
    return torch.cat([make_pose(STANDING + rng.normal(0, 4, STANDING.shape)) for _ in range(count)])


def person_mask(pose):
    mask = np.zeros((H, W), np.float32)
    points = pose[0, :, :2].numpy()
    for a, b in (*LIMB_PARTS.values(), (1, 8), (1, 11), (1, 0)):
        cv2.line(mask, points[a].astype(int).tolist(), points[b].astype(int).tolist(), 1, 7)
    cv2.circle(mask, points[0].astype(int).tolist(), 8, 1, -1)
    return mask


def source(rng, channels=1, pose=None, dtype=torch.float32):
    pose = make_pose() if pose is None else pose
    parts = torch.from_numpy(part_labels(pose[0].numpy(), person_mask(pose)))[None]
    maps = torch.from_numpy(rng.uniform(0.1, 1, (1, channels, H, W))).to(dtype)
    return maps, pose, parts


def opencv_loop(maps, source_pose, target_pose, parts):
    """Straightforward warp: every part's masked full frame through cv2.warpAffine, merged by maximum."""
    matrices, valid, mirrored = part_affines(source_pose, target_pose)
    merged, coverage = np.zeros(maps.shape[1:], np.float32), np.zeros((H, W), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for part in range(P):
        if valid[0, part]:
            label = (MIRROR_PART[part] if mirrored[0, part] else part) + 1
            mask = (parts[0].numpy() == label).astype(np.float32)
            matrix = matrices[0, part].numpy()
            coverage = np.maximum(coverage, cv2.warpAffine(mask, matrix, (W, H), flags=flags))
            for c in range(len(merged)):
                merged[c] = np.maximum(merged[c], cv2.warpAffine(maps[0, c].numpy() * mask, matrix, (W, H), flags=flags))
    return merged, coverage


@pytest.mark.parametrize('overlap', [0.0, 0.12, 0.3])
@pytest.mark.parametrize('sampling', ['bilinear', 'nearest', 'bicubic'])
@pytest.mark.parametrize('mask_space', ['source', 'both'])
def test_identity_gives_the_maps_inside_the_union_of_parts(sampling, mask_space, overlap):
    maps, pose, parts = source(np.random.default_rng(0), 4)
    warp = PartAffineWarper(mask_space, sampling, joint_overlap=overlap)(maps, pose, pose, parts)
    union = (parts > 0)[:, None].float()
    if mask_space == 'source':
        torch.testing.assert_close(warp.maps, maps * union, atol=1e-4, rtol=0)
        torch.testing.assert_close(warp.coverage, union, atol=1e-4, rtol=0)
    else:
        assert ((warp.maps - maps * union) < 1e-4).all() and 0.8 < warp.coverage.sum() / union.sum() <= 1
    assert warp.valid.all()


@pytest.mark.parametrize('sampling', ['bilinear', 'nearest', 'bicubic'])
def test_translated_pose_gives_a_shifted_map(sampling):
    maps, pose, parts = source(np.random.default_rng(1), 2)
    moved = make_pose(STANDING + (5, -3))
    warp = PartAffineWarper(sampling=sampling)(maps, pose, moved, parts)
    expected = torch.roll(maps * (parts > 0), (-3, 5), (2, 3))
    torch.testing.assert_close(warp.maps, expected, atol=1e-4, rtol=0)


def test_half_pixel_shift_samples_between_pixel_centers():
    _, pose, parts = source(np.random.default_rng(1))
    ramp = torch.arange(W).float().expand(1, 1, H, W) + 1
    warp = PartAffineWarper('target')(ramp, pose, make_pose(STANDING + (0.5, 0)), parts)
    inner = (warp.coverage > 0.999) & (ramp > 2) & (ramp < W - 1)
    assert inner.sum() > 500
    torch.testing.assert_close(warp.maps[inner], (ramp - 0.5)[inner], atol=1e-3, rtol=0)


def test_bicubic_sampling_keeps_what_bilinear_sampling_blurs():
    _, pose, parts = source(np.random.default_rng(1))
    curve = (torch.arange(W) / W).square().expand(1, 1, H, W)
    truth = ((torch.arange(W) - .3) / W).square().expand(1, 1, H, W)
    found = {sampling: PartAffineWarper('target', sampling, merge='over')(curve, pose, make_pose(STANDING + (.3, 0)), parts)
             for sampling in ('bilinear', 'bicubic')}
    assert torch.equal(found['bilinear'].coverage, found['bicubic'].coverage)
    inner = found['bicubic'].coverage > .999
    inner[..., [0, 1, 2, -3, -2, -1]] = inner[:, :, [0, 1, 2, -3, -2, -1]] = False
    assert inner.sum() > 300
    errors = {name: (warp.maps - truth)[inner].abs().max() for name, warp in found.items()}
    assert errors['bicubic'] < 2e-6 < 2e-5 < errors['bilinear'], 'Keys\' filter with a = -.5 carries quadratic curves exactly'


def test_agrees_with_opencv_loop_on_random_poses():
    rng = np.random.default_rng(2)
    for target in random_poses(rng, 8).split(1):
        maps, pose, parts = source(rng, 2)
        warp = PartAffineWarper(joint_overlap=0)(maps, pose, target, parts)
        merged, coverage = opencv_loop(maps, pose, target, parts)
        # OpenCV rounds sampling positions to 1/32 pixel: at most two neighboring taps a quarter of a level apart
        assert np.abs(warp.coverage[0, 0].numpy() - coverage).max() < 0.07
        assert np.abs(warp.maps[0].numpy() - merged).max() < 0.07
        assert np.abs(warp.maps[0].numpy() - merged).mean() < 2e-3


def test_dense_grid_sample_reference_in_float64():
    rng = np.random.default_rng(3)
    maps, pose, parts = source(rng, 3, dtype=torch.float64)
    target = random_poses(rng, 1)
    matrices, _, _ = part_affines(pose, target)
    y, x = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing='ij')
    points = torch.stack([x, y, torch.ones_like(x)], -1)
    warped = []
    for part in range(P):
        at = points @ matrices[0, part].T
        grid = (2 * at + 1) / torch.tensor([W, H]) - 1
        masked = maps * (parts == part + 1)
        warped.append(torch.nn.functional.grid_sample(masked, grid[None], align_corners=False, padding_mode='zeros'))
    expected = torch.stack(warped).amax(0)
    got = PartAffineWarper(joint_overlap=0)(maps, pose, target, parts).maps
    torch.testing.assert_close(got, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize('mask_space', ['source', 'target', 'both'])
def test_result_is_bounded_and_lies_inside_the_coverage(mask_space):
    rng = np.random.default_rng(4)
    maps, pose, parts = source(rng, 2)
    warp = PartAffineWarper(mask_space)(maps, pose, random_poses(rng, 1), parts)
    assert warp.maps.min() >= 0 and warp.coverage.min() >= 0 and warp.coverage.max() <= 1 + 1e-5
    assert (warp.maps <= warp.coverage * maps.max() + 1e-5).all()
    assert 0 < warp.coverage.mean() < 0.9


def test_joint_overlap_fills_cracks_at_a_bent_elbow():
    maps, pose, parts = source(np.random.default_rng(5))
    points = STANDING.copy()
    points[R_WRIST] = points[R_ELBOW] + (-10, -3)
    bare, filled = (PartAffineWarper(joint_overlap=o)(maps, pose, make_pose(points), parts).coverage for o in (0, 0.2))
    assert (filled >= bare - 1e-5).all()
    at = STANDING[R_ELBOW].astype(int)
    around = (..., slice(at[1] - 2, at[1] + 3), slice(at[0] - 2, at[0] + 3))
    assert bare[around].min() < 0.9 < filled[around].min()


def test_mirrored_limb_takes_pixels_and_label_of_the_other_side():
    rng = np.random.default_rng(6)
    lost = make_pose(missing=[R_ELBOW])
    maps, pose, parts = source(rng, pose=make_pose())
    parts = torch.where((parts == 7) | (parts == 9), 0, parts)
    left = (parts == 8) | (parts == 10)
    marked = left[:, None].float()
    warp = PartAffineWarper()(marked, lost, make_pose(), parts)
    columns = warp.maps[0, 0].sum(0)
    assert columns[:26].sum() > 0.8 * left.sum() * 0.9 and columns[38:].sum() > 0.8 * left.sum() * 0.9
    assert (warp.maps[0, 0] > 0.5).sum() > 1.7 * left.sum()


def test_missing_parts_leave_zeros():
    rng = np.random.default_rng(7)
    maps, pose, parts = source(rng, 2)
    empty = PartAffineWarper()(maps, pose, make_pose(missing=range(18)), parts)
    assert not empty.valid.any() and (empty.maps == 0).all() and (empty.coverage == 0).all()
    nobody = PartAffineWarper()(maps, pose, pose, torch.zeros_like(parts))
    assert (nobody.maps == 0).all() and (nobody.coverage == 0).all()
    headless = PartAffineWarper()(maps, make_pose(missing=HEAD_JOINTS), make_pose(), parts)
    torch.testing.assert_close(headless.maps, maps * (parts > 0), atol=1e-3, rtol=0)


@pytest.mark.parametrize('mask_space', ['source', 'target', 'both'])
def test_far_away_and_broken_targets_do_not_crash(mask_space):
    maps, pose, parts = source(np.random.default_rng(8))
    broken = make_pose()
    broken[0, 3] = torch.nan
    broken[0, 7, 0] = torch.inf
    for target in (make_pose(STANDING + 5000), make_pose(STANDING - 1e7), broken, make_pose(np.full((18, 2), 3.0))):
        warp = PartAffineWarper(mask_space)(maps, pose, target, parts)
        assert warp.maps.isfinite().all() and warp.maps.min() >= 0
    assert PartAffineWarper(mask_space)(maps, pose, broken, parts).maps.sum() > 0


@pytest.mark.parametrize('mask_space', ['source', 'target', 'both'])
@pytest.mark.parametrize('sampling', ['bilinear', 'nearest', 'bicubic'])
def test_batch_equals_single_samples(mask_space, sampling):
    rng = np.random.default_rng(9)
    poses, targets = random_poses(rng, 3), random_poses(rng, 3)
    poses[1, 3] = 0
    maps, parts = torch.rand(3, 2, H, W), torch.cat([source(rng, pose=p[None])[2] for p in poses])
    warper = PartAffineWarper(mask_space, sampling)
    together = warper(maps, poses, targets, parts)
    for i in range(3):
        alone = warper(maps[i:i + 1], poses[i:i + 1], targets[i:i + 1], parts[i:i + 1])
        for a, b in zip(together, alone):
            torch.testing.assert_close(a[i:i + 1], b, atol=1e-5, rtol=0)


def test_expanded_source_equals_copied_source():
    rng = np.random.default_rng(10)
    maps, pose, parts = source(rng, 2)
    targets = random_poses(rng, 4)
    warper = PartAffineWarper()
    views = warper(maps.expand(4, -1, -1, -1), pose.expand(4, -1, -1), targets, parts.expand(4, -1, -1))
    copies = warper(maps.repeat(4, 1, 1, 1), pose.repeat(4, 1, 1), targets, parts.repeat(4, 1, 1))
    assert torch.equal(views.maps, copies.maps) and torch.equal(views.coverage, copies.coverage)


@pytest.mark.parametrize('mask_space', ['source', 'target', 'both'])
def test_a_source_prepared_once_gives_the_same_bits(mask_space):
    rng = np.random.default_rng(1)
    maps, pose, parts = source(rng)
    warper = PartAffineWarper(mask_space=mask_space)
    prepared = warper.prepare(pose, parts)
    for target in random_poses(rng, 3):
        for a, b in zip(warper(maps, pose, target[None], parts), warper(maps, pose, target[None], parts, prepared)):
            assert torch.equal(a, b)
    with pytest.raises(InputError, match='prepared for 1 sources, but there are 2'):
        warper(*(x.repeat(2, *[1] * (x.ndim - 1)) for x in (maps, pose, target[None], parts)), prepared)


@pytest.mark.parametrize('mask_space', ['source', 'target'])
def test_gradcheck_with_respect_to_maps(mask_space):
    rng = np.random.default_rng(11)
    small = make_pose(STANDING * 0.2)
    target = make_pose(STANDING * 0.2 + rng.normal(0, 0.7, STANDING.shape))
    mask = torch.nn.functional.interpolate(torch.from_numpy(person_mask(make_pose()))[None, None], (20, 14), mode='area')[0, 0]
    parts = torch.from_numpy(part_labels(small[0].numpy(), mask.numpy(), threshold=0.3))[None]
    maps = torch.from_numpy(rng.uniform(0.1, 1, (1, 2, 20, 14))).requires_grad_()
    warper = PartAffineWarper(mask_space, min_length=0.5)
    assert warper(maps, small, target, parts).coverage.sum() > 10
    assert torch.autograd.gradcheck(lambda m: warper(m, small, target, parts).maps, (maps,), eps=1e-7, atol=1e-6, fast_mode=True)


def test_gradient_flows_only_to_pixels_of_parts():
    maps, pose, parts = source(np.random.default_rng(12))
    maps.requires_grad_()
    PartAffineWarper()(maps, pose, random_poses(np.random.default_rng(0), 1), parts).maps.sum().backward()
    gradient = maps.grad[0, 0]
    assert (gradient[parts[0] == 0] == 0).all() and (gradient[parts[0] > 0] > 0).float().mean() > 0.7


def test_half_precision_keeps_its_dtype():
    maps, pose, parts = source(np.random.default_rng(13))
    warp = PartAffineWarper()(maps.bfloat16(), pose, pose, parts)
    assert warp.maps.dtype == warp.coverage.dtype == torch.bfloat16
    torch.testing.assert_close(warp.maps.float(), maps * (parts > 0), atol=4e-3, rtol=0)


def test_built_from_config_and_wrong_use_is_named():
    warper = WARPERS.build(dict(type='PartAffineWarper', mask_space='both'))
    assert warper.mask_space == 'both' and not list(warper.parameters())
    with pytest.raises(InputError, match='mask_space'):
        PartAffineWarper('sideways')
    with pytest.raises(InputError, match='sampling'):
        PartAffineWarper(sampling='cubic')
    maps, pose, parts = source(np.random.default_rng(14))
    with pytest.raises(InputError, match='source_parts'):
        warper(maps, pose, pose, parts[:, None])


def test_empty_batch():
    warp = PartAffineWarper()(torch.zeros(0, 2, H, W), torch.zeros(0, 18, 3), torch.zeros(0, 18, 3), torch.zeros(0, H, W).byte())
    assert warp.maps.shape == (0, 2, H, W) and warp.coverage.shape == (0, 1, H, W) and warp.valid.shape == (0, P)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('mask_space', ['source', 'target', 'both'])
def test_gpu_equals_cpu(mask_space):
    rng = np.random.default_rng(15)
    maps, pose, parts = source(rng, 4)
    target = random_poses(rng, 1)
    warper = PartAffineWarper(mask_space)
    expected = warper(maps, pose, target, parts)
    for a, b in zip(warper(maps.cuda(), pose.cuda(), target.cuda(), parts.cuda()), expected):
        torch.testing.assert_close(a.cpu(), b, atol=1e-4, rtol=0)


def test_layers_hide_what_lies_behind_them():
    """A dark forearm before a bright torso stays dark, where the maximum would let the torso win."""
    pose = make_pose()
    target = pose.clone()
    target[:, R_WRIST, :2] = torch.tensor([32., 40.])
    parts = torch.from_numpy(part_labels(pose[0].numpy(), person_mask(pose)))[None]
    maps = torch.where(parts == 1, 1., .1)[:, None] * (parts > 0)[:, None]
    found = {merge: PartAffineWarper(merge=merge, joint_overlap=0)(maps, pose, target, parts) for merge in ('max', 'over')}
    middle = (target[0, R_ELBOW, :2] + target[0, R_WRIST, :2]) / 2
    x, y = middle.round().long().tolist()
    assert found['max'].maps[0, 0, y, x] > .9
    assert abs(float(found['over'].maps[0, 0, y, x]) - .1) < 1e-4
    assert torch.allclose(found['over'].coverage[0, 0, y, x], torch.tensor(1.))
    with pytest.raises(InputError, match="merge='sum' is unknown"):
        PartAffineWarper(merge='sum')


@pytest.mark.parametrize('merge', ['max', 'over'])
@pytest.mark.parametrize('sampling', ['bilinear', 'nearest', 'bicubic'])
def test_trying_all_pixels_as_on_a_gpu_gives_the_same_bits(monkeypatch, sampling, merge):
    """A GPU tries all pixels for all parts, so that nothing has to be counted; joints that are missing make parts invalid."""
    rng = np.random.default_rng(0)
    maps, pose, parts = source(rng, 3)
    targets = torch.cat([random_poses(rng, 3), make_pose(missing=(3, 4)), make_pose(STANDING + 20)])
    given = [x.expand(len(targets), *x.shape[1:]).clone() for x in (maps, pose)]
    found = []
    for whole in (False, True):
        monkeypatch.setattr(PartAffineWarper, '_looks_everywhere', lambda self, parts, whole=whole: whole)
        warper = PartAffineWarper(sampling=sampling, merge=merge)
        found.append([warper(*given, targets, parts.expand(len(targets), -1, -1).clone()),
                      warper(maps.expand(len(targets), -1, -1, -1), pose.expand(len(targets), -1, -1), targets,
                             parts.expand(len(targets), -1, -1))])
    for a, b in zip(*found):
        assert all(torch.equal(x, y) for x, y in zip(a, b)) and a.maps.any()


def test_many_large_targets_of_one_source_are_tried_a_few_at_a_time(monkeypatch):
    """Ten parts of each pixel of each target at once would be gigabytes of a GPU."""
    rng = np.random.default_rng(0)
    maps, pose, parts = source(rng, 3)
    targets, tried = random_poses(rng, 5), []
    given = maps.expand(5, -1, -1, -1), pose.expand(5, -1, -1), targets, parts.expand(5, -1, -1)
    expected, original = PartAffineWarper()(*given), module.everywhere
    monkeypatch.setattr(PartAffineWarper, '_looks_everywhere', lambda self, parts: True)
    monkeypatch.setattr(module, 'everywhere', lambda count, *rest: tried.append(count) or original(count, *rest))
    for pixels, counts in ((2 * parts.numel(), [2, 2, 1]), (1, [1] * 5), (9 * parts.numel(), [5])):
        monkeypatch.setattr(module, 'MOST_PIXELS', pixels)
        tried.clear()
        assert all(torch.equal(a, b) for a, b in zip(PartAffineWarper()(*given), expected)) and tried == counts
