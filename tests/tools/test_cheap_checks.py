"""What is wrong with a command is said before anything is rendered, decoded or trained."""

import pytest
import torch

from toolkit.clips.clip import Clip
from toolkit.engine.launch import load_config
from toolkit.losses import perceptual_backbones
from toolkit.registry import MODELS
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoReader


@pytest.fixture
def run(load_tool, monkeypatch, capsys, tmp_path):
    """Call a tool in an empty folder where rendering, decoding and opening a clip are refused; exit code and standard error."""

    def refuse(*args, **kwargs):
        raise AssertionError('the work began before the check')

    for owner, name in ((SyntheticActions, 'write'), (VideoReader, '__init__'), (Clip, '__init__')):
        monkeypatch.setattr(owner, name, refuse)
    monkeypatch.chdir(tmp_path)

    def call(tool, *arguments):
        with pytest.raises(SystemExit) as stop:
            load_tool(tool).main([*map(str, arguments)])
        return stop.value.code, capsys.readouterr().err

    return call


@pytest.fixture
def config(tmp_path):
    """Config of a tiny stage II on synthetic clips that are not there yet."""
    loader = "dict(batch_size=1, dataset=dict(type='ClipWindows', root='clips', window={}, synthetic=dict(height=64, width=64)))"
    path = tmp_path / 'config.py'
    path.write_text(
        "model = dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),\n"
        "    discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')))\n"
        f"train_dataloader = {loader.format(2)}\ntest_dataloader = {loader.format(None)}\n"
        "optim_wrapper = dict(g=dict(networks=['net_g'], optimizer=dict(type='Adam', lr=1e-4)),\n"
        "    d=dict(networks=['net_d'], optimizer=dict(type='Adam', lr=1e-4)))\ntrain_cfg = dict(type='IterLoop', max_iters=2)\n"
        "test_evaluator = [dict(type='PSNR'), dict(type='LPIPS')]\n")
    return path


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return print, ('run',)


@pytest.fixture
def checkpoint(config, tmp_path):
    """A checkpoint of that config: its weights alone, and the config."""
    cfg = load_config(config)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta=dict(config=cfg.to_dict())), tmp_path / 'good.pth')
    return 'good.pth'


@pytest.mark.parametrize('arguments, message', [
    (['evil.pth'], 'it holds more than plain data'),
    (['other.pth'], 'does not fit'),
    (['missing.pth'], 'does not exist'),
    ([], 'name a checkpoint'),
    (['other.pth', '--clips', '0'], 'number of clips must be at least 1'),
    (['other.pth', '--max-frames', '1'], 'number of frames must be at least 2'),
    (['other.pth', '--out', '.'], 'is a folder'),
    (['other.pth', '--out', 'config.py/results.json'], 'is a file, not a folder'),
    (['other.pth', '--save-videos', 'config.py'], 'is a file, not a folder'),
    (['other.pth', '--metrics', 'LPIPSS'], "Did you mean 'LPIPS'"),
])
def test_test(run, config, tmp_path, arguments, message):
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=Evil()), tmp_path / 'evil.pth')
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), tmp_path / 'other.pth')
    code, error = run('test', config, *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize('arguments, message', [
    (['--resume', 'missing.pth'], 'checkpoint missing.pth does not exist'),
    (['--resume', 'good.pth'], 'it holds weights but no training state'),
    (['--resume', 'evil.pth'], 'it holds more than plain data'),
    (['--cfg-options', 'load_from=missing.pth'], 'checkpoint missing.pth does not exist'),
    (['--cfg-options', 'load_from=other.pth'], 'does not fit'),
    (['--cfg-options', 'optim_wrapper.g.networks=["net_h"]'], 'optim_wrapper.g.networks'),
    (['--work-dir', 'config.py/run'], 'config.py'),
])
def test_train(run, config, checkpoint, tmp_path, arguments, message):
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=Evil()), tmp_path / 'evil.pth')
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), tmp_path / 'other.pth')
    code, error = run('train', config, *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize('arguments, message', [
    (['missing.pth', '--content', 'me.jpg'], 'missing.pth does not exist'),
    (['good.pth', '--content', 'you.jpg'], 'you.jpg: no such file'),
    (['good.pth'], 'say who is to be generated'),
    (['good.pth', '--content', 'me.jpg', '--out', 'result.avi'], 'not as'),
    (['good.pth', '--content', 'me.jpg', '--out', 'config.py/result.mp4'], 'is a file, not a folder'),
    (['good.pth', '--content', 'me.jpg', '--up-color', '#c03030'], 'no color codes'),
    (['good.pth', '--content', 'me.jpg', '--max-frames', '0'], 'at least 1'),
])
def test_generate(run, checkpoint, tmp_path, arguments, message):
    for name in ('me.jpg', 'dance.mp4'):
        (tmp_path / name).write_bytes(b'anything')
    code, error = run('generate', '--driving', 'dance.mp4', '--out', 'result.mp4', *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize('arguments, message', [
    (['good.pth', '--out', 'latent'], 'without color codes'),
    (['missing.pth', '--out', 'latent'], 'missing.pth does not exist'),
    (['good.pth', '--out', 'config.py'], 'is a file, not a folder'),
])
def test_visualize_latent(run, checkpoint, arguments, message):
    code, error = run('visualize_latent', *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize('arguments, message', [
    (['--out', 'config.py/sheet.png'], 'is a file, not a folder'),
    (['--out', 'sheet.png', '--items', '0'], 'items must be at least 1'),
    (['--out', 'sheet.png', '--dataloader', 'val_dataloader'], 'has no val_dataloader'),
])
def test_browse_dataset(run, config, arguments, message):
    code, error = run('browse_dataset', config, *arguments)
    assert code == 2 and message in error


@pytest.mark.parametrize('arguments, message', [
    (['good.mp4', 'missing.mp4', '--out', 'clips'], 'missing.mp4: no such file'),
    (['good.mp4', '--out', 'good.mp4/clips'], 'good.mp4'),
    (['good.mp4', '--out', 'clips', '--pose', 'OpenPoseMobile', 'weights=nowhere.safetensors'], 'nowhere.safetensors not found'),
    (['good.mp4', '--out', 'clips', '--pose', 'OpenPoseMobile', 'weights=None', '--mask', 'PoseGrabCutt'],
     "Did you mean 'PoseGrabCut'"),
])
def test_prepare_data(run, tmp_path, arguments, message):
    (tmp_path / 'good.mp4').write_bytes(b'anything')
    code, error = run('prepare_data', *arguments)
    assert code == 2 and message in error


def test_get_flops_fetches_nothing(load_tool, config, monkeypatch, tmp_path, capsys):
    def fetch():
        raise AssertionError('weights are fetched')

    monkeypatch.setattr(perceptual_backbones, '_download_vgg19', fetch)
    for variable in ('TOOLKIT_WEIGHTS', 'HOME', 'TORCH_HOME'):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config.write_text(config.read_text().replace('losses=dict(', "losses=dict(seen=dict(type='PerceptualLoss', download=True), "))
    with pytest.raises(SystemExit) as stop:
        load_tool('get_flops').main([str(config), '--size', '32x32'])
    assert stop.value.code == 0 and 'net_g' in capsys.readouterr().out


def test_get_flops(run, config):
    code, error = run('get_flops', config, '--size', '5x64')
    assert code == 2 and '--size must be at least 16x16, got 5x64' in error
    code, error = run('get_flops', config, '--cfg-options', 'model.generator.ngf=-4')
    assert code == 2 and error.startswith('error: model.generator: the generator GlobalGenerator cannot be built with ngf=-4')
