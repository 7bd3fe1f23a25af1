"""A small benchmark from its file to its table: goes on, notices changes, shares work, outlives errors and kills."""

import inspect
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from toolkit.benchmark import unit as unit_module
from toolkit.benchmark import work as work_module
from toolkit.benchmark.plan import units_of
from toolkit.benchmark.run import Benchmark, run_all
from toolkit.benchmark.spec import COLOR_CONTROL, read_spec
from toolkit.benchmark.unit import config_of, control_of, run_unit
from toolkit.benchmark.work import expected_seconds, folder_of, placed, result_of, work, write_plan
from toolkit.doors import read_json
from toolkit.engine.config import load_config
from toolkit.engine.needs import BeingMade
from toolkit.registry import DATASETS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = {'model.generator.ngf': 8, 'model.generator.n_blocks': 1, 'model.discriminator.ndf': 8, 'model.losses.perceptual.weight': 0.0,
         'data.pixels': 64 * 64}
SPEC = """
_small = {small!r}
rows = [
    dict(name='ours', config='own/video', options=_small, budgets=[dict(iterations=[0, 2])]),
    dict(name='broken', config='own/video', options={{**_small, 'model.generator.ngf': 7}}),
    dict(name='nearest', config='own/video', untrained='NearestFrame')]
clips = dict(actor=dict(root={root!r}, held_out=(5, 8)))
budgets = [dict(iterations=1)]
metrics = [dict(type='PSNR'), dict(type='Sharpness')]
columns = ['psnr/full', 'sharpness/*']
frames = 2
"""


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(height=64, width=64, actors=13, actions=16, frames=8).write(
        root, actors=[0], actions=[0], num_workers=1, progress=False)
    return root


@pytest.fixture
def spec(clips, tmp_path):
    file = tmp_path / 'small.py'
    file.write_text(SPEC.format(small=SMALL, root=str(clips)).replace("options={**_small, 'model.generator.ngf': 7}", 'options=_small'))
    return file


def unit_named(benchmark, row):
    return next(unit for unit in benchmark.units if unit.row == row)


def all_done_here(benchmark):
    """Do the units in this process."""
    plan = write_plan(benchmark.out, [(benchmark.out, unit) for unit in benchmark.units])
    work(plan, 'cpu')
    plan.unlink()


def test_it_goes_on_notices_changes_and_outlives_errors(spec, clips, tmp_path):
    spec.write_text(SPEC.format(small=SMALL, root=str(clips)).replace("'model.generator.ngf': 7", "'model.generator.n_down': 9"))
    benchmark = Benchmark(spec, tmp_path / 'out')
    all_done_here(benchmark)
    table = benchmark.write()
    assert table.labels == ['ours, no training', 'ours, 2 iterations', 'broken, 1 iteration', 'nearest']
    assert len(table.errors) == 1 and table.errors[0].startswith('broken on actor, seed 0: ')
    assert '| failed |' in table.as_markdown()
    one, two = (table.entry(label, 'psnr/full')['value'] for label in table.labels[:2])
    assert one != two and 'iteration' in table.costs['ours, 2 iterations']
    assert table.costs['ours, 2 iterations']['iteration'] == 2 and table.costs['ours, no training']['gmacs'] > 0
    assert sorted(path.name for path in (tmp_path / 'out').glob('*.*')) == [
        'sheet_actor_00_wave_right.png', 'spec.json', 'table.csv', 'table.json', 'table.md']
    assert not list((tmp_path / 'out').rglob('*.pth')) and not list((tmp_path / 'out').rglob('claim'))

    times = {unit.row: result_of(benchmark.out, unit)['time'] for unit in benchmark.units}
    spec.write_text(spec.read_text().replace("n_down': 9", "n_down': 1"))
    changed = Benchmark(spec, tmp_path / 'out')
    assert folder_of(changed.out, unit_named(changed, 'broken')) != folder_of(benchmark.out, unit_named(benchmark, 'broken'))
    all_done_here(changed)
    assert {unit.row: result_of(changed.out, unit)['time'] for unit in changed.units if unit.row != 'broken'} == {
        row: moment for row, moment in times.items() if row != 'broken'}, 'what was done is not done again'
    assert not changed.write().errors


