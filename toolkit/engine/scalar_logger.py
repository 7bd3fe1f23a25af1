"""Losses, learning rates and speed: to the console, a file, and the visualizer's backends, at constant cost."""

import json
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from toolkit.doors import append
from toolkit.engine.work_dir import SCALARS, take_scalars_along
from toolkit.files import writing_error
from toolkit.models.bare import bare
from toolkit.registry import HOOKS
from toolkit.structures import InputError
from toolkit.together import on_main_process

SPEED_AFTER = 20


@HOOKS.register_module()
class ScalarLogger(Hook):
    """Averages what ``train_step`` returns over ``interval`` iterations and all processes.

    Sums stay on the device; only an iteration that logs waits for it. Nothing grows with the length of the run. The log lines, and the
    file ``<work_dir>/<time of the start>/vis_data/scalars.json``, are as MMEngine writes them. A line of the file has ``lr`` (with
    several optimizers one each, such as ``g.lr``), ``data_time`` and ``time`` (seconds of an iteration waiting for data, and in all,
    both without validation, previews and checkpoints), on GPUs ``memory`` (MB), ``iter``, ``step``, and the means; after validation its
    metrics and ``step``. A resumed run takes the file along into its own folder, cut where it goes on, so that a work dir has one file
    with the whole run; all but the times and the memory are what an uninterrupted run writes.

    Args:
        interval: iterations between logs.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise InputError(f'logger.interval must be at least 1, got {interval}')
        self.interval = interval
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = {}

    # ---- the run ----------------------------------------------------------------------------------------------------------------

    def before_train(self, runner) -> None:
        """Print the size of the networks; drop lines of the file that lie after the iteration where this run starts."""
        model = bare(runner.model)
        networks = model.networks() if hasattr(model, 'networks') else dict(model.named_children())
        for name, network in networks.items():
            total = sum(p.numel() for p in network.parameters())
            trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
            note = '' if trained == total else f', {trained:,} trained'
            runner.logger.info(f'{name}: {type(network).__name__}, {total:,} parameters{note}')
        self._file = Path(runner.log_dir) / SCALARS
        self._take_along(runner)
        self._first_iter = self._last_iter = runner.iter
        self._first_time = time.perf_counter()
        self._last = self._warm = self._now(runner)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict[str, Tensor] | None = None) -> None:
        """Accumulate, and log where it is due."""
        self._add(outputs or {})
        iteration = runner.iter + 1
        if iteration % self.interval == 0 or iteration == runner.max_iters:
            self._log(runner, iteration)
        done = iteration - self._first_iter
        if done == 1:
            _wait_for_device()
            self._warm = self._now(runner)
        elif done == SPEED_AFTER or (iteration == runner.max_iters and done < SPEED_AFTER):
            _wait_for_device()
            speed = (done - 1) / max(self._now(runner)[0] - self._warm[0], 1e-9)
            runner.logger.info(f'{speed:.3g} iterations a second over the first {done}; time left: {_left(runner, iteration, speed)}')

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Log validation metrics."""
        if not metrics:
            return
        numbers = {key: float(value) for key, value in metrics.items()
                   if isinstance(value, (int, float)) and not isinstance(value, bool)}
        items = len(getattr(runner.val_loop, 'clips', runner.val_dataloader))
        runner.logger.info(f'Iter(val) [{items}/{items}]    ' + '  '.join(f'{key}: {value:.4f}' for key, value in numbers.items()))
        if hasattr(self, '_file'):
            self._write(runner, numbers | dict(step=runner.iter))

    def after_rollback(self, runner) -> None:
        """Cut the file where the run went back to."""
        self._take_along(runner)
        self._first_iter = self._last_iter = runner.iter
        self._first_time = time.perf_counter()
        self._last = self._now(runner)

    # ---- state ------------------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict:
        """Sums since the last log."""
        return dict(groups=[[list(keys), total, self._counts[keys]] for keys, total in self._sums.items()])

    def load_state_dict(self, state: dict) -> None:
        """Restore the sums."""
        self._sums = {tuple(keys): total for keys, total, _ in state['groups']}
        self._counts = {tuple(keys): count for keys, _, count in state['groups']}

    @staticmethod
    def _now(runner) -> tuple[float, float]:
        """Seconds of training, without what lies between iterations (validation, previews, checkpoints), of them those of waiting for
        data."""
        return time.perf_counter() - runner.train_loop.paused, runner.train_loop.waited

    # ---- work -------------------------------------------------------------------------------------------------------------------

    def _take_along(self, runner) -> None:
        on_main_process(lambda: take_scalars_along(runner.work_dir, self._file, runner.iter, not runner.train_loop.validation_due))

    @torch.no_grad()
    def _add(self, outputs: dict[str, Tensor]) -> None:
        if not outputs:
            return
        keys = tuple(outputs)
        device = next((v.device for v in outputs.values() if isinstance(v, Tensor) and v.is_cuda), torch.device('cpu'))
        values = torch.stack([torch.as_tensor(v, device=device).detach().float().reshape(()) for v in outputs.values()])
        total = self._sums.get(keys)
        self._sums[keys] = values if total is None else total.to(device) + values
        self._counts[keys] = self._counts.get(keys, 0) + 1

    def _means(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for keys, total in self._sums.items():
            if get_world_size() > 1:
                total = total.cuda() if dist.get_backend() == 'nccl' else total
                dist.all_reduce(total)
            for key, value in zip(keys, (total / get_world_size()).tolist()):
                sums[key] = sums.get(key, 0.0) + value
                counts[key] = counts.get(key, 0) + self._counts[keys]
        self._sums, self._counts = {}, {}
        return {key: sums[key] / counts[key] for key in sums}

    def _log(self, runner, iteration: int) -> None:
        means = self._means()
        (trained, waited), done = self._now(runner), iteration - self._last_iter
        times = dict(data_time=(waited - self._last[1]) / done, time=(trained - self._last[0]) / done)
        self._last, self._last_iter = (trained, waited), iteration
        whole = time.perf_counter() - self._first_time
        left = _left(runner, iteration, (iteration - self._first_iter) / max(whole, 1e-9))
        rates = {f'{name}.lr': wrapper.optimizer.param_groups[0]['lr'] for name, wrapper in runner.optim_wrapper.items()}
        rates = rates if len(rates) > 1 else dict(lr=next(iter(rates.values())))
        timed, total = _seconds_left(runner) is not None, str(runner.max_iters)  # a run by time has no number of iterations
        text = f'Iter(train) [{iteration}]  ' if timed else f'Iter(train) [{iteration:{len(total)}}/{total}]  '
        text += ' '.join(f'{key}: {value:.4e}' for key, value in rates.items())
        text += f'  eta: {left}  time: {times["time"]:.4f}  data_time: {times["data_time"]:.4f}  '
        if torch.cuda.is_available():
            times['memory'] = torch.cuda.max_memory_allocated() // 2**20
            text += f'memory: {times["memory"]}  '
        runner.logger.info(text + '  '.join(f'{key}: {value:.4f}' for key, value in means.items()))
        self._write(runner, {**rates, **times, 'iter': iteration, 'step': iteration, **means})

    def _write(self, runner, scalars: dict[str, float]) -> None:
        if is_main_process():
            try:
                append(self._file, json.dumps(scalars) + '\n')
            except OSError as error:
                raise writing_error(self._file, error) from error
            shown = {key: value for key, value in scalars.items() if key not in ('iter', 'step')}
            runner.visualizer.add_scalars(shown, step=scalars['step'])


def _seconds_left(runner) -> float | None:
    """What a hook says that ends the run by time; None where it ends after its iterations."""
    return next(filter(lambda left: left is not None, (getattr(hook, 'seconds_left', None) for hook in runner.hooks)), None)


def _left(runner, iteration: int, speed: float) -> str:
    seconds = _seconds_left(runner)
    if seconds is None:
        seconds = (runner.max_iters - iteration) / speed if speed else None
    return 'unknown' if seconds is None else str(timedelta(seconds=round(seconds)))


def _wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
