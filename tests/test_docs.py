"""What docs/plugins.md shows runs as it is written."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.models import test_video_pix2pixhd as video
from toolkit.engine.launch import load_config
from toolkit.registry import LOSSES, MODELS

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
        logs = model.train_step(video.batch_of(model), video.optimisers(model))
    finally:
        LOSSES._module_dict.pop(kind, None)
    assert set(logs) == {'g/gan', 'g/fm', f'g/{name}', 'd/fake', 'd/real'} and 0 < logs[f'g/{name}'] < 30
