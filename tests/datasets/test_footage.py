"""References and the empty scene in items: where they come from, and what is never looked at."""

import logging

import numpy as np
import pytest
import torch

from tests.stick_people import stick_pose
from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets import footage, scene
from toolkit.datasets.camera import camera_moves
from toolkit.datasets.plate import background_plate
from toolkit.datasets.tensors import collate
from toolkit.datasets.windows import ClipWindows
from toolkit.masks.parts import part_labels
from toolkit.model_parts.preprocessor import VideoPreprocessor
from toolkit.skeletons import MIRROR_JOINT
from toolkit.structures import InputError

H, W = 48, 32


def picture(size, seed=0):
    """A scene with structure."""
    small = np.random.default_rng(seed).integers(40, 216, (size[0] // 4, size[1] // 4, 3), np.uint8)
    return np.kron(small, np.ones((4, 4, 1), np.uint8))


def make_clip(folder, person='ann', length=30, size=(H, W), shift=0, pan=0.0, scene=0, video=None, every=1):
    """A person of color (8 t, 255, shift) whose arms rise, before a scene that may move by ``pan`` pixels a frame. It shows each
    ``every``-th moment from number ``shift`` on, of a ``video`` where one is named."""
    writer = ClipWriter(folder, folder.name, person, folder.name, *size, 25 / every)
    wide = picture((size[0], size[1] + 200), scene)
    for t in range(length):
        pose = stick_pose(16 * size[1] / W, 10 * size[0] / H, 10 * size[0] / H)
        pose[[3, 4, 6, 7], 1] -= (every * t + shift) * .4 * size[0] / H
        mask = np.zeros(size, np.float32)
        mask[size[0] // 8:size[0] * 7 // 8, size[1] // 3:size[1] * 2 // 3] = 1
        place = int(round(pan * t))
        frame = wide[:, place:place + size[1]].copy()
        frame[mask > 0] = 8 * t, 255, shift
        writer.add(frame, pose, np.zeros(size, np.float32), mask, part_labels(pose, mask))
    times = (every * np.arange(length) + shift) / 25
    return writer.finish() if video is None else writer.finish(dict(times=times), source=dict(sha256=video))


@pytest.fixture
def root(tmp_path):
    for shift, name in enumerate(('bow', 'jump', 'wave')):
        make_clip(tmp_path / 'clips' / name, shift=shift)
    make_clip(tmp_path / 'clips' / 'other', person='bob', shift=9)
    return tmp_path / 'clips'


def shown(item):
    """(clip's shift, frame) of each reference, (T, K)."""
    at = item['reference_frames'][..., item['reference_frames'].shape[-2] // 2, item['reference_frames'].shape[-1] // 2]
    return [[(int(b), int(r) // 8) for r, g, b in of_frame.tolist() if g == 255] for of_frame in at]


def test_shapes_meaning_and_ranges(root):
    data = ClipWindows(root, window=3, references=dict(count=2, scale=2), plate=True)
    item = data[4]
    expected = dict(reference_frames=((3, 2, 3, 2 * H, 2 * W), torch.uint8), reference_parts=((3, 2, 1, 2 * H, 2 * W), torch.uint8),
                    reference_poses=((3, 2, 18, 3), torch.float32), plate=((3, H, W), torch.uint8))
    assert {key: (tuple(item[key].shape), item[key].dtype) for key in expected} == expected
    clips = {0: data.clips[0], 1: data.clips[1], 2: data.clips[3]}
    for of_frame, poses in zip(shown(item), item['reference_poses']):
        assert len(of_frame) == 2
        for (shift, t), pose in zip(of_frame, poses):
            np.testing.assert_array_equal(pose, clips[shift].poses[t])
    batch = VideoPreprocessor()(collate([item, data[5]]))
    assert batch['reference_frames'].shape == (2, 3, 2, 3, 2 * H, 2 * W) and batch['reference_frames'].min() < 0
    assert batch['reference_parts'].dtype == torch.uint8 and 0 <= batch['plate'].min() and batch['plate'].max() <= 1
    plain = ClipWindows(root, window=3)[4]
    assert all(torch.equal(item[key], value) for key, value in plain.items() if torch.is_tensor(value)), 'the rest is as without'


@pytest.mark.parametrize('gap', [(0, 0), (1, 6), (5, 5)])
def test_never_the_frames_themselves_nor_their_neighbors(root, gap):
    data = ClipWindows(root, window=2, persons='ann', actions='jump', references=dict(gap=gap))
    distances = []
    for index in range(len(data)):
        item = data[index, index % 3]
        for of_frame in shown(item):
            assert {shift for shift, _ in of_frame} == {1} and abs(of_frame[0][1] - of_frame[1][1]) >= 2
            distances += [min(abs(t - item['index']), abs(t - item['index'] - 1)) for _, t in of_frame]
    assert min(distances) == gap[0] + 1


def test_only_frames_in_use_of_the_same_person(root):
    data = ClipWindows(root, window=2, exclude=(10, 20), references=dict(vary=True))
    frames = [pair for index in range(len(data)) for of_frame in shown(data[index]) for pair in of_frame]
    assert not {t for _, t in frames} & set(range(10, 20))
    for index in range(len(data)):
        item = data[index]
        assert {shift for of_frame in shown(item) for shift, _ in of_frame} <= ({9} if item['person'] == 'bob' else {0, 1, 2})


def test_vary_draws_how_many_frames_there_are_to_choose_from(root):
    data, again = (ClipWindows(root, window=2, persons='ann', references=dict(vary=True, gap=(1, 1))) for _ in range(2))
    same = [data[index, draw] for index in (3, 40) for draw in range(12)]
    for item, other in zip(same, (again[index, draw] for index in (3, 40) for draw in range(12))):
        assert torch.equal(item['reference_frames'], other['reference_frames'])
    assert len({str(shown(item)) for item in same}) > 4, 'draws differ'
    made = data._footage
    search = made.footage.search('ann')
    counts = {'other': 0, 'handful': 0, 'all': 0}
    for draw in range(300):
        allowed = made._allowed(search, 1, range(5, 7), np.random.default_rng(draw))
        clips, near = set(search.clips[allowed]), (search.clips == 1) & (abs(search.frames - 5.5) < 2)
        assert not (allowed & near).any() and allowed.any()
        if allowed.sum() < 24:
            counts['handful'] += 1
        else:
            counts['other' if len(clips) == 1 else 'all'] += 1
            assert len(clips) == 3 or (len(clips) == 1 and 1 not in clips and allowed.sum() == 30)
    assert min(counts.values()) > 75, counts


def test_parts_of_a_clip_have_the_references_of_the_whole(root):
    pool = dict(exclude=(0.5, 1.0))
    data = ClipWindows(root, window=None, frames=(0.5, 1.0), references=dict(pool=pool))
    whole, again = data[1], ClipWindows(root, window=None, frames=(0.5, 1.0), references=dict(pool=pool))
    parts = [again.clip_part(1, start, start + 5) for start in (0, 5, 10)]
    for key in ('reference_frames', 'reference_parts', 'reference_poses'):
        assert torch.equal(torch.cat([part[key] for part in parts]), whole[key])


def test_a_test_never_shows_held_out_frames(root):
    data = ClipWindows(root, window=None, frames=(20, 30), content=0, references=dict(pool=dict(exclude=(20, 30))), plate=True)
    read = []
    for clip in {id(clip): clip for clip in (*data.clips, *data._footage.footage.clips)}.values():
        original = clip._read
        clip._read = lambda kind, t, color, clip=clip, original=original: (read.append((clip, kind, t)), original(kind, t, color))[1]
    for index in range(len(data)):
        assert {t for of_frame in shown(data[index]) for _, t in of_frame} <= set(range(20))
    pool = {id(clip) for clip in data._footage.footage.clips}
    assert max(t for clip, _, t in read if id(clip) in pool) < 20, 'neither references nor the plate'
    split = ClipWindows(root, window=None, split='test', persons='ann', references=dict(), plate=True)
    trained = {clip.folder for clip in ClipWindows(root, split='train', persons='ann').clips}
    assert {clip.folder for clip in split._footage.footage.clips if clip.person == 'ann'} == trained
    assert len(shown(split[0])) == 30


def test_the_rule_of_a_data_set_divides_the_clips_of_a_pool_that_asks_for_a_half(root):
    def pool(**asked):
        data = ClipWindows(root, persons='ann', split='test', split_rule=rule, frames=(0, 12), references=dict(pool=asked))
        return {clip.action for clip in data.reference_clips if clip.person == 'ann'}

    actions = {clip.action for clip in ClipWindows(root, persons='ann').clips}
    rule = dict(test_actions=[min(actions)])
    assert pool(split='train') == actions - {min(actions)} and pool(frames=(12, None)) == actions
    with pytest.raises(InputError, match='split_rule can only divide clips where a half is asked for'):
        pool(split_rule=rule)


def test_a_pool_of_which_nothing_is_said_has_all_frames(root):
    data = ClipWindows(root, persons='ann', references=dict(pool={}))
    assert {clip.name for clip in data.reference_clips} == {'bow', 'jump', 'wave', 'other'}


@pytest.mark.parametrize('every', [1, 2])
def test_another_clip_of_the_same_video_does_not_show_the_window_either(tmp_path, every):
    make_clip(tmp_path / 'walk', video='v')
    make_clip(tmp_path / 'again', length=10, shift=6, video='v', every=every)
    data, steps, lent = ClipWindows(tmp_path, references=dict(gap=(2, 2))), {0: 1, 6: every}, set()
    for index in range(len(data)):
        item = data[index]
        own = 0 if item['clip'] == 'walk' else 6
        now = [own + steps[own] * (item['index'] + k) for k in (0, 1)]
        for shift, t in (pair for of_frame in shown(item) for pair in of_frame):
            assert min(abs(shift + steps[shift] * t - moment) for moment in now) > 2
            lent.add((own, shift))
    assert (6, 0) in lent and ((0, 6) in lent or every == 2), 'what is further away may be taken'
    vary = ClipWindows(tmp_path, references=dict(gap=(2, 2), vary=True))._footage
    for draw in range(60):
        allowed, search = vary.allowed_for(1, range(14, 16), (draw, 0)), vary.footage.search('ann')
        moments = np.where(search.clips == 1, search.frames, 6 + every * search.frames)[allowed]
        assert len(moments) and np.abs(moments[:, None] - (14, 15)).min() > 2


def test_short_sections_of_one_video_that_are_far_apart_lend_each_other_frames(tmp_path):
    for root, shift in (('apart', 20), ('together', 4)):
        make_clip(tmp_path / root / 'begin', length=8, video='v')
        make_clip(tmp_path / root / 'end', length=8, shift=shift, video='v')
    data = ClipWindows(tmp_path / 'apart', references=dict(gap=(6, 6)))
    for index, other in ((3, 20), (10, 0)):
        assert data[index]['index'] == 3 and {shift for of_frame in shown(data[index]) for shift, _ in of_frame} == {other}
    with pytest.raises(InputError, match="clip begin: 16 frames of 'ann' are in use, too few for a reference that is more than 6"):
        ClipWindows(tmp_path / 'together', references=dict(gap=(6, 6)))


def test_whether_references_may_lack_is_asked_of_windows_in_use_alone(tmp_path):
    make_clip(tmp_path / 'walk', length=25)
    data = ClipWindows(tmp_path, exclude=(5, 20), references=dict(gap=(12, 12)))
    assert [data[index]['index'] for index in range(len(data))] == [*range(4), *range(20, 24)]
    for index in range(len(data)):
        now = data[index]['index']
        assert all(max(now - t, t - now - 1) > 12 for of_frame in shown(data[index]) for _, t in of_frame)
    with pytest.raises(InputError, match='too few for a reference that is more than 20 frames away'):
        ClipWindows(tmp_path, exclude=(5, 20), references=dict(gap=(12, 20)))


def test_when_frames_were_is_read_once_of_each_section_of_a_video(tmp_path, monkeypatch):
    """Of a hundred sections of a long video there are ten thousand pairs."""
    for number in range(5):
        make_clip(tmp_path / str(number), length=20, shift=20 * number, video='v')
    read, original = [], Clip.array
    monkeypatch.setattr(Clip, 'array', lambda self, name: read.append((name, self.name)) or original(self, name))
    data = ClipWindows(tmp_path, references=dict())
    assert sorted(clip for name, clip in read if name == 'times') == list('01234') and len(data[0]['reference_frames']) == 2


def test_a_pool_that_shows_tested_frames_in_another_clip_is_refused(tmp_path):
    make_clip(tmp_path / 'a' / 'walk', video='v')
    make_clip(tmp_path / 'b' / 'again', length=10, shift=6, video='v')
    pool = dict(root=str(tmp_path / 'b'))
    with pytest.raises(InputError, match='clip walk: frame 6 is tested and may be taken as a reference at once, as .*again shows the'):
        ClipWindows(tmp_path / 'a', window=None, references=dict(pool=pool))
    for frames in ((0, 6), (16, None)):
        assert len(ClipWindows(tmp_path / 'a', window=None, frames=frames, references=dict(pool=pool))) == 1
    make_clip(tmp_path / 'c' / 'beside', person='bob', video='v')
    make_clip(tmp_path / 'c' / 'later', video='w')
    pool = dict(root=str(tmp_path / 'c'))
    assert len(ClipWindows(tmp_path / 'a', window=None, references=dict(pool=pool))) == 1, 'two people may be in one video'


def test_of_a_clip_without_windows_nothing_is_asked(root, monkeypatch):
    short, read = make_clip(root / 'short', person='carl', length=5), []
    original = Clip._read
    monkeypatch.setattr(Clip, '_read', lambda self, *args, **kwargs: read.append(self.name) or original(self, *args, **kwargs))
    data = ClipWindows(root, frames=(8, None), references=dict(gap=(1, 1)), plate=True)
    assert short.name in [clip.name for clip in data.clips] and len(data) == 4 * 21
    data[0]
    assert short.name not in read


def test_options_are_looked_at_before_anything_is_rendered_or_decoded(root, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError('this takes long')

    monkeypatch.setattr('toolkit.datasets.windows.build_synthetic', refuse)
    with pytest.raises(InputError, match='count=-1'):
        ClipWindows(tmp_path / 'new', synthetic={}, references=dict(count=-1))
    monkeypatch.setattr(ClipWindows, '_decode', refuse)
    with pytest.raises(InputError, match=r"references.pool: .*no clips of person \['carl'\]"):
        ClipWindows(root, cache='decoded', references=dict(pool=dict(persons=['carl'])))


@pytest.mark.parametrize('cache', ['none', 'decoded'])
def test_a_transform_that_changes_what_it_is_given_changes_no_other_sample(root, cache):
    def blacken(sample, rng):
        for value in sample.values():
            value[...] = 0
        return sample

    options = dict(cache=cache, references=dict(scale=1), plate=True)
    data = ClipWindows(root, **options, transforms=[blacken])
    assert not data[3]['content_frame'].any() and not data[3]['plate'].any()
    data.transforms = []
    item, plain = data[3], ClipWindows(root, **options)[3]
    assert all(torch.equal(item[key], value) for key, value in plain.items() if torch.is_tensor(value))


def test_what_cannot_be_says_what_to_do(root, tmp_path):
    make_clip(tmp_path / 'more' / 'carl', person='carl', length=12)
    for options, words in (
            (dict(window=None, references=dict()), 'say from which by references=dict'),
            (dict(window=None, plate=True), 'say from which by references=dict'),
            (dict(window=None, references=dict(pool=dict())), 'frame 0 is tested and may be taken as a reference'),
            (dict(window=None, references=dict(vary=True, pool=dict(root=str(tmp_path / 'more')))), 'vary is for training'),
            (dict(window=None, references=dict(pool=dict(root=str(tmp_path / 'more')))), "has no frame of 'ann'"),
            (dict(references=dict(pool=dict(window=3))), 'references.pool: window cannot be given, only root'),
            (dict(persons='bob', references=dict(gap=(1, 20))), "30 frames of 'bob' are in use, too few"),
            (dict(references=dict(gap=(3, 1))), r'references.gap=\(3, 1\)'),
            (dict(references=dict(count=-1)), 'count=-1'),
            (dict(references=dict(count=0, vary=True, figure=True)), 'vary and figure of no references'),
            (dict(cache='decoded', cache_limit=.0015, references=dict()), 'more for the references')):
        with pytest.raises(InputError, match=words):
            ClipWindows(root, **options)


def test_fewer_frames_than_references(tmp_path):
    make_clip(tmp_path / 'a' / 'picture', length=1)
    make_clip(tmp_path / 'b' / 'driven', length=3)
    item = ClipWindows(tmp_path / 'b', window=None, references=dict(count=3, pool=dict(root=str(tmp_path / 'a'))))[0]
    assert shown(item) == [[(0, 0)] * 3] * 3


def test_kept_pictures_are_those_of_the_disk(root):
    kept, read = (ClipWindows(root, size=(24, 16), cache=cache, references=dict(scale=3)) for cache in ('decoded', 'none'))
    for index in (0, 17, 60):
        for key in ('reference_frames', 'reference_parts'):
            assert kept[index][key].shape[-2:] == (72, 48), 'larger than the footage'
            assert torch.equal(kept[index][key], read[index][key])


def test_mirrored_items_are_items_of_mirrored_frames(root, tmp_path):
    options = dict(window=2, persons='ann', actions='wave', references=dict(gap=(2, 2), count=2), plate=True)
    flip = dict(type='RandomFlip', probability=1)
    plain, flipped = ClipWindows(root, **options), ClipWindows(root, **options, transforms=[flip])
    twice = ClipWindows(root, **options, transforms=[flip, flip])
    for index in (2, 15):
        one, other = plain[index], flipped[index]
        for key in ('reference_frames', 'plate', 'frames'):
            assert torch.equal(one[key].flip(-1), other[key])
        assert not torch.equal(one['reference_parts'].flip(-1), other['reference_parts']), 'left and right are exchanged'
        poses = other['reference_poses'].clone()
        poses[..., 0] = torch.where(poses[..., 2] > 0, W - 1 - poses[..., 0], 0)
        assert torch.equal(poses[..., MIRROR_JOINT, :], one['reference_poses'])
        assert all(torch.equal(value, one[key]) for key, value in twice[index].items() if torch.is_tensor(value))


def test_crops_cut_references_at_the_place_of_the_frames(root):
    crop = dict(type='RandomCrop', scale=1.5, size=(40, 24))
    options = dict(window=2, persons='ann', actions='wave', references=dict(scale=2), plate=True)
    item, plain = ClipWindows(root, **options, transforms=[crop])[3], ClipWindows(root, **options)[3]
    assert item['reference_frames'].shape[-2:] == (80, 48) and item['plate'].shape[-2:] == item['frames'].shape[-2:] == (40, 24)
    joint = (item['poses'][0, 1, :2] - item['reference_poses'][0, 0, 1, :2]) / 1.5
    torch.testing.assert_close(joint, plain['poses'][0, 1, :2] - plain['reference_poses'][0, 0, 1, :2])


def test_references_wear_what_the_frames_wear(clips):
    recolor = dict(type='RecolorGarments', region='up', keep=0)
    options = dict(references=dict(gap=(0, 0), scale=2), plate=True)
    plain = ClipWindows(clips[0].folder.parent, **options)[0]
    item = ClipWindows(clips[0].folder.parent, **options, transforms=[recolor])[0]
    changed = (item['reference_frames'] != plain['reference_frames']).any(2, keepdim=True)
    assert changed.float().mean() > .02 and torch.equal(item['plate'], plain['plate'])
    assert (item['reference_parts'] > 0)[changed].float().mean() > .99, 'clothes alone'

    def colors(pictures, parts):
        torso = (parts == 1).expand_as(pictures)
        return torch.stack([pictures[..., c:c + 1, :, :][torso[..., :1, :, :]].float().mean() for c in range(3)])

    frame, before = (colors(i['content_frame'], i['content_parts']) for i in (item, plain))
    assert (frame - before).abs().max() > 15
    for of_frame, parts in zip(item['reference_frames'][:, 0], item['reference_parts'][:, 0]):
        assert (colors(of_frame, parts) - frame).abs().max() < 6


def test_nobody_who_has_no_name_lends_pixels_to_another_clip(tmp_path):
    for shift, name in enumerate(('me', 'you')):
        make_clip(tmp_path / 'unnamed' / name, person='person', shift=shift, scene=shift)
    data = ClipWindows(tmp_path / 'unnamed', references=dict(gap=(0, 0)))
    for index in range(0, len(data), 7):
        item = data[index]
        assert {shift for of_frame in shown(item) for shift, _ in of_frame} == {0 if item['clip'] == 'me' else 1}
    with pytest.raises(InputError, match="has no frame of 'person'. Clips of one person must be prepared with the same --person NAME"):
        ClipWindows(tmp_path / 'unnamed', window=None, actions='me', references=dict(pool=dict(actions='you')))


def test_the_garments_of_references_come_along_and_stay_as_they_are(clips):
    recolor = dict(type='RecolorGarments', region='both', keep=0)
    options = dict(references=dict(gap=(0, 0), scale=2, garments=True), plate=True)
    plain = ClipWindows(clips[0].folder.parent, **options)[0]
    item = ClipWindows(clips[0].folder.parent, **options, transforms=[recolor])[0]
    worn = plain['reference_garments']
    assert worn.shape == (2, 2, 2, 192, 128) and worn.dtype == torch.uint8
    inner = plain['reference_parts'].expand_as(worn)
    assert worn[inner == 0].float().mean() < 2 and worn[:, :, 0][inner[:, :, 0] == 1].float().mean() > 150
    assert torch.equal(item['reference_frames'], plain['reference_frames']), 'no more than their lightness is taken'
    assert not torch.equal(item['frames'], plain['frames']) and torch.equal(item['reference_garments'], worn)
    flipped = ClipWindows(clips[0].folder.parent, **options, transforms=[dict(type='RandomFlip', probability=1)])[0]
    assert torch.equal(flipped['reference_garments'], worn.flip(-1))


def test_a_moving_camera_is_noticed(tmp_path, monkeypatch):
    size = (96, 64)
    still, pan = make_clip(tmp_path / 'a' / 'still', size=size), make_clip(tmp_path / 'b' / 'pan', size=size, pan=1.5)
    assert not camera_moves(still) and camera_moves(pan)
    said = []
    monkeypatch.setattr(scene, 'print_log', lambda text, logger, level: said.append((text, level)))
    data = ClipWindows(tmp_path / 'b', plate=True, content=7)
    assert len(said) == 1 and 'clip pan: the camera moves' in said[0][0] and said[0][1] == logging.WARNING
    np.testing.assert_array_equal(data[3]['plate'], background_plate(pan, None, [7]).transpose(2, 0, 1))
    np.testing.assert_array_equal(ClipWindows(tmp_path / 'a', plate=True)[3]['plate'], background_plate(still).transpose(2, 0, 1))
    assert len(said) == 1


def test_the_plate_of_an_unseen_clip_is_that_of_the_same_scene(tmp_path):
    size = (96, 64)
    here = make_clip(tmp_path / 'pool' / 'here', size=size, scene=1)
    make_clip(tmp_path / 'pool' / 'there', size=size, scene=2)
    tested = make_clip(tmp_path / 'test' / 'tested', size=size, scene=1)
    elsewhere = make_clip(tmp_path / 'test' / 'elsewhere', size=size, scene=3)
    data = ClipWindows(tmp_path / 'test', window=None, references=dict(pool=dict(root=str(tmp_path / 'pool'))), plate=True)
    plates = {item['clip']: item['plate'].numpy().transpose(1, 2, 0) for item in (data[0], data[1])}
    np.testing.assert_array_equal(plates['tested'], background_plate(here))
    np.testing.assert_array_equal(plates['elsewhere'], background_plate(elsewhere, None, [0]))
    assert tested.name in plates


def test_references_are_no_larger_than_the_footage(root, monkeypatch):
    said = []
    monkeypatch.setattr(footage, 'print_log', lambda text, logger, level: said.append(text))
    pool = dict(references=dict(pool=dict(exclude=(0.5, 1.0)), scale=3), window=None, frames=(0.5, 1.0))
    for size, scale in (((H, W), 1), ((H // 2, W // 2), 2), ((H // 8, W // 8), 3)):
        item = ClipWindows(root, size=size, **pool)[0]
        assert item['reference_frames'].shape[-2:] == (scale * size[0], scale * size[1])
    assert not said
    assert ClipWindows(root, references=dict(scale=2))[0]['reference_frames'].shape[-2:] == (2 * H, 2 * W), 'a mini-batch has one size'
    assert len(said) == 1 and 'references.scale=1 would show as much' in said[0]
    ClipWindows(root, size=(H // 2, W // 2), references=dict(scale=2))
    assert len(said) == 1
