"""Values of a config that cannot be, at any place: training starts and ends well, or is refused in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from tests.engine.test_wrong_values import config, start
from tests.trust.garbage import examples, places, read_or_refused, replaced
from toolkit.engine.config import check_config
from toolkit.engine.launch import build_runner
from toolkit.synthetic.actions import SyntheticActions

VALUES = (None, True, -1, 0, 2, 3.5, -0.5, 1e308, float('nan'), float('inf'), '', 'x', '1e9', [], [1], ['x'], [[]], {}, {'a': 1})


@pytest.fixture(scope='module')
def right(tmp_path_factory) -> dict:
    """A config of a tiny clip that trains."""
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(height=64, width=64, actors=13, actions=16, frames=4).write(
        root, actors=[0], actions=[0], num_workers=1, progress=False)
    return config(root)


def train(cfg: dict, work_dir: Path) -> None:
    """All iterations."""
    check_config(cfg)
    build_runner(Config(cfg), work_dir).train()


def test_the_config_itself_trains(right, tmp_path):
    train(right, tmp_path)
    assert (tmp_path / 'last_checkpoint').exists()


def a_wrong_value(right: dict, data) -> tuple[tuple, object]:
    """A place of the config, and what stands there instead."""
    places_of_values = [where for where in places(right)[1:] if where[-1] not in ('root', 'type')]
    return data.draw(st.sampled_from(places_of_values)), data.draw(st.sampled_from(VALUES))


@examples(30)
@given(data=st.data())
def test_a_run_is_built_or_refused(right, tmp_path_factory, data):
    at, value = a_wrong_value(right, data)
    read_or_refused(lambda folder: start(replaced(right, at, value), folder), tmp_path_factory.mktemp('run'), (at, value))


@examples(6, times=1)
@given(data=st.data())
def test_training_ends_well_or_is_refused(right, tmp_path_factory, data):
    at, value = a_wrong_value(right, data)
    read_or_refused(lambda folder: train(replaced(right, at, value), folder), tmp_path_factory.mktemp('run'), (at, value))
