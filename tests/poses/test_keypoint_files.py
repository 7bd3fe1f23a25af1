"""Keypoints from files: formats, order, several people, errors."""

import json

import numpy as np
import pytest

from toolkit.poses.frame_numbers import first_number, numbers_of_names
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
    np.testing.assert_allclose(files(FRAMES), poses, rtol=1e-6)
    assert files.num_people(FRAMES).tolist() == [1, 1, 1]


def test_hidden_files_in_a_folder_are_none_of_the_results(tmp_path):
    poses = clip()
    write_openpose(tmp_path, [[p] for p in poses])
    (tmp_path / '._clip_000000000000_keypoints.json').write_bytes(b'\0\5\x16\7')
    np.testing.assert_allclose(KeypointFiles(tmp_path)(FRAMES), poses, rtol=1e-6)


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
    with pytest.raises(InputError, match='keypoints of 3 frames, but the video has 2'):
        KeypointFiles(tmp_path / 'poses.npz')(FRAMES[:2])


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('a.json', '{', 'not readable as JSON'),
    ('a.json', '{"x": 1}', 'keys .*x'),
    ('a.json', '5', 'no list'),
    ('a.json', '[{"image_id": 1}]', 'entry 0'),
    ('a.json', '[{"image_id": 1, "keypoints": [1, 2]}]', '2 numbers'),
    ('a.json', '[{"image_id": 1, "keypoints": [1, 2, 1]}]', r'\(1, 3\)'),
    ('a.json', '[{"image_id": 1, "keypoints": ["x", 2, 1]}]', 'not numbers'),
    ('a.npz', 'text', 'no numpy file of numbers'),
    ('a.txt', '', 'no folder of JSON'),
    ('folder/a.0.json', '5', 'no list of people'),
    ('folder/a.0.json', '{"people": [{}]}', r'people\[0\]'),
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
        KeypointFiles(path)(FRAMES[:1])
    np.savez(path, poses=np.zeros((1, 5, 3)))
    with pytest.raises(InputError, match='shape \\(5, 3\\)'):
        KeypointFiles(path)
    with pytest.raises(InputError, match='unknown keypoint layout'):
        KeypointFiles(path, layout='hands')
    for threshold in (5, -.1, float('nan')):
        with pytest.raises(InputError, match='threshold must be a confidence between 0 and 1'):
            KeypointFiles(path, threshold=threshold)


def openpose_entry(pose):
    return {'pose_keypoints_2d': pose.ravel().tolist()}


def as_folder(folder, poses, name):
    folder.mkdir()
    for t, pose in enumerate(poses):
        (folder / name.format(t)).write_text(json.dumps(dict(people=[] if pose is None else [openpose_entry(pose)])))
    return folder


def as_results(path, poses, image_id):
    coco = [dict(image_id=image_id(t), keypoints=pose.ravel().tolist()) for t, pose in enumerate(poses) if pose is not None]
    path.write_text(json.dumps(coco))
    return path


def as_annotations(path, poses, image_id):
    images = [dict(id=100 + 7 * t % 13, file_name=f'frames/{image_id(t)}') for t in range(len(poses))]
    annotations = [dict(image_id=image['id'], keypoints=p.ravel().tolist()) for image, p in zip(images, poses) if p is not None]
    path.write_text(json.dumps(dict(images=images, annotations=annotations[::-1])))
    return path


WRITERS = {
    'openpose': lambda folder, poses: as_folder(folder / 'a', poses, 'frame{}_keypoints.json'),
    'openpose video': lambda folder, poses: as_folder(folder / 'a', poses, 'take2_{:012d}_keypoints.json'),
    'results': lambda folder, poses: as_results(folder / 'a.json', poses, int),
    'alphapose': lambda folder, poses: as_results(folder / 'a.json', poses, '{}.jpg'.format),
    'annotations': lambda folder, poses: as_annotations(folder / 'a.json', poses, 'frame{}.png'.format),
}


