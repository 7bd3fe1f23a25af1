import errno
import json
import os
import re
import stat
from pathlib import Path

import pytest

from toolkit.files import replacing, source_hash, write_file, write_json
from toolkit.outputs import TakenError, give_name
from toolkit.structures import InputError

TOOLKIT = Path(__file__).parents[1] / 'toolkit'


@pytest.mark.parametrize('lasting', [False, True])
def test_a_name_holds_the_old_or_the_whole_new_file(tmp_path, lasting):
    path = tmp_path / 'a.json'
    write_json(path, dict(a=1))
    with pytest.raises(OSError), replacing(path, lasting) as file:
        file.write(b'half')
        file.flush()
        assert json.loads(path.read_text()) == dict(a=1) and len(list(tmp_path.iterdir())) == 2
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert json.loads(path.read_text()) == dict(a=1) and [p.name for p in tmp_path.iterdir()] == ['a.json']
    with replacing(path, lasting) as file:
        file.write(b'{}')
    assert path.read_bytes() == b'{}' and [p.name for p in tmp_path.iterdir()] == ['a.json']


@pytest.mark.skipif(os.name != 'posix', reason='the system does not wait for folders')
def test_a_file_system_that_cannot_wait_for_a_folder_is_no_error(tmp_path, monkeypatch):
    sync = os.fsync

    def refused(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        sync(file)

    monkeypatch.setattr(os, 'fsync', refused)
    write_file(tmp_path / 'a.txt', b'new', lasting=True)
    assert (tmp_path / 'a.txt').read_bytes() == b'new'
    monkeypatch.setattr(os, 'fsync', lambda file: (_ for _ in ()).throw(OSError(errno.EIO, 'Input/output error')))
    with pytest.raises(InputError, match='a.txt: cannot be written .Input/output error'):
        write_file(tmp_path / 'a.txt', b'newer', lasting=True)
    assert (tmp_path / 'a.txt').read_bytes() == b'new' and [path.name for path in tmp_path.iterdir()] == ['a.txt']


def test_a_link_in_the_way_of_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / 'thesis.tex').write_text('years of work')
    monkeypatch.setattr('os.getpid', lambda: 7)
    (tmp_path / '.a.txt.7.tmp').symlink_to(tmp_path / 'thesis.tex')
    write_file(tmp_path / 'a.txt', b'new')
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work' and (tmp_path / 'a.txt').read_text() == 'new'


@pytest.mark.skipif(os.name != 'posix', reason='the system has no locks of files')
def test_what_a_kill_left_of_a_file_goes_with_the_next_one(tmp_path):
    path, left = tmp_path / 'a.txt', tmp_path / '.a.txt.0.tmp'
    left.write_text('half of an older one')
    write_file(path, b'new')
    assert path.read_text() == 'new' and [p.name for p in tmp_path.iterdir()] == ['a.txt']
    os.link(path, left)  # killed between the name and the end
    write_file(tmp_path / 'a.txt', b'newer')
    assert path.read_text() == 'newer' and [p.name for p in tmp_path.iterdir()] == ['a.txt']
    os.link(path, left)
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b'half')
        file.flush()
        raise ZeroDivisionError
    assert path.read_text() == 'newer'


@pytest.mark.skipif(os.name != 'posix', reason='the system has no locks of files')
def test_two_writers_of_one_name_do_not_meet(tmp_path):
    path = tmp_path / 'a.txt'
    with replacing(path) as one:
        one.write(b'one')
        with replacing(path) as two:
            two.write(b'second')
        assert path.read_text() == 'second'
    assert path.read_text() == 'one' and [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_hidden_files_do_not_change_the_hash_of_a_folder(tmp_path):
    (tmp_path / '1.png').write_bytes(b'a')
    before = source_hash(tmp_path)
    (tmp_path / '.DS_Store').write_bytes(b'b')
    assert source_hash(tmp_path) == before
    (tmp_path / '2.png').write_bytes(b'b')
    assert source_hash(tmp_path) != before


def test_a_name_that_is_no_text_counts_too(tmp_path):
    try:
        (tmp_path / os.fsdecode(b'\xff.png')).write_bytes(b'a')
    except OSError:
        pytest.skip('this file system has no such names')
    before = source_hash(tmp_path)
    (tmp_path / os.fsdecode(b'\xff.png')).rename(tmp_path / os.fsdecode(b'\xfe.png'))
    assert source_hash(tmp_path) != before


def test_what_is_not_json_or_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / 'a.json', dict(x=float('nan')))
    (tmp_path / 'file').write_text('')
    for write in (lambda path: write_json(path, {}), lambda path: write_file(path, b'')):
        with pytest.raises(InputError, match=r'r\.json: cannot be written'):
            write(tmp_path / 'file' / 'r.json')
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_folders_on_the_way_to_a_result_are_made(tmp_path):
    write_file(tmp_path / 'new' / 'er' / 'file', b'content')
    assert (tmp_path / 'new' / 'er' / 'file').read_bytes() == b'content'
    with pytest.raises(InputError, match='file/on: cannot be written'):
        write_file(tmp_path / 'new' / 'er' / 'file' / 'on', b'content')


def test_no_other_code_writes_under_a_temporary_name():
    known = ('folder.py', 'unfinished.py', 'work_dir.py')  # they look for leftovers
    writers = [path.name for path in TOOLKIT.rglob('*.py') if re.search("(?<!r)tmp'", path.read_text()) and path.name not in known]
    assert writers == ['files.py']


def no_links(*_):
    raise PermissionError(errno.EPERM, 'Operation not permitted')


@pytest.mark.parametrize('links', [True, False])
def test_a_file_that_comes_while_one_is_written_is_left(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, 'link', no_links)
    path = tmp_path / 'a.json'
    with pytest.raises(TakenError, match=r'a.json: a file of this name has come.* What was made is .*/\.a\.json\.\d+\.tmp') as told:
        with replacing(path, overwrite=False) as file:
            file.write(b'new')
            path.write_text('theirs')
    kept = next(p for p in tmp_path.iterdir() if p != path)
    assert path.read_text() == 'theirs' and kept.read_text() == 'new' and str(kept) in str(told.value)
    for write in (lambda: write_file(path, b'', overwrite=False), lambda: write_json(path, {}, overwrite=False)):
        with pytest.raises(TakenError):
            write()
    write_json(path, {})
    write_file(tmp_path / 'b.txt', b'b', overwrite=False)
    assert path.read_text() == '{}\n' and (tmp_path / 'b.txt').read_bytes() == b'b' and (tmp_path / 'b.txt').stat().st_nlink == 1


def test_a_link_that_leads_nowhere_is_a_file_too(tmp_path):
    (tmp_path / 'made').write_text('new')
    (tmp_path / 'a').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(TakenError):
        give_name(tmp_path / 'made', tmp_path / 'a')
    assert (tmp_path / 'made').read_text() == 'new' and not (tmp_path / 'nowhere').exists()
