"""A file of entries that outlives the process that writes it, killed at any moment."""

import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Self

from similarity.digests import digest
from similarity.errors import ConfigError, InputError
from similarity.storage.differences import differences
from similarity.storage.files import cannot_write, writing
from similarity.storage.held import made_and_held

# The name of an entry's checksum in its line.
_CHECKSUM = "checksum"

# How many differences between two headers a message shows.
_SHOWN = 4


class Journal:
    """Entries appended one by one, each on disk before `append` returns.

    The first line is a header: all that the entries are made with and from. One process writes
    at a time. A writer that dies leaves one torn line at most, which the next cuts off. The header
    has a checksum of itself, and every entry one of itself and of all before it, so that a line
    that was changed, moved or taken out is found.
    """

    def __init__(self, path: Path, file: FileIO, *, is_new: bool = False) -> None:
        self._path = path
        self._file = file
        self._is_new = is_new
        # The checksum of the last line.
        self._last = ""

    @classmethod
    def open(cls, path: Path, header: Mapping[str, Any]) -> Self:
        """Begin a journal, or take up one that has the same header.

        Raises
        ------
        InputError
            If another process is writing it, it is damaged or no journal, or not writable.
        ConfigError
            If it was begun with another header; the message says what differs.
        """
        journal = cls.hold(path)
        try:
            journal.begin(header)
        except BaseException:
            journal.discard()
            journal.close()
            raise
        return journal

    @classmethod
    def hold(cls, path: Path) -> Self:
        """Keep a journal for this process alone, made where needed; `begin` comes next.

        Raises
        ------
        InputError
            If another process is writing it, or it is not writable.
        """
        with writing(path):
            file, is_new = made_and_held(path)
        return cls(path, file, is_new=is_new)

    def begin(self, header: Mapping[str, Any]) -> None:
        """Write the header, or take up what has the same one; raises as `open` does."""
        self._resume(_sealed(header, "")[0])

    @property
    def is_new(self) -> bool:
        """Return whether this process made the file."""
        return self._is_new

    @property
    def is_begun(self) -> bool:
        """Return whether there is anything in it."""
        return os.fstat(self._file.fileno()).st_size > 0

    @classmethod
    def peek(cls, path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return the header and the entries of a journal that is whole; None of any other.

        Nothing is written, and another process may be writing it.
        """
        try:
            with path.open("rb", buffering=0) as file, path.open("rb") as lines:
                header = lines.readline()
                if (content := _header_of(header)) is None:
                    return None
                journal = cls(path, file)
                journal._last = digest(header)
                if journal._whole(lines) < os.fstat(file.fileno()).st_size:
                    return None
                found = list(journal.entries())
        except (OSError, InputError):
            return None
        return (content, found) if found else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal, so that another process may write it."""
        self._file.close()

    def discard(self) -> None:
        """Delete the journal if this process began it; it is closed as any other."""
        if self._is_new:
            self._path.unlink(missing_ok=True)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in the order of writing, those of earlier runs first."""
        with self._path.open("rb") as lines:
            next(lines)
            for line in lines:
                content = json.loads(line)
                del content[_CHECKSUM]
                yield content

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry: when this returns it is on disk.

        Raises
        ------
        InputError
            If it cannot be written; the journal is as it was.
        """
        size = os.fstat(self._file.fileno()).st_size
        line, checksum = _sealed(entry, self._last)
        try:
            write_through(self._file, line)
        except OSError as error:
            self._file.truncate(size)
            raise cannot_write(self._path, error) from error
        self._last = checksum

    def _resume(self, header: bytes) -> None:
        """Check the file, cut off a torn end, and write the header if it is missing."""
        self._last = digest(header)
        with self._path.open("rb") as lines:
            found = lines.readline()
            if found == header:
                self._file.truncate(self._whole(lines))
            elif header.startswith(found):
                self._file.truncate(0)
                write_through(self._file, header)
            else:
                raise _another(self._path, found, header, lines.readline())

    def _whole(self, lines: BinaryIO) -> int:
        """Return the size of the journal without a torn end."""
        end, torn = lines.tell(), 0
        for number, line in enumerate(lines, 2):
            if torn:
                raise _damaged(self._path, torn)
            if not _is_entry(line):
                torn = number
                continue
            content = json.loads(line)
            content.pop(_CHECKSUM, None)
            sealed, self._last = _sealed(content, self._last)
            if line != sealed:
                raise _damaged(self._path, number)
            end += len(line)
        return end


def write_through(file: FileIO, content: bytes) -> None:
    """Write, and wait until it is on disk; the file has no buffer that could be left half full."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _line(content: Mapping[str, Any]) -> bytes:
    """Return the one line that equal contents have."""
    return json.dumps(content, sort_keys=True, allow_nan=False).encode() + b"\n"


def _sealed(entry: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Return an entry's line, and the checksum in it: of the entry and of the line before."""
    checksum = digest(before.encode() + _line(entry))
    return _line({**entry, _CHECKSUM: checksum}), checksum


def _is_entry(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _header_of(line: bytes) -> dict[str, Any] | None:
    """Return the header that a first line has; None if it is not as it was written."""
    if not _is_entry(line):
        return None
    content: dict[str, Any] = json.loads(line)
    content.pop(_CHECKSUM, None)
    return content if line == _sealed(content, "")[0] else None


def _damaged(path: Path, number: int) -> InputError:
    # Without its header a journal is of nothing.
    remedy = (
        "delete this line and every line after it, and what they have is computed again"
        if number > 1
        else "delete it and what it has written"
    )
    return InputError(
        f"line {number} of {path} is damaged, or was not written by this version; write to "
        f"another place, or {remedy}"
    )


def _another(path: Path, found: bytes, header: bytes, second: bytes) -> InputError | ConfigError:
    """Return why a first line is not this header; the second shows whether it is a journal."""
    there = _header_of(found)
    if there is None and (_is_entry(found) or _CHECKSUM.encode() in found + second):
        return _damaged(path, 1)
    if there is None:
        return InputError(f"{path} is there and is no journal; write to another place")
    # Those that a person has a word for come first.
    differing = sorted(
        differences(_header_of(header), there),
        key=lambda line: " is another" not in line,
    )
    # The id is a digest of the other values, and means nothing to a reader.
    useful = [line for line in differing if not line.startswith("fingerprint.id ")] or differing
    more = f"; and {len(useful) - _SHOWN} more" if len(useful) > _SHOWN else ""
    return ConfigError(
        f"{path} was begun otherwise: {'; '.join(useful[:_SHOWN])}{more}. Repeat what it "
        "was begun with, write to another place, or delete it and what it has written"
    )