def test_what_a_row_fails_by_is_known_before_the_long_work(spec, clips, tmp_path, monkeypatch, capsys):
    """The nets of 'broken' cannot take pictures of this size, which only a step of training or a picture tells."""
    spec.write_text(SPEC.format(small=SMALL, root=str(clips)).replace("'model.generator.ngf': 7", "'model.generator.n_down': 9")
                    .replace('iterations=[0, 2]', 'minutes=50'))
    began = []
    monkeypatch.setattr(work_module, '_tried', lambda unit, *_: began.append(unit.row) or dict(points=[], total_seconds=1.))
    benchmark = Benchmark(spec, tmp_path / 'out')
    all_done_here(benchmark)
    assert sorted(began) == ['nearest', 'ours'], 'no long work for a row that cannot run'
    assert 'multiples of 512' in result_of(benchmark.out, unit_named(benchmark, 'broken'))['error']
    left = {path.name for path in folder_of(benchmark.out, unit_named(benchmark, 'ours')).iterdir()}
    assert left == {'rehearsed', 'result.json'}
    assert capsys.readouterr().out.count('---- rehearsing') == 3
    (folder_of(benchmark.out, unit_named(benchmark, 'ours')) / 'result.json').unlink()
    all_done_here(benchmark)
    assert began.count('ours') == 2 and capsys.readouterr().out.count('---- rehearsing') == 1, 'of the one that failed'


def test_errors_are_told_when_they_come(spec, tmp_path, capsys, monkeypatch):
    def start(workers):
        for out, unit in workers.jobs:
            work_module._write(folder_of(out, unit) / 'result.json', unit, dict(error='too small'), 'cpu')
        workers._processes[0] = SimpleNamespace(poll=lambda: 0, returncode=0, wait=lambda seconds: 0)

    monkeypatch.setattr(work_module.Workers, '_start', start)
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['nearest'])
    folder_of(benchmark.out, benchmark.units[0]).mkdir(parents=True)
    run_all([benchmark], device='cpu')
    assert 'failed: nearest on actor, seed 0: too small' in capsys.readouterr().out


def test_a_number_that_is_not_finite_fails_its_unit_alone(spec, tmp_path, monkeypatch):
    monkeypatch.setattr('toolkit.benchmark.work._tried', lambda *_: dict(points=[float('nan')]))
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['ours'])
    all_done_here(benchmark)
    assert 'not finite' in result_of(benchmark.out, benchmark.units[0])['error']


