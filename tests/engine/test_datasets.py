"""The seed of a run reaches everything that draws at random: data sets, their transforms, the data sets of hooks."""

import pytest
import torch

from toolkit.engine.datasets import build_dataset
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.runner import TrainRunner
from toolkit.registry import DATASETS
from toolkit.structures import InputError

RECOLOR = dict(type='RecolorGarments', keep=0.0)


def loaded(dataset, seed):
    return TrainRunner.build_dataloader(dict(batch_size=1, dataset=dataset), seed=seed).dataset


def same(a, b):
    pairs = [(a[key], b[key]) for key in a if isinstance(a[key], torch.Tensor)]
    return all(torch.equal(x, y) for x, y in pairs)


def test_an_item_follows_the_seed_of_the_run(clips):
    root = str(clips[0].folder.parent)
    data = dict(type='ClipWindows', root=root, window=1, content='random', transforms=[RECOLOR])
    zero, again, one = (loaded(data, seed)[3, 5] for seed in (0, 0, 1))
    assert same(zero, again) and not same(zero, one)
    assert not torch.equal(zero['garment_colors'], one['garment_colors'])
    assert same(loaded(dict(data, seed=0), 1)[3, 5], zero), 'a seed that the config gives its data set stands'
    assert 'seed' not in data, 'the config is not changed'


def test_partners_and_crops_of_two_persons_follow_it(clips):
    flip = dict(type='RandomFlip', probability=0.5)
    data = dict(type='UnpairedClips', a=str(clips[0].folder), b=str(clips[1].folder), transforms=[flip])
    zero, again, one = ([loaded(data, seed)[3, draw] for draw in range(12)] for seed in (0, 0, 1))
    for a, b in zip(zero, again):
        assert same(a['a'], b['a']) and same(a['b'], b['b'])
    assert [item['b']['index'] for item in zero] != [item['b']['index'] for item in one], 'partners'
    assert not all(same(a['a'], b['a']) for a, b in zip(zero, one)), 'flips'
    own = build_dataset(dict(data, a=dict(root=data['a'], seed=7)), 1)
    assert (own.seed, own.a.seed, own.b.seed) == (1, 7, 3), 'the seed of one person stands, too'


def test_data_sets_inside_others_follow_it(toy, monkeypatch):
    class Several:
        def __init__(self, parts):
            self.parts = [DATASETS.build(part) for part in parts]

    monkeypatch.setitem(DATASETS.module_dict, 'Several', Several)
    data = dict(type='Several', parts=[dict(type='ToyData', size=3), dict(type='ToyData', size=3, seed=4)])
    assert [part.seed for part in build_dataset(data, 9).parts] == [9, 4]


def test_every_data_set_of_a_run_follows_it(toy, tmp_path):
    hook = "custom_hooks=[{'type':'GenerateHook','interval':4,'dataset':{'type':'ToyData','size':2},'clips':[1],'columns':3}]"
    runner = build_runner(load_config(toy.config, ['randomness.seed=5', 'train_cfg.max_iters=1', hook]), work_dir=tmp_path)
    runner.train()
    hooks = [h for h in runner.hooks if type(h).__name__ == 'GenerateHook']
    assert {runner.train_dataloader.dataset.seed, runner.val_dataloader.dataset.seed, hooks[0]._dataset.seed} == {5}


@pytest.mark.parametrize('option, words', [
    ('randomness.seed=-1', 'whole number from 0'), ('randomness.seed=0.5', 'whole number'),
    ('randomness.diff_rank_seed=True', 'leave it out')])
def test_seeds_that_cannot_be(toy, tmp_path, option, words):
    with pytest.raises(InputError, match=words):
        build_runner(load_config(toy.config, [option]), work_dir=tmp_path)
