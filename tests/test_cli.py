"""What every command line shares."""

import os
import select
import signal
import subprocess
import sys

import pytest

from toolkit.cli import _is_left, main_guard, part_config


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_wish_to_stop_ends_a_tool_with_one_line(number, capsys, monkeypatch):
    cleaned = []

    @main_guard
    def main():
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            cleaned.append(number)

    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as end:
            main()
        assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler), 'as it was before'
    finally:
        signal.signal(number, before)
    assert end.value.code == 130 and cleaned == [number] and capsys.readouterr().err == 'interrupted\n'


def test_a_name_that_cannot_be_shown_does_not_end_a_tool(capsys):
    """Of a file from another system, or in a terminal of few letters."""
    @main_guard
    def main():
        print('written to me\udcff.mp4')

    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0 and capsys.readouterr().out == 'written to me\\udcff.mp4\n'


def test_nohup_is_respected():
    @main_guard
    def main():
        os.kill(os.getpid(), signal.SIGHUP)
        return 3

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert end.value.code == 3


GUARDED = 'import os\nfrom toolkit.cli import main_guard\n@main_guard\ndef main():\n'


def test_a_tool_whose_output_nobody_reads_any_more_ends_quietly():
    code = GUARDED + '    for number in range(10**6):\n        print(number)\nmain()'
    tool = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tool.stdout.close()
    assert tool.stderr.read() == '' and tool.wait(60) == 0


def test_that_nobody_reads_any_more_is_seen_where_a_system_tells_only_who_asks(monkeypatch, tmp_path):
    """As macOS, whose poll looks at nothing where no event is asked for."""
    class Poll:
        def register(self, number, asked):
            self.told = [(number, select.POLLHUP)] if asked & select.POLLOUT else []

        def poll(self, timeout):
            return self.told

    monkeypatch.setattr(select, 'poll', Poll)
    with open(tmp_path / 'stream', 'w') as stream:
        assert _is_left(stream)


def test_a_pipe_that_breaks_elsewhere_is_an_error():
    """As of a process that died while it was started: the work was not done."""
    code = GUARDED + '    read, write = os.pipe()\n    os.close(read)\n    os.write(write, b"work")\nmain()'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and 'BrokenPipeError' in done.stderr


def test_options_of_a_part_are_read_as_those_of_a_config():
    assert part_config(['A', 'thin=false', 'tracking=True', 'device=none', 'sigma=1.5', 'path=my files/a.json', 'det=']) == dict(
        type='A', thin=False, tracking=True, device=None, sigma=1.5, path='my files/a.json', det='')
