import numpy as np
import pytest

from toolkit import fields
from toolkit.datasets.jitter import ColorJitter, JointNoise
from toolkit.masks.parts import part_labels
from toolkit.structures import InputError

H, W, T, K = 48, 32, 2, 2


@pytest.fixture
def sample(stick):
    rng = np.random.default_rng(5)
    pose = stick(16, 8, 10)
    parts = part_labels(pose * (2, 2, 1), np.ones((2 * H, 2 * W)))
    return dict(
        frames=rng.integers(0, 256, (T, H, W, 3), np.uint8), content_frame=rng.integers(0, 256, (H, W, 3), np.uint8),
        plate=rng.integers(0, 256, (H, W, 3), np.uint8), reference_frames=rng.integers(0, 256, (T, K, 2 * H, 2 * W, 3), np.uint8),
        edges=rng.integers(0, 256, (T, H, W), np.uint8), masks=rng.integers(0, 256, (T, H, W), np.uint8),
        poses=np.stack([pose] * T), content_pose=pose,
        reference_poses=np.stack([np.stack([pose] * K)] * T), reference_parts=np.stack([np.stack([parts] * K)] * T))


def test_all_pictures_of_a_sample_change_colors_alike_and_maps_stay(sample):
    kept = {key: value.copy() for key, value in sample.items()}
    out = ColorJitter(shuffle=0)(dict(sample), np.random.default_rng(0))
    pictures = {key for key in sample if fields.find(key) and fields.find(key)[0].shows_colors}
    assert {'frames', 'content_frame', 'reference_frames', 'plate'} == pictures
    became = {}
    for key in pictures:
        for before, after in zip(sample[key].reshape(-1, 3), out[key].reshape(-1, 3)):
            for c in range(3):
                assert became.setdefault((c, int(before[c])), int(after[c])) == after[c]
    steps = [became[c, 200] - became[c, 100] for c in range(3) if became[c, 200] < 255 and became[c, 100] > 0]
    assert steps and all(55 < step < 157 for step in steps)
    for key in sample:
        assert np.array_equal(out[key], kept[key]) == (key not in pictures) and np.array_equal(sample[key], kept[key])


def test_color_jitter_follows_its_random_numbers(sample):
    a, b, c = (ColorJitter()(dict(sample), np.random.default_rng(seed))['frames'] for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    still = ColorJitter((1, 1), (1, 1), 0, 0)(dict(sample), np.random.default_rng(0))
    assert np.array_equal(still['frames'], sample['frames'])
    orders = {tuple(ColorJitter((1, 1), (1, 1), 0, 1)(dict(sample), np.random.default_rng(seed))['plate'][0, 0]) for seed in range(40)}
    assert orders == {tuple(sample['plate'][0, 0, list(order)]) for order in np.ndindex(3, 3, 3) if len(set(order)) == 3}


def test_color_jitter_refuses_measured_colors_and_wrong_ranges(sample):
    with pytest.raises(InputError, match='list it before RecolorGarments'):
        ColorJitter()(dict(sample, garment_colors=np.zeros((T, 2, 2))), np.random.default_rng(0))
    for options, said in ((dict(contrast=(2, 1)), 'contrast'), (dict(shuffle=2), 'shuffle'), (dict(shift=-1), 'shift')):
        with pytest.raises(InputError, match=said):
            ColorJitter(**options)


def test_joint_noise_moves_seen_joints_of_references_alone(sample):
    sample['reference_poses'][0, 1, 4] = 0
    out = JointNoise(.8, coarse=0)(dict(sample), np.random.default_rng(3))
    moved = out['reference_poses'] - sample['reference_poses']
    seen = sample['reference_poses'][..., 2] > 0
    assert .5 < moved[seen][:, :2].std() < 1.1 and not moved[..., 2].any() and not moved[~seen].any()
    assert all(out[key] is sample[key] for key in sample if key != 'reference_poses')


def test_coarse_parts_are_of_the_same_body_with_another_outline(sample):
    body = np.zeros((2 * H, 2 * W), bool)
    body[20:70, 18:46] = True
    sample['reference_parts'] *= body
    out = JointNoise(.5, coarse=1)(dict(sample), np.random.default_rng(0))['reference_parts']
    before = sample['reference_parts']
    assert out.shape == before.shape and out.dtype == before.dtype and not np.array_equal(out, before)
    assert ((out > 0) & (before > 0)).sum() / ((out > 0) | (before > 0)).sum() > .8
    assert (out == before)[(out > 0) & (before > 0)].mean() > .8


def test_joint_noise_without_references_says_what_to_set(sample):
    del sample['reference_parts']
    with pytest.raises(InputError, match='no reference_parts: set references='):
        JointNoise()(sample, np.random.default_rng(0))
