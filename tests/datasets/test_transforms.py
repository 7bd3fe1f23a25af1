import numpy as np
import pytest

from toolkit.datasets.transforms import RandomCrop, RandomFlip, resize_image, scale_pose
from toolkit.skeletons import INDEX, MIRROR_JOINT, PARTS
from toolkit.structures import InputError

H, W = 64, 48


@pytest.fixture
def sample(stick):
    """A bright dot in every frame where the right wrist is."""
    pose = stick(24, 12, 12)
    dot = np.zeros((H, W), np.uint8)
    y, x = np.rint(pose[INDEX['right_wrist'], 1::-1]).astype(int)
    dot[y - 1:y + 2, x - 1:x + 2] = 255
    parts = np.where(dot > 0, PARTS.index('right_lower_arm') + 1, 0).astype(np.uint8)
    frame = np.repeat(dot[..., None], 3, -1)
    return dict(frames=np.stack([frame] * 2), edges=np.stack([dot] * 2), masks=np.stack([dot] * 2), poses=np.stack([pose] * 2),
                content_frame=frame, content_edge=dot, content_mask=dot, content_parts=parts, content_pose=pose)


def center(image):
    weight = image.reshape(*image.shape[:2], -1)[..., 0].astype(float)
    y, x = np.mgrid[:image.shape[0], :image.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def check(out, joint, atol):
    for picture, pose in ((out['frames'][1], out['poses'][1]), (out['masks'][0], out['poses'][0]), (out['edges'][0], out['poses'][0]),
                          (out['content_frame'], out['content_pose']), (out['content_parts'], out['content_pose'])):
        np.testing.assert_allclose(center(picture), pose[INDEX[joint], :2], atol=atol)


def test_flip_moves_pictures_poses_and_names_alike(sample):
    before = {key: value.copy() for key, value in sample.items()}
    out = RandomFlip(1.)(dict(sample), np.random.default_rng(0))
    check(out, 'left_wrist', .51)
    assert set(np.unique(out['content_parts'])) == {0, PARTS.index('left_lower_arm') + 1}
    assert not out['poses'][:, INDEX['left_eye']].any()
    twice = RandomFlip(1.)(dict(out), np.random.default_rng(0))
    for key, value in before.items():
        np.testing.assert_allclose(twice[key], value, atol=1e-4)
        np.testing.assert_array_equal(sample[key], value)
    assert (MIRROR_JOINT[MIRROR_JOINT] == np.arange(18)).all() and MIRROR_JOINT[INDEX['neck']] == INDEX['neck']


def test_flip_probability(sample):
    rng = np.random.default_rng(0)
    flipped = sum(RandomFlip(.25)(dict(sample), rng)['frames'] is not sample['frames'] for _ in range(400))
    assert 70 < flipped < 130


def test_crop_moves_pictures_and_poses_alike(sample):
    corners = set()
    for seed in range(6):
        out = RandomCrop(1.25)(dict(sample), np.random.default_rng(seed))
        assert out['frames'].shape == (2, H, W, 3) and out['content_parts'].shape == (H, W)
        corners.add(tuple(out['poses'][0, 1, :2]))
        if out['masks'][0][1:-1, 1:-1].sum() == out['masks'][0].sum():
            check(out, 'right_wrist', .8)
    assert len(corners) > 3
    small = RandomCrop(1., size=(40, 30))(dict(sample), np.random.default_rng(0))
    assert small['edges'].shape == (2, 40, 30)
    with pytest.raises(InputError, match='window 100x48 is larger'):
        RandomCrop(1., size=(100, 48))(dict(sample), np.random.default_rng(0))


def test_a_share_that_is_none():
    with pytest.raises(InputError, match='RandomFlip: probability=50'):
        RandomFlip(50)


def test_scaling_keeps_pixel_centers():
    pose = np.zeros((18, 3), np.float32)
    pose[0] = 0, 3, .5
    np.testing.assert_allclose(scale_pose(pose, 2, 2)[0], (.5, 6.5, .5))
    assert not scale_pose(pose, 2, 2)[1:].any()
    labels = resize_image(np.array([[1, 1, 7, 7]] * 4, np.uint8), 2, 2, labels=True)
    assert labels.tolist() == [[1, 7], [1, 7]]
