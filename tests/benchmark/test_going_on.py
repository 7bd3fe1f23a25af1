"""A benchmark that goes on elsewhere, beside another command, after an error, or after what it was made from has changed."""

import shutil
import time
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from toolkit.benchmark import unit as unit_module
from toolkit.benchmark import work as work_module
from toolkit.benchmark.plan import units_of
from toolkit.benchmark.run import Benchmark
from toolkit.benchmark.spec import read_spec
from toolkit.benchmark.unit import config_of
from toolkit.benchmark.work import folder_of, result_of, write_plan
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.budget_hook import BudgetHook
from toolkit.engine.needs import BeingMade
from toolkit.losses.perceptual import PerceptualLoss
from toolkit.losses.perceptual_backbones import SQUEEZENET_FILE
from toolkit.losses.skeleton import SkeletonLoss
from toolkit.structures import InputError

SPEC = """
rows = [dict(name=name, config='own/video') for name in ('first', 'second')]
clips = dict(one=dict(options={'data.root': 'nowhere/one'}))
budgets = [dict(iterations=[0, 2])]
"""


class Method(torch.nn.Module):
    """With a loss that looks through the network whose weights it finds, and one that has none."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = torch.nn.ModuleDict(dict(perceptual=PerceptualLoss(), skeleton=SkeletonLoss(None)))


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / 'small.py'
    file.write_text(SPEC)
    return file


def test_a_run_whose_folder_was_moved_goes_on_with_the_points_that_lie_there(spec, tmp_path, monkeypatch):
    """Or which another machine has under another name."""
    unit, *_ = units_of(read_spec(spec))
    runner = SimpleNamespace(work_dir=str(tmp_path / 'old'), iter=0, train_loop=SimpleNamespace(stop_training=False),
                             save=lambda path, pointer: path.touch())
    (tmp_path / 'old').mkdir()
    first, hook = BudgetHook(iterations=unit.points), BudgetHook(iterations=unit.points)
    first._look(runner)
    hook.load_state_dict(first.state_dict())
    folder = folder_of(tmp_path / 'new', unit) / 'run'
    shutil.copytree(tmp_path / 'old', folder)
    shutil.rmtree(tmp_path / 'old')
    (folder / 'iter_0000001.pth').touch()

    def train():
        runner.work_dir, runner.iter = str(folder), 2
        hook._look(runner)

    monkeypatch.setattr(unit_module, '_meet_needs', lambda *_: None)
    monkeypatch.setattr(unit_module, 'build_runner', lambda *_, **__: SimpleNamespace(hooks=[hook], train=train, model=Method()))
    points = unit_module._train(unit, None, folder)
    assert [Path(point['path']) for point in points] == [folder / 'point_0.pth', folder / 'point_1.pth']
    assert all(Path(point['path']).exists() for point in points)


def test_runs_of_a_row_whose_losses_found_other_weights_are_told(spec, tmp_path, monkeypatch):
    """As on two machines, one of which lacks them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.delenv('TOOLKIT_WEIGHTS', raising=False)
    (tmp_path / 'weights').mkdir()
    networks = torchvision.models.squeezenet1_1(weights=None)
    unit_networks = [unit_module._loss_networks(Method())]
    save_file(networks.state_dict(), tmp_path / 'weights' / SQUEEZENET_FILE)
    unit_networks.append(unit_module._loss_networks(Method()))
    assert unit_networks == [{'losses.perceptual': name, 'losses.skeleton': ''} for name in ('off', 'squeezenet1_1')]
    spec.write_text(SPEC + 'seeds = [0, 1, 2]\n')
    benchmark = Benchmark(spec, tmp_path / 'out')

    def errors(networks):
        for unit in benchmark.units:
            points = [dict(label=label, cost=dict(memory=1), metrics={}, loss_networks=networks[unit.row][unit.seed])
                      for label in unit.labels]
            work_module._write(folder_of(benchmark.out, unit) / 'result.json', unit, dict(points=points, total_seconds=1.), 'cpu')
        return benchmark.write().errors

    off, on = unit_networks
    assert errors(dict(first=[off, off, off], second=[on, on, on])) == [], 'which a row may be about'
    error, = errors(dict(first=[off, off, off], second=[on, off, on]))
    assert error.startswith('second on one, seed 1: trained with losses.perceptual by off, but second on one, seed 0 by squeezenet1_1')
    assert benchmark.write().failed


