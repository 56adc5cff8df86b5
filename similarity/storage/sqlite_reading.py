"""Opens a database of SQLite for looking at it, where this user may not write."""

import os
import sqlite3
from pathlib import Path

from similarity.storage.sqlite_errors import is_denied


def connect_reading(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection that needs no right to write; nothing must be written to it.

    Parameters
    ----------
    path
        Of a file that is there.
    patience
        Seconds that another process may hold the file.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        # SQLite then takes away the files that it makes beside this one.
        return sqlite3.connect(path, timeout=patience, check_same_thread=False)
    try:
        return _opened(path, "mode=ro", patience)
    except sqlite3.Error as error:
        if not is_denied(error):
            raise
    # Without the files that writers have beside it. There are none where all is written.
    return _opened(path, "mode=ro&immutable=1", patience)


def _opened(path: Path, options: str, patience: float) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{options}"
    database = sqlite3.connect(address, timeout=patience, check_same_thread=False, uri=True)
    try:
        # Only what is read shows whether it can be.
        database.execute("PRAGMA user_version").fetchone()
    except BaseException:
        database.close()
        raise
    return database
