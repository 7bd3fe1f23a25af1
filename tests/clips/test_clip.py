import errno
import json
import os
import struct
import tracemalloc
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from toolkit import files
from toolkit.clips import clip as module
from toolkit.clips.clip import Clip, ClipWriter, find_clips
from toolkit.structures import InputError

H, W = 32, 24


def sample(t):
    rng = np.random.default_rng(t)
    pose = np.concatenate([rng.uniform(0, 20, (18, 2)), np.ones((18, 1))], 1).astype(np.float32)
    return (rng.integers(0, 255, (H, W, 3), np.uint8), pose, rng.random((H, W), np.float32), rng.random((H, W), np.float32),
            rng.integers(0, 11, (H, W), np.uint8))


def writer(folder, **options):
    return ClipWriter(folder, folder.name, 'ann', 'wave', H, W, 25, **options)


def make(folder, count=3, **options):
    w = writer(folder, **options)
    for t in range(w.num_frames, count):
        w.add(*sample(t))
    return w.finish(made_by={'poses': {'type': 'x'}})


def test_round_trip(tmp_path):
    clip = make(tmp_path / 'a')
    assert (clip.name, clip.person, clip.action, clip.fps, clip.height, clip.width, len(clip)) == ('a', 'ann', 'wave', 25, H, W, 3)
    for t in range(3):
        frame, pose, edge, mask, parts = sample(t)
        np.testing.assert_array_equal(clip.frame(t), frame)
        np.testing.assert_array_equal(clip.poses[t], pose)
        np.testing.assert_array_equal(clip.parts(t), parts)
        assert np.abs(clip.edge(t) - edge).max() <= .5 / 255 + 1e-6 and np.abs(clip.mask(t) - mask).max() <= .5 / 255 + 1e-6
    np.testing.assert_array_equal(clip.frames([2, 0]), np.stack([clip.frame(2), clip.frame(0)]))
    assert clip.frames().shape == (3, H, W, 3) and clip.edge(0).dtype == np.float32
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a']
    assert sorted(p.name for p in clip.folder.iterdir()) == ['edges', 'frames', 'manifest.json', 'masks', 'parts', 'poses.npz']
    assert Clip(clip.folder).manifest['made_by'] == {'poses': {'type': 'x'}}


@pytest.mark.parametrize('key', ['person', 'action'])
@pytest.mark.parametrize('value', ['', None, '\udc80'])
def test_what_could_not_be_read_again_is_not_written(tmp_path, key, value):
    said = dict(person='ann', action='wave') | {key: value}
    with pytest.raises(InputError, match=f'{key} is .*expected a text that is not empty'):
        ClipWriter(tmp_path / 'a', 'a', **said, height=H, width=W, fps=25)
    assert not [*tmp_path.iterdir()]


def test_jpeg_frames_stay_near(tmp_path):
    w = writer(tmp_path / 'a', frame_format='jpg')
    frame = np.full((H, W, 3), (200, 100, 50), np.uint8)
    w.add(frame, *sample(0)[1:])
    assert np.abs(w.finish().frame(0).astype(int) - frame).max() < 6


def test_interrupted_clip_goes_on_after_its_last_whole_frame(tmp_path):
    whole = make(tmp_path / 'whole', 4)
    w = writer(tmp_path / 'a', key='k')
    for t in range(3):
        w.add(*sample(t))
    assert not (tmp_path / 'a').exists() and find_clips(tmp_path)[0].name == 'whole' and len(find_clips(tmp_path)) == 1
    (tmp_path / '.a.partial' / 'parts' / '000002.png').unlink()
    again = writer(tmp_path / 'a', key='k')
    assert again.num_frames == 2
    for t in (2, 3):
        again.add(*sample(t))
    clip = again.finish()
    np.testing.assert_array_equal(clip.poses, whole.poses)
    np.testing.assert_array_equal(clip.frames(), whole.frames())


def test_pictures_that_a_power_cut_left_empty_are_made_again(tmp_path):
    w = writer(tmp_path / 'a', key='k')
    for t in range(3):
        w.add(*sample(t))
    (tmp_path / '.a.partial' / 'masks' / '000001.png').write_bytes(b'')
    assert writer(tmp_path / 'a', key='k').num_frames == 1


@pytest.mark.skipif(not hasattr(os, 'sync'), reason='the system does not say when files are on the disk')
def test_a_clip_gets_its_name_when_its_files_are_on_the_disk(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, 'sync', lambda: seen.append(sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.glob('*/*.*'))))
    clip = make(tmp_path / 'a')
    assert len(seen) == 1 and {'.a.partial/manifest.json', '.a.partial/poses.npz'} <= {*seen[0]} and clip.folder == tmp_path / 'a'


def test_other_settings_start_over(tmp_path):
    writer(tmp_path / 'a', key=1).add(*sample(0))
    assert writer(tmp_path / 'a', key=2).num_frames == 0
    assert not list((tmp_path / '.a.partial' / 'frames').iterdir())


