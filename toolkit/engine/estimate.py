"""What a training will cost, measured by its first iterations: time, memory, disk."""

import math
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook

from toolkit.cli import Interrupted
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.loop import IterLoop
from toolkit.engine.optim import optimizers, schedulers
from toolkit.machine import most_memory, private_memory
from toolkit.models.bare import bare
from toolkit.registry import HOOKS
from toolkit.structures import InputError

WARM_UP = 5
"""First iterations, in which memory is allocated and networks are tuned, do not count."""
MB = 1e6


@dataclass
class Estimate:
    """What was measured.

    Attributes:
        iterations: of the whole training.
        seconds: of an iteration, (N,) measured ones.
        begun: seconds until the first iteration began: data, networks.
        memory: most memory of the process, and what its loading processes do not share with it, in MB (millions of bytes); None
            where the system does not say it.
        gpu_memory: most memory that torch took on the GPU in MB; None without one.
        batch: items of a mini-batch.
        parameters: network -> parameters.
        checkpoint: MB of a checkpoint.
        left_out: what training does beside, and was not measured.
    """

    iterations: int
    seconds: np.ndarray
    begun: float
    memory: float | None
    gpu_memory: float | None
    batch: int
    parameters: dict[str, int]
    checkpoint: float
    left_out: list[str] = field(default_factory=list)

    @property
    def total(self) -> float:
        """Seconds of the whole training, without what was left out."""
        return self.begun + self.iterations * float(np.mean(self.seconds))

    def lines(self) -> list[str]:
        """For the console."""
        median, spread = float(np.median(self.seconds)), np.quantile(self.seconds, (.1, .9))
        lines = [
            f'networks      {", ".join(f"{name} {count / 1e6:.2f} M" for name, count in self.parameters.items())} parameters',
            f'an iteration  {median:.3f} s (80 % within {spread[0]:.3f} and {spread[1]:.3f} s, of {len(self.seconds)} measured), '
            f'{self.batch / median:.1f} items a second',
            f'in all        {self.iterations:,} iterations: about {duration(self.total)}',
            f'memory        {"not told here" if self.memory is None else f"{self.memory:,.0f} MB"}' + (
                '' if self.gpu_memory is None else f', on the GPU {self.gpu_memory:,.0f} MB'),
            f'disk          about {self.checkpoint:,.0f} MB a checkpoint']
        return lines + ([f'on top        {"; ".join(self.left_out)}: not measured'] if self.left_out else [])


def duration(seconds: float) -> str:
    """Such as '3 h 20 min'."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, 'days' if days > 1 else 'day'), (hours, 'h'), (minutes, 'min')]
    return ' '.join(f'{number} {unit}' for number, unit in parts if number) or '1 min'


@HOOKS.register_module()
class Stopwatch(Hook):
    """Notes when each iteration is done; the device is waited for. Then what memory the loading processes have.

    Attributes:
        times: (N + 1,) seconds, of the beginning and of each iteration.
        loading: bytes that the loading processes share with nobody; None where the system does not say it.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.times: list[float] = []
        self.loading: int | None = 0
        self._others: list[multiprocessing.Process] = []

    def before_train(self, runner) -> None:
        """The first iteration begins."""
        self._others = multiprocessing.active_children()
        self._note()

    def after_train_epoch(self, runner) -> None:
        """All iterations are done, and the loading processes are still there."""
        self.loading = private_memory(child.pid for child in multiprocessing.active_children() if child not in self._others)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """An iteration is done."""
        self._note()

    def _note(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())


def estimate(config: str | Path, cfg_options: Sequence[str] = (), amp: bool | str = False, iterations: int = 20,
             fast: bool = False) -> Estimate:
    """Train a few iterations in a folder that is removed, and say what the whole training would take.

    Data that the config renders on first use, and networks that it builds on, are made as training would make them, and stay.

    Args:
        config: a config file, or the name of one.
        cfg_options: ``'key=value'`` overrides.
        amp, fast: as for training.
        iterations: how many to measure, beside five to warm up; where gradients are accumulated up to the end of a window.

    Raises:
        InputError: too few iterations; whatever training refuses.
    """
    if iterations < 2:
        raise InputError(f'at least 2 iterations are needed to measure, got {iterations}')
    cfg = load_config(config, list(cfg_options))
    if not isinstance(planned := (cfg.get('train_cfg') or {}).get('max_iters'), int):
        raise InputError(f'config {cfg.filename} has no train_cfg.max_iters, which training needs')
    left_out = _left_out(cfg, planned)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix='estimate_') as folder:
        for scheduler in schedulers(cfg):
            scheduler.setdefault('end', planned)
        counts = [entry.get('accumulative_counts', 1) for entry in optimizers(cfg)] if cfg.get('optim_wrapper') else []
        window = math.lcm(*(max(count, 1) for count in counts))
        cfg.train_cfg.max_iters = -(-(iterations + WARM_UP) // window) * window
        for key in ('val_dataloader', 'val_evaluator', 'val_cfg'):
            cfg.pop(key, None)
        cfg.train_cfg.pop('val_interval', None)
        cfg.custom_hooks = [hook for hook in cfg.get('custom_hooks') or () if hook.get('type') != 'GenerateHook']
        cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None, logger=dict(type='ScalarLogger', interval=10**9))
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        runner = build_runner(cfg, folder, amp=amp, fast=fast)
        watch = Stopwatch()
        runner.register_hook(watch)
        try:
            runner.train()
        except Interrupted:  # it names a checkpoint, which goes with the folder
            raise Interrupted('interrupted; nothing is kept of the trial') from None
        model = bare(runner.model)
        sizes = sum(t.numel() * t.element_size() for t in model.state_dict().values() if isinstance(t, torch.Tensor))
        trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
        networks = model.networks() if hasattr(model, 'networks') else dict(model.named_children())
        peak = most_memory()
        if watch.loading is None:
            left_out.append('memory of loading processes')
        return Estimate(
            planned, np.diff(watch.times)[WARM_UP:], watch.times[0] - started, peak and (peak + (watch.loading or 0)) / MB,
            torch.cuda.max_memory_allocated() / MB if torch.cuda.is_available() else None,
            cfg.train_dataloader.get('batch_size') or 1,
            {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
            (sizes + 2 * trained) / MB, left_out)


def _left_out(cfg, planned: int) -> list[str]:
    """What training does beside its iterations."""
    found = []
    defaults = signature(IterLoop).parameters
    every, begin = (cfg.train_cfg.get(key, defaults[key].default) for key in ('val_interval', 'val_begin'))
    due = {*range(every, planned, every), planned} if cfg.get('val_dataloader') and every > 0 else ()
    if count := sum(t >= begin for t in due):
        found.append(f'{count} validation{"s" * (count > 1)}')
    for hook in cfg.get('custom_hooks') or ():
        if hook.get('type') == 'GenerateHook':
            found.append('previews')
    return [*found, 'checkpoints']
