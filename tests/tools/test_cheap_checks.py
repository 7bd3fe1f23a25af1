"""What is wrong with a command is said before anything is rendered, decoded or trained."""

import pytest
import torch

from toolkit.data.clip import Clip
from toolkit.data.synthetic.actions import SyntheticActions
from toolkit.data.video import VideoReader


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
        "    discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='TemporalGANLoss')))\n"
        f"train_dataloader = {loader.format(2)}\ntest_dataloader = {loader.format(None)}\n"
        "test_evaluator = [dict(type='PSNR'), dict(type='LPIPS')]\n")
    return path


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return print, ('run',)


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
