import errno
import json

import numpy as np
import pytest

from toolkit.data import files
from toolkit.data.clip import Clip, ClipWriter, find_clips
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
