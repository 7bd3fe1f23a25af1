"""Exact, safe and atomic checkpoints.

A checkpoint holds plain data only, so that it loads with ``weights_only=True``:

- ``meta``: format, iter, samples, max_iters, seed, world_size, threads, machine, config (plain data), versions, plugins, time, and
  what is left to do after this iteration (unfinished, validation_due);
- ``state_dict``: the model, with the keys of a single process;
- ``optimizer``, ``param_schedulers``: by name of the optimizer;
- ``ranks``: for each process its random state, the state of its hooks, and those buffers and extra states of the model that differ from
  the first process's.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import get_dist_info
from torch import Tensor, nn

import toolkit
from toolkit.engine.machine import machine, other_machine
from toolkit.engine.random_state import random_state
from toolkit.engine.resume_checks import changed_settings, check_optimizer_state, check_settings, check_state_of_run
from toolkit.engine.takers import check_node
from toolkit.engine.trained_on import TIME
from toolkit.models.adversaries import only_trains
from toolkit.models.bare import unwrapped
from toolkit.plugins import import_named, load_plugins
from toolkit.structures import InputError
from toolkit.weights import check_state, load_state, read_checkpoint, use_packed_configs

FORMAT = 1
AVERAGED = '_ema'
"""Behind the name of a network: its average, which generates."""
OF_THE_RUN = ('_global_step', '_last_value', 'base_values', 'eta_min', 'last_step')
"""Of the state of a scheduler: what a run changes before the scheduler begins; the rest is as the config says."""
EXPORTED = 'exported'
"""In ``meta`` of a file of :mod:`toolkit.engine.export`: it holds what generates alone."""


def load_checkpoint(path: str | Path, model: nn.Module, strict: bool = True) -> dict[str, Any]:
    """Load the weights of a checkpoint into a model.

    Args:
        path: see :func:`toolkit.weights.read_checkpoint`.
        model: wrapped or not.
        strict: refuse missing and unknown keys; shapes must always fit.

    Returns:
        The checkpoint's ``meta``.

    Raises:
        InputError: unreadable or unsafe file, or one that does not fit.
    """
    checkpoint = read_checkpoint(path)
    with unwrapped(model) as bare:
        load_state(bare, whole_state(bare, checkpoint), path, strict)
    return checkpoint.get('meta', {})


def whole_state(model: nn.Module, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a checkpoint for a model. A file that holds what generates alone (:mod:`toolkit.engine.export`) is completed:
    averaged copies begin as their networks; discriminators, and pools of pictures, stay as they are.

    Args:
        model: not wrapped.
        checkpoint: of :func:`toolkit.weights.read_checkpoint`.
    """
    state, meta = dict(checkpoint['state_dict']), checkpoint.get('meta')
    if not (isinstance(meta, Mapping) and meta.get(EXPORTED)):
        return state
    for key, value in model.state_dict().items():
        network, _, rest = key.partition('.')
        trained = f'{network.removesuffix(AVERAGED)}.{rest}'
        if key not in state and trained in state:
            state[key] = state[trained]
        elif key not in state and (only_trains(network) or not isinstance(value, Tensor)):
            state[key] = value
    return state


def checkpoint_config(path: str | Path, allow_imports: Sequence[str] = ()) -> Config:
    """The config of the run that wrote a checkpoint. It is stored as data: reading it runs no code.

    Encoders and restoration networks that the run took from files of other runs are in the config itself, so that those files are not
    needed any more.

    Args:
        path: see :func:`toolkit.weights.read_checkpoint`.
        allow_imports: modules of ``custom_imports`` that may be imported though they are not installed.

    Raises:
        InputError: unreadable or unsafe file, one without a config or with one that cannot be, or one that needs modules which are not
            installed and not allowed.
    """
    checkpoint = read_checkpoint(path)
    meta = checkpoint.get('meta', {})
    config = meta.get('config') if isinstance(meta, Mapping) else None
    if not isinstance(config, Mapping) or 'model' not in config:
        raise InputError(f'{path} does not say how its model is built: it was not written by tools/train.py of this toolkit')
    named = config.get('custom_imports') or {}
    named = named.get('imports', []) if isinstance(named, Mapping) else named
    named = [named] if isinstance(named, str) else named
    if not isinstance(named, (list, tuple)) or not all(isinstance(module, str) for module in named):
        raise InputError(f'{path}: the config in it is damaged: custom_imports={named!r}, expected names of modules')
    import_named(named, allow_imports, str(path))
    try:
        check_node('model', dict(config['model']), [])
        config = Config(dict(config))
        use_packed_configs(config.model, checkpoint['state_dict'])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f'{path}: the config in it is damaged or of another version: {error}') from error
    return config