def test_two_commands_share_a_folder_and_outlive_a_killed_worker(spec, tmp_path):
    spec.write_text(spec.read_text().replace('budgets = [dict(iterations=1)]', 'budgets = [dict(iterations=8)]'))
    command = [sys.executable, str(ROOT / 'tools' / 'benchmark.py'), str(spec), '--out', str(tmp_path / 'out'), '--device', 'cpu']
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    folder = folder_of(tmp_path / 'out', unit_named(Benchmark(spec, tmp_path / 'out'), 'broken'))
    deadline = time.monotonic() + 300
    while not list(folder.glob('run/*/vis_data')) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(read_json(folder / 'claim')['pid'], signal.SIGKILL)
    said = [process.communicate(timeout=400)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    logs = ''.join(path.read_text() for path in (tmp_path / 'out' / 'logs').iterdir())
    assert {row: logs.count(f'==== {row} on actor') for row in ('ours', 'broken', 'nearest')} == dict(ours=1, broken=2, nearest=1)
    assert read_json(folder / 'result.json')['points'][0]['iteration'] == 8 and 'error' not in read_json(folder / 'result.json')


def test_rows_train_as_fast_as_the_file_says(spec, tmp_path, monkeypatch):
    spec.write_text(spec.read_text().replace('options=_small)', 'options=_small, fast=False)', 1) + 'fast = True\n')
    told = {}

    def build_runner(cfg, folder, fast, **kwargs):
        told[folder.name] = fast
        raise InputError('enough')

    monkeypatch.setattr(unit_module, 'build_runner', build_runner)
    for unit in units_of(read_spec(spec)):
        if not unit.untrained:
            with pytest.raises(InputError, match='enough'):
                run_unit(unit, tmp_path / 'a' / 'b' / unit.row, 'cpu')
    assert told == dict(ours=True, broken=False)


def test_minutes_end_the_run_and_its_learning_rate(spec, clips, tmp_path):
    spec.write_text(spec.read_text().replace('[dict(iterations=[0, 2])]', '[dict(minutes=[0.005, 0.02])]'))
    unit = next(unit for unit in units_of(read_spec(spec)) if unit.row == 'ours')
    result = run_unit(unit, tmp_path / 'run', 'cpu')
    seconds = [point['seconds'] for point in result['points']]
    assert [point['label'] for point in result['points']] == ['ours, 0.3 s', 'ours, 1.2 s']
    assert 0.3 <= seconds[0] < seconds[1] and 1.2 <= seconds[1] < 6
    assert result['points'][0]['iteration'] < result['points'][1]['iteration']
    assert (tmp_path / 'run').exists(), 'until its result is kept'
    with np.load(tmp_path / 'frames' / '1.npz') as frames:
        assert sorted(key.partition('/')[0] for key in frames.files) == ['generated', 'real']
        assert all(frames[key].shape == (2, 64, 64, 3) for key in frames.files)


def test_the_config_of_a_unit(clips, tmp_path):
    file = tmp_path / 'spec.py'
    file.write_text(f"""
rows = [dict(name='a', config='own/finetune', init='hvt::pretrained/textured.safetensors', budgets=[dict(iterations=40)]),
        dict(name='b', config='baselines/pix2pix', budgets=[dict(minutes=2)],
             options={{'model.generator.ngf': 8, 'test_dataloader.dataset.content': 0}})]
clips = dict(actor=dict(root={str(clips)!r}, held_out=(0.5, 1.0)))
seeds = [3]
options = {{'model.ema': 0.5, 'train_dataloader.num_workers': 0}}
""")
    a, b = (config_of(unit) for unit in sorted(units_of(read_spec(file)), key=lambda unit: unit.row))
    assert (a.randomness.seed, a.train_cfg.max_iters, a.load_from) == (3, 40, 'hvt::pretrained/textured.safetensors')
    assert (a.param_scheduler[0].begin, a.param_scheduler[0].end) == (20, 40), 'the schedule fits the budget'
    assert a.model.ema == 0.5 and 'ema' not in b.model, 'options are for those who have them'
    assert a.test_dataloader.dataset.references.pool == dict(exclude=(0.5, 1.0)) and 'val_dataloader' not in a
    assert a.train_dataloader.dataset.exclude == b.train_dataloader.dataset.exclude == (0.5, 1.0)
    assert b.test_dataloader.dataset.frames == (0.5, 1.0) and b.test_dataloader.dataset.get('synthetic') is None
    assert b.custom_hooks[-1].schedulers[0].type == 'ConstantThenLinearLR' and b.param_scheduler == []
    assert [hook.type for hook in b.custom_hooks] == ['BudgetHook']


def test_rows_that_would_be_tested_on_different_frames_are_refused(clips, tmp_path):
    """The one is given frame 0, so that all frames that are held out count; the other the first of these, which then does not."""
    file = tmp_path / 'spec.py'
    text = f"""
rows = [dict(name='a', config='own/video'), dict(name='b', config='baselines/vid2vid', options=OPTIONS),
        dict(name='c', config='baselines/pix2pix', untrained='CopyContent', clips=['other'])]
clips = dict(actor=dict(root={str(clips)!r}, held_out=(4, 8)), other=dict(root={str(clips)!r}, held_out=(4, 8)))
budgets = [dict(iterations=1)]
"""
    for options, found in (('{}', "content is 0 and 'first'"),
                           ("{'test_dataloader.dataset.content': 0, 'test_dataloader.dataset.frames': (5, 8)}",
                            r'frames is \[4, 8\] and \[5, 8\]')):
        file.write_text(text.replace('OPTIONS', options))
        with pytest.raises(InputError, match=f'a and b would be tested on different frames of actor: test_dataloader.dataset.{found}'):
            units_of(read_spec(file))
    file.write_text(text.replace('OPTIONS', "{'test_dataloader.dataset.content': 0}")
                    .replace("clips=['other']", "clips=['other'], options={'test_dataloader.dataset.content': 0}"))
    assert len(units_of(read_spec(file))) == 5


@pytest.mark.parametrize('options', [{'data.references': dict(count=1)}, {'data.plate': True},
                                     {'test_dataloader.dataset.references': dict(count=1)}, {}])
def test_what_a_row_shows_of_other_frames_is_none_that_are_tested(clips, tmp_path, options):
    """References, and the scene behind them, that only the options of a row ask for are taken from the other frames, too."""
    file = tmp_path / 'spec.py'
    file.write_text(f"""
rows = [dict(name='a', config='own/video', options={options!r})]
clips = dict(actor=dict(root={str(clips)!r}, held_out=(5, 8)))
budgets = [dict(iterations=1)]
""")
    dataset = config_of(units_of(read_spec(file))[0]).test_dataloader.dataset
    assert dataset.get('references') == (dict(pool=dict(exclude=(5, 8)), count=int('data.plate' not in options)) if options else None)
    if options:
        used = DATASETS.build(dataset)
        assert [np.flatnonzero(allowed).tolist() for allowed in used._footage.footage.allowed] == [[0, 1, 2, 3, 4]]


def test_what_a_config_builds_on_is_made_for_each_seed(monkeypatch, tmp_path):
    made, asked = [], []
    monkeypatch.setattr(unit_module, 'meet_needs', lambda cfg, train, read, **_: asked.append((cfg, train)))
    monkeypatch.setattr(unit_module, 'build_runner', lambda cfg, folder, **_: made.append(cfg) or SimpleNamespace(train=list))
    spec = read_spec('benchmarks/colors')
    unit = next(unit for unit in units_of(spec) if (unit.row, unit.seed) == ('frozen codes', 2))

    def folders(unit, **options):
        unit_module._meet_needs(unit, config_of(replace(unit, options=options)), tmp_path / 'needs' / '2')
        return Path(asked[-1][0].model.color_codes.up), Path(asked[-1][0].model.color_codes.down)

    up, down = folders(unit)
    assert (up.name, down.name) == ('actors_up', 'actors_down') and up.parents[1] == down.parents[1] == tmp_path / 'needs' / '2'
    assert folders(replace(unit, fast=False))[0] != up != folders(replace(unit, amp='float16'))[0], 'trained otherwise'
    assert folders(unit, **{'model.color_codes.up': 'mine/up'}) == (Path('mine/up'), down), 'another run of the user'
    _, train = asked[0]
    train(load_config('experiments/actors_up'), tmp_path)
    assert made[0].randomness.seed == 2


def test_a_stand_in_is_made_for_each_seed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('toolkit.engine.needs._missing', lambda part: 'weights are missing')

    def build_runner(cfg, folder, **kwargs):
        folder.mkdir(parents=True)
        (folder / 'iter_0000001.pth').touch()
        return SimpleNamespace(train=list)

    monkeypatch.setattr(unit_module, 'build_runner', build_runner)
    units = {unit.seed: unit for unit in units_of(read_spec('benchmarks/transfers')) if unit.row == 'skeleton consistency, real'}
    for seed in (0, 2):
        cfg = config_of(units[seed])
        unit_module._meet_needs(units[seed], cfg, tmp_path / 'needs' / str(seed))
        network = cfg.model.losses.skeleton.pose_network
        assert network.type == 'TrainedPoseNetwork' and tmp_path / 'needs' / str(seed) in Path(network.checkpoint).parents
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize('row, needed', [('frozen codes', 'actors_up'), ('skeleton consistency', 'transfer_pose_network')])
def test_a_unit_is_told_that_another_process_trains_what_it_builds_on(monkeypatch, tmp_path, row, needed):
    """A run that a config names, and a stand-in."""
    spec = read_spec('benchmarks/colors' if row == 'frozen codes' else 'benchmarks/transfers')
    unit, begun = next(unit for unit in units_of(spec) if unit.row == row), []
    monkeypatch.setattr('toolkit.engine.needs._missing', lambda part: 'weights are missing')

    def build_runner(cfg, folder, **kwargs):
        begun.append(folder)
        with pytest.raises(BeingMade):  # here this is the other process
            unit_module._train(unit, config_of(unit), tmp_path / 'out' / 'units' / 'other' / 'run', wait=False)
        raise KeyboardInterrupt

    monkeypatch.setattr(unit_module, 'build_runner', build_runner)
    with pytest.raises(KeyboardInterrupt):
        unit_module._train(unit, config_of(unit), tmp_path / 'out' / 'units' / 'one' / 'run')
    assert [folder.name for folder in begun] == [f'{needed}.unfinished'] and not (tmp_path / 'out' / 'units').exists()


def test_what_is_needed_by_what_is_needed_is_not_waited_for_either(monkeypatch, tmp_path):
    """A worker that waited there would hold the lock of what it is to make."""
    waits = []

    def meet_needs(cfg, train, read, wait, **_):
        waits.append(wait)
        if len(waits) == 1:
            train(load_config('experiments/actors_up'), tmp_path / 'actors_up')

    monkeypatch.setattr(unit_module, 'meet_needs', meet_needs)
    monkeypatch.setattr(unit_module, 'build_runner', lambda *_, **__: SimpleNamespace(train=list))
    unit = next(unit for unit in units_of(read_spec('benchmarks/colors')) if unit.row == 'frozen codes')
    unit_module._meet_needs(unit, config_of(unit), tmp_path / 'needs', wait=False)
    assert waits == [False, False]


def test_what_a_unit_is_made_of_is_watched(clips, tmp_path):
    """Another content of a config, its base, what it needs or its clips is another unit; what data sets keep in a clip is not."""
    shutil.copytree(clips, tmp_path / 'clips')
    (tmp_path / 'base.py').write_text("_base_ = 'hvt::own/video'\nmodel = dict(ema=0.5)\n")
    (tmp_path / 'need.py').write_text('train_cfg = dict(max_iters=1)\n')
    (tmp_path / 'mine.py').write_text("_base_ = 'base.py'\nneeds = dict(up=dict(part='load_from', config='{{fileDirname}}/need.py'))\n")
    file = tmp_path / 'spec.py'
    file.write_text(f"""
rows = [dict(name='ours', config={str(tmp_path / 'mine.py')!r}, budgets=[dict(iterations=1)])]
clips = dict(a=dict(options={{'data.root': {str(tmp_path / 'clips')!r}}}))
""")

    def name():
        unit, = units_of(read_spec(file))
        return unit.name

    names = [name()]
    frame = next((tmp_path / 'clips').rglob('masks/000000.png'))
    for path in (tmp_path / 'base.py', tmp_path / 'need.py'):
        path.write_text(path.read_text().replace('0.5', '0.25').replace('max_iters=1', 'max_iters=2'))
        names.append(name())
    frame.write_bytes(frame.with_name('000001.png').read_bytes() + b' ')
    names.append(name())
    assert len(set(names)) == 4
    (frame.parent.parent / 'scene.npz').write_bytes(b'kept')
    assert name() == names[-1]


def test_rendered_clips_are_not_watched(clips, tmp_path):
    """They are there after the first run, and not before it."""
    file = tmp_path / 'spec.py'
    file.write_text(f"""
rows = [dict(name='ours', config='baselines/pix2pix', budgets=[dict(iterations=1)])]
clips = dict(a=dict(options={{'data.root': {str(tmp_path / 'clips')!r}}}))
""")
    before, = units_of(read_spec(file))
    shutil.copytree(clips, tmp_path / 'clips')
    after, = units_of(read_spec(file))
    assert after.name == before.name


def test_a_run_is_kept_until_its_result_is_and_by_its_owner_alone(spec, tmp_path, monkeypatch):
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['ours'])
    folder = folder_of(benchmark.out, benchmark.units[0])
    write, there = work_module._write, []

    def run(unit, folder, device, wait):
        (folder / 'run').mkdir(parents=True, exist_ok=True)
        if not there:
            (folder / 'claim').write_text('{"token": "of another one"}')
        return dict(points=[], total_seconds=1.0)

    monkeypatch.setattr(work_module, '_tried', run)
    monkeypatch.setattr(work_module, '_write', lambda *args: there.append((folder / 'run').exists()) or write(*args))
    work_module._attempt(benchmark.out, benchmark.units[0], 'cpu', 0.0)
    assert (folder / 'run').exists() and not there and not (folder / 'result.json').exists()
    (folder / 'claim').unlink()
    there.append('mine')
    work_module._attempt(benchmark.out, benchmark.units[0], 'cpu', 0.0)
    assert there == ['mine', True] and not (folder / 'run').exists()


