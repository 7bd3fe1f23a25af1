"""What is looked at in a checkpoint's training state before a run goes on from it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from toolkit.doors import shortened
from toolkit.engine.optim import HOW
from toolkit.engine.random_state import random_state_kept, set_random_state
from toolkit.engine.saving import tensors
from toolkit.registry import PARAM_SCHEDULERS
from toolkit.structures import InputError
from toolkit.weights import as_read

LIKE_PARAMETERS = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer', 'square_avg', 'grad_avg', 'acc_delta', 'sum')
"""States of torch's optimizers that have the shape of their parameter."""
ADVICE = 'the file is damaged; use an earlier checkpoint'
OF_A_CALL = ('resume', 'load_from', 'work_dir', 'launcher')
"""Keys of a config that say where a run begins and where it is; the others are what is trained."""
MOST_TOLD = 12


def check_state_of_run(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Check position, processes, random states and optimizers. Errors of other kinds than these mean damage, too.

    Args:
        checkpoint: of :func:`toolkit.engine.checkpoint.training_state`.
        path: for messages.

    Raises:
        InputError: names what cannot be.
    """
    meta, ranks = checkpoint['meta'], checkpoint['ranks']
    for key, least in (('iter', 0), ('samples', 0), ('world_size', 1), ('threads', 1)):
        if not isinstance(meta[key], int) or meta[key] < least:
            raise InputError(f'{path}: {key} is {meta[key]!r}, expected a whole number of at least {least}: {ADVICE}')
    if not isinstance(ranks, list) or len(ranks) != meta['world_size']:
        raise InputError(f'{path}: expected states of {meta["world_size"]} processes: {ADVICE}')
    for rank in ranks:
        if not all(isinstance(rank[key], Mapping) for key in ('random', 'hooks', 'model')):
            raise InputError(f'{path}: the state of a process is not complete: {ADVICE}')
        with random_state_kept():
            set_random_state(rank['random'])
    bad = [key for key, value in checkpoint['state_dict'].items()
           if isinstance(value, Tensor) and value.is_floating_point() and value.isnan().any()]
    if bad:
        raise InputError(f'{path}: {bad[0]} is not finite, training had diverged: use an earlier checkpoint')
    for name, state in checkpoint['optimizer'].items():
        if any(tensor.is_floating_point() and tensor.isnan().any() for tensor in tensors(state)):
            raise InputError(f'{path}: the state of optimizer {name!r} is not finite, training had diverged: use an earlier checkpoint')


class _RunLength(int):
    """Where a scheduler ends that gives no ``end`` itself."""


def check_settings(checkpoint: Mapping[str, Any], config: Mapping[str, Any], path: str | Path) -> None:
    """Check that optimizers and schedules are as they were: a run goes on with those of the checkpoint, and other values in the config
    would have no effect. A scheduler that has not begun may get another ``begin`` and ``end``. One that gives no ``end`` ends with the
    run: that may be longer now where its rates depend on nothing but the iteration.

    Args:
        checkpoint: of :func:`toolkit.engine.checkpoint.training_state`.
        config: of the run that goes on.
        path: for messages.

    Raises:
        InputError: names what differs.
    """
    changed: dict[str, str] = {}
    meta, length = checkpoint['meta'], config['train_cfg'].get('max_iters')
    for name in checkpoint['optimizer']:
        old = _settings(meta['config'], name, meta['max_iters'])
        new = _settings(config, name, length if isinstance(length, int) else meta['max_iters'])
        for place in (*new, *(place for place in old if place not in new)):
            before, now = old.get(place, {}), new.get(place, {})
            waits = min(before.get('begin', 0), now.get('begin', 0)) > meta['iter']
            free = ('begin', 'end') if waits else ('end',) if _ends_anywhere(before, now) else ()
            for key in sorted(before.keys() | now.keys()):
                values = before.get(key), now.get(key)
                if values[0] != values[1] and key not in free:
                    note = ' (train_cfg.max_iters, where it gives none)' if any(isinstance(v, _RunLength) for v in values) else ''
                    changed[f'{_where(config, name, place)}.{key}'] = f'{values[0]!r}, now {values[1]!r}{note}'
    if changed:
        told = '; '.join(f'{key} was {values}' for key, values in changed.items())
        raise InputError(f'{path} cannot be resumed with other optimizers or schedules: {told}. To go on with the run set them as they '
                         f'were; to train its weights with the new values start a run in another work dir, with --cfg-options '
                         f'load_from={path}')


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a run that goes on does in another way than before, in words; nothing where all is as it was.

    Args:
        before: config in the checkpoint.
        now: config of the run.
    """
    values = [dict(_leaves(as_read({key: value for key, value in config.items() if key not in OF_A_CALL}))) for config in (before, now)]
    told = [f'{key} was {shortened(values[0].get(key))}, now {shortened(values[1].get(key))}' for key in {**values[0], **values[1]}
            if values[0].get(key) != values[1].get(key)]
    return '; '.join(told[:MOST_TOLD]) + (f'; and {len(told) - MOST_TOLD} more' if len(told) > MOST_TOLD else '')


def _leaves(node: Any, where: str = '') -> Iterator[tuple[str, Any]]:
    """Place and value of each setting; lists are compared whole, unless they hold parts."""
    parts = isinstance(node, list) and any(isinstance(value, Mapping) for value in node)
    if not isinstance(node, Mapping) and not parts:
        yield where, node
        return
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
        yield from _leaves(value, f'{where}.{key}' if where else str(key))


def _settings(config: Mapping[str, Any], name: str, length: int) -> dict[str | int, dict[str, Any]]:
    """What a config says of an optimizer and its networks, and by number of each scheduler, but for how an update is computed."""
    entry = config['optim_wrapper'].get(name, {})
    schedulers = config.get('param_scheduler') or []
    if isinstance(schedulers, Mapping) and 'type' not in schedulers:
        schedulers = schedulers.get(name) or []
    schedulers = [schedulers] if isinstance(schedulers, Mapping) else schedulers
    found = {'': {'networks': entry.get('networks')}, 'optimizer': entry.get('optimizer') or {}}
    found |= {number: {'end': _RunLength(length), **settings} for number, settings in enumerate(schedulers)}
    return {place: {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()
                    if key not in (*HOW, 'by_epoch')} for place, settings in found.items()}


def _ends_anywhere(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a scheduler that ends with the run, at another iteration now, does the same up to there as before."""
    ends = before.get('end'), now.get('end')
    if ends[0] == ends[1] or not all(isinstance(end, _RunLength) and end > now.get('begin', 0) for end in ends):
        return False
    kind, given = PARAM_SCHEDULERS.get(now['type']), {key: value for key, value in now.items() if key not in ('type', '_scope_')}
    made = [kind(torch.optim.SGD([torch.zeros(1)], lr=1.0), **dict(given, end=int(end), by_epoch=False)).state_dict() for end in ends]
    return all(made[0][key] == made[1][key] for key in made[0] if key != 'end')


def _where(config: Mapping[str, Any], name: str, place: str | int) -> str:
    schedulers = config.get('param_scheduler')
    if not isinstance(place, int):
        return f'optim_wrapper.{name}.{place}'.rstrip('.')
    if not isinstance(schedulers, Mapping):
        return f'param_scheduler.{place}'
    return 'param_scheduler' if 'type' in schedulers else f'param_scheduler.{name}.{place}'


def check_optimizer_state(optimizer: Optimizer, name: str, path: str | Path) -> None:
    """Check that what was loaded fits the parameters.

    Args:
        optimizer: after ``load_state_dict``.
        name: of the optimizer, for messages.
        path: of the checkpoint, for messages.

    Raises:
        InputError: another shape.
    """
    for parameter, state in optimizer.state.items():
        for key in LIKE_PARAMETERS:
            value = state.get(key)
            if isinstance(value, Tensor) and isinstance(parameter, torch.nn.Parameter) and value.shape != parameter.shape:
                raise InputError(f'{path}: {key} of optimizer {name!r} has the shape {tuple(value.shape)}, its parameter '
                                 f'{tuple(parameter.shape)}: the checkpoint is of another model, or damaged')
