"""What other programs write: one truth in each of their formats, units, joints and trackers' ids."""

import json

import numpy as np
import pytest

from toolkit.poses.decode import Person, follow_person
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.poses.smooth import clean_poses
from toolkit.preparing.quality import present
from toolkit.skeletons import COCO17, HALPE26, JOINTS, to_openpose18
from toolkit.structures import InputError

T, SIZE = 12, (480, 640)


@pytest.fixture(scope='module')
def coco():
    poses = np.random.default_rng(0).uniform(20, 460, (T, 17, 3)).astype(np.float32)
    poses[..., 2] = .9
    return poses


@pytest.fixture(scope='module')
def truth(coco):
    return to_openpose18(coco, 'coco17')


def instance(pose):
    return dict(keypoints=pose[:, :2].tolist(), keypoint_scores=pose[:, 2].tolist(), bbox=[[0, 0, 9, 9]], bbox_score=.8)


def flat(pose):
    return pose.ravel().tolist()


def alphapose(truth, people, joints):
    return {f'{t}.jpg': dict(version='AlphaPose v0.3', **{people: [{joints: flat(pose)}]}) for t, pose in enumerate(truth)}


def scaled(poses, width, height):
    poses = poses.copy()
    poses[..., :2] = (poses[..., :2] + .5) * (width / SIZE[1], height / SIZE[0]) - .5
    return poses


def comfyui(poses, **canvas):
    return [dict(people=[dict(pose_keypoints_2d=flat(p), face_keypoints_2d=None)], **canvas) for p in poses]


WRITERS = {
    'AlphaPose': lambda coco, truth: [dict(image_id=f'{t}.jpg', keypoints=flat(p), score=2, idx=[1]) for t, p in enumerate(coco)],
    'AlphaPose cmu': lambda coco, truth: alphapose(truth, 'bodies', 'joints'),
    'AlphaPose open': lambda coco, truth: alphapose(truth, 'people', 'pose_keypoints_2d'),
    'MMPose inferencer': lambda coco, truth: [dict(frame_id=t, instances=[instance(p)]) for t, p in enumerate(coco)],
    'MMPose demo': lambda coco, truth: dict(
        meta_info=dict(keypoint_id2name={str(i): name for i, name in enumerate(COCO17)}),
        instance_info=[dict(frame_id=t + 1, instances=[instance(p)]) for t, p in enumerate(coco)]),
    'MMPose returned': lambda coco, truth: [dict(visualization=[], predictions=[[instance(p)]]) for p in coco],
    'ComfyUI': lambda coco, truth: comfyui(scaled(truth, 320, 256), canvas_width=320, canvas_height=256),
    'ComfyUI, fractions': lambda coco, truth: comfyui(truth / np.float32([639, 479, 1]), canvas_width=320, canvas_height=256),
}


@pytest.mark.parametrize('program', WRITERS)
def test_one_file_for_a_video(tmp_path, coco, truth, program):
    (tmp_path / 'a.json').write_text(json.dumps(WRITERS[program](coco, truth)))
    people = KeypointFiles(tmp_path / 'a.json').people_of_frames(range(T), SIZE, T)
    np.testing.assert_allclose(np.stack([p.pose for p, in people]), truth, atol=1e-3)


@pytest.mark.parametrize('program', [
    'AlphaPose', 'AlphaPose cmu', 'AlphaPose open', 'MMPose inferencer', 'MMPose demo', 'MMPose images', 'ComfyUI', 'predictions'])
def test_a_folder_with_one_file_a_frame(tmp_path, coco, truth, program):
    for t in range(T):
        images = {'MMPose images': [instance(coco[t])], 'predictions': dict(predictions=[[instance(coco[t])]])}
        content = images[program] if program in images else WRITERS[program](coco, truth)
        if program.startswith('AlphaPose '):
            content = content[f'{t}.jpg']
        elif program not in images and isinstance(content, list):
            content = content[t]
        if program == 'MMPose demo':
            content = dict(content, instance_info=content['instance_info'][t]['instances'])
        (tmp_path / f'frame{t}.json').write_text(json.dumps([content] if program in ('ComfyUI', 'AlphaPose') else content))
    people = KeypointFiles(tmp_path).people_of_frames(range(T), SIZE, T)
    np.testing.assert_allclose(np.stack([p.pose for p, in people]), truth, atol=1e-3)


