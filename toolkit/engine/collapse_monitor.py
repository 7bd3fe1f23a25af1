"""Watches for mode collapse: a generator that paints the same picture whatever it is shown."""

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.data import default_collate

from toolkit.datasets.tensors import drawn_item
from toolkit.engine.random_state import random_state_kept
from toolkit.models.bare import unwrapped
from toolkit.registry import HOOKS
from toolkit.structures import InputError
from toolkit.together import on_main_process

SIZE = 32
REMEDIES = 'Smaller batches, a lower learning rate, a smaller skeleton weight, skeleton_scaling or bodies of one size'


def diversity(images: Tensor) -> float:
    """Mean absolute difference of all pairs of pictures, each averaged down to 32 x 32.

    Args:
        images: (N, 3, H, W), N at least 2.
    """
    flat = adaptive_avg_pool2d(images.float(), SIZE).flatten(1)
    return float(torch.pdist(flat, p=1).mean() / flat.shape[1])


@HOOKS.register_module()
class CollapseMonitor(Hook):
    """Compares how much a generator's outputs differ from each other with how much its inputs do.

    Every ``interval`` iterations the model translates ``samples`` items, the same each time and spread over the training data. The
    ratio of both diversities stands in the log as ``monitor/diversity_<direction>``: about 1 is healthy, 0 one picture for all. Paper B
    (Tsvetkov and Abu-Saleh) met this collapse with bodies of different sizes and with large batches. Training is not touched: random
    numbers and modes are restored. Process 0 measures; the others wait.

    The model needs ``directions`` and ``transfer``, see :meth:`toolkit.models.base.VideoModel.transfer`.

    Args:
        interval: iterations between checks.
        samples: items looked at.
        threshold: ratio below which it warns.
        begin: first iteration that may warn; a new generator paints gray.
        patience: checks in a row below the threshold after which the run is stopped.
        stop: save a checkpoint and end the run then, else only warn.
        batch_size: items at a time.

    Raises:
        InputError: a number that cannot be; a model without ``directions``; when stopping, with what to change.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 1000, samples: int = 32, threshold: float = 0.2, begin: int = 2000, patience: int = 3,
                 stop: bool = False, batch_size: int = 4) -> None:
        if interval < 1 or samples < 2 or patience < 1 or batch_size < 1:
            raise InputError(f'CollapseMonitor: interval, patience and batch_size must be at least 1 and samples at least 2, got '
                             f'{interval}, {patience}, {batch_size} and {samples}')
        self.interval, self.samples, self.threshold, self.begin = interval, samples, threshold, begin
        self.patience, self.stop, self.batch_size = patience, stop, batch_size
        self.low: dict[str, int] = {}
        self._items: list[dict] = []

    def before_train(self, runner) -> None:
        """Refuse a model that cannot be watched; read the items, so that errors come before the first iteration."""
        with unwrapped(runner.model) as model:
            if not getattr(model, 'directions', ()):
                raise InputError(f'CollapseMonitor: a {type(model).__name__} turns no pictures into pictures that could be compared '
                                 f'(directions is empty); remove the hook from custom_hooks')
        if is_main_process():
            with random_state_kept():
                dataset = runner.train_loop.dataloader.dataset
                self._items = [drawn_item(dataset, i * len(dataset) // self.samples) for i in range(self.samples)]

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict[str, Tensor] | None = None) -> None:
        """Measure where it is due; the ratios join the outputs that are logged."""
        iteration = runner.iter + 1
        if iteration % self.interval:
            return
        ratios = on_main_process(lambda: self.measure(runner))
        for direction, ratio in ratios.items():
            if outputs is not None:
                outputs[f'monitor/diversity_{direction}'] = torch.tensor(ratio)
            low = iteration >= self.begin and not ratio >= self.threshold
            self.low[direction] = self.low.get(direction, 0) + 1 if low else 0
            if low:
                runner.logger.warning(
                    f'mode collapse? At iteration {iteration} the outputs of direction {direction} differ {ratio:.2f} times as much as '
                    f'the inputs (below {self.threshold}), {self.low[direction]} times in a row. {REMEDIES} help')

    def after_iteration(self, runner) -> None:
        """Stop where patience has ended; the loop saves a checkpoint first."""
        collapsed = [direction for direction, count in self.low.items() if count >= self.patience]
        if self.stop and collapsed and not runner.gradients_pending:
            raise InputError(
                f'stopped at iteration {runner.iter}: direction {", ".join(collapsed)} paints nearly the same picture for every input, '
                f'{self.patience} checks in a row. {REMEDIES} help; or go on with stop=False')

    @torch.no_grad()
    def measure(self, runner) -> dict[str, float]:
        """Direction -> diversity of the outputs / diversity of the inputs."""
        with random_state_kept(), unwrapped(runner.model) as model:
            training = model.training
            model.eval()
            seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
            for start in range(0, self.samples, self.batch_size):
                for direction, pair in model.transfer(default_collate(self._items[start:start + self.batch_size])).items():
                    seen.setdefault(direction, []).append(tuple(adaptive_avg_pool2d(images.float(), SIZE).cpu() for images in pair))
            model.train(training)
        return {direction: diversity(torch.cat([o for _, o in pairs])) / max(diversity(torch.cat([i for i, _ in pairs])), 1e-6)
                for direction, pairs in seen.items()}

    def state_dict(self) -> dict:
        """Checks in a row below the threshold."""
        return dict(low=dict(self.low))

    def load_state_dict(self, state: dict) -> None:
        """Restore them."""
        self.low = dict(state['low'])
