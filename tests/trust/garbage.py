"""What the tests of files of strangers share: damage to bytes and to plain data, and limits on what reading may cost."""

import atexit
import copy
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.trust.kill_loop import changed_path
from toolkit.structures import InputError, MissingWeightsError

TIMES, SEED = int(os.environ.get('TRUST_TIMES', '1')), int(os.environ.get('TRUST_SEED', '0'))
"""How many times the inputs of the suite, and which: set by :mod:`tests.trust.__main__`."""
TALLY = dict(inputs=0, read=0, refused=0, slowest=0.0, most_mib=0)
"""What came of all inputs of this process, written at its end where ``TRUST_TALLY`` says so."""
WRONG: list = []
CALLS = {'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.system', 'os.fork',
         'urllib.Request', 'webbrowser.open'}
ALLOWED = (os.path.realpath(tempfile.gettempdir()) + os.sep, '/dev/', '/proc/')
LONGEST_SECONDS, MOST_MIB, LONGEST_MESSAGE = 10, 2048, 1500
NUMBERS = (0, 1, -1, 2, 3.5, 1e308, 10**6, 10**9, 10**12, 10**400, float('nan'), float('inf'), -5, True, False)
TEXTS = ('', 'x', '.', '..', '../x', 'a/b', '\0', '\ud800', 'é' * 300, '{{ 7 * 7 }}', '<script>', 'nan', '1e9', '/etc/passwd', 'cuda')
JUNK = st.recursive(
    st.none() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(('type', 'x', 'size', 'fps')), inner, max_size=3),
    max_leaves=5)


class Hang(BaseException):
    """Reading does not end; no parser's boundary may take it for an error of the parser."""


def examples(count: int, times: int = TIMES) -> Callable:
    """So many examples times :data:`TIMES`, the same in every run with :data:`SEED`."""
    some = settings(max_examples=count * times, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    return lambda test: hypothesis.seed(SEED)(some(test))


def seeds(count: int) -> range:
    """Seeds of so many damages times :data:`TIMES`, others for each :data:`SEED`."""
    return range(SEED * count * TIMES, (SEED + 1) * count * TIMES)


def places(content, at=()) -> list[tuple]:
    """Keys of everything in nested dicts and lists, the whole too."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, (list, tuple)) else ()
    return [at, *(place for key, value in items for place in places(value, (*at, key)))]


def replaced(content, at: tuple, value):
    """A copy with another value at a place."""
    if not at:
        return value
    content = copy.copy(content) if isinstance(content, dict) else list(content)
    content[at[0]] = replaced(content[at[0]], at[1:], value)
    return content


def damaged(data: bytes, seed: int) -> bytes:
    """Bytes with one to three damages: other bytes, extreme numbers, pieces cut, doubled or exchanged, an early end."""
    draw, data = random.Random(seed), bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(max(1, len(data))), draw.choice((1, 2, 4, 8, 64))
        kind = draw.randrange(7)
        if kind < 2:
            data[at:at + 1] = bytes([draw.randrange(256)])
        elif kind == 2:
            data[at:at + 4] = draw.choice((b'\xff\xff\xff\xff', b'\0\0\0\0', b'\x7f\xff\xff\xff', b'\0\0\x7f\xff', b'\xff\xff\xff\x7f'))
        elif kind == 3:
            del data[at:at + length]
        elif kind == 4:
            data[at:at] = data[at:at + length]
        elif kind == 5:
            other = draw.randrange(max(1, len(data)))
            data[at:at + length] = data[other:other + length]
        else:
            del data[draw.randrange(len(data) // 2, len(data) + 1):]
    return bytes(data)


def read_or_refused(read: Callable, path: Path, seed: object = '', named: str | None = None):
    """What reading gives, or None where it is refused as it should be: in one line, within the limits.

    Args:
        read: called with the path.
        path: the file or folder.
        seed: told where the test fails.
        named: must be in the message.
    """
    with limits(f'{path.name}, seed {seed}'), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        TALLY['inputs'] += 1
        try:
            content = read(path)
            TALLY['read'] += 1
            return content
        except (InputError, MissingWeightsError) as error:
            text = str(error)
            assert '\n' not in text and len(text) < LONGEST_MESSAGE, f'seed {seed}: {text[:LONGEST_MESSAGE]}'
            text.encode()
            assert named is None or named in text, f'seed {seed}: {text}'
            TALLY['refused'] += 1
            return None
        except Exception as error:
            raise AssertionError(f'{path.name}, seed {seed}: a traceback, {type(error).__name__}: {error}') from error


@contextmanager
def limits(what: str):
    """Fail where the work inside hangs, takes more than :data:`LONGEST_SECONDS` of a core or :data:`MOST_MIB` of memory, changes a file
    outside of the folder for temporary files, opens a connection or starts a program."""

    def hangs(*args):
        raise Hang(f'{what}: hangs')

    before, start, older = _memory('VmRSS'), time.process_time(), signal.signal(signal.SIGALRM, hangs)
    _forget_peak()
    WRONG[:] = [True]
    signal.setitimer(signal.ITIMER_REAL, 20 * LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, older)
        wrong, WRONG[:] = WRONG[1:], []
    seconds, memory = time.process_time() - start, _memory('VmHWM') - before
    TALLY.update(slowest=max(TALLY['slowest'], round(seconds, 2)), most_mib=max(TALLY['most_mib'], memory))
    assert not wrong, f'{what}: {wrong}'
    assert seconds < LONGEST_SECONDS, f'{what}: took {seconds:.1f} s'
    assert memory < MOST_MIB, f'{what}: took {memory} MiB'


def _see(event: str, args: tuple) -> None:
    """Note in :data:`WRONG` what may not happen while a file of a stranger is read; else it is empty, and nothing is noted."""
    if WRONG:
        path = changed_path(event, args)
        if event in CALLS or path and not path.startswith(ALLOWED) and '__pycache__' not in path:
            WRONG.append(f'{event} {str(args)[:200]}')


sys.addaudithook(_see)


def _memory(key: str) -> int:
    file = Path('/proc/self/status')
    return next(int(line.split()[1]) >> 10 for line in file.read_text().splitlines() if line.startswith(key)) if file.exists() else 0


def _forget_peak() -> None:
    file = Path('/proc/self/clear_refs')
    if os.access(file, os.W_OK):
        file.write_text('5')


def snapshot(folder: Path) -> dict[str, str]:
    """Path -> what is there, of all in a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else os.readlink(path)
            if path.is_symlink() else '' for path in sorted(folder.rglob('*'))}


@atexit.register
def _tell() -> None:
    if path := os.environ.get('TRUST_TALLY'):
        Path(path).write_text(json.dumps(TALLY))
