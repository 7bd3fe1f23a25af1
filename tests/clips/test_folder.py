"""Folders of others stay as they are, whatever they are called."""

import multiprocessing

import numpy as np
import pytest

from toolkit.clips.clip import Clip, ClipWriter, find_clips
from toolkit.clips.folder import MARK, check_clip_folder, clip_lock, foreign_files
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError

H, W = 32, 24


def start(folder, **options):
    writer = ClipWriter(folder, folder.name, 'ann', 'wave', H, W, 25, **options)
    plane = np.zeros((H, W), np.float32)
    for _ in range(writer.num_frames, 2):
        writer.add(np.zeros((H, W, 3), np.uint8), np.ones((18, 3), np.float32), plane, plane, np.zeros((H, W), np.uint8))
    return writer


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


@pytest.mark.parametrize('overwrite', [False, True])
@pytest.mark.parametrize('content', [{'notes.txt': 'mine'}, {'manifest.json': '{"name": "my app"}'}, {'manifest.json': 'nonsense'},
                                     {'frames/000000.png': 'mine'}])
def test_a_folder_that_is_no_clip_is_refused_before_any_work(tmp_path, content, overwrite):
    for name, text in content.items():
        (tmp_path / 'dance' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'dance' / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(InputError, match='dance: is in the way and is not a prepared clip'):
        start(tmp_path / 'dance', overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_folder_that_comes_while_the_clip_is_made_is_left_alone_and_the_clip_can_be_finished(tmp_path):
    writer = start(tmp_path / 'dance')
    (tmp_path / 'dance').mkdir()
    (tmp_path / 'dance' / 'notes.txt').write_text('mine')
    with pytest.raises(InputError, match='it holds notes.txt'):
        writer.finish()
    (tmp_path / 'dance' / 'notes.txt').rename(tmp_path / 'notes.txt')
    assert len(start(tmp_path / 'dance').finish()) == 2, 'an empty folder may be taken'


def test_a_clip_with_files_of_the_user_is_not_replaced(tmp_path):
    clip = start(tmp_path / 'dance').finish()
    assert not foreign_files(clip.folder)
    for name in ('notes.txt', 'frames/000002.png', 'masks/000000.jpg', 'mine/a.txt'):
        (clip.folder / name).parent.mkdir(exist_ok=True)
        (clip.folder / name).write_text('mine')
    assert foreign_files(clip.folder) == ['frames/000002.png', 'masks/000000.jpg', 'mine/', 'notes.txt']
    before = contents(tmp_path)
    with pytest.raises(InputError, match='does not belong to the clip: frames/000002.png, .*notes.txt'):
        start(clip.folder, overwrite=True)
    assert contents(tmp_path) == before


def test_links_are_in_the_way(tmp_path):
    (tmp_path / 'album').mkdir()
    (tmp_path / 'dance').symlink_to(tmp_path / 'album', target_is_directory=True)
    with pytest.raises(InputError, match='in the way'):
        start(tmp_path / 'dance', overwrite=True)
    assert (tmp_path / 'dance').is_symlink() and (tmp_path / 'album').is_dir()


def test_clips_may_be_called_old_and_partial(tmp_path):
    for name in ('dance.old', 'dance.partial', 'dance'):
        start(tmp_path / name).finish()
    start(tmp_path / 'dance', overwrite=True).finish()
    assert [clip.name for clip in find_clips(tmp_path)] == ['dance', 'dance.old', 'dance.partial']


@pytest.mark.parametrize('name', ['.', '..', '../thesis', 'a/b', '.hidden'])
def test_a_name_leads_nowhere_else(tmp_path, name):
    with pytest.raises(InputError, match='one plain name'):
        prepare_video(tmp_path / 'a.mp4', tmp_path / 'out', None, None, None, name=name)
    assert not (tmp_path / 'out').exists()


def test_a_clip_is_not_made_inside_its_source(tmp_path):
    (tmp_path / 'clips' / 'dance').mkdir(parents=True)
    for path, message in (('clips/dance', 'also an input'), ('clips', 'lies in the input')):
        with pytest.raises(InputError, match=message):
            prepare_video(tmp_path / path, tmp_path / 'clips', None, None, None)
    with pytest.raises(InputError, match='lies in it'):
        prepare_video(tmp_path / 'clips' / 'dance', tmp_path, None, None, None, name='clips')


def test_a_foreign_folder_under_a_temporary_name_is_left_alone(tmp_path):
    for name in ('.dance.partial', '.dance.old'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'notes.txt').write_text('mine')
        with pytest.raises(InputError, match=r'does not belong to the clip: notes.txt'):
            start(tmp_path / 'dance')
        (tmp_path / name / 'notes.txt').unlink()
    start(tmp_path / 'dance').finish()


@pytest.mark.parametrize('name', ['.dance.partial', '.dance.old'])
def test_a_folder_under_a_temporary_name_is_ours_only_with_our_mark(tmp_path, name):
    """Though all in it is called as our own files are."""
    for file in ('manifest.json', 'head.json', 'frames/000000.png', 'work/key.json'):
        (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name / file).write_text('mine')
    before = contents(tmp_path)
    with pytest.raises(InputError, match='does not belong to the clip: frames, head.json'):
        start(tmp_path / 'dance', overwrite=True)
    assert contents(tmp_path) == before


def test_what_a_kill_left_goes_with_the_next_start(tmp_path):
    writer = start(tmp_path / 'dance')
    (writer.partial / 'frames' / '.000001.png.4711.tmp').write_text('half')
    clip = start(tmp_path / 'dance').finish()
    assert not foreign_files(clip.folder)
    (clip.folder / MARK).touch()
    clip.folder.rename(tmp_path / '.dance.old')
    with pytest.raises(InputError, match='finished clip'):
        start(tmp_path / 'dance')
    assert len(Clip(tmp_path / 'dance')) == 2, 'killed between the two renames of a replacement'


def test_half_of_a_scene_that_a_killed_training_left_in_a_clip_does_not_keep_it_from_being_replaced(tmp_path):
    clip = start(tmp_path / 'dance').finish()
    (clip.folder / '.scene.npz.0.tmp').write_text('half')
    check_clip_folder(clip.folder, overwrite=True)
    start(tmp_path / 'dance', overwrite=True).finish()
    assert [p.name for p in tmp_path.iterdir()] == ['dance'] and not [*clip.folder.glob('.*')]
    (clip.folder / '.notes.npz.0.tmp').write_text('mine')
    with pytest.raises(InputError, match='does not belong to the clip: .notes.npz.0.tmp'):
        check_clip_folder(clip.folder, overwrite=True)


def hold(folder, said, release):
    with clip_lock(folder):
        said.set()
        release.wait(20)


def test_two_processes_do_not_make_one_clip(tmp_path):
    context = multiprocessing.get_context('fork')
    said, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / 'dance', said, release))
    other.start()
    assert said.wait(20)
    with pytest.raises(InputError, match='dance: is being made by another process'), clip_lock(tmp_path / 'dance'):
        pass
    release.set()
    other.join()
    with clip_lock(tmp_path / 'dance'):
        pass
    assert not list(tmp_path.iterdir())


def test_loops_of_links_end_and_a_clip_counts_once(tmp_path):
    start(tmp_path / 'clips' / 'a').finish()
    (tmp_path / 'clips' / 'x').symlink_to(tmp_path / 'clips', target_is_directory=True)
    (tmp_path / 'clips' / 'y').symlink_to(tmp_path / 'clips', target_is_directory=True)
    (tmp_path / 'clips' / 'z').symlink_to(tmp_path / 'clips' / 'a', target_is_directory=True)
    assert [clip.name for clip in find_clips(tmp_path)] == ['a']


def test_a_manifest_of_another_program_is_no_clip(tmp_path):
    start(tmp_path / 'web' / 'a').finish()
    (tmp_path / 'web' / 'manifest.json').write_text('{"name": "my app", "icons": []}')
    assert [clip.name for clip in find_clips(tmp_path)] == ['a']
    (tmp_path / 'web' / 'a' / 'manifest.json').write_text('{"format": 1')
    with pytest.raises(InputError, match='not readable as JSON'):
        find_clips(tmp_path)
