"""Decides when checkpoints are written and which are kept."""

import math
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from toolkit.metrics.base import ClipMetric
from toolkit.registry import HOOKS, did_you_mean
from toolkit.structures import InputError

RULES = {'greater': lambda new, old: new > old, 'less': lambda new, old: new < old, 'one': lambda new, old: abs(new - 1) < abs(old - 1)}
BETTER = dict(higher='greater', lower='less', one='one')
"""What a metric says of itself -> rule."""


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Writes ``iter_<n>.pth`` every ``interval`` iterations and at the end, and the best one by a validation metric.

    Within an accumulation window saving waits for its end, because only there a checkpoint is exact.

    Args:
        interval: iterations between checkpoints; 0 or -1 for the end only.
        max_keep_ckpts: number of checkpoints kept, oldest deleted first; 0 or -1 for all. The best one is kept besides.
        save_best: name of a validation metric, such as ``'ssim/full'``; ``'auto'`` for the first whose weights are there; or None.
        rule: ``'greater'``, ``'less'`` or (nearest to) ``'one'`` is better; None for what the metric says of itself.
        patience: stop the training after so many validations in a row that found no new best; None for never.
        by_epoch: False; MMEngine's configs say it.

    Raises:
        InputError: unknown rule, ``by_epoch=True``, patience without ``save_best``; before training a ``save_best`` that validation
            does not give, or that does not say what is better.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 1000, max_keep_ckpts: int = 3, save_best: str | None = None, rule: str | None = None,
                 patience: int | None = None, by_epoch: bool = False) -> None:
        if by_epoch:
            raise InputError('checkpoint.by_epoch=True: training counts iterations; give interval in iterations and leave by_epoch out')
        if rule is not None and rule not in RULES:
            raise InputError(f"checkpoint.rule must be 'greater', 'less' or 'one', got {rule!r}")
        if patience is not None and (patience < 1 or save_best is None):
            raise InputError(f'checkpoint.patience={patience} needs to be at least 1, and a metric in save_best')
        self.interval, self.max_keep, self.save_best, self.rule = interval, max_keep_ckpts, save_best, rule
        self.patience, self._waited = patience, 0
        self.best: float | None = None
        self._best_of: str | None = None
        self._best_at: int | None = None
        self._saved: dict | None = None
        self._due = self._known = False

    def before_train(self, runner) -> None:
        """Remove what a kill before the end left, and see that validation will give what the best checkpoint is chosen by."""
        self._remove_old(runner)
        if self.save_best is None:
            return
        metrics = runner.val_loop.evaluator.metrics
        self._known = all(isinstance(metric, ClipMetric) for metric in metrics)
        if self._known:
            self._choose({f'{metric.prefix}/{key}': (metric, definition) for metric in metrics
                          for key, definition in metric.definitions.items()})
        if self.rule is None:
            raise InputError(f"checkpoint.rule: {self.save_best} does not say what is better; set rule='greater' or rule='less'")
        if self._best_of != self.save_best:
            self.best, self._waited = None, 0
        self._end_where_patience_is_used_up(runner)

    def _end_where_patience_is_used_up(self, runner) -> None:
        if self.patience is not None and self._waited >= self.patience:
            runner.train_loop.stop_training = True
            runner.logger.info(f'{self._waited} validations without a better {self.save_best}: training ends')

    def _choose(self, known: dict) -> None:
        if self.save_best == 'auto':
            self.save_best = next((name for name, (metric, _) in known.items() if not metric.missing), next(iter(known)))
        if self.save_best not in known:
            raise InputError(f'checkpoint.save_best={self.save_best!r} is not among the validation metrics: {", ".join(known)}.'
                             f'{did_you_mean(self.save_best, known)}')
        metric, definition = known[self.save_best]
        if metric.missing:
            raise InputError(f'checkpoint.save_best={self.save_best!r} is n/a here: {metric.missing}')
        self.rule = self.rule or BETTER.get(definition.better)

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Compare the metric to watch with the best so far. One that is n/a in this validation is not better."""
        if self.save_best is None:
            return
        value = (metrics or {}).get(self.save_best)
        if value is None and not self._known:
            raise InputError(f'checkpoint.save_best={self.save_best!r} is not among the validation metrics: '
                             f'{", ".join(metrics or ()) or "none"}')
        if value is None:
            runner.logger.warning(f'checkpoint.save_best: {self.save_best} is n/a in this validation, which counts as no better')
        value = math.nan if value is None else float(value)
        if math.isfinite(value) and (self.best is None or RULES[self.rule](value, self.best)):
            self.best, self._best_of, self._best_at, self._waited = value, self.save_best, runner.iter, 0
            return
        self._waited += 1
        self._end_where_patience_is_used_up(runner)

    def after_iteration(self, runner) -> None:
        """Save where it is due."""
        last = runner.iter == runner.max_iters or runner.train_loop.stop_training
        self._due |= self.interval > 0 and runner.iter % self.interval == 0
        new_best = self._best_at == runner.iter and self._best_of == self.save_best
        if runner.gradients_pending or not (self._due or new_best or last):
            return
        if new_best:
            self._best_at, self._saved = None, dict(best=self.best, best_of=self._best_of)
            name = f'best_{self.save_best.replace("/", "_")}'
            path = runner.save(Path(runner.work_dir) / f'{name}_iter_{runner.iter:07d}.pth', pointer=False)
            if is_main_process():
                runner.logger.info(f'best {self.save_best} so far: {self.best:.4g}, saved {path.name}')
                for old in path.parent.glob(f'{name}_iter_*.pth'):
                    if old != path and old.stem.removeprefix(f'{name}_iter_').isdigit():
                        old.unlink()
        if self._due or last:
            self._due = False
            runner.save()
            self._remove_old(runner)

    def after_rollback(self, runner) -> None:
        """What was found after the point to which the run went back is still there, and what comes now must be better."""
        kept = self._saved
        if kept and kept['best_of'] == self.save_best and (self.best is None or RULES[self.rule](kept['best'], self.best)):
            self.best, self._best_of, self._best_at = kept['best'], kept['best_of'], None

    def _remove_old(self, runner) -> None:
        if self.max_keep > 0 and is_main_process():
            numbered = [(int(p.stem[5:]), p) for p in Path(runner.work_dir).glob('iter_*.pth') if p.stem[5:].isdecimal()]
            for _, path in sorted(pair for pair in numbered if pair[0] <= runner.iter)[:-self.max_keep]:
                path.unlink()

    def state_dict(self) -> dict:
        """Best value so far, of which metric, how many validations ago, and the iteration of one that is not saved yet."""
        return dict(best=self.best, best_of=self._best_of, waited=self._waited, best_at=self._best_at)

    def load_state_dict(self, state: dict) -> None:
        """Restore them."""
        self.best, self._best_of, self._waited = state['best'], state['best_of'], state['waited']
        self._best_at, self._due = state.get('best_at'), False
