"""What docs/python.md shows runs as it is written."""

import re
from pathlib import Path

import pytest

from tests.stick_people import StubMask, StubPose, draw_person, write_frames
from toolkit import apis
from toolkit.engine.launch import load_config
from toolkit.inference import clips
from toolkit.preparing import parts
from toolkit.registry import POSE_ESTIMATORS, SEGMENTORS
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = re.findall(r'```python\n(.*?)```', (ROOT / 'docs' / 'python.md').read_text(), re.S)


def test_python_in_five_lines(tmp_path, monkeypatch, capsys):
    """Every snippet runs in its order, as it is written; trainings are made short, and poses and masks are stubs."""
    monkeypatch.chdir(tmp_path)
    made = clips.prepare
    for module in (apis, clips):
        monkeypatch.setattr(module, 'prepare', lambda video, out, size=None, **given: made(
            video, out, (96, 64) if size in (None, (384, 256)) else size, **given))
    monkeypatch.setenv('TOOLKIT_WEIGHTS', '')
    monkeypatch.setitem(POSE_ESTIMATORS._module_dict, 'StubPose', StubPose)
    monkeypatch.setitem(SEGMENTORS._module_dict, 'StubMask', StubMask)
    monkeypatch.setattr(parts, 'default_pose', lambda: dict(type='StubPose'))
    monkeypatch.setattr(parts, 'default_mask', lambda: dict(type='StubMask'))
    for name, start, frames in (('me', 20, 24), ('dancer', 24, 4)):
        write_frames(tmp_path / f'{name}.mp4', [draw_person(96, 64, start + t / 2, 14, 18) for t in range(frames)])
    taught = ['train_cfg.max_iters=2', 'model.losses.perceptual.weight=0', 'custom_hooks=[]', 'data.pixels=6144',
              'param_scheduler.begin=1', 'param_scheduler.end=2']
    short = [*taught, 'train_cfg.val_interval=2', 'val_evaluator=[{"type": "SSIM"}]', 'default_hooks.checkpoint.patience=None']
    student = [*taught, 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']
    small = ['train_cfg.max_iters=2', 'model.losses.perceptual.weight=0', 'model.generator.ngf=4', 'model.discriminator.ndf=4',
             'custom_hooks=[]']
    monkeypatch.setattr(apis, 'load_config', lambda config, options: load_config(
        config, [*options, *(short if 'finetune' in str(config) else student if 'student' in str(config) else small)]))
    for code in SNIPPETS:
        assert len(code.splitlines()) <= 5
        exec(compile(code, 'docs/python.md', 'exec'), {})
    said = capsys.readouterr().out
    assert '24 frames of' in said and said.count(' 3) uint8') == 24
    assert {p.name for p in tmp_path.glob('*.mp4')} == {
        'me.mp4', 'dancer.mp4', 'result.mp4', 'blue.mp4', 'dancing_in_red.mp4', 'better.mp4', 'trained.mp4'}
    with pytest.raises(InputError, match='dress needs a color'):
        apis.dress('me.mp4', 'none.mp4')
