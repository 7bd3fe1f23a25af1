"""tools/visualize_latent.py on tiny untrained checkpoints of both stages."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit.metrics.pck import ESTIMATORS, first_available
from toolkit.registry import MODELS
from toolkit.synthetic.actions import SyntheticActions

STAGE1 = dict(
    type='BicycleGAN', losses=dict(gan=dict(type='GANLoss')), generator=dict(type='UNet', n_down=2, ngf=4),
    encoder=dict(type='RegionEncoder', region='up', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
    discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=2))
_CODES = dict(encoder=dict(type='ResNetEncoder', nz=2, nef=4, n_down=3))
STAGE2 = dict(
    type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1, z_injection='region_film'),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')))
CODED = dict(STAGE2, color_codes=dict(up=_CODES, down=_CODES, frozen=False))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Clips, and checkpoints up/, coded/, plain/ and bare.pth, as training writes them."""
    folder = tmp_path_factory.mktemp('latent')
    SyntheticActions(96, 64, actors=13, actions=16, frames=12).write(
        folder / 'clips', actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    for name, model in (('up', STAGE1), ('coded', CODED), ('plain', STAGE2)):
        torch.manual_seed(0)
        dataset = dict(type='ClipWindows', root=str(folder / 'clips'), window=1)
        config = dict(model=model, train_dataloader=dict(dataset=dict(dataset, split='train')),
                      test_dataloader=dict(dataset=dict(dataset, split='test')))
        (folder / name).mkdir()
        state = MODELS.build(Config(dict(model=model)).model).state_dict()
        torch.save(dict(state_dict=state, meta=dict(config=config)), folder / name / 'iter_0000001.pth')
    torch.save(dict(state_dict=state, meta={}), folder / 'bare.pth')
    return folder


@pytest.fixture
def run(load_tool, folder, monkeypatch, capsys):
    """Call the tool: exit code, standard output, standard error."""
    monkeypatch.delenv('TOOLKIT_WEIGHTS', raising=False)
    monkeypatch.chdir(folder)
    monkeypatch.setenv('HOME', str(folder))
    tool = load_tool('visualize_latent')

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            tool.main([str(a) for a in arguments])
        return stop.value.code, *capsys.readouterr()

    return call


SMALL = ('--frames', 40, '--clips', 2, '--clip-frames', 3, '--device', 'cpu')


def test_both_stages_side_by_side(run, folder):
    out = folder / 'out'
    code, table, said = run('up', 'coded', '--out', out, '--labels', 'decoupled', 'end-to-end', *SMALL)
    assert code == 0, said
    header = table.splitlines()[0]
    assert all(name in header for name in ('decoupled untrained', 'end-to-end up', 'end-to-end down untrained', 'end-to-end both'))
    files = {p.name for p in out.iterdir()}
    assert files == {'codes.png', 'strips_decoupled.png', 'strips_end-to-end.png', 'codes_decoupled.npz', 'codes_end-to-end_up.npz',
                     'codes_end-to-end_down.npz', 'probes.json'}
    content = json.loads((out / 'probes.json').read_text())
    values = {column['label']: column['values'] for column in content['columns']}
    assert values['decoupled'].keys() >= {'r2_mu', 'r2_z', 'r2_other', 'swap_dab', 'nats', 'inside', 'outside'}
    assert values['end-to-end up'].keys() >= {'r2_mu', 'r2_other', 'resp', 'de', 'moved_other', 'moved_background', 'dab_blind'}
    assert 'r2_z' not in values['end-to-end up'] and 'sharpness' in values['end-to-end both']
    assert values['decoupled']['r2_mu'] == values['decoupled untrained']['r2_mu'], 'this checkpoint is untrained itself'
    estimator, reason = first_available(ESTIMATORS)
    assert ('pck' in values['end-to-end both']) == (estimator is not None)
    assert 'pck n/a' not in table and (estimator or reason.split(':')[0] in table), 'where an estimator is missing, the table says why'
    assert len(content['explained_variance']['end-to-end down']) == 2 and content['about']['seed'] == 0
    assert np.load(out / 'codes_decoupled.npz')['mu'].shape[1] == 3
    assert cv2.imread(str(out / 'codes.png')).std() > 10 < cv2.imread(str(out / 'strips_end-to-end.png')).std()


def test_the_same_seed_gives_the_same_numbers(run, folder):
    results = []
    for name, data in (('a', ()), ('b', ('--data', folder / 'clips')), ('c', ('--seed', 1))):
        code, *_ = run('up/iter_0000001.pth', '--out', folder / name, *SMALL, *data)
        assert code == 0
        results.append(json.loads((folder / name / 'probes.json').read_text())['columns'])
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize('arguments, message', [
    (['nothing.pth'], 'nothing.pth does not exist'),
    (['clips'], 'clips holds no checkpoint'),
    (['bare.pth'], 'does not say how its model is built'),
    (['plain'], 'is of a VideoPix2PixHD without color codes; expected stage I'),
    (['up', 'coded', '--labels', 'one'], '2 different names are needed'),
    (['up', '--frames', '3'], '--frames must be at least 40'),
    (['up', '--data', 'nowhere'], 'nowhere: no prepared clips'),
])
def test_mistakes_are_named(run, folder, arguments, message):
    code, _, error = run(*arguments, '--out', folder / 'none', '--device', 'cpu')
    assert code == 2 and message in error
