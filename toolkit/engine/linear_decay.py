"""The learning rate of pix2pix, CycleGAN and BicycleGAN, counted in iterations."""

from collections.abc import Sequence

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from toolkit.registry import PARAM_SCHEDULERS
from toolkit.structures import InputError


@PARAM_SCHEDULERS.register_module()
class ConstantThenLinearLR(LRSchedulerMixin, _ParamScheduler):
    """Constant, then falling in equal steps to almost 0.

    In epoch e, counted from 1, the rate is ``1 - max(0, e - constant) / (decay + 1)`` of the first one: with 100 + 100 epochs 1 up to
    epoch 100, .990 at 101, .505 at 150, .0099 at 200. It stays there. While it acts no other scheduler may (:func:`check_alone`).

    Args:
        optimizer: whose rate; MMEngine fills it in.
        constant: epochs at the full rate.
        decay: epochs of falling.
        epoch_iters: iterations in an epoch: samples in the training set / (batch size x processes). 1 counts in iterations.
        begin, end: iterations where it acts and counts; by default all.
        last_step, by_epoch, verbose: MMEngine's.

    Raises:
        InputError: a number that cannot be.
    """

    def __init__(self, optimizer, constant: int, decay: int, epoch_iters: int = 1, begin: int = 0, end: int = INF, last_step: int = -1,
                 by_epoch: bool = False, verbose: bool = False) -> None:
        if by_epoch or constant < 0 or decay < 0 or epoch_iters < 1:
            raise InputError(
                f'ConstantThenLinearLR counts iterations (by_epoch=False) and needs constant and decay of at least 0 and epoch_iters '
                f'of at least 1, got {constant}, {decay}, {epoch_iters}, by_epoch={by_epoch}')
        self.constant, self.decay, self.epoch_iters = constant, decay, epoch_iters
        super().__init__(optimizer, begin=begin, end=end, last_step=last_step, by_epoch=False, verbose=verbose)

    def factor(self, iteration: int) -> float:
        """Part of the first rate that iteration number ``iteration``, counted from 0, uses."""
        epoch = iteration // self.epoch_iters + 1
        return 1 - min(max(0, epoch - self.constant), self.decay) / (self.decay + 1)

    def _get_value(self) -> list[float]:
        return [value * self.factor(self.last_step) for value in self.base_values]


def check_alone(schedulers: Sequence[_ParamScheduler]) -> None:
    """Refuse schedulers of one optimizer that act in the same iterations as a :class:`ConstantThenLinearLR`. It sets the rate, so that
    whatever they made of it, such as a slow start, would be lost.

    Raises:
        InputError: names both, and their iterations.
    """
    for one in (scheduler for scheduler in schedulers if isinstance(scheduler, ConstantThenLinearLR)):
        for other in schedulers:
            if other is not one and other.param_name == one.param_name and max(one.begin, other.begin) < min(one.end, other.end):
                raise InputError(
                    f'param_scheduler: {_told(other)} and {_told(one)} set the same rate, and what the former makes of it is lost: '
                    f'give both begin and end, so that one begins where the other ends')


def _told(scheduler: _ParamScheduler) -> str:
    end = '' if scheduler.end >= INF else f' to {scheduler.end}'
    return f'{type(scheduler).__name__} from iteration {scheduler.begin}{end}'
