"""What a run was trained on is told by data sets at any depth."""

import pytest

from tests.datasets.test_windows import make_clip
from toolkit import apis
from toolkit.datasets.mixed import MixedClips
from toolkit.datasets.unpaired import UnpairedClips
from toolkit.engine.trained_on import FRAME_SIZE, built_size, frame_size, pose_style, reference_scale
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
