import numpy as np
import pytest

from toolkit.clips.crop import Crop, center_crop, given_crop, person_boxes, person_crop
from toolkit.skeletons import INDEX
from toolkit.structures import InputError


def test_center_crop_is_the_largest_of_the_aspect():
    assert center_crop(480, 640, 384, 256) == Crop(160, 0, 320, 480, 384, 256)
    assert center_crop(1280, 720, 384, 256) == Crop(0, 100, 720, 1080, 384, 256)


def test_person_crop_holds_a_person_who_moves_and_keeps_the_aspect(stick):
    poses = np.stack([stick(x, 200, 60) for x in np.linspace(900, 1300, 50)])
    crop = person_crop(poses, 1080, 1920, 384, 256)
    assert abs(crop.w / crop.h - 256 / 384) < .01
    moved = crop.pose(poses)
    seen = moved[..., 2] > 0
    assert (moved[seen][:, :2] > 5).all() and (moved[seen][:, :2] < (250, 378)).all()
    assert crop.padding(1080, 1920) == 0


def test_one_wild_frame_does_not_decide(stick):
    poses = np.stack([stick(500, 200, 60)] * 400)
    calm = person_crop(poses, 1080, 1920, 384, 256)
    poses[7] = stick(1500, 700, 120)
    assert person_crop(poses, 1080, 1920, 384, 256) == calm


def test_a_person_wider_than_the_frame_is_tall_is_padded_not_cut(stick):
    poses = stick(200, 60, 80)[None].repeat(3, 0)
    poses[:, INDEX['right_wrist'], 0], poses[:, INDEX['left_wrist'], 0] = 20, 380
    crop = person_crop(poses, 400, 400, 384, 256)
    assert crop.w >= 360 and crop.h > 400 and crop.y < 0
    assert 0 < crop.padding(400, 400) < .5
    frame = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    out = crop.frame(frame)
    assert out.shape == (384, 256, 3)
    np.testing.assert_array_equal(out[0], out[5])


def test_margins_are_narrowed_before_the_frame_is_left(stick):
    poses = stick(320, 40, 100)[None]
    poses[:, [INDEX['right_wrist'], INDEX['left_wrist']], 0] = [210, 430]
    crop = person_crop(poses, 400, 640, 384, 256)
    assert crop.h == 400 and crop.padding(400, 640) == 0
    assert (crop.pose(poses)[poses[..., 2] > 0][:, :2] > 3).all()


def test_a_person_cut_off_at_the_bottom_stays_at_the_bottom(stick):
    poses = stick(320, 120, 150)[None]
    poses[:, [INDEX['right_wrist'], INDEX['left_wrist']], 0] = [140, 500]
    poses[..., INDEX['right_knee']:INDEX['right_ankle'] + 1, :] = poses[..., INDEX['left_knee']:INDEX['left_ankle'] + 1, :] = 0
    crop = person_crop(poses, 480, 640, 384, 256)
    assert crop.h > 480 and crop.y + crop.h == 480


def test_frame_and_pose_agree():
    """A bright dot lands where its joint is said to be."""
    for crop in (Crop(30, 10, 128, 192, 384, 256), Crop(-20, -11, 512, 768, 384, 256)):
        frame, pose = np.zeros((700, 480, 3), np.uint8), np.zeros((18, 3), np.float32)
        pose[0] = 90, 77, 1
        frame[76:79, 89:92] = 255
        out = crop.frame(frame)[..., 0].astype(float)
        y, x = np.mgrid[:384, :256]
        moved = crop.pose(pose)[0]
        np.testing.assert_allclose([(out * x).sum() / out.sum(), (out * y).sum() / out.sum()], moved[:2], atol=.15)
        assert moved[2] == 1 and not crop.pose(pose)[1:].any()


def test_given_crop_is_checked():
    assert given_crop((10, 20, 200, 300), 480, 640, 384, 256).x == 10
    with pytest.raises(InputError, match='take height 300, .* width 67'):
        given_crop((0, 0, 200, 100), 480, 640, 384, 256)
    for x, y in ((700, 0), (639, 0), (-181, 0), (0, 451), (0, -271)):
        with pytest.raises(InputError, match='does not lie on the frame'):
            given_crop((x, y, 200, 300), 480, 640, 384, 256)
    for x, y in ((620, 450), (-180, -270)):
        assert given_crop((x, y, 200, 300), 480, 640, 384, 256).x == x


def test_boxes_reach_beyond_the_joints_and_need_a_person(stick):
    boxes = person_boxes(np.stack([stick(500, 200, 60), np.zeros((18, 3), np.float32)]))
    assert boxes[0, 1] < 200 - 25 and boxes[0, 3] > 380 and np.isnan(boxes[1]).all()
    with pytest.raises(InputError, match='no person found'):
        person_crop(np.zeros((2, 18, 3), np.float32), 10, 10, 384, 256)
