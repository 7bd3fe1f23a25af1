"""Says how far a training is to the program that started it."""

from mmengine.hooks import Hook

from toolkit.progress import Progress


class ProgressHook(Hook):
    """Tells each iteration. It is given to a runner by :func:`toolkit.apis.finetune` and the like, not by a config.

    Args:
        progress: whom to tell.
    """

    priority = 'LOWEST'

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def before_train(self, runner) -> None:
        """Where it begins."""
        self.progress.step('training', runner.iter, runner.max_iters)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """One more iteration is done."""
        self.progress.step('training', runner.iter + 1, runner.max_iters)
