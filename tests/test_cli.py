"""What every command line shares."""

import os
import signal

import pytest

from toolkit.cli import main_guard


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
