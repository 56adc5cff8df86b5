"""The memory that is free, and matrices of all pairs that need more: refused before any work."""

import math
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from similarity.errors import InputError

# Bytes for each pair, at least. Of a matrix, its similarities and its distances in float64.
MATRIX_PAIR = 16
# What is held beside them for the same as JSON, and while trajectories of pairs are compared.
JSON_PAIR, TRAJECTORIES_PAIR = 64, 64
# What `cluster` and `deduplicate` hold beside the similarities.
CLUSTER_PAIR, DEDUPLICATE_PAIR = 16, 11
# What is said of matrices, unless something else helps.
BY_PARTS = "write them part by part, by trajsim matrix with --above, --nearest or a .npy file"
# Less than this is tried, whatever the system says is free.
_ALWAYS_TRIED = 2**26
_PROCESS, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# Of both versions of control groups: the most that is allowed, what is used, and what of that are
# pages of files, which the kernel gives up.
_FILES_OF_GROUPS = (
    ("memory.max", "memory.current", ("inactive_file", "active_file")),
    (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)


def check_all_pairs(rows: int, columns: int, bytes_a_pair: int, remedy: str = BY_PARTS) -> None:
    """Refuse a matrix of all pairs of texts that needs more memory than is free.

    Parameters
    ----------
    bytes_a_pair
        What is held for each pair at least: a matrix that fits is never refused.
    remedy
        What to do, beside giving fewer texts; "" for nothing.

    Raises
    ------
    InputError
        Saying how much it needs, how much is free, and what fits.
    """
    needed = rows * columns * bytes_a_pair
    if needed <= _ALWAYS_TRIED or (free := free_bytes()) is None or needed <= free:
        return
    fit = math.isqrt(free // bytes_a_pair)
    raise InputError(
        f"all pairs of {rows:,} × {columns:,} texts need {_size(needed)} of memory, and "
        f"{_size(free)} are free; {remedy}{', or ' if remedy else ''}give fewer texts: "
        f"{fit:,} × {fit:,} may fit"
    )


def free_bytes() -> int | None:
    """Return the bytes that this process can still take, or None where no limit is known.

    It is the least of what the machine has, swap included, and of what the limit of addresses
    (RLIMIT_AS) and those of the control groups leave.
    """
    return min((max(0, room) for room in _rooms()), default=None)


def _rooms() -> Iterator[int]:
    """Yield how many bytes each limit leaves; one that cannot be read is none."""
    with suppress(OSError, KeyError, ValueError):
        machine = _numbers(_PROCESS / "meminfo")
        yield 1024 * (machine["MemAvailable:"] + machine.get("SwapFree:", 0))
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY:
        with suppress(OSError, ValueError):
            pages = int((_PROCESS / "self" / "statm").read_text().split()[0])
            yield most - pages * resource.getpagesize()
    for folder in _groups():
        for limit, used, cached in _FILES_OF_GROUPS:
            with suppress(OSError, ValueError):  # "max" is no number
                most = int((folder / limit).read_text())
                pages_of_files = _numbers(folder / "memory.stat")
                kept = sum(pages_of_files.get(name, 0) for name in cached)
                yield most - int((folder / used).read_text()) + kept


def _groups() -> Iterator[Path]:
    """Yield the folders of the control groups of this process, with all those that they are in."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (_PROCESS / "self" / "cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        mount = _GROUPS / controllers
        inside = mount / path.lstrip("/")
        yield inside
        yield from (folder for folder in inside.parents if folder.is_relative_to(mount))


def _numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number on each line."""
    fields = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in fields}


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"