def test_seconds_are_those_of_all_runs_of_a_unit(spec, tmp_path, monkeypatch):
    unit = unit_named(Benchmark(spec, tmp_path / 'out'), 'ours')
    clock, folder, tests = [100.0], tmp_path / 'run', []

    def train(*_):
        folder.mkdir(exist_ok=True)
        clock[0] += 30
        return [dict(path='a.pth')]

    def test(*_):
        tests.append(1)
        if len(tests) == 1:
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(unit_module, '_train', train)
    monkeypatch.setattr(unit_module, '_test', test)
    monkeypatch.setattr(unit_module, 'time', SimpleNamespace(time=lambda: clock[0]))
    with pytest.raises(KeyboardInterrupt):
        run_unit(unit, folder, 'cpu')
    assert run_unit(unit, folder, 'cpu')['total_seconds'] == 60


@pytest.mark.parametrize('minutes, points', [([0.5], [1]), ([0, 3], [1]), ([0], [0])])
def test_a_rehearsal_trains_a_step_where_the_run_trains(spec, tmp_path, monkeypatch, minutes, points):
    spec.write_text(spec.read_text().replace('[dict(iterations=[0, 2])]', f'[dict(minutes={minutes})]'))
    seen = []

    def train(unit, cfg, folder, wait):
        seen.append((unit.points, cfg.custom_hooks[-1].iterations))
        raise InputError('enough')

    monkeypatch.setattr(unit_module, '_train', train)
    with pytest.raises(InputError, match='enough'):
        unit_module.rehearse(unit_named(Benchmark(spec, tmp_path / 'out'), 'ours'), tmp_path / 'a' / 'b' / 'c', 'cpu')
    assert seen == [(points, points)]


