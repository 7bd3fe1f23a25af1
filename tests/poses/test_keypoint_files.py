"""Keypoints from files: formats, order, several people, errors."""

import json

import numpy as np
import pytest

from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.skeletons import BODY25, COCO17, INDEX, K
from toolkit.structures import InputError

FRAMES = np.zeros((3, 100, 80, 3), np.uint8)


def clip(joints=K, frames=3, seed=0):
    poses = np.random.default_rng(seed).uniform(1, 80, (frames, joints, 3)).astype(np.float32)
    poses[..., 2] = 0.5
    return poses


def write_openpose(folder, people_of_frames):
    for t, people in enumerate(people_of_frames):
        entries = [{'pose_keypoints_2d': p.ravel().tolist()} for p in people]
        (folder / f'clip_{t:012d}_keypoints.json').write_text(json.dumps({'version': 1.3, 'people': entries}))


def test_openpose_folder_with_18_joints(tmp_path):
    poses = clip()
    write_openpose(tmp_path, [[p] for p in poses])
    files = KeypointFiles(tmp_path)
    assert len(files) == 3
    np.testing.assert_allclose(files(FRAMES), poses, rtol=1e-6)
    assert files.num_people(FRAMES).tolist() == [1, 1, 1]


def test_openpose_folder_with_25_joints(tmp_path):
    body = clip(25)
    write_openpose(tmp_path, [[p] for p in body])
    poses = KeypointFiles(tmp_path)(FRAMES)
    for name in ('nose', 'neck', 'left_ankle', 'right_ear'):
        np.testing.assert_allclose(poses[:, INDEX[name]], body[:, BODY25.index(name)], rtol=1e-6)


def test_frames_without_people_and_a_second_person(tmp_path):
    poses = clip(seed=1)
    poses[:] = poses[0]
    other = poses[0] * np.float32([0.2, 0.2, 1]) + np.float32([500, 500, 0])
    write_openpose(tmp_path, [[other, poses[0]], [], [poses[2], other]])
    files = KeypointFiles(tmp_path)
    found = files(FRAMES)
    np.testing.assert_allclose(found[[0, 2]], poses[[0, 2]], rtol=1e-6)
    assert not found[1].any()


def test_coco_results_in_order_with_missing_frames(tmp_path):
    coco = clip(17)
    coco[..., 2] = 2
    results = [dict(image_id=i, category_id=1, keypoints=p.ravel().tolist(), score=1.0) for i, p in ((7, coco[2]), (5, coco[0]))]
    path = tmp_path / 'results.json'
    path.write_text(json.dumps(results))
    poses = KeypointFiles(path)(FRAMES)
    for t in (0, 2):
        assert poses[t, INDEX['left_knee'], :2] == pytest.approx(coco[t, COCO17.index('left_knee'), :2])
        neck = coco[t, [COCO17.index('left_shoulder'), COCO17.index('right_shoulder')], :2].mean(0)
        assert poses[t, INDEX['neck'], :2] == pytest.approx(neck)
        assert poses[t, INDEX['neck'], 2] == 1
    assert not poses[1].any()


def test_coco_annotations_follow_the_images_names(tmp_path):
    coco = clip(17, 2)
    content = dict(
        images=[dict(id='b', file_name='0001.png'), dict(id='a', file_name='0000.png')],
        annotations=[dict(image_id=i, keypoints=p.ravel().tolist()) for i, p in zip('ab', coco)])
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    assert KeypointFiles(path)(FRAMES[:2])[:, 0, :2] == pytest.approx(coco[:, 0, :2])


@pytest.mark.parametrize('save', [
    lambda p, a: np.savez(p.with_suffix('.npz'), poses=a), lambda p, a: np.savez(p.with_suffix('.npz'), a),
    lambda p, a: np.save(p.with_suffix('.npy'), a)])
def test_numpy_files(tmp_path, save):
    poses = clip()
    poses[1] = 0
    save(tmp_path / 'poses', poses)
    assert np.array_equal(KeypointFiles(next(tmp_path.iterdir()))(FRAMES), poses)


def test_keypoints_of_another_picture_size_are_scaled(tmp_path):
    poses = clip()
    poses[:, 0] = 0
    np.savez(tmp_path / 'poses.npz', poses=poses)
    scaled = KeypointFiles(tmp_path / 'poses.npz', size=(200, 40))(FRAMES)
    assert scaled[:, 1, 0] == pytest.approx((poses[:, 1, 0] + 0.5) * 2 - 0.5)
    assert scaled[:, 1, 1] == pytest.approx((poses[:, 1, 1] + 0.5) * 0.5 - 0.5)
    assert not scaled[:, 0].any()


def test_wrong_number_of_frames(tmp_path):
    np.savez(tmp_path / 'poses.npz', poses=clip())
    with pytest.raises(InputError, match='keypoints of 3 frames, but the clip has 2'):
        KeypointFiles(tmp_path / 'poses.npz')(FRAMES[:2])


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('a.json', '{', 'cannot be read as JSON'),
    ('a.json', '{"x": 1}', 'neither a list'),
    ('a.json', '[{"image_id": 1}]', 'entry 0'),
    ('a.json', '[{"image_id": 1, "keypoints": [1, 2]}]', '2 numbers'),
    ('a.json', '[{"image_id": 1, "keypoints": [1, 2, 1]}]', r'\(1, 3\)'),
    ('a.json', '[{"image_id": 1, "keypoints": ["x", 2, 1]}]', 'not numbers'),
    ('a.npz', 'text', 'cannot be read as a numpy file'),
    ('a.txt', '', 'no folder of OpenPose'),
    ('folder/a.json', '[]', 'no list "people"'),
    ('folder/a.json', '{"people": [{}]}', r'people\[0\]'),
    ('folder/a.txt', '', 'no JSON files'),
])
def test_unusable_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        KeypointFiles(path.parent if 'folder' in name else path)
    assert 'folder' in str(error.value) or 'a.' in str(error.value)


def test_unusable_arrays_and_layouts(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, a=clip(), b=clip())
    with pytest.raises(InputError, match='expected one named "poses"'):
        KeypointFiles(path)
    np.savez(path, poses=np.zeros((3, 18)))
    with pytest.raises(InputError, match='expected \\(frames, joints, 3\\)'):
        KeypointFiles(path)
    np.savez(path, poses=np.full((1, K, 3), np.nan))
    with pytest.raises(InputError, match='frame 0: keypoints are not all finite'):
        KeypointFiles(path)
    np.savez(path, poses=np.zeros((1, 5, 3)))
    with pytest.raises(InputError, match='shape \\(5, 3\\)'):
        KeypointFiles(path)
    with pytest.raises(InputError, match='unknown keypoint layout'):
        KeypointFiles(path, layout='hands')
