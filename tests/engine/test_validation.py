"""Validation during training: whole clips, the best checkpoint by what a metric says of itself, exact over interruptions."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers import scalars
from toolkit.engine.checkpoint_hook import CheckpointHook
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.nan_guard import NanGuard
from toolkit.registry import DATASETS, METRICS, MODELS
from toolkit.structures import InputError
from toolkit.weights import best_checkpoint, read_checkpoint

KEEP_BEST = ['train_cfg.val_interval=2', 'default_hooks.checkpoint.save_best=l1/full']


class ClipsOfTest(torch.utils.data.Dataset):
    """Five clips of four frames."""

    def __init__(self, size=5, window=None):
        self.size, self.window = size, window

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        frames = np.random.default_rng(index).integers(0, 255, (4, 16, 16, 3), np.uint8)
        return dict(frames=torch.from_numpy(frames), clip=f'clip{index}', index=0, content_index=0)


@pytest.fixture
def config(toy, tmp_path, monkeypatch):
    """A config of a toy that generates clips, which are the worse the farther a weight is from where it was in iteration 4."""
    toy_gan = MODELS.get('ToyGAN')

    class PainterOfTest(toy_gan):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.painted = nn.Identity()

        def test_stream(self, parts):
            assert not self.training and not self.net_g.training
            for part in parts:
                torch.rand(3)  # must not disturb training
                real = part['frames'][0].numpy()
                off = 20 * abs(self.iteration - 3) + 10 * float(self.net_g_ema[0].weight.abs().mean())
                yield dict(clip=part['clip'][0], fps=5.0, real=real, generated=np.clip(real + off, 0, 255).astype(np.uint8),
                           mask=real[..., 0] > 0, poses=np.zeros((4, 18, 3), np.float32))

    monkeypatch.setitem(MODELS.module_dict, 'PainterOfTest', PainterOfTest)
    monkeypatch.setitem(DATASETS.module_dict, 'ClipsOfTest', ClipsOfTest)
    path = tmp_path / 'validated.py'
    path.write_text(f"""