def test_alphapose_leaves_out_frames_without_people(tmp_path, coco, truth):
    for t, (_, content) in enumerate(alphapose(truth, 'bodies', 'joints').items()):
        if 2 < t < 9:
            (tmp_path / f'{t}.json').write_text(json.dumps(content))
    people = KeypointFiles(tmp_path, first=0).people_of_frames(range(T), SIZE, T)
    assert [len(p) for p in people] == [0] * 3 + [1] * 6 + [0] * 3


@pytest.mark.parametrize('joints', [26, 133, 136])
def test_whole_body_joints_begin_with_those_of_coco(tmp_path, coco, truth, joints):
    poses = np.full((T, joints, 3), 50, np.float32)
    poses[:, :17], poses[..., 2] = coco, .9
    np.save(tmp_path / 'a.npy', poses)
    found = KeypointFiles(tmp_path / 'a.npy')(np.broadcast_to(np.uint8(0), (T, *SIZE, 3)))
    expected = truth.copy()
    if joints != 133:
        expected[:, JOINTS.index('neck')] = poses[:, HALPE26.index('neck')]
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize('unit', ['0..1', '-1..1'])
def test_fractions_of_the_frame_are_recognized(tmp_path, truth, unit):
    poses = truth / np.float32([639, 479, 1])
    poses[2, 3], poses[2, 4] = 0, [1.1, -.02, .9]
    if unit == '-1..1':
        poses[..., :2] = poses[..., :2] * 2 - 1
    (tmp_path / 'a.json').write_text(json.dumps(comfyui(poses)))
    files = KeypointFiles(tmp_path / 'a.json')
    assert files.unit == unit
    found = np.stack([p.pose for p, in files.people_of_frames(range(T), SIZE, T)])
    assert not found[2, 3].any() and found[2, 4] == pytest.approx([1.1 * 639, -.02 * 479, .9], abs=1e-3)
    np.testing.assert_allclose(np.delete(found, 2, 0), np.delete(truth, 2, 0), atol=1e-3)
    assert KeypointFiles(tmp_path / 'a.json', unit='pixels').people_of_frames([0], SIZE, T)[0][0].pose[0, 0] < 2


def test_joints_are_found_by_their_names(tmp_path, coco, truth):
    order = np.random.default_rng(1).permutation(17)
    names = {str(i): COCO17[k] for i, k in enumerate(order)}
    content = dict(meta_info=dict(keypoint_id2name=names),
                   instance_info=[dict(frame_id=t + 1, instances=[instance(p[order])]) for t, p in enumerate(coco)])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    people = KeypointFiles(tmp_path / 'a.json').people_of_frames(range(T), SIZE, T)
    np.testing.assert_allclose(np.stack([p.pose for p, in people]), truth, atol=1e-3)
    content['meta_info']['keypoint_id2name'] = {str(i): f'paw_{i}' for i in range(17)}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(InputError, match='paw_0.*not those of a human body'):
        KeypointFiles(tmp_path / 'a.json')


def test_joints_of_low_confidence_are_missing(tmp_path, coco):
    coco = coco.copy()
    coco[:, COCO17.index('left_ankle'), 2] = .05
    np.save(tmp_path / 'a.npy', coco)
    assert not KeypointFiles(tmp_path / 'a.npy').people_of_frames([0], SIZE, T)[0][0].pose[JOINTS.index('left_ankle')].any()
    assert KeypointFiles(tmp_path / 'a.npy', threshold=0).people_of_frames([0], SIZE, T)[0][0].pose[JOINTS.index('left_ankle')].any()


def test_a_trackers_ids_link_people(tmp_path, coco):
    """Two people change places between two frames; only the ids say so."""
    left, right = coco[0].copy(), coco[0] + np.float32([150, 0, 0])
    where = [(left, right)] * 3 + [(right, left)] * 3
    content = [dict(image_id=f'{t}.jpg', keypoints=flat(p), idx=i) for t, pair in enumerate(where) for i, p in enumerate(pair)]
    (tmp_path / 'a.json').write_text(json.dumps(content[::-1]))
    people = KeypointFiles(tmp_path / 'a.json').people_of_frames(range(6), SIZE, 6)
    followed = follow_person(people)
    steps = np.abs(np.diff(followed[:, 0, 0]))
    assert steps == pytest.approx([0, 0, 150, 0, 0], abs=1e-3)
    without = follow_person([[Person(p.pose, p.score) for p in frame] for frame in people])
    assert np.abs(np.diff(without[:, 0, 0])).max() == 0


