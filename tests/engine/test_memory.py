"""Memory that is kept for a while."""

import subprocess
import sys

import pytest

from toolkit.engine import memory
from toolkit.engine.memory import keep_memory, memory_kept


@pytest.mark.parametrize('before', [False, True])
def test_memory_is_kept_as_long_as_asked_and_no_shorter_than_before(before, monkeypatch):
    if not keep_memory(before):
        pytest.skip('needs the C library glibc')
    returned = []
    monkeypatch.setattr(memory, 'return_memory', lambda: returned.append(memory._kept))
    try:
        with pytest.raises(KeyError), memory_kept():
            assert memory._kept and not returned
            raise KeyError
        assert memory._kept is before and returned == ([] if before else [False])
    finally:
        keep_memory(False)


KEEPS = """
import ctypes, sys
from toolkit.engine.memory import keep_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
keep_memory()
place = libc.malloc(int(2.5 * 2**30))
end = libc.sbrk(0)
libc.free(place)
sys.exit(libc.sbrk(0) != end)
"""


@pytest.mark.skipif(not keep_memory(False), reason='needs the C library glibc')
def test_more_than_two_gigabytes_that_were_freed_are_kept_too():
    """What the C library has at its end, untouched here; it once gave all of that back when it was more."""
    assert subprocess.run([sys.executable, '-c', KEEPS], check=False).returncode == 0
