"""How far long work is: to bars, to nobody, or to whoever asks."""

import time

import pytest

from toolkit import apis
from toolkit.progress import Bars, Progress, progress_of
from toolkit.structures import InputError


class Heard(Progress):
    """Remembers."""

    def __init__(self):
        self.steps, self.lines = [], []

    def step(self, stage, done, total):
        self.steps.append((stage, done, total))

    def say(self, line):
        self.lines.append(line)


def test_what_progress_means(capsys):
    heard = Heard()
    assert progress_of(heard) is heard and isinstance(progress_of(True), Bars) and type(progress_of(False)) is Progress
    bars = progress_of(True, label='me ')
    for done in range(3):
        bars.step('poses', done + 1, 3)
    bars.say('hello')
    bars.close()
    said = ''.join(capsys.readouterr())
    assert 'me poses' in said and '3/3' in said and 'hello' in said
    progress_of(False).step('poses', 1, 3)
    progress_of(False).say('hello')
    assert ''.join(capsys.readouterr()) == ''


def test_a_bar_in_a_log_file_is_not_written_at_each_step(tmp_path, monkeypatch):
    """A log of 2,500 iterations had a quarter of a megabyte of bars. What is written last is how it ended."""
    with open(tmp_path / 'log', 'w') as log:
        monkeypatch.setattr('sys.stderr', log)
        bars = Bars(label='me ')
        for done in range(60):
            time.sleep(0.01)
            bars.step('poses', done + 1, 60)
        bars.close()
    written = (tmp_path / 'log').read_text().split('\r')
    assert len(written) < 5 and 'me poses: 100%' in written[-1] and written[-1].endswith('\n')


def test_what_is_said_names_the_command_that_was_given(capsys, monkeypatch):
    monkeypatch.setattr('sys.argv', ['hvt generate'])
    Bars().say('prepare it with --person NAME of tools/prepare_data.py')
    assert 'NAME of hvt prepare\n' in ''.join(capsys.readouterr())


def test_a_folder_that_is_named_like_a_number_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('2024', '1e5', 'None'):
        with pytest.raises(InputError, match=f'^{name}: no prepared clips, and no video is given'):
            apis.finetune([], tmp_path / 'run', data=name)


def test_fine_tuning_without_videos_needs_clips(tmp_path):
    with pytest.raises(InputError, match='no prepared clips, and no video is given'):
        apis.finetune([], tmp_path / 'run', data=tmp_path / 'data')
    assert not list(tmp_path.iterdir())
