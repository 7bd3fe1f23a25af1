import json

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets.tensors import collate
from toolkit.datasets.windows import ClipWindows
from toolkit.masks.regions import pose_regions
from toolkit.poses.draw import draw_pose
from toolkit.registry import DATASETS
from toolkit.structures import InputError

H, W = 64, 32


def make_clip(folder, stick, person='ann', action=None, length=6, size=(H, W), empty=()):
    """Frame t is of color (t, number of the clip, 0), so that a picture tells where it is from."""
    number = sum(map(ord, folder.name)) % 200
    writer = ClipWriter(folder, folder.name, person, action or folder.name, *size, 25)
    for t in range(length):
        pose = stick(10 + t, 12, 12) * (t not in empty)
        mask = np.zeros(size, np.float32)
        mask[:, 5 + t:20 + t] = 1
        writer.add(np.full((*size, 3), (t, number, 0), np.uint8), pose, np.full(size, t / 255, np.float32), mask,
                   np.full(size, t % 11, np.uint8))
    return writer.finish()


@pytest.fixture
def root(tmp_path, stick):
    for name in ('jump', 'wave'):
        make_clip(tmp_path / 'clips' / name, stick)
    return tmp_path / 'clips'


def test_shapes_types_and_meaning(root, stick):
    item = ClipWindows(root, window=3)[1]
    shapes = {key: (tuple(value.shape), value.dtype) for key, value in item.items() if torch.is_tensor(value)}
    u8, f32 = torch.uint8, torch.float32
    assert shapes == dict(
        frames=((3, 3, H, W), u8), poses=((3, 18, 3), f32), pose_maps=((3, 3, H, W), u8), edges=((3, 1, H, W), u8),
        masks=((3, 1, H, W), u8), regions=((3, 2, H, W), u8), content_frame=((3, H, W), u8), content_pose=((18, 3), f32),
        content_pose_map=((3, H, W), u8), content_edge=((1, H, W), u8), content_mask=((1, H, W), u8), content_parts=((1, H, W), u8),
        content_regions=((2, H, W), u8))
    assert (item['clip'], item['index'], item['content_index'], item['fps']) == ('jump', 1, 0, 25.)
    assert item['frames'][:, 0, 0, 0].tolist() == item['edges'][:, 0, 0, 0].tolist() == [1, 2, 3]
    assert item['content_frame'][0, 0, 0] == 0 == item['content_parts'][0, 0, 0] and item['masks'].unique().tolist() == [0, 255]
    pose = stick(12, 12, 12)
    np.testing.assert_array_equal(item['poses'][1], pose)
    np.testing.assert_array_equal(item['pose_maps'][1].permute(1, 2, 0), draw_pose(pose, H, W))
    np.testing.assert_array_equal(item['regions'][1], np.rint(pose_regions(pose, H, W) * 255))
    np.testing.assert_array_equal(item['content_regions'], np.rint(pose_regions(stick(10, 12, 12), H, W) * 255))
    assert item['pose_maps'].any() and item['regions'].any()


def test_windows_never_cross_clips(root):
    data = ClipWindows(root, window=2)
    assert len(data) == 10
    seen = [(i['clip'], *i['frames'][:, 0, 0, 0].tolist(), i['index']) for i in (data[k] for k in range(10))]
    assert seen == [(clip, t, t + 1, t) for clip in ('jump', 'wave') for t in range(5)]
    for i in range(10):
        assert len(data[i]['frames'][:, 1].unique()) == 1 and data[i]['content_frame'][1, 0, 0] == data[i]['frames'][0, 1, 0, 0]
    assert data[-1]['index'] == 4 and data[-1]['clip'] == 'wave'
    with pytest.raises(IndexError, match='10 windows, no number 10'):
        data[10]


