"""Identity: exact distances, which person a clip looks like, and where it looks."""

import numpy as np
import pytest

from toolkit.metrics.identity import Identity, appearance, person_pixels, projected_quantiles, sliced_wasserstein
from toolkit.metrics.person_region import person_region
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import (
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)
from toolkit.structures import InputError

H, W = 96, 64
STANDING = {NOSE: (32, 16), NECK: (32, 26), R_SHOULDER: (24, 26), L_SHOULDER: (40, 26), R_ELBOW: (22, 38), L_ELBOW: (42, 38),
            R_WRIST: (21, 49), L_WRIST: (43, 49), R_HIP: (27, 50), L_HIP: (37, 50), R_KNEE: (26, 68), L_KNEE: (38, 68),
            R_ANKLE: (26, 86), L_ANKLE: (38, 86)}


def standing(dx=0):
    pose = np.zeros((18, 3), np.float32)
    for joint, (x, y) in STANDING.items():
        pose[joint] = x + dx, y, 1
    return pose


def clip_of(color, frames=3, seed=0, dx=0):
    """Frames of someone in one color with a little noise, before gray noise, and their poses."""
    rng = np.random.default_rng(seed)
    pose = standing(dx)
    out = rng.integers(90, 110, (frames, H, W, 1)).repeat(3, -1)
    region = person_region(pose, H, W)
    out[:, region] = np.array(color) + rng.integers(-8, 9, (frames, int(region.sum()), 1))
    return out.astype(np.uint8), np.repeat(pose[None], frames, 0)


RED, BLUE = (200, 60, 50), (50, 70, 190)


@POSE_ESTIMATORS.register_module()
class PosesOfIdentity:
    """Finds what it was given, in frames of any size."""

    name, version = 'given', '1'

    def __init__(self, poses):
        self.poses = poses

    def __call__(self, frames):
        poses = self.poses.copy()
        poses[..., :2] = (poses[..., :2] + 0.5) * frames.shape[1] / H - 0.5
        return poses


def sample_of(generated, poses, direction='ab', truth=None, **changes):
    frames, mask = clip_of(RED)[0], np.ones((len(generated), H, W), bool)
    real, real_poses = truth or (frames, poses)
    return {'clip': f'clip_{direction}', 'direction': direction, 'generated': generated, 'real': real, 'mask': mask,
            'poses': real_poses, 'scored': np.ones(len(generated), bool), 'has_truth': truth is not None,
            'input': dict(frames=frames, mask=mask, poses=poses), **changes}


def fitted(**options):
    metric = Identity(**{'region': 'input', 'device': 'cpu', **options})
    metric.fit({name: list(zip(*clip_of(color))) for name, color in (('a', RED), ('b', BLUE))})
    return metric


def values(metric, sample):
    return {key: measure['value'] for key, measure in metric.measure(sample)['measures'].items()}


def test_zero_for_the_same_frames_and_more_for_another_person():
    (red, poses), (blue, _) = clip_of(RED), clip_of(BLUE)
    got = values(fitted(), sample_of(blue, poses, truth=(blue, poses)))
    assert got['color'] == got['texture'] == got['color_share'] == got['texture_share'] == 0
    assert got['color_truth'] == got['texture_truth'] == 0 and got['color_source'] > 20
    copied = values(fitted(), sample_of(red, poses))
    assert copied['color'] == got['color_source'] and copied['color_share'] == 1 and copied['color_source'] == 0
    assert copied['color_truth'] is None


def test_direction_says_who_is_wanted():
    blue, poses = clip_of(BLUE)
    there, back = (values(fitted(), sample_of(blue, poses, direction)) for direction in ('ab', 'ba'))
    assert there['color'] == back['color_source'] == 0 and there['color_source'] == back['color'] > 20
    assert fitted().measure(sample_of(blue, poses, 'ba'))['group'] == 'ba'


def test_a_shift_counts_with_its_mean_length_along_the_directions():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(500, 3))
    distance = sliced_wasserstein(*(projected_quantiles(x, directions=4000) for x in (a, a + (0, 0, 6))))
    assert distance == pytest.approx(3, rel=0.03)  # the mean of |cos| over the sphere is 1/2
    assert sliced_wasserstein(projected_quantiles(a), projected_quantiles(a[::-1])) == pytest.approx(0, abs=1e-12)


