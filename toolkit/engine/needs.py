"""What a config builds on and is not there yet is made first: the networks of earlier runs, and a stand-in for published weights.

A config says under ``needs`` what it builds on, each entry under a name of its choice::

    needs = dict(
        up=dict(part='model.color_codes.up', config='{{fileDirname}}/stage1_bicyclegan_up.py'),
        pose_network=dict(
            part='model.losses.skeleton.pose_network', config='{{fileDirname}}/quick_pose_network.py',
            use=dict(type='TrainedPoseNetwork'), also={'model.losses.skeleton.stage': None},
            shared=['train_dataloader.dataset.a', 'train_dataloader.dataset.b']))

The part of the first entry is the work dir of a run of that config. The part of the second one needs published weights: where they are
not found, ``use`` takes its place, with the ``checkpoint`` of a run of ``config`` on the data of this one.
"""

import copy
import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from toolkit.cli import Interrupted
from toolkit.locks import BusyError, locked
from toolkit.registry import ALL_REGISTRIES, check_keys, find_part
from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import latest_checkpoint, read_checkpoint, trained_checkpoint

KEYS = ('part', 'config', 'use', 'also', 'shared')
Train = Callable[[Config, Path], None]


class BeingMade(BusyError):
    """Another process is training what a config builds on."""


def meet_needs(cfg: Config, train: Train, read: Callable[[Path], Config], resumed: str | Path | None = None,
               place: Callable[[Path], Path] = lambda config: Path('work_dirs'), wait: bool = True) -> None:
    """Take ``needs`` out of a config and make what is missing of them. In place.

    Args:
        cfg: a whole config.
        train: trains a config in a work dir; it goes on where a stopped run was.
        read: reads a config file.
        resumed: the checkpoint that the run goes on from: a stand-in that it began with stays.
        place: tells from the config of a stand-in the folder that holds its work dir.
        wait: for what another process is training.

    Raises:
        InputError: an entry that cannot be.
        MissingWeightsError: a name of a run that is not there and that no need makes.
        Interrupted: the user stopped a training; the same command goes on with it.
        BeingMade: another process is training it, and this one was not to wait.
    """
    needs = cfg._cfg_dict.pop('needs', None) or {}
    earlier = (read_checkpoint(resumed).get('meta') or {}).get('config') if resumed and needs else None
    for name, need in needs.items():
        _check_name(f'needs.{name}', need, cfg)
    for name, need in needs.items():
        if need is not None:
            _meet(f'needs.{name}', need, cfg, train, read, earlier, place, wait)


def _meet(where: str, need: Mapping, cfg: Config, train: Train, read: Callable[[Path], Config], earlier: Mapping | None,
          place: Callable[[Path], Path], wait: bool) -> None:
    check_keys(need, KEYS, where)
    if not isinstance(need.get('part'), str) or not isinstance(need.get('config'), str):
        raise InputError(f'{where} needs part=... (a key of this config) and config=... (the config that makes it)')
    part, config = _get(cfg._cfg_dict, need['part']), Path(need['config'])
    if isinstance(part, str) and 'use' not in need:
        work_dir = Path(part)
        if work_dir.name == config.stem and latest_checkpoint(work_dir) is None:
            _make(read(config), work_dir, f'{where}: {work_dir} is not there yet', train, wait)
    elif isinstance(part, Mapping) and 'use' in need:
        began_with_it = earlier and (_get(earlier, need['part']) or {}).get('type') == need['use']['type'] != part.get('type')
        reason = 'the run began with the stand-in' if began_with_it else _missing(part)
        if reason:
            made = read(config)
            work_dir = place(config) / _name(made, cfg, config, need.get('shared') or ())
            stand_in = dict(need['use'], checkpoint=str(work_dir))
            if latest_checkpoint(work_dir) is None:
                _make(made, work_dir, f'{where}: {part.get("type")} is replaced by {stand_in["type"]}, because {reason}', train, wait)
            else:
                print(f'{where}: {part.get("type")} is replaced by {stand_in["type"]} of {work_dir}, because {reason}', flush=True)
            for key, value in {need['part']: stand_in, **(need.get('also') or {})}.items():
                _put(cfg._cfg_dict, key, value)


def _check_name(where: str, need: Mapping | None, cfg: Config) -> None:
    """Refuse the name of a run that is not there and that this need would not make, before other needs are trained."""
    if isinstance(need, Mapping) and 'use' not in need and isinstance(need.get('config'), str):
        part = _get(cfg._cfg_dict, str(need.get('part')))
        if isinstance(part, str) and Path(part).name != Path(need['config']).stem:
            trained_checkpoint(part, f'{where}: {need["part"]}', need['config'])


def _missing(part: Mapping) -> str:
    """Why a part cannot be built for want of weights; empty where it can."""
    for name in find_part(str(part.get('type'))):
        try:
            ALL_REGISTRIES[name].build(dict(part))
        except MissingWeightsError as error:
            return str(error)
    return ''


def _name(made: Config, cfg: Config, config: Path, shared: list[str]) -> str:
    """Give a config the data of another one; its name, with a mark where that changed it."""
    before = copy.deepcopy([_get(made._cfg_dict, key) for key in shared])
    wanted = [_get(cfg._cfg_dict, key) for key in shared]
    for key, value in zip(shared, wanted):
        _put(made._cfg_dict, key, copy.deepcopy(value))
    if before == wanted:
        return config.stem
    return f'{config.stem}_{hashlib.sha256(json.dumps(wanted, sort_keys=True, default=str).encode()).hexdigest()[:8]}'


def _make(made: Config, work_dir: Path, reason: str, train: Train, wait: bool) -> None:
    """Train into a folder that gets its name when it is finished; other processes wait for it."""
    work_dir.parent.mkdir(parents=True, exist_ok=True)
    unfinished = work_dir.with_name(f'{work_dir.name}.unfinished')
    with _alone(work_dir.with_name(f'.{work_dir.name}.lock'), wait):
        if latest_checkpoint(work_dir) is not None:
            return
        if work_dir.exists() and (not work_dir.is_dir() or any(work_dir.iterdir())):
            raise InputError(f'{work_dir} is there but holds no checkpoint. Go on with its training, or move it away: python '
                             f'tools/train.py {made.filename} --work-dir {work_dir} --resume')
        steps = made.get('train_cfg', {}).get('max_iters')
        print(f'{reason}\nit is trained first, once, with {made.filename} ({steps:,} iterations), and kept in {work_dir}', flush=True)
        made.custom_hooks = [*(made.get('custom_hooks') or []), dict(type='ProgressBar', label=work_dir.name)]
        try:
            train(made, unfinished)
        except KeyboardInterrupt as stop:
            raise Interrupted(f'interrupted while {work_dir} was trained; the same command goes on there') from stop
        if work_dir.exists():
            work_dir.rmdir()
        unfinished.rename(work_dir)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def _alone(lock: Path, wait: bool) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock, wait))
        except BusyError as error:
            raise BeingMade(str(error)) from None
        yield


def _get(node: Any, key: str) -> Any:
    for part in key.split('.'):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _put(node: Any, key: str, value: Any) -> None:
    *path, last = key.split('.')
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    if not isinstance(node, dict):
        raise InputError(f'needs: the config has no {".".join(path)}')
    node[last] = value
