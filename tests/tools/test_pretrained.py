"""The generator that comes with the toolkit: it generates without a checkpoint, and fine-tuning starts from it."""

import json
from pathlib import Path

import av
import pytest
import torch

from toolkit import apis
from toolkit.packaged import PRETRAINED, find_packaged
from toolkit.synthetic.actions import SyntheticActions
from toolkit.weights import read_checkpoint

SIZE = dict(height=64, width=48, frames=12)
README = find_packaged(PRETRAINED).parent / 'README.md'


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> list[Path]:
    """Two actions of one person, one of another."""
    root, people = tmp_path_factory.mktemp('clips'), SyntheticActions(**SIZE)
    return [people.write(root / name, actors=[actor], actions=[action], num_workers=1, progress=False)[0]
            for name, actor, action in (('me', 0, 'clap'), ('me', 0, 'squat'), ('dancer', 1, 'kick'))]


def test_the_file_is_small_and_says_where_it_is_from():
    path = find_packaged(PRETRAINED)
    meta = read_checkpoint(path)['meta']
    assert path.stat().st_size <= 16 * 2**20
    assert meta['exported'] and meta['config']['model']['generator']['type'] == 'BlendGenerator'
    assert '/tmp' not in json.dumps(meta) and '/work' not in json.dumps(meta)
    text = README.read_text()
    assert path.name in text and str(meta['iter']) in text.replace(',', '') and meta['sha256'][:8] in text


def test_it_generates_without_a_checkpoint_and_says_what_is_better(clips, load_tool, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        load_tool('generate').main(['--content', str(clips[0]), '--driving', str(clips[2]), '--out', str(tmp_path / 'a.mp4'),
                                    '--max-frames', '3'])
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    assert f'finetune.py --data {clips[0]} --work-dir' in said.out
    with av.open(str(tmp_path / 'a.mp4')) as video:
        frames = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape == (64, 48, 3)


@pytest.mark.parametrize('content, typed', [
    ('me.mp4', 'me.mp4'), ("it's me.mp4", "'it'\"'\"'s me.mp4'"), ('$HOME.mov', "'$HOME.mov'"), ('me.JPG', 'me.mp4')])
def test_what_it_says_to_type_can_be_typed(load_tool, content, typed):
    assert load_tool('generate').footage(content) == typed


def test_fine_tuning_starts_from_it_and_keeps_the_best(clips, tmp_path, monkeypatch):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', '')
    monkeypatch.setattr(apis.VideoBatch, '__init__', lambda self, videos, out, person: None)
    monkeypatch.setattr(apis.VideoBatch, 'run', lambda self: 0)
    options = ['train_cfg.val_interval=1', 'default_hooks.checkpoint.patience=None', 'val_evaluator=[{"type": "SSIM"}]',
               'model.losses.perceptual.weight=0']
    best = apis.finetune(['me.mp4'], tmp_path / 'run', clips[0].parent, 2, cfg_options=options)
    assert best.name.startswith('best_ssim_full_iter_') and (tmp_path / 'run' / 'iter_0000002.pth').exists()
    before, after = (torch.cat([value.float().flatten() for key, value in sorted(read_checkpoint(path)['state_dict'].items())
                                if key.startswith('net_g.')]) for path in (find_packaged(PRETRAINED), tmp_path / 'run'))
    assert 0 < (before - after).abs().max() < .01, 'two small steps away from what it started from'
    sheets = list((tmp_path / 'run' / 'vis').rglob('*.png'))
    assert sorted({path.name[:7] for path in sheets}) == ['0000000', '0000002']
    apis.generate(best, clips[0], clips[2], tmp_path / 'b.mp4', max_frames=2, progress=False)
    assert (tmp_path / 'b.mp4').stat().st_size > 500
