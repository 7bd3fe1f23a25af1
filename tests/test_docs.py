"""What docs/plugins.md shows runs as it is written."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import adams
from tests.models import test_video_pix2pixhd as video
from tests.stick_people import stick_pose, write_frames
from toolkit.clips.clip import find_clips
from toolkit.engine.launch import load_config
from toolkit.fit import build_generator
from toolkit.registry import ALL_REGISTRIES, LOSSES, MODELS, SEGMENTORS

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r'```python\n(.*?)```', (ROOT / 'docs' / 'plugins.md').read_text(), re.S)
SMALL = dict(
    generator=dict(type='GlobalGenerator', ngf=4, n_down=1, n_blocks=1),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1))


@pytest.mark.parametrize('kind, module, name', [
    ('CharbonnierLoss', 'my_losses', 'l1'), ('PersonCharbonnierLoss', 'person_loss', 'my_person')])
def test_losses_of_the_plugin_guide_train(kind, module, name, tmp_path, monkeypatch):
    code, = (block for block in BLOCKS if f'class {kind}(' in block)
    config, = (block for block in BLOCKS if f"type='{kind}'" in block)
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    (tmp_path / f'{module}.py').write_text(code)
    if 'custom_imports' not in config:
        config += f'custom_imports = dict(imports=[{module!r}])\n'
    (tmp_path / 'configs' / 'mine.py').write_text(config)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    try:
        cfg = load_config('configs/mine.py', ['model.losses.perceptual.weight=0']).model.to_dict()
        torch.manual_seed(0)
        model = MODELS.build(dict(cfg, **SMALL))
        logs = model.train_step(video.batch_of(model), adams(model))
    finally:
        LOSSES._module_dict.pop(kind, None)
    assert set(logs) == {'g/gan', 'g/fm', f'g/{name}', 'd/fake', 'd/real'} and 0 < logs[f'g/{name}'] < 30


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Function (name of a part, module) -> the folder, the current one, that holds the guide's module and its config ``mine.py``."""
    def write(kind, module):
        code, = (block for block in BLOCKS if re.search(rf'class {kind}\b', block))
        (tmp_path / f'{module}.py').write_text(code)
        for block in BLOCKS:
            if f"type='{kind}'" in block:
                (tmp_path / 'mine.py').write_text(block)
        return tmp_path

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SEGMENTORS._module_dict, 'WholeMask', WholeMask)
    yield write
    for module in ('plain_generator', 'npz_windows', 'my_pose'):
        sys.modules.pop(module, None)
        for registry in ALL_REGISTRIES.values():
            for name in [name for name, part in registry._module_dict.items() if part.__module__ == module]:
                del registry._module_dict[name]


def run(tool, *arguments):
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'))['main']([*map(str, arguments)])
    return stop.value.code


def test_the_generator_of_the_guide_trains_and_takes_codes(own):
    own('PlainGenerator', 'plain_generator')
    cfg = load_config('mine.py', ['model.losses.perceptual.weight=0', 'model.generator.width=4']).model.to_dict()
    model = MODELS.build(dict(cfg, discriminator=SMALL['discriminator']))
    before = model.net_g.layers[0].weight.detach().clone()
    assert 'g/fm' in model.train_step(video.batch_of(model), adams(model))
    assert type(model.net_g).__name__ == 'PlainGenerator' and not torch.equal(model.net_g.layers[0].weight, before)
    coded = build_generator(dict(type='PlainGenerator'), 'Method', 7, (3, 2))
    x, z, regions = torch.zeros(1, 7, 16, 16), torch.randn(2, 5), torch.zeros(1, 2, 16, 16)
    regions[..., :4] = 1
    one, other = coded(x, z[:1], regions), coded(x, z[1:], regions)
    assert not torch.equal(one[..., :4], other[..., :4]) and torch.equal(one[..., 12:], other[..., 12:])