@pytest.mark.parametrize('budget, length', [('iterations=200', 204), ('iterations=24', 24), ('minutes=1', 999_999_996)])
def test_a_row_that_gathers_gradients_ends_with_a_whole_update(spec, tmp_path, monkeypatch, budget, length):
    """So the loop takes it, and its rehearsal: one step would be no update."""
    spec.write_text(f"""
rows = [dict(name='a', config='own/video', budgets=[dict({budget})], options={{
    'optim_wrapper.g.accumulative_counts': 4, 'optim_wrapper.d.accumulative_counts': 6}})]
clips = dict(one=dict())
""")
    unit, = units_of(read_spec(spec))
    assert config_of(unit).train_cfg.max_iters == length
    seen = []

    def train(unit, cfg, folder, wait):
        seen.append((cfg.custom_hooks[-1].iterations, cfg.train_cfg.max_iters))
        raise InputError('enough')

    monkeypatch.setattr(unit_module, '_train', train)
    with pytest.raises(InputError, match='enough'):
        unit_module.rehearse(unit, tmp_path / 'a' / 'b' / 'c', 'cpu')
    assert seen == [([1], 12)]


def test_commands_that_run_at_a_time_have_logs_of_their_own(spec, tmp_path):
    benchmark = Benchmark(spec, tmp_path / 'out')
    commands = [work_module.Workers([(benchmark.out, unit)], 2, 'cpu') for unit in benchmark.units]
    logs = {command._log(number) for command in commands for number in range(2)}
    assert len(logs) == 4 and {log.parent for log in logs} == {tmp_path / 'out' / 'logs'}


def test_a_worker_that_has_lost_its_gpu_leaves_the_other_units_to_another_one(spec, tmp_path, monkeypatch):
    """After a failed assertion on the GPU whatever the process asks of it fails."""
    benchmark, tried, lost = Benchmark(spec, tmp_path / 'out'), [], []

    def run(unit, folder, device, wait):
        tried.append(unit)
        lost.append(True)
        raise RuntimeError('CUDA error: device-side assert triggered')

    def synchronize():
        if lost:
            raise RuntimeError('CUDA error: device-side assert triggered')

    for name, value in (('rehearse', lambda *_: None), ('run_unit', run)):
        monkeypatch.setattr(unit_module, name, value)
    monkeypatch.setattr(torch.cuda, 'synchronize', synchronize)
    monkeypatch.setattr(work_module, '_named', lambda device: device)
    plan = write_plan(benchmark.out, [(benchmark.out, unit) for unit in benchmark.units])
    with pytest.raises(SystemExit) as stop:
        work_module.work(plan, 'cuda')
    assert stop.value.code == 1 and len(tried) == 1, 'the command starts another worker'
    results = {unit.row: result_of(benchmark.out, unit) for unit in benchmark.units}
    assert 'device-side' in results['first']['error'] and results['second'] is None
    assert not list(benchmark.out.rglob('claim'))


@pytest.mark.parametrize('begun', [False, True])
def test_a_worker_does_what_can_be_done_while_another_one_trains_what_the_rest_needs(spec, tmp_path, monkeypatch, begun):
    """Where a row is rehearsed and where it is not. When nothing else is left, the worker waits."""
    benchmark, asked, done = Benchmark(spec, tmp_path / 'out'), [], []

    def meet(kind, unit, wait):
        asked.append((kind, unit.row, wait))
        if unit.row == 'first' and not wait:
            raise BeingMade('another process trains it')

    def run(unit, folder, device, wait):
        meet('run', unit, wait)
        done.append(unit.row)
        return dict(points=[], total_seconds=1.)

    monkeypatch.setattr(unit_module, 'rehearse', lambda unit, folder, device, wait: meet('rehearsal', unit, wait))
    monkeypatch.setattr(unit_module, 'run_unit', run)
    if begun:
        for unit in benchmark.units:
            (folder_of(benchmark.out, unit) / 'rehearsed').mkdir(parents=True)
    work_module.work(write_plan(benchmark.out, [(benchmark.out, unit) for unit in benchmark.units]), 'cpu')
    runs = [('run', 'first', False), ('run', 'second', False), ('run', 'first', False), ('run', 'first', True)]
    assert asked == ([] if begun else [('rehearsal', row, False) for row in ('first', 'second')]) + runs
    assert done == ['second', 'first'] and not any('error' in result_of(benchmark.out, unit) for unit in benchmark.units)
    assert not list(benchmark.out.rglob('claim'))