def test_a_finished_clip_is_only_replaced_when_told_so(tmp_path):
    make(tmp_path / 'a', 2)
    with pytest.raises(InputError, match='finished clip of this name exists'):
        writer(tmp_path / 'a')
    replacing = writer(tmp_path / 'a', overwrite=True)
    replacing.add(*sample(5))
    assert len(Clip(tmp_path / 'a')) == 2
    assert len(replacing.finish()) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a']


def test_wrong_shapes_are_named(tmp_path):
    w = writer(tmp_path / 'a')
    frame, pose, edge, mask, parts = sample(0)
    with pytest.raises(ValueError, match=r'frame 0: edge must be \(32, 24\), got \(31, 24\)'):
        w.add(frame, pose, edge[1:], mask, parts)
    with pytest.raises(InputError, match='no frame was added'):
        w.finish()


def test_full_disk_is_named_and_whole_frames_are_kept(tmp_path, monkeypatch):
    w = writer(tmp_path / 'a')
    w.add(*sample(0))
    real = files.os.replace

    def full(source, target):
        if 'masks' in str(target):
            raise OSError(errno.ENOSPC, 'No space left on device')
        real(source, target)

    monkeypatch.setattr(files.os, 'replace', full)
    with pytest.raises(InputError, match=r'masks/000001.png: the disk is full.*kept'):
        w.add(*sample(1))
    monkeypatch.undo()
    assert not list(tmp_path.rglob('*.tmp*'))
    assert len(make(tmp_path / 'a', 2)) == 2


def test_unwritable_output(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='cannot be written'):
        writer(tmp_path / 'file' / 'a')


def test_damage_names_the_file(tmp_path):
    clip = make(tmp_path / 'a')
    (clip.folder / 'masks' / '000001.png').write_bytes(b'no')
    with pytest.raises(InputError, match=r'masks/000001.png: damaged'):
        clip.mask(1)
    (clip.folder / 'frames' / '000002.png').unlink()
    with pytest.raises(InputError, match=r'frames/000002.png: no such file'):
        clip.frame(2)
    with pytest.raises(IndexError, match='0..2'):
        clip.frame(3)
    (clip.folder / 'poses.npz').write_bytes((clip.folder / 'poses.npz').read_bytes()[:100])
    with pytest.raises(InputError, match=r'poses.npz: damaged'):
        Clip(clip.folder).poses  # noqa: B018


def test_bad_manifests(tmp_path):
    clip = make(tmp_path / 'a')
    file = clip.folder / 'manifest.json'
    content = json.loads(file.read_text())
    for bad, message in ((dict(content, format=2), 'format 1'), ({k: v for k, v in content.items() if k != 'fps'}, "'fps' is missing")):
        file.write_text(json.dumps(bad))
        with pytest.raises(InputError, match=message):
            Clip(clip.folder)
    file.write_text('{"format": 1,')
    with pytest.raises(InputError, match='not readable as JSON'):
        Clip(clip.folder)
    with pytest.raises(InputError, match='no such file'):
        Clip(tmp_path / 'b')


def test_find_clips_searches_deep_and_sorts(tmp_path):
    for name in ('x/b', 'a', 'x/y/c'):
        make(tmp_path / name, 1)
    assert [c.name for c in find_clips(tmp_path)] == ['a', 'b', 'c']
    assert [c.name for c in find_clips(tmp_path / 'a')] == ['a']
    assert find_clips(tmp_path / 'nothing') == []


def change_manifest(clip, **values):
    file = clip.folder / 'manifest.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize('key, value', [
    ('num_frames', 10**9), ('num_frames', 1.5), ('num_frames', '3'), ('num_frames', None), ('num_frames', True), ('num_frames', -1),
    ('height', 0), ('height', float('inf')), ('height', [1]), ('width', float('nan')), ('width', 10**6), ('fps', float('nan')),
    ('fps', float('inf')), ('fps', 0), ('fps', '25'), ('fps', None), ('fps', 10**400), ('name', 5), ('person', ''),
    ('action', '\ud800'), ('frame_format', 'gif'), ('frame_format', ['png'])], ids=repr)
def test_a_value_that_cannot_be_is_named(tmp_path, key, value):
    clip = make(tmp_path / 'a', 1)
    change_manifest(clip, **{key: value})
    with pytest.raises(InputError, match=f'manifest.json: {key} is .*expected') as caught:
        Clip(clip.folder)
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 300


def test_a_manifest_that_never_ends(tmp_path):
    clip = make(tmp_path / 'a', 1)
    file = clip.folder / 'manifest.json'
    file.write_text('[' * 10**5)
    with pytest.raises(InputError, match='not readable as JSON'):
        Clip(clip.folder)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InputError, match='is not a regular file'):
        Clip(clip.folder)
    file.unlink()
    file.symlink_to('/dev/zero')
    with pytest.raises(InputError, match='is not a regular file'):
        Clip(clip.folder)


