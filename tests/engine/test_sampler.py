"""The training order: every sample once an epoch, positions without reading, the same for any number of processes."""

from itertools import islice

import pytest

from toolkit.engine.sampler import DrawSampler
from toolkit.structures import InputError


class Seven(list):
    """A data set of seven items, each drawn anew each epoch."""

    takes_draw = True


def sampler(rank=0, world=1, start=0, **kwargs):
    made = DrawSampler(Seven(range(7)), **kwargs)
    made.rank, made.world_size = rank, world
    made.set_start(start)
    return made


def test_each_epoch_holds_every_sample_once_in_a_new_order():
    drawn = list(islice(sampler(seed=3), 21))
    epochs = [[i for i, _ in drawn[e * 7:(e + 1) * 7]] for e in range(3)]
    assert all(sorted(e) == list(range(7)) for e in epochs) and epochs[0] != epochs[1] != epochs[2]
    assert [draw for _, draw in drawn] == [0] * 7 + [1] * 7 + [2] * 7
    assert list(islice(sampler(seed=3), 21)) == drawn != list(islice(sampler(seed=4), 21))
    assert list(islice(sampler(shuffle=False), 8)) == [(i, 0) for i in range(7)] + [(0, 1)]


@pytest.mark.parametrize('start', [0, 6, 12])
def test_a_start_continues_the_same_stream(start):
    assert list(islice(sampler(start=start), 5)) == list(islice(sampler(), start + 5))[start:]


def test_global_batches_do_not_depend_on_the_number_of_processes():
    whole = list(islice(sampler(start=4), 24))
    shared = [list(islice(sampler(rank, 3, start=4), 8)) for rank in range(3)]
    for batch in range(4):
        parts = [item for rank in shared for item in rank[batch * 2:(batch + 1) * 2]]
        assert sorted(parts) == sorted(whole[batch * 6:(batch + 1) * 6])


def test_an_empty_dataset_is_an_error():
    with pytest.raises(InputError, match='empty'):
        DrawSampler([])


def test_a_plain_data_set_is_asked_for_the_index_alone():
    assert list(islice(DrawSampler(range(7), seed=3), 21)) == [index for index, _ in islice(sampler(seed=3), 21)]
