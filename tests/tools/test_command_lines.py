"""Tools as a user meets them: quick help, clear errors with an exit code, results on standard output."""

import runpy
from pathlib import Path

import pytest

from toolkit.cli import Interrupted, main_guard
from toolkit.structures import InputError, MissingWeightsError

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ('train', 'print_config', 'get_flops', 'list_parts')
CONFIG = ROOT / 'tests' / 'engine' / 'toy' / 'toy_config.py'


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a tool in this process: (exit code, standard output, standard error)."""
    monkeypatch.syspath_prepend(str(CONFIG.parent))

    def go(tool, *arguments):
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'))['main']([str(a) for a in arguments])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return go


@pytest.mark.parametrize('tool', TOOLS)
def test_help(run, tool):
    code, out, _ = run(tool, '--help')
    assert code == 0 and 'usage:' in out


@pytest.mark.parametrize('tool', ['train', 'print_config', 'get_flops'])
def test_a_missing_config_is_one_line(run, tool):
    code, _, error = run(tool, 'configs/nothing_here.py')
    assert code == 2 and error.count('\n') == 1 and error.startswith('error: config configs/nothing_here.py does not exist')


def test_print_config_prints_what_loads_again(run, tmp_path):
    code, out, _ = run('print_config', CONFIG, '--cfg-options', 'model.width=11')
    assert code == 0 and 'width=11' in out
    (tmp_path / 'again.py').write_text(out)
    assert run('print_config', tmp_path / 'again.py')[1] == out


def test_list_parts_filters(run):
    code, out, _ = run('list_parts', 'GENERATORS')
    assert code == 0 and 'GlobalGenerator' in out and 'CheckpointHook' not in out and 'plugins: ' in out
    assert 'GENERATORS: nn.Module, built with input_nc' in out
    code, out, _ = run('list_parts', 'GlobalGenerator')
    assert code == 0 and 'GlobalGenerator' in out and 'built with input_nc' not in out


def test_get_flops_of_the_toy_counts_exactly(run, monkeypatch):
    from toolkit.engine import flops
    from toolkit.registry import MODELS
    run('print_config', CONFIG)
    import torch
    monkeypatch.setattr(MODELS.get('ToyGAN'), 'example_batch', lambda self, *a: dict(x=torch.zeros(1, 4), real=torch.zeros(1, 4)))
    code, out, _ = run('get_flops', CONFIG)
    assert code == 0 and 'net_g_ema' in out
    from toolkit.engine.config import load_config
    cfg = load_config(CONFIG)
    rows = {row.name: row for row in flops.count_flops(MODELS.build(cfg.model), cfg.optim_wrapper, 8, 8)}
    assert rows['net_g'].macs == 6 * 8 + 8 * 4 and rows['net_g'].parameters == 6 * 8 + 8 + 8 * 4 + 4 and rows['net_g'].calls == 1
    assert rows['net_d'].macs == 4 * 8 + 8 and rows['net_d'].calls == 3 and rows['net_g_ema'].macs is None


@pytest.mark.parametrize('error, code, words', [
    (InputError('bad frame 3'), 2, 'error: bad frame 3'), (MissingWeightsError('no vgg'), 2, 'error: no vgg'),
    (KeyboardInterrupt(), 130, 'interrupted'), (Interrupted('saved x'), 130, 'saved x'), (None, 0, ''),
])
def test_main_guard(capsys, error, code, words):
    @main_guard
    def main():
        if error:
            raise error

    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code and capsys.readouterr().err.strip() == words


def test_bugs_keep_their_traceback():
    @main_guard
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def write_checkpoint(folder, ngf=4):
    import torch

    from toolkit.registry import MODELS
    model = dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=ngf, n_down=2, n_blocks=1),
                 discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1),
                 losses=dict(gan=dict(type='GANLoss')))
    torch.save(dict(state_dict=MODELS.build(model).state_dict(), meta=dict(config=dict(model=model))), folder / 'iter_0000001.pth')


def test_publish_tells_the_size_in_millions_of_bytes(run, tmp_path):
    write_checkpoint(tmp_path, ngf=32)
    _, out, _ = run('publish_model', tmp_path, '--out', tmp_path / 'a.safetensors', '--dtype', 'float32')
    size = (tmp_path / 'a.safetensors').stat().st_size
    told = f'{size / 10**6:.1f} MB'
    assert f', {told}, sha256' in out and told != f'{size / 2**20:.1f} MB'


def test_publish_writes_a_small_checkpoint(run, tmp_path):
    write_checkpoint(tmp_path)
    code, out, _ = run('publish_model', tmp_path, '--out', tmp_path / 'small.safetensors')
    assert code == 0 and out.startswith(f'written to {tmp_path}/small.safetensors, 0.')
    code, _, error = run('publish_model', tmp_path, '--out', tmp_path / 'small.safetensors')
    assert code == 2 and error.startswith('error: ') and 'exists already' in error


def test_publish_takes_a_checkpoint_with_a_module_of_ones_own(run, tmp_path, monkeypatch):
    import torch
    write_checkpoint(tmp_path)
    content = torch.load(tmp_path / 'iter_0000001.pth')
    content['meta']['config']['custom_imports'] = dict(imports=['parts_beside_a_checkpoint'])
    torch.save(content, tmp_path / 'iter_0000001.pth')
    (tmp_path / 'parts_beside_a_checkpoint.py').write_text('')
    monkeypatch.chdir(tmp_path)
    command = 'publish_model', tmp_path, '--out', tmp_path / 'small.safetensors'
    code, _, error = run(*command)
    assert code == 2 and 'say --allow-import parts_beside_a_checkpoint' in error
    code, _, error = run(*command, '--allow-import', 'parts_beside_a_checkpoint')
    assert code == 0, error
    code, _, error = run('publish_model', 'cyclegan', '--out', tmp_path / 'a.safetensors', '--allow-import', 'any')
    assert code == 2 and '--allow-import is for a checkpoint; cyclegan is a config' in error
