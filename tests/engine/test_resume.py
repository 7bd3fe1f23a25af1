"""An interrupted run ends with the same bits as one that was not."""

import signal

import pytest
import torch

from tests.helpers import scalars
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.resume_checks import check_settings
from toolkit.registry import DATASETS, MODELS
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint


@pytest.mark.parametrize('processes', [1, 2])
def test_train_8_equals_train_4_kill_resume_4(toy, tmp_path, processes):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    record = f"custom_hooks=[{{'type':'WriteWeights','folder':'{tmp_path}'}}]"
    done = toy.train(whole, options=[record]) if processes == 1 else toy.torchrun(whole, options=[record])
    assert not any(done.codes), done.text
    killed = toy.train(parts, processes=processes, options=["custom_hooks=[{'type':'KillAt','iteration':5}]"])
    assert killed.codes == [-9] * processes and (parts / 'iter_0000004.pth').exists() and not (parts / 'iter_0000008.pth').exists()
    file, = parts.glob('*/vis_data/scalars.json')
    file.open('a').write('{"step": 5, "g/gan": 1.0}\n{"step": 6, "g/g')
    resumed = toy.train(parts, '--resume', processes=processes)
    assert not any(resumed.codes), resumed.text
    assert 'at iteration 4 of 8' in resumed.text
    assert toy.differences(whole / 'iter_0000008.pth', parts / 'iter_0000008.pth') == []
    assert toy.differences(whole / 'iter_0000004.pth', parts / 'iter_0000008.pth') != []
    assert scalars(whole) == scalars(parts) and [line['step'] for line in scalars(parts)] == [3, 4, 6, 8, 8]
    checkpoint = torch.load(whole / 'iter_0000008.pth', weights_only=True)
    assert not [key for key in checkpoint['state_dict'] if 'module.' in key]
    assert checkpoint['state_dict']['pool.pictures'].any() and len(checkpoint['ranks']) == processes
    if processes == 2:
        assert 'pool.pictures' in checkpoint['ranks'][1]['model'], 'each process keeps its own pool'
        first, second = ((tmp_path / f'rank{rank}.txt').read_text().splitlines() for rank in (0, 1))
        assert first == second and len(first) == 8 and len(set(first)) == 8, 'equal weights after every step'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_ctrl_c_or_a_closed_terminal_saves_at_the_iteration_boundary_and_resumes_exactly(toy, tmp_path, number):
    stop = f"custom_hooks=[{{'type':'KillAt','iteration':2,'signal':{int(number)}}}]"
    stopped = toy.train(tmp_path / 'parts', options=[stop])
    assert stopped.codes == [130] and 'Traceback' not in stopped.text
    assert 'after iteration 3' in stopped.text and '--resume' in stopped.text
    assert toy.train(tmp_path / 'parts', '--resume').codes == [0]
    assert toy.train(tmp_path / 'whole').codes == [0]
    assert toy.differences(tmp_path / 'whole' / 'iter_0000008.pth', tmp_path / 'parts' / 'iter_0000008.pth') == []
    assert scalars(tmp_path / 'whole') == scalars(tmp_path / 'parts')


