"""Settings of memory for networks on a CPU."""

import ctypes
from contextlib import suppress

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_KEPT_BYTES = 1 << 30


def keep_large_buffers() -> bool:
    """Let malloc keep up to 1 GiB that was freed; return whether the C library allows it.

    glibc gives buffers of a network's size back to the system at each free, and takes page
    faults to get them again: a fifth of the time of small networks. For programs to call, as
    it is a setting of the whole process; before threads have memory of their own.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another libc
        return False
    settings = (
        (_ARENA_MAX, 1),
        (_MMAP_THRESHOLD, _KEPT_BYTES),
        (_TRIM_THRESHOLD, _KEPT_BYTES),
        (_TOP_PAD, _KEPT_BYTES // 8),
    )
    return all(mallopt(name, value) for name, value in settings)


def return_freed() -> None:
    """Return the memory that was freed until now to the system, where the C library can.

    For programs to call once a model is loaded: what loading took beside it is not needed again.
    """
    with suppress(AttributeError, OSError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)
