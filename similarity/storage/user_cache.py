"""The folder where this user's machine keeps results that are computed once and used again."""

import os
from pathlib import Path

import platformdirs

# Names the folder in place of the system's own.
VARIABLE = "TRAJSIM_CACHE"


def cache_folder(name: str) -> Path:
    """Return the folder of one kind of thing, such as "models"; it need not exist yet.

    It lies in the folder that TRAJSIM_CACHE names, else in the system's for caches of this user.
    """
    given = os.environ.get(VARIABLE)
    base = Path(given) if given else platformdirs.user_cache_path("trajsim", appauthor=False)
    return base / name
