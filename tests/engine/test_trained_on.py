"""What a run was trained on is told by data sets at any depth."""

import os
import time

import pytest

from tests.datasets.test_windows import make_clip
from toolkit import apis
from toolkit.datasets.directed import DirectedClips
from toolkit.datasets.mixed import MixedClips
from toolkit.datasets.unpaired import UnpairedClips
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.trained_on import FRAME_SIZE, TIME, built_size, frame_size, pose_style, reference_scale, trained_frames
from toolkit.registry import load_plugins
from toolkit.structures import InputError

SMALL, LARGE = (48, 32), (96, 64)


def config(**dataset):
    return dict(train_dataloader=dict(dataset=dataset))


@pytest.mark.parametrize('dataset, size', [
    (dict(size=SMALL), SMALL), (dict(root='x'), None), (dict(synthetic=dict(height=96, width=64)), LARGE),
    (dict(synthetic={}), (384, 256)), (dict(synthetic=dict(actors=2)), (384, 256)),
    (dict(synthetic=dict(height=96, width=64), size=SMALL), SMALL), (dict(synthetic=dict(height=96, width=64), pixels=600), None),
    (dict(a='x', b='y', size=SMALL), SMALL), (dict(a=dict(size=SMALL), b=dict(size=SMALL)), SMALL),
    (dict(a=dict(synthetic=dict(height=96, width=64)), b='y', size=SMALL), SMALL),
    (dict(a=dict(size=SMALL), b=dict(size=LARGE)), LARGE), (dict(datasets=dict(a=dict(size=SMALL), b=dict(size=SMALL))), SMALL),
    (dict(datasets=dict(a=dict(size=SMALL), b=None, c=dict(size=LARGE), d=dict(root='x'))), LARGE),
    (dict(datasets=dict(a=dict(a=dict(size=SMALL), b='y'), b=dict(root='x'))), SMALL)])
def test_the_size_is_found_at_any_depth(dataset, size):
    assert frame_size(config(**dataset), 'a.pth') == size


def test_what_the_run_noted_counts_before_what_its_config_says():
    assert frame_size({**config(size=SMALL), FRAME_SIZE: LARGE}, 'a.pth') == LARGE
    assert frame_size({**config(synthetic=dict(height=96, width=64)), FRAME_SIZE: None}, 'a.pth') is None
    with pytest.raises(InputError, match="a.pth: the config in it is damaged: it was trained on frames of large"):
        frame_size({FRAME_SIZE: 'large'}, 'a.pth')


def test_the_style_is_that_of_all_data_sets():
    assert pose_style({}) == pose_style(config(root='x')) == 'openpose_black' and pose_style(config(pose_style='edn')) == 'edn'
    assert pose_style(config(datasets=dict(a=dict(pose_style='edn'), b=dict(pose_style='edn')))) == 'edn'
    with pytest.raises(InputError, match=r'several styles \(edn, openpose_black\).*same pose_style'):
        pose_style(config(datasets=dict(a=dict(pose_style='edn'), b=dict(root='x'))))


def test_the_scale_is_the_largest():
    assert reference_scale(config(root='x')) == reference_scale(config(references=dict(count=2))) == 2
    assert reference_scale(config(datasets=dict(a=dict(references=dict(scale=1)), b=dict(references=dict(scale=1))))) == 1
    assert reference_scale(config(datasets=dict(a=dict(references=dict(scale=1)), b=dict(references=dict(scale=3))))) == 3


def test_data_sets_tell_the_size_of_what_they_hold(tmp_path, stick):
    load_plugins()
    for name in 'ab':
        make_clip(tmp_path / name / 'walk', stick)
    roots = {name: str(tmp_path / name) for name in 'ab'}
    part = dict(type='ClipWindows', root=roots['a'], pixels=512)
    mixed = MixedClips(dict(a=part, b=dict(part, root=roots['b'])))
    assert built_size(mixed) == mixed.size == (32, 16)
    assert built_size(MixedClips(dict(a=part, b=dict(part, root=roots['b'], pixels=None)))) == (64, 32), 'the largest'
    assert built_size(UnpairedClips(dict(root=roots['a'], pixels=512), dict(root=roots['b'], pixels=512))) == (32, 16)
    assert built_size(UnpairedClips(dict(root=roots['a'], pixels=512), roots['b'])) == (64, 32)
    assert built_size([1, 2]) is None


MIXED = '''
_base_ = 'hvt::own/video.py'
data = dict(pixels=2048)
custom_hooks = []
_part = dict(type='ClipWindows', window=2, root={root!r}, pixels=2048, pose_style={style!r})
train_dataloader = dict(dataset=dict(_delete_=True, type='MixedClips', datasets=dict(one=_part, other=dict(_part, pose_style='edn'))))
model = dict(losses=dict(perceptual=dict(weight=0.0)), generator=dict(ngf=4), discriminator=dict(ndf=4))
train_cfg = dict(max_iters=1)
'''


