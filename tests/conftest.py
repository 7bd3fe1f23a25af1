"""Fixtures shared by all tests: real clips, weights, two synthetic people. One thread a process: the tests run in several processes."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.stick_people import people, stick, still, walk  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / 'shared'

torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'


def _folder(variable: str, default: Path, what: str) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f'{what} not found: no folder {folder.name!r} beside the project and {variable} does not name one')
    return folder


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws without a seed of its own is the same each time."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder of real clips, or a skip that says what is missing."""
    return _folder('TOOLKIT_TEST_DATA', SHARED / 'data', 'real clips')


@pytest.fixture
def shared_weights(monkeypatch) -> Path:
    """Folder of small pretrained networks, made known to the toolkit, or a skip that says what is missing."""
    folder = _folder('TOOLKIT_TEST_WEIGHTS', SHARED / 'weights', 'pretrained weights')
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(folder))
    return folder


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> list:
    """One clip each of two persons, 4 frames of 96x64, in one folder."""
    from toolkit.clips.clip import Clip
    from toolkit.synthetic.actions import SyntheticActions
    root = tmp_path_factory.mktemp('clips')
    actions = SyntheticActions(height=96, width=64, actors=13, actions=16, frames=4)
    actions.write(root, actors=[0, 3], actions=[1], num_workers=1, progress=False)
    return [Clip(folder) for folder in sorted(p for p in root.iterdir() if p.is_dir())]
