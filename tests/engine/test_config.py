"""Every key of a config is checked; plugins of parents are not lost; three lines make an ablation."""

import sys

import pytest

from toolkit.engine.config import load_config, parse_options
from toolkit.structures import InputError


def child(tmp_path, toy, text):
    path = tmp_path / 'child.py'
    path.write_text(f'_base_ = {str(toy.config)!r}\n{text}\n')
    return path


def test_a_three_line_ablation_inherits(toy, tmp_path):
    cfg = load_config(child(tmp_path, toy, 'model = dict(width=5)\n'))
    assert cfg.model.width == 5 and cfg.model.type == 'ToyGAN' and cfg.train_cfg.max_iters == 8 and cfg.default_scope == 'toolkit'


@pytest.mark.parametrize('text, words', [
    ('trian_cfg = dict(max_iters=3)', ["'trian_cfg'", "'train_cfg'", 'underscore']),
    ('model = dict(widht=3)', ["model: ToyGAN got an unknown argument 'widht'", "'width'"]),
    ('model = dict(losses=dict(l1=dict(type="L1Loss", wieght=2.0)))', ["model.losses.l1: L1Loss got an unknown argument 'wieght'"]),
    ('model = dict(type="ToyGANN")', ["'ToyGANN'", "'ToyGAN'", 'custom_imports']),
    ('model = dict(losses=dict(a=dict(type="L1Losss")))', ["model.losses.a.type='L1Losss'", "'L1Loss'"]),
    ('train_dataloader = dict(batchsize=3)', ['train_dataloader', "'batchsize'", "'batch_size'"]),
    ('train_dataloader = dict(dataset=dict(sizes=3))', ["train_dataloader.dataset: ToyData", "'sizes'", "'size'"]),
    ('train_dataloader = dict(dataset=dict(_delete_=True, type="ToyGAN"))', ["'ToyGAN' is a model, but a dataset is expected"]),
    ('train_cfg = dict(max_itres=3)', ["train_cfg: IterLoop", "'max_itres'", "'max_iters'"]),
    ('optim_wrapper = dict(g=dict(optimizer=dict(bettas=(0, 1))))', ['optim_wrapper.g.optimizer', "'bettas'", "'betas'"]),
    ('optim_wrapper = dict(g=dict(clip_gard=None))', ['optim_wrapper.g', "'clip_gard'", "'clip_grad'"]),
    ('optim_wrapper = dict(g=dict(optimizer=dict(type="Adamm")))', ["unknown optimizer 'Adamm'", "'Adam'"]),
    ('default_hooks = dict(chekpoint=dict(interval=5))', ['default_hooks.chekpoint has no type', "'checkpoint'"]),
    ('custom_hooks = [dict(type="KillAt", iteraton=5)]', ['custom_hooks.0: KillAt', "'iteration'"]),
    ('param_scheduler = [dict(type="LinearLR", start=1.0)]', ['param_scheduler.0', "'start'"]),
    ('randomness = dict(sed=1)', ['randomness', "'seed'"]),
    ('env_cfg = dict(mp_cfg=dict(mp_start=1))', ['env_cfg.mp_cfg', "'mp_start'"]),
    ('model = dict(type="subprocess.check_output")', ['model.type', 'dotted path']),
    ('custom_imports = dict(imports=["no_such_parts"])', ['no_such_parts', 'PYTHONPATH']),
    ('x = [', ['child.py', 'SyntaxError']),
    ('x = undefined', ['child.py', 'undefined']),
])
def test_mistakes_in_a_file_are_errors(toy, tmp_path, text, words):
    with pytest.raises(InputError) as error:
        load_config(child(tmp_path, toy, text))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize('option, words', [
    ('train_cfg.max_itrs=3', ['train_cfg', "'max_itrs'", "'max_iters'"]),
    ('trian_cfg.max_iters=3', ["'trian_cfg'", "'train_cfg'"]),
    ('model.widht=3', ["'widht'", "'width'"]),
    ('optim_wrapper.gg.networks=1', ["'gg'", "'g'"]),
    ('default_hooks.checkpoint.intervall=3', ["'intervall'", "'interval'"]),
    ('train_cfg.max_iters=many', ['number', "'many'"]),
    ('train_cfg.max_iters.x=1', ['train_cfg.max_iters is 8']),
    ('val_evaluator.3.type=x', ['list of 1']),
    ('val_evaluator.a=x', ['expected an index']),
    ('max_iters', ['key=value']),
])
def test_mistakes_in_overrides_are_errors(toy, option, words):
    with pytest.raises(InputError) as error:
        load_config(toy.config, [option])
    for word in words:
        assert word in str(error.value)


def test_overrides(toy):
    cfg = load_config(toy.config, [
        'train_cfg.max_iters=3', 'model.width=7', 'model.channels_last=true', 'val_evaluator.0.type=ToyMetric', 'load_from=none',
        "optim_wrapper.g.clip_grad={'max_norm': 2}", 'train_dataloader.drop_last=True', 'experiment_name=a'])
    assert (cfg.train_cfg.max_iters, cfg.model.width, cfg.model.channels_last, cfg.load_from) == (3, 7, True, None)
    assert cfg.optim_wrapper.g.clip_grad.max_norm == 2 and cfg.train_dataloader.drop_last and cfg.experiment_name == 'a'
    assert parse_options(['a=1', 'b=[1, 2]', 'c=x=y', 'd=1e-3', 'e=']) == dict(a=1, b=[1, 2], c='x=y', d=1e-3, e='')


def test_a_childs_custom_imports_keep_the_parents(toy, tmp_path, monkeypatch):
    (tmp_path / 'more_parts_of_child.py').write_text('LOADED = True\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = load_config(child(tmp_path, toy, 'custom_imports = dict(imports=["more_parts_of_child"])'))
    assert cfg.custom_imports.imports == ['toy_parts', 'more_parts_of_child'] and 'more_parts_of_child' in sys.modules


def test_helper_variables_begin_with_an_underscore(toy, tmp_path):
    cfg = load_config(child(tmp_path, toy, '_width = 6\nmodel = dict(width=_width)'))
    assert cfg.model.width == 6 and '_width' not in cfg


def test_a_missing_file_names_near_ones(toy):
    with pytest.raises(InputError, match="toy_confg.py does not exist. Did you mean 'toy_config.py'"):
        load_config(toy.config.with_name('toy_confg.py'))
