"""Two persons side by side: pairing, runs, anchors, plates, and whole clips with a direction."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from tests.datasets.test_footage import make_clip as filmed
from tests.models import cycle_gan_parts
from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets import scene
from toolkit.datasets.plate import background_plate
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.runner import TrainRunner
from toolkit.engine.sampler import DrawSampler
from toolkit.model_parts.frame_memory import FrameMemory
from toolkit.registry import DATASETS, MODELS, TRANSFORMS
from toolkit.structures import InputError

H, W = 64, 48


def make_clip(folder, stick, number, length=10, x=10, size=12, action=None):
    """Frame t is of color (t, number, column), with a white person who walks one pixel a frame."""
    writer = ClipWriter(folder, folder.name, folder.parent.name, action or folder.name, H, W, 25)
    for t in range(length):
        frame = np.zeros((H, W, 3), np.uint8)
        frame[...] = np.array([0, number, 0])
        frame[..., 2] = np.arange(W)
        frame[0, :, 0] = t
        mask = np.zeros((H, W), np.float32)
        mask[10:60, x + t - 4:x + t + 5] = 1
        frame[10:60, x + t - 4:x + t + 5] = 255
        writer.add(frame, stick(x + t, 12, size), np.zeros((H, W), np.float32), mask, np.zeros((H, W), np.uint8))
    return writer.finish()


@pytest.fixture
def roots(tmp_path, stick):
    """Person A with two clips of 10 frames, person B with one of 7, smaller and further right."""
    make_clip(tmp_path / 'ann' / 'jump', stick, 1)
    make_clip(tmp_path / 'ann' / 'wave', stick, 2)
    make_clip(tmp_path / 'bob' / 'jump', stick, 3, length=7, x=20, size=9)
    return dict(a=str(tmp_path / 'ann'), b=str(tmp_path / 'bob'))


def build(roots, **options):
    return DATASETS.build(dict(type='UnpairedClips', **roots, **options))


@pytest.fixture
def wide(roots, tmp_path, stick):
    """Person A as she is, and a person in frames of another size."""
    writer = ClipWriter(tmp_path / 'eve' / 'jump', 'jump', 'eve', 'jump', W, H, 25)
    for _ in range(4):
        flat = np.zeros((W, H), np.float32)
        writer.add(np.zeros((W, H, 3), np.uint8), stick(30, 8, 7), flat, flat, np.zeros((W, H), np.uint8))
    writer.finish()
    return dict(a=roots['a'], b=str(tmp_path / 'eve'))


def times(domain):
    return domain['frames'][:, 0, 0, 0].tolist()


def test_items(roots):
    data = build(roots, window=3)
    item = data[2, 5]
    assert set(item) == {'a', 'b'} and set(item['a']) == {'frames', 'masks', 'poses', 'clip', 'index', 'fps', 'follows'}
    assert [tuple(item['a'][k].shape) for k in ('frames', 'masks', 'poses')] == [(3, 3, H, W), (3, 1, H, W), (3, 18, 3)]
    assert times(item['a']) == [2, 3, 4] and item['a']['clip'] == 'jump' and not item['a']['follows']
    assert item['b']['frames'][0, 1, 0, 0] == 3


def test_an_epoch_is_the_longer_video_and_b_is_drawn_anew(roots):
    data = build(roots)
    assert len(data) == 20 == len(build(dict(a=roots['b'], b=roots['a'])))
    assert [(data[i]['a']['clip'], *times(data[i]['a'])) for i in range(20)] == [(c, t) for c in ('jump', 'wave') for t in range(10)]
    chosen = np.array([[data[i, draw]['b']['index'] for i in range(20)] for draw in range(12)])
    assert set(chosen.ravel()) == set(range(7))
    assert np.bincount(chosen.ravel()).min() > 15, 'every frame of B about as often'
    assert (chosen[0] != chosen[1]).sum() > 8
    assert np.array_equal(chosen[3], [data[i, 3]['b']['index'] for i in range(20)])
    assert data[-1]['a']['index'] == 9
    with pytest.raises(IndexError):
        data[20]


def test_both_are_transformed_independently_and_reproducibly(roots):
    flip = dict(transforms=[dict(type='RandomFlip')])
    data = build(roots, **flip)
    seen = [data[i, draw] for i in range(20) for draw in range(6)]
    mirrored = np.array([[int(item[name]['frames'][0, 2, 0, 0] > 20) for name in 'ab'] for item in seen])
    assert (np.abs(mirrored.mean(0) - .5) < .15).all()
    assert abs(np.corrcoef(mirrored.T)[0, 1]) < .25
    again = build(roots, **flip)[4, 7]
    assert all(torch.equal(again[name]['frames'], data[4, 7][name]['frames']) for name in 'ab')
    short = build(dict(a=roots['b'], b=roots['a']), **flip)
    same_frame = [[int(short[i, draw]['a']['frames'][0, 2, 0, 0] > 20) for draw in range(12)] for i in (2, 9, 16)]
    assert same_frame[0] != same_frame[1] != same_frame[2], 'a frame that comes several times an epoch is not transformed alike'


def test_any_seed_of_a_run_will_do(roots):
    largest = build(roots, seed=2**32 - 1)
    assert largest.a.seed != largest.b.seed and largest[3, 1]['b']['index'] == build(roots, seed=2**32 - 1)[3, 1]['b']['index']


def test_runs_of_sequential_mini_batches(roots):
    data = build(roots, window=2, sequence=3, batch_size=2, transforms=[dict(type='RandomFlip')])
    assert len(data) == 18
    loader = DataLoader(data, batch_size=2, sampler=DrawSampler(data, shuffle=False, seed=0))
    before, starts, jumps = None, set(), 0
    for n, batch in zip(range(18), loader):
        here = {name: batch[name] for name in 'ab'}
        assert all(here[name]['follows'].tolist() == [n % 3 > 0] * 2 for name in 'ab')
        for name in 'ab' if n % 3 else '':
            for row in range(2):
                assert here[name]['clip'][row] == before[name]['clip'][row]
                assert here[name]['index'][row] == before[name]['index'][row] + 2
                assert torch.equal(here[name]['frames'][row, 0, 2, 0], before[name]['frames'][row, 0, 2, 0]), 'mirrored alike'
        if n % 3 == 0:
            starts |= {(here['a']['clip'][row], int(here['a']['index'][row])) for row in range(2)}
            jumps += 1
        before = here
    assert jumps == 6 and len(starts) > 5
    with pytest.raises(InputError, match='8 frames in a row'):
        build(roots, window=2, sequence=4)


def test_rows_of_two_processes_follow_themselves(roots):
    data = build(roots, window=1, sequence=3, batch_size=4)
    for rank in range(2):
        sampler = DrawSampler(data, shuffle=False, seed=0)
        sampler.rank, sampler.world_size = rank, 2
        batches = [b for _, b in zip(range(3), DataLoader(data, batch_size=2, sampler=sampler))]
        for first, second in zip(batches, batches[1:]):
            assert second['a']['follows'].all() and torch.equal(second['a']['index'], first['a']['index'] + 1)
            assert second['b']['clip'] == first['b']['clip']


def test_rows_follow_themselves_for_any_batch_size(roots, monkeypatch):
    for batch, world in ((1, 1), (2, 1), (1, 2), (3, 2)):
        monkeypatch.setattr('toolkit.engine.runner.get_world_size', lambda world=world: world)
        cfg = dict(type='UnpairedClips', **roots, window=1, sequence=3)
        for rank in range(world):
            monkeypatch.setattr('toolkit.engine.sampler.get_dist_info', lambda rank=rank, world=world: (rank, world))
            loader = TrainRunner.build_dataloader(dict(
                dataset=cfg, batch_size=batch, sampler=dict(type='DrawSampler', shuffle=False)), seed=0)
            memory, going_on = FrameMemory(), []
            for _, item in zip(range(6), loader):
                a = item['a']
                going_on += memory.continues('a', a['clip'], a['index'].tolist(), a['follows'].tolist(), 1)
            assert sum(going_on) == 4 * batch, 'all but the first of each run of three'
    plain = dict(type='DrawSampler', shuffle=False)
    with pytest.raises(InputError, match='batch_size=4, but that of all processes is 2'):
        monkeypatch.setattr('toolkit.engine.runner.get_world_size', lambda: 2)
        TrainRunner.build_dataloader(dict(dataset=dict(cfg, batch_size=4), batch_size=1, sampler=plain), seed=0)
    with pytest.raises(InputError, match='set sampler.shuffle=False'):
        TrainRunner.build_dataloader(dict(dataset=cfg, batch_size=1, sampler=dict(type='DrawSampler')), seed=0)


def test_carry_without_a_sequence_is_refused(roots):
    model = cycle_gan_parts.build(previous_frames=1, stateful=True)
    model.check_data(build(roots, window=1, sequence=3))
    with pytest.raises(InputError, match='set train_dataloader.dataset.sequence to 2 or more'):
        model.check_data(build(roots))


def test_who_needs_frames_of_one_size_says_so_before_training(wide):
    pose_training = MODELS.build(dict(type='PoseTraining', network=dict(type='PoseUNet', widths=(8, 8), height=H)))
    models = [pose_training, MODELS.build(dict(type='SegmentorTraining', network=dict(widths=(4, 4)))),
              cycle_gan_parts.build(foreground=dict(margin=0.05))]
    for model in models:
        with pytest.raises(InputError, match='person A are 64x48, those of B 48x64'):
            model.check_data(build(wide))
        model.check_data(build(wide, size=(H, W)))
    cycle_gan_parts.build().check_data(build(wide))


def test_the_height_that_a_pose_network_remembers_is_that_of_its_frames(roots, monkeypatch):
    said = []
    monkeypatch.setattr('toolkit.models.pose_training.print_log', lambda text, *_: said.append(text))
    model = MODELS.build(dict(type='PoseTraining', network=dict(type='PoseUNet', widths=(8, 8), height=H)))
    model.check_data(build(roots))
    assert not said
    model.check_data(build(roots, size=(32, 24)))
    assert 'frames are 32 pixels high, but model.network.height=64' in said[0]


def test_frames_that_both_persons_have_are_told(roots, monkeypatch):
    said = []
    monkeypatch.setattr('toolkit.datasets.unpaired.print_log', lambda text, *_: said.append(text))
    build(roots)
    build(dict(a=dict(root=roots['a'], frames=(0, 5)), b=dict(root=roots['a'], frames=(5, 10))))
    assert not said, 'two outfits in one clip are two persons'
    build(dict(a=roots['a'], b=str(Clip(f'{roots["a"]}/wave').folder)))
    assert len(said) == 1 and 'a and b have frames in common, of wave:' in said[0]


@pytest.mark.parametrize('option', [dict(references=dict()), dict(plate=True)])
def test_what_items_would_not_have_is_refused(roots, option):
    with pytest.raises(InputError, match='UnpairedClips.b: its items have no references'):
        build(dict(roots, b=dict(root=str(roots['b']), **option)))


def test_anchors_are_place_and_height(roots, stick):
    data = build(roots, anchors=True)
    assert data.anchors and not data.plates
    for name, (x, size, last) in dict(a=(10, 12, 9), b=(20, 9, 6)).items():
        anchor = data[0][name]['anchor'].tolist()
        assert anchor == pytest.approx([x + last / 2, 12 + 3 * size, 3 * size], abs=1e-4)
    flipped = build(roots, anchors=True, transforms=[dict(type='RandomFlip')])[0]['a']['anchor'].tolist()
    assert flipped == pytest.approx([(W - 1) / 2, 48, 36], abs=3)
    enlarged = build(roots, anchors=True, transforms=[dict(type='RandomCrop', scale=1.25)])[0]['a']['anchor'].tolist()
    assert enlarged[2] == pytest.approx(45) and enlarged[0] == pytest.approx((W - 1) / 2 + 1.25 * (14.5 - (W - 1) / 2), abs=1.5)


def test_the_empty_scene_is_found(roots):
    clip = Clip(f'{roots["a"]}/jump')
    plate = background_plate(clip)
    expected = np.zeros((H, W, 3), np.uint8)
    expected[..., 1], expected[..., 2] = 1, np.arange(W)
    assert np.array_equal(plate[1:, 17:], expected[1:, 17:]), 'behind the person, where somebody walks away'
    always = np.abs(plate[12:58, 11:14].astype(int) - expected[12:58, 11:14]).max()
    assert always < 25, 'what is never seen is painted over from around'
    assert background_plate(clip, (32, 24)).shape == (32, 24, 3)
    crop = build(roots, plates=True, transforms=[dict(type='RandomCrop', scale=1.25), dict(type='RandomFlip')])
    item = crop[11]['a']
    recolored = build(roots, plates=True, transforms=[lambda sample, rng: dict(sample, content_frame=0 * sample['content_frame'])])
    assert torch.equal(recolored[11]['a']['plate'], build(roots, plates=True)[11]['a']['plate']), 'no content frame'
    outside = (item['masks'][0, 0] == 0)[1:]
    outside[:, :-1] &= outside[:, 1:]
    difference = (item['plate'][:, 1:].int() - item['frames'][0, :, 1:].int()).abs().amax(0)
    assert item['plate'].dtype == torch.uint8 and difference[outside].float().quantile(.95) <= 2, 'cut and mirrored like the frames'


def test_clips_without_a_frame_in_use_have_no_scene(roots, tmp_path, stick):
    """Here the first one, which is shorter than where the others begin."""
    make_clip(tmp_path / 'ann' / 'bow', stick, 5, length=4)
    wave = background_plate(Clip(f'{roots["a"]}/wave'), None, range(5, 10)).transpose(2, 0, 1)
    late = dict(roots, a=dict(root=roots['a'], frames=(5, None)))
    item = build(late, plates=True)[9]['a']
    assert item['clip'] == 'wave' and np.array_equal(item['plate'], wave)
    directed = DATASETS.build(dict(type='DirectedClips', **late, plates=True))
    assert [directed[i]['clip'] for i in range(len(directed))] == ['jump_ab', 'wave_ab', 'jump_ba']
    assert np.array_equal(directed[1]['plate'], wave)


def test_a_camera_that_moves_before_which_people_are_put_is_told(tmp_path, monkeypatch):
    said, size = [], (96, 64)
    still, pan = (filmed(tmp_path / name / name, person=name, size=size, pan=pan) for name, pan in (('still', 0), ('pan', 1.5)))
    monkeypatch.setattr(scene, 'print_log', lambda text, logger, level: said.append(text))
    two = dict(a=str(still.folder), b=str(pan.folder))
    for kind in ('UnpairedClips', 'DirectedClips'):
        data = DATASETS.build(dict(type=kind, **two, plates=True))
        for item, clip in zip(data[0].values() if kind == 'UnpairedClips' else (data[0], data[1]), (still, pan)):
            np.testing.assert_array_equal(item['plate'].permute(1, 2, 0), background_plate(clip))
        assert len(said) == 1 and said.pop().startswith('clip pan: the camera moves, so its empty scene is a mixture')
    monkeypatch.setattr(scene, 'camera_moves', lambda *_: 1 / 0)
    build(two, plates=True)
    assert len(said) == 1, 'it is found once, and said each time'


def test_a_person_who_cannot_be_measured_is_named(roots, tmp_path):
    writer, flat = ClipWriter(tmp_path / 'eve' / 'face', 'face', 'eve', 'face', H, W, 25), np.zeros((H, W), np.float32)
    for _ in range(5):
        pose = np.zeros((18, 3), np.float32)
        pose[0] = 20, 20, 1
        writer.add(np.zeros((H, W, 3), np.uint8), pose, flat, flat, flat.astype(np.uint8))
    writer.finish()
    with pytest.raises(InputError, match=r'anchors=True measures both persons, here a \(.*ann\) as the source and b \(.*eve\) as the '
                                         r'target: pose normalization: the target poses show'):
        build(dict(roots, b=str(tmp_path / 'eve')), anchors=True)


def test_options_of_each_domain(roots):
    data = build(dict(a=dict(root=roots['a'], actions=['wave'], size=(32, 24)), b=roots['b']), size=(H, W))
    assert data[0]['a']['frames'].shape[-2:] == (32, 24) and data[0]['b']['frames'].shape[-2:] == (H, W) and len(data) == 10
    assert len(data.clips) == 2
    with pytest.raises(InputError, match="'actoins'.*actions"):
        build(dict(a=dict(root=roots['a'], actoins=['wave']), b=roots['b']))
    with pytest.raises(InputError, match='UnpairedClips.b needs a root'):
        build(dict(a=roots['a'], b=dict()))
    with pytest.raises(InputError, match='at least 1'):
        build(roots, window=0)


def test_directed_clips(roots, tmp_path, stick):
    make_clip(tmp_path / 'bob' / 'wave', stick, 4, length=10)
    data = DATASETS.build(dict(type='DirectedClips', **roots, plates=True))
    assert [(d['direction'], d['clip']) for d in map(data.__getitem__, range(4))] == [
        ('ab', 'jump_ab'), ('ab', 'wave_ab'), ('ba', 'jump_ba'), ('ba', 'wave_ba')], 'each item has a name of its own'
    batch = default_collate([data[2]])
    assert batch['frames'].shape == (1, 7, 3, H, W) and batch['plate'].shape == (1, 3, H, W) and 'truth_frames' not in batch
    assert len(DATASETS.build(dict(type='DirectedClips', **roots, directions=['ba']))) == 2
    with pytest.raises(InputError, match='paired=True'):
        DATASETS.build(dict(type='DirectedClips', **roots, paired=True))
    paired = DATASETS.build(dict(type='DirectedClips', **{k: dict(root=v, actions=['wave']) for k, v in roots.items()}, paired=True))
    item = paired[0]
    assert item['frames'][0, 1, 0, 0] == 2 and item['truth_frames'][0, 1, 0, 0] == 4
    assert {k for k in item if k.startswith('truth')} == {
        'truth_frames', 'truth_masks', 'truth_poses', 'truth_pose_maps', 'truth_edges', 'truth_regions'}
    with pytest.raises(InputError, match='directions'):
        DATASETS.build(dict(type='DirectedClips', **roots, directions=['ac']))


def test_parts_of_a_directed_clip_make_up_the_whole(roots):
    data = DATASETS.build(dict(type='DirectedClips', a=roots['a'], b=roots['a'], paired=True, plates=True))
    whole, parts = data[3], [data.clip_part(3, 0, 4), data.clip_part(3, 4, 10)]
    assert data.clip_length(3) == 10
    for key in ('frames', 'poses', 'truth_frames', 'truth_poses', 'truth_masks'):
        assert torch.equal(torch.cat([part[key] for part in parts]), whole[key])
    assert all(part['direction'] == whole['direction'] and torch.equal(part['plate'], whole['plate']) for part in parts)
    masks = data.clip_masks(3, 4, 10)
    np.testing.assert_array_equal(masks['truth_masks'], whole['truth_masks'][4:, 0] > 127)


def whole_items(roots, transforms, name, key, seed, window):
    """The straightforward way: the complete item, its transforms with the key's own random numbers, most of it thrown away."""
    built = [TRANSFORMS.build(dict(t)) for t in transforms]

    def transform(sample, rng):
        rng = np.random.default_rng((seed, *key))
        for t in built:
            sample = t(sample, rng)
        return sample

    return ClipWindows(roots[name], window=window, transforms=[transform])


