"""A run with a budget: of iterations or of minutes, with checkpoints at points on the way, and what it cost."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from mmengine.hooks import Hook

from toolkit.engine.memory import return_memory
from toolkit.models.bare import bare
from toolkit.registry import HOOKS
from toolkit.structures import InputError
from toolkit.together import on_main_process

CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def learning_rate(schedulers: Sequence[dict], iteration: float) -> float:
    """The part of the first learning rate that schedulers leave at an iteration, which may lie between two.

    Args:
        schedulers: configs of ``LinearLR`` and ``ConstantThenLinearLR``, counted in iterations; their factors are multiplied.
        iteration: in a run as long as the schedulers are made for.

    Raises:
        InputError: a scheduler of another kind.
    """
    factor = 1.0
    for config in schedulers:
        if config['type'] == 'LinearLR':
            begin, start, end = config.get('begin', 0), config.get('start_factor', 1 / 3), config.get('end_factor', 1.0)
            share = (iteration - begin) / max(config['end'] - begin - 1, 1)
            factor *= start + (end - start) * min(max(share, 0.0), 1.0) if iteration >= begin else 1.0
        elif config['type'] == 'ConstantThenLinearLR':
            epoch = iteration / config.get('epoch_iters', 1) + 1
            factor *= 1 - min(max(0.0, epoch - config['constant']), config['decay']) / (config['decay'] + 1)
        else:
            raise InputError(f'param_scheduler {config["type"]}: a budget of minutes knows LinearLR and ConstantThenLinearLR only')
    return factor


def scaled(schedulers: Sequence[dict], ratio: float) -> list[dict]:
    """Schedulers for a run that is ``ratio`` times as long: what they count in iterations is scaled."""
    def value(key: str, old, epoch: int):
        if key in ('begin', 'end', 'constant', 'decay', 'T_max', 'step_size') and isinstance(old, int):
            return max(round(old * epoch * ratio), 1 if key != 'begin' and old else 0)
        return 1 if key == 'epoch_iters' else [round(item * ratio) for item in old] if key == 'milestones' else old

    return [{key: value(key, old, config.get('epoch_iters', 1) if key in ('constant', 'decay') else 1)
             for key, old in config.items()} for config in schedulers]


def peak_memory() -> int:
    """Most bytes used since :func:`reset_peak_memory`: of the GPU where there is one, else of this process; 0 where the system does not
    tell."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    with suppress(OSError, StopIteration):
        line = next(line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) * 1024
    return 0


