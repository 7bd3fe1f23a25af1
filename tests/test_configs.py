"""Every config, made tiny, trains, saves, loads and generates."""

from pathlib import Path

import pytest
from mmengine.config import Config

from toolkit import apis
from toolkit.data.synthetic.actions import SyntheticActions
from toolkit.engine.checkpoint import latest_checkpoint
from toolkit.engine.launch import build_runner, load_config

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(p.relative_to(ROOT / 'configs') for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
SIZE = dict(height=64, width=64)


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    """Four tiny prepared clips: two persons, two actions each."""
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(**SIZE, actors=13, actions=16, frames=5).write(root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    return root


def shrink(cfg: Config, clips: Path) -> None:
    """Make a config's data, networks and schedule tiny, whatever they are."""
    hooks = cfg.get('custom_hooks', [])
    for hook in hooks:
        hook.update(interval=2, max_frames=2, clips=[0])
    for loader in (cfg.train_dataloader, cfg.test_dataloader, *hooks):
        dataset = loader.dataset
        for key in ('synthetic', 'split_rule', 'persons', 'actions', 'frames', 'exclude', 'size'):
            dataset.pop(key, None)
        dataset.root = str(clips)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    values = dict(ngf=8, ndf=8, n_down=2, n_blocks=1, n_local_blocks=1, num_scales=2, network='off', pooling='adaptive')

    def visit(node):
        for key, value in node.items():
            if key in values:
                node[key] = values[key]
            elif isinstance(value, dict):
                visit(value)

    visit(cfg.model)
    cfg.train_cfg.max_iters = 2
    cfg.default_hooks.checkpoint.interval = 2


def test_there_are_configs():
    assert Path('stage2_pix2pixhd.py') in CONFIGS
    assert len(CONFIGS) >= 10


@pytest.mark.parametrize('name', CONFIGS, ids=str)
def test_config_trains_saves_loads_and_generates(name, clips, tmp_path):
    cfg = load_config(ROOT / 'configs' / name)
    shrink(cfg, clips)
    build_runner(cfg, tmp_path / 'run').train()
    lines = (tmp_path / 'run' / 'scalars.jsonl').read_text().splitlines()
    assert lines

    trained = apis.load(latest_checkpoint(tmp_path / 'run'), device='cpu')
    assert trained.config.model.type == cfg.model.type
    content, driving = (sorted(p for p in clips.iterdir() if p.is_dir())[i] for i in (0, 3))
    if trained.model.feature_maps.needs_target_frames:
        with pytest.raises(apis.InputError, match='edge_channel'):
            apis.generate(trained, content, driving, tmp_path / 'out.mp4', progress=False)
    else:
        out = apis.generate(trained, content, driving, tmp_path / 'out.mp4', max_frames=2, side_by_side=True, progress=False)
        assert out.stat().st_size > 500
