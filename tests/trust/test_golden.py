"""Ten steps of every method give the losses that they gave, see :mod:`tests.trust.golden`."""

import pytest
import torch
from mmengine.config import Config

from tests import test_configs as tiny
from tests.trust import golden
from toolkit.registry import MODELS
from toolkit.synthetic.actions import SyntheticActions


@pytest.fixture(scope='module')
def known():
    return golden.known()


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(**tiny.SIZE, actors=13, actions=16, frames=6).write(
        root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    return root


@pytest.mark.skipif(torch.cuda.is_available(), reason='the numbers are those of CPUs')
@pytest.mark.parametrize('name', golden.METHODS)
def test_losses_are_what_they_were(name, clips, known, tmp_path):
    expected, exact = known
    problem = golden.compare(name, golden.losses(name, clips, tmp_path), expected[name], exact)
    assert not problem, f'{problem}. If that is meant: python -m tests.trust.golden {name} --write'


def test_every_method_is_there(known):
    trained = {str(Config.fromfile(tiny.ROOT / 'configs' / name, import_custom_modules=False).model.type) for name in tiny.CONFIGS}
    there = {str(Config.fromfile(next((tiny.ROOT / 'configs').rglob(f'{name}.py'))).model.type) for name in golden.METHODS}
    assert trained - there == set() and set(known[0]) == set(golden.METHODS)
    assert all(len(steps) == golden.STEPS for steps in known[0].values())
    assert all(MODELS.get(kind) for kind in there)


def test_a_change_of_a_number_is_seen():
    was = [dict(l1=.5)] * 2
    assert golden.compare('a', [dict(l1=.5), dict(l1=.5000001)], was, exact=True) == 'a, step 1: l1 is 0.5000001, expected 0.5'
    assert not golden.compare('a', [dict(l1=.5), dict(l1=.5000001)], was, exact=False)
    assert golden.compare('a', [dict(l1=.5), dict(l1=.51)], was, exact=False)
    assert 'losses' in golden.compare('a', [dict(l2=.5)] * 2, was, exact=False)
