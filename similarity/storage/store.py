"""A bounded store of what models have answered, in one file of SQLite.

It stays whole if the process is killed at any moment. Every entry has a digest. An entry that is
damaged is found when it is read, and taken out; the caller then computes it again.
"""

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from similarity.errors import ConfigError, InputError
from similarity.slices import slices
from similarity.storage.sqlite_errors import access_remedy, remedy_of
from similarity.storage.sqlite_reading import connect_reading

DEFAULT_BYTES = 2 * 2**30
# Of what an entry takes beside its value: key, digest, numbers, SQLite's own.
ENTRY_BYTES = 100
# Seconds that another process may hold the file: a write takes less than one.
_PATIENCE = 5
# Keys of one question; older builds of SQLite take 999.
_TOGETHER = 900
# An entry's time of use is written anew after so many seconds only: a question should not write.
_USE_SECONDS = 3600
# What is left after entries were taken out, so that this is not done at each write.
_KEPT_SHARE = 0.9
_VERSION = 1
_REMEDY = "delete the file by trajsim cache clear"
_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    value BLOB NOT NULL,
    digest BLOB NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (used);
PRAGMA user_version = {_VERSION};
"""
_TABLES = {"entries", "total"}
# The bytes of all entries, in one row, so that processes which write at once share one bound.
_TOTAL = "CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL)"


@dataclass(frozen=True)
class StoreInfo:
    """What a store has: by kind the number of entries and their bytes, and the bytes on disk."""

    path: Path
    kinds: Mapping[str, tuple[int, int]]
    bytes_on_disk: int
    max_bytes: int


class Store:
    """Values by key; safe to use from several threads and processes.

    Parameters
    ----------
    path
        Of the file; its folder is made where needed.
    max_bytes
        Beyond this, what was used longest ago goes.
    remedy
        What helps where it is damaged, or takes too much of the disk.
    read_only
        Nothing is written to it, so that no right to write is needed; the file must exist.

    Raises
    ------
    InputError
        If the file cannot be opened, or is no store.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int = DEFAULT_BYTES,
        remedy: str = _REMEDY,
        *,
        read_only: bool = False,
    ) -> None:
        if max_bytes < 1:
            raise ConfigError(f"a store must be allowed at least 1 byte, got {max_bytes}")
        self.path = path
        self.max_bytes = max_bytes
        self._remedy = remedy
        self._lock = Lock()
        # Earlier versions write entries and no total: each that opens the file counts once.
        self._has_counted = False
        try:
            self._database = connect_reading(path, _PATIENCE) if read_only else self._connect()
        except OSError as error:
            said = error.strerror or error
            raise InputError(f"cannot open {path}: {said}; {access_remedy(path)}") from error
        except sqlite3.Error as error:
            raise InputError(
                f"cannot open {path}: {error}; {remedy_of(error, path, remedy)}"
            ) from error
        try:
            with self._translated():
                (version,) = self._database.execute("PRAGMA user_version").fetchone()
                if version not in (0, _VERSION) or (version == 0 and self._is_foreign()):
                    raise ConfigError(
                        f"{path} was made by another version, or is no store of trajsim; {remedy}"
                    )
                if version == 0 and not read_only:
                    self._database.executescript(_SCHEMA)
                # In step with a kill; after a loss of power the last writes may be missing.
                self._database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values that are known and whole, by key.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        found: dict[bytes, bytes] = {}
        damaged: list[bytes] = []
        old: list[bytes] = []
        wanted = set(keys)
        now = int(time.time())
        with self._lock, self._translated():
            for some in slices(keys, _TOGETHER):
                marks = ",".join("?" * len(some))
                query = f"SELECT key, value, digest, used FROM entries WHERE key IN ({marks})"
                for key, value, digest, used in self._database.execute(query, some):
                    # A damaged tree of pages gives rows of other keys.
                    if key not in wanted:
                        continue
                    if not isinstance(value, bytes) or digest != _digest(key, value):
                        damaged.append(key)
                        continue
                    found[key] = value
                    if not isinstance(used, int) or used < now - _USE_SECONDS:
                        old.append(key)
            if damaged or old:
                with self._database:
                    gone = [(key,) for key in damaged]
                    self._database.executemany("DELETE FROM entries WHERE key = ?", gone)
                    self._database.executemany(
                        "UPDATE entries SET used = ? WHERE key = ?", [(now, key) for key in old]
                    )
        return found

    def put(self, kind: str, values: Mapping[bytes, bytes]) -> None:
        """Keep values of a kind, all or none; those used longest ago make room.

        Raises
        ------
        InputError
            If they cannot be written, as on a full disk; what was there stays.
        """
        if not values:
            return  # nothing to write waits for nobody
        now = int(time.time())
        rows = [(key, kind, value, _digest(key, value), now) for key, value in values.items()]
        with self._lock, self._translated(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO entries VALUES (?,?,?,?,?)", rows)
            added = sum(len(value) + ENTRY_BYTES for value in values.values())
            if self._added(added) > self.max_bytes:
                # An entry that was replaced was added twice.
                self._shrink(self.max_bytes)

    def forget(self, keys: Sequence[bytes]) -> None:
        """Delete the entries of these keys, where there are such; raises InputError as `put`."""
        with self._lock, self._translated(), self._database:
            gone = [(key,) for key in keys]
            self._database.executemany("DELETE FROM entries WHERE key = ?", gone)

    def prune(self, max_bytes: int) -> int:
        """Delete the entries used longest ago, down to a size; return how many were deleted.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        with self._lock, self._translated():
            with self._database:
                # Before it is counted: nobody may add to it until the total is written.
                self._database.execute("BEGIN IMMEDIATE")
                gone = self._shrink(max_bytes, 1.0)
            # As a script, which alone steps through all pages.
            self._database.executescript(
                "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)"
            )
        return gone

    def info(self) -> StoreInfo:
        """Return the number and size of the entries of each kind, and the size on disk.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        query = "SELECT kind, COUNT(*), SUM(LENGTH(value)) FROM entries GROUP BY kind ORDER BY kind"
        with self._lock, self._translated():
            # A file that was just made, by a process that was killed, has no tables.
            rows = self._database.execute(query).fetchall() if self._tables() else []
        kinds = {kind: (count, size) for kind, count, size in rows}
        on_disk = sum(file.stat().st_size for file in files_of(self.path))
        return StoreInfo(self.path, kinds, on_disk, self.max_bytes)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            # SQLite makes files that nobody but their owner may write to, whatever the umask.
            self.path.touch()
        return sqlite3.connect(self.path, timeout=_PATIENCE, check_same_thread=False)

    def _is_foreign(self) -> bool:
        """Return whether a database has tables that no store has."""
        return bool(self._tables() - _TABLES)

    def _tables(self) -> set[str]:
        tables = self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in tables}

    def _counted(self) -> int:
        (count, size) = self._database.execute(
            "SELECT COUNT(*), SUM(LENGTH(value)) FROM entries"
        ).fetchone()
        return int(size or 0) + int(count) * ENTRY_BYTES

    def _added(self, size: int) -> int:
        """Return the bytes of all entries after so many were added."""
        self._database.execute(_TOTAL)
        self._database.execute("UPDATE total SET bytes = bytes + ?", (size,))
        (total,) = self._database.execute("SELECT bytes FROM total").fetchone() or (None,)
        # A damaged file may have none.
        if not self._has_counted or not isinstance(total, int):
            total = self._counted()
            self._write_total(total)
            self._has_counted = True
        return total

    def _write_total(self, total: int) -> None:
        self._database.execute(_TOTAL)
        self._database.execute("DELETE FROM total")
        self._database.execute("INSERT INTO total VALUES (?)", (total,))

    def _shrink(self, max_bytes: int, kept_share: float = _KEPT_SHARE) -> int:
        total = self._counted()
        goal = int(max_bytes * kept_share) if total > max_bytes else total
        gone: list[tuple[bytes]] = []
        by_use = self._database.execute("SELECT key, LENGTH(value) FROM entries ORDER BY used, key")
        for key, size in by_use:
            if total <= goal:
                break
            gone.append((key,))
            total -= size + ENTRY_BYTES
        by_use.close()
        self._database.executemany("DELETE FROM entries WHERE key = ?", gone)
        self._write_total(total)
        return len(gone)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors of SQLite into InputError."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # Names of columns that are no UTF-8 any more are no error of SQLite's.
            remedy = remedy_of(error, self.path, self._remedy)
            raise InputError(f"cannot use {self.path}: {error}; {remedy}") from error


def files_of(path: Path) -> list[Path]:
    """Return the files that a store has on disk."""
    names = (path.name, f"{path.name}-wal", f"{path.name}-shm")
    return [file for name in names if (file := path.with_name(name)).exists()]


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(key + value, digest_size=8).digest()