def test_a_run_on_several_data_sets_tells_size_and_style(clips, tmp_path):
    root, path = str(clips[0].folder.parent), tmp_path / 'mixed.py'
    path.write_text(MIXED.format(root=root, style='openpose_black'))
    options = [f'data.root={root}']
    with pytest.raises(InputError, match=r'several styles \(edn, openpose_black\)'):
        apis.train(path, tmp_path / 'refused', cfg_options=options)
    path.write_text(MIXED.format(root=root, style='edn'))
    trained = apis.load(apis.train(path, tmp_path / 'run', cfg_options=options), 'cpu')
    assert trained.size == (48, 32) and trained.pose_style == 'edn'
    trained.config.dump(tmp_path / 'again.py')
    assert 'size' not in trained.config.train_dataloader.dataset, 'which a MixedClips does not take'
    apis.train(tmp_path / 'again.py', tmp_path / 'again')


def meta(after=60., **dataset):
    """Of a checkpoint that was written so many seconds from now."""
    return dict(config(**dataset), time=time.strftime(TIME, time.localtime(time.time() + after)))


def told(meta, dataset, items, most=None):
    found = trained_frames(dict(time=meta.get('time'), config=meta), dataset, items, most)
    return {os.path.basename(folder): count for folder, count in found.items()}


@pytest.fixture
def two_clips(tmp_path, stick):
    for name in ('jump', 'walk'):
        make_clip(tmp_path / 'clips' / name, stick, action=name, length=8)
    return str(tmp_path / 'clips')


@pytest.mark.parametrize('dataset, frames', [
    (dict(), dict(jump=8, walk=8)), (dict(exclude=(0.75, 1.0)), dict(jump=6, walk=6)),
    (dict(frames=(0, 2), actions='walk'), dict(walk=2)),
    (dict(split=None, split_rule=dict(test_actions='walk')), dict(jump=8, walk=8)),
    (dict(split='train', split_rule=dict(test_actions='walk')), dict(jump=8)),
    (dict(persons='nobody'), {}), (dict(window=4, size=SMALL, references=dict(count=1)), dict(jump=8, walk=8))])
def test_frames_that_a_run_was_trained_on_are_counted(two_clips, dataset, frames):
    test = ClipWindows(two_clips, window=None)
    assert told(meta(root=two_clips, **dataset), test, range(2)) == frames
    assert told(meta(a=dict(root=two_clips, **dataset), b='elsewhere'), test, range(2)) == frames
    assert told(meta(datasets=dict(a=dict(root=two_clips, **dataset), b=dict(root=two_clips, **dataset))), test, range(2)) == frames
    assert told(meta(root=two_clips, **dataset), DirectedClips(dict(root=two_clips, actions='walk'), two_clips), range(3)) == frames


@pytest.mark.parametrize('options', [
    dict(split='train', split_rule=dict(test_action='walk')), dict(persons=3), dict(frames=0.5),
    dict(split='train', split_rule='walk')])
def test_a_config_of_another_version_ends_no_test(two_clips, options):
    assert told(meta(root=two_clips, **options), ClipWindows(two_clips, window=None), range(2)) == {}


def test_only_frames_that_are_measured_count(two_clips):
    assert told(meta(root=two_clips), ClipWindows(two_clips, window=None, frames=(5, 8)), range(2)) == dict(jump=3, walk=3)
    assert told(meta(root=two_clips, frames=(0, 6)), ClipWindows(two_clips, window=None, frames=(5, 8)), [1]) == dict(walk=1)
    assert told(meta(root=two_clips, exclude=(0, 3)), ClipWindows(two_clips, window=None), [0], most=4) == dict(jump=1)


def test_clips_that_came_after_the_checkpoint_and_unknown_ones_do_not_count(two_clips, tmp_path, stick):
    test = ClipWindows(two_clips, window=None)
    assert told(meta(root=two_clips, after=-3600.), test, range(2)) == {}
    assert told(dict(config(root=two_clips)), test, range(2)) == told(meta(root=two_clips) | dict(time='soon'), test, range(2)) == {}
    make_clip(tmp_path / 'others' / 'walk', stick, length=8)
    assert told(meta(root=str(tmp_path / 'others')), test, range(2)) == told(meta(), test, range(2)) == {}
    assert trained_frames(meta(root=two_clips), test, range(2)) == trained_frames({}, test, range(2)) == {}
    assert trained_frames(dict(config=meta(root=two_clips), time=time.strftime(TIME)), [0, 1], range(2)) == {}
