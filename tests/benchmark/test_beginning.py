"""What a run is made of and begins with: whatever a file may say reaches it, and what cannot is told at once."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.benchmark import unit as unit_module
from toolkit.benchmark.claims import Claim
from toolkit.benchmark.plan import units_of
from toolkit.benchmark.spec import read_spec
from toolkit.benchmark.unit import config_of
from toolkit.benchmark.work import folder_of, write_plan
from toolkit.doors import read_json
from toolkit.structures import InputError

SPEC = """
rows = [dict(name=name, config='own/video') for name in ('first', 'second')]
clips = dict(one=dict(options={'data.root': 'nowhere/one'}))
budgets = [dict(iterations=[0, 2])]
"""


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / 'small.py'
    file.write_text(SPEC)
    return file


@pytest.fixture
def building(tmp_path, monkeypatch):
    """A config that starts from a run of another one, and such a run of the user, under the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'need.py').write_text("_base_ = 'hvt::own/video'\n")
    (tmp_path / 'mine.py').write_text("_base_ = 'hvt::own/video'\nload_from = 'work_dirs/need'\n"
                                      "needs = dict(a=dict(part='load_from', config='{{fileDirname}}/need.py'))\n")
    mine = tmp_path / 'elsewhere' / 'need' / 'iter_0000001.pth'
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b'weights')

    def made(**row):
        (tmp_path / 'spec.py').write_text(f"rows = [dict(name='a', config='mine.py', **{row!r})]\nclips = dict(one=dict())\n"
                                          'budgets = [dict(iterations=1)]\n')
        unit, = units_of(read_spec(tmp_path / 'spec.py'))
        cfg, trained = config_of(unit), []
        with monkeypatch.context() as patch:
            patch.setattr(unit_module, 'build_runner', lambda cfg, folder, **_: trained.append(folder) or SimpleNamespace(
                train=folder.mkdir))
            unit_module._meet_needs(unit, cfg, tmp_path / 'needs')
        return unit.name, cfg.load_from, [folder.name for folder in trained]

    return made, mine


@pytest.mark.parametrize('row', [dict(init='elsewhere/need'), dict(options={'load_from': 'elsewhere/need'})])
def test_a_run_of_the_user_is_taken_and_watched_also_where_it_has_the_name_of_one_that_would_be_made(building, row):
    made, mine = building
    name, start, trained = made(**row)
    assert (start, trained) == ('elsewhere/need', [])
    mine.write_bytes(b'others')
    assert made(**row)[0] != name


def test_what_the_user_starts_from_is_not_looked_for_as_a_run(building):
    made, _ = building
    start = 'hvt::pretrained/textured.safetensors'
    assert made(init=start)[1:] == (start, [])


def test_what_the_config_itself_names_is_made_and_so_is_a_run_that_is_not_there(building, tmp_path):
    made, _ = building
    places = []
    for row in ({}, dict(options={'load_from': 'nowhere/need'})):
        _, start, trained = made(**row)
        assert trained == ['need.unfinished'] and Path(start).name == 'need' and tmp_path / 'needs' in Path(start).parents
        places.append(start)
        shutil.rmtree(tmp_path / 'needs')
    assert places[0] == places[1]


def test_a_config_without_default_hooks_is_trained(spec, tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = 'hvt::own/video'\ndefault_hooks = None\nval_evaluator = None\n")
    spec.write_text(SPEC.replace("'own/video'", repr(str(tmp_path / 'mine.py'))))
    assert config_of(units_of(read_spec(spec))[0]).default_hooks.checkpoint == dict(type='CheckpointHook', max_keep_ckpts=1)


def test_long_names_of_rows_and_clips_make_a_folder(spec, tmp_path):
    """As many bytes as a name of a file may have, and more in letters of which each takes three."""
    spec.write_text(SPEC.replace("'first', 'second'", repr('x' * 150) + ', ' + repr('x' * 151)).replace('one=', f"{'é' * 90}="))
    units = units_of(read_spec(spec))
    assert len({unit.name for unit in units}) == 2
    for unit in units:
        claim = Claim(folder_of(tmp_path, unit))
        assert claim.take()
        claim.release()


def test_paths_are_text_for_workers(spec, tmp_path):
    spec.write_text("""
import pathlib
rows = [dict(name='first', config=pathlib.Path('own') / 'video', options={'data.root': pathlib.Path('a')})]
clips = dict(one=dict(root=None))
budgets = [dict(iterations=1)]
""")
    unit, = units_of(read_spec(spec))
    job, = read_json(write_plan(tmp_path / 'out', [(tmp_path / 'out', unit)]))['jobs']
    assert (job['unit']['config'], job['unit']['options']) == ('own/video', {'data.root': 'a'})


@pytest.mark.parametrize('value, place', [('float("inf")', 'lr'), ('{1, 2}', 'lr'), ('{1: 2}', 'lr'), ('[float("nan")]', 'lr.0')])
def test_what_workers_cannot_be_told_is_refused_at_once(spec, value, place):
    spec.write_text(SPEC.replace("config='own/video'", f"config='own/video', options={{'optim_wrapper.lr': {value}}}"))
    with pytest.raises(InputError, match=f'small.py: rows.0.options.optim_wrapper.{place}: expected text, a finite number'):
        read_spec(spec)


def test_options_of_all_rows_may_name_an_entry_of_a_list(spec, tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = 'hvt::own/video'\n"
                                      "param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, end=9)]\n")
    text = SPEC.replace("'own/video'", repr(str(tmp_path / 'mine.py'))).replace('[0, 2]', '9')
    spec.write_text(text + "options = {'param_scheduler.0.end_factor': 0.5, 'train_cfg.max_iters': 9}\n")
    assert config_of(units_of(read_spec(spec))[0]).param_scheduler[0].end_factor == 0.5
    spec.write_text(text + "options = {'param_scheduler.1.end_factor': 0.5}\n")
    with pytest.raises(InputError, match='no config of the rows has it'):
        read_spec(spec)


def test_clothes_that_are_to_be_measured_are_looked_for_in_the_rehearsal(spec, tmp_path, monkeypatch):
    """A clip without one of them would end the unit after its training."""
    asked = []

    def read(dataset, index, frames, colorizer):
        asked.append((index, frames))
        raise InputError('clip a: no lower garment is seen; leave this clip out')

    def rehearse(codes):
        model = SimpleNamespace(codes=codes, paints_from=(), test_stream=lambda parts: [])
        monkeypatch.setattr(unit_module, 'Evaluation', lambda *_, **__: SimpleNamespace(
            models=dict(model=model), dataset=range(5), indices=[0]))
        unit_module.rehearse(replace(unit, color_control=dict(clips=1, frames=3)), tmp_path / 'run', 'cpu')

    monkeypatch.setattr(unit_module, '_train', lambda *_: [dict(path=None)])
    monkeypatch.setattr(unit_module, 'ClipParts', lambda *_: [])
    monkeypatch.setattr(unit_module.RecolorableClip, 'read', read)
    unit, *_ = units_of(read_spec(spec))
    rehearse(None)
    assert not asked, 'of a model that cannot dress people nothing is measured'
    with pytest.raises(InputError, match='no lower garment'):
        rehearse(SimpleNamespace(z_dims=(1, 1)))
    assert [frames for _, frames in asked] == [3]
