"""Every key of a config is checked; plugins of parents are not lost; three lines make an ablation."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.helpers import child_config
from toolkit.engine import config
from toolkit.engine.config import load_config, parse_options
from toolkit.signatures import wrong_kind
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parents[2]


def test_a_three_line_ablation_inherits(toy, tmp_path):
    cfg = load_config(child_config(tmp_path, toy, 'model = dict(width=5)\n'))
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
        load_config(child_config(tmp_path, toy, text))
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


STAGE_2 = ROOT / 'configs' / 'stage2_colors.py'
TRANSFER = ROOT / 'configs' / 'cyclegan_skeleton.py'


@pytest.mark.parametrize('config, text, words', [
    (STAGE_2, 'model = dict(feature_maps=dict(edge_chanel="real"))', ["feature_maps: FeatureMaps", "'edge_chanel'", "'edge_channel'"]),
    (STAGE_2, 'model = dict(curriculum=dict(probabilty=0.5))', ["'probabilty'", "Did you mean 'probability'"]),
    (STAGE_2, 'model = dict(color_codes=dict(frosen=True))', ["'frosen'", "'frozen'"]),
    (STAGE_2, 'model = dict(color_codes=dict(up=dict(_delete_=True, see="region")))', ['model.color_codes.up', "'see'", "'sees'"]),
    (STAGE_2, 'train_dataloader = dict(dataset=dict(synthetic=dict(framess=3)))', ['train_dataloader.dataset.synthetic', "'frames'"]),
    (STAGE_2, 'train_dataloader = dict(dataset=dict(split_rule=dict(train_fractions=.5)))', ['dataset.split_rule', "'train_fraction'"]),
    (TRANSFER, 'model = dict(face_crops=dict(sise=3))', ['model.face_crops: HeadCrops', "'size'"]),
    (TRANSFER, 'model = dict(auto_weight=dict(rato=3))', ['model.auto_weight: AutoWeight', "'ratio'"]),
    (TRANSFER, 'model = dict(foreground=dict(margn=3))', ['model.foreground', "'margin'"]),
    (TRANSFER, 'train_dataloader = dict(dataset=dict(a=dict(splits="train")))', ['train_dataloader.dataset.a: ClipWindows', "'split'"]),
    (TRANSFER, 'train_dataloader = dict(dataset=dict(a=dict(synthetic=dict(heigth=3))))', ['dataset.a.synthetic', "'height'"]),
    (TRANSFER, 'needs = dict(pose_network=dict(shred=[]))', ['needs.pose_network', "'shared'"]),
    (TRANSFER, 'custom_hooks = [dict(interval=3)]', ['custom_hooks.0 has no type', 'hook']),
])
def test_keys_of_plain_dicts_are_checked(tmp_path, config, text, words):
    path = tmp_path / 'child.py'
    path.write_text(f'_base_ = {str(config)!r}\n{text}\n')
    with pytest.raises(InputError) as error:
        load_config(path)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize('option, words', [
    ('model.window=two', ['model.window', "'two'", 'number']),
    ('model.v0=[1]', ['model.v0=[1]: expected text']),
    ('model.ema=yes', ["model.ema", "'yes'", 'number']),
    ('model.generator.ngf=None', ['model.generator.ngf=None: expected a whole number']),
    ('model.generator.ngf=8.5', ['model.generator.ngf=8.5: expected a whole number']),
    ('model.feature_maps.pose_channels=3', ['model.feature_maps.pose_channels=3: expected text']),
    ('model.channels_last=1', ['model.channels_last=1: expected True or False']),
    ('model.losses=3', ['model.losses', 'a dict']),
    ('optim_wrapper.g.networks=net_g', ["optim_wrapper.g.networks='net_g': expected a list, each text"]),
    ('train_dataloader.batch_size=None', ['train_dataloader.batch_size=None: expected a whole number']),
    ('train_dataloader.dataset.size=64', ['train_dataloader.dataset.size=64: expected a list, each a whole number or None']),
    ('data.synthetic.frames=None', ['data.synthetic.frames=None: expected']),
    ('train_cfg.max_iters=[]', ['train_cfg.max_iters=[]: expected a whole number']),
    ('randomness.seed=first', ['randomness.seed']),
    ('default_hooks.checkpoint.interval=None', ['default_hooks.checkpoint.interval=None: expected a whole number']),
    ('train_dataloader=3', ['train_dataloader=3: expected a dict']),
    ('model=3', ['model=3: expected a dict']),
])
def test_kinds_of_values_are_checked(option, words):
    with pytest.raises(InputError) as error:
        load_config(STAGE_2, [option])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize('kind, words', [(Mapping[str, int], 'a dict'), (Sequence, 'a list'), (Iterable, 'a list')])
def test_kinds_are_told_in_words(kind, words):
    assert wrong_kind(3, kind) == words


def test_overrides_reach_into_plain_dicts():
    cfg = load_config(STAGE_2, ['model.feature_maps.restoration=work_dirs/some', 'model.curriculum.probability=0.5',
                                'data.synthetic.frames=5', 'model.color_codes.frozen=False'])
    assert cfg.model.feature_maps.restoration == 'work_dirs/some' and cfg.model.curriculum == dict(probability=0.5)
    cfg = load_config(TRANSFER, ['model.face_crops.size=32', "train_dataloader.dataset.a.persons=['me']"])
    assert cfg.model.face_crops == dict(size=32) and cfg.train_dataloader.dataset.a.persons == ['me']
    with pytest.raises(InputError, match="model.feature_maps has no key 'restoraton'. Did you mean 'restoration'"):
        load_config(STAGE_2, ['model.feature_maps.restoraton=x'])


def test_overrides_of_a_part_of_the_users_own(toy, tmp_path, monkeypatch):
    """A part that takes anything, of a module that only the config or the options name."""
    (tmp_path / 'parts_that_take_anything.py').write_text(
        'from toolkit.registry import LOSSES\n\n@LOSSES.register_module()\nclass TakesAnything:\n'
        '    def __init__(self, **options):\n        pass\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    path = child_config(tmp_path, toy, 'custom_imports = dict(imports=["parts_that_take_anything"])\n'
                                'model = dict(losses=dict(a=dict(type="TakesAnything")))')
    assert load_config(path, ['model.losses.a.depth=3', 'model.losses.a.weight=2']).model.losses.a.depth == 3
    cfg = load_config(toy.config, ["model.losses.b={'type': 'TakesAnything', 'depth': 4}",
                                   'custom_imports.imports=["toy_parts", "parts_that_take_anything"]'])
    assert cfg.model.losses.b.depth == 4


@pytest.mark.parametrize('text, message', [
    ('model = dict(\n    width=3\n    noise=1)\n', r'child.py, line 2: SyntaxError: .*width=3'),
    ('x = 1\ny = undefined\n', r'child.py, line 2: NameError'),
    ('x = 1\0', r'child.py.*null bytes'),
    ('with read_base():\n    from .toy_config import *\n', 'lazy configs .read_base. are not supported'),
    ("_base_ = ['nowhere.py']\n", 'its _base_ nowhere.py does not exist'),
    ('_base_ = [3]\n', '_base_ must be file names, got 3'),
])
def test_the_line_of_a_mistake_is_named(tmp_path, text, message):
    (tmp_path / 'child.py').write_text(text)
    with pytest.raises(InputError, match=message) as error:
        load_config(tmp_path / 'child.py')
    assert str(tmp_path / 'child.py') in str(error.value) and '/tmp/tmp' not in str(error.value) and '\n' not in str(error.value)


def test_a_mistake_in_a_base_names_the_base(tmp_path):
    (tmp_path / 'base.py').write_text('x = (\n')
    (tmp_path / 'child.py').write_text("_base_ = ['base.py']\n")
    with pytest.raises(InputError, match='base.py, line 1: SyntaxError'):
        load_config(tmp_path / 'child.py')


def test_a_byte_order_mark_is_no_mistake(toy, tmp_path):
    (tmp_path / 'base.py').write_bytes(b'\xef\xbb\xbf' + f'_base_ = {str(toy.config)!r}\n'.encode())
    (tmp_path / 'child.py').write_bytes(b"\xef\xbb\xbf_base_ = ['base.py']\r\nmodel = dict(width=5)\r\n")
    assert load_config(tmp_path / 'child.py').model.width == 5


def test_overrides(toy):
    cfg = load_config(toy.config, [
        'train_cfg.max_iters=3', 'model.width=7', 'model.channels_last=true', 'val_evaluator.0.type=ToyMetric', 'load_from=none',
        "optim_wrapper.g.clip_grad={'max_norm': 2}", 'train_dataloader.drop_last=True', 'experiment_name=a'])
    assert (cfg.train_cfg.max_iters, cfg.model.width, cfg.model.channels_last, cfg.load_from) == (3, 7, True, None)
    assert cfg.optim_wrapper.g.clip_grad.max_norm == 2 and cfg.train_dataloader.drop_last and cfg.experiment_name == 'a'
    assert parse_options(['a=1', 'b=[1, 2]', 'c=x=y', 'd=1e-3', 'e=']) == dict(a=1, b=[1, 2], c='x=y', d=1e-3, e='')


@pytest.mark.parametrize('text, value', [
    ('[signer_a]', ['signer_a']),
    ('[a, my file.mp4, 1, -2.5, true, none, "x,y", \'[z\']', ['a', 'my file.mp4', 1, -2.5, True, None, 'x,y', '[z']),
    ('[[a,b],(c,)]', [['a', 'b'], ('c',)]),
    ('{type: TIN2, sizes: [8, x]}', dict(type='TIN2', sizes=[8, 'x'])),
    ("['a', b/c.png]", ['a', 'b/c.png']),
    ('[]', []),
    ('[draft].mp4', '[draft].mp4'),
    ('(old)', '(old)')])
def test_texts_in_a_list_need_no_quotes(text, value):
    """``persons=[signer_a]`` was one person whose name has brackets."""
    assert parse_options([f'data.a={text}']) == {'data.a': value}


@pytest.mark.parametrize('text', ['[C:/x]', "[it's]", '[a}]', '[a,,b]', '{a, b: c}'])
def test_brackets_around_no_list_are_refused(text):
    with pytest.raises(InputError, match=f'--cfg-options data.a: {re.escape(repr(text))} is no list or dict: put texts in quotes'):
        parse_options([f'data.a={text}'])


def test_a_childs_custom_imports_keep_the_parents(toy, tmp_path, monkeypatch):
    (tmp_path / 'more_parts_of_child.py').write_text('LOADED = True\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = load_config(child_config(tmp_path, toy, 'custom_imports = dict(imports=["more_parts_of_child"])'))
    assert cfg.custom_imports.imports == ['toy_parts', 'more_parts_of_child'] and 'more_parts_of_child' in sys.modules


def test_modules_that_may_be_missing_are_left_out_with_a_warning(toy, tmp_path, monkeypatch):
    wanted = 'custom_imports = dict(imports=["no_such_parts", "more_of_child"], allow_failed_imports={})'
    (tmp_path / 'more_of_child.py').write_text('LOADED = True\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    told = []
    monkeypatch.setattr(config, 'print_log', lambda text, *_: told.append(text))
    cfg = load_config(child_config(tmp_path, toy, wanted.format(True)))
    assert cfg.custom_imports == dict(imports=['toy_parts', 'more_of_child']), 'a checkpoint asks for no others'
    assert 'no_such_parts' in told[0] and 'left out' in told[0] and len(told) == 1
    path = child_config(tmp_path, toy, wanted.format(False))
    assert load_config(path, ['custom_imports.allow_failed_imports=True']).custom_imports.imports[0] == 'toy_parts'
    with pytest.raises(InputError, match='no_such_parts'):
        load_config(path)


@pytest.mark.parametrize('text, words', [
    ('custom_imports = dict(importz=["a"])', "custom_imports: unknown key 'importz'. Did you mean 'imports'"),
    ('custom_imports = dict(_delete_=True, imports=[3])', r'custom_imports.imports=\[3\]: expected'),
    ('custom_imports = dict(_delete_=True, imports=["json"], allow_failed_imports="yes")', 'allow_failed_imports=.yes.: expected True'),
])
def test_mistakes_in_custom_imports_are_not_lost_beside_those_of_a_base(toy, tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load_config(child_config(tmp_path, toy, text))


def test_helper_variables_begin_with_an_underscore(toy, tmp_path):
    cfg = load_config(child_config(tmp_path, toy, '_width = 6\nmodel = dict(width=_width)'))
    assert cfg.model.width == 6 and '_width' not in cfg


def test_a_missing_file_names_near_ones(toy):
    with pytest.raises(InputError, match="toy_confg.py does not exist. Did you mean 'toy_config.py'"):
        load_config(toy.config.with_name('toy_confg.py'))
