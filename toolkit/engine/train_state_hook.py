"""Tells the model where the run is."""

from mmengine.hooks import Hook

from toolkit.models.bare import bare
from toolkit.registry import HOOKS


@HOOKS.register_module()
class TrainStateHook(Hook):
    """Calls ``model.set_train_state(seed, rank, iteration, max_iters, between)`` before every iteration."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """See the class."""
        model = bare(runner.model)
        if hasattr(model, 'set_train_state'):
            model.set_train_state(seed=runner.seed, rank=runner.rank, iteration=runner.iter, max_iters=runner.max_iters,
                                  between=not runner.gradients_pending)
