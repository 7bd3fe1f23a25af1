"""A map that one file outside of the repository adds reaches the generator, in training and in generation."""

import re
import sys
from pathlib import Path

import cv2
import pytest
import torch

from toolkit import apis, fields
from toolkit.datasets.directed import DirectedClips
from toolkit.datasets.unpaired import UnpairedClips
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.flops import count_flops
from toolkit.engine.launch import build_runner, load_config
from toolkit.inference.driving import frame_steps
from toolkit.models.loss_table import LossTable
from toolkit.plugins import import_custom
from toolkit.registry import LOSSES, MODELS
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parents[2]
H, W = 96, 64
GUIDE = re.findall(r'```python\n(.*?)```', (ROOT / 'docs' / 'plugins.md').read_text(), re.S)
MODULE = 'from torch import nn\nfrom toolkit.registry import LOSSES\n' + next(
    block for block in GUIDE if "@fields.add('depth')" in block) + '''

@fields.add('floor', channels=2)
def floor(poses, size):
    """White below the lowest joint."""
    rows = np.arange(size[0])[None, :, None, None] > poses[..., 1].max(1)[:, None, None, None]
    return np.broadcast_to(255 * rows, (len(poses), *size, 2)).astype(np.uint8)


@LOSSES.register_module()
class NearLoss(nn.Module):
    """What is near counts more."""

    inputs = ('fake', 'real', 'depth')

    def forward(self, fake, real, depth):
        assert depth.shape == (len(fake), 1, *fake.shape[2:]) and 0 <= depth.min() and depth.max() <= 1
        return ((fake - real).abs() * depth).mean()
'''
CONFIG = '''
_base_ = 'hvt::stage2_pix2pixhd.py'
custom_imports = dict(imports=['depth_map'])
data = dict(root={root!r}, synthetic=None)
train_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(split=None))
test_dataloader = dict(dataset=dict(split=None))
train_cfg = dict(max_iters=2)
custom_hooks = [dict(type='GenerateHook', interval=2, max_frames=2, clips=[0])]
default_hooks = dict(checkpoint=dict(interval=2))
model = dict(
    generator=dict(_delete_=True, type='GlobalGenerator', ngf=4, n_down=1, n_blocks=1),
    discriminator=dict(_delete_=True, type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1), curriculum=None,
    losses=dict(perceptual=dict(weight=0), near=dict(type='NearLoss', weight=3.0)), feature_maps=dict(maps=['floor', 'depth']))
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The folder of the module, which is imported."""
    (tmp_path / 'depth_map.py').write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import_custom(['depth_map'])
    yield tmp_path
    for name in ('depth', 'floor'):
        fields.ADDED.pop(name, None)
    LOSSES.module_dict.pop('NearLoss', None)
    sys.modules.pop('depth_map', None)


def inputs_of(net):
    seen = []
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach().clone()))
    return seen


def test_an_added_map_is_trained_tested_and_generated_with(plugin, clips):
    root = clips[0].folder.parent
    (plugin / 'mine.py').write_text(CONFIG.format(root=str(root)))
    runner = build_runner(load_config('mine.py'), 'run')
    seen = inputs_of(runner.model.net_g)
    runner.train()
    assert 'g/near' in next(Path('run').glob('*/vis_data/scalars.json')).read_text()
    assert seen[0].shape[1] == 4 + 3 + 3 and list(Path('run').rglob('vis/0000002_*.png'))

    trained = apis.load('run', 'cpu', allow_imports=['depth_map'])
    data = ClipWindows(root, window=None, content=0)
    data.add_fields(['floor', 'depth'])
    item = data[0]
    assert item['depth'].shape == (4, 1, H, W) and item['content_floor'].shape == (2, H, W)
    batch = trained.model.data_preprocessor({key: value[None] for key, value in item.items() if torch.is_tensor(value)})
    warped = trained.model.feature_maps(batch)[0]
    assert torch.equal(warped[:, 4:6], batch['floor'][0]) and 0 < warped[:, 6].mean() < 1
    moved = trained.model.feature_maps._warp([batch['content_depth'] * batch['content_mask']], batch)[0]
    assert torch.equal(warped[:, 6:], moved[0])

    seen = inputs_of(trained.model.net_g_ema)
    frames = list(apis.stream(trained, data.clips[0], data.clips[0].poses, (H, W)))
    assert len(frames) == 4 == len(seen)
    for t, x in enumerate(seen):
        torch.testing.assert_close(x[0, :7], 2 * warped[t] - 1)

    costs = {cost.name: cost for cost in count_flops(trained.model, runner.cfg.optim_wrapper, H, W)}
    assert costs['net_g'].macs > 0


def test_what_is_real_in_training_and_what_is_drawn(plugin):
    small = dict(type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), generator=dict(type='GlobalGenerator', ngf=4, n_down=1),
                 discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1))
    model = MODELS.build(dict(small, feature_maps=dict(maps=['depth', 'floor'], edge_channel='real')))
    assert model.paints_from == ('poses', 'pose_maps', 'regions', 'edges', 'masks', 'depth', 'floor')
    batch = {key: value.float() if torch.is_tensor(value) else value for key, value in model.example_batch(H, W, 3).items()}
    batch |= dict(depth=torch.full((1, 3, 1, H, W), .5), masks=torch.ones(1, 3, 1, H, W))
    maps = model.feature_maps(batch)
    assert maps.shape == (1, 3, 7, H, W) and (maps[:, :, 4] == .5).all() and not maps[:, :, 5:].any()
    with pytest.raises(InputError, match=r"maps has 'floor', but the batch has no 'floor': the data set must be one with add_fields"):
        model.feature_maps({key: value for key, value in batch.items() if key != 'floor'})
    with pytest.raises(InputError, match="no field 'dept' was added. Did you mean 'depth'?"):
        MODELS.build(dict(small, feature_maps=dict(maps=['dept'])))


def test_a_loss_may_name_an_added_field_where_its_method_has_all_frames(plugin, monkeypatch):
    table = LossTable(dict(near=dict(type='NearLoss', of='cycle')), MODELS.get('CycleGAN').offers, 'CycleGAN')
    assert table.added_fields == ('depth',)
    given = dict(fake=torch.ones(6, 3, 4, 4, requires_grad=True), real=torch.zeros(6, 3, 4, 4))
    assert table.compute('cycle', given, dict(depth=torch.full((2, 3, 1, 4, 4), .5)))['near'] == .5
    with pytest.raises(InputError, match='losses.near needs depth, which the batches of this dataset do not have'):
        table.compute('cycle', given, dict())
    with pytest.raises(InputError, match="NearLoss needs fake, real, depth, which PoseTraining does not offer"):
        LossTable(dict(near=dict(type='NearLoss')), MODELS.get('PoseTraining').offers, 'PoseTraining')
    monkeypatch.setattr(LOSSES.get('NearLoss'), 'inputs', ('fake', 'real', 'dept'))
    monkeypatch.setattr(LOSSES.get('NearLoss'), 'forward', lambda self, fake, real, dept: dept)
    with pytest.raises(InputError, match="does not offer. Did you mean 'depth'.*frames.*added fields"):
        LossTable(dict(near=dict(type='NearLoss')), MODELS.get('VideoPix2PixHD').offers, 'VideoPix2PixHD')


def test_a_function_that_gives_something_else_is_named(plugin, clips):
    data = ClipWindows(clips[0].folder.parent)
    with pytest.raises(InputError, match="cannot be computed from 'frame', only from frames, edges, masks, poses, size"):
        fields.add('wrong')(lambda frame: frame)
    with pytest.raises(InputError, match="the key 'masks' is taken"):
        fields.add('masks')(lambda frames: frames)
    with pytest.raises(InputError, match='kind must be one of picture, map'):
        fields.add('wrong', kind='image')(lambda frames: frames)
    assert 'wrong' not in fields.ADDED
    try:
        fields.add('wrong')(lambda frames: frames[..., 0] / 255)
        data.add_fields(['wrong'])
        with pytest.raises(InputError, match=r"'wrong': .* must return an array of \(2, 96, 64\) uint8, got \(2, 96, 64\) float64"):
            data[0]
    finally:
        fields.ADDED.pop('wrong')


def test_other_data_sets_and_tools_know_added_fields(plugin, clips, load_tool, capsys):
    roots = [str(clip.folder) for clip in clips]
    data = UnpairedClips(*roots, window=2)
    data.add_fields(['depth', 'floor'])
    item = data[0]['b']
    assert item['depth'].shape == (2, 1, H, W) and item['floor'].shape == (2, 2, H, W) and 'edges' not in item
    whole = ClipWindows(roots[0], window=None)
    whole.add_fields(['depth'])
    steps = list(frame_steps(['frames', 'depth', 'floor'], clips[0].poses, (H, W), clips[0], extra=fields.added(['depth', 'floor'])))
    assert torch.equal(torch.cat([step['depth'][0] for step in steps]), whole[0]['depth']), 'a method may paint from the driving frames'
    pair = DirectedClips(*roots, paired=True)
    pair.add_fields(['depth'])
    assert pair.clip_part(0, 1, 3)['truth_depth'].shape == (2, 1, H, W)

    def run(tool, *arguments):
        with pytest.raises(SystemExit) as stop:
            load_tool(tool).main([*arguments])
        assert not stop.value.code

    run('browse_dataset', roots[0], '--import', 'depth_map', '--fields', 'depth', 'floor', '--out', 'sheet.png', '--items', '2')
    run('browse_dataset', roots[0], '--out', 'plain.png', '--items', '2')
    assert cv2.imread('sheet.png').shape[1] > cv2.imread('plain.png').shape[1]
    run('list_parts', 'depth')
    assert re.search(r'FIELDS\n +depth +map of 1 channels from frames, masks +\[depth_map\]', capsys.readouterr().out)