def test_a_folder_belongs_to_one_file(spec, tmp_path):
    other = tmp_path / 'other' / spec.name
    other.parent.mkdir()
    other.write_text(spec.read_text())
    both = [Benchmark(file, tmp_path / 'out') for file in (spec, other)]
    with pytest.raises(InputError, match='other/small.py: another file of this command has the folder .*out, too; give each'):
        run_all(both, device='cpu')
    both[0].write()
    Benchmark(spec, tmp_path / 'out')
    with pytest.raises(InputError, match='out: holds the results of .*small.py, not of .*other/small.py; give another --out'):
        Benchmark(other, tmp_path / 'out')
    with pytest.raises(InputError, match='holds the results of'):
        both[1].write()


def test_options_of_a_spec_that_it_builds_on_may_be_for_rows_of_that_one(spec, tmp_path):
    spec.write_text(spec.read_text() + "options = {'model.losses.face_perceptual.download': False}\n")
    with pytest.raises(InputError, match=r"options\['model.losses.face_perceptual.download'\]: no config of the rows has it"):
        read_spec(spec)
    spec.write_text(spec.read_text().replace("'broken', config='own/video'", "'broken', config='baselines/everybody_dance_now'"))
    (tmp_path / 'one.py').write_text("_base_ = 'small.py'\nrows = [dict(name='ours', config='own/video')]\n")
    assert [row.name for row in read_spec(tmp_path / 'one.py').rows] == ['ours']


