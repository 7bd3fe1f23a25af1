"""Maps of known poses: what is where, and that the decoder of the published networks reads them back."""

import numpy as np
import pytest
import torch

from toolkit.poses.decode import cell_to_pixel, parse_people
from toolkit.poses.fields import pose_fields
from toolkit.skeletons import INDEX, LIMB_PAFS, LIMBS, K

SIZE, STRIDE, SIGMA, WIDTH = (96, 64), 2, 2.0, 1.5
WRIST, ELBOW, NECK = INDEX['right_wrist'], INDEX['right_elbow'], INDEX['neck']
FOREARM = LIMBS.index((ELBOW, WRIST))


@pytest.fixture
def pose(clips):
    """An actor in 96x64."""
    return torch.from_numpy(clips[0].poses[:1].copy())


def test_a_joint_is_a_gaussian_at_its_place(pose):
    pose[0, WRIST] = torch.tensor([20.5, 40.5, 0.3])
    heat, _ = pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH)
    assert heat.shape == (1, K + 1, 48, 32)
    column, row = 10, 20
    assert cell_to_pixel(np.array(column), STRIDE) == 20.5
    assert heat[0, WRIST, row, column] == 1, 'the center of cell 10 lies at pixel 20.5'
    assert heat[0, WRIST, row, column + 1] == pytest.approx(np.exp(-2**2 / (2 * SIGMA**2)))
    assert torch.equal(heat[:, K], 1 - heat[:, :K].amax(1))


def test_a_limb_is_a_field_of_unit_vectors_on_its_line(pose):
    pose[0, ELBOW], pose[0, WRIST] = torch.tensor([10.5, 30.5, 1.0]), torch.tensor([30.5, 30.5, 1.0])
    _, paf = pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH)
    x, y = (paf[0, channel] for channel in LIMB_PAFS[FOREARM])
    assert x[15, 10] == pytest.approx(1) and y[15, 10] == pytest.approx(0), 'it points from elbow to wrist'
    assert x[16, 10] == pytest.approx(np.exp(-2**2 / (2 * WIDTH**2)))
    assert x[15, 3] == 0 and x[15, 17] == 0, 'nothing beyond both ends'
    pose[0, ELBOW, 0], pose[0, WRIST, 0] = 30.5, 10.5
    turned = pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH)[1][0, LIMB_PAFS[FOREARM][0]]
    assert turned[15, 10] == pytest.approx(-1)


def test_a_missing_joint_is_in_no_map_and_neither_are_its_limbs(pose):
    whole = torch.cat(pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH), 1)
    assert (whole[0, :K].amax((1, 2)) > 0.5).all()
    pose[0, ELBOW, 2] = 0
    heat, paf = pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH)
    gone = {channel for limb, channels in zip(LIMBS, LIMB_PAFS) if ELBOW in limb for channel in channels}
    assert heat[0, ELBOW].abs().max() == 0
    for channel in range(38):
        assert (paf[0, channel].abs().max() == 0) == (channel in gone), channel


def test_the_decoder_reads_the_pose_back(pose):
    heat, paf = (maps[0].numpy() for maps in pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH))
    person, = parse_people(heat[:K], paf)
    found = cell_to_pixel(person.pose[:, :2], STRIDE)
    there = pose[0, :, 2].numpy() > 0
    assert (person.pose[there, 2] > 0).all()
    assert np.abs(found - pose[0, :, :2].numpy())[there].max() < 0.1, 'a parabola through logarithms is exact for a Gaussian'


def test_a_batch_is_its_poses_one_by_one(pose):
    other = pose.clone()
    other[..., 0] += 7
    both = pose_fields(torch.cat([pose, other]), SIZE, STRIDE, SIGMA, WIDTH)
    for maps, first, second in zip(both, pose_fields(pose, SIZE, STRIDE, SIGMA, WIDTH), pose_fields(other, SIZE, STRIDE, SIGMA, WIDTH)):
        assert torch.equal(maps, torch.cat([first, second]))