def test_what_failed_holds_no_memory(tmp_path):
    seen = []

    def run():
        network = torch.nn.Linear(1, 1)
        network.runner = SimpleNamespace(network=network)  # as in a runner, whose hooks and loops know it
        seen.append(weakref.ref(network))
        raise RuntimeError('CUDA out of memory')

    assert 'out of memory' in work_module._result(run)['error'] and seen[0]() is None


def changed(path, text):
    path.write_bytes(path.read_bytes() + text)


def test_networks_that_begin_with_other_files_than_the_rest_make_another_unit(spec, tmp_path):
    """``init`` takes the place of ``load_from`` alone."""
    for name in ('start.pth', 'part.pth', 'unused.pth'):
        (tmp_path / name).write_text('old')
    (tmp_path / 'mine.py').write_text(f"_base_ = 'hvt::own/video'\nload_from = {str(tmp_path / 'unused.pth')!r}\n"
                                      f"networks_from = dict(net_g={str(tmp_path / 'part.pth')!r})\n")
    spec.write_text(f"rows = [dict(name='a', config={str(tmp_path / 'mine.py')!r}, init={str(tmp_path / 'start.pth')!r})]\n"
                    'clips = dict(one=dict())\nbudgets = [dict(iterations=1)]\n')
    names = []
    for name in (None, 'start.pth', 'part.pth', 'unused.pth'):
        if name:
            changed(tmp_path / name, b'new')
        unit, = units_of(read_spec(spec))
        names.append(unit.name)
    assert len(set(names[:3])) == 3 and names[3] == names[2]


@pytest.fixture
def copied(clips, tmp_path):
    """Folders of prepared clips, each with a file that may be edited."""
    def copy(name):
        root = tmp_path / name
        shutil.copytree(clips[0].folder.parent, root)
        return root, min(root.rglob('masks/000000.png'))
    return copy


def test_clips_of_what_a_config_builds_on_are_watched(spec, tmp_path, monkeypatch, copied):
    """Its run is made anew, and with it the units."""
    root, frame = copied('needed')
    (tmp_path / 'need.py').write_text(f"_base_ = 'hvt::own/video'\ndata = dict(root={str(root)!r})\n")
    (tmp_path / 'mine.py').write_text("_base_ = 'hvt::own/video'\nload_from = 'work_dirs/need'\n"
                                      "needs = dict(a=dict(part='load_from', config='{{fileDirname}}/need.py'))\n")
    spec.write_text(SPEC.replace("'own/video'", repr(str(tmp_path / 'mine.py'))))
    monkeypatch.setattr(unit_module, 'meet_needs', lambda *_, **__: None)

    def made():
        unit, _ = units_of(read_spec(spec))
        cfg = config_of(unit)
        unit_module._meet_needs(unit, cfg, tmp_path / 'needs')
        return unit.name, cfg.load_from, [one.name for one in units_of(read_spec(plain))]

    plain = tmp_path / 'plain.py'
    plain.write_text(spec.read_text().replace("config=", "untrained='NearestFrame', config="))
    before = made()
    assert made() == before
    changed(frame, b' ')
    after = made()
    assert before[0] != after[0] and before[1] != after[1]
    assert before[2] == after[2], 'a model without weights builds on nothing'


@pytest.mark.parametrize('named', [False, True])
def test_a_stand_in_is_made_anew_where_the_clips_that_it_shares_have_changed(spec, clips, tmp_path, monkeypatch, copied, named):
    root, frame = copied('people')
    options = {f'data.{side}.{key}': value for side, clip in zip('ab', clips)
               for key, value in (('root', str(root)), ('persons', [clip.person]))}
    spec.write_text(f"""
rows = [dict(name='a', config='own/transfer_skeleton')]
clips = dict(signers=dict(options={options}))
budgets = [dict(iterations=1)]
""")
    places = []
    monkeypatch.setattr(unit_module, 'meet_needs', lambda cfg, train, read, place, **_: places.append(
        place(Path(cfg.needs.pose_network.config))))
    unit, = units_of(read_spec(spec))
    for text in (b'', b' '):
        changed(frame, text)
        cfg = config_of(replace(unit, optional={}))
        if named:
            cfg._cfg_dict['train_dataloader']['dataset'] |= dict(a=str(root), b=str(root))
        unit_module._meet_needs(unit, cfg, tmp_path / 'needs')
    assert places[0] != places[1]


