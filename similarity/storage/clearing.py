"""Deletes a store, unless another process has it open."""

import sqlite3
from contextlib import closing
from pathlib import Path

from similarity.errors import InputError
from similarity.storage.sqlite_errors import IN_USE, is_held
from similarity.storage.store import files_of

# Seconds that another process may hold the file, as one that is just ending.
_PATIENCE = 1


def delete_store(path: Path) -> int:
    """Delete the files of a store, also of a damaged one; return their bytes.

    Raises
    ------
    InputError
        If another process has it open, or it cannot be deleted.
    """
    if not (files := files_of(path)):
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE)) as database:
            _hold(database)
            size = sum(file.stat().st_size for file in files if file.exists())
            for file in files:
                file.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        why = IN_USE if is_held(error) else getattr(error, "strerror", None) or error
        raise InputError(f"cannot delete {path}: {why}") from error
    return size


def _hold(database: sqlite3.Connection) -> None:
    """Hold a database for this process alone; one that is damaged needs no holding."""
    try:
        # Nobody else may have it open for this. It also leaves no file that SQLite deletes later
        # by its name, which by then may be another process's.
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        if is_held(error):
            raise
