"""Whatever is killed goes on, and ends as if nothing had happened. ``make trust`` kills more often."""

import json
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


@pytest.mark.skipif(not hasattr(os, 'pidfd_open'), reason='the loop forks and waits as Linux does')
@pytest.mark.parametrize('replace', [False, True])
def test_a_clip_that_is_killed_at_each_change_of_a_file_goes_on(replace, tmp_path):
    """In a process of its own: this one may have threads, and a fork of it could hang."""
    code = f'from tests.trust.test_kills import kill_writing; kill_writing({str(tmp_path)!r}, {replace})'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def kill_writing(folder, replace):
    import numpy as np

    from tests.trust.kill_loop import Case, run
    from toolkit.clips.clip import ClipWriter
    from toolkit.clips.folder import clip_lock, tidy_finished
    from toolkit.files import write_json
    place, gray = Path('clips', 'a'), np.zeros((8, 8), np.uint8)

    def write(value=1):
        with clip_lock(place):
            writer = ClipWriter(place, 'a', 'p', 'walk', 8, 8, 10, key=value, overwrite=replace)
            for _ in range(writer.num_frames, 2):
                writer.add(np.full((8, 8, 3), value, np.uint8), np.zeros((18, 3)), gray / 255, gray / 255, gray)
            writer.finish(truth=value)

    def work(again):
        tidy_finished(place)
        done = (place / 'manifest.json').exists() and json.loads((place / 'manifest.json').read_text())['truth'] == 1
        if not done:
            write()
        write_json('clips/report.json', dict(a=1))

    def older(folder):
        (folder / 'clips').mkdir()
        if replace:
            here = Path.cwd()
            os.chdir(folder)
            write(2)
            os.chdir(here)

    found = run(Case('clip', work, older), Path(folder) / 'work', 0, seed=0, every=True)
    assert not found.problems and found.kills == found.rounds == found.exact > 30


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
