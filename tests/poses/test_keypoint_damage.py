"""Damaged and hostile keypoint files: one line that names the file, without much memory or time, whatever they hold."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from toolkit.poses.array_files import ArrayFile
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.structures import InputError

T, SIZE = 3, (100, 80)
POSE = [value for i in range(17) for value in (10 + 3 * i, 20 + 4 * i, 1)]
COCO = [dict(image_id=t, keypoints=POSE) for t in range(T)]
IMAGES = [dict(id=t, file_name=f'{t}.png') for t in range(T)]
MMPOSE = [dict(frame_id=t, instances=[dict(keypoints=[[1, 2]] * 17, keypoint_scores=[1] * 17)]) for t in range(T)]


def read(path):
    return KeypointFiles(path).people_of_frames(range(T), SIZE, T)


def refused_in_one_line(path):
    with pytest.raises(InputError) as error:
        read(path)
    message = str(error.value)
    return '\n' not in message and len(message.encode()) < 700 and path.name in message


@pytest.mark.parametrize('content', [
    [], {}, 5, 'x', None, [5], [[]], [None] * 3, [[5]] * 3, '[' * 100000, '{"a":' * 100000,
    b'\xff\xfe\x00', b'', '1' * 5000,
    [dict(image_id=10**8, keypoints=POSE), *COCO], [dict(image_id=10**12, keypoints=POSE), *COCO],
    [dict(image_id=10**30, keypoints=POSE)],
    [dict(image_id=-1, keypoints=POSE)], [dict(image_id=[1], keypoints=POSE)], [dict(image_id=True, keypoints=POSE)],
    [dict(image_id=None, keypoints=POSE)], [dict(image_id=.5, keypoints=POSE)], [dict(image_id={}, keypoints=POSE)],
    [dict(image_id='1.jpg', keypoints=POSE), dict(image_id=2, keypoints=POSE)], [dict(image_id='9' * 10**6, keypoints=POSE)],
    [dict(image_id='1_' * 10**5, keypoints=POSE)], [dict(image_id='\ud800', keypoints=POSE)], [dict(keypoints=POSE)],
    [*COCO, 5], [*COCO, {}], [dict(image_id=0, keypoints=5)], [dict(image_id=0, keypoints='x')], [dict(image_id=0, keypoints={})],
    [dict(image_id=0, keypoints=[None] * 51)], [dict(image_id=0, keypoints=[[1, 2], [3]])], [dict(image_id=0, keypoints=POSE[:-1])],
    [dict(image_id=0, keypoints=[*POSE[:-1], float('nan')])], [dict(image_id=0, keypoints=[*POSE[:-1], 10**39])],
    '[{"image_id": 0, "keypoints": [1%s, 2, 1]}]' % ('0' * 400), '[{"image_id": 0, "keypoints": [1e400, 2, 1]}]',
    dict(annotations=5), dict(annotations={}), dict(annotations=COCO, images=5), dict(annotations=COCO, images=[5]),
    dict(annotations=COCO, images=[{}]), dict(annotations=COCO, images=IMAGES * 2), dict(annotations=COCO, images=IMAGES[:1]),
    dict(annotations=COCO, images=[dict(id=[1])]), dict(annotations=COCO, images=[dict(id=t, file_name='abc'[t]) for t in range(3)]),
    [*MMPOSE, MMPOSE[0]], [dict(frame_id='x', instances=[])], [dict(frame_id=0)], [dict(frame_id=0, instances=5)],
    [dict(frame_id=0, instances=[5])], [dict(frame_id=0, instances=[dict(keypoints=[[1, 2]] * 17, keypoint_scores=[1])])],
    dict(instance_info=5), dict(instance_info=[5]), dict(predictions=[5]), dict(predictions=5), [dict(predictions=[]), 5],
    dict(meta_info=dict(keypoint_id2name={'0': '\ud800' * 999}), instance_info=MMPOSE),
    dict(people=[5]), dict(people=5), dict(people=[{}]), [dict(people=5)] * T, [dict(people=[])], [dict(people=[])] * 10,
    {'a.jpg': dict(people=[])}, {'1.jpg': dict(people=[]), '01.jpg': dict(people=[])}, {'1.jpg': dict(bodies=[dict(joints=[1])])},
], ids=lambda content: str(content)[:30])
def test_damaged_json(tmp_path, content):
    path = tmp_path / 'a.json'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) and content != 'x' else json.dumps(content))
    assert refused_in_one_line(path)


@pytest.mark.parametrize('content', ['5', '{"people": [5]}', '{"people": {}}', '{', '[5]', '[{}]', '{"predictions": 5}', '[' * 100000])
def test_damaged_files_of_a_folder(tmp_path, content):
    for t in range(T):
        (tmp_path / f'{t}.json').write_text('{"people": []}')
    (tmp_path / '1.json').write_text(content)
    with pytest.raises(InputError, match=r'1\.json'):
        read(tmp_path)


def test_pipes_and_folders_in_place_of_files(tmp_path):
    (tmp_path / 'folder').mkdir()
    os.mkfifo(tmp_path / 'folder' / 'f0.json')
    hostile = [tmp_path / 'folder']
    for name in ('a.json', 'a.npz', 'a.npy'):
        os.mkfifo(tmp_path / name)
        hostile.append(tmp_path / name)
    (tmp_path / 'b.json').mkdir()
    for path in (*hostile, tmp_path / 'b.json', tmp_path / 'nothing.npz'):
        assert refused_in_one_line(path)


def npz(array, content=None):
    stream, data = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array(data, array)
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('poses.npy', data.getvalue() if content is None else content)
    return stream.getvalue()


def npy_header(shape, descr='<f4'):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, dict(shape=shape, fortran_order=False, descr=descr))
    return stream.getvalue()


POSES = np.full((T, 17, 3), 5, np.float32)
WHOLE = npz(POSES)


@pytest.mark.parametrize('content', [
    b'', b'PK', WHOLE[:40], WHOLE[:len(WHOLE) // 2], WHOLE[:-10], WHOLE[:60] + b'\0\0\0' + WHOLE[63:],
    WHOLE.replace(b'\x08\0', b'\x63\0'),
    npz(POSES, b''), npz(POSES, b'\x93NUMPY\x01\0'), npz(POSES, npy_header((T, 17, 3))),
    npz(POSES, npy_header((2**40, 17, 3))), npz(POSES, npy_header((T, 17, 3), '|O') + bytes(9)),
    npz(POSES, npy_header((T, 17, 3)) + bytes(9999)), npz(POSES, b'\x93NUMPY\x01\0\x10\x27' + b'(' * 10000),
    npz(POSES, npy_header((-3, 17, 3))), npz(POSES.astype(complex)), npz(POSES.astype(bool)), npz(POSES.astype('U3')),
    npz(POSES.astype([('x', 'f4')])), npz(POSES * np.nan), npz(np.full((T, 17, 3), 1e300)), npz(POSES[:0]), npz(POSES[0]),
    npz(POSES[:, :5]), npz(POSES[..., :2]), npz(POSES[:2]),
], ids=range(26))
def test_damaged_arrays(tmp_path, content):
    (tmp_path / 'a.npz').write_bytes(content)
    assert refused_in_one_line(tmp_path / 'a.npz')


@pytest.mark.parametrize('content', [
    b'', b'\x93NUMPY', npy_header((T, 17, 3)), npy_header((T, 17, 3)) + bytes(9999), npy_header((2**40, 17, 3))])
def test_damaged_single_arrays(tmp_path, content):
    (tmp_path / 'a.npy').write_bytes(content)
    assert refused_in_one_line(tmp_path / 'a.npy')


def test_an_array_of_many_frames_is_refused_by_its_header(tmp_path):
    data = npy_header((10**7, 17, 3)) + bytes(1 << 25)
    (tmp_path / 'a.npz').write_bytes(npz(POSES, data))
    del data
    tracemalloc.start()
    assert refused_in_one_line(tmp_path / 'a.npz')
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_headers_tell_what_a_file_holds(tmp_path):
    np.savez_compressed(tmp_path / 'a.npz', a=np.zeros((2, 3)), b=np.ones(4, np.uint8))
    file = ArrayFile(tmp_path / 'a.npz')
    assert {name: (h.shape, str(h.dtype)) for name, h in file.headers.items()} == dict(a=((2, 3), 'float64'), b=((4,), 'uint8'))
    assert np.array_equal(file.read('b'), np.ones(4))
