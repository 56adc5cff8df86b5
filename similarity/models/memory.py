"""Settings of memory for networks on a CPU, and how an error shows that memory is out."""

import ctypes
from contextlib import suppress

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_KEPT_BYTES = 1 << 30
# What errors of torch, of its allocators and of cuBLAS and cuDNN say where memory is out.
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "status_alloc_failed",
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
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)
