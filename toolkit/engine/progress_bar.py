"""A bar for short trainings."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from toolkit.progress import bar
from toolkit.registry import HOOKS


@HOOKS.register_module()
class ProgressBar(Hook):
    """Shows the iterations of a run as a bar on standard error.

    Args:
        label: stands before the bar.
    """

    priority = 'LOW'

    def __init__(self, label: str = 'training') -> None:
        self.label, self._bar = label, None

    def before_train(self, runner) -> None:
        """Show the bar."""
        self._bar = bar(desc=self.label, initial=runner.iter, total=runner.max_iters, unit='it', disable=not is_main_process())

    def after_iteration(self, runner) -> None:
        """Move it."""
        self._bar.update(runner.iter - self._bar.n)

    def after_train(self, runner) -> None:
        """Leave it as it is."""
        self._bar.close()
