"""Files that nobody vouches for, read whole, by the standard library alone: the client is light."""

import stat
from os import PathLike
from pathlib import Path

# Of an image's file, if nothing else is said.
MOST_BYTES = 32 * 2**20


def file_bytes(path: str | PathLike[str], max_bytes: int) -> bytes:
    """Return what a plain file has, or its first `max_bytes` + 1 bytes where it has more.

    Raises
    ------
    OSError
        If it is not there, cannot be read, or is a folder.
    ValueError
        If it is a pipe, a socket or a device, or its path cannot be one.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder the system says so
        # To open a pipe may wait for ever, and so may to read from a device.
        raise ValueError("it is a pipe, a socket or a device; give a plain file")
    with Path(path).open("rb") as file:
        # One byte more than is allowed shows that there are too many.
        return file.read(max_bytes + 1)
