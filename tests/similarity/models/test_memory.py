import subprocess
import sys

import pytest

from similarity.models.failures import one_line

PROGRAM = """
import ctypes, resource, sys
from similarity.models.memory import keep_large_buffers
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
if sys.argv[1] == "keep":
    assert keep_large_buffers()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def use():
    buffer = libc.malloc(64 << 20)
    ctypes.memset(buffer, 1, 64 << 20)
    libc.free(buffer)
use()
before = faults()
for _ in range(5):
    use()
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="is about glibc's malloc")
def test_a_large_buffer_is_taken_from_the_system_once() -> None:
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how], capture_output=True, check=True, text=True
            ).stdout
        )
        for how in ("keep", "give back")
    }
    assert faults["keep"] < faults["give back"] / 10


HELD = """
import ctypes
from similarity.models.memory import keep_large_buffers, return_freed
assert keep_large_buffers()
def held():
    return int(open("/proc/self/statm").read().split()[1])
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
first = libc.malloc(64 << 20)
ctypes.memset(first, 1, 64 << 20)
libc.free(first)
before = held()
return_freed()
print((before - held()) * 4096 >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="is about glibc's malloc")
def test_what_was_freed_is_returned_when_a_program_says_so() -> None:
    said = subprocess.run([sys.executable, "-c", HELD], capture_output=True, check=True, text=True)
    assert int(said.stdout) >= 60


def test_files_are_not_called_damaged_where_memory_is_out() -> None:
    said = "unable to mmap 538090408 bytes from file <a>: Cannot allocate memory (12)"
    refused = pytest.raises(MemoryError, match="too little to load a/model: unable to mmap")
    with refused, one_line("a/model"):
        raise RuntimeError(said)


def test_files_are_not_called_damaged_where_threads_are_out() -> None:
    with pytest.raises(RuntimeError, match="^can't start new thread$"), one_line("a/model"):
        raise RuntimeError("can't start new thread")
