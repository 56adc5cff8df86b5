"""The most memory that was held while something ran: of this process, or of its GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_PROCESS = Path("/proc/self")
# Written to `clear_refs` it makes the kernel count the peak anew.
_RESET = "5"


@dataclass
class Peak:
    """In MiB; 0 until the work is over, and where the system does not tell."""

    mebibytes: float = 0.0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Give the peak of what is done inside; it is there afterwards."""
    peak = Peak()
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    elif (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text(_RESET, encoding="ascii")
    yield peak
    if on_gpu:
        peak.mebibytes = torch.cuda.max_memory_allocated() / 2**20
    elif (_PROCESS / "status").exists():
        peak.mebibytes = _high_water_mark()


def _high_water_mark() -> float:
    lines = (_PROCESS / "status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
