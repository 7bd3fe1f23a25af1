"""What the tests of files of strangers share: damage to bytes and to plain data, and limits on what reading may cost."""

import copy
import hashlib
import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from toolkit.structures import InputError, MissingWeightsError

MANY = max(1, int(os.environ.get('TRUST_EXAMPLES', '0')) // 600)
"""How many times more examples than the 680 of the suite: ``TRUST_EXAMPLES`` says about how many in all."""
LONGEST_SECONDS, MOST_MIB, LONGEST_MESSAGE = 10, 2048, 1500
NUMBERS = (0, 1, -1, 2, 3.5, 1e308, 10**6, 10**9, 10**12, 10**400, float('nan'), float('inf'), -5, True, False)
TEXTS = ('', 'x', '.', '..', '../x', 'a/b', '\0', '\ud800', 'é' * 300, '{{ 7 * 7 }}', '<script>', 'nan', '1e9', '/etc/passwd', 'cuda')
JUNK = st.recursive(
    st.none() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(('type', 'x', 'size', 'fps')), inner, max_size=3),
    max_leaves=5)


def examples(count: int) -> settings:
    """So many examples, the same in every run, times :data:`MANY`."""
    return settings(max_examples=count * MANY, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def seeds(count: int) -> range:
    """Seeds of so many damages, times :data:`MANY`."""
    return range(count * MANY)


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
        try:
            return read(path)
        except (InputError, MissingWeightsError) as error:
            text = str(error)
            assert '\n' not in text and len(text) < LONGEST_MESSAGE, f'seed {seed}: {text[:LONGEST_MESSAGE]}'
            text.encode()
            assert named is None or named in text, f'seed {seed}: {text}'
            return None
        except Exception as error:
            raise AssertionError(f'{path.name}, seed {seed}: a traceback, {type(error).__name__}: {error}') from error


@contextmanager
def limits(what: str):
    """Fail where the work inside hangs, or takes more than :data:`LONGEST_SECONDS` of a core or :data:`MOST_MIB` of memory."""

    def hangs(*args):
        raise AssertionError(f'{what}: hangs')

    before, start, older = _memory('VmRSS'), time.process_time(), signal.signal(signal.SIGALRM, hangs)
    _forget_peak()
    signal.alarm(20 * LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, older)
    assert time.process_time() - start < LONGEST_SECONDS, f'{what}: took {time.process_time() - start:.1f} s'
    assert _memory('VmHWM') - before < MOST_MIB, f'{what}: took {_memory("VmHWM") - before} MiB'


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
