"""The folder where this user's machine keeps results that are computed once and used again."""

import errno
import os
from pathlib import Path

import platformdirs

# Names the folder in place of the system's own.
VARIABLE = "TRAJSIM_CACHE"


def cache_folder(name: str) -> Path:
    """Return the folder of one kind of thing, such as "models"; it need not exist yet.

    It lies in the folder that TRAJSIM_CACHE names, else in the system's for caches of this user.
    """
    return _base() / name


def access_remedy(error: OSError) -> str:
    """Return the end of a message that says what to do where the folder is another user's."""
    denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    if not denied or not isinstance(error.filename, str):
        return ""
    if not Path(error.filename).is_relative_to(_base()):
        return ""
    return f"; set {VARIABLE} to a folder that this user may read and write"


def _base() -> Path:
    given = os.environ.get(VARIABLE)
    return Path(given) if given else platformdirs.user_cache_path("trajsim", appauthor=False)
