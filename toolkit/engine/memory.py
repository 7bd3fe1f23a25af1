"""How the C library treats memory that was freed."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
KEEP = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 2**26}
GIVE_BACK = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26, M_TOP_PAD: 2**17}
"""Where the C library ends up by itself in a program that frees large arrays."""
_kept = False


def keep_memory(keep: bool = True) -> bool:
    """Let the C library keep memory that was freed, and not give it back to the system after each step to ask for it again.

    Asking costs a fault for every page: a fifth of the time of a step of the papers' generator on a CPU. Only glibc knows how.

    Args:
        keep: False lets it give memory back again.

    Returns:
        Whether it did.
    """
    global _kept
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    _kept = keep
    return all(mallopt(option, value) for option, value in (KEEP if keep else GIVE_BACK).items())


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep memory as :func:`keep_memory` does, as long as this lasts; then what was kept goes back."""
    if _kept or not keep_memory():
        yield
        return
    try:
        yield
    finally:
        keep_memory(False)
        return_memory()


def return_memory() -> None:
    """Give memory that was freed back to the system, where the C library can, so that what a process holds is what it uses."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
