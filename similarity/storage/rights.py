"""Who may read and write a file."""

import os
import stat
from pathlib import Path


def set_mode(file: Path, mode: int) -> None:
    """Set the rights of a file, unless it has them; some filesystems have none to set."""
    if stat.S_IMODE(file.stat().st_mode) != stat.S_IMODE(mode):
        file.chmod(stat.S_IMODE(mode))


def give_rights(new: Path, there: os.stat_result) -> None:
    """Give a file the rights of another, and its owner and group where the system allows that."""
    made, mode = new.stat(), there.st_mode
    if (there.st_uid, there.st_gid) != (made.st_uid, made.st_gid):
        try:
            os.chown(new, there.st_uid, there.st_gid)
        except PermissionError:  # what its group may do is not for another group
            mode &= ~stat.S_IRWXG
    set_mode(new, mode)
