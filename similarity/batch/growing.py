"""The files that a batch appends to: as long as its journal says, with the digest that it has."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Self

from similarity.errors import InputError
from similarity.storage.files import writing
from similarity.storage.held import open_held
from similarity.storage.journal import Journal, write_through

# What helps where another batch is writing a file: its own journal is held by each.
_OF_ANOTHER = "another batch has it; name another by --errors, or write to another place"
_BLOCK_BYTES = 2**20
_DIGITS = 16
# A file, and the size and the digest that its journal has.
Place = tuple[Path, int, str]


class Growing:
    """A file that is appended to, and size and digest of all that is known to be in it.

    A process that was killed may have left the beginning of what comes next. Nothing is cut off:
    what stands there must be just that, else somebody else wrote it.
    """

    def __init__(
        self,
        path: Path,
        file: FileIO,
        size: int,
        digest: "hashlib._Hash",
        *,
        is_new: bool = False,
        remedy: str = "",
    ) -> None:
        self._path = path
        self._file = file
        self._size = size
        self._digest = digest
        self._is_new = is_new
        self._remedy = remedy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def discard(self) -> None:
        """Delete the file if this process made it; it is closed as any other."""
        if self._is_new:
            self._path.unlink(missing_ok=True)

    @property
    def digest(self) -> str:
        """Return the first 16 digits of the SHA-256 of that; "" if it is empty."""
        return self._digest.hexdigest()[:_DIGITS] if self.size else ""

    @property
    def size(self) -> int:
        """Return the size of what is known to be in the file, in bytes."""
        return self._size

    def check_next(self, content: str) -> None:
        """Refuse a file that has more than the beginning of what comes next.

        Raises
        ------
        InputError
            If it has, or cannot be read.
        """
        self._left(content.encode())

    def append(self, content: str) -> None:
        """Append what of a text is not there yet, and wait until it is on disk.

        Raises
        ------
        InputError
            If it cannot be written, or something else stands where it belongs.
        """
        written = content.encode()
        left = self._left(written)
        with writing(self._path):
            write_through(self._file, left)
        self._size += len(written)
        self._digest.update(written)

    def _left(self, written: bytes) -> bytes:
        """Return what is not there of what comes next."""
        with writing(self._path):
            more = os.fstat(self._file.fileno()).st_size - self._size
            there = b""
            if 0 < more <= len(written):
                with self._path.open("rb") as file:
                    file.seek(self._size)
                    there = file.read(more)
        if more != len(there) or not written.startswith(there):
            raise _has_more(self._path, self._size, self._remedy)
        return written[more:]


def open_at(place: Place, remedy: str, *, finished: bool = False) -> Growing:
    """Open a file to append to what the journal has of it.

    Parameters
    ----------
    remedy, finished
        As `check_written` takes them.

    Raises
    ------
    InputError
        As `check_written` does, or if it cannot be written, or another process writes it, as two
        batches with one errors file would.
    """
    path, size, digest = place
    # Before it would be made.
    _check_there(path, size, remedy)
    with writing(path):
        file, is_new = open_held(path, _OF_ANOTHER)
    try:
        found = _checked(path, size, digest, remedy, finished)
    except BaseException:
        file.close()
        raise
    return Growing(path, file, size, found, is_new=is_new, remedy=remedy)


def check_written(place: Place, remedy: str, *, finished: bool = False) -> None:
    """Refuse a file that is not as the journal has it; nothing is written.

    Parameters
    ----------
    remedy
        What to do where it is meant to be another, as a message ends.
    finished
        Whether nothing comes after what the journal has of it.

    Raises
    ------
    InputError
        If it is gone, shorter than that or has another digest, or, if `finished`, is longer.
    """
    path, size, digest = place
    _check_there(path, size, remedy)
    if path.exists():  # else nothing was written to it
        _checked(path, size, digest, remedy, finished)


def _check_there(path: Path, size: int, remedy: str) -> None:
    if size and not path.exists():
        raise InputError(f"{path} is gone, and its journal is not; put it back, {remedy}")


def _checked(path: Path, size: int, digest: str, remedy: str, finished: bool) -> "hashlib._Hash":
    """Return the digest of what the journal has of a file."""
    with writing(path):
        there = path.stat().st_size
        found = _digest_of_beginning(path, size)
    if there < size:
        raise InputError(f"{path} is shorter than its journal says, so it was changed; {remedy}")
    if (found.hexdigest()[:_DIGITS] if size else "") != digest:
        raise InputError(
            f"{path} is not as it was written: its journal has another checksum of it; {remedy}"
        )
    if finished and there > size:
        raise _has_more(path, size, remedy)
    return found


def _has_more(path: Path, size: int, remedy: str) -> InputError:
    return InputError(
        f"{path} has more than this batch wrote, its first {size} bytes; move what follows into a "
        f"file of its own, {remedy}"
    )


@contextmanager
def open_both(
    journal: Journal, output: Place, errors: Place, remedy: str, *, finished: bool
) -> Iterator[tuple[Growing, Growing]]:
    """Open output and errors file as `open_at` does.

    Where one cannot be opened, nothing is left that was made for it, the journal included.
    """
    with ExitStack() as opened:
        with ExitStack() as refused:
            refused.callback(journal.discard)
            first = opened.enter_context(open_at(output, remedy, finished=finished))
            refused.callback(first.discard)
            second = opened.enter_context(open_at(errors, remedy, finished=finished))
            refused.pop_all()
        yield first, second


def _digest_of_beginning(path: Path, size: int) -> "hashlib._Hash":
    found = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK_BYTES))):
            found.update(block)
            size -= len(block)
    return found
