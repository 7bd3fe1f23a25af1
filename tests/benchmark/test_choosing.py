"""What is chosen is run; the table is of all that is done. What a unit starts from is watched, what a kill left is removed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.benchmark import unit as unit_module
from toolkit.benchmark import work as work_module
from toolkit.benchmark.claims import Claim
from toolkit.benchmark.plan import units_of
from toolkit.benchmark.run import Benchmark, run_all
from toolkit.benchmark.spec import read_spec
from toolkit.benchmark.work import folder_of, result_of, tidy, write_plan
from toolkit.datasets.windows import ClipWindows
from toolkit.registry import DATASETS
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parents[2]
SPEC = """
rows = [dict(name=name, config='own/video') for name in ('first', 'second', 'third')]
rows += [dict(name='nearest', config='own/video', untrained='NearestFrame')]
clips = dict(one=dict(options={'data.root': 'nowhere/one'}), two=dict(options={'data.root': 'nowhere/two'}))
budgets = [dict(iterations=2)]
seeds = [0, 1]
columns = ['psnr/*', 'psnr/full']
"""


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / 'small.py'
    file.write_text(SPEC)
    return file


def finish(benchmark, units, value=1.0, **result):
    """Results as a worker writes them."""
    for unit in units:
        measured = dict(value=value, per_clip=dict(a=value), better='higher', definition='PSNR', reason='', unit='frames')
        points = [dict(label=label, iteration=2, cost=dict(memory=2**20), metrics={'psnr/full': measured}) for label in unit.labels]
        folder_of(benchmark.out, unit).mkdir(parents=True, exist_ok=True)
        work_module._write(folder_of(benchmark.out, unit) / 'result.json', unit, result or dict(points=points, total_seconds=1.), 'cpu')


def of(benchmark, *rows):
    return [unit for unit in benchmark.whole if unit.row in rows]


def test_the_table_is_of_all_that_is_done_whatever_is_chosen(spec, tmp_path):
    out = tmp_path / 'out'
    everything = Benchmark(spec, out)
    for number, row in enumerate(('first', 'second', 'third', 'nearest')):
        finish(everything, of(everything, row), number)
    everything.write()
    whole = (out / 'table.md').read_text()
    chosen = Benchmark(spec, out, rows=['second', 'third'], clips=['two'], seeds=[1])
    assert {(unit.row, unit.clip, unit.seed) for unit in chosen.units} == {('second', 'two', 1), ('third', 'two', 1)}
    table = chosen.write()
    assert (out / 'table.md').read_text() == whole and '14 of 14 units are done' in whole
    entry = table.entry('second, 2 iterations', 'psnr/full')
    assert (entry['difference'], entry['reference'], entry['clips']) == (1.0, 'first, 2 iterations', 2)
    assert table.columns() == ['psnr/full'], 'which two names of the file mean'


def test_rows_are_compared_with_the_first_one_that_has_results(spec, tmp_path):
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['third'])
    finish(benchmark, of(benchmark, 'second'), 2.0)
    finish(benchmark, of(benchmark, 'third'), 5.0)
    finish(benchmark, of(benchmark, 'first')[:1], error='out of memory')
    table = benchmark.write()
    assert table.entry('third, 2 iterations', 'psnr/full')['difference'] == 3.0
    assert '| third, 2 iterations | second, 2 iterations | +3.0000' in table.as_markdown()
    assert '| first, 2 iterations | 0 | failed |' in table.as_markdown() and 'so this is not all' in table.as_markdown()
    finish(benchmark, of(benchmark, 'first')[1:], 4.0)
    assert benchmark.write().entry('third, 2 iterations', 'psnr/full')['difference'] == 1.0


def test_names_of_metrics_that_nobody_measures_are_told_when_what_was_chosen_is_done(spec, tmp_path):
    spec.write_text(SPEC.replace("'psnr/full'", "'psnr/ful'"))
    some = Benchmark(spec, tmp_path / 'out', seeds=[1])
    finish(some, some.units)
    assert some.write().errors == ["columns: no metric was measured that 'psnr/ful' names. There are: psnr/full"]
    assert Benchmark(spec, tmp_path / 'out', rows=['first']).write().errors == [], 'another row may measure it'


@pytest.fixture
def tool():
    found = importlib.util.spec_from_file_location('tools_benchmark', ROOT / 'tools' / 'benchmark.py')
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            module.main([str(argument) for argument in arguments])
        return stop.value.code

    return run


def test_a_command_fails_with_what_it_was_asked_for(spec, tmp_path, tool, capsys):
    benchmark = Benchmark(spec, tmp_path / 'out')
    finish(benchmark, of(benchmark, 'first'))
    finish(benchmark, of(benchmark, 'second'), error='out of memory')
    command = [spec, '--out', tmp_path / 'out', '--device', 'cpu']
    assert tool(*command, '--rows', 'first') == 0
    said = capsys.readouterr().out
    assert '- second on one, seed 0: out of memory' in said and '| nearest | 0 | not run |' in said, 'the table is the whole one'
    assert tool(*command[:-2], '--table') == 1


@pytest.mark.parametrize('given, message', [
    (('--table', '--rows', 'first'), '--rows is for what is run, and --table runs nothing'),
    (('--table', '--workers', 1), '--workers is for what is run, and --table runs nothing'),
    (('--table', '--device', 'cpu'), '--device is for what is run, and --table runs nothing'),
    (('--table', '--stop-after', 5), '--stop-after is for what is run, and --table runs nothing'),
    (('--table', '--dry-run'), '--table writes what is done, and --dry-run says what there is to do'),
    (('--dry-run', '--workers', 0), '--workers must be at least 1'),
    (('--dry-run', '--stop-after', -3), '--stop-after must be more than 0'),
    (('--dry-run', '--device', 'cuda:9'), 'cuda:9')])
def test_options_of_a_command_that_runs_nothing(spec, tmp_path, tool, capsys, given, message):
    assert tool(spec, '--out', tmp_path / 'out', *given) == 2
    assert message in capsys.readouterr().err and not (tmp_path / 'out').exists()


def test_no_clips_are_not_all_clips(spec, tmp_path):
    spec.write_text(SPEC + "rows[0]['clips'] = []\n")
    with pytest.raises(InputError, match=r'clips: expected a list of names of clips, got \[\]; leave it out for all'):
        Benchmark(spec, tmp_path / 'out')


def test_what_failed_is_not_told_as_done(spec, tmp_path):
    benchmark = Benchmark(spec, tmp_path / 'out', seeds=[0], clips=['one'])
    finish(benchmark, of(benchmark, 'first'))
    finish(benchmark, of(benchmark, 'second'), error='out of memory')
    lines = benchmark.plan().splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [['done', 'first'], ['failed', 'second']]
    assert lines[-1].startswith('4 units, 1 done, 1 failed and tried again: ')


def test_what_others_need_may_be_missing(spec, tmp_path):
    """The table says that it is not all, and counts them."""
    spec.write_text(SPEC + "rows += [dict(name='later', config='own/finetune', init='later.pth')]\n"
                    "clips['elsewhere'] = dict(root='nowhere/three')\n")
    for options, message in ((dict(rows=['later']), 'later on one starts from later.pth'), ({}, 'no prepared clips|later.pth'),
                             (dict(clips=['elsewhere']), 'nowhere/three: no prepared clips')):
        with pytest.raises(InputError, match=message):
            Benchmark(spec, tmp_path / 'out', **options)
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['first'], clips=['one'])
    finish(benchmark, benchmark.units)
    table = benchmark.write()
    assert '2 of 27 units are done, so this is not all' in table.as_markdown() and 'later, 2 iterations' in table.labels


def test_no_time_is_refused(spec, tmp_path):
    for minutes in (0.0, -1.0, float('nan')):
        with pytest.raises(InputError, match='--stop-after must be more than 0 minutes'):
            run_all([Benchmark(spec, tmp_path / 'out')], device='cpu', minutes=minutes)


@pytest.fixture
def ghost():
    """What a process that was and is no more said of itself."""
    code = 'import json\nfrom toolkit.benchmark.claims import owner\nprint(json.dumps(owner()))'
    return json.loads(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def test_what_a_kill_left_is_removed_by_the_next_command(spec, tmp_path, ghost):
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['first', 'second'], clips=['one'])
    finish(benchmark, benchmark.units)
    kept, failed, begun, held = (folder_of(benchmark.out, unit) for unit in benchmark.units)
    for folder in (kept, failed, begun, held):
        for name in ('run', 'rehearsal'):
            (folder / name).mkdir()
            (folder / name / 'point_0.pth').touch()
        for name in ('claim', '.claim.0', '.now.0', 'notes.txt'):
            (folder / name).write_text(json.dumps(dict(ghost, token='of a ghost', deaths=0)))
    finish(benchmark, benchmark.units[1:2], error='out of memory')
    (begun / 'result.json').unlink()
    (held / 'claim').unlink()
    mine = Claim(held)
    assert mine.take()
    plans = [write_plan(benchmark.out, [(benchmark.out, unit) for unit in benchmark.units]) for _ in range(2)]
    plans[0].write_text(json.dumps(dict(json.loads(plans[0].read_text()), owner=ghost)))
    tidy(benchmark.out)
    assert {path.name for path in kept.iterdir()} == {'result.json', 'notes.txt'}
    for folder in (failed, begun, held):
        assert (folder / 'run' / 'point_0.pth').exists() and (folder / 'claim').exists(), folder
    assert [plan.exists() for plan in plans] == [False, True]
    mine.release()
    done = Benchmark(spec, tmp_path / 'out', rows=[benchmark.units[3].row], clips=['one'], seeds=[benchmark.units[3].seed])
    run_all([done], device='cpu')
    assert {path.name for path in held.iterdir()} == {'result.json', 'notes.txt'}, 'by a command with nothing else to do, too'


def test_a_result_outlives_a_power_cut(spec, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, 'fsync', synced.append)
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['nearest'], clips=['one'])
    finish(benchmark, benchmark.units)
    assert synced


def test_pictures_for_the_sheet_are_whole_or_not_there(monkeypatch, tmp_path):
    class Evaluated:
        def __init__(self, *_, **__):
            self.dataset, self.indices = [], []

        def run(self, watch):
            pass

    def cut_off(file, **pictures):
        file.write(b'half') if hasattr(file, 'write') else Path(file).write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(unit_module, 'Evaluation', Evaluated)
    monkeypatch.setattr(np, 'savez_compressed', cut_off)
    with pytest.raises(KeyboardInterrupt):
        unit_module._test(SimpleNamespace(max_frames=None, frames=1, color_control=None), None, None, 'cpu', tmp_path / '0.npz')
    assert not list(tmp_path.iterdir())


def test_a_row_is_rehearsed_once_by_all_workers_together(spec, tmp_path, monkeypatch):
    """A second worker had the list of what to rehearse before the first one was done with it."""
    rehearsed = []
    monkeypatch.setattr(unit_module, 'rehearse', lambda unit, *_: rehearsed.append(unit.row))
    benchmark = Benchmark(spec, tmp_path / 'out')
    jobs = [[(benchmark.out, unit) for unit in benchmark.units] for _ in range(2)]
    lists = [work_module._to_rehearse(list_, 0.) for list_ in jobs]
    for out, unit in [*lists[0], *lists[1]]:
        work_module._attempt(out, unit, 'cpu', 0., attempt=work_module._rehearsed)
    assert len(rehearsed) == 8 and result_of(benchmark.out, benchmark.units[0]) is None


def test_ctrl_c_reaches_a_worker_through_its_command_alone(spec, tmp_path, monkeypatch):
    """The terminal sends it to all processes, and the command passes it on: the second one would end what the first one began."""
    def run(*_):
        os.kill(os.getpid(), signal.SIGINT)
        return dict(points=[], total_seconds=1.)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(work_module, '_tried', run)
    benchmark = Benchmark(spec, tmp_path / 'out', rows=['nearest'], clips=['one'])
    plan = write_plan(benchmark.out, [(benchmark.out, unit) for unit in benchmark.units])
    work_module.work(plan, 'cpu')
    assert 'error' not in result_of(benchmark.out, benchmark.units[0]) and signal.getsignal(signal.SIGINT) is before


def test_a_folder_of_other_things_is_left_alone(spec, tmp_path):
    for name, content, message in (('table.csv', 'mine', 'out: holds files that no benchmark wrote'),
                                   ('spec.json', '{}', 'spec.json: was not written by a benchmark; give another --out')):
        (tmp_path / 'out').mkdir(exist_ok=True)
        (tmp_path / 'out' / name).write_text(content)
        with pytest.raises(InputError, match=message):
            Benchmark(spec, tmp_path / 'out')
    shutil.rmtree(tmp_path / 'out')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / '.DS_Store').touch()
    Benchmark(spec, tmp_path / 'out').write()
    Benchmark(spec, tmp_path / 'out')


def test_workers_share_the_cores_that_the_container_has(spec, tmp_path, monkeypatch):
    started = []
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr('toolkit.machine.QUOTA', tmp_path / 'cpu.max')
    (tmp_path / 'cpu.max').write_text('100000 100000')
    monkeypatch.setattr(os, 'cpu_count', lambda: 64)
    monkeypatch.setattr(work_module.subprocess, 'Popen', lambda *_, env, **__: started.append(env['OMP_NUM_THREADS']))
    benchmark = Benchmark(spec, tmp_path / 'out')
    work_module.Workers([(benchmark.out, unit) for unit in benchmark.units], 1, 'cpu')._start()
    assert started == ['1']


def names(spec):
    return {unit.name for unit in units_of(read_spec(spec))}


@pytest.mark.parametrize('key, value', [('load_from', "'{file}'"), ('networks_from', "dict(net_g='{file}')"),
                                        ('networks_from', "dict(net_g=dict(file='{file}'))"),
                                        ('networks_from', "dict(net_e=dict(network='{file}'))"),
                                        ('networks_from', "dict(net_e=dict(network=dict(file='{file}', without=[])))")])
def test_another_checkpoint_of_the_config_makes_another_unit(tmp_path, key, value):
    weights, spec = tmp_path / 'start.pth', tmp_path / 'spec.py'
    (tmp_path / 'mine.py').write_text(f"_base_ = 'hvt::own/video'\n{key} = {value.format(file=weights)}\n")
    spec.write_text(f'rows = [dict(name="ours", config={str(tmp_path / "mine.py")!r}, budgets=[dict(iterations=1)])]\n'
                    'clips = dict(a=dict())\n')
    found = [names(spec)]
    for content in ('old', 'new'):
        weights.write_text(content)
        found.append(names(spec))
    assert len({name for one in found for name in one}) == 3
    spec.write_text(spec.read_text().replace("budgets=[dict(iterations=1)]", "untrained='NearestFrame'"))
    before = names(spec)
    weights.write_text('newer')
    assert names(spec) == before, 'a model without weights starts from none'


def test_another_division_of_the_clips_makes_another_unit(tmp_path):
    division, spec = tmp_path / 'halves.json', tmp_path / 'spec.py'
    spec.write_text(f"""