_base_ = {str(toy.config)!r}
model = dict(type='PainterOfTest')
val_dataloader = dict(dataset=dict(_delete_=True, type='ClipsOfTest'))
val_evaluator = [dict(type='L1'), dict(type='PSNR')]
val_cfg = dict(clips=3)
""")
    return path


def test_the_best_checkpoint_is_kept_and_an_interruption_changes_nothing(toy, config, tmp_path):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    done = toy.train(whole, options=KEEP_BEST, config=config)
    assert done.codes == [0] and 'Iter(val) [3/3]    l1/full: ' in done.text, done.text
    values = {line['step']: line['l1/full'] for line in scalars(whole) if 'l1/full' in line}
    assert set(values) == {2, 4, 6, 8} and min(values, key=values.get) == 4
    assert [p.name for p in whole.glob('best_*')] == ['best_l1_full_iter_0000004.pth'], 'less is better, as the metric says'
    assert toy.train(parts, options=[*KEEP_BEST, "custom_hooks=[{'type':'KillAt','iteration':5}]"], config=config).codes == [-9]
    resumed = toy.train(parts, '--resume', options=KEEP_BEST, config=config)
    assert resumed.codes == [0] and 'resumed' in resumed.text
    assert scalars(whole) == scalars(parts)
    for name in ('iter_0000008.pth', 'best_l1_full_iter_0000004.pth'):
        assert toy.differences(whole / name, parts / name) == []


def test_a_better_one_at_an_earlier_iteration_takes_the_place(config, tmp_path, monkeypatch):
    values, compare = iter([3., 2., 1., .5, 2., 2., 2.]), CheckpointHook.after_val_epoch
    monkeypatch.setattr(CheckpointHook, 'after_val_epoch', lambda self, runner, metrics=None: compare(
        self, runner, {**(metrics or {}), 'l1/full': next(values)}))
    options = [*KEEP_BEST, 'default_hooks.nan_guard.interval=1', 'default_hooks.checkpoint.interval=0',
               "custom_hooks=[{'type':'FailAt','iteration':6,'what':'once'}]"]
    build_runner(load_config(config, options), work_dir=tmp_path / 'run', on_nan='rollback').train()
    assert [p.name for p in (tmp_path / 'run').glob('best_*')] == ['best_l1_full_iter_0000002.pth']


@pytest.mark.parametrize('last, best', [((1.5, 1.8), 6), ((2.5, 1.5), 6), ((1.5, .5), 8)])
def test_a_best_that_was_found_before_the_run_went_back_is_kept(config, tmp_path, monkeypatch, last, best):
    """Validations give 3, 2, 1 up to iteration 6, from where the run goes back to 4."""
    values, went_back, compare = iter([3., 2., 1., *last]), [], CheckpointHook.after_val_epoch
    monkeypatch.setattr(CheckpointHook, 'after_val_epoch', lambda self, runner, metrics=None: compare(
        self, runner, {**(metrics or {}), 'l1/full': next(values)}))
    monkeypatch.setattr(NanGuard, 'after_rollback', lambda self, runner: went_back.append(runner.iter), raising=False)
    options = [*KEEP_BEST, 'default_hooks.nan_guard.interval=1', "custom_hooks=[{'type':'FailAt','iteration':6,'what':'once'}]"]
    build_runner(load_config(config, options), work_dir=tmp_path / 'run', on_nan='rollback').train()
    assert went_back == [4] and [p.name for p in (tmp_path / 'run').glob('best_*')] == [f'best_l1_full_iter_000000{best}.pth']
    hooks = read_checkpoint(best_checkpoint(tmp_path / 'run'))['ranks'][0]['hooks']
    assert [state['best'] for name, state in hooks.items() if name.startswith('CheckpointHook')] == [min(1., *last)]


def test_two_processes_share_out_the_clips(toy, config, tmp_path):
    options = [*KEEP_BEST, 'train_cfg.max_iters=2', 'train_dataloader.batch_size=1', 'model.pool=0', 'model.dropout=0.0']
    two = toy.train(tmp_path / 'two', options=options, config=config, processes=2)
    one = toy.train(tmp_path / 'one', options=[*options, 'train_dataloader.batch_size=2'], config=config)
    assert two.codes == [0, 0] and one.codes == [0], two.text + one.text
    first, second = (next(line['l1/full'] for line in scalars(tmp_path / run) if 'l1/full' in line) for run in ('one', 'two'))
    assert first == pytest.approx(second, abs=1)


def failing_measure(monkeypatch, runner, iteration):
    """Let the metric fail at an iteration of a run."""
    l1 = METRICS.get('L1')
    measure = l1.per_frame
    monkeypatch.setattr(l1, 'per_frame', lambda self, *pictures: 1 // (runner.iter != iteration) and measure(self, *pictures))


@pytest.mark.parametrize('what, iteration', [('validation', 4), ('preview', 4), ('validation', 8), ('compare', 4), ('compare', 8)])
def test_a_run_that_goes_on_makes_up_for_what_failed_between_two_iterations(toy, config, tmp_path, monkeypatch, what, iteration):
    """At iteration 4 is the best, which a hook that fails keeps from being saved; at 8 the run ends."""
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    build_runner(load_config(config, KEEP_BEST), work_dir=whole).train()
    preview = [f"custom_hooks=[{{'type':'FailAt','iteration':{iteration}}}]"]
    runner = build_runner(load_config(config, KEEP_BEST + (preview if what == 'preview' else [])), work_dir=parts)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        if what == 'validation':
            failing_measure(patch, runner, iteration)
        if what == 'compare':  # the numbers are in the log by then
            compare = CheckpointHook.after_val_epoch
            patch.setattr(CheckpointHook, 'after_val_epoch', lambda self, runner, metrics=None: 1 // (
                runner.iter != iteration) and compare(self, runner, metrics))
        runner.train()
    assert (parts / f'iter_{iteration:07d}.pth').exists()
    build_runner(load_config(config, KEEP_BEST), work_dir=parts, resume=True).train()
    assert scalars(parts) == scalars(whole) and {p.name for p in parts.glob('*.pth')} == {p.name for p in whole.glob('*.pth')}
    for name in ('iter_0000008.pth', 'best_l1_full_iter_0000004.pth'):
        assert toy.differences(whole / name, parts / name) == []


def test_what_fails_once_more_ends_the_run_again_unless_it_is_not_wanted_any_more(config, tmp_path, monkeypatch):
    every = 'train_cfg.val_interval=2'
    for resume in (False, True):
        runner = build_runner(load_config(config, [every]), work_dir=tmp_path / 'run', resume=resume)
        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            failing_measure(patch, runner, 4)
            runner.train()
        assert runner.iter == 4
    runner = build_runner(load_config(config, ['train_cfg.val_interval=0']), work_dir=tmp_path / 'run', resume=True)
    runner.train()
    assert runner.iter == 8 and [line['step'] for line in scalars(tmp_path / 'run') if 'l1/full' in line] == [2]


def test_a_checkpoint_that_a_hook_saves_while_validating_leads_to_no_other_validation(config, tmp_path, monkeypatch):
    every, compare, validated = 'train_cfg.val_interval=2', CheckpointHook.after_val_epoch, []
    monkeypatch.setattr(CheckpointHook, 'after_val_epoch', lambda self, runner, metrics=None: (
        validated.append(runner.iter), runner.save(), compare(self, runner, metrics)))
    for resume in (False, str(tmp_path / 'run' / 'iter_0000006.pth')):
        build_runner(load_config(config, [every, 'default_hooks.checkpoint.max_keep_ckpts=0']), tmp_path / 'run', resume).train()
    assert validated == [2, 4, 6, 8, 8]


@pytest.mark.parametrize('save_best, iteration, names', [
    ('l1/full', 4, ['best_l1_full_iter_0000004.pth']), (None, 4, []), ('psnr/full', 4, []), ('l1/full', 5, [])])
def test_a_best_that_was_not_saved_is_saved_at_its_own_iteration_and_as_what_it_is(tmp_path, save_best, iteration, names):
    hook, saved = CheckpointHook(interval=0, save_best=save_best), []
    hook.load_state_dict(dict(best=1., best_of='l1/full', waited=0, best_at=4))
    run = SimpleNamespace(iter=iteration, max_iters=8, gradients_pending=False, work_dir=tmp_path, logger=logging.getLogger(__name__),
                          train_loop=SimpleNamespace(stop_training=False), save=lambda path, **_: saved.append(path.name) or path)
    for _ in range(2):
        hook.after_iteration(run)
    assert saved == names


@pytest.mark.parametrize('options', [['val_dataloader=none', 'val_evaluator=none'], ['train_cfg.val_interval=0'],
                                     ['train_cfg.val_interval=-1']])
def test_a_best_without_validation_is_refused_before_any_data_is_made(config, tmp_path, options):
    with pytest.raises(InputError, match='save_best=.* needs validation: add val_dataloader'):
        build_runner(load_config(config, [*KEEP_BEST, *options]), work_dir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('options, words', [
    (['default_hooks.checkpoint.save_best=l1/ful'], "'l1/ful' is not among .*Did you mean 'l1/full'"),
    (["val_evaluator=[{'type':'ToyMetric'}]", 'default_hooks.checkpoint.save_best=error'], "error does not say .*set rule='greater'"),
    (['val_dataloader.dataset.window=2'], 'val_dataloader.dataset.window must be None'),
    (["val_evaluator=[{'type':'Identity'}]"], 'Identity measures transfers'),
    (["val_evaluator=[{'type':'L1'},{'type':'L1','protocols':['full']}]"], 'two metrics are both called l1'),
    (['val_cfg.max_frames=1'], 'frames must be at least 2'),
    (['val_cfg.clip=1'], "val_cfg.*clip.*Did you mean 'clips'"),
])
def test_mistakes_are_named_before_the_first_iteration(config, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        build_runner(load_config(config, [*KEEP_BEST, *options]), work_dir=tmp_path / 'run').train()
    assert not list(tmp_path.rglob('*.pth')) and not list(tmp_path.rglob('scalars.json'))


def test_a_metric_that_misses_its_weights_chooses_no_checkpoint(config, tmp_path, monkeypatch):
    l1 = METRICS.get('L1')
    init = l1.__init__
    monkeypatch.setattr(l1, '__init__', lambda self, **kwargs: init(self, **kwargs) or setattr(self, 'missing', 'no weights'))
    with pytest.raises(InputError, match="save_best='l1/full' is n/a here: no weights"):
        build_runner(load_config(config, KEEP_BEST), work_dir=tmp_path / 'run').train()


def test_a_validation_in_which_the_metric_is_not_a_number_is_no_better_and_ends_no_training(config, tmp_path, monkeypatch):
    l1, runner, said = METRICS.get('L1'), build_runner(load_config(config, KEEP_BEST), work_dir=tmp_path / 'run'), []
    measure = l1.per_frame
    monkeypatch.setattr(l1, 'per_frame', lambda self, *pictures: measure(self, *pictures) * (np.nan if runner.iter == 2 else 1))
    runner.logger.warning = said.append
    runner.train()
    assert [p.name for p in (tmp_path / 'run').glob('best_*')] == ['best_l1_full_iter_0000004.pth']
    assert len([line for line in said if 'l1/full is n/a in this validation' in line]) == 1


def test_the_first_metric_is_taken_for_auto(config, tmp_path):
    build_runner(load_config(config, [*KEEP_BEST, 'default_hooks.checkpoint.save_best=auto']), work_dir=tmp_path / 'run').train()
    assert [p.name for p in (tmp_path / 'run').glob('best_*')] == ['best_l1_full_iter_0000004.pth']


def test_auto_leaves_out_a_metric_that_misses_its_weights(config, tmp_path, monkeypatch):
    l1 = METRICS.get('L1')
    init = l1.__init__
    monkeypatch.setattr(l1, '__init__', lambda self, **kwargs: init(self, **kwargs) or setattr(self, 'missing', 'no weights'))
    build_runner(load_config(config, [*KEEP_BEST, 'default_hooks.checkpoint.save_best=auto']), work_dir=tmp_path / 'run').train()
    assert [p.name for p in (tmp_path / 'run').glob('best_*')] == ['best_psnr_full_iter_0000004.pth']


@pytest.mark.parametrize('patience, last', [(1, 6), (2, 8)])
def test_training_ends_when_nothing_gets_better(config, tmp_path, patience, last):
    options = [*KEEP_BEST, f'default_hooks.checkpoint.patience={patience}']
    build_runner(load_config(config, options), work_dir=tmp_path / 'run').train()
    assert sorted(p.name for p in (tmp_path / 'run').glob('*.pth')) == [
        'best_l1_full_iter_0000004.pth', *(f'iter_{n:07d}.pth' for n in range(4, last + 1, 4) if n != last), f'iter_{last:07d}.pth']


def test_patience_without_a_metric_is_refused(config, tmp_path):
    with pytest.raises(InputError, match='patience=2 needs to be at least 1, and a metric in save_best'):
        build_runner(load_config(config, ['default_hooks.checkpoint.patience=2']), work_dir=tmp_path / 'run')


def waits_of(patience, options=()):
    """Options of a run whose metric is best at iteration 4, in accumulation windows of four."""
    return [*KEEP_BEST, f'default_hooks.checkpoint.patience={patience}', 'optim_wrapper.g.accumulative_counts=4',
            'optim_wrapper.d.accumulative_counts=4', 'train_cfg.max_iters=16', *options]


def test_validation_and_the_end_wait_for_the_end_of_an_accumulation_window(config, tmp_path):
    build_runner(load_config(config, waits_of(1, ['train_cfg.val_interval=3', 'default_hooks.checkpoint.interval=100'])),
                 work_dir=tmp_path / 'run').train()
    assert [line['step'] for line in scalars(tmp_path / 'run') if 'l1/full' in line] == [4, 8]
    assert sorted(p.name for p in (tmp_path / 'run').glob('*.pth')) == ['best_l1_full_iter_0000004.pth', 'iter_0000008.pth']


def test_a_run_whose_patience_is_used_up_does_not_go_on(config, tmp_path):
    options = [*KEEP_BEST, 'default_hooks.checkpoint.patience=1', 'default_hooks.checkpoint.interval=100']
    build_runner(load_config(config, options), work_dir=tmp_path / 'run').train()
    again = build_runner(load_config(config, options), work_dir=tmp_path / 'run', resume=True)
    again.train()
    assert again.iter == 6 and (tmp_path / 'run' / 'iter_0000006.pth').exists()
    more = [*options, 'default_hooks.checkpoint.patience=2']
    again = build_runner(load_config(config, more), work_dir=tmp_path / 'run', resume=True)
    again.train()
    assert again.iter == 8


def test_a_first_metric_that_is_not_finite_is_not_the_best():
    hook, runner = CheckpointHook(save_best='l1/full', rule='less', patience=2), SimpleNamespace(
        iter=1, train_loop=SimpleNamespace(stop_training=False), logger=SimpleNamespace(info=lambda text: None))
    hook.after_val_epoch(runner, {'l1/full': float('nan')})
    hook.after_val_epoch(runner, {'l1/full': 3.})
    assert hook.best == 3 and not runner.train_loop.stop_training
    for _ in range(2):
        hook.after_val_epoch(runner, {'l1/full': float('nan')})
    assert hook.best == 3 and runner.train_loop.stop_training


def test_an_interval_of_minus_one_validates_never_instead_of_always(config, tmp_path):
    build_runner(load_config(config, ['train_cfg.val_interval=-1', 'train_cfg.max_iters=3']), work_dir=tmp_path / 'run').train()
    assert not any('l1/full' in line for line in scalars(tmp_path / 'run'))


@pytest.mark.filterwarnings('ignore:invalid value')
def test_a_run_that_went_back_goes_on_though_the_diverged_model_had_used_up_its_patience(config, tmp_path):
    """The rate at iteration 5 is too fast, half of it is not. Validation at iteration 6 sees what diverged before the guard does."""
    options = [*KEEP_BEST, 'default_hooks.checkpoint.patience=1', "custom_hooks=[{'type':'FailAt','iteration':5,'what':'fast'}]"]
    runner = build_runner(load_config(config, options), work_dir=tmp_path / 'run', on_nan='rollback')
    runner.train()
    assert runner.iter == 6 and (tmp_path / 'run' / 'iter_0000006.pth').exists()
