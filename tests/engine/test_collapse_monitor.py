"""The collapse monitor fires on a generator that paints one picture and leaves a healthy one alone."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from toolkit.engine.collapse_monitor import CollapseMonitor, diversity
from toolkit.structures import InputError


class Painter(nn.Module):
    """Translates to itself one way and to a mixture with one picture the other way."""

    directions = ('ab', 'ba')

    def __init__(self, keep):
        super().__init__()
        self.keep, self.modes = keep, []

    def transfer(self, data):
        self.modes.append(self.training)
        torch.rand(3)
        x = data['x']
        return dict(ab=(x, self.keep * x + 0.3), ba=(x, x))


class Data:
    """Random pictures."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return dict(x=torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(index)))


@pytest.fixture
def runner():
    """What the hook needs of a runner."""
    warnings = []
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=Data()))
    return SimpleNamespace(iter=0, train_loop=loop, model=Painter(0.0), warnings=warnings, gradients_pending=False,
                           logger=SimpleNamespace(warning=warnings.append))


def check(hook, runner, times=1):
    """Iterate until the hook has looked so often; what it logged last."""
    hook.before_train(runner)
    for _ in range(times * hook.interval):
        outputs = {}
        hook.after_train_iter(runner, runner.iter, outputs=outputs)
        runner.iter += 1
        hook.after_iteration(runner)
    return {key: float(value) for key, value in outputs.items()}


def test_diversity_is_the_mean_of_all_pairs():
    images = torch.stack([torch.full((3, 64, 64), v) for v in (0.0, 0.0, 0.6)])
    assert diversity(images) == pytest.approx(0.4, rel=1e-4)


@pytest.mark.parametrize('keep, warns', [(0.0, True), (0.1, True), (0.3, False), (1.0, False)])
def test_fires_below_the_threshold_only(runner, keep, warns):
    runner.model = Painter(keep)
    logged = check(CollapseMonitor(interval=2, samples=8, begin=1), runner)
    assert logged['monitor/diversity_ab'] == pytest.approx(keep, abs=1e-4) and logged['monitor/diversity_ba'] == pytest.approx(1)
    assert len(runner.warnings) == warns
    assert all('direction ab' in text and f'{keep:.2f} times' in text for text in runner.warnings)


def test_never_before_its_time(runner):
    hook = CollapseMonitor(interval=2, samples=4, begin=6)
    check(hook, runner, 2)
    assert not runner.warnings
    check(hook, runner)
    assert len(runner.warnings) == 1
    assert len(runner.model.modes) == 3, 'it measures every second iteration, and all samples at once'


def test_not_a_number_counts_as_collapse(runner):
    runner.model = Painter(float('nan'))
    check(CollapseMonitor(interval=1, samples=4, begin=1), runner)
    assert len(runner.warnings) == 1


def test_stops_after_its_patience(runner):
    hook = CollapseMonitor(interval=2, samples=4, begin=1, patience=3, stop=True)
    check(hook, runner, 2)
    resumed = CollapseMonitor(interval=2, samples=4, begin=1, patience=3, stop=True)
    resumed.load_state_dict(hook.state_dict())
    with pytest.raises(InputError, match='stopped at iteration 6.*ab'):
        check(resumed, runner)
    runner.model = Painter(1.0)
    hook.low = dict(ab=2)
    check(hook, runner)
    assert hook.low['ab'] == 0, 'a healthy check ends the count'


def test_training_is_not_touched(runner):
    runner.model.train()
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    check(CollapseMonitor(interval=1, samples=4), runner)
    assert torch.equal(torch.rand(2), expected)
    assert runner.model.training and runner.model.modes == [False]


def test_refuses_what_it_cannot_watch(runner):
    runner.model = nn.Linear(1, 1)
    with pytest.raises(InputError, match='Linear turns no pictures into pictures'):
        CollapseMonitor().before_train(runner)
    with pytest.raises(InputError, match='samples'):
        CollapseMonitor(samples=1)