rows = [dict(name='ours', config='baselines/pix2pix', budgets=[dict(iterations=1)])]
clips = dict(a=dict(options={{'data.split_rule': None, 'data.split_file': {str(division)!r}}}))
""")
    found = []
    for content in ('{}', '{"train": []}'):
        division.write_text(content)
        found.append(names(spec))
    assert found[0] != found[1]


def test_clips_of_a_person_who_is_named_by_a_folder_are_watched(clips, tmp_path):
    root, spec = tmp_path / 'clips', tmp_path / 'spec.py'
    shutil.copytree(clips[0].folder.parent, root)
    (tmp_path / 'mine.py').write_text(f"test_dataloader = dict(dataset=dict(type='DirectedClips', a={str(root)!r}, b={str(root)!r}))\n")
    spec.write_text(f'rows = [dict(name="ours", config={str(tmp_path / "mine.py")!r}, untrained="NearestFrame")]\n'
                    'clips = dict(a=dict())\n')
    before = names(spec)
    frame = next(root.rglob('masks/000000.png'))
    frame.write_bytes(frame.read_bytes() + b' ')
    assert names(spec) != before


def test_what_a_data_set_does_not_say_is_what_its_class_takes(tmp_path, monkeypatch):
    """So two rows agree of which one says what the other's data set does anyway."""
    class FromTheStart(ClipWindows):
        def __init__(self, root, content=0, **kwargs):
            super().__init__(root, content=content, **kwargs)

    monkeypatch.setitem(DATASETS._module_dict, 'FromTheStart', FromTheStart)
    spec = tmp_path / 'spec.py'
    spec.write_text("""
_free = {'test_dataloader.dataset.type': 'FromTheStart'}
rows = [dict(name='ours', config='baselines/vid2vid', options={'test_dataloader.dataset.content': 0}),
        dict(name='theirs', config='baselines/vid2vid', options=_free)]
clips = dict(a=dict())
budgets = [dict(iterations=1)]
""")
    assert len(names(spec)) == 2
    spec.write_text(spec.read_text().replace("'test_dataloader.dataset.content': 0", ''))
    with pytest.raises(InputError, match="content is 'first' and 0"):
        names(spec)