def test_ids_that_everybody_has_link_nobody(tmp_path, coco):
    """AlphaPose without a tracker gives everybody the number 0."""
    near = (coco[0] - np.float32([240, 240, 0])) * np.float32([.2, .4, 1]) + np.float32([60, 240, 0])
    near[:, 2], far = .9, near + np.float32([500, 0, 0])
    where = [(near, far * np.float32([1, 1, .5])), (near, ), (far, ), (near, far)]
    content = [dict(image_id=f'{t}.jpg', keypoints=flat(p), idx=[0.]) for t, people in enumerate(where) for p in people]
    (tmp_path / 'a.json').write_text(json.dumps(content))
    followed = follow_person(KeypointFiles(tmp_path / 'a.json').people_of_frames(range(4), SIZE, 4))
    assert not followed[2].any(), 'somebody else, far away'
    np.testing.assert_allclose(followed[[1, 3]], followed[[0, 0]])


def test_fractions_that_may_be_of_either_kind_are_asked_for(tmp_path, truth):
    """A head cut off at the top of 0..1, and a small person in the middle of -1..1, look alike."""
    poses = truth / np.float32([639, 479, 1])
    poses[:, :5, 1] -= 1
    (tmp_path / 'a.json').write_text(json.dumps(comfyui(np.clip(poses, -.2, 1))))
    with pytest.raises(InputError, match=r'a.json: the coordinates, -0.20 to 0.95, .* unit=0..1 or unit=-1..1'):
        KeypointFiles(tmp_path / 'a.json').people_of_frames(range(T), SIZE, T)
    people = KeypointFiles(tmp_path / 'a.json', unit='0..1').people_of_frames(range(T), SIZE, T)
    assert people[0][0].pose[0, 1] == pytest.approx(-.2 * 479)


@pytest.mark.parametrize('coco_file', [False, True])
def test_keypoints_of_larger_pictures(tmp_path, coco, truth, coco_file):
    """COCO's images tell their size; where nothing does, keypoints beyond the frames are refused."""
    height, width = 4 * SIZE[0], 4 * SIZE[1]
    large, path = scaled(coco, width, height), tmp_path / 'a.json'
    results = [dict(image_id=t, keypoints=flat(p)) for t, p in enumerate(large)]
    images = [dict(id=t, file_name=f'{t}.png', height=height, width=width) for t in range(T)]
    path.write_text(json.dumps(dict(images=images, annotations=results) if coco_file else results))
    if not coco_file:
        with pytest.raises(InputError, match='most of the keypoints lie beyond the frames of 640x480.*size='):
            KeypointFiles(path).people_of_frames([0], SIZE, T)
    people = KeypointFiles(path, size=None if coco_file else (height, width)).people_of_frames(range(T), SIZE, T)
    np.testing.assert_allclose(np.stack([p.pose for p, in people]), truth, atol=1e-3)


def test_a_depth_is_no_confidence(tmp_path, coco):
    poses = coco.copy()
    poses[:, ::2, 2], poses[:, 1, 2] = -.4, .5
    np.save(tmp_path / 'a.npy', poses)
    with pytest.raises(InputError, match=r'frame 0: 9 of 17 joints have a confidence below 0, such as -0.4; is the third .* depth z'):
        KeypointFiles(tmp_path / 'a.npy').people_of_frames([0], SIZE, T)
    poses[:, ::2] = -1
    np.save(tmp_path / 'a.npy', poses)
    pose = KeypointFiles(tmp_path / 'a.npy').people_of_frames([0], SIZE, T)[0][0].pose
    assert not pose[0].any() and pose[JOINTS.index('left_eye'), 2] == .5


def test_joints_above_a_low_threshold_are_kept_when_poses_are_cleaned(tmp_path, coco):
    poses = coco.copy()
    poses[..., 2] = .04
    np.save(tmp_path / 'a.npy', poses)
    found = follow_person(KeypointFiles(tmp_path / 'a.npy', threshold=.03).people_of_frames(range(T), SIZE, T))
    cleaned = clean_poses(found, 25., smooth=False)
    np.testing.assert_array_equal(cleaned, found)
    assert present(cleaned).all()
