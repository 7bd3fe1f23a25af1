"""Names that people know from MMEngine: they mean what they mean there, or are refused with the name to use instead."""

from typing import Any

from toolkit.engine.shared_data import data_sets
from toolkit.registry import DATASETS, HOOKS, LOOPS
from toolkit.structures import InputError

OUR_HOOKS = dict(
    runtime_info='TrainStateHook', logger='ScalarLogger', param_scheduler='ParamSchedulerHook', nan_guard='NanGuard',
    checkpoint='CheckpointHook')
"""MMEngine's key in ``default_hooks`` -> the hook that stands there. Each of them must run once."""
WORKING = ('ParamSchedulerHook', 'EmptyCacheHook', 'ProfilerHook')
"""Hooks of MMEngine that do their work in our loop."""
INSTEAD = dict(
    RuntimeInfoHook='TrainStateHook tells the model where the run is, ScalarLogger logs: leave it out',
    LoggerHook="use type='ScalarLogger' in default_hooks.logger",
    IterTimerHook='ScalarLogger measures times itself: leave it out',
    DistSamplerSeedHook='DrawSampler shuffles each epoch anew by itself: leave it out',
    EMAHook='models keep their own averages: set model.ema',
    SyncBuffersHook='it acts at the ends of epochs, and training counts iterations',
    NaiveVisualizationHook='use GenerateHook',
    EarlyStoppingHook='its state is not in checkpoints: set save_best and patience in default_hooks.checkpoint',
    CheckpointHook="use type='CheckpointHook', without a scope")
DATASETS_INSTEAD = dict(
    ConcatDataset='use MixedClips', ClassBalancedDataset='use MixedClips with weights',
    RepeatDataset='training counts iterations and repeats its data by itself: leave it out')
TOP_LEVEL = dict(
    log_processor='default_hooks.logger averages and writes the log: set default_hooks.logger.interval',
    vis_backends='put it into visualizer=dict(vis_backends=[...])',
    auto_scale_lr='set the learning rates in optim_wrapper',
    data_preprocessor='put it into the model: model=dict(data_preprocessor=...)')
EPOCHS = ("training counts iterations: use train_cfg=dict(type='IterLoop', max_iters=...); an epoch is as many iterations as the data "
          'set has items, divided by batch size and processes')


def check_names(cfg: dict[str, Any]) -> None:
    """Refuse what would be built and then not work in our loop.

    Args:
        cfg: a whole config.

    Raises:
        InputError: says what to write instead.
    """
    for key, advice in TOP_LEVEL.items():
        if key in cfg:
            raise InputError(f'config: {key} is not used here: {advice}')
    if isinstance(cfg.get('optim_wrapper'), dict) and 'optimizer' in cfg['optim_wrapper']:
        raise InputError("optim_wrapper: here each network has an optimizer of its own: dict(g=dict(networks=['net_g'], "
                         "optimizer=dict(type='Adam', lr=2e-4)), d=dict(networks=['net_d'], optimizer=...))")
    if unused := sorted(set(cfg.get('test_cfg') or {}) - {'type', '_scope_'}):
        raise InputError(f'test_cfg.{unused[0]} is not used here: tools/test.py has the options --clips and --max-frames; leave it out')
    _check_loop(cfg.get('train_cfg') or {})
    _check_datasets(cfg)
    _check_hooks(cfg)


def _check_loop(train_cfg: dict) -> None:
    kind = train_cfg.get('type', 'IterLoop')
    if train_cfg.get('by_epoch') or 'max_epochs' in train_cfg or str(kind).endswith('EpochBasedTrainLoop'):
        raise InputError(f'train_cfg: {EPOCHS}')
    loop = LOOPS.get(kind) if isinstance(kind, str) else kind
    if not issubclass(loop, LOOPS.get('IterLoop')):
        raise InputError(f'train_cfg.type={kind!r}: use IterLoop (or its name in MMEngine, IterBasedTrainLoop, without a scope). A '
                         f'loop of your own must be a subclass of it: checkpoints and pictures are made at its hook point '
                         f'after_iteration')


def _check_datasets(cfg: dict) -> None:
    for where, dataset in data_sets(cfg):
        part = DATASETS.get(dataset['type']) if isinstance(dataset['type'], str) else dataset['type']
        if part.__module__.startswith('mmengine.'):
            raise InputError(f'{where}: {part.__name__} of MMEngine does not work here, it asks a data set for an item by its number '
                             f'alone, without the random draw: {DATASETS_INSTEAD.get(part.__name__, "register one of your own")}')


def _check_hooks(cfg: dict) -> None:
    default = {**{key: dict(type=kind) for key, kind in OUR_HOOKS.items()}, **(cfg.get('default_hooks') or {})}
    if default['runtime_info'] is None:
        raise InputError('default_hooks.runtime_info=None: without this hook the model does not know the iteration; leave it out')
    if default['param_scheduler'] is None and cfg.get('param_scheduler'):
        raise InputError('default_hooks.param_scheduler=None: without this hook param_scheduler would do nothing; leave one out')
    best = default['checkpoint'].get('save_best') if isinstance(default['checkpoint'], dict) else None
    if best and not (cfg.get('val_dataloader') and (cfg.get('train_cfg') or {}).get('val_interval', 1) > 0):
        raise InputError(f'default_hooks.checkpoint.save_best={best!r} needs validation: add val_dataloader and val_evaluator, as in '
                         f'configs/ablations/stage2_keep_best.py, and train_cfg.val_interval')
    places: dict[str, str] = {}
    named = [(f'default_hooks.{key}', hook) for key, hook in default.items()]
    for where, hook in [*named, *((f'custom_hooks.{i}', hook) for i, hook in enumerate(cfg.get('custom_hooks') or ()))]:
        if not isinstance(hook, dict) or not isinstance(hook.get('type'), str):
            continue
        part = HOOKS.get(hook['type'])
        name = part.__name__
        if part.__module__.startswith('mmengine.') and name not in WORKING:
            raise InputError(f'{where}: {name} of MMEngine does not work here: {INSTEAD.get(name, "leave it out")}')
        if name in OUR_HOOKS.values() and name in places:
            raise InputError(f'{where}: {name} is there already as {places[name]} and would act twice; change that one')
        places[name] = where