def test_whole_clips_and_stretches(root):
    whole = ClipWindows(root, window=None)
    assert len(whole) == 2 and whole[1]['frames'].shape[0] == 6 and whole[1]['clip'] == 'wave'
    stretch = ClipWindows(root, window=None, frames=(4, None), content=0)[0]
    assert stretch['frames'][:, 0, 0, 0].tolist() == [4, 5] and stretch['index'] == 4 and stretch['content_index'] == 0
    assert ClipWindows(root, window=None, frames=(2, 5))[0]['content_index'] == 2
    with pytest.raises(InputError, match='cut the frames in two'):
        ClipWindows(root, window=None, exclude=(2, 4))


def test_held_out_frames_are_never_seen(root):
    data = ClipWindows(root, window=2, exclude=(0, 3), content='random')
    assert len(data) == 4
    for i in range(4):
        for draw in range(8):
            item = data[i, draw]
            shown = {*item['frames'][:, 0, 0, 0].tolist(), item['content_index']}
            assert min(shown) >= 3 and len(shown) == 3
    assert ClipWindows(root, exclude=(0, 3))[0]['content_index'] == 3


def test_shares_hold_out_a_part_of_clips_of_any_length(root):
    held_out = ClipWindows(root, window=None, frames=(0.75, 1.0), content=0)
    assert [held_out[i]['frames'][:, 0, 0, 0].tolist() for i in (0, 1)] == [[4, 5]] * 2, 'the last quarter of six frames, rounded'
    data = ClipWindows(root, window=2, exclude=(0.75, 1.0), content='random')
    assert [data.locate(i) for i in range(len(data))] == [(clip, t) for clip in (0, 1) for t in range(3)]
    for given, words in (((0.7, 1.5), 'two shares from 0.0 to 1.0'), ((0.5, 40), 'two shares'), ((0.5,), r'must be \(start, stop\)'),
                         ((40, 53), '2 clips of 6 frames, but no window of 2')):
        with pytest.raises(InputError, match=words):
            ClipWindows(root, frames=given)


def test_a_content_frame_that_cannot_be_is_refused_at_once(root):
    for options, words in ((dict(content=6), 'has 6 frames, no content frame 6'),
                           (dict(content=4, exclude=(4, 6)), 'clip jump: content=4 is one of the frames that exclude holds out'),
                           (dict(content=-1, exclude=(0.75, 1.0)), 'content=-1 is one of the frames that exclude holds out'),
                           (dict(content='random', frames=(0, 2)), 'of 6 frames: only 2 are in use'),
                           (dict(content='random', window=None), "content='random' is a frame that the window does not have")):
        with pytest.raises(InputError, match=words):
            ClipWindows(root, **options)


def test_a_picture_among_clips_that_has_no_other_frame_for_its_content_is_left_out(root, stick):
    make_clip(root / 'photo', stick, length=1)
    assert len(ClipWindows(root, window=1)) == 13
    data = ClipWindows(root, window=1, content='random')
    assert len(data) == 12 and {data[i]['clip'] for i in range(12)} == {'jump', 'wave'}
    with pytest.raises(InputError, match='clip photo of 1 frames: only 1 are in use'):
        ClipWindows(root / 'photo', window=1, content='random')


def test_random_content_is_another_frame_and_is_decided_by_seed_draw_and_index(root):
    data, again, other = (ClipWindows(root, content='random', seed=s) for s in (0, 0, 1))
    drawn = [[data[i, d]['content_index'] for d in range(16)] for i in (0, 3, 7)]
    assert drawn == [[again[i, d]['content_index'] for d in range(16)] for i in (0, 3, 7)]
    assert drawn != [[other[i, d]['content_index'] for d in range(16)] for i in (0, 3, 7)]
    for i, row in zip((0, 3, 7), drawn):
        start = i % 5
        assert set(row) == set(range(6)) - {start, start + 1}
    np.random.seed(0)
    torch.manual_seed(0)
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    data.__getitem__((0, 1))
    assert np.array_equal(np.random.get_state()[1], state[0]) and torch.equal(torch.get_rng_state(), state[1])


