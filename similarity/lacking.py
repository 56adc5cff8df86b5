"""How errors show that memory or threads are out, whatever library raises them."""

import re

# What errors of torch, of its allocators, of cuBLAS, cuDNN and oneDNN say where memory is out, and
# of the system where it has none for a library. Of a primitive's descriptor oneDNN says so where
# it has no such primitive.
_OUT_OF_MEMORY = re.compile(
    "out of memory|can(no|')t allocate memory|not enough memory|status_alloc_failed"
    "|failed to map segment from shared object"
    "|could not create a (primitive(?! descriptor)|memory object)",
    re.IGNORECASE,
)
# What CPython and the standard library of C++ say where the system starts no thread.
_OUT_OF_THREADS = re.compile(
    "can't start new thread|resource temporarily unavailable", re.IGNORECASE
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory was out: a processor's or a GPU's."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def is_out_of_threads(error: BaseException) -> bool:
    """Return whether an error says that the system starts no more threads for this process."""
    return isinstance(error, RuntimeError) and bool(_OUT_OF_THREADS.search(str(error)))


def raise_lacking(error: Exception) -> None:
    """Raise what says that memory or threads are out, in place of a library's own error of that.

    Raises
    ------
    MemoryError, RuntimeError
        If memory is out, or threads are. Else nothing is done.
    """
    if is_out_of_memory(error):
        raise MemoryError(str(error)) from error
    # Of a file or a connection, the system says the same of something else.
    if not isinstance(error, OSError) and _OUT_OF_THREADS.search(str(error)):
        raise RuntimeError(str(error)) from error