def test_one_dimension_is_the_wasserstein_distance():
    a, b = np.arange(256.0)[:, None], np.arange(256.0)[::-1, None] * 2
    assert sliced_wasserstein(projected_quantiles(a), projected_quantiles(b)) == pytest.approx(127.5)


def test_colors_are_lab_and_texture_is_the_slope():
    ramp = np.zeros((20, 40, 3), np.uint8)
    ramp[...] = np.arange(60, 100)[None, :, None]
    seen = appearance(ramp)
    lightness = seen['color'][10, :, 0]
    slope = (lightness[21] - lightness[19]) / 2
    assert np.abs(seen['color'][..., 1:]).max() < 0.1
    assert seen['texture'][10, 20] == pytest.approx(slope * np.tile([1, 0.5**0.5, 0, 0.5**0.5], 2), abs=0.01)


def test_stripes_differ_from_plain_clothes_of_the_same_colors():
    rng = np.random.default_rng(0)
    pose = standing()
    stripes = np.repeat(np.where(np.arange(H)[:, None] // 3 % 2, 60, 200)[:, :, None], W, 1).repeat(3, -1).astype(np.uint8)
    mixed = stripes.reshape(-1, 3)[rng.permutation(H * W)].reshape(H, W, 3)
    a, b = (person_pixels([frame], [pose]) for frame in (stripes, mixed))
    distance = {kind: sliced_wasserstein(projected_quantiles(a[kind]), projected_quantiles(b[kind])) for kind in a}
    assert distance['color'] < 3 and distance['texture'] > 3


def test_the_background_does_not_count():
    blue, poses = clip_of(BLUE)
    other = blue.copy()
    other[:, ~person_region(poses[0], H, W)] = 255
    assert values(fitted(), sample_of(other, poses))['color'] == 0


def test_a_person_in_another_pose_is_still_who_they_are():
    blue, poses = clip_of(BLUE, dx=12)
    wrong = sample_of(blue, clip_of(RED)[1])
    assert values(fitted(), wrong)['color'] > 5
    found = fitted(region='detected', pose_estimator=dict(type='PosesOfIdentity', poses=poses))
    assert values(found, wrong)['color'] < 1
    assert 'given (1)' in found.definitions['color'].text
    nobody = fitted(region='detected', pose_estimator=dict(type='PosesOfIdentity', poses=np.zeros_like(poses)))
    assert values(nobody, wrong) == values(fitted(), wrong)


def test_what_is_missing_is_said(make_sample):
    blue, poses = clip_of(BLUE)
    summary = Identity(region='input').measure(sample_of(blue, poses))['measures']['color']
    assert summary['value'] is None and 'training frames' in summary['reason']
    assert 'no transfer' in fitted().measure(make_sample())['measures']['color']['reason']
    without = Identity(estimators=['NotInstalled'])
    without.fit({'a': [], 'b': []})
    assert 'NotInstalled' in without.missing
    with pytest.raises(InputError, match='person A has shoulders'):
        Identity(region='input').fit({'a': [(blue[0], np.zeros((18, 3), np.float32))], 'b': []})
    with pytest.raises(InputError, match='region'):
        Identity(region='mask')


def test_the_truth_is_looked_at_where_its_own_poses_are():
    blue, poses = clip_of(BLUE)
    red, _ = clip_of(RED)
    metric, mixed = fitted(), np.concatenate([blue[:1], red[1:]])
    changes = dict(scored=np.array([True, False, False])), dict(truth=(mixed, poses + np.array([12, 0, 0], np.float32)))
    values(metric, sample_of(blue, poses, truth=(mixed, poses)))
    for change in changes:
        sample = sample_of(blue, poses, **{'truth': (mixed, poses), **change})
        assert values(metric, sample) == values(fitted(), sample)


def test_the_region_lies_inside_the_body():
    region = person_region(standing(), 200, 100)
    assert region[40, 32] and region[75, 26] and region[15, 32] and not region[75, 32] and not region[:, 50:].any()
    no_face = standing()
    no_face[NOSE] = 0
    assert np.array_equal(person_region(no_face, 200, 100), region)
    one_leg = standing()
    one_leg[R_KNEE] = 0
    assert not person_region(one_leg, 200, 100)[75, 26] and person_region(one_leg, 200, 100)[75, 38]
    one_leg[R_HIP] = 0
    assert not person_region(one_leg, 200, 100).any()