def test_workers_and_cache_change_nothing(root):
    plain = ClipWindows(root, content='random')
    cached = ClipWindows(root, content='random', cache='decoded')
    keys = [(i, 3) for i in range(len(plain))]
    loaded = DataLoader(cached, sampler=keys, batch_size=None, num_workers=2, multiprocessing_context='fork')
    for key, item in zip(keys, loaded):
        expected = plain[key]
        assert item.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(value, item[name]) if torch.is_tensor(value) else value == item[name], name
    cached[0]['content_frame'].fill_(99)
    assert cached[0]['content_frame'].max() != 99
    with pytest.raises(InputError, match='cache_limit'):
        ClipWindows(root, cache='decoded', cache_limit=1e-9)


def test_resizing_moves_poses_with_pictures(root):
    item, full = ClipWindows(root, size=(32, 32))[2], ClipWindows(root)[2]
    assert item['frames'].shape == (2, 3, 32, 32) and item['content_parts'].shape == (1, 32, 32)
    seen = full['poses'][..., 2] > 0
    np.testing.assert_allclose(item['poses'][seen][:, 0], full['poses'][seen][:, 0], atol=1e-5)
    np.testing.assert_allclose(item['poses'][seen][:, 1], (full['poses'][seen][:, 1] + .5) / 2 - .5, rtol=1e-5)
    np.testing.assert_array_equal(item['pose_maps'][0].permute(1, 2, 0), draw_pose(item['poses'][0].numpy(), 32, 32))


def test_windows_without_a_person_are_left_out(tmp_path, stick):
    make_clip(tmp_path / 'a', stick, length=7, empty=(3,))
    assert [ClipWindows(tmp_path)[i]['index'] for i in range(4)] == [0, 1, 4, 5]
    assert len(ClipWindows(tmp_path, skip_empty=False)) == 6 and len(ClipWindows(tmp_path, window=None)) == 1


def test_choice_of_persons_actions_and_halves(tmp_path, stick):
    for person in 'ab':
        for action in range(5):
            make_clip(tmp_path / f'{person}{action}', stick, person, f'act{action}', length=2)
    halves = {half: {c.name for c in ClipWindows(tmp_path, split=half).clips} for half in ('train', 'test')}
    assert not halves['train'] & halves['test'] and len(halves['train'] | halves['test']) == 10
    assert {n[0] for n in halves['train']} == {n[0] for n in halves['test']} == {'a', 'b'}
    of_b = {c.name for c in ClipWindows(tmp_path, split='train', persons='b').clips}
    assert of_b == {n for n in halves['train'] if n[0] == 'b'}
    assert [c.name for c in ClipWindows(tmp_path, actions=['act1']).clips] == ['a1', 'b1']
    (tmp_path / 'split.json').write_text(json.dumps(dict(train=['a0', 'b1'], test=['a2'])))
    assert [c.name for c in ClipWindows(tmp_path, split='test', split_file=tmp_path / 'split.json').clips] == ['a2']
    rule = dict(test_actions=['act4'])
    assert [c.name for c in ClipWindows(tmp_path, split='test', split_rule=rule).clips] == ['a4', 'b4']


def test_pictures_of_another_type_after_transforms_are_refused(root):
    dataset = ClipWindows(root, transforms=[lambda sample, rng: dict(sample, frames=sample['frames'] / 255)])
    with pytest.raises(InputError, match="'frames' of a sample is float64 after the transforms, expected uint8"):
        dataset[0]


