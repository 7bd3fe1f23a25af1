"""What a config says of its data once holds for all its data sets."""

from pathlib import Path

import pytest

from toolkit.engine.launch import build_runner, load_config
from toolkit.registry import DATASETS
from toolkit.structures import InputError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
VIDEO, TRANSFER = CONFIGS / 'own' / 'video.py', CONFIGS / 'own' / 'transfer.py'
TWO_SETS = '''
data = dict(root='mine', split_rule=dict(seed=1, train_fraction=.5))
train_dataloader = dict(dataset=dict(type='ClipWindows', split='train', split_rule=dict(seed=1)))
test_dataloader = dict(dataset=dict(type='ClipWindows', split='test', window=None, split_rule=dict(seed=2)))
'''


@pytest.fixture
def load(tmp_path):
    """Write a config and load it with overrides."""

    def call(text, *options):
        (tmp_path / 'config.py').write_text(text)
        return load_config(tmp_path / 'config.py', options)

    return call


def test_every_data_set_takes_what_it_does_not_say_itself(load):
    cfg = load(TWO_SETS)
    assert cfg.train_dataloader.dataset == dict(
        type='ClipWindows', root='mine', split='train', split_rule=dict(seed=1, train_fraction=.5))
    assert cfg.test_dataloader.dataset.split_rule == dict(seed=2, train_fraction=.5) and 'data' not in cfg
    assert load(TWO_SETS.replace("root='mine'", "root='other'")).test_dataloader.dataset.root == 'other'


@pytest.mark.parametrize('options, root, pixels', [(['data.root=yours'], 'yours', 192 * 128), (['data.pixels=99'], 'data/mine', 99)])
def test_one_option_changes_all_data_sets(options, root, pixels):
    cfg = load_config(VIDEO, options)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        assert (loader.dataset.root, loader.dataset.pixels) == (root, pixels)


def test_one_option_changes_a_person_of_a_transfer():
    cfg = load_config(TRANSFER, ['data.a.persons=me', 'data.b.root=theirs', 'data.a.size=[64, 32]'])
    assert [s.a.persons for s in (cfg.train_dataloader.dataset, cfg.test_dataloader.dataset)] == ['me', 'me']
    assert [s.b.root for s in (cfg.train_dataloader.dataset, cfg.test_dataloader.dataset)] == ['theirs', 'theirs']
    assert cfg.test_dataloader.dataset.a.size == [64, 32] and 'size' not in cfg.test_dataloader.dataset.b


def test_only_a_data_set_that_is_not_trained_on_may_say_otherwise():
    cfg = load_config(VIDEO, ['test_dataloader.dataset.root=unseen'])
    assert (cfg.train_dataloader.dataset.root, cfg.test_dataloader.dataset.root) == ('data/mine', 'unseen')


@pytest.mark.parametrize('config, options, words', [
    (VIDEO, ['train_dataloader.dataset.root=x'], "train_dataloader.dataset.root='x', but data.root='data/mine' .*Say data.root='x'"),
    (VIDEO, ['train_dataloader.dataset.root=x', 'test_dataloader.dataset.root=x'], "Say data.root='x'"),
    (TRANSFER, ['train_dataloader.dataset.a.root=x'], "dataset.a.root='x', but data.a.root='data/mine'"),
    (TRANSFER, ['data.a=x'], "data.a='x': expected a dict, such as dict.root=.*, as train_dataloader.dataset.a"),
    (VIDEO, ['data.rooot=x'], "data has no key 'rooot'. Did you mean 'root'"),
    (TRANSFER, ['data.a.rooot=x'], "data.a has no key 'rooot'. Did you mean 'root'"),
    (VIDEO, ["data={'rooot': 1}"], "data has no key 'rooot'"),
    (VIDEO, ['data.pixels=many'], "expected a number like 24576, got the text 'many'"),
    (VIDEO, ['data=3'], 'data=3: expected a dict'),
    (VIDEO, ['train_dataloader=None', 'test_dataloader=None', 'val_dataloader=None'], 'no data set that would take it'),
    (VIDEO, ['train_dataloader=None', 'test_dataloader.dataset.root=x'], 'data.root is used by no data set: test_'),
])
def test_what_would_be_ignored_is_refused(config, options, words):
    with pytest.raises(InputError, match=words):
        load_config(config, options)


def test_an_unknown_key_in_a_file_is_named(load):
    with pytest.raises(InputError, match="data.rooot: no data set of the config takes it .ClipWindows.*Did you mean 'root'"):
        load(TWO_SETS.replace('root=', 'rooot='))


def test_a_data_set_of_ones_own_takes_only_what_it_knows(load, monkeypatch):
    monkeypatch.setitem(DATASETS.module_dict, 'FoldersOfTest', FoldersOfTest)
    cfg = load("data = dict(root='mine')\ntrain_dataloader = dict(dataset=dict(type='FoldersOfTest', folder='npz'))\n"
               "test_dataloader = dict(dataset=dict(type='ClipWindows', window=None))")
    assert cfg.train_dataloader.dataset == dict(type='FoldersOfTest', folder='npz') and cfg.test_dataloader.dataset.root == 'mine'


class FoldersOfTest:
    def __init__(self, folder):
        self.folder = folder


def test_validation_is_on_the_data_of_the_test_unless_it_says_otherwise(load):
    assert 'val_dataloader' not in load(TWO_SETS)
    cfg = load(TWO_SETS + "val_evaluator = dict(type='PSNR')", 'data.root=yours')
    assert cfg.val_dataloader == cfg.test_dataloader and cfg.val_dataloader.dataset.root == 'yours'
    cfg = load(TWO_SETS + "val_dataloader = dict(dataset=dict(split='train', actions=['kick']))", 'val_dataloader.dataset.actions=bow')
    assert cfg.val_dataloader.dataset == dict(cfg.test_dataloader.dataset, split='train', actions='bow')
    cfg = load(TWO_SETS + "val_dataloader = dict(dataset=dict(type='ClipWindows', split='train'))")
    assert 'window' not in cfg.val_dataloader.dataset and cfg.val_dataloader.dataset.root == 'mine'
    assert load(TWO_SETS + "val_evaluator = dict(type='PSNR')", 'val_dataloader=None').val_dataloader is None
    cfg = load(TWO_SETS + "val_evaluator = dict(type='PSNR')", 'test_dataloader.dataset.split=None', 'val_dataloader.dataset.window=3')
    assert cfg.val_dataloader.dataset == dict(cfg.test_dataloader.dataset, window=3) and cfg.val_dataloader.dataset.split is None


def test_looks_and_validation_without_any_data_are_refused(toy, tmp_path):
    hook = "custom_hooks=[{'type': 'GenerateHook', 'interval': 4}]"
    with pytest.raises(InputError, match='GenerateHook: the config has no test_dataloader'):
        build_runner(load_config(toy.config, [hook]), tmp_path / 'run').train()
    cfg = load_config(toy.config)
    del cfg._cfg_dict['val_dataloader']
    with pytest.raises(InputError, match='has a val_evaluator, but neither'):
        build_runner(cfg, tmp_path / 'run2')
