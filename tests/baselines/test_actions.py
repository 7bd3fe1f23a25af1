import subprocess
import sys

import numpy as np
import pytest
import torch

from toolkit.baselines.actions import CopyContent, NearestFrame, PasteParts, person_removed, pose_distance
from toolkit.registry import MODELS
from toolkit.structures import InputError

HEIGHT, WIDTH = 96, 64


def standing(dx=0.0, dy=0.0):
    """An upright person in a 64 x 96 frame."""
    points = [(32, 16), (32, 26), (24, 26), (20, 38), (18, 50), (40, 26), (44, 38), (46, 50), (27, 50), (26, 66), (26, 82), (37, 50),
              (38, 66), (38, 82), (30, 14), (34, 14), (28, 15), (36, 15)]
    pose = np.ones((18, 3), np.float32)
    pose[:, :2] = np.array(points) + (dx, dy)
    return pose


@pytest.fixture
def batch():
    """The person stands, then moves 6 px to the right; background and clothes are textured."""
    from toolkit.masks.parts import part_labels
    rng = np.random.default_rng(0)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[8:90, 16:50] = 1
    pose = standing()
    parts = part_labels(pose, mask)
    mask = (parts > 0).astype(np.float32)
    content = rng.integers(0, 120, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    content[parts > 0] = rng.integers(130, 255, (int((parts > 0).sum()), 3))

    def chw(x):
        return torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]

    frames = chw(content)[:, None].repeat(1, 3, 1, 1, 1)
    mask255 = torch.from_numpy((mask * 255).astype(np.uint8))[None, None]
    return {
        'frames': frames, 'poses': torch.from_numpy(np.stack([pose, pose, standing(6)]))[None], 'pose_maps': torch.zeros_like(frames),
        'masks': mask255[:, None].repeat(1, 3, 1, 1, 1), 'content_frame': chw(content), 'content_pose': torch.from_numpy(pose)[None],
        'content_mask': mask255, 'content_parts': torch.from_numpy(parts)[None, None], 'clip': ['clip'], 'fps': torch.tensor([25.0]),
        'index': torch.tensor([0]), 'content_index': torch.tensor([0])}


def test_copy_content_repeats_exactly(batch):
    result, = MODELS.build({'type': 'CopyContent'}).test_step(batch)
    content = batch['content_frame'][0].permute(1, 2, 0).numpy()
    assert result['generated'].shape == (3, HEIGHT, WIDTH, 3) and result['generated'].dtype == np.uint8
    assert all(np.array_equal(frame, content) for frame in result['generated'])
    assert result['clip'] == 'clip' and result['real'].shape == result['generated'].shape


def test_paste_parts_reproduces_the_person_in_his_own_pose(batch):
    result, = PasteParts().test_step(batch)
    person = batch['content_parts'][0, 0].numpy() > 0
    content = batch['content_frame'][0].permute(1, 2, 0).numpy()
    difference = np.abs(result['generated'][0].astype(int) - content)[person]
    assert difference.max() <= 1


def test_paste_parts_moves_the_person(batch):
    result, = PasteParts().test_step(batch)
    content = batch['content_frame'][0].permute(1, 2, 0).numpy()
    moved = np.roll(batch['content_parts'][0, 0].numpy() > 0, 6, 1)
    difference = np.abs(result['generated'][2].astype(int) - np.roll(content, 6, 1))[moved]
    assert np.median(difference) <= 1 and (difference > 2).mean() < 0.05


def test_paste_parts_paints_over_the_old_place(batch):
    result, = PasteParts().test_step(batch)
    person = batch['content_parts'][0, 0].numpy() > 0
    left = person & ~np.roll(person, 6, 1)
    assert left.sum() > 50
    assert result['generated'][2][left].mean() < 110 < batch['content_frame'][0].permute(1, 2, 0).numpy()[left].mean()


def test_chunks_change_nothing(batch):
    assert np.array_equal(PasteParts(chunk=2).test_step(batch)[0]['generated'], PasteParts().test_step(batch)[0]['generated'])


def test_background_far_from_the_person_stays(batch):
    content = batch['content_frame'][0].permute(1, 2, 0).numpy()
    removed = person_removed(content, batch['content_parts'][0, 0].numpy() > 0)
    assert np.array_equal(removed[:, :5], content[:, :5]) and not np.array_equal(removed[40], content[40])


def test_without_a_person_only_the_background_is_left(batch):
    batch['poses'][:] = 0
    batch['content_pose'][:] = 0
    result, = PasteParts().test_step(batch)
    content = batch['content_frame'][0].permute(1, 2, 0).numpy()
    assert np.array_equal(result['generated'][1], person_removed(content, batch['content_mask'][0, 0].numpy() > 127))


def test_a_program_may_begin_with_the_baselines():
    subprocess.run([sys.executable, '-c', 'import toolkit.baselines.actions'], check=True)


def test_baselines_cannot_be_trained(batch):
    with pytest.raises(InputError, match='CopyContent is a baseline'):
        CopyContent().train_step(batch, None)
    assert not list(PasteParts().parameters())


class Examples:
    """Two training frames of one person: in the clip's first pose and in its last."""

    def __init__(self, poses):
        self.given = poses

    def poses(self, person):
        return ([(0, 0), (0, 1)], self.given) if person == 'anna' else ([], np.empty((0, 18, 3)))

    def frame(self, number, t):
        return np.full((HEIGHT, WIDTH, 3), 10 + t, np.uint8)


def test_nearest_frame_takes_the_nearest_pose_of_the_same_person(batch):
    model = NearestFrame(Examples(np.stack([standing(1), standing(7)])))
    result, = model.test_step(dict(batch, person=['anna']))
    assert result['generated'][:, 0, 0, 0].tolist() == [10, 10, 11]
    with pytest.raises(InputError, match='bert'):
        model.test_step(dict(batch, person=['bert']))


def test_training_frames_of_another_size_are_refused(batch):
    model, data = NearestFrame(Examples(np.stack([standing(1), standing(7)]))), dict(batch, person=['anna'])
    data |= {key: data[key][..., :32] for key in ('frames', 'masks', 'pose_maps')}
    with pytest.raises(InputError, match='clip is tested at 96x32 .HxW., but the training frames that NearestFrame shows are 96x64'):
        model.test_step(data)


def test_pose_distance_counts_shared_joints_only():
    moved = standing(3, 4)
    moved[5] = 0
    nothing = np.zeros((18, 3), np.float32)
    np.testing.assert_allclose(pose_distance(np.stack([standing(), moved, nothing]), standing()), [0, 5, np.inf], atol=1e-5)
