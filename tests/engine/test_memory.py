"""Memory that is kept for a while."""

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
