"""What happens when training diverges: it ends with the names of what is not finite, or goes back and learns more slowly."""

import math

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from torch import Tensor

from toolkit.engine.checkpoint import restore_training_state
from toolkit.engine.saving import Diverged, diverged
from toolkit.models.bare import unwrapped
from toolkit.registry import HOOKS
from toolkit.structures import InputError
from toolkit.together import on_main_process
from toolkit.weights import latest_checkpoint

ON_NAN = ('stop', 'rollback')
SKIPPED = 20
"""Iterations in a row without a finite loss that loss scaling is given to find its scale."""


@HOOKS.register_module()
class NanGuard(Hook):
    """Sees that every loss is finite, and that nothing else is ever saved.

    Losses stay on the device; they are looked at every ``interval`` iterations and before each checkpoint. Where loss scaling (float16)
    leaves out updates that overflow, a loss may miss 20 times in a row. In a distributed run all processes learn of it together.

    With ``rollback`` the run goes back to its last checkpoint in place, with all that belongs to it, and all learning rates from there
    on are multiplied by ``factor``; the schedule of the rates stays as it is. The log of scalars is cut there, too. Interruptions
    change nothing of it: how often a run went back is in its checkpoints.

    Args:
        on_nan: ``'stop'``: the run ends, its last checkpoint is finite; or ``'rollback'``.
        max_rollbacks: the run ends when it diverges once more.
        factor: between 0 and 1.
        interval: iterations between looks.

    Raises:
        InputError: an option that cannot be.
    """

    priority = 'LOW'

    def __init__(self, on_nan: str = 'stop', max_rollbacks: int = 3, factor: float = .5, interval: int = 50) -> None:
        if on_nan not in ON_NAN:
            raise InputError(f'nan_guard.on_nan must be one of {", ".join(ON_NAN)}, got {on_nan!r}')
        if max_rollbacks < 1 or not 0 < factor < 1 or interval < 1:
            raise InputError(f'nan_guard: max_rollbacks and interval must be at least 1 and factor between 0 and 1, got '
                             f'{max_rollbacks}, {interval} and {factor}')
        self.on_nan, self.max_rollbacks, self.factor, self.interval = on_nan, max_rollbacks, factor, interval
        self.rollbacks, self._scaled = 0, False
        self._seen: list[tuple[int, tuple[str, ...], Tensor]] = []

    def before_train(self, runner) -> None:
        """See whether losses are scaled."""
        scalers = (getattr(wrapper, 'loss_scaler', None) for wrapper in runner.optim_wrapper.values())
        self._scaled = any(scaler is not None and scaler.is_enabled() for scaler in scalers)

    def before_train_epoch(self, runner) -> None:
        """See that there is a checkpoint to go back to."""
        if self.on_nan == 'rollback' and on_main_process(lambda: latest_checkpoint(runner.work_dir)) is None:
            runner.save()

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict[str, Tensor] | None = None) -> None:
        """Note the losses, and look at them where it is due."""
        iteration = runner.iter + 1
        if outputs:
            device = next((v.device for v in outputs.values() if isinstance(v, Tensor) and v.is_cuda), torch.device('cpu'))
            values = torch.stack([torch.as_tensor(v, device=device).detach().float().reshape(()) for v in outputs.values()])
            self._seen.append((iteration, tuple(outputs), values))
        if iteration % self.interval == 0 or iteration == runner.max_iters:
            bad = self._bad()
            if get_world_size() > 1:
                bad = min((found for found in all_gather_object(bad) if found), key=lambda found: min(found.values()), default={})
            self._stop(runner, bad, iteration)
            self._seen = self._seen[-SKIPPED:] if self._scaled else []

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to save when a loss was not finite."""
        self._stop(runner, self._bad(), runner.iter)

    def state_dict(self) -> dict:
        """How often the run went back."""
        return dict(rollbacks=self.rollbacks)

    def load_state_dict(self, state: dict) -> None:
        """Restore it."""
        self.rollbacks = state['rollbacks']

    def roll_back(self, runner, error: Diverged) -> Diverged | None:
        """Go back, if that is wished; every process must call it.

        Args:
            runner: between two iterations.
            error: what was seen.

        Returns:
            The error to end with, or None: the run is where its last checkpoint was.
        """
        path = on_main_process(lambda: latest_checkpoint(runner.work_dir))
        if self.on_nan != 'rollback' or path is None:
            return error
        if self.rollbacks >= self.max_rollbacks:
            return Diverged(f'{error}. It went back {self.rollbacks} times already (default_hooks.nan_guard.max_rollbacks)')
        count = self.rollbacks + 1
        restore_training_state(runner, path)
        scale = self.factor ** (count - self.rollbacks)
        self.rollbacks, self._seen = count, []
        for wrapper in runner.optim_wrapper.values():
            wrapper.begin_windows()
            for group in wrapper.optimizer.param_groups:
                for key in {'lr', 'initial_lr', 'max_lr', 'min_lr'} & set(group):
                    group[key] = group[key] * scale
        for scheduler in (s for group in (runner.param_schedulers or {}).values() for s in group if s.param_name == 'lr'):
            scheduler.base_values = [value * scale for value in scheduler.base_values]
            if getattr(scheduler, 'eta_min', None):
                scheduler.eta_min *= scale
        runner.call_hook('after_rollback')
        rates = ', '.join(f'{name} {wrapper.optimizer.param_groups[0]["lr"]:.3g}' for name, wrapper in runner.optim_wrapper.items())
        runner.logger.warning(f'{str(error).partition(": training")[0]}: going back to {path}, for the {count}. time of at most '
                              f'{self.max_rollbacks}; learning rates there are now {rates}')
        return None

    def _bad(self) -> dict[str, int]:
        """Losses that say that training has diverged -> first iteration where they were not finite."""
        groups: dict[tuple[str, ...], list[tuple[int, Tensor]]] = {}
        for iteration, keys, values in self._seen:
            groups.setdefault(keys, []).append((iteration, values))
        found: dict[str, int] = {}
        for keys, rows in groups.items():
            finite = torch.stack([values for _, values in rows]).isfinite().cpu()
            if finite.all():
                continue
            for column, key in enumerate(keys):
                missing = [iteration for (iteration, _), fine in zip(rows, finite[:, column].tolist()) if not fine]
                last = finite[-SKIPPED:, column]
                if missing and not (self._scaled and (len(last) < SKIPPED or last.any())):
                    found[key] = min(found.get(key, math.inf), missing[0])
        return found

    def _stop(self, runner, bad: dict[str, int], iteration: int) -> None:
        if not bad:
            return
        first = min(bad.values())
        losses = ', '.join(key for key, when in bad.items() if when == first)
        raise diverged(f'loss {losses} is not finite since iteration {first} ({networks_in_words(runner.model)})', iteration,
                       runner.work_dir)


def networks_in_words(model: torch.nn.Module) -> str:
    """Which networks of a model have parameters that are not finite, in words."""
    with unwrapped(model) as inside:
        found = []
        for name, network in inside.named_children():
            parameters = dict(network.named_parameters())
            bad = [key for key, value in parameters.items() if not value.isfinite().all()]
            if bad:
                found.append(f'{name}: {len(bad)} of {len(parameters)} parameters are not, first {bad[0]}')
    return '; '.join(found) or 'the weights of all networks are'
