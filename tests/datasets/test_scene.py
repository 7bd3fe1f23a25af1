"""Empty scenes that are kept in their clips: found once, never a wrong one, and never needed."""

import os

import cv2
import numpy as np
import pytest

from tests.datasets.test_footage import make_clip
from toolkit.clips.clip import Clip
from toolkit.clips.folder import foreign_files
from toolkit.datasets import scene
from toolkit.datasets.plate import background_plate
from toolkit.datasets.scene import KEPT, SCENE_FILE, still_scene
from toolkit.structures import InputError

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


def test_a_scene_is_found_anew_where_pictures_have_changed(clip):
    found = still_scene(clip, range(30))
    for path in (clip.folder / 'masks').iterdir():
        cv2.imwrite(str(path), np.full(SIZE, 255, np.uint8))
    changed = still_scene(clip, range(30))
    np.testing.assert_array_equal(changed, background_plate(clip))
    assert not np.array_equal(changed, found)


def test_whether_the_camera_moves_is_found_anew_too(tmp_path):
    pan, still = (make_clip(tmp_path / name, size=SIZE, **how) for name, how in (('pan', dict(pan=1.5)), ('still', {})))
    assert still_scene(pan, range(30)) is None
    for kind in ('frames', 'masks'):
        for path in (still.folder / kind).iterdir():
            (pan.folder / kind / path.name).write_bytes(path.read_bytes())
    np.testing.assert_array_equal(still_scene(pan, range(30)), background_plate(still))


def test_a_picture_that_is_gone_is_named(clip):
    (clip.folder / 'masks' / '000003.png').unlink()
    with pytest.raises(InputError, match='masks/000003.png: cannot be read'):
        still_scene(clip, range(30))


def test_what_is_kept_in_a_clip_is_no_change_of_it(clip):
    """Or an evaluation that was stopped would not know its clips again."""
    before = clip.state()
    still_scene(clip, range(30))
    (clip.folder / '.scene.npz.7.tmp').touch()
    assert (clip.folder / SCENE_FILE).exists() and Clip(clip.folder).state() == before
    os.utime(clip.folder / 'masks' / '000003.png', ns=(0, 0))
    assert Clip(clip.folder).state() != before