def reset_peak_memory() -> None:
    """Begin to look for the peak anew; memory that was freed before does not count."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return_memory()
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')


def point_file(work_dir: str | Path, number: int) -> Path:
    """The checkpoint of a point of a budget, counted from 0. A folder may be moved while a run rests: what a run keeps of its points
    names no folder."""
    return Path(work_dir) / f'point_{number}.pth'


@HOOKS.register_module()
class BudgetHook(Hook):
    """Writes ``point_<n>.pth`` at each point of a budget, ends the run at the last one, and counts what it cost.

    Seconds are those of training and of waiting for data; validation, previews and saving are left out. Where a run diverges and goes
    back, what it had spent stays spent. With minutes the learning rate and the stages of a method follow the share of the time that is
    used: its schedule ends with the budget on any machine. Of several processes all go by the clock of process 0.

    Args:
        iterations: the points; 0 is what the run begins with.
        minutes: the points instead.
        clock: ``'wall'``, or ``'cpu'`` for processor time, which other work on the machine changes less.
        schedulers: with minutes the ``param_scheduler`` of the config, which then has none itself; those without ``end`` end with
            ``length``.
        length: with minutes the iterations that these are made for.

    Attributes:
        reached: for each point reached its ``iteration`` and ``seconds``; its weights are in :func:`point_file`.
        seconds: of training so far.
        memory: peak in bytes, see :func:`peak_memory`.

    Raises:
        InputError: not one of both, or points that do not rise.
    """

    priority = 'LOW'

    def __init__(self, iterations: Sequence[int] | None = None, minutes: Sequence[float] | None = None, clock: str = 'wall',
                 schedulers: Sequence[dict] = (), length: int = 1) -> None:
        if (iterations is None) == (minutes is None):
            raise InputError('BudgetHook: give either iterations or minutes')
        if clock not in CLOCKS:
            raise InputError(f'BudgetHook: clock must be one of {", ".join(CLOCKS)}, got {clock!r}')
        points = list(iterations if minutes is None else minutes)
        if not points or sorted(set(points)) != points or points[0] < 0:
            raise InputError(f'BudgetHook: expected numbers that rise, got {points}')
        self.points, self.timed, self.clock = points, minutes is not None, CLOCKS[clock]
        self.schedulers, self.length = [{'end': length, **config} for config in schedulers], length
        if self.timed:
            learning_rate(self.schedulers, 0)
        self.reached: list[dict] = []
        self.seconds, self.memory, self._mark = 0.0, 0, 0.0

    @property
    def share(self) -> float:
        """Of the time used, 0 to 1."""
        return min(self.seconds / (60 * self.points[-1]), 1.0) if self.points[-1] else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Of training, for the log; None where iterations are counted."""
        return max(60 * self.points[-1] - self.seconds, 0.0) if self.timed else None

    def before_train(self, runner) -> None:
        """The point 0, and the end of a run that has reached all of its points."""
        reset_peak_memory()
        if self.timed:
            for group in _groups(runner):
                group.setdefault('initial_lr', group['lr'])
        self._look(runner)

    def before_data(self, runner) -> None:
        """What hooks behind this one did between two iterations, such as saving, is left out."""
        self._mark = self.clock()

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Set the learning rate, and tell the model how far the run is."""
        if not self.timed:
            return
        factor = learning_rate(self.schedulers, self.share * self.length)
        for group in _groups(runner):
            group['lr'] = group['initial_lr'] * factor
        model = bare(runner.model)
        if hasattr(model, 'set_train_state') and self.share:
            length = max(round(runner.iter / self.share), runner.iter + 1)
            model.set_train_state(seed=runner.seed, rank=runner.rank, iteration=runner.iter, max_iters=length,
                                  between=not runner.gradients_pending)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Count the time."""
        self._count()

    def _count(self) -> None:
        """Add the time since the mark. What is decided by time must be the same in all processes."""
        spent = self.seconds + self.clock() - self._mark
        self.seconds, self._mark = on_main_process(lambda: spent) if self.timed else spent, self.clock()

    def after_iteration(self, runner) -> None:
        """Save where a point is reached."""
        self._look(runner)

    def _look(self, runner) -> None:
        due = [number for number in range(len(self.reached), len(self.points)) if self._is_reached(runner, self.points[number])]
        if due and torch.cuda.is_available():
            self._mark = self.clock()
            torch.cuda.synchronize()
            self._count()
        for number in due:
            if getattr(runner, 'gradients_pending', False):
                return
            self.memory = max(self.memory, peak_memory())
            self.reached.append(dict(iteration=runner.iter, seconds=self.seconds))
            runner.save(point_file(runner.work_dir, number), pointer=False)
        if len(self.reached) == len(self.points):
            runner.train_loop.stop_training = True

    def _is_reached(self, runner, point: float) -> bool:
        return self.seconds >= 60 * point if self.timed else runner.iter >= point

    def state_dict(self) -> dict:
        """What a resumed run goes on with."""
        return dict(reached=[dict(point) for point in self.reached], seconds=self.seconds, memory=self.memory)

    def load_state_dict(self, state: dict) -> None:
        """Restore it. A run that goes back keeps what it has spent, and points of time."""
        if not (self.timed and self.seconds > state['seconds']):
            self.reached = [dict(point) for point in state['reached']]
        self.seconds, self.memory = max(self.seconds, state['seconds']), max(self.memory, state['memory'])


def _groups(runner) -> list[dict]:
    """The parameter groups of all optimizers as they are now; loading a checkpoint makes new ones."""
    return [group for wrapper in runner.optim_wrapper.values() for group in wrapper.optimizer.param_groups]
