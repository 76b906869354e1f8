"""Memory allocation of the C library, tuned for the large short-lived buffers of a step."""

import ctypes
import os
import sys

OFF_SWITCH = "MLIP_CORE_KEEP_ALLOCATOR"

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE = 1 << 30
_TOP_PAD = 64 << 20


def tune_allocator() -> bool:
    """Keep freed memory for the next step instead of handing it back to the system.

    Every buffer above 128 kB is by default mapped afresh and its pages faulted in, at each step of
    a training. Call it before the first large allocation. It changes no result.

    Returns:
        Whether the settings were applied: not where the C library is not glibc, nor where the
        environment variable ``MLIP_CORE_KEEP_ALLOCATOR`` is set.
    """
    if sys.platform != "linux" or os.environ.get(OFF_SWITCH):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = (
        (_M_MMAP_THRESHOLD, _LARGE),
        (_M_TRIM_THRESHOLD, _LARGE),
        (_M_TOP_PAD, _TOP_PAD),
        (_M_ARENA_MAX, 1),
    )
    return all(mallopt(name, value) == 1 for name, value in settings)
