"""What a config builds on is made first."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from toolkit.cli import Interrupted
from toolkit.engine.needs import meet_needs
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError, MissingWeightsError

STAND_IN = dict(part='model.loss.network', config='configs/small.py', use=dict(type='TrainedPoseNetwork'),
                also={'model.loss.stage': None}, shared=['data'])


@POSE_ESTIMATORS.register_module()
class PublishedPoseOfNeeds(nn.Module):
    """Has its weights when the test says so."""

    there = False

    def __init__(self):
        super().__init__()
        if not self.there:
            raise MissingWeightsError('published.pth not found in: weights')


@pytest.fixture
def meet(tmp_path, monkeypatch):
    """Meet needs in an empty folder with a training that only writes its checkpoint; the names of what was trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'small.py').write_text('')
    trained = []

    def train(made, folder):
        trained.append(folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=dict(a=torch.zeros(1))), folder / 'iter_0000001.pth')

    def read(path):
        return Config(dict(data='own', train_cfg=dict(max_iters=1)), filename=str(path))

    def call(cfg, resumed=None, train=train):
        cfg = Config(cfg)
        meet_needs(cfg, train, read, resumed)
        assert 'needs' not in cfg
        return cfg, trained

    return call


def config(**need):
    loss = dict(network=dict(type='PublishedPoseOfNeeds'), stage=3)
    return dict(data='own', model=dict(loss=loss), needs=dict(it=dict(STAND_IN, **need)))


def test_a_stand_in_is_made_once_and_says_so(meet, capsys):
    for _ in range(2):
        cfg, trained = meet(config())
        assert cfg.model.loss == dict(network=dict(type='TrainedPoseNetwork', checkpoint='work_dirs/small'), stage=None)
        said = capsys.readouterr().out
        assert 'PublishedPoseOfNeeds is replaced by TrainedPoseNetwork, because published.pth not found in: weights' in said or \
            'PublishedPoseOfNeeds is replaced by TrainedPoseNetwork of work_dirs/small' in said
    assert trained == ['small.unfinished']


def test_published_weights_are_taken_where_they_are(meet, monkeypatch):
    monkeypatch.setattr(PublishedPoseOfNeeds, 'there', True)
    cfg, trained = meet(config())
    assert cfg.model.loss == dict(network=dict(type='PublishedPoseOfNeeds'), stage=3) and not trained


def test_a_run_goes_on_with_what_it_began_with(meet, monkeypatch, tmp_path):
    cfg, _ = meet(config())
    torch.save(dict(state_dict={}, meta=dict(config=cfg.to_dict())), tmp_path / 'run.pth')
    monkeypatch.setattr(PublishedPoseOfNeeds, 'there', True)
    assert meet(config(), resumed=tmp_path / 'run.pth')[0].model.loss.network.type == 'TrainedPoseNetwork'


def test_other_data_make_another_stand_in(meet):
    meet(config())
    cfg, trained = meet(dict(config(), data='mine'))
    assert len(trained) == 2 and cfg.model.loss.network.checkpoint.startswith('work_dirs/small_')


def earlier(work_dir):
    return dict(model=dict(up=work_dir), needs=dict(up=dict(part='model.up', config='configs/small.py')))


def test_an_earlier_run_is_made_where_the_config_names_it(meet):
    assert meet(earlier('work_dirs/small'))[1] == ['small.unfinished']
    assert meet(earlier('work_dirs/small'))[1] == ['small.unfinished'], 'it is there now'


def test_a_name_that_is_wrong_ends_it_before_anything_is_trained(meet):
    needs = dict(up=dict(part='model.up', config='configs/small.py'), down=dict(part='model.down', config='configs/other.py'))
    trained = []
    with pytest.raises(MissingWeightsError, match='^needs.down: model.down: work_dirs/othr does not exist. Train it first: .*'
                                                  'configs/other.py --work-dir work_dirs/othr'):
        meet(dict(model=dict(up='work_dirs/small', down='work_dirs/othr'), needs=needs), train=lambda *made: trained.append(made))
    assert not trained


def test_stopped_and_gone_on(meet, tmp_path):
    def stop(made, folder):
        raise Interrupted('stopped')

    with pytest.raises(Interrupted, match='while work_dirs/small was trained; the same command goes on'):
        meet(earlier('work_dirs/small'), train=stop)
    assert not (tmp_path / 'work_dirs' / 'small').exists()
    assert meet(earlier('work_dirs/small'))[1] == ['small.unfinished']


def test_a_folder_of_something_else_is_left_alone(meet, tmp_path):
    (tmp_path / 'work_dirs' / 'small').mkdir(parents=True)
    (tmp_path / 'work_dirs' / 'small' / 'notes.txt').write_text('mine')
    with pytest.raises(InputError, match='holds no checkpoint'):
        meet(earlier('work_dirs/small'))


@pytest.mark.parametrize('need, message', [
    (dict(parts='model'), "unknown key 'parts'. Did you mean 'part'"), (dict(part=None), 'needs part='),
])
def test_entries_are_checked(meet, need, message):
    with pytest.raises(InputError, match=message):
        meet(config(**need))
