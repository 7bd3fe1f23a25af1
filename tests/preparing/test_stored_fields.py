"""Fields of plugins that are computed when a clip is prepared and stored in it."""

import json

import numpy as np
import pytest
import torch

from toolkit import fields
from toolkit.clips.clip import Clip, ClipWriter
from toolkit.clips.folder import check_clip_folder, foreign_files
from toolkit.datasets.windows import ClipWindows
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError


@pytest.fixture
def calls():
    """Two stored fields, and how many frames they were computed of."""
    counted = []

    def depth(frames, masks):
        counted.append(len(frames))
        return np.where(masks > 127, 255 - frames[..., 1], 0).astype(np.uint8)

    def normals(frames):
        return frames[..., [2, 0, 1]]

    fields.add('depth', store=True)(depth)
    fields.add('normals', channels=3, store=True)(normals)
    yield counted
    for name in ('depth', 'normals'):
        fields.ADDED.pop(name, None)


@pytest.fixture
def prepare(people, walk, tmp_path):
    def run(mask=None, **options):
        return prepare_video(walk, tmp_path / 'out', people.Pose(), people.Edges(), mask or people.Mask(), 96, 64, **options)
    return run


def test_they_are_stored_once_and_read_in_place_of_computing(calls, prepare, tmp_path):
    clip = prepare()
    assert clip.fields == dict(depth=1, normals=3) and sum(calls) == len(clip) == 40
    data = ClipWindows(tmp_path / 'out', window=None, content=3)
    data.add_fields(['depth', 'normals'])
    item = data[0]
    assert sum(calls) == 40, 'read, not computed'
    frames, masks = item['frames'].numpy(), item['masks'][:, 0].numpy()
    np.testing.assert_array_equal(item['depth'][:, 0], np.where(masks > 127, 255 - frames[:, 1], 0))
    assert torch.equal(item['normals'], item['frames'][:, [2, 0, 1]]) and item['content_depth'].any()
    flipped = ClipWindows(tmp_path / 'out', window=None, content=3, size=(48, 32), transforms=[dict(type='RandomFlip', probability=1)])
    flipped.add_fields(['normals'])
    mirrored = flipped[0]
    assert torch.equal(mirrored['normals'], mirrored['frames'][:, [2, 0, 1]]) and mirrored['normals'].shape == (40, 3, 48, 32)
    part = data.clip_part(0, 7, 9)
    assert torch.equal(part['depth'], item['depth'][7:9]) and torch.equal(part['content_depth'], item['content_depth'])


def test_an_interrupted_run_goes_on_with_them(calls, prepare, people, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepare(people.Mask(2))
    clip = prepare()
    assert sum(calls) == len(clip) == 40
    clip.check_whole()
    (clip.folder / 'added' / 'depth.000011.png').unlink()
    with pytest.raises(InputError, match=r'depth.000011.png: no such file'):
        Clip(clip.folder).check_whole()


def test_a_clip_knows_which_pictures_are_its_own(calls, prepare):
    clip = prepare()
    before = Clip(clip.folder).state()
    assert foreign_files(clip.folder) == []
    check_clip_folder(clip.folder, overwrite=True)
    (clip.folder / 'added' / 'holiday.000000.png').write_bytes(b'mine')
    assert foreign_files(clip.folder) == ['added/holiday.000000.png'] and Clip(clip.folder).state() != before
    manifest = json.loads((clip.folder / 'manifest.json').read_text())
    for wrong in ({'../../x': 1}, {'depth': 2}, ['depth'], {'depth': True}):
        (clip.folder / 'manifest.json').write_text(json.dumps(dict(manifest, fields=wrong)))
        with pytest.raises(InputError, match='expected names with 1 or 3 channels'):
            Clip(clip.folder)


def test_clips_of_other_plugins_are_read_and_made_again_only_when_asked(calls, prepare):
    clip, stored = prepare(), dict(fields.ADDED)
    fields.ADDED.clear()
    assert prepare().fields == clip.fields, 'a clip with more than is asked for is taken as it is'
    fields.ADDED.update(depth=stored['depth'])
    with pytest.raises(InputError, match='fields was .* tools/prepare_data.py --overwrite'):
        prepare()
    assert prepare(overwrite=True).fields == dict(depth=1)
    data = ClipWindows(clip.folder)
    fields.ADDED.update(stored)
    data.add_fields(['normals'])
    assert torch.equal(data[0]['normals'], data[0]['frames'][:, [2, 0, 1]]), 'computed, for it is not stored'
    fields.ADDED.pop('depth')
    fields.add('depth', channels=3)(lambda frames: frames)
    with pytest.raises(InputError, match="has 'depth' with 1 channels, but it is now added with 3"):
        data.add_fields(['depth'])


@pytest.mark.parametrize('options', [dict(kind='code'), dict(channels=2)])
def test_what_a_clip_cannot_store_is_refused(options):
    with pytest.raises(InputError, match='a clip stores pictures, maps and labels of 1 or 3 channels that are made from frames'):
        fields.add('other', store=True, **options)(lambda frames: frames)
    with pytest.raises(InputError, match='made from frames'):
        fields.add('other', store=True)(lambda poses, size: poses)
    with pytest.raises(InputError, match='must be a plain word'):
        fields.add('../other')(lambda frames: frames)
    assert 'other' not in fields.ADDED


def test_a_writer_of_other_fields_starts_over(tmp_path):
    flat = np.zeros((8, 8), np.float32)

    def writer(**added):
        return ClipWriter(tmp_path / 'a', 'a', 'p', 'q', 8, 8, 25, fields=added)

    first = writer(depth=1)
    first.add(np.zeros((8, 8, 3), np.uint8), np.ones((18, 3)), flat, flat, flat.astype(np.uint8), depth=flat.astype(np.uint8))
    assert writer(depth=1).num_frames == 1
    second = writer()
    assert second.num_frames == 0 and not (second.partial / 'added').exists()
