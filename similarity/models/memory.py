"""Settings of memory for networks on a CPU, and how errors show that memory or threads are out."""

import ctypes
import re
from contextlib import suppress

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_KEPT_BYTES = 1 << 30
# What errors of torch, of its allocators and of cuBLAS, cuDNN and oneDNN say where memory is out.
# Of a primitive's descriptor oneDNN says so where it has no such primitive.
_OUT_OF_MEMORY = re.compile(
    "out of memory|can(no|')t allocate memory|not enough memory|status_alloc_failed"
    "|could not create a (primitive(?! descriptor)|memory object)",
    re.IGNORECASE,
)
# What CPython and the standard library of C++ say where the system starts no thread.
_OUT_OF_THREADS = re.compile(
    "can't start new thread|resource temporarily unavailable", re.IGNORECASE
)


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


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory was out: a processor's or a GPU's."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def is_out_of_threads(error: BaseException) -> bool:
    """Return whether an error says that the system starts no more threads for this process."""
    return isinstance(error, RuntimeError) and bool(_OUT_OF_THREADS.search(str(error)))
