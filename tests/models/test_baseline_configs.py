"""Baselines' configs, made tiny: the cost of each is counted, and a run that was stopped goes on as if it had not been."""

from pathlib import Path

import pytest
import torch

from tests.test_configs import clips, shrink  # noqa: F401
from toolkit.engine.flops import count_flops
from toolkit.engine.launch import build_runner, load_config
from toolkit.registry import MODELS

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'baselines'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))
CONFIGS = {name: load_config(FOLDER / f'{name}.py') for name in NAMES}
METHODS = {cfg.model.type: name for name, cfg in CONFIGS.items() if not cfg.get('needs')}


def tiny(name, clips):  # noqa: F811
    cfg = load_config(FOLDER / f'{name}.py')
    shrink(cfg, clips, lambda other: pytest.fail(f'{name} builds on {other}'))
    return cfg


@pytest.mark.parametrize('name', sorted(METHODS.values()))
def test_cost_is_counted(name, clips):  # noqa: F811
    cfg = tiny(name, clips)
    rows = count_flops(MODELS.build(cfg.model.to_dict()), cfg.optim_wrapper.to_dict(), 64, 64)
    called = {row.name for row in rows if row.calls}
    assert called and all(row.macs for row in rows if row.calls)
    of_other_stages = {'net_g_coarse', 'net_g_face', 'net_d_face', 'net_m', 'net_c'}
    assert {row.name for row in rows if row.name.startswith('net_')} - called <= of_other_stages


@pytest.mark.parametrize('name', ['deformable_gan', 'everybody_dance_now', 'cvae_gan', 'pg2'])  # dropout, stages, noise, an added field
def test_it_resumes_exactly(name, clips, tmp_path):  # noqa: F811
    def run(folder, iterations, resume=False):
        cfg = tiny(name, clips)
        cfg.custom_hooks, cfg.default_hooks.checkpoint.interval, cfg.train_cfg.max_iters = [], iterations, 2
        runner = build_runner(cfg, tmp_path / folder, resume=resume)
        runner.train_loop.max_iters = iterations
        runner.train()
        return torch.load(tmp_path / folder / f'iter_{iterations:07}.pth', weights_only=True)['state_dict']

    whole = run('whole', 2)
    run('half', 1)
    resumed = run('half', 2, resume=True)
    assert whole and all(torch.equal(value, resumed[key]) for key, value in whole.items() if torch.is_tensor(value))
