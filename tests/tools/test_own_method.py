"""The method of the plugin guide, one file beside its config, does all that those of the toolkit do."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from toolkit import apis
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.launch import build_runner, load_config
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.video.io import VideoReader
from toolkit.weights import latest_checkpoint

ROOT = Path(__file__).resolve().parents[2]
GUIDE = re.findall(r'```python\n(.*?)```', (ROOT / 'docs' / 'plugins.md').read_text(), re.S)
METHOD = next(block for block in GUIDE if 'class PlainPix2Pix' in block)
MINE = next(block for block in GUIDE if "type='PlainPix2Pix'" in block)
CONFIG = '''
_base_ = 'mine.py'
data = dict(root={root!r}, synthetic=None)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(split=None))
test_dataloader = dict(dataset=dict(split=None))
train_cfg = dict(max_iters=4)
custom_hooks = [dict(type='GenerateHook', interval=4, max_frames=2, clips=[0])]
default_hooks = dict(checkpoint=dict(interval=2))
model = dict(generator=dict(ngf=4, n_blocks=1), discriminator=dict(ndf=4, n_layers=1))
test_evaluator = [dict(type='PSNR'), dict(type='L1')]
'''


@pytest.fixture(scope='module')
def folder(clips, tmp_path_factory):
    """A folder with the method, its config and its run of four iterations."""
    folder = tmp_path_factory.mktemp('own')
    (folder / 'plain_pix2pix.py').write_text(METHOD)
    (folder / 'mine.py').write_text(MINE)
    (folder / 'config.py').write_text(CONFIG.format(root=str(clips[0].folder.parent)))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop('plain_pix2pix', None)
    MODELS.module_dict.pop('PlainPix2Pix', None)


@pytest.fixture(scope='module')
def run(folder):
    """The work dir of a run that was not interrupted."""
    build_runner(load_config(folder / 'config.py'), folder / 'run').train()
    return folder / 'run'


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_it_trains_is_looked_at_and_resumes_exactly(folder, run):
    assert list((run / 'vis').glob('0000004_*.mp4')) and 'g/l1' in next(run.glob('**/scalars.json*')).read_text()
    build_runner(load_config(folder / 'config.py', ['train_cfg.max_iters=2']), folder / 'half').train()
    build_runner(load_config(folder / 'config.py'), folder / 'half', resume=True).train()
    whole, resumed = weights(latest_checkpoint(run)), weights(folder / 'half' / 'iter_0000004.pth')
    assert all(torch.equal(whole[key], resumed[key]) for key in whole) and whole


def test_it_is_tested_beside_the_baselines(folder, run, load_tool, capsys):
    out = folder / 'out.json'
    with pytest.raises(SystemExit) as stop:
        load_tool('test').main([str(folder / 'config.py'), str(run), '--baselines', '--out', str(out), '--device', 'cpu'])
    assert stop.value.code == 0, capsys.readouterr().err
    content = json.loads(out.read_text())
    assert set(content['baselines']) == {'CopyContent', 'PasteParts', 'NearestFrame'}
    assert content['about']['iteration'] == 4 and content['metrics']


def test_it_generates(clips, folder, run, load_tool, capsys):
    with pytest.raises(SystemExit) as stop:
        load_tool('generate').main([str(run), '--driving', str(clips[0].folder), '--out', str(folder / 'out.mp4'), '--max-frames', '3',
                                    '--device', 'cpu', '--side-by-side', '--allow-import', 'plain_pix2pix'])
    assert stop.value.code == 0, capsys.readouterr().err
    frames = [frame for frame, _ in VideoReader(folder / 'out.mp4')]
    assert len(frames) == 3 and frames[0].shape == (96, 3 * 64, 3)
    trained = apis.load(run, 'cpu', allow_imports=['plain_pix2pix'])
    whole = trained.model.test_step(default_collate([ClipWindows(clips[0].folder, window=None)[0]]))[0]['generated']
    chosen = apis.choose(trained, apis.Request(clips[0].folder), folder, False)
    np.testing.assert_array_equal(np.concatenate(list(apis.paint(trained, chosen))), whole)


@pytest.mark.parametrize('wish, words', [
    (dict(content=True), 'PlainPix2Pix takes no content person'), (dict(retarget='on'), 'PlainPix2Pix takes no content person'),
    (dict(direction='ba'), 'PlainPix2Pix has no direction'), (dict(colors=apis.Colors(up='#c03030')), 'no color codes')])
def test_what_it_does_not_take_is_refused(clips, folder, run, wish, words):
    trained = apis.load(run, 'cpu', allow_imports=['plain_pix2pix'])
    content = clips[1].folder if wish.pop('content', None) else None
    with pytest.raises(InputError, match=words):
        apis.generate(trained, content, clips[0].folder, folder / 'refused.mp4', progress=False, **wish)


def test_its_flops_are_counted(folder, load_tool, capsys):
    with pytest.raises(SystemExit) as stop:
        load_tool('get_flops').main([str(folder / 'config.py'), '--size', '96x64'])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and 'net_g' in text and 'net_d' in text and 'ResNetGenerator' in text
