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
from similarity.storage.journal import Journal, open_held, write_through

# What helps where another batch is writing a file: its own journal is held by each.
_OF_ANOTHER = "another batch has it; name another by --errors, or write to another place"
_BLOCK_BYTES = 2**20
# A file, and the size and the digest that its journal has.
Place = tuple[Path, int, str]


class Growing:
    """A file that is appended to, and the digest of all that is in it."""

    def __init__(
        self, path: Path, file: FileIO, digest: "hashlib._Hash", *, is_new: bool = False
    ) -> None:
        self._path = path
        self._file = file
        self._digest = digest
        self._is_new = is_new

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
        """Return the first 16 digits of the SHA-256 of the file; "" if it is empty."""
        return self._digest.hexdigest()[:16] if self.size else ""

    @property
    def size(self) -> int:
        """Return the size of the file in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, content: str) -> None:
        """Append a text, and wait until it is on disk.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        written = content.encode()
        with writing(self._path):
            write_through(self._file, written)
        self._digest.update(written)


def open_at(path: Path, size: int, digest: str) -> Growing:
    """Open a file to append, cut to the size that the journal has.

    Raises
    ------
    InputError
        If it is shorter than that, has another digest, cannot be written, or another process
        writes it, as two batches with one errors file would.
    """
    with writing(path):
        file, is_new = open_held(path, _OF_ANOTHER)
    try:
        with writing(path):
            growing = Growing(path, file, _digest_of_beginning(path, size), is_new=is_new)
        if growing.size < size:
            raise InputError(
                f"{path} is shorter than its journal says, so it was changed; begin anew in "
                "another place"
            )
        if (growing.digest if size else "") != digest:
            raise InputError(
                f"{path} is not as it was written: its journal has another checksum of it; begin "
                "anew in another place"
            )
        file.truncate(size)
    except BaseException:
        file.close()
        raise
    return growing


@contextmanager
def open_both(journal: Journal, output: Place, errors: Place) -> Iterator[tuple[Growing, Growing]]:
    """Open output and errors file as `open_at` does.

    Where one cannot be opened, nothing is left that was made for it, the journal included.
    """
    with ExitStack() as opened:
        with ExitStack() as refused:
            refused.callback(journal.discard)
            first = opened.enter_context(open_at(*output))
            refused.callback(first.discard)
            second = opened.enter_context(open_at(*errors))
            refused.pop_all()
        yield first, second


def digest_of_beginning(path: Path, size: int) -> str:
    """Return the digest that `Growing` has of the first `size` bytes of a file."""
    return _digest_of_beginning(path, size).hexdigest()[:16] if size else ""


def _digest_of_beginning(path: Path, size: int) -> "hashlib._Hash":
    found = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK_BYTES))):
            found.update(block)
            size -= len(block)
    return found