def test_errors_say_what_is_wrong(root, tmp_path, stick):
    (tmp_path / 'none').mkdir()
    for options, message in (
            (dict(root=tmp_path / 'none'), 'no prepared clips.*prepare_data'),
            (dict(persons=['bob']), r"no clips of person \['bob'\].*'ann'"),
            (dict(window=9), 'no window of 9 frames'), (dict(window=0), 'at least 1'), (dict(seed=-1), 'seed must be a whole'),
            (dict(window=2.0), 'whole number of frames'), (dict(content='last'), "'first', 'random'"), (dict(content=True), "'random'"),
            (dict(split='val'), "'train', 'test'"), (dict(cache='all'), "'none' or 'decoded'"),
            (dict(size=(32, 32), pixels=512), r'size=\(32, 32\) and pixels=512 both say')):
        with pytest.raises(InputError, match=message):
            ClipWindows(**{'root': root, **options})
    make_clip(root / 'zoom', stick, size=(H, H))
    with pytest.raises(InputError, match='different sizes.*zoom is 64x64'):
        ClipWindows(root)
    assert len(ClipWindows(root, size=(H, W))) == 15
    with pytest.raises(InputError, match='no content frame 6'):
        ClipWindows(root, size=(H, W), content=6)[0]


def test_it_is_registered_and_transforms_are_built(root):
    data = DATASETS.build(dict(type='ClipWindows', root=str(root), transforms=[dict(type='RandomFlip', probability=1.)]))
    plain = ClipWindows(root)[0]
    np.testing.assert_array_equal(data[0]['masks'], plain['masks'].flip(-1))


def test_clips_of_one_name_have_keys_of_their_own(tmp_path, stick):
    for folder in ('monday', 'tuesday'):
        make_clip(tmp_path / folder / 'jump', stick)
    data = ClipWindows(tmp_path, window=None)
    assert [item['clip'] for item in (data[0], data[1])] == ['monday/jump', 'tuesday/jump']
    assert ClipWindows(tmp_path / 'monday' / 'jump', window=None)[0]['clip'] == 'jump'


def test_what_a_transform_adds_is_in_items_and_batches(root):
    def mark(sample, rng):
        return dict(sample, recolored_region=np.ones((2, 1, H, W), np.float32), draw=float(rng.random()), note='a')

    data = ClipWindows(root, transforms=[mark])
    batch, = DataLoader(data, batch_size=len(data), collate_fn=collate)
    assert tuple(batch['recolored_region'].shape) == (len(data), 2, 1, H, W) and batch['recolored_region'].dtype == torch.float32
    assert len(set(batch['draw'].tolist())) == len(data) and batch['note'] == ['a'] * len(data)


@pytest.mark.parametrize('value, what', [(None, 'NoneType'), (np.array(['x', None]), 'array of object'), ({1}, 'set')])
def test_what_no_batch_can_hold_is_refused(root, value, what):
    with pytest.raises(InputError, match=f"a transform added 'extra' of type {what}"):
        ClipWindows(root, transforms=[lambda sample, rng: dict(sample, extra=value)])[0]


def test_items_that_differ_make_no_batch(root):
    sometimes = ClipWindows(root, transforms=[lambda sample, rng: dict(sample, **({'extra': 1} if rng.random() < .5 else {}))])
    with pytest.raises(InputError, match="some lack 'extra'"):
        collate([sometimes[i] for i in range(8)])
    uneven = ClipWindows(root, transforms=[lambda sample, rng: dict(sample, extra=np.zeros(rng.integers(1, 9)))])
    with pytest.raises(InputError, match="'extra' cannot be put into one mini-batch"):
        collate([uneven[i] for i in range(8)])
    with pytest.raises(InputError, match="some lack 'extra'"):
        collate([dict(a=sometimes[i]) for i in range(8)])


