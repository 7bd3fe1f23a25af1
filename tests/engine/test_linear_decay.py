"""The learning rate of pix2pix, CycleGAN and BicycleGAN."""

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE

from toolkit.engine.linear_decay import ConstantThenLinearLR, check_alone
from toolkit.registry import PARAM_SCHEDULERS
from toolkit.structures import InputError


def rates(iterations, **options):
    """Rate that each iteration uses."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler = PARAM_SCHEDULERS.build(dict(type='ConstantThenLinearLR', optimizer=optimizer, **options))
    used = []
    for _ in range(iterations):
        used.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return used


@pytest.mark.parametrize('length', [1, 3])
def test_table_of_100_and_100_epochs(length):
    used = rates(220 * length, constant=100, decay=100, epoch_iters=length)
    for epoch, factor in [(1, 1), (100, 1), (101, 100 / 101), (102, 99 / 101), (150, 51 / 101), (200, 1 / 101), (210, 1 / 101)]:
        of_epoch = used[(epoch - 1) * length:epoch * length]
        assert of_epoch == pytest.approx([2 * factor] * length), epoch
    assert [round(used[(epoch - 1) * length] / 2, 4) for epoch in (101, 150, 200)] == [0.9901, 0.505, 0.0099]


def test_it_goes_on_where_it_stopped():
    whole = rates(12, constant=2, decay=5, epoch_iters=2)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    first = ConstantThenLinearLR(optimizer, 2, 5, 2)
    for _ in range(7):
        optimizer.step()
        first.step()
    fresh = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    second = ConstantThenLinearLR(fresh, 2, 5, 2)
    fresh.load_state_dict(optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    used = []
    for _ in range(5):
        used.append(fresh.param_groups[0]['lr'])
        fresh.step()
        second.step()
    assert used == whole[7:]


def test_its_arguments_survive_the_runner():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    config = dict(type='toolkit.ConstantThenLinearLR', constant=1, decay=1, epoch_iters=3, end=12)
    scheduler = MMENGINE.build(config, default_args=dict(optimizer=optimizer, epoch_length=99))
    assert [scheduler.factor(i) for i in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]


def test_wrong_numbers():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    for options in (dict(by_epoch=True), dict(epoch_iters=0), dict(constant=-1)):
        with pytest.raises(InputError, match='counts iterations'):
            ConstantThenLinearLR(optimizer, **{'constant': 1, 'decay': 1, **options})


def test_a_slow_start_before_it_acts_and_one_beside_it_is_refused():
    used, optimizer = [], torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    both = [PARAM_SCHEDULERS.build(dict(config, optimizer=optimizer)) for config in (
        dict(type='LinearLR', start_factor=0.25, end=4, by_epoch=False),
        dict(type='ConstantThenLinearLR', constant=2, decay=3, begin=4))]
    check_alone(both)
    for _ in range(10):
        used.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in both:
            scheduler.step()
    assert used == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.5])
    both[1] = PARAM_SCHEDULERS.build(dict(type='ConstantThenLinearLR', constant=2, decay=3, optimizer=optimizer))
    with pytest.raises(InputError, match='LinearLR from iteration 0 to 4 and ConstantThenLinearLR from iteration 0 set the same rate'):
        check_alone(both)