def plain(value: Any, where: str = 'checkpoint') -> Any:
    """Copy nested data as CPU tensors, numbers, strings, lists, tuples and dicts.

    Raises:
        TypeError: names the place of anything else, which could not be loaded safely.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, bytes, bool, Number, torch.dtype, torch.device)):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item, f'{where}[{key!r}]') for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(item, f'{where}[{i}]') for i, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise TypeError(f'{where} is a {type(value).__name__}; only tensors, numbers, strings, lists, tuples and dicts can be saved')


def training_state(runner) -> dict[str, Any] | None:
    """Everything a run needs to go on; every process must call it.

    Args:
        runner: a :class:`toolkit.engine.runner.TrainRunner` in training.

    Returns:
        The checkpoint on process 0, None on others.
    """
    with unwrapped(runner.model) as bare:
        state = plain(bare.state_dict(), 'state_dict')
        parameters = {name for name, _ in bare.named_parameters()}
    local = {key: value for key, value in state.items() if key not in parameters}
    loop = runner.train_loop
    ranks = _gather(dict(random=random_state(), hooks=plain(_hook_states(runner), 'hooks'), model=local, unfinished=loop.unfinished,
                         validation_due=loop.validation_due))
    if ranks is None:
        return None
    left = {key: max(rank.pop(key) for rank in ranks) for key in ('unfinished', 'validation_due')}  # where one failed, all make up
    for rank in ranks[1:]:
        rank['model'] = {key: value for key, value in rank['model'].items() if not _same(value, local.get(key))}
    ranks[0]['model'] = {}
    meta = dict(
        format=FORMAT, iter=loop.iter, samples=loop.samples, max_iters=loop.max_iters, seed=runner.seed, world_size=runner.world_size,
        threads=torch.get_num_threads(), machine=machine(), **left,
        config=runner.config_data, toolkit_version=toolkit.__version__, torch_version=str(torch.__version__), plugins=load_plugins(),
        custom_imports=list((runner.cfg.get('custom_imports') or {}).get('imports', [])), time=time.strftime(TIME))
    schedulers = runner.param_schedulers or {}
    return dict(
        meta=meta, state_dict=state, ranks=ranks, optimizer=plain(runner.optim_wrapper.state_dict(), 'optimizer'),
        param_schedulers=plain({name: [_scheduler_state(s) for s in group] for name, group in schedulers.items()}, 'param_schedulers'))


def check_checkpoint(runner, path: str | Path, resume: bool) -> dict[str, Any]:
    """See whether a runner could go on from a checkpoint, or load its weights, before its data is there. Nothing is loaded.

    Args:
        runner: with model and optimizers built.
        path: the checkpoint.
        resume: whether its training state is wanted too.

    Returns:
        The checkpoint.

    Raises:
        InputError: unreadable or unsafe file, one of another model; to resume also weights only, another format, seed or set of
            optimizers, other settings of theirs or other schedules.
    """
    checkpoint = read_checkpoint(path)
    if resume:
        _check_training_state(runner, checkpoint, path)
    with unwrapped(runner.model) as bare:
        check_state(bare, whole_state(bare, checkpoint), path)
    return checkpoint


def _check_training_state(runner, checkpoint: dict, path: str | Path) -> None:
    meta = checkpoint.get('meta')
    whole = {'ranks', 'optimizer', 'param_schedulers'} <= set(checkpoint) and isinstance(meta, Mapping)
    if not whole or meta.get('format') != FORMAT:
        raise InputError(f'{path} cannot be resumed: it holds weights but no training state of this toolkit (format {FORMAT}). To '
                         f'start from its weights use --cfg-options load_from={path}')
    with _damage_named(path):
        check_state_of_run(checkpoint, path)
    most = (runner.cfg.get('train_cfg') or {}).get('max_iters')
    if isinstance(most, int) and meta['iter'] > most:
        raise InputError(f'{path} is of iteration {meta["iter"]}, but train_cfg.max_iters is {most}; raise it to go on')
    if meta['seed'] != runner.seed:
        raise InputError(f'{path} was trained with seed {meta["seed"]}, the config says {runner.seed}; set '
                         f'randomness.seed={meta["seed"]} to go on')
    if set(checkpoint['optimizer']) != set(runner.optim_wrapper.keys()):
        raise InputError(f'{path} has the optimizers {sorted(checkpoint["optimizer"])}, the config has '
                         f'{sorted(runner.optim_wrapper.keys())}')
    with _damage_named(path), unwrapped(runner.model) as model:
        check_settings(checkpoint, runner.cfg.to_dict(), path)
        counts = max(wrapper.accumulative_counts for wrapper in runner.optim_wrapper.values())
        _check_stage(model, dict(meta, begun=max(meta['iter'] - counts, 0)), most, path)


def _check_stage(model: nn.Module, meta: Mapping[str, Any], length: Any, path: str | Path) -> None:
    """Refuse a run of another length in which a method would go back to an earlier stage, over what it has trained since."""
    if not isinstance(length, int) or not hasattr(model, 'set_train_state'):
        return
    stages = []
    for iterations in (meta['max_iters'], length):
        model.set_train_state(seed=meta['seed'], rank=0, iteration=meta['begun'], max_iters=iterations)
        stages.append(getattr(model, 'stage', 0))
    if stages[1] < stages[0]:
        raise InputError(f'{path}: {type(model).__name__} has come to stage {stages[0] + 1} of its training. In a run of '
                         f'train_cfg.max_iters={length} instead of {meta["max_iters"]} it would go back to stage {stages[1] + 1} and '
                         f'train over that: begin its stages at smaller shares of the run (model), or leave max_iters as it was')


def restore_training_state(runner, path: str | Path) -> None:
    """Put a built runner where the checkpoint's run was.

    Args:
        runner: with loops, optimizers and schedulers built.
        path: a checkpoint of :func:`training_state`.

    Raises:
        InputError: weights only, another format, seed, architecture or set of optimizers, other settings of theirs or other schedules.
    """
    checkpoint = check_checkpoint(runner, path, resume=True)
    meta = checkpoint['meta']
    same_world = meta['world_size'] == runner.world_size
    if not same_world:
        runner.logger.warning(f'{path} was trained by {meta["world_size"]} processes, this run has {runner.world_size}: the data '
                              f'order goes on, random states and buffers of processes start anew, so the result is not bitwise '
                              f'that of an uninterrupted run')
    if meta['threads'] != torch.get_num_threads():
        runner.logger.warning(f'{path} was trained with {meta["threads"]} threads, this run has {torch.get_num_threads()}: sums are '
                              f'rounded in another order, so the result is not bitwise that of an uninterrupted run; for that set '
                              f'OMP_NUM_THREADS={meta["threads"]}')
    with _damage_named(path):
        if others := other_machine(meta.get('machine', {})):
            runner.logger.warning(f'{path}: {others}: sums may be rounded in another order, so the result may not be bitwise that of '
                                  f'an uninterrupted run')
        _restore(runner, checkpoint, path, same_world)
    if changed := changed_settings(meta['config'], runner.config_data):
        runner.logger.info(f'goes on with other settings than {path}: {changed}')


def _restore(runner, checkpoint: dict, path: str | Path, same_world: bool) -> None:
    meta = checkpoint['meta']
    rank = checkpoint['ranks'][runner.rank if same_world else 0]
    with unwrapped(runner.model) as bare:
        load_state(bare, {**checkpoint['state_dict'], **rank['model']}, path)
    _restore_named(runner.optim_wrapper, checkpoint['optimizer'], path)
    for name, group in (runner.param_schedulers or {}).items():
        saved = checkpoint['param_schedulers'].get(name, [])
        if len(saved) != len(group):
            raise InputError(f'{path}: optimizer {name!r} had {len(saved)} schedulers, the config has {len(group)}')
        for scheduler, state in zip(group, saved):
            if missing := set(_scheduler_state(scheduler)) - set(state):
                kind = type(scheduler).__name__
                raise InputError(f'{path}: a scheduler of optimizer {name!r} was of another kind than the {kind} of the config (no '
                                 f'{", ".join(sorted(missing))}), or the file is damaged')
            begun, end = state['last_step'] >= 0, scheduler.end
            scheduler.load_state_dict(state if begun else {key: state[key] for key in OF_THE_RUN if key in state})
            _end_at(scheduler, end)
    for name, hook in _hooks_with_state(runner).items():
        if name in rank['hooks']:
            hook.load_state_dict(rank['hooks'][name])
    runner.train_loop.set_position(
        meta['iter'], _position(runner, meta, path), rank['random'] if same_world else None,
        bool(meta.get('unfinished')), bool(meta.get('validation_due')))


def _position(runner, meta: Mapping[str, Any], path: str | Path) -> int:
    """Samples used so far. Items that follow each other go on with their next group where a mini-batch has another size now."""
    loader, samples = runner.train_loop.dataloader, meta['samples']
    before, now = meta['config']['train_dataloader'].get('batch_size', 1) * meta['world_size'], loader.batch_size * runner.world_size
    group = getattr(loader.dataset, 'sequence', 1) * now
    if before == now or not getattr(loader.dataset, 'ordered', False) or samples % group == 0:
        return samples
    skipped = -samples % group
    runner.logger.warning(f'{path} was trained with mini-batches of {before}, this run has {now}: {skipped} samples are left out, so '
                          f'that it goes on with a whole group of the items that follow each other')
    return samples + skipped


def _end_at(scheduler, end: int) -> None:
    """Let a scheduler that ended with its run go on in one that is longer. At its old end it made no step yet."""
    missed, scheduler.end = scheduler.end <= scheduler._global_step < end, end
    if missed:
        scheduler._global_step -= 1
        scheduler.step()


def _scheduler_state(scheduler) -> dict[str, Any]:
    """Its state without the functions that the config chooses."""
    return {key: value for key, value in scheduler.state_dict().items() if not callable(value)}


def _restore_named(optim_wrapper, states: dict[str, dict], path: str | Path) -> None:
    for name, state in states.items():
        try:
            optim_wrapper[name].load_state_dict(state)
        except (ValueError, KeyError) as error:
            raise InputError(f'{path}: the state of optimizer {name!r} does not fit the config ({error})') from error
        check_optimizer_state(optim_wrapper[name].optimizer, name, path)


@contextmanager
def _damage_named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f'{path}: its training state is damaged, or of another version ({type(error).__name__}: {error}). Use an '
                         f'earlier checkpoint, or start from its weights by --cfg-options load_from={path}') from error


def _hooks_with_state(runner) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for hook in runner.hooks:
        if hasattr(hook, 'state_dict'):
            name = type(hook).__name__
            found[f'{name}.{sum(k.split(".")[0] == name for k in found)}'] = hook
    return found


def _hook_states(runner) -> dict[str, dict]:
    return {name: hook.state_dict() for name, hook in _hooks_with_state(runner).items()}


def _gather(value: Any) -> list | None:
    rank, world = get_dist_info()
    if world == 1:
        return [value]
    values = [None] * world if rank == 0 else None
    dist.gather_object(value, values)
    return values


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and not _holds_tensor(a) and a == b


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_tensor(v) for v in value.values())
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and any(_holds_tensor(v) for v in value))