def test_all_numbers_of_color_control_are_known():
    """Those that are not what a unit itself gives."""
    assert set(inspect.signature(control_of).parameters) == {'model', 'dataset', 'seed', 'colorizer', *COLOR_CONTROL}


@pytest.mark.parametrize('old, new, message', [
    ("name='ours', ", '', 'rows.0: name must be given'),
    ('budgets = [dict(iterations=1)]', 'budgets = [dict(iterations=1, minutes=2)]', r'budgets: expected dict\(iterations=...\) or'),
    ('budgets = [dict(iterations=1)]', 'budgets = [dict(iterations=0.5)]', 'expected numbers of at least 0'),
    ('budgets = [dict(iterations=1)]', '', r'rows.1 \(broken\): no budget'),
    ("name='nearest'", "name='ours'", 'each row needs a name of its own'),
    ('held_out', 'heldout', "clips.actor: unknown key 'heldout'.*held_out"),
    ("dict(type='PSNR')", "dict(type='PSRN')", 'metrics: expected configs'),
    ("metrics = [dict(type='PSNR'), dict(type='Sharpness')]", 'metrics = []', r'metrics: expected configs .* got \[\]'),
    ('frames = 2', "clock = 'sun'", 'clock must be one of wall, cpu'),
    ("root='", "root='nowhere", 'no prepared clips'),
    ("name='ours', ", "name='ours', init='no.pth', ", 'ours on actor starts from no.pth, which is not there'),
    ('untrained=', "init='no.pth', untrained=", r"rows.2 \(nearest\): init has no effect on untrained='NearestFrame'"),
    ('untrained=', "seeds=[1], untrained=", 'seeds has no effect on untrained'),
    ('untrained=', "fast=False, untrained=", 'fast has no effect on untrained'),
    ('untrained=', "options={'model.nonsense': 1}, untrained=", r"options\['model.nonsense'\] has no effect on untrained"),
    ('iterations=[0, 2])]', 'iterations=2), dict(iterations=[1, 2])]', "budgets: the table has a row 'ours, 2 iterations' already"),
    ("name='nearest'", "name='ours, 2 iterations'", "the table has a row 'ours, 2 iterations' already"),
    ('frames = 2', 'seeds = []', 'small.py: seeds: expected a list of whole numbers'),
    ('frames = 2', 'seeds = [1, 1]', '1 is given twice'),
    ('frames = 2', "options = {'model.emma': 1}", r"options\['model.emma'\]: no config of the rows has it"),
    ('frames = 2', 'color_control = dict(clps=4)', "color_control: unknown key 'clps'. Did you mean 'clips'"),
    ('frames = 2', 'color_control = dict(clips=0)', 'color_control.clips: expected a number of at least 1'),
    ("columns = ['psnr/full', 'sharpness/*']", "columns = 'psnr/full'", 'columns: expected a list of names'),
    ("budgets=[dict(iterations=[0, 2])]", "clips=['actr']", "no clips actr. Did you mean 'actor'"),
])
def test_what_cannot_be_is_refused_before_work(spec, old, new, message):
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        units_of(read_spec(spec))


