"""Empty scenes that are kept in their clips: found once, never a wrong one, and never needed."""

import os

import numpy as np
import pytest

from tests.datasets.test_footage import make_clip
from toolkit.clips.clip import Clip
from toolkit.clips.folder import foreign_files
from toolkit.datasets import scene
from toolkit.datasets.plate import background_plate
from toolkit.datasets.scene import KEPT, SCENE_FILE, still_scene

SIZE = (96, 64)


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / 'still', size=SIZE)


def refuse(*_):
    raise AssertionError('it is known already')


def test_a_scene_is_found_once_and_anew_for_other_frames(clip, monkeypatch):
    found = still_scene(clip, range(30))
    np.testing.assert_array_equal(found, background_plate(clip))
    assert (clip.folder / SCENE_FILE).is_file() and not foreign_files(clip.folder)
    some = still_scene(clip, range(12))
    np.testing.assert_array_equal(some, background_plate(clip, None, range(12)))
    monkeypatch.setattr(scene, 'camera_moves', refuse)
    again = Clip(clip.folder)
    np.testing.assert_array_equal(still_scene(again, range(30)), found)
    np.testing.assert_array_equal(still_scene(again, list(range(12))), some)


def test_that_a_camera_moves_is_kept_too(tmp_path, monkeypatch):
    pan = make_clip(tmp_path / 'pan', size=SIZE, pan=1.5)
    assert still_scene(pan, range(30)) is None
    monkeypatch.setattr(scene, 'camera_moves', refuse)
    assert still_scene(pan, range(30)) is None


def test_few_are_kept(clip):
    for count in range(20, 20 + KEPT + 3):
        still_scene(clip, range(count))
    with np.load(clip.folder / SCENE_FILE) as file:
        assert len(file.files) == KEPT


@pytest.mark.parametrize('damage', ['cut', 'empty', 'text', 'shape'])
def test_a_damaged_file_is_as_none(clip, damage):
    found, path = still_scene(clip, range(30)), clip.folder / SCENE_FILE
    if damage == 'shape':
        with np.load(path) as file:
            names = file.files
        np.savez(path, **{name: np.zeros((3, 3, 3), np.float32) for name in names})
    else:
        data = path.read_bytes()
        path.write_bytes(dict(cut=data[:len(data) // 2], empty=b'', text=b'hello')[damage])
    np.testing.assert_array_equal(still_scene(clip, range(30)), found)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_that_cannot_be_written_is_left(clip):
    os.chmod(clip.folder, 0o500)
    np.testing.assert_array_equal(still_scene(clip, range(30)), background_plate(clip))
    os.chmod(clip.folder, 0o700)
    assert not (clip.folder / SCENE_FILE).exists()