def npz(path, name='poses.npy', content=b'', header=None, compression=zipfile.ZIP_DEFLATED, zeros=0):
    """An archive with one array of any header and content."""
    with zipfile.ZipFile(path, 'w', compression) as archive, archive.open(name, 'w', force_zip64=True) as stream:
        if header is not None:
            np.lib.format.write_array_header_1_0(stream, header)
        stream.write(content)
        for _ in range(zeros):
            stream.write(bytes(2**20))


def header(shape, kind='<f4'):
    return dict(shape=shape, descr=kind, fortran_order=False)


def damaged(path):
    data = bytearray(path.read_bytes())
    data[-300:-200] = bytes(100)
    path.write_bytes(data)


@pytest.mark.parametrize('break_it', [
    lambda p: npz(p, header=header((10**7, 18, 3)), zeros=64), lambda p: npz(p, header=header((2**40,))),
    lambda p: npz(p, content=b'no'), lambda p: npz(p, header=header((3, 18, 3), '<U9')),
    lambda p: npz(p, header=header((3, 18, 3)), content=bytes(9)),
    lambda p: npz(p, name='other.npy'), lambda p: np.save(p.open('wb'), np.zeros((3, 18, 3))), lambda p: p.write_bytes(b''), damaged,
    lambda p: npz(p, content=b'\x93NUMPY\x01\x00\x10\x27' + b'[' * 10000)],
    ids=['bomb', 'huge', 'text', 'strings', 'short', 'without', 'npy', 'empty', 'damaged', 'nested'])
def test_poses_that_cannot_be_read(tmp_path, break_it):
    clip = make(tmp_path / 'a', 3)
    break_it(clip.folder / 'poses.npz')
    tracemalloc.start()
    with pytest.raises(InputError, match='poses.npz'):
        Clip(clip.folder).array('poses')
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize('value, axis, shown', [(np.nan, 0, 'x is nan'), (-np.inf, 1, 'y is -inf'), (1e30, 0, 'x is 1e\\+30'),
                                                (np.nan, 2, 'confidence is nan')])
def test_poses_that_are_nowhere(tmp_path, value, axis, shown):
    clip = make(tmp_path / 'a', 3)
    poses = clip.poses.copy()
    poses[2, 1, axis] = value
    np.savez(clip.folder / 'poses.npz', poses=poses)
    with pytest.raises(InputError, match=f'poses.npz: frame 2, neck: {shown}'):
        assert Clip(clip.folder).poses is None


def test_labels_beyond_the_parts(tmp_path):
    clip = make(tmp_path / 'a', 1)
    cv2.imwrite(str(clip.folder / 'parts' / '000000.png'), np.full((H, W), 11, np.uint8))
    with pytest.raises(InputError, match='parts: frame 0 has the label 11, expected 0 to 10'):
        clip.parts(0)


def bomb(path):
    """A picture of 30000 x 30000 by its header."""
    chunk = struct.pack('>IIBBBBB', 30000, 30000, 8, 2, 0, 0, 0)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + b'IHDR' + chunk + struct.pack('>I', zlib.crc32(b'IHDR' + chunk)))


@pytest.mark.parametrize('break_it, message', [
    (bomb, 'is 30000x30000'), (lambda p: p.write_bytes(b'GIF89a\xff\xff\xff\xff\0\0\0\0'), 'damaged picture'),
    (lambda p: p.write_bytes(p.read_bytes()[:60]), 'damaged picture'), (lambda p: p.write_bytes(b''), 'damaged picture'),
    (lambda p: p.unlink() or os.mkfifo(p), 'not a regular file'),
    (lambda p: p.unlink() or p.symlink_to('/dev/zero'), 'not a regular file'), (lambda p: p.unlink(), 'no such file')],
    ids=['bomb', 'gif', 'cut', 'empty', 'pipe', 'device', 'missing'])
def test_pictures_that_cannot_be_read(tmp_path, break_it, message):
    clip = make(tmp_path / 'a', 1)
    break_it(clip.folder / 'frames' / '000000.png')
    with pytest.raises(InputError, match=f'000000.png: .*{message}'):
        clip.frame(0)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    make(tmp_path / 'a', 1)
    make(tmp_path / 'b', 1)
    scan = os.scandir

    def scandir(path):
        if os.path.basename(path) == 'b':
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return scan(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(InputError, match='/b: cannot be read .Permission denied.'):
        find_clips(tmp_path)


def test_a_clip_of_many_frames_is_looked_through_without_a_path_for_each(tmp_path, monkeypatch):
    """Paths took two thirds of the start of a training on many clips."""
    clip, made = make(tmp_path / 'a', 5), []
    monkeypatch.setattr(module, 'picture_path', lambda *where, path=module.picture_path: made.append(where) or path(*where))
    clip.check_whole()
    assert len(made) == len(module.KINDS)
