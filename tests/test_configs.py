"""Every config, made tiny, trains, saves, loads and generates."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn
from torch.utils.data import default_collate

from toolkit import apis
from toolkit.engine import launch
from toolkit.engine.datasets import give_fields
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.needs import _name
from toolkit.registry import DATASETS, POSE_ESTIMATORS
from toolkit.synthetic.actions import SyntheticActions
from toolkit.weights import latest_checkpoint

ROOT = Path(__file__).resolve().parent.parent
NO_METHODS = {'_base_', 'benchmarks'}
CONFIGS = sorted(p.relative_to(ROOT / 'configs') for p in (ROOT / 'configs').rglob('*.py') if not NO_METHODS & set(p.parts))
SIZE = dict(height=64, width=64)


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    """Four tiny prepared clips: two persons, two actions each."""
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(**SIZE, actors=13, actions=16, frames=6).write(root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    return root


@POSE_ESTIMATORS.register_module()
class TinyPoseOfConfigs(nn.Module):
    """Random maps in the form of a pose network, so that no weights are needed."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(3, 56, 8, stride=8).requires_grad_(False)

    def heatmaps(self, images):
        return self.maps(images).split([18, 38], 1)


def shrink_data(dataset: dict, clips: Path) -> None:
    """Point a dataset to the tiny clips."""
    if 'a' in dataset:
        for key, person in (('a', 'actor_00'), ('b', 'actor_01')):
            dataset.pop(key)
            dataset[key] = dict(root=str(clips), persons=[person])
        dataset.size = (64, 64)
        if 'sequence' in dataset:
            dataset.sequence = 2
        return
    for member in dataset.get('datasets', {}).values():
        shrink_data(member, clips)
    if 'datasets' in dataset:
        return
    for key in ('synthetic', 'split_rule', 'persons', 'actions', 'frames', 'exclude', 'size', 'pixels'):
        dataset.pop(key, None)
    dataset.root = str(clips)
    if dataset.get('references') and dataset.get('window') is None:
        dataset.update(split=None, actions=['wave_right'])
        dataset.references.pool = dict(actions=['wave_both'])
    elif dataset.get('references'):
        dataset.references.gap = (0, 1)


@pytest.fixture(scope='module')
def earlier(clips, tmp_path_factory) -> Callable[[str], Path]:
    """Name of a config -> work dir of its tiny run, for configs that build on what another one trained."""

    @cache
    def run(name: str) -> Path:
        cfg, folder = load_config(next((ROOT / 'configs').rglob(f'{name}.py'))), tmp_path_factory.mktemp(name)
        shrink(cfg, clips, run)
        build_runner(cfg, folder).train()
        return folder

    return run


def shrink(cfg: Config, clips: Path, earlier: Callable[[str], Path] | None) -> None:
    """Make a config's data, networks and schedule tiny, whatever they are; work dirs it builds on become those of tiny runs.

    With ``earlier=None`` what it builds on stays as it is.
    """
    for hook in cfg.get('custom_hooks', []):
        if hook.type == 'GenerateHook':
            hook.update(interval=2, max_frames=2, clips=[0])
    for loader in (cfg[key] for key in ('train_dataloader', 'val_dataloader', 'test_dataloader') if key in cfg):
        shrink_data(loader.dataset, clips)
        loader.update(num_workers=0, persistent_workers=False, batch_size=min(loader.get('batch_size', 1), 4))
    values = dict(ngf=8, ndf=8, n_down=2, n_blocks=1, n_local_blocks=1, num_scales=2, network='off', pooling='adaptive',
                  pose_network=dict(type='TinyPoseOfConfigs'), min_side=None, stage=None)

    if earlier is None:
        values.pop('pose_network')

    def visit(node):
        for key, value in node.items():
            if key in values and not (key == 'network' and isinstance(value, dict)):
                node[key] = values[key]
            elif isinstance(value, dict):
                visit(value)
            elif earlier and isinstance(value, str) and value.startswith('work_dirs/'):
                node[key] = str(earlier(Path(value).name))

    visit(cfg.model)
    cfg.train_cfg.max_iters, cfg.load_from = 2, None
    cfg.default_hooks.checkpoint.interval = 2


def fetching(node):
    """Types of the parts of a config that may fetch weights."""
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        yield from fetching(value)
    if isinstance(node, dict) and node.get('download'):
        yield node['type']


def test_the_demo_fetches_nothing():
    demo = [name for name in CONFIGS if name.parts[0] == 'demo']
    assert len(demo) > 4 and not [name for name in demo if list(fetching(load_config(ROOT / 'configs' / name).to_dict()))]
    assert list(fetching(load_config('own/video').to_dict())) == ['PerceptualLoss']


def test_the_guide_names_what_fetches():
    said, = re.findall(r'## What training fetches(.*?)\n## ', (ROOT / 'docs' / 'training.md').read_text(), re.S)
    loaded = {name.with_suffix('').as_posix(): load_config(ROOT / 'configs' / name) for name in CONFIGS}
    fetch = {name for name, cfg in loaded.items() if list(fetching(cfg.model.to_dict()))}
    named = {name for name in re.findall(r'`([\w/]+)`', said) if (ROOT / 'configs' / f'{name}.py').is_file()}
    grouped = {name for name in fetch if name.startswith(('stage2_', 'ablations/', 'baselines/'))}
    assert {'own/student', 'pretrain_textured'} < named == fetch - grouped


