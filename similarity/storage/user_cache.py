"""The folder where this user's machine keeps results that are computed once and used again."""

import errno
import os
from pathlib import Path

import platformdirs

# Names the folder in place of the system's own.
VARIABLE = "TRAJSIM_CACHE"
_OWN_FOLDER = f"set {VARIABLE} to a folder that this user may read and write"


def cache_folder(name: str) -> Path:
    """Return the folder of one kind of thing, such as "models"; it need not exist yet.

    It lies in the folder that TRAJSIM_CACHE names, else in the system's for caches of this user.
    """
    return _base() / name


def access_remedy(error: OSError) -> str:
    """Return the end of a message that says what to do where the folder is another user's."""
    denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return f"; {_OWN_FOLDER}" if denied and _is_in_cache(error) else ""


def reading_remedy(error: OSError) -> str:
    """Return the end of a message that says what to do where a file is there and not readable."""
    elsewhere = f", or {_OWN_FOLDER}" if _is_in_cache(error) else ""
    return f"; let this user read it{elsewhere}"


def _is_in_cache(error: OSError) -> bool:
    name = error.filename
    return isinstance(name, str | Path) and Path(name).is_relative_to(_base())


def _base() -> Path:
    given = os.environ.get(VARIABLE)
    return Path(given) if given else platformdirs.user_cache_path("trajsim", appauthor=False)
