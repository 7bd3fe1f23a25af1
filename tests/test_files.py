import errno
import json
import re
from pathlib import Path

import pytest

from toolkit.files import replacing, source_hash, write_file, write_json
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


def test_a_link_in_the_way_of_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / 'thesis.tex').write_text('years of work')
    monkeypatch.setattr('os.getpid', lambda: 7)
    (tmp_path / '.a.txt.7.tmp').symlink_to(tmp_path / 'thesis.tex')
    write_file(tmp_path / 'a.txt', b'new')
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work' and (tmp_path / 'a.txt').read_text() == 'new'


def test_hidden_files_do_not_change_the_hash_of_a_folder(tmp_path):
    (tmp_path / '1.png').write_bytes(b'a')
    before = source_hash(tmp_path)
    (tmp_path / '.DS_Store').write_bytes(b'b')
    assert source_hash(tmp_path) == before
    (tmp_path / '2.png').write_bytes(b'b')
    assert source_hash(tmp_path) != before


def test_what_is_not_json_or_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / 'a.json', dict(x=float('nan')))
    (tmp_path / 'file').write_text('')
    for write in (lambda path: write_json(path, {}), lambda path: write_file(path, b'')):
        with pytest.raises(InputError, match=r'r\.json: cannot be written'):
            write(tmp_path / 'file' / 'r.json')
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_no_other_code_writes_under_a_temporary_name():
    known = ('folder.py', 'work_dir.py')  # they look for leftovers
    writers = [path.name for path in TOOLKIT.rglob('*.py') if re.search("(?<!r)tmp'", path.read_text()) and path.name not in known]
    assert writers == ['files.py']
