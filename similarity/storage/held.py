"""Files that one process alone appends to, until it closes them or dies."""

import fcntl
import os
import stat
from contextlib import suppress
from io import FileIO
from pathlib import Path

from similarity.errors import InputError
from similarity.storage.files import is_at

# What helps where another process is writing.
_WAIT = "wait for it, or write to another place"
# How often a folder is made anew that other processes delete.
_TRIES = 100


def made_and_held(path: Path) -> tuple[FileIO, bool]:
    """Open a file as `open_held` does, and make its folder where needed; raises as that."""
    for _ in range(_TRIES):
        # A process that is done with the folder may delete it as soon as it is made.
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return open_held(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_held(path)


def _made(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o666)


def _is_special(path: Path) -> bool:
    """Return whether a path leads to a pipe, a socket or a device."""
    try:
        # Of one look: another process may delete the file at any moment.
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_held(path: Path, remedy: str = _WAIT) -> tuple[FileIO, bool]:
    """Open a file to append, for this process alone until it is closed; make it where needed.

    Parameters
    ----------
    remedy
        What helps where another process holds it.

    Returns
    -------
    tuple
        The file, and whether it was made here.

    Raises
    ------
    InputError
        If another process holds it, or it is a pipe, a socket or a device.
    OSError
        If it cannot be opened.
    """
    while True:
        try:
            file, is_new = FileIO(path, "ab", opener=_made), True
        except FileExistsError:
            # To open a pipe would wait for its reader.
            if _is_special(path):
                raise InputError(
                    f"{path} is no plain file; move it away, or write to another place"
                ) from None
            file, is_new = FileIO(path, "ab"), False
        try:
            # Held by the open file, so the system frees it however the process ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have deleted it before this one held it.
            if is_at(file.fileno(), path):
                return file, is_new
        except BlockingIOError as error:
            file.close()
            raise InputError(f"another process is writing {path}; {remedy}") from error
        except BaseException:
            file.close()
            raise
        file.close()