@pytest.mark.parametrize('old, new, message', [
    ("dict(one=dict(options={'data.root': 'nowhere/one'}), two=dict(options={'data.root': 'nowhere/two'}))", "['one']",
     r"small.py: clips: expected a dict, got \['one'\]"),
    ("name='nearest'", 'name=3', 'rows.3.name: expected text, got 3'),
    ("name='nearest'", "name='nearest', options=['data.root']", 'rows.3.options: expected a dict, got'),
    ("one=dict(options={'data.root': 'nowhere/one'})", 'one=dict(held_out=5)', 'clips.one.held_out: expected a list'),
    ('seeds = [0, 1]', "frames = '4'", "small.py: frames: expected a whole number, got '4'"),
    ('seeds = [0, 1]', "metrics = dict(type='PSNR')", 'metrics: expected configs'),
    ('one=', "**{'t/o': dict(), 't_o': dict()}, one=", 'clips need names that differ as names of files, too'),
    ("untrained='NearestFrame'", "init='{who}.pth'", 'nearest starts from {who}.pth: expected no braces but {clip} and {person}'),
])
def test_what_cannot_be_is_refused_in_a_line(spec, old, new, message):
    assert old in SPEC
    spec.write_text(SPEC.replace(old, new))
    with pytest.raises(InputError, match=message):
        units_of(read_spec(spec))


def test_an_open_end_is_held_out(spec):
    spec.write_text(SPEC.replace("one=dict(options={'data.root': 'nowhere/one'})", 'one=dict(held_out=(0.5, None))'))
    unit = next(unit for unit in units_of(read_spec(spec)) if unit.clip == 'one')
    assert unit_module.config_of(replace(unit, optional={})).test_dataloader.dataset.frames == (0.5, None)


def test_a_config_without_a_test_is_told_by_the_run(spec, tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = 'hvt::own/video'\ntest_dataloader = None\n")
    text = SPEC.replace("options={'data.root': 'nowhere/one'}", 'held_out=(0, 2)')
    spec.write_text(text.replace('own/video', str(tmp_path / 'mine.py')))
    assert len(units_of(read_spec(spec))) == 14
