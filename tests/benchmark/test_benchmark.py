"""A small benchmark from its file to its table: goes on, notices changes, shares work, outlives errors and kills."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.benchmark import unit as unit_module
from toolkit.benchmark import work as work_module
from toolkit.benchmark.run import Benchmark, run_all
from toolkit.benchmark.spec import read_spec, units_of
from toolkit.benchmark.unit import config_of, run_unit
from toolkit.benchmark.work import expected_seconds, folder_of, placed, result_of, work, write_plan
from toolkit.doors import read_json
from toolkit.engine.config import load_config
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
        'sheet_actor_00_wave_right.png', 'table.csv', 'table.json', 'table.md']
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


def test_errors_are_told_when_they_come(spec, clips, tmp_path, capsys):
    spec.write_text(SPEC.format(small=SMALL, root=str(clips)).replace("'model.generator.ngf': 7", "'model.generator.n_down': 9"))
    run_all([Benchmark(spec, tmp_path / 'out', rows=['broken', 'nearest'])], device='cpu')
    assert 'failed: broken on actor, seed 0: input of 64 x 64 pixels' in capsys.readouterr().out


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
    assert not (tmp_path / 'run').exists()
    with np.load(tmp_path / 'frames' / '1.npz') as frames:
        assert sorted(key.partition('/')[0] for key in frames.files) == ['generated', 'real']
        assert all(frames[key].shape == (2, 64, 64, 3) for key in frames.files)


def test_the_config_of_a_unit(clips, tmp_path):
    file = tmp_path / 'spec.py'
    file.write_text(f"""
rows = [dict(name='a', config='own/finetune', init='hvt::pretrained/textured.safetensors', budgets=[dict(iterations=40)]),
        dict(name='b', config='baselines/pix2pix', budgets=[dict(minutes=2)], options={{'model.generator.ngf': 8}})]
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


def test_what_a_config_builds_on_is_made_for_each_seed(monkeypatch, tmp_path):
    made, asked = [], []
    monkeypatch.setattr(unit_module, 'meet_needs', lambda cfg, train, read: asked.append((cfg, train)))
    monkeypatch.setattr(unit_module, 'build_runner', lambda cfg, folder, **_: made.append(cfg) or SimpleNamespace(train=list))
    spec = read_spec('benchmarks/colors')
    unit = next(unit for unit in units_of(spec) if (unit.row, unit.seed) == ('frozen codes', 2))
    unit_module._meet_needs(unit, config_of(unit), tmp_path / 'needs' / '2')
    (cfg, train), = asked
    assert cfg.model.color_codes.up == str(tmp_path / 'needs' / '2' / 'actors_up')
    assert cfg.model.color_codes.down == str(tmp_path / 'needs' / '2' / 'actors_down')
    train(load_config('experiments/actors_up'), tmp_path)
    assert made[0].randomness.seed == 2


@pytest.mark.parametrize('old, new, message', [
    ("name='ours', ", '', 'rows.0: name must be given'),
    ('budgets = [dict(iterations=1)]', 'budgets = [dict(iterations=1, minutes=2)]', r'budgets: expected dict\(iterations=...\) or'),
    ('budgets = [dict(iterations=1)]', 'budgets = [dict(iterations=0.5)]', 'expected numbers of at least 0'),
    ('budgets = [dict(iterations=1)]', '', r'rows.1 \(broken\): no budget'),
    ("name='nearest'", "name='ours'", 'each row needs a name of its own'),
    ('held_out', 'heldout', "clips.actor: unknown key 'heldout'.*held_out"),
    ("dict(type='PSNR')", "dict(type='PSRN')", 'metrics: expected configs'),
    ('frames = 2', "clock = 'sun'", 'clock must be one of wall, cpu'),
    ("root='", "root='nowhere", 'no prepared clips'),
    ('untrained=', "init='no.pth', untrained=", 'nearest on actor starts from no.pth, which is not there'),
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
    with pytest.raises(InputError, match='nothing is left'):
        Benchmark(spec, tmp_path / 'out', seeds=[5])


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
