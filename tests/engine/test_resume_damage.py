"""A training state that cannot be gone on from ends in one line that names the file, before the first iteration."""

import pytest
import torch

from toolkit.engine.launch import build_runner, load_config
from toolkit.structures import InputError


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp('trained')


def checkpoint_of(toy, trained):
    path = trained / 'iter_0000004.pth'
    if not path.exists():
        build_runner(load_config(toy.config, ['train_cfg.max_iters=4']), work_dir=trained).train()
    return torch.load(path, weights_only=True)


def nan_state(c):
    c['optimizer']['g']['state'][0]['exp_avg'][...] = float('nan')


def other_shape(c):
    c['optimizer']['g']['state'][0]['exp_avg'] = torch.zeros(3)


DAMAGES = {
    'negative iteration': (lambda c: c['meta'].update(iter=-5), 'iter is -5, expected a whole number'),
    'text as iteration': (lambda c: c['meta'].update(iter='4'), "iter is '4'"),
    'beyond the end': (lambda c: c['meta'].update(iter=10**9), 'of iteration 1000000000, but train_cfg.max_iters is 8; raise it'),
    'list as meta': (lambda c: c.update(meta=[1]), 'cannot be resumed'),
    'no world size': (lambda c: c['meta'].pop('world_size'), "damaged, or of another version .KeyError: 'world_size'"),
    'no ranks': (lambda c: c.update(ranks=[]), 'expected states of 1 processes'),
    'list as rank': (lambda c: c.update(ranks=[[]]), 'damaged'),
    'half a rank': (lambda c: c['ranks'][0].pop('hooks'), 'damaged'),
    'random state of another size': (lambda c: c['ranks'][0]['random'].update(torch=torch.zeros(3, dtype=torch.uint8)), 'damaged'),
    'numpy state of another size': (lambda c: c['ranks'][0]['random'].update(numpy=('MT19937', torch.zeros(3), 1, 0, 0.0)), 'damaged'),
    'python state': (lambda c: c['ranks'][0]['random'].update(python=(3, (1, 2), None)), 'damaged'),
    'list as schedulers': (lambda c: c.update(param_schedulers=[]), 'damaged'),
    'schedulers without keys': (lambda c: c['param_schedulers'].update(g=[[]]), 'another kind than the LinearLR'),
    'another scheduler': (lambda c: c['param_schedulers'].update(g=[dict(last_stepp=1)]), 'another kind'),
    'weights not finite': (lambda c: c['state_dict']['net_g.0.weight'].fill_(float('nan')), 'net_g.0.weight is not finite'),
    'optimizer not finite': (nan_state, "optimizer 'g' is not finite"),
    'optimizer of other shapes': (other_shape, r"exp_avg of optimizer 'g' has the shape \(3,\), its parameter \(8, 6\)"),
    'optimizer without groups': (lambda c: c['optimizer']['g'].pop('param_groups'), "optimizer 'g'|damaged"),
    'list as optimizers': (lambda c: c.update(optimizer=[]), 'damaged'),
    'state of a hook': (lambda c: c['ranks'][0]['hooks'].update({'ScalarLogger.0': dict(groups=5)}), 'damaged'),
}


@pytest.mark.parametrize('what', DAMAGES)
def test_damage_is_named(toy, trained, tmp_path, what):
    checkpoint = checkpoint_of(toy, trained)
    damage, words = DAMAGES[what]
    damage(checkpoint)
    torch.save(checkpoint, tmp_path / 'bad.pth')
    with pytest.raises(InputError, match=words) as error:
        build_runner(load_config(toy.config), work_dir=tmp_path / 'run', resume=tmp_path / 'bad.pth').train()
    assert 'bad.pth' in str(error.value) and '\n' not in str(error.value)
    assert not list((tmp_path / 'run').rglob('scalars.json'))


def test_another_number_of_threads_is_said(toy, trained, tmp_path):
    checkpoint = checkpoint_of(toy, trained)
    checkpoint['meta']['threads'] = 7
    torch.save(checkpoint, tmp_path / 'threads.pth')
    runner = build_runner(load_config(toy.config), work_dir=tmp_path / 'run', resume=tmp_path / 'threads.pth')
    said = []
    runner.logger.warning = said.append
    runner.train()
    assert any('with 7 threads, this run has 1' in text and 'OMP_NUM_THREADS=7' in text for text in said)


def test_another_machine_is_said(toy, trained, tmp_path):
    checkpoint = checkpoint_of(toy, trained)
    assert set(checkpoint['meta']['machine']) == {'torch', 'cpu', 'gpu'}
    checkpoint['meta']['machine'] |= dict(torch='1.0', cpu='Z80')
    torch.save(checkpoint, tmp_path / 'old.pth')
    runner = build_runner(load_config(toy.config), work_dir=tmp_path / 'run', resume=tmp_path / 'old.pth')
    said = []
    runner.logger.warning = said.append
    runner.train()
    told, = [text for text in said if 'may not be bitwise' in text]
    assert f'the torch was 1.0, here it is {torch.__version__}; the cpu was Z80, here it is ' in told and 'the gpu' not in told