def test_a_run_goes_on_with_the_stand_in_that_it_began_with(monkeypatch, tmp_path):
    """Also where somebody has installed the weights meanwhile."""
    monkeypatch.chdir(tmp_path)
    unit = next(unit for unit in units_of(read_spec('benchmarks/transfers')) if unit.row == 'skeleton consistency, real')
    folder, networks = folder_of(tmp_path / 'out', unit) / 'run', []

    def build_runner(cfg, work_dir, **_):
        def train():
            work_dir.mkdir(parents=True, exist_ok=True)
            torch.save(dict(state_dict={}, meta=dict(config=cfg._cfg_dict.to_dict())), work_dir / 'iter_0000001.pth')
            if work_dir == folder:
                networks.append(cfg.model.losses.skeleton.pose_network.type)
                raise KeyboardInterrupt

        return SimpleNamespace(train=train)

    monkeypatch.setattr(unit_module, 'build_runner', build_runner)
    for reason in ('weights are missing', ''):
        monkeypatch.setattr('toolkit.engine.needs._missing', lambda part, reason=reason: reason)
        with pytest.raises(KeyboardInterrupt):
            unit_module._train(unit, config_of(unit), folder)
    assert networks == ['TrainedPoseNetwork'] * 2


def test_another_teacher_or_other_movements_make_another_unit(spec, tmp_path, copied):
    root, frame = copied('movements')
    teacher = tmp_path / 'teacher.pth'
    teacher.write_bytes(b'weights')
    options = {'train_dataloader.dataset.teacher': str(teacher), 'train_dataloader.dataset.movements': str(root)}
    spec.write_text(f"rows = [dict(name='a', config='own/student', options={options!r})]\nclips = dict(one=dict())\n"
                    'budgets = [dict(iterations=1)]\n')
    names = []
    for file in (None, teacher, frame):
        if file:
            changed(file, b' ')
        unit, = units_of(read_spec(spec))
        names.append(unit.name)
    assert len(set(names)) == 3


def test_another_network_that_measures_makes_another_unit(spec, tmp_path):
    weights = tmp_path / 'pose.safetensors'
    for metric in (f"dict(type='PCK', pose_estimator=dict(type='TrainedPoseNetwork', checkpoint={str(weights)!r}))",
                   f"dict(type='PCK', estimators=['MediaPipePose', dict(type='ConvolutionalPoseMachine', weights={str(weights)!r})])"):
        spec.write_text(f'{SPEC}metrics = [{metric}]\n')
        names = []
        for content in (b'one', b'other'):
            weights.write_bytes(content)
            names.append([unit.name for unit in units_of(read_spec(spec))])
        assert not set(names[0]) & set(names[1])


def test_weights_that_were_trained_on_tested_frames_are_told(spec, tmp_path, copied):
    """By the run itself, or before it by what it starts from."""
    root, _ = copied('people')
    start = dict(train_dataloader=dict(dataset=dict(type='ClipWindows', root=str(root))))
    torch.save(dict(state_dict={}, meta=dict(config=start, time=time.strftime('%Y-%m-%d %H:%M:%S'))), tmp_path / 'start.pth')
    dataset = ClipWindows(root, window=None, frames=(-2, None))
    folder, *others = [str(clip.folder.resolve()) for clip in dataset.clips]
    evaluation = SimpleNamespace(dataset=dataset, indices=[0], trained_on={})
    unit, cfg = SimpleNamespace(max_frames=None), {}
    assert unit_module._trained_on(evaluation, cfg, unit) == {}
    cfg['load_from'] = str(tmp_path / 'start.pth')
    assert unit_module._trained_on(evaluation, cfg, unit) == {folder: 2}
    assert unit_module._trained_on(evaluation, dict(networks_from=dict(net_e=dict(network=cfg['load_from']))), unit) == {folder: 2}
    evaluation.trained_on = {folder: 1, 'other': 5}
    assert unit_module._trained_on(evaluation, cfg, unit) == {folder: 2, 'other': 5}
    (tmp_path / 'start.pth').unlink()
    assert unit_module._trained_on(evaluation, cfg, unit) == {folder: 1, 'other': 5}, 'the result is not lost with it'

    benchmark = Benchmark(spec, tmp_path / 'out')
    for unit in benchmark.units:
        seen = {'people/me': 7} if unit.row == 'second' else {}
        points = [dict(label=label, cost=dict(memory=1), metrics={}, trained_on=seen) for label in unit.labels]
        folder_of(benchmark.out, unit).mkdir(parents=True)
        work_module._write(folder_of(benchmark.out, unit) / 'result.json', unit, dict(points=points, total_seconds=1.), 'cpu')
    table = benchmark.write()
    error, = table.errors
    assert error.startswith('second on one: its weights, or those that it starts from, were trained on frames that are tested '
                            '(7 frames of people/me)') and table.failed
