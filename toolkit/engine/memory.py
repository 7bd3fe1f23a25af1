"""How the C library treats memory that was freed."""

import ctypes

M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD = -4, -1, -2
KEPT, PAD = 2**31 - 1, 2**26


def keep_memory() -> bool:
    """Let the C library keep memory that was freed, and not give it back to the system after each step to ask for it again.

    Asking costs a fault for every page: a fifth of the time of a step of the papers' generator on a CPU. Only glibc knows how.

    Returns:
        Whether it did.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(option, value) for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, PAD)))
