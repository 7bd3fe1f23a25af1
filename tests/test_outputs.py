"""Names, and outputs that are inputs."""

import errno
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import apis
from toolkit.outputs import check_name, claim_folder, plain_name, plain_names, plain_path, refuse_existing, refuse_filled, refuse_inputs
from toolkit.preparing.prepare import prepare_video
from toolkit.structures import InputError


@pytest.mark.parametrize('name', ['', '.', '..', '../thesis', 'a/b', '/tmp', 'a\\b', '.hidden', 'a\nb', 'a' * 300])
def test_a_name_is_one_plain_part_of_a_path(name):
    with pytest.raises(InputError, match='one plain name'):
        check_name(name)
    assert check_name(plain_name(name)) == plain_name(name)


def test_ordinary_names_stay():
    for name in ('dance.old', 'dance.partial', 'tänzerin_2', '01-kick', '舞'):
        assert check_name(name) == plain_name(name) == name
    assert check_name('my dance') == 'my dance' and plain_name('my dance') == 'my_dance'


def test_a_name_that_is_made_has_room_for_an_ending(tmp_path, people, walk):
    """Downloaded videos are called by their long titles; clips beside a result have a mark of their settings, too."""
    title = '舞' * 80
    for name in plain_names([f'{title}!', f'{title}?']).values():
        assert check_name(name).startswith('舞' * 60)
    (tmp_path / f'{title}.mp4').write_bytes(walk.read_bytes())
    clip = prepare_video(tmp_path / f'{title}.mp4', tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), 96, 64, unique=True)
    assert clip.name.startswith('舞' * 60 + '-') and clip.folder.name == clip.name


def test_two_clips_never_become_one_file():
    keys = ['my walk', 'my_walk', 'my-walk', 'my/walk', 'a: b', 'a; b']
    assert [str(plain_path(key)) for key in keys] == keys
    assert str(plain_path('../x')) == 'unnamed/x' and str(plain_path('/etc/pass')) == 'unnamed/etc/pass'
    assert plain_names(['my walk', 'my_walk', 'other', 'my/walk', 'my walk']) == {
        'my walk': 'my_walk', 'my_walk': 'my_walk_2', 'other': 'other', 'my/walk': 'my_walk_3'}


def test_an_output_is_not_an_input(tmp_path):
    (tmp_path / 'frames').mkdir()
    video = tmp_path / 'a.mp4'
    video.write_bytes(b'x')
    (tmp_path / 'link.mp4').symlink_to(video)
    (tmp_path / 'hard.mp4').hardlink_to(video)
    (tmp_path / 'there').symlink_to(tmp_path, target_is_directory=True)
    for output in ('a.mp4', 'link.mp4', 'hard.mp4', 'there/a.mp4', 'frames/../a.mp4'):
        with pytest.raises(InputError, match='also an input'):
            refuse_inputs([tmp_path / output], [video])
    with pytest.raises(InputError, match='lies in it'):
        refuse_inputs([tmp_path / 'there'], [video])
    with pytest.raises(InputError, match='lies in the input'):
        refuse_inputs([tmp_path / 'there' / 'frames' / 'new.mp4'], [tmp_path / 'frames'])
    refuse_inputs([tmp_path / 'b.mp4', tmp_path / 'frames2'], [video, tmp_path / 'frames'])


def test_a_file_is_replaced_only_when_told_so_and_nothing_else_ever(tmp_path):
    file, folder, link = tmp_path / 'a', tmp_path / 'b', tmp_path / 'c'
    file.write_text('mine')
    folder.mkdir()
    link.symlink_to(file)
    refuse_existing([file, tmp_path / 'new'], overwrite=True)
    with pytest.raises(InputError, match='--overwrite'):
        refuse_existing([file])
    for path in (folder, link, '/dev/null'):
        with pytest.raises(InputError, match='no plain file'):
            refuse_existing([path], overwrite=True)


def test_generate_refuses_to_write_over_what_it_reads(clips, tmp_path):
    picture, video = tmp_path / 'me.png', tmp_path / 'drive.mp4'
    for file in (picture, video):
        file.write_bytes(b'precious')
    wishes = [dict(driving=video, out=video), dict(driving=clips[0].folder, out=clips[0].folder / 'x.mp4'),
              dict(driving=video, out=tmp_path / 'me.mp4', colors=apis.Colors(samples=2)),
              dict(driving=clips[0].folder, out=tmp_path / 'drive.mp4', colors=apis.Colors(like=video))]
    for wish in wishes:
        with pytest.raises(InputError, match='input'):
            apis.generate(tmp_path / 'no.pth', picture, **wish)
    assert picture.read_bytes() == video.read_bytes() == b'precious'


def test_a_folder_is_claimed_once(tmp_path):
    for _ in range(2):
        claim_folder(tmp_path / 'new', '.ours', 'choose another')
        (tmp_path / 'new' / 'more').touch()
    (tmp_path / 'theirs').mkdir()
    (tmp_path / 'theirs' / 'a.txt').touch()
    with pytest.raises(InputError, match=r'holds what was not made here \(a.txt\); choose another'):
        claim_folder(tmp_path / 'theirs', '.ours', 'choose another')
    with pytest.raises(InputError, match='--overwrite'):
        refuse_filled(tmp_path / 'theirs')
    refuse_filled(tmp_path / 'theirs', overwrite=True)


@pytest.mark.parametrize('overwrite', [False, True])
def test_results_that_are_there_are_replaced_only_when_told_so(clips, tmp_path, overwrite):
    """Before the checkpoint is read: with overwrite, its absence is the next error."""
    for name in ('out.mp4', 'out_1.mp4', 'sheet.png'):
        (tmp_path / name).write_text('mine')
    for wish in (dict(out=tmp_path / 'out.mp4'), dict(out=tmp_path / 'out.mp4', colors=apis.Colors(samples=2)),
                 dict(out=tmp_path / 'sheet.mp4', colors=apis.Colors(samples=2), side_by_side=True)):
        with pytest.raises(InputError, match='no.pth' if overwrite else 'exists already; say --overwrite'):
            apis.generate(tmp_path / 'no.pth', clips[0].folder, clips[1].folder, overwrite=overwrite, **wish)
    assert {p.read_text() for p in tmp_path.iterdir()} == {'mine'}


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr(Path, 'iterdir', closed)
    with pytest.raises(InputError, match=f'{tmp_path.name}: cannot be read .Permission denied.; choose another folder'):
        refuse_filled(tmp_path)
    refuse_filled(tmp_path, overwrite=True)


@pytest.mark.parametrize('name', ['me.png', 'me_0.mp4'])
def test_a_result_that_comes_while_a_video_is_painted_is_left(tmp_path, name):
    def painted():
        for _ in range(3):
            yield [np.zeros((32, 32, 3), np.uint8)] * 2
        (tmp_path / name).write_text('theirs')

    result = apis.Result(tmp_path / 'me.mp4', apis.Colors(samples=2))
    chosen = SimpleNamespace(driving=SimpleNamespace(fps=25), poses=np.zeros((3, 18, 3), np.float32))
    result.check([])
    with pytest.raises(InputError, match=f'{name}: a file of this name has come while this one was being made'):
        result.write(chosen, painted(), audio=False, progress=False)
    assert (tmp_path / name).read_text() == 'theirs'