TINY = ('model.losses.perceptual.weight=0', 'model.generator.ngf=4', 'model.generator.n_down=1', 'model.generator.n_blocks=1',
        'model.generator.n_local_blocks=1', 'model.discriminator.ndf=4', 'model.discriminator.n_layers=1',
        'model.discriminator.num_scales=1', 'train_cfg.max_iters=3', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False')


def write_npz(folder, frames=3):
    folder.mkdir(parents=True)
    for number in range(2):
        clip = dict(frames=np.full((frames, 64, 32, 3), 90 + number, np.uint8), edges=np.zeros((frames, 64, 32), np.uint8),
                    masks=np.full((frames, 64, 32), 255, np.uint8), poses=np.stack([stick_pose(14 + t, 12, 12) for t in range(frames)]))
        np.savez(folder / f'{number}.npz', **clip)


def test_the_data_set_of_the_guide_is_trained_with(own):
    folder = own('NpzWindows', 'npz_windows')
    write_npz(folder / 'data' / 'npz')
    assert run('train', 'mine.py', '--work-dir', 'out', '--cfg-options', *TINY) == 0
    assert (folder / 'out' / 'iter_0000003.pth').is_file()
    assert run('browse_dataset', 'mine.py', '--out', 'items.png', '--items', '2') == 0 and (folder / 'items.png').is_file()
    write_npz(folder / 'data' / 'npz_test', frames=5)
    assert run('test', 'mine.py', 'out', '--metrics', 'PSNR', '--out', 'numbers.json', '--cfg-options', *TINY) == 0
    assert (folder / 'numbers.json').is_file()


@pytest.mark.parametrize('items, message', [
    ('return item["frames"], item["poses"]', 'the data set gives items of type tuple, expected dicts'),
    ('return dict(frames=item["frames"])', "'content_edge' is needed, but the data set gives frames")])
def test_a_data_set_that_cannot_do_is_refused_in_one_line(own, items, message, capsys):
    folder = own('NpzWindows', 'npz_windows')
    write_npz(folder / 'data' / 'npz')
    module = folder / 'npz_windows.py'
    module.write_text(re.sub(r'return dict\(item, .*', items, module.read_text()))
    assert run('train', 'mine.py', '--work-dir', 'out', '--cfg-options', *TINY) == 2
    lines = capsys.readouterr().err.splitlines()
    assert f'error: {message}' in lines[-1] and 'list_parts.py DATASETS' in lines[-1] and 'Traceback' not in ' '.join(lines)


class WholeMask:
    """Everything is person."""

    def __call__(self, frames, poses):
        return np.ones(frames.shape[:3], np.float32)


def prepare(folder):
    write_frames(folder / 'dance.mp4', [np.full((96, 64, 3), 100 + t, np.uint8) for t in range(6)])
    return run('prepare_data', 'dance.mp4', '--out', 'data/dance', '--import', 'my_pose', '--pose', 'MyPose', 'confidence=0.8',
               '--mask', 'WholeMask', '--size', '96x64')


def test_the_pose_estimator_of_the_guide_prepares_a_video(own):
    assert prepare(own('MyPose', 'my_pose')) == 0
    clip, = find_clips('data/dance')
    assert len(clip) == 6 and clip.manifest['made_by']['poses']['type'] == 'MyPose'
    assert (clip.poses[..., 2] > 0).all() and clip.poses[0, 0, 1] < clip.poses[0, 10, 1]


def test_joints_of_another_layout_are_refused_with_the_cure(own, capsys):
    folder = own('MyPose', 'my_pose')
    module = folder / 'my_pose.py'
    module.write_text(re.sub(r'return to_openpose18\((.*), .coco17.\)', r'return \1', module.read_text()))
    assert prepare(folder) != 0
    said = ' '.join(capsys.readouterr())
    assert 'MyPose gave a pose of shape (17, 3); expected (18, 3)' in said and 'to_openpose18' in said
    assert 'Traceback' not in said
