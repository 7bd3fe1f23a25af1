"""The training loop."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from toolkit.cli import Interrupted
from toolkit.engine.nan_guard import NanGuard
from toolkit.engine.random_state import random_state_kept, set_random_state
from toolkit.engine.saving import Diverged, SaveError
from toolkit.engine.stop_signals import StopSignals
from toolkit.engine.workers import explained
from toolkit.models.bare import bare
from toolkit.registry import LOOPS
from toolkit.structures import InputError

T = TypeVar('T')
GO, STOP, FAILED, UNSAVED = range(4)
"""What the processes agree on between two iterations: go on; save and stop; save and end with an error; end with an error."""
UNTAUGHT = 20
"""Iterations of a start among which one must have taught some network; a method need not learn in each of them."""


@LOOPS.register_module(name=['IterLoop', 'IterBasedTrainLoop'])
class IterLoop(BaseLoop):
    """Trains for a number of iterations, exactly resumable.

    After the hooks of an iteration comes validation where it is due, then the hook point ``after_iteration``, where checkpoints are
    written: a checkpoint always lies after everything that belongs to its iteration. Within an accumulation window validation and the
    end of training wait for its last iteration. Validation does not touch the random numbers of training. On Ctrl-C, SIGTERM, SIGHUP or
    SIGUSR1 the loop saves a checkpoint at the next possible iteration and ends. It does the same when something fails between two
    iterations: a preview, validation, reading data. A run that goes on from there first makes up for a validation or a hook point that
    failed. Hook points of epochs are called once, before the first and after the last iteration. The hook point ``before_data`` comes
    right before a mini-batch is waited for.

    Attributes:
        waited: seconds spent waiting for data.
        paused: seconds spent between iterations on validation, previews and checkpoints.
        unfinished: whether what lies between this iteration and the next has failed.
        validation_due: whether validation waits, for the end of an accumulation window or because it failed.

    Args:
        runner: a :class:`toolkit.engine.runner.TrainRunner`.
        dataloader: config; its sampler is a :class:`toolkit.engine.sampler.DrawSampler` unless it says otherwise.
        max_iters: iterations of the whole run.
        val_interval: iterations between validations, where the config has a ``val_dataloader``; 0 or -1 for none.
        val_begin: first iteration that may validate.
        by_epoch: False; MMEngine's configs say it.

    Raises:
        InputError: ``max_iters`` does not end with full accumulation windows, or is not a positive whole number; a sampler that ends.
    """

    def __init__(self, runner, dataloader: DataLoader | dict, max_iters: int, val_interval: int = 1000, val_begin: int = 1,
                 by_epoch: bool = False) -> None:
        if int(max_iters) != max_iters or max_iters < 1:
            raise InputError(f'train_cfg.max_iters must be a positive whole number, got {max_iters!r}')
        if isinstance(dataloader, dict):
            dataloader = dict(dict(sampler=dict(type='DrawSampler')), **dataloader)
        super().__init__(runner, dataloader)
        if not hasattr(self.dataloader.sampler, 'set_start'):
            raise InputError(f'train_dataloader.sampler {type(self.dataloader.sampler).__name__} ends and cannot resume; use '
                             f'DrawSampler')
        self.max_iters, self.max_epochs = int(max_iters), 1
        self.val_interval, self.val_begin = val_interval, val_begin
        self.stop_training = False
        self.waited = self.paused = 0.0
        self._epoch = self._iter = self._start_iter = self._start_samples = 0
        self._random_state: dict | None = None
        self.unfinished = self.validation_due = self._learned = False
        self._stage = 0

    @property
    def epoch(self) -> int:
        """Always 0; MMEngine asks."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._iter

    @property
    def samples(self) -> int:
        """Samples that all processes together have used."""
        return self._start_samples + (self._iter - self._start_iter) * self.dataloader.batch_size * self.runner.world_size

    def set_position(self, iteration: int, samples: int, random_state: dict | None, unfinished: bool = False,
                     validation_due: bool = False) -> None:
        """Continue an earlier run.

        Args:
            iteration: iterations done.
            samples: see :attr:`samples`.
            random_state: of this process, restored right before the first iteration.
            unfinished, validation_due: see the attributes. A run that does not validate any more leaves validation out, and so does
                one that was saved in the middle of its validation, by a hook.
        """
        self._iter = self._start_iter = iteration
        self._start_samples, self._random_state = samples, random_state
        self.unfinished, self.validation_due = unfinished, unfinished and validation_due and self._validates()
        self.stop_training = False  # a run that goes back has not come to where it was to end

    def run(self) -> object:
        """Train to the end.

        Raises:
            Interrupted: a signal came; the message says what was saved.
            Exception: whatever failed, after a checkpoint was saved where that is exact.
        """
        runner = self.runner
        self._check_accumulation()
        self._check_data()
        runner.call_hook('before_train')
        runner.call_hook('before_train_epoch')
        batches = self._batches() if self._iter < self.max_iters and not self.stop_training else None
        runner.model.train()
        with StopSignals() as signals:
            failure: Exception | None = None
            while True:
                if self.unfinished and failure is None:
                    failure = self._make_up()
                stopped, batch = self.stop_training and not runner.gradients_pending, None
                going_on = self._iter < self.max_iters and not stopped
                stop = signals.received and going_on and not runner.gradients_pending
                if going_on and not stop and failure is None:
                    runner.call_hook('before_data')
                    start = time.perf_counter()
                    batch, failure = self._attempt(next, batches)
                    self.waited += time.perf_counter() - start
                    failure = failure and explained(failure, batches)
                state = STOP if stop else GO
                if failure is not None:
                    kept = self._iter > self._start_iter and not runner.gradients_pending and not isinstance(failure, SaveError)
                    state = FAILED if kept else UNSAVED
                self._end_if_agreed(signals.agreed(state), failure)
                if not going_on:
                    break
                failure = self._one_iteration(batch)
                if isinstance(failure, Diverged):
                    failure = self._goes_back(failure)
                    batches = batches if failure else self._batches()
        self._check_ended()
        runner.call_hook('after_train_epoch')
        runner.call_hook('after_train')
        return runner.model

    def _batches(self) -> Iterator:
        """The data from here on, and the random numbers that belong to it."""
        self.dataloader.sampler.set_start(self._start_samples)
        batches = iter(self.dataloader)
        if self._random_state is not None:
            set_random_state(self._random_state)
        return batches

    def _one_iteration(self, batch: Sequence | dict) -> Exception | None:
        """An iteration, and what lies between it and the next; gives what failed there."""
        try:
            self.run_iter(batch)
        except Diverged as error:  # all processes raise it together
            return error
        self.validation_due |= self._validation_is_due()
        return self._finish_iteration()

    def _make_up(self) -> Exception | None:
        """Finish the iteration that an earlier run could not finish."""
        if self._random_state is not None:
            set_random_state(self._random_state)
        return self._finish_iteration()

    def _finish_iteration(self) -> Exception | None:
        """What lies between this iteration and the next; gives what failed there."""
        start, self.unfinished = time.perf_counter(), False
        _, failure = self._attempt(self._between_iterations)
        self.unfinished = failure is not None
        self.paused += time.perf_counter() - start
        return failure

    def _goes_back(self, error: Diverged) -> Diverged | None:
        guard = next((hook for hook in self.runner.hooks if isinstance(hook, NanGuard)), None)
        error = guard.roll_back(self.runner, error) if guard else error
        self.runner.model.train()
        return error

    @staticmethod
    def _attempt(work: Callable[..., T], *args) -> tuple[T | None, Exception | None]:
        try:
            return work(*args), None
        except Exception as error:  # of any kind: the loop saves what was learned and raises it again
            return None, error

    def _between_iterations(self) -> None:
        if self.validation_due and not self.runner.gradients_pending:
            with random_state_kept():
                self.runner.val_loop.run()
            self.validation_due = False
            self.runner.model.train()
        self.runner.call_hook('after_iteration')

    def _end_if_agreed(self, state: int, failure: Exception | None) -> None:
        if state == GO:
            return
        note = ''
        if state == STOP:
            path = self.runner.save()
            raise Interrupted(f'stopped after iteration {self._iter}, saved {path}. Go on with the same command and --resume')
        if state == FAILED:
            try:
                note = f'. Training up to iteration {self._iter} is saved in {self.runner.save()}; go on with --resume'
            except SaveError as error:
                note = f'. Besides: {error}'
        if failure is None:
            raise InputError(f'another process failed at iteration {self._iter}{note}')
        if note and isinstance(failure, InputError):
            raise InputError(f'{str(failure).rstrip(".")}{note}') from failure
        if note:
            self.runner.logger.error(note[2:])
        raise failure

    def run_iter(self, data_batch: Sequence | dict) -> None:
        """One iteration with its hooks.

        Raises:
            InputError: an optimizer that the method does not use, though its networks should learn; or a method that uses none.
        """
        self.runner.call_hook('before_train_iter', batch_idx=self._iter, data_batch=data_batch)
        wrappers, stage = self.runner.optim_wrapper, getattr(bare(self.runner.model), 'stage', 0)
        if self.runner.gradients_pending and stage != self._stage:
            raise InputError(f'{type(bare(self.runner.model)).__name__} comes to stage {stage + 1} at iteration {self._iter}, between '
                             f'gradients that are summed up to one update, which would mix both stages: let its stage depend on '
                             f'self.progress, which stays as it is until the update')
        self._stage = stage
        counts = {name: wrapper.inner_count for name, wrapper in wrappers.items()}
        outputs = self.runner.model.train_step(data_batch, optim_wrapper=wrappers)
        done = self._iter + 1 - self._start_iter
        self._learned |= any(wrapper.is_used(counts[name]) for name, wrapper in wrappers.items())
        for name, wrapper in wrappers.items():
            if wrapper.is_left_out(counts[name], done):
                kind, networks = type(bare(self.runner.model)).__name__, self.runner.cfg.optim_wrapper[name].networks
                raise InputError(f'optim_wrapper.{name}: {", ".join(networks)} got gradients, but {kind} makes no update with an '
                                 f'optimizer of this name, so that nothing would be learned: add them to the networks of another one')
            wrapper.follow(counts[name], done)
        self._check_learned(done)
        self.runner.call_hook('after_train_iter', batch_idx=self._iter, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _check_learned(self, done: int) -> None:
        """See that the method makes updates at all; ``done`` iterations since the start."""
        if not self._learned and done >= UNTAUGHT:
            kind, names = type(bare(self.runner.model)).__name__, ', '.join(self.runner.optim_wrapper.keys())
            raise InputError(f'{kind}.train_step made no update in {done} iterations, with none of the optimizers {names}, so that '
                             f'nothing was learned: let it call self.step(optim_wrapper, name, loss) with each of these names')

    def _validates(self) -> bool:
        return self.runner.val_loop is not None and self.val_interval > 0

    def _validation_is_due(self) -> bool:
        if not self._validates() or self._iter < self.val_begin:
            return False
        return self._iter % self.val_interval == 0 or self._iter == self.max_iters

    def _check_data(self) -> None:
        model = bare(self.runner.model)
        if hasattr(model, 'check_data'):
            model.check_data(self.dataloader.dataset)

    def _check_ended(self) -> None:
        """See that nothing that was learned is lost at the end."""
        if pending := [name for name, wrapper in self.runner.optim_wrapper.items() if wrapper.pending]:
            raise InputError(f'training ended at iteration {self._iter} within an accumulation window of optim_wrapper.{pending[0]}, '
                             f'where nothing can be saved: what was learned after the last checkpoint is lost; set its '
                             f'accumulative_counts=1')

    def _check_accumulation(self) -> None:
        for name, wrapper in self.runner.optim_wrapper.items():
            count = wrapper.accumulative_counts
            if left := (self.max_iters - self._iter) % count:
                fitting = self.max_iters - left
                counted = f', counted from iteration {self._iter}' if self._iter else ''
                raise InputError(f'train_cfg.max_iters={self.max_iters} is not a multiple of '
                                 f'optim_wrapper.{name}.accumulative_counts={count}{counted}, so the last gradients would be lost; '
                                 f'take {fitting if fitting > self._iter else fitting + count} or {fitting + count}')
