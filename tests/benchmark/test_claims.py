"""Claims: one owner, taken over from the dead, never from the living."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from toolkit.benchmark.claims import Claim


def test_one_of_many_takes_it_and_gives_it_back(tmp_path):
    claims = [Claim(tmp_path / 'unit') for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda claim: claim.take(), claims))
    assert sum(taken) == 1
    owner = claims[taken.index(True)]
    assert owner.owned() and not any(claim.owned() for claim in claims if claim is not owner)
    owner.release()
    assert [p.name for p in (tmp_path / 'unit').iterdir()] == []
    assert claims[0].take() or claims[1].take()


@pytest.fixture
def ghost():
    """Number of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, '-c', ''])
    process.wait()
    return process.pid


def left_behind(folder, old=0, **content):
    """A claim of somebody else."""
    claim = Claim(folder)
    assert claim._create()
    claim.path.write_text(json.dumps(json.loads(claim.path.read_text()) | content))
    os.utime(claim.path, (claim.path.stat().st_atime, claim.path.stat().st_mtime - old))
    return claim


def test_a_claim_of_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path, ghost):
    left_behind(tmp_path, pid=ghost)
    claim = Claim(tmp_path)
    assert claim.take() and claim.owned() and claim.deaths == 1
    claim.path.write_text(json.dumps(json.loads(claim.path.read_text()) | dict(pid=ghost)))
    second = Claim(tmp_path)
    assert second.take() and second.deaths == 2


@pytest.mark.parametrize('old, taken', [(0, False), (30, False), (90, True)])
def test_a_claim_of_another_machine_is_taken_over_without_a_heartbeat(tmp_path, old, taken, ghost):
    left_behind(tmp_path, old, host='elsewhere', pid=ghost)
    claim = Claim(tmp_path)
    assert claim.take() is taken and claim.owned() is taken


def test_a_living_process_of_this_machine_keeps_its_claim_without_a_heartbeat(tmp_path):
    """It may have been stopped, or the machine was asleep."""
    left_behind(tmp_path, 90)
    assert not Claim(tmp_path).take()


def test_another_process_with_the_number_of_a_dead_one_does_not_keep_its_claim(tmp_path):
    left_behind(tmp_path, started=1)
    claim = Claim(tmp_path)
    assert claim.take() and claim.deaths == 1


def test_a_living_process_keeps_its_claim_as_long_as_its_heart_beats(tmp_path):
    claim = Claim(tmp_path, stale=0.4)
    assert claim.take()
    os.utime(claim.path, (0, 0))
    beat = next(beat for _ in range(100) if (beat := claim._stop.wait(0.05) or claim.path.stat().st_mtime) > 1)
    assert beat > 1
    claim.release()
    assert not claim.path.exists()


def test_processes_of_another_container_with_the_name_of_this_machine_are_not_taken_for_dead(tmp_path, ghost, monkeypatch):
    """Their numbers mean nothing here; a heartbeat does."""
    left_behind(tmp_path, pid=ghost)
    monkeypatch.setattr(os, 'readlink', lambda path: 'pid:[4026532999]')
    assert not Claim(tmp_path).take()
    os.utime(tmp_path / 'claim', (0, 0))
    assert Claim(tmp_path).take()


def test_what_was_renewed_in_the_last_moment_is_put_back(tmp_path, ghost, monkeypatch):
    left_behind(tmp_path, 90, host='elsewhere', pid=ghost)
    slow, fast = Claim(tmp_path), Claim(tmp_path)
    real = os.rename

    def overtaken(source, target):
        monkeypatch.setattr(os, 'rename', real)
        assert fast.take()
        return real(source, target)

    monkeypatch.setattr(os, 'rename', overtaken)
    assert not slow.take()
    assert fast.owned()


def test_who_was_taken_over_notices(tmp_path):
    claim = Claim(tmp_path)
    assert claim.take()
    claim.path.write_text(json.dumps(dict(token='another')))
    assert not claim.owned()
    claim.release()
    assert claim.path.exists()
