"""Memory of a training on a CPU: kept from one step to the next."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of mallopt(3)
MOST = 2**31 - 1


def keep_memory() -> bool:
    """Let the C library keep what a step frees for the next one. Gives whether it could: glibc can.

    By default large tensors go back to the kernel as soon as they are freed, and come again as pages that it has to clear and hand over one by one: of a
    step of WaveRNN a quarter of the time. What the process holds stays at its peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return bool(mallopt(MMAP_MAX, 0) and mallopt(TRIM_THRESHOLD, MOST))