def test_there_are_configs():
    assert Path('stage2_pix2pixhd.py') in CONFIGS
    assert len(CONFIGS) >= 10


@pytest.mark.parametrize('name', CONFIGS, ids=str)
def test_config_trains_saves_loads_and_generates(name, clips, earlier, tmp_path):
    cfg = load_config(ROOT / 'configs' / name)
    shrink(cfg, clips, earlier)
    build_runner(cfg, tmp_path / 'run').train()
    file, = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    assert file.read_text().splitlines()

    trained = apis.load(latest_checkpoint(tmp_path / 'run'), device='cpu')
    assert trained.config.model.type == cfg.model.type
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    give_fields(trained.model, dataset)
    item = default_collate([dataset[0]])
    with torch.no_grad():
        result = trained.model.test_step(item)[0]
    assert result['generated'].shape == result['real'].shape == (6, 64, 64, 3)
    generate(trained, sorted(p for p in clips.iterdir() if p.is_dir()), tmp_path / 'out.mp4')


def generate(trained: apis.Trained, folders: list[Path], out: Path) -> None:
    """Generate from a content clip and another person's poses, or from another person's video, or be told why not."""
    model = trained.model
    given = dict(content=folders[0]) if 'content' in model.opens_with else dict(content=None)
    given |= dict(direction='ba') if 'direction' in model.opens_with else {}
    try:
        model.check_generates()
    except apis.InputError as error:
        with pytest.raises(apis.InputError, match=re.escape(str(error))):
            apis.generate(trained, driving=folders[3], out=out, progress=False, **given)
        assert not model.paints_from or 'edge_channel' in str(error)
        return
    apis.generate(trained, driving=folders[3], out=out, max_frames=2, side_by_side=True, progress=False, **given)
    assert out.stat().st_size > 500


def needed(cfg: Config) -> list[str]:
    """Where the model of a config builds on a run of another config, or on published weights of a pose network."""
    found = []

    def visit(node, where):
        for key, value in node.items():
            if isinstance(value, dict):
                visit(value, f'{where}.{key}')
                if key == 'pose_network' and value['type'] != 'TrainedPoseNetwork':
                    found.append(f'{where}.{key}')
            elif isinstance(value, str) and value.startswith('work_dirs/'):
                found.append(f'{where}.{key}')

    visit(cfg.model, 'model')
    return sorted(found)


def test_what_configs_build_on_can_be_made():
    for name in CONFIGS:
        cfg = load_config(ROOT / 'configs' / name)
        needs = [need for need in cfg.get('needs', {}).values() if need['part'] in needed(cfg)]
        assert sorted(need['part'] for need in needs) == needed(cfg), name
        assert all(Path(need['config']).is_file() for need in needs), name


BUILDING_ON = [name for name in CONFIGS if '\nneeds = ' in (ROOT / 'configs' / name).read_text()]


def test_a_stand_in_learns_from_frames_of_the_size_that_it_will_see():
    for name in BUILDING_ON:
        cfg = load_config(ROOT / 'configs' / name)
        for need in (need for need in cfg.needs.values() if 'shared' in need):
            made = load_config(need['config'])
            _name(made, cfg, Path(need['config']), need['shared'])
            assert made.train_dataloader.dataset.size == cfg.train_dataloader.dataset.size, name


@pytest.fixture(scope='module')
def fresh(tmp_path_factory) -> Path:
    """An empty folder to start in; what one config made there the next one finds."""
    return tmp_path_factory.mktemp('fresh')


@pytest.mark.parametrize('name', BUILDING_ON, ids=str)
def test_config_starts_on_a_fresh_machine(name, clips, fresh, monkeypatch, capsys):
    """No weights, no earlier runs: what is missing is made first."""
    monkeypatch.chdir(fresh)
    monkeypatch.setenv('TOOLKIT_WEIGHTS', '')
    monkeypatch.setenv('HOME', str(fresh))

    def tiny(path):
        cfg = load_config(path)
        shrink(cfg, clips, None)
        return cfg

    monkeypatch.setattr(launch, 'load_config', tiny)
    cfg = tiny(ROOT / 'configs' / name)
    there = set(fresh.glob('work_dirs/[!.]*'))
    build_runner(cfg, fresh / 'run' / name.stem).train()
    assert latest_checkpoint(fresh / 'run' / name.stem).name == 'iter_0000002.pth'
    made = set(fresh.glob('work_dirs/[!.]*')) - there
    assert all(latest_checkpoint(path).name == 'iter_0000002.pth' for path in made)
    said = capsys.readouterr()
    assert all('it is trained first, once' in said.out and f'kept in work_dirs/{path.name}' in said.out and f'{path.name}: ' in said.err
               for path in made)