def test_wrong_wishes(spec, tmp_path):
    with pytest.raises(InputError, match='--rows our: .*ours, broken, nearest'):
        Benchmark(spec, tmp_path / 'out', rows=['our'])
    with pytest.raises(InputError, match='--workers must be at least 1'):
        run_all([Benchmark(spec, tmp_path / 'out')], 0)
    with pytest.raises(InputError, match='--seeds 99: .*small.py has 0'):
        Benchmark(spec, tmp_path / 'out', seeds=[0, 99])
    spec.write_text(spec.read_text().replace('frames = 2', 'seeds = [0, 1]').replace("name='ours', ", "name='ours', seeds=[2], "))
    with pytest.raises(InputError, match='nothing is left'):
        Benchmark(spec, tmp_path / 'out', rows=['ours'], seeds=[1])
    units = Benchmark(spec, tmp_path / 'out', seeds=[1]).units
    assert {(unit.row, unit.seed) for unit in units} == {('broken', 1), ('nearest', 0)}, 'a row without training stays'


class Painter(nn.Module):
    """Paints by ``net_g`` with its averaged part; the others only train, or draw what nobody asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.net_g, self.net_e_ema = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), nn.Conv2d(3, 2, 1)
        self.net_e, self.net_m, self.net_d = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 100, 3), nn.Conv2d(3, 100, 3)

    def networks(self) -> dict[str, nn.Module]:
        return dict(self.named_children())

    def test_stream(self, parts):
        for part in parts:
            frames = part['frames'][0].float()
            yield self.net_g[0](frames), self.net_e_ema(frames)


def test_a_frame_costs_what_paints_it():
    dataset = [dict(frames=torch.zeros(3, 3, 8, 6, dtype=torch.uint8))]
    cost = unit_module._cost(Painter(), dataset, 'cpu')
    assert cost['parameters'] == (4 * 3 * 9 + 4) + (2 * 3 + 2)
    assert cost['gmacs'] == pytest.approx(8 * 6 * (4 * 3 * 9 + 2 * 3) / 1e9)


def test_frames_for_the_sheet_and_what_was_scored_are_kept_of_all_parts():
    """A clip of 40 frames comes in two parts; frame 0 is its content frame."""
    frames = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(40, 3, 8, 6)
    evaluation, unit = SimpleNamespace(dataset=[dict(frames=frames)], indices=[0]), SimpleNamespace(max_frames=None, frames=3)
    keeper = unit_module._Keeper(evaluation, unit)
    pictures, scored = frames.movedim(1, -1).numpy(), np.arange(40) > 0
    with keeper.watch() as see:
        for part in (slice(32), slice(32, 40)):
            see(dict(model=dict(clip='a', real=pictures[part], generated=pictures[part] + 100, scored=scored[part])))
    assert keeper.tested == dict(a=[39, 8, 6])
    assert {key: [int(one[0, 0, 0]) for one in kept] for key, kept in keeper.kept.items()} == {
        'real/a': [0, 20, 39], 'generated/a': [100, 120, 139]}


def test_networks_of_metrics_are_no_memory_of_what_generates(monkeypatch, tmp_path):
    class Metric:
        pass

    class Evaluated:
        def __init__(self, *_, **__):
            self.metrics, self.models, self.dataset, self.indices = [Metric()], dict(model=nn.Identity()), [], []
            self.self = self  # as in a cycle
            seen.append(weakref.ref(self.metrics[0]))

        def run(self, watch):
            pass

        def results(self):
            return dict(metrics={})

    seen = []
    monkeypatch.setattr(unit_module, 'Evaluation', Evaluated)
    monkeypatch.setattr(unit_module, '_cost', lambda *_: dict(left=seen[0]()))
    unit = SimpleNamespace(max_frames=None, frames=1, color_control=None)
    assert unit_module._test(unit, None, None, 'cpu', tmp_path / '0.npz')['cost'] == dict(left=None)


def test_workers_see_one_gpu_each(monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert [placed(None, n, 2)[0]['CUDA_VISIBLE_DEVICES'] for n in range(3)] == ['0', '1', '0']
    assert placed('cuda:1', 0, 2)[0]['CUDA_VISIBLE_DEVICES'] == '1' and placed(None, 0, 0)[1] == 'cpu'
    assert placed('cpu', 0, 2)[0]['CUDA_VISIBLE_DEVICES'] == ''
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
    assert placed(None, 1, 2)[0]['CUDA_VISIBLE_DEVICES'] == '7'
    with pytest.raises(InputError, match='has 1 GPUs'):
        placed('cuda:1', 0, 1)


def test_time_left_is_that_of_the_same_row_else_of_the_size(spec):
    units = units_of(read_spec(spec))
    ours, broken, nearest = units
    assert [unit.row for unit in units] == ['ours', 'broken', 'nearest'], 'the longest first'
    assert expected_seconds([ours], []) is None
    assert expected_seconds([ours], [(ours, 7.0), (broken, 1.0)]) == 7.0
    assert expected_seconds([ours], [(broken, 3.0)]) == pytest.approx(6.0)
    assert expected_seconds([nearest], [(broken, 3.0)]) == 3.0


def test_specs_of_the_toolkit_can_be_read(monkeypatch, tmp_path):
    names = sorted(path.stem for path in (ROOT / 'configs' / 'benchmarks').glob('*.py'))
    assert {'people', 'pieces', 'table1'} <= set(names)
    for name in names:
        spec = read_spec(f'benchmarks/{name}')
        assert len({row.name for row in spec.rows}) == len(spec.rows) > 1
        for clip in spec.clips.values():
            clip.root = None
        for row in spec.rows:
            row.init = row.init and 'hvt::pretrained/textured.safetensors'
        for unit in {unit.row: unit for unit in units_of(spec)}.values():
            cfg = config_of(unit)
            data, halvings = cfg.test_dataloader.dataset, (cfg.model.get('generator') or {}).get('n_down', 0)
            assert not data.get('pixels') or data.get('multiple', 16) % 2**halvings == 0, f'{name}: {unit.row} cannot take this size'


def test_schedules_of_each_optimizer_fit_the_budget(clips, tmp_path):
    linear, constant = (dict(type='LinearLR', start_factor=1.0, end_factor=end, begin=0, end=100) for end in (0.0, 0.5))
    base, file = load_config('baselines/pix2pix').filename, tmp_path / 'spec.py'

    def made(d, budget):
        own = tmp_path / 'own.py'
        own.write_text(f"_base_ = {str(base)!r}\nparam_scheduler = dict(_delete_=True, g=[{linear}], d={d})\n"
                       'train_cfg = dict(max_iters=100)\n')
        file.write_text(f"rows = [dict(name='a', config={str(own)!r}, budgets=[dict({budget})])]\n"
                        f'clips = dict(actor=dict(root={str(clips)!r}, held_out=(0.5, 1.0)))\n')
        return config_of(units_of(read_spec(file))[0])

    cfg = made([], 'iterations=40')
    assert cfg.param_scheduler.g[0].end == 40 and cfg.param_scheduler.d == []
    assert made(constant, 'iterations=100').param_scheduler.d[0].end_factor == 0.5
    cfg = made([linear], 'minutes=2')
    assert cfg.custom_hooks[-1].schedulers[0].end == 100 and cfg.param_scheduler == []
    with pytest.raises(InputError, match=r'a: param_scheduler differs between optimizers \(g, d\).* a budget of iterations'):
        made(constant, 'minutes=2')
