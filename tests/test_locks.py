"""The lock between processes: it excludes, dies with its process, and leaves files of others alone."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.locks import check_lock, locked
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parent.parent


def hold(path, said, release):
    with locked(path):
        said.set()
        release.wait(20)


def test_others_wait_and_a_dead_process_frees_it(tmp_path):
    context = multiprocessing.get_context('fork')
    said, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / '.lock', said, release))
    other.start()
    assert said.wait(20)
    with pytest.raises(InputError, match='a second run'), locked(tmp_path / '.lock', wait=False, busy='a second run'):
        pass
    os.kill(other.pid, 9)
    start = time.monotonic()
    with locked(tmp_path / '.lock'):
        assert time.monotonic() - start < 10
    other.join()
    assert (tmp_path / '.lock').read_bytes() == b''


def test_what_we_did_not_make_is_not_touched(tmp_path):
    mine = tmp_path / 'thesis.tex'
    mine.write_text('years of work')
    (tmp_path / '.link').symlink_to(mine)
    (tmp_path / '.folder').mkdir()
    (tmp_path / '.full').write_text('words')
    os.link(mine, tmp_path / '.hard')
    for name in ('.link', '.folder', '.full', '.hard'):
        with pytest.raises(InputError, match=f'{name}: expected an empty plain file'), locked(tmp_path / name):
            pass
    assert mine.read_text() == 'years of work'


@pytest.mark.parametrize('look', range(1, 6))
def test_a_lock_that_is_taken_away_while_it_is_looked_at_is_no_file_of_others(tmp_path, monkeypatch, look):
    """Whoever held it removes it; others may be looking at that moment, more often than once."""
    path, looks, real = tmp_path / '.lock', [], os.stat
    path.touch()

    def stat(file, *args, **options):
        try:
            return real(file, *args, **options)
        finally:
            if os.fspath(file) == str(path):
                looks.append(file)
                if len(looks) == look:
                    os.unlink(path)

    monkeypatch.setattr(os, 'stat', stat)
    check_lock(path)


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / 'a').touch()
    with pytest.raises(InputError, match='cannot be locked'), locked(tmp_path / 'a' / 'b.lock'):
        pass


def test_everything_is_imported_without_what_only_posix_has():
    code = "import sys; sys.modules.update(fcntl=None, termios=None); import toolkit.apis, toolkit.preparing.report; print('fine')"
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert out.stdout.strip() == 'fine', out.stderr
