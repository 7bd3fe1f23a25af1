"""The limits on reading damaged files do find faults, and ``make trust`` goes on where it stopped."""

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.trust import __main__ as trust
from tests.trust import garbage
from toolkit.doors import parsing
from toolkit.structures import InputError, MissingWeightsError


def refuse(text: str, kind=InputError):
    raise kind(text)


@pytest.mark.parametrize('found, read', [
    ('a traceback, ZeroDivisionError', lambda path: 1 / 0),
    ('two', lambda path: refuse('a.json: two\nlines', MissingWeightsError)),
    ('what', lambda path: refuse('what')),
    ('open .*thesis', lambda path: path.with_name('thesis.tex').write_text('x')),
    ('os.remove', lambda path: path.with_name('mine.tex').unlink()),
    ('socket.connect', lambda path: socket.socket(socket.AF_UNIX).connect_ex(str(path.with_name('server')))),
    ('subprocess.Popen', lambda path: subprocess.run(['true'])),
    (r'took \d+ MiB', lambda path: len(bytes(range(256)) * (400 << 12))),
    (r'took \S+ s|hangs', lambda path: sum(range(10**7)))])
def test_a_fault_is_found(found, read, tmp_path, monkeypatch):
    (tmp_path / 'mine.tex').touch()
    monkeypatch.setattr(garbage, 'ALLOWED', (f'{tmp_path}/given/',))
    monkeypatch.setattr(garbage, 'MOST_MIB', 40)
    monkeypatch.setattr(garbage, 'LONGEST_SECONDS', .05 if 'hangs' in found else 10)
    with pytest.raises((AssertionError, garbage.Hang), match=found):
        garbage.read_or_refused(read, tmp_path / 'a.json', named='a.json')
    monkeypatch.undo()
    assert garbage.read_or_refused(lambda path: 5, tmp_path / 'a.json') == 5


def test_what_waits_for_ever_is_found(tmp_path, monkeypatch):
    def wait(path):
        with parsing(path, 'damaged'):
            time.sleep(60)

    monkeypatch.setattr(garbage, 'LONGEST_SECONDS', .01)
    with pytest.raises(garbage.Hang, match='a.json, seed 7: hangs'):
        garbage.read_or_refused(wait, tmp_path / 'a.json', 7)


def test_seeds_of_blocks_differ(monkeypatch):
    monkeypatch.setattr(garbage, 'TIMES', 5)
    met = []
    for seed in range(3):
        monkeypatch.setattr(garbage, 'SEED', seed)
        met += garbage.seeds(4)
    assert met == list(range(60))


def test_a_run_goes_on_and_tells_of_problems(tmp_path, monkeypatch, capsys):
    done = []

    def read(seed):
        done.append(('inputs', seed))
        if done == [('inputs', 1), ('inputs', 2)]:
            raise KeyboardInterrupt
        return dict(inputs=3, read=1, refused=2, slowest=.5, most_mib=seed, problems=int(seed == 3), changed=[]), 'a traceback'

    def kill(tool, seed):
        done.append((tool, seed))
        return dict(kills=5, rounds=1, exact=5, problems=0), ''

    monkeypatch.setattr(trust, 'kill_block', kill)
    monkeypatch.setattr(trust, 'golden_block', lambda seed: (dict(problems=0), ''))
    monkeypatch.setattr(trust, 'read_block', read)
    command = ['--results', str(tmp_path / 'r.jsonl'), '--inputs', '8', '--kills', '0']
    with pytest.raises(KeyboardInterrupt):
        trust.main(command)
    assert trust.main(command) == 1
    assert done == [('inputs', seed) for seed in (1, 2, 2, 3)]
    row = '| inputs | 1 to 3 | 9 inputs | 3 read, 6 refused in one line; slowest 0.5 s, at most 3 MiB; **problems: 3** |'
    assert row in capsys.readouterr().out
    assert trust.main([*command[:2], '--inputs', '9', '--kills', '60']) == 1
    assert done[4:] == [(tool, seed) for seed in (1, 2) for tool in trust.TOOLS]
    assert len((tmp_path / 'r.jsonl').read_text().splitlines()) == 4 + 12 and json.loads(Path(command[1]).read_text().splitlines()[0])


def test_a_run_that_counts_nothing_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, 'call', lambda command, folder, env: (1, 'no module of that name'))
    assert trust.main(['--results', str(tmp_path / 'r.jsonl')]) == 1
    assert [json.loads(line)['part'] for line in (tmp_path / 'r.jsonl').read_text().splitlines()] == ['golden', 'train']
