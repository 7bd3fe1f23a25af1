"""Fixtures shared by all tests: where the shared clips and weights are. One thread a process: the tests run in several processes."""

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / 'shared'

torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'


def _folder(variable: str, default: Path, what: str) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f'{what} not found: no folder {folder.name!r} beside the project and {variable} does not name one')
    return folder


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