@pytest.mark.parametrize('program', WRITERS)
@pytest.mark.parametrize('absent', [(), (0, 1, 4, 5)], ids=['everybody', 'late and sparse'])
def test_every_pose_lands_in_its_source_frame(tmp_path, program, absent):
    truth = list(clip(K if 'openpose' in program else 17, 12))
    for t in absent:
        truth[t] = None
    files = KeypointFiles(WRITERS[program](tmp_path, truth))
    for indices in (range(12), range(6, 12), (2, 2, 3, 7, 11), (11,)):
        for i, people in zip(indices, files.people_of_frames(indices, (100, 80), 12)):
            assert len(people) == (truth[i] is not None)
            if people:
                assert people[0].pose[0] == pytest.approx(truth[i][0])


@pytest.mark.parametrize(('numbers', 'total', 'first'), [
    (range(40), 40, 0), (range(20), 40, 0), (range(5, 40), 40, 0), (range(1, 41), 40, 1), (range(6, 41), 40, 1), ([40], 40, 1),
    (range(1000, 1040), 40, 1000), ([4711], 1, 4711), ([0], 1, 0), ([1], 1, 1), ([0, 39], 40, 0)])
def test_where_numbers_begin(numbers, total, first):
    assert first_number(list(numbers), total, 'x') == first


@pytest.mark.parametrize(('numbers', 'total', 'message'), [
    (range(1, 40), 40, '39 frames with numbers 1..39, the video has 40.*first=0 or first=1'), (range(5, 30), 40, 'first=0 or first=1'),
    (range(41), 40, '41 frames with numbers 0..40, the video has 40 frames: too many'), ([0, 10**12], 40, 'too many'),
    (range(1000, 1030), 40, 'first=NUMBER')])
def test_numbers_that_do_not_fit(numbers, total, message):
    with pytest.raises(InputError, match=message):
        first_number(list(numbers), total, 'x')


def test_the_user_says_where_numbers_begin(tmp_path):
    truth = list(clip(17, 12))
    path = as_results(tmp_path / 'a.json', [None, None, *truth[2:9], None, None, None], int)
    with pytest.raises(InputError, match='first=0 or first=1'):
        KeypointFiles(path).people_of_frames(range(12), (100, 80), 12)
    assert KeypointFiles(path, first=1).people_of_frames([1], (100, 80), 12)[0][0].pose[0] == pytest.approx(truth[2][0])
    with pytest.raises(InputError, match=r'numbers 2..8 from first=3 on are frames -1..5'):
        KeypointFiles(path, first=3).people_of_frames(range(12), (100, 80), 12)


def test_a_folder_that_ends_early_serves_what_it_covers(tmp_path):
    files = KeypointFiles(as_folder(tmp_path / 'a', clip(frames=10), 'f{}.json'))
    assert all(files.people_of_frames(range(10), (100, 80), 20))
    with pytest.raises(InputError, match='keypoints end at number 9, but frames up to number 19 are used of the 20'):
        files.people_of_frames(range(20), (100, 80), 20)


@pytest.mark.parametrize(('names', 'numbers'), [
    (['f10', 'f9', 'f1'], [10, 9, 1]), (['a_1_keypoints.json', 'a_02_keypoints.json'], [1, 2]), (['2_f10.x', '2_f9.x'], [10, 9]),
    (['f10_v2.png', 'f9_v2.png'], [10, 9]), (['d/1/5.jpg', 'd/2/6.jpg'], [5, 6]), (['a\\b5.jpg'], [5]),
    (['s1_1', 's1_2', 's2_3'], [1, 2, 3])])
def test_numbers_of_names(names, numbers):
    assert numbers_of_names(names, 'x') == numbers


