"""Whatever is killed goes on, and ends as if nothing had happened. ``make trust`` kills more often."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = 2
"""Of each tool."""


@pytest.mark.skipif(not hasattr(os, 'pidfd_open'), reason='the loop forks and waits as Linux does')
@pytest.mark.parametrize('tools', ['train render prepare', 'generate test finetune'])
def test_killed_at_any_place_a_command_goes_on_and_leaves_the_same(tools, tmp_path):
    command = [sys.executable, '-m', 'tests.trust.kill_loop', *tools.split(), '--kills', str(KILLS), '--folder',
               str(tmp_path / 'work')]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])))
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-3000:]


def test_a_fault_is_found(tmp_path):
    """A writer that is not atomic, and one that leaves files, do not pass."""
    from tests.trust.kill_loop import Case, differences, run

    def careless(again):
        with open('result.txt', 'a') as file:
            for word in 'abcdef':
                file.write(word)
                file.flush()
                open(f'{word}.tmp', 'w').close()
                os.remove(f'{word}.tmp')

    found = run(Case('careless', careless), tmp_path / 'a', 6, seed=0, show=lambda text: None)
    assert found.kills and found.problems and found.exact < found.kills
    assert differences(dict(a='1', b='2'), dict(a='3', c='4')) == ['c: missing', 'b: left over', 'a: differs']