@pytest.mark.parametrize('transforms', [(), [dict(type='RandomFlip', probability=1)]])
def test_parts_of_a_clip_make_up_the_whole_and_read_nothing_else(root, transforms, monkeypatch):
    data = ClipWindows(root, window=None, frames=(1, 6), content=0, transforms=transforms)
    whole, read, original = data[1], [], Clip._read
    monkeypatch.setattr(Clip, '_read', lambda self, kind, t, **color: read.append((kind, t)) or original(self, kind, t, **color))
    assert data.clip_length(1) == 5
    parts = [data.clip_part(1, 0, 2), data.clip_part(1, 2, 5)]
    for key in ('frames', 'edges', 'masks', 'poses', 'pose_maps', 'regions'):
        assert torch.equal(torch.cat([part[key] for part in parts]), whole[key])
    for part in parts:
        assert all(torch.equal(part[key], whole[key]) for key in whole if key.startswith('content_') and key != 'content_index')
    assert [part['index'] for part in parts] == [1, 3] and {part['content_index'] for part in parts} == {0}
    assert sorted(t for kind, t in read if kind == 'edges') == [0, 0, 1, 2, 3, 4, 5]
    read.clear()
    np.testing.assert_array_equal(data.clip_masks(1, 2, 5)['masks'], whole['masks'][2:, 0] > 127)
    assert len(read) == (6 if transforms else 3)


@pytest.mark.parametrize('options', [dict(persons='ann'), dict()])
def test_one_clip_a_person_leaves_none_for_testing(tmp_path, stick, options):
    make_clip(tmp_path / 'ann', stick, person='ann')
    make_clip(tmp_path / 'bob', stick, person='bob')
    with pytest.raises(InputError, match="split='test'.* the only action of a person is for training. Prepare .*split=None"):
        ClipWindows(tmp_path, window=None, split='test', **options)


@pytest.mark.parametrize('kind, name', [
    ('frames', '000004.png'), ('edges', '000000.png'), ('masks', '000005.png'), ('parts', '000002.png')])
def test_a_missing_picture_is_named_before_anything_is_read(root, kind, name):
    (root / 'wave' / kind / name).unlink()
    with pytest.raises(InputError, match=f'wave/{kind}/{name}: no such file, and 0 more of 6'):
        ClipWindows(root, window=None)


def test_poses_are_checked_when_whole_clips_are_opened(root):
    poses = Clip(root / 'wave').poses.copy()
    poses[3, 0, 0] = np.inf
    np.savez(root / 'wave' / 'poses.npz', poses=poses)
    with pytest.raises(InputError, match='poses.npz: frame 3, nose: x is inf'):
        ClipWindows(root, window=None)


def test_a_rule_or_a_file_that_divides_nothing_is_refused(root):
    """But with split=None, as data sets of a config share them."""
    for name, value in (('split_rule', dict(test_actions=['jump'])), ('split_file', 'nothing.json')):
        with pytest.raises(InputError, match=f"{name} can only divide clips where a half is asked for: set split='train'"):
            ClipWindows(root, **{name: value})
        assert len(ClipWindows(root, split=None, **{name: value}).clips) == len(ClipWindows(root, **{name: None}).clips) == 2
    with pytest.raises(InputError, match="split_file='nothing.json' takes the place of a rule: set split_rule=None"):
        ClipWindows(root, split='train', split_file='nothing.json', split_rule=dict(seed=1))


def test_frames_that_are_no_stretch_or_nowhere_are_refused(root):
    for name in ('frames', 'exclude'):
        for given in (('a', 'b'), 'ab', 3, (1,), (0, [2])):
            with pytest.raises(InputError, match=rf'{name} must be \(start, stop\), numbers of frames or shares'):
                ClipWindows(root, **{name: given})
    for given in ((400, 500), (0.99, 1.0), (3, 3)):
        with pytest.raises(InputError, match=r'exclude=.* has no frame of any clip; the longest has 6 frames'):
            ClipWindows(root, exclude=given)


def test_frames_that_one_of_several_clips_has_may_be_excluded(root, stick):
    make_clip(root / 'long', stick, length=9)
    assert [allowed.sum() for allowed in ClipWindows(root, exclude=(7, 9)).allowed] == [6, 7, 6]
