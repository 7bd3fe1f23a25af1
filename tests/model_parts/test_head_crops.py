"""Crops of heads, and the face discriminators of CycleGAN that see them."""

import pytest
import torch

from tests.models.cycle_gan_parts import ANCHORS, SKELETON, batch_of, build, optimizers
from toolkit.model_parts.head_crops import HeadCrops
from toolkit.skeletons import HEAD_JOINTS, L_HIP, L_SHOULDER, NOSE, R_EAR, R_HIP, R_SHOULDER
from toolkit.structures import InputError

FACE = dict(face=dict(type='GANLoss', weight=1.0))


def standing(x=12.0, y=8.0, torso=10.0):
    """A pose whose nose alone is seen of its head; body scale ``torso``."""
    pose = torch.zeros(18, 3)
    pose[NOSE] = torch.tensor([x, y, 1.0])
    for shoulder, hip, side in ((R_SHOULDER, R_HIP, -3), (L_SHOULDER, L_HIP, 3)):
        pose[shoulder] = torch.tensor([x + side, y + 3, 1.0])
        pose[hip] = torch.tensor([x + side, y + 3 + torso, 1.0])
    return pose


def ramp(height=32, width=24):
    """A picture that says where each pixel is: x / 100, y / 100, 0."""
    y, x = torch.meshgrid(torch.arange(height) / 100, torch.arange(width) / 100, indexing='ij')
    return torch.stack([x, y, torch.zeros_like(x)])[None]


def test_a_crop_shows_the_square_around_the_head():
    crop = HeadCrops(size=8, reach=0.4)(ramp(), standing()[None])[0]
    offsets = (torch.arange(8) + 0.5) / 8 * 8 - 4
    torch.testing.assert_close(crop[0], ((12 + offsets) / 100).expand(8, 8))
    torch.testing.assert_close(crop[1], ((8 + offsets) / 100)[:, None].expand(8, 8))


def test_spots_are_where_the_joints_are_and_only_those_that_are_seen():
    pose = standing()
    pose[R_EAR] = torch.tensor([10.0, 8.0, 0.3])
    crop = HeadCrops(size=33, reach=0.5)(ramp(), pose[None])[0]
    spots = crop[3:]
    center = 11.0
    for joint in (NOSE, R_EAR):
        spot = spots[HEAD_JOINTS.index(joint)]
        row, column = divmod(int(spot.argmax()), 33)
        assert (row, column) == (16, round((float(pose[joint, 0]) - center) / 5 * 16.5 + 16))
        assert spot.max() > 0.9
    assert not spots[[i for i, j in enumerate(HEAD_JOINTS) if j not in (NOSE, R_EAR)]].any()


def test_a_pose_without_a_head_gives_nothing_and_others_stay_as_they_are():
    poses = torch.stack([standing(), torch.zeros(18, 3)])
    crops = HeadCrops(size=8)(ramp().expand(2, -1, -1, -1), poses)
    assert crops[0].any() and not crops[1].any()
    assert torch.equal(crops[:1], HeadCrops(size=8)(ramp(), poses[:1]))


def test_anchors_move_and_scale_the_crop():
    anchors = torch.tensor([[12.0, 20.0, 20.0], [10.0, 24.0, 10.0]])
    moved = standing()
    moved[:, :2] = (moved[:, :2] - anchors[0, :2]) * 0.5 + anchors[1, :2]
    moved[moved[:, 2] == 0] = 0
    crops = HeadCrops(size=16)
    torch.testing.assert_close(crops(ramp(), standing()[None], anchors), crops(ramp(), moved[None]))


def test_gradients_reach_the_head_alone():
    frames = ramp().requires_grad_()
    HeadCrops(size=8, reach=0.4)(frames, standing()[None])[:, :3].sum().backward()
    reached = frames.grad[0, 0] != 0
    assert reached[5:11, 9:15].all() and not reached[14:].any() and not reached[:, 18:].any()


def with_poses(data):
    for name, x in (('a', 10.0), ('b', 14.0)):
        data[name]['poses'] = standing(x).expand_as(data[name]['poses']).clone()
    return data


def seen(model, data):
    """What the face discriminator of person B saw, in order, and the first picture that was painted of B."""
    seen, painted = [], []
    model.net_d_b_face.register_forward_pre_hook(lambda net, args: seen.append(args[0].detach()))
    model.net_g_ab.register_forward_hook(lambda net, args, out: painted.append(out.detach()))
    logs = model.train_step(data, optimizers(model))
    assert {'g/face_ab', 'g/face_ba', 'd/a_face_real', 'd/a_face_fake', 'd/b_face_real', 'd/b_face_fake'} <= set(logs)
    return seen, painted[0]


def test_a_fake_is_seen_at_the_head_of_its_input():
    model, data, crops = build(FACE, pool_size=0, face_crops=dict(size=16)), with_poses(batch_of(2)), HeadCrops(size=16)
    (generator, truth, pooled), fake = seen(model, data)
    torch.testing.assert_close(truth, crops(data['b']['frames'][:, 0] / 127.5 - 1, data['b']['poses'][:, 0]))
    torch.testing.assert_close(generator, crops(fake, data['a']['poses'][:, 0]))
    assert torch.equal(generator, pooled)


def test_with_skeleton_scaling_it_is_seen_where_the_other_person_stands():
    model = build(dict(FACE, skeleton=SKELETON), skeleton_scaling=True, pool_size=0, face_crops=dict(size=16))
    data = with_poses(batch_of(1))
    (generator, *_), fake = seen(model, data)
    torch.testing.assert_close(generator, HeadCrops(size=16)(fake, data['a']['poses'][:, 0], ANCHORS))
    assert not torch.allclose(generator, HeadCrops(size=16)(fake, data['a']['poses'][:, 0]))


def test_bad_options():
    with pytest.raises(InputError, match='size=4'):
        build(FACE, face_crops=dict(size=4))
    with pytest.raises(InputError, match='without model.losses.face'):
        build(face_crops=dict(size=16))