@pytest.mark.parametrize('transforms', [[], [dict(type='RandomFlip'), dict(type='RandomCrop', scale=1.25)],
                                        [dict(type='RecolorGarments', keep=0), dict(type='RandomFlip')]])
def test_only_what_is_kept_is_read_and_it_is_the_same(roots, transforms, monkeypatch):
    data = build(roots, window=2, transforms=transforms)
    for index in range(4):
        item = data[index, 3]
        for name, seed in (('a', 0), ('b', 1)):
            windows = whole_items(roots, transforms, name, (3, index), seed, 2)
            place = next(i for i in range(len(windows)) if (windows[i]['clip'], windows[i]['index']) ==
                         (item[name]['clip'], item[name]['index']))
            for key in ('frames', 'masks', 'poses'):
                assert torch.equal(item[name][key], windows[place][key])
    read, kept = [], Clip._read
    monkeypatch.setattr(Clip, '_read', lambda self, kind, *args, **kwargs: read.append(kind) or kept(self, kind, *args, **kwargs))
    data[0]
    recolors = any(t['type'] == 'RecolorGarments' for t in transforms)
    assert sorted(read) == sorted(['frames'] * 4 + ['masks'] * 4 + ['frames', 'masks', 'parts'] * 2 * recolors)


def test_a_transform_that_does_not_say_what_it_needs_gets_everything(roots):
    seen = []
    build(roots, transforms=[lambda sample, rng: seen.append(set(sample)) or dict(sample, marks=np.arange(3))])[0]['a']['marks']
    assert {'edges', 'content_parts', 'content_frame'} <= seen[0]


@pytest.mark.parametrize('kind, words', [('UnpairedClips', 'both persons have the window of UnpairedClips'),
                                         ('DirectedClips', 'its items are whole clips; leave it out')])
def test_a_window_of_one_person_is_refused(roots, kind, words):
    with pytest.raises(InputError, match=f'{kind}.a.window=9: {words}'):
        DATASETS.build(dict(type=kind, a=dict(root=roots['a'], window=9), b=roots['b']))
    assert DATASETS.build(dict(type=kind, a=dict(root=roots['a'], window=None), b=roots['b']))