def test_termination_of_two_processes_stops_both_at_the_same_iteration(toy, tmp_path):
    stop = f"custom_hooks=[{{'type':'KillAt','iteration':2,'signal':{int(signal.SIGTERM)}}}]"
    stopped = toy.train(tmp_path, processes=2, options=[stop])
    assert stopped.codes == [130, 130] and (tmp_path / 'iter_0000003.pth').exists()


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_with_the_weights_that_it_was_given(toy, tmp_path):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=2']), tmp_path / 'first').train()
    begin = [f'load_from={tmp_path / "first"}', 'train_cfg.max_iters=4']
    build_runner(load_config(toy.config, begin), tmp_path / 'whole').train()
    (tmp_path / 'stopped' / 'vis').mkdir(parents=True)
    (tmp_path / 'stopped' / 'vis' / '0000000_toy.png').write_bytes(b'painted before the stop')
    for day in (1, 2):
        log = tmp_path / 'stopped' / f'2026010{day}_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('{"step": 0, "a": 1}\n{"step": 3}\n{"s')
    runner = build_runner(load_config(toy.config, begin), tmp_path / 'stopped', resume=True)
    runner.train()
    assert toy.differences(tmp_path / 'whole' / 'iter_0000004.pth', tmp_path / 'stopped' / 'iter_0000004.pth') == []
    assert not list((tmp_path / 'stopped').glob('earlier_*'))
    assert scalars(tmp_path / 'whole') == scalars(tmp_path / 'stopped')


@pytest.fixture
def staged(toy, monkeypatch):
    """Options of a toy whose discriminator learns from the second half on, which begins within an accumulation window."""
    class StagedOfTest(MODELS.get('ToyGAN')):
        begins = 6

        def step(self, optim_wrapper, name, loss):
            if name == 'g' or self.iteration >= self.begins:
                super().step(optim_wrapper, name, loss)

    monkeypatch.setitem(MODELS.module_dict, 'StagedOfTest', StagedOfTest)
    return ['model.type=StagedOfTest', 'train_cfg.max_iters=12', 'optim_wrapper.g.accumulative_counts=4',
            'optim_wrapper.d.accumulative_counts=4', 'default_hooks.checkpoint.max_keep_ckpts=-1']


def test_the_second_stage_of_a_method_is_saved_in_windows_of_accumulation_and_resumes_exactly(toy, staged, tmp_path):
    assert toy.train(tmp_path / 'whole', options=staged).codes == [0]
    assert sorted(p.name for p in (tmp_path / 'whole').glob('*.pth')) == [f'iter_{n:07d}.pth' for n in (4, 8, 12)]
    stop = [*staged, f"custom_hooks=[{{'type':'KillAt','iteration':6,'signal':{int(signal.SIGINT)}}}]"]
    stopped = toy.train(tmp_path / 'parts', options=stop)
    assert stopped.codes == [130] and 'after iteration 8' in stopped.text
    assert toy.train(tmp_path / 'parts', '--resume', options=staged).codes == [0]
    assert toy.differences(tmp_path / 'whole' / 'iter_0000012.pth', tmp_path / 'parts' / 'iter_0000012.pth') == []


def test_a_run_whose_windows_do_not_end_says_so(toy, tmp_path, monkeypatch):
    class OddOfTest(MODELS.get('ToyGAN')):
        def step(self, optim_wrapper, name, loss):
            if name == 'g' or self.iteration % 4:
                super().step(optim_wrapper, name, loss)

    monkeypatch.setitem(MODELS.module_dict, 'OddOfTest', OddOfTest)
    options = ['model.type=OddOfTest', 'optim_wrapper.d.accumulative_counts=8', 'optim_wrapper.g.accumulative_counts=1']
    with pytest.raises(InputError, match='ended at iteration 8 within an accumulation window of optim_wrapper.d'):
        build_runner(load_config(toy.config, options), tmp_path).train()


@pytest.mark.parametrize('options, words', [
    (['optim_wrapper.g.optimizer.lr=1e-3'], 'optim_wrapper.g.optimizer.lr was 0.01, now 0.001. .* load_from='),
    (['optim_wrapper.d.optimizer.betas=[0.9,0.999]'], r'optim_wrapper.d.optimizer.betas was \[0.5, 0.999\], now \[0.9, 0.999\]'),
    (['optim_wrapper.d.optimizer.weight_decay=0.1'], 'optim_wrapper.d.optimizer.weight_decay was None, now 0.1'),
    (['param_scheduler.0.end_factor=0.5'], 'param_scheduler.0.end_factor was 0.1, now 0.5'),
    (['param_scheduler.0.end=20'], 'param_scheduler.0.end was 8, now 20'),
    (['param_scheduler=[]'], 'param_scheduler.0.begin was 2, now None')])
def test_other_rates_and_schedules_are_refused_instead_of_ignored(toy, tmp_path, options, words):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=4']), tmp_path).train()
    with pytest.raises(InputError, match=words):
        build_runner(load_config(toy.config, options), tmp_path, resume=True).train()


def test_what_may_change_when_a_run_goes_on(toy, tmp_path):
    """How an update is computed, how long the run is, and a schedule that has not begun."""
    later = ['param_scheduler.0.begin=6', 'param_scheduler.0.end=12']
    build_runner(load_config(toy.config, [*later, 'train_cfg.max_iters=4']), tmp_path / 'a').train()
    runner = build_runner(load_config(toy.config, [
        'param_scheduler.0.begin=5', 'param_scheduler.0.end=8', 'optim_wrapper.g.optimizer.fused=True',
        'optim_wrapper.d.optimizer.betas=[0.5,0.999]']), tmp_path / 'a', resume=True)
    runner.train()
    assert [wrapper.optimizer.param_groups[0]['lr'] for wrapper in runner.optim_wrapper.values()] == pytest.approx([1e-3, 1e-3])
    assert runner.optim_wrapper['g'].optimizer.param_groups[0]['fused']
    longer = build_runner(load_config(toy.config, [
        'param_scheduler.0.begin=5', 'param_scheduler.0.end=8', 'train_cfg.max_iters=10']), tmp_path / 'a', resume=True)
    longer.train()
    assert read_checkpoint(tmp_path / 'a')['meta']['iter'] == 10


def test_what_changed_is_told_and_nothing_where_all_is_as_it_was(toy, tmp_path):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=4']), tmp_path).train()
    lines = []
    for options in (['train_cfg.max_iters=4'], ['train_cfg.max_iters=6', 'train_dataloader.batch_size=1']):
        runner, said = build_runner(load_config(toy.config, options), tmp_path, resume=True), []
        runner.logger.info = said.append
        runner.train()
        lines.append([line for line in said if 'other settings' in line])
    other, said = build_runner(load_config(toy.config), tmp_path / 'other', resume=tmp_path / 'iter_0000006.pth'), []
    other.logger.info = said.append
    other.train()
    told, = [line for line in said if 'other settings' in line]
    assert 'train_cfg.max_iters was 6, now 8' in told and 'load_from' not in told and 'work_dir' not in told
    (told,), before = lines[1], load_config(toy.config).train_dataloader.batch_size
    assert lines[0] == []
    assert told.endswith(f'iter_0000004.pth: train_cfg.max_iters was 4, now 6; train_dataloader.batch_size was {before}, now 1') or \
        told.endswith(f'iter_0000004.pth: train_dataloader.batch_size was {before}, now 1; train_cfg.max_iters was 4, now 6')


@pytest.mark.parametrize('scheduler, where', [
    ("{'type':'LinearLR','start_factor':1.0,'end_factor':0.1}", 'param_scheduler'),
    ("{'g':[{'type':'StepLR','step_size':3},{'type':'CosineAnnealingLR'}],'d':[]}", 'param_scheduler.g.1')])
def test_a_schedule_that_would_be_bent_by_a_longer_run_is_refused_until_its_end_is_said(toy, tmp_path, scheduler, where):
    start = [f'param_scheduler={scheduler}', 'train_cfg.val_interval=0']
    build_runner(load_config(toy.config, [*start, 'train_cfg.max_iters=4']), tmp_path).train()
    with pytest.raises(InputError, match=rf'{where}.end was 4, now 6 \(train_cfg.max_iters, where it gives none\)\. To go'):
        build_runner(load_config(toy.config, [*start, 'train_cfg.max_iters=6']), tmp_path, resume=True).train()
    runner = build_runner(load_config(toy.config, [*start, f'{where}.end=4', 'train_cfg.max_iters=6']), tmp_path, resume=True)
    before = read_checkpoint(tmp_path)['optimizer']['g']['param_groups'][0]['lr']
    runner.train()
    assert runner.iter == 6 and runner.optim_wrapper['g'].optimizer.param_groups[0]['lr'] <= before


@pytest.mark.parametrize('first', [4, 8])
def test_a_schedule_of_the_iteration_alone_goes_on_in_a_longer_run_as_if_it_had_been_one(toy, tmp_path, first):
    """Of a run that was ended before, and of one that was at its end."""
    start = ["param_scheduler=[{'type':'ConstantThenLinearLR','constant':6,'decay':8}]", 'train_cfg.val_interval=0']
    ended = [] if first == 8 else ["custom_hooks=[{'type':'KillAt','iteration':5}]"]
    assert toy.train(tmp_path / 'parts', options=[*start, *ended, 'train_cfg.max_iters=8']).codes == [-9 if ended else 0]
    again = toy.train(tmp_path / 'parts', '--resume', options=[*start, 'train_cfg.max_iters=12'])
    assert again.codes == [0] and f'at iteration {first} of 12' in again.text, again.text
    assert toy.train(tmp_path / 'whole', options=[*start, 'train_cfg.max_iters=12']).codes == [0]
    assert toy.differences(tmp_path / 'whole' / 'iter_0000012.pth', tmp_path / 'parts' / 'iter_0000012.pth') == []


def test_the_order_of_networks_stays_or_the_states_of_their_optimizer_would_change_places():
    config, other = (dict(train_cfg=dict(max_iters=4), optim_wrapper=dict(g=dict(networks=names, optimizer=dict(type='Adam'))))
                     for names in (['net_a', 'net_b'], ['net_b', 'net_a']))
    checkpoint = dict(meta=dict(iter=2, max_iters=4, config=config), optimizer=dict(g={}))
    check_settings(checkpoint, config, 'iter_2.pth')
    with pytest.raises(InputError, match=r"optim_wrapper.g.networks was \['net_a', 'net_b'\], now \['net_b', 'net_a'\]"):
        check_settings(checkpoint, other, 'iter_2.pth')


def test_a_longer_run_in_which_a_method_would_go_back_to_an_earlier_stage_is_refused(toy, tmp_path, monkeypatch):
    class StagesOfTest(MODELS.get('ToyGAN')):
        stage = property(lambda self: int(self.iteration >= self.max_iters / 2))

    monkeypatch.setitem(MODELS.module_dict, 'StagesOfTest', StagesOfTest)
    options = ['model.type=StagesOfTest', 'train_cfg.val_interval=0']
    build_runner(load_config(toy.config, [*options, 'train_cfg.max_iters=4']), tmp_path).train()
    with pytest.raises(InputError, match='StagesOfTest has come to stage 2 .*max_iters=8 instead of 4 it would go back to stage 1'):
        build_runner(load_config(toy.config, [*options, 'train_cfg.max_iters=8']), tmp_path, resume=True).train()
    runner = build_runner(load_config(toy.config, [*options, 'train_cfg.max_iters=6']), tmp_path, resume=True)
    runner.train()
    assert runner.iter == 6 and runner.model.stage == 1


@pytest.mark.parametrize('rows, ordered, position', [(3, True, 12), (2, True, 8), (3, False, 8), (1, True, 8)])
def test_items_that_follow_each_other_go_on_with_a_whole_group(toy, tmp_path, monkeypatch, rows, ordered, position):
    """Four iterations of two are eight samples; with three rows and groups of two steps the next group begins at the twelfth."""
    monkeypatch.setattr(DATASETS.get('ToyData'), 'ordered', ordered, raising=False)
    monkeypatch.setattr(DATASETS.get('ToyData'), 'sequence', 2, raising=False)
    order = 'train_dataloader.sampler={"type":"DrawSampler","shuffle":False}'
    build_runner(load_config(toy.config, [order, 'train_cfg.max_iters=4']), tmp_path).train()
    runner = build_runner(load_config(toy.config, [order, f'train_dataloader.batch_size={rows}']), tmp_path, resume=True)
    runner.train()
    assert runner.train_loop.samples == position + 4 * rows
