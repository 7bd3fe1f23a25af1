"""What a student learns from: the teacher's own pictures of poses that are drawn, the same in every run."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from toolkit import apis, fields
from toolkit.clips.clip import Clip
from toolkit.distillation import taught_windows
from toolkit.distillation.taught_windows import TaughtWindows
from toolkit.packaged import PRETRAINED
from toolkit.preparing.batch import VideoBatch
from toolkit.registry import DATASETS
from toolkit.skeletons import L_WRIST, R_WRIST, K
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

SIZE = dict(height=64, width=48, frames=12)
OPTIONS = dict(teacher=PRETRAINED, content='random', plate=True, references=dict(count=1, scale=1, figure=True, gap=(0, 1)))


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    root, people = tmp_path_factory.mktemp('clips'), SyntheticActions(**SIZE)
    people.write(root / 'me', actors=[0], actions=['clap', 'squat'], num_workers=1, progress=False)
    people.write(root / 'other', actors=[1], actions=['kick'], num_workers=1, progress=False)
    return root


@pytest.fixture(scope='module')
def data(root) -> TaughtWindows:
    return DATASETS.build(dict(type='TaughtWindows', root=str(root / 'me'), **OPTIONS))


def numbers(item):
    return {key: value for key, value in item.items() if torch.is_tensor(value)}


def test_an_item_depends_on_seed_draw_and_index_alone(root, data):
    again = TaughtWindows(root=root / 'me', **OPTIONS)
    again[3, 0]
    first, second = numbers(data[5, 2]), numbers(again[5, 2])
    assert first.keys() == second.keys() and all(torch.equal(value, second[key]) for key, value in first.items())
    other = TaughtWindows(root=root / 'me', seed=1, **OPTIONS)
    assert not torch.equal(first['poses'], numbers(other[5, 2])['poses'])
    assert len({numbers(data[5, draw])['poses'].numpy().tobytes() for draw in range(8)}) > 4, 'poses never run out'


def test_frames_are_what_generation_paints_of_these_poses(root, data):
    """With every frame allowed the teacher of a data set paints what generation by the same model does."""
    options = dict(OPTIONS, content=0, exclude=None, references=dict(OPTIONS['references'], gap=(0, 0)))
    folder = next(p for p in (root / 'me').iterdir() if 'clap' in p.name)
    taught = TaughtWindows(root=folder, **options)
    trained, clip = taught.teacher, Clip(folder)
    seen = 0
    for draw in range(12):
        item = taught[0, draw]
        poses = item['poses'].numpy()
        if any(np.allclose(poses, clip.poses[t:t + 2]) for t in range(11)):
            continue
        painted = np.stack(list(apis.stream(trained, clip, poses, (64, 48))))
        mine = item['frames'].permute(0, 2, 3, 1).numpy()
        # of the window itself, frames 0 and 1, no pixel is taken; a movement whose nearest frames are others is painted alike
        seen += np.array_equal(painted, mine)
    assert seen >= 1


def test_the_frames_of_the_window_are_never_references(data):
    for draw in range(6):
        item = data[4, draw]
        number, start = data.locate(4)
        window = {data.frame(number, t).tobytes() for t in (start, start + 1)}
        shown = item['reference_frames'][:, 0].permute(0, 2, 3, 1).numpy()
        assert not window & {picture.tobytes() for picture in shown}


def test_added_fields_are_of_the_teachers_frames_also_where_clips_store_them(root, monkeypatch):
    monkeypatch.setattr(fields, 'ADDED', dict(fields.ADDED))

    @fields.add('shade', store=True)
    def shade(frames):
        return frames.mean(-1).astype(np.uint8)

    data, picture = TaughtWindows(root=root / 'me', **OPTIONS), Clip.picture
    for clip in data.clips:
        monkeypatch.setitem(clip.fields, 'shade', 1)
    stored = np.full((SIZE['height'], SIZE['width']), 7, np.uint8)
    monkeypatch.setattr(Clip, 'picture', lambda self, kind, t: stored if kind == 'shade' else picture(self, kind, t))
    data.add_fields(['shade'])
    item = data[5, 2]
    for key, frames in (('shade', item['frames']), ('content_shade', item['content_frame'][None])):
        np.testing.assert_array_equal(item[key].reshape(-1, 64, 48), shade(frames.permute(0, 2, 3, 1).numpy()))


def test_it_has_the_form_of_clip_windows(root, data):
    plain = DATASETS.build(dict(type='ClipWindows', root=str(root / 'me'), **{k: v for k, v in OPTIONS.items() if k != 'teacher'}))
    mine, theirs = numbers(data[0]), numbers(plain[0])
    assert {k: (v.shape, v.dtype) for k, v in mine.items()} == {k: (v.shape, v.dtype) for k, v in theirs.items()}
    assert mine['frames'].float().std() > 10 and mine['edges'].any() and 0 < mine['masks'].float().mean() < 255
    default_collate([data[0], data[1]])


@pytest.mark.parametrize('wrong, message', [
    (dict(window=None), 'windows to learn from'),
    (dict(plate=False), 'plate=True'),
    (dict(references=None), 'references=dict'),
    (dict(turn=200), '0 to 180'),
    (dict(movements='empty'), 'no prepared clips'),
    (dict(teacher='nowhere.pth'), 'nowhere.pth')])
def test_what_cannot_teach_is_refused(root, wrong, message, tmp_path):
    if 'movements' in wrong:
        wrong = dict(movements=tmp_path)
    with pytest.raises(InputError, match=message):
        TaughtWindows(root=root / 'me', **dict(OPTIONS, **wrong))


@pytest.mark.parametrize('kind', ['movements', 'own'])
def test_clips_that_show_too_little_of_anybody_are_named(root, kind, tmp_path):
    folder = next((root / 'other').iterdir())
    hands = shutil.copytree(folder, tmp_path / 'hands' / folder.name)
    poses = dict(np.load(hands / 'poses.npz'))
    for value in poses.values():
        if value.ndim == 3:
            value[:, [joint for joint in range(K) if joint not in (R_WRIST, L_WRIST)]] = 0
    np.savez(hands / 'poses.npz', **poses)
    given = dict(root=hands) if kind == 'own' else dict(root=root / 'me', movements=tmp_path / 'hands')
    with pytest.raises(InputError, match=f'{folder.name}: both shoulders are seen in fewer than 3'):
        TaughtWindows(**OPTIONS, **given)


def test_a_clip_without_a_window_teaches_nothing_and_is_no_error(root, tmp_path):
    """As of ClipWindows: nobody is seen in it."""
    for name in ('me', 'other'):
        shutil.copytree(root / name, tmp_path, dirs_exist_ok=True)
    empty = next(tmp_path / folder.name for folder in (root / 'other').iterdir())
    poses = dict(np.load(empty / 'poses.npz'))
    np.savez(empty / 'poses.npz', **{key: np.zeros_like(value) if value.ndim == 3 else value for key, value in poses.items()})
    data = TaughtWindows(root=tmp_path, **OPTIONS)
    assert {data.locate(index)[0] for index in range(len(data))} == {0, 1, 2} - {[clip.folder for clip in data.clips].index(empty)}


def test_the_teacher_is_back_on_the_cpu_when_workers_are_forked(data, monkeypatch):
    places, model = [], data.teacher.model
    monkeypatch.setattr(type(model), 'cuda', lambda self: places.append('cuda'))
    monkeypatch.setattr(type(model), 'cpu', lambda self: places.append('cpu'))
    monkeypatch.setattr(taught_windows, 'torch', SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True)))
    data[0]
    assert places == ['cuda', 'cpu']
    monkeypatch.setattr(taught_windows, 'get_worker_info', lambda: object())
    data[0]
    assert places == ['cuda', 'cpu']


def test_distilling_makes_a_small_student_that_generates(root, tmp_path, monkeypatch):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', '')
    options = ['model.losses.perceptual.weight=0', 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
               'train_dataloader.dataset.references.gap=[0,1]']
    student = apis.distill([], tmp_path / 'run', None, root / 'me', root / 'other', 2, cfg_options=options)
    trained = apis.load(student)
    assert sum(p.numel() for p in trained.model.net_g.parameters()) * 2 < 2 * 10**6, 'at most 2 MB in half precision'
    assert not hasattr(trained.model, 'net_d')
    clip = next((root / 'me').iterdir())
    driving = next((root / 'other').iterdir())
    apis.generate(student, clip, driving, tmp_path / 'b.mp4', max_frames=2, progress=False)
    assert (tmp_path / 'b.mp4').stat().st_size > 500


@pytest.mark.parametrize('wrong, words', [
    (dict(teacher='typo'), 'typo: no such file; give a checkpoint or a work dir as teacher'),
    (dict(movements='typo'), 'typo: no prepared clips in this folder of movements')])
def test_paths_are_checked_before_videos_are_prepared(tmp_path, monkeypatch, wrong, words):
    monkeypatch.setattr(VideoBatch, '__init__', lambda *args, **options: pytest.fail('preparing began'))
    with pytest.raises(InputError, match=words):
        apis.distill([tmp_path / 'me.mp4'], tmp_path / 'run', data=tmp_path / 'data', **wrong)
