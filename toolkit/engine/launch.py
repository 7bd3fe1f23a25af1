"""From a config file to a runner: what the tools and :mod:`toolkit.apis` share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch.utils.data import Dataset

from toolkit.cli import Interrupted, add_config_arguments, main_guard
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.config import check_config, load_config
from toolkit.engine.fast import slow_half, use_fast
from toolkit.engine.mmengine_names import OUR_HOOKS, check_names
from toolkit.engine.needs import meet_needs
from toolkit.engine.optim import use_amp
from toolkit.engine.processes import LAUNCHERS
from toolkit.engine.runner import TrainRunner
from toolkit.engine.work_dir import config_file
from toolkit.files import check_output, make_folder
from toolkit.packaged import find_config
from toolkit.registry import DATASETS, load_plugins
from toolkit.structures import InputError
from toolkit.weights import checkpoint_file, latest_checkpoint

__all__ = ['Interrupted', 'add_config_arguments', 'build_runner', 'check_config', 'dataset_of', 'load_config',
           'main_guard']


def build_runner(cfg: Config, work_dir: str | Path | None = None, resume: bool | str | Path = False, amp: bool | str = False,
                 launcher: str | None = None, load_from: str | Path | None = None, training: bool = True,
                 on_nan: str | None = None, fast: bool = False) -> TrainRunner:
    """Build the runner of a config. For training, what the config needs and is not there is made first, see
    :mod:`toolkit.engine.needs`.

    Args:
        cfg: of :func:`load_config`; not changed.
        work_dir: where checkpoints and logs go; default the config's, else ``work_dirs/<name of the config>``.
        resume: True for the latest checkpoint of the work dir, or a checkpoint, or another work dir, whose latest is taken.
        amp: half precision: True for bfloat16, or a dtype.
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``; default the config's.
        load_from: checkpoint whose weights to start from.
        on_nan: of :class:`toolkit.engine.nan_guard.NanGuard`; default the config's.
        fast: switch on what is fast on this machine, see :func:`toolkit.engine.fast.use_fast`.
        training: False leaves out everything that only training needs, so that a model can be tested without training data.

    Raises:
        InputError: unusable combination; whatever building raises.
    """
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    cfg.default_scope = 'toolkit'
    if 'model' not in cfg:
        raise InputError(f'config {cfg.filename} has no model')
    if work_dir or not cfg.get('work_dir'):
        cfg.work_dir = str(work_dir or Path('work_dirs') / Path(cfg.filename or 'run').stem)
    check_output(cfg.work_dir, folder=True)
    if training and cfg.filename:
        config_file(cfg.work_dir, cfg.filename)
    if launcher is not None:
        cfg.launcher = launcher
    if cfg.get('launcher', 'none') not in LAUNCHERS:
        raise InputError(f'launcher must be one of {", ".join(LAUNCHERS)}, got {cfg.launcher!r}')
    if resume and load_from:
        raise InputError('give either a checkpoint to resume or weights to load, not both')
    anew = resume is True and latest_checkpoint(cfg.work_dir) is None   # stopped before its first checkpoint: it begins as it did
    if resume and not anew:
        cfg.resume = True
        cfg.load_from = None if resume is True else str(latest_checkpoint(resume) or resume)
    elif load_from:
        cfg.load_from = str(load_from)
    if cfg.get('load_from') and not checkpoint_file(cfg.load_from).is_file():
        raise InputError(f'checkpoint {cfg.load_from} does not exist')
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper') if training else ():
        if not cfg.get(key):
            raise InputError(f'config {cfg.filename} has no {key}, which training needs')
    if training and cfg.get('val_dataloader'):
        cfg.val_cfg = {'type': 'ValLoop', **(cfg.get('val_cfg') or {})}
        if not cfg.get('val_evaluator'):
            raise InputError(f'config {cfg.filename} has a val_dataloader, but no val_evaluator; leave both out for no validation')
    if training and cfg.get('val_evaluator') and 'val_dataloader' not in cfg:
        raise InputError(f'config {cfg.filename} has a val_evaluator, but neither a val_dataloader nor a test_dataloader')
    if amp and training:
        use_amp(cfg, 'bfloat16' if amp is True else amp)
    chosen = use_fast(cfg) if fast and training else None
    keep: dict[str, Any] = cfg._cfg_dict
    if on_nan:
        keep['default_hooks'] = keep.get('default_hooks') or {}
        hooks = keep['default_hooks']
        hooks['nan_guard'] = {**dict(type='NanGuard'), **(hooks.get('nan_guard') or {}), 'on_nan': on_nan}
    if training:
        check_names(keep)
    sections = ('val', 'test') if training else ('train',)
    if not training:
        for key in ('optim_wrapper', 'param_scheduler', 'custom_hooks'):
            keep.pop(key, None)
        keep['default_hooks'] = dict.fromkeys(OUR_HOOKS)
    for section in sections:
        if not training or not keep.get(f'{section}_dataloader'):
            for key in (f'{section}_dataloader', f'{section}_cfg', f'{section}_evaluator'):
                keep.pop(key, None)
    if training:
        start = checkpoint_file(cfg.load_from) if cfg.get('load_from') else latest_checkpoint(cfg.work_dir)
        meet_needs(cfg, lambda made, folder: build_runner(
            made, folder, resume=True, amp=amp, on_nan=on_nan, fast=fast).train(), load_config,
                   start if cfg.get('resume') else None)
        make_folder(cfg.work_dir)
    keep.pop('needs', None)
    try:
        with naming_parts(cfg._cfg_dict, f'config {cfg.filename}'):
            runner = TrainRunner.from_cfg(cfg)
    except ImportError as error:
        raise InputError(f'config {cfg.filename} uses a part whose package is not installed: {error}') from error
    if chosen:
        runner.logger.info(chosen)
    if training and (slow := slow_half(keep)):
        runner.logger.warning(slow)
    if anew:
        runner.begins_anew = True
        runner.logger.info(f'no checkpoint in {cfg.work_dir} yet: starting from the beginning')
    return runner


def dataset_of(source: str | Path, dataloader: str = 'train_dataloader', cfg_options: dict[str, Any] | Sequence[str] = (),
               fields: Sequence[str] = ()) -> Dataset:
    """The data set of a config, or of a folder of prepared clips.

    Args:
        source: a config file, the name of one of the toolkit's, or a folder.
        dataloader: which one of the config.
        cfg_options: overrides of the config, see :func:`load_config`.
        fields: added fields (:func:`toolkit.fields.add`) that its items hold, too.

    Raises:
        InputError: neither a folder nor a config, options for a folder, no such data loader, a data set that has no added fields;
            whatever building raises.
    """
    load_plugins()
    if Path(source).is_dir():
        if cfg_options or dataloader != 'train_dataloader':
            raise InputError(f'{source}: a folder of prepared clips has no dataloaders and no options; give a config for those, with '
                             f'data.root={source}')
        dataset = DATASETS.build(dict(type='ClipWindows', root=str(source)))
    else:
        try:
            find_config(source)
        except InputError as error:
            raise InputError(f'{source}: no folder of prepared clips, and no config: {error}') from error
        cfg = load_config(source, cfg_options)
        if not cfg.get(dataloader):
            raise InputError(f'{source}: has no {dataloader}; there are {[k for k in cfg if k.endswith("dataloader")]}')
        with naming_parts(cfg._cfg_dict):
            dataset = DATASETS.build(cfg[dataloader]['dataset'])
    if fields and not hasattr(dataset, 'add_fields'):
        raise InputError(f'fields {", ".join(fields)}: a {type(dataset).__name__} has no add_fields')
    if fields:
        dataset.add_fields(fields)
    return dataset