@pytest.mark.parametrize('names', [['a'], ['1', 'a'], ['1.jpg', '01.jpg'], ['c1_5', 'c2_5', 'c1_6'], ['9' * 30]])
def test_names_without_one_number_each(names):
    with pytest.raises(InputError, match='number'):
        numbers_of_names(names, 'x')


def test_pictures_are_known_by_the_numbers_in_their_names(tmp_path):
    truth = clip(frames=4)
    pictures = {0: 'f7.png', 1: 'f8.png', 4: 'f11.png', 5: 'f12.png'}
    (tmp_path / 'a').mkdir()
    for name, pose in zip(list(pictures.values())[1:], truth[1:]):
        (tmp_path / 'a' / name.replace('.png', '_keypoints.json')).write_text(json.dumps(dict(people=[openpose_entry(pose)])))
    files = KeypointFiles(tmp_path / 'a')
    people = files.people_of_frames([0, 1, 4, 5], (100, 80), 4, pictures)
    assert [len(p) for p in people] == [0, 1, 1, 1]
    assert all(p[0].pose[0] == pytest.approx(t[0]) for p, t in zip(people[1:], truth[1:]))
    with pytest.raises(InputError, match='numbers 8..12'):
        files.people_of_frames(range(4), (100, 80), 4)
    with pytest.raises(InputError, match='numbers 8..12'):
        files.people_of_frames(range(4), (100, 80), 4, dict(enumerate(['7', '8', '9', '10'])))
    np.save(tmp_path / 'a.npy', truth)
    people = KeypointFiles(tmp_path / 'a.npy').people_of_frames([1, 1, 4, 5], (100, 80), 4, pictures)
    assert [p[0].pose[0, 0] for p in people] == pytest.approx(truth[[1, 1, 2, 3], 0, 0])


def test_one_picture_needs_no_number(tmp_path):
    folder = as_folder(tmp_path / 'a', clip(frames=1), 'photo_keypoints.json')
    assert len(KeypointFiles(folder).people_of_frames([0], (100, 80), 1, {0: 'photo.png'})[0]) == 1
    with pytest.raises(InputError, match='keypoints of 1 frames, but the video has 2'):
        KeypointFiles(folder).people_of_frames([0], (100, 80), 2)
    (folder / 'other.json').write_text('{"people": []}')
    with pytest.raises(InputError, match='says no frame number'):
        KeypointFiles(folder)


def test_boxes_among_annotations_are_left_out(tmp_path):
    path = as_annotations(tmp_path / 'a.json', clip(17, 3), 'frame{}.png'.format)
    content = json.loads(path.read_text())
    content['annotations'].insert(1, dict(image_id=content['images'][0]['id'], bbox=[1, 2, 3, 4]))
    path.write_text(json.dumps(content))
    assert [len(p) for p in KeypointFiles(path).people_of_frames(range(3), (100, 80), 3)] == [1, 1, 1]


@pytest.mark.parametrize('options', [
    dict(size=5), dict(size='1280x720'), dict(size=(0, 3)), dict(size=('a', 'b')), dict(first='a'), dict(first=.5), dict(first=1),
    dict(threshold='x'),
    dict(layout=5), dict(layout=['coco17']), dict(unit=1), dict(path=5), dict(path='')])
def test_options_are_checked(tmp_path, options):
    np.save(tmp_path / 'a.npy', clip())
    with pytest.raises(InputError):
        KeypointFiles(**{'path': tmp_path / 'a.npy', **options})


def test_people_without_a_body_are_left_out(tmp_path):
    (tmp_path / 'f0.json').write_text(json.dumps(dict(people=[
        openpose_entry(clip()[0]), dict(pose_keypoints_2d=[], face_keypoints_2d=[1, 2, 3]), dict(pose_keypoints_2d=None),
        dict(face_keypoints_2d=[1, 2, 3]), dict(pose_keypoints_2d=[0] * 54)])))
    assert [len(p) for p in KeypointFiles(tmp_path).people_of_frames([0], (100, 80), 1)] == [1]
