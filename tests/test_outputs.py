"""Names, and outputs that are inputs."""

import pytest

from toolkit import apis
from toolkit.outputs import check_name, plain_name, refuse_existing, refuse_inputs
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
