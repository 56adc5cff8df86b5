"""The files of a batch: which they are, and how they are read and written."""

import hashlib
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from similarity.errors import ConfigError, InputError
from similarity.storage.journal import write_through

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class BatchFiles:
    """Where a batch is read from and written to; the journal lies beside the output.

    Parameters
    ----------
    errors
        Lines that were refused; None is "<output's stem>.errors<its suffix>".
    """

    input: Path
    output: Path
    errors: Path | None = None

    def __post_init__(self) -> None:
        paths = [path.resolve() for path in (self.input, self.output, self.refused, self.journal)]
        if len(set(paths)) < len(paths):
            raise ConfigError("input, output and errors must be different files")

    @property
    def refused(self) -> Path:
        """The errors file."""
        default = self.output.with_name(f"{self.output.stem}.errors{self.output.suffix}")
        return self.errors or default

    @property
    def journal(self) -> Path:
        """What is known to be on disk, chunk by chunk."""
        return self.output.with_name(f"{self.output.name}.journal")


def check_new(files: BatchFiles) -> None:
    """Refuse to write behind what is not of a batch.

    Raises
    ------
    InputError
        If the output or the errors file has content, and there is no journal of it.
    """
    for path in (files.output, files.refused):
        if not files.journal.exists() and path.exists() and path.stat().st_size:
            raise InputError(
                f"{path} is there and {files.journal.name} is not, so it is of no batch; move it "
                "away, or write to another place"
            )


def scan(path: Path) -> tuple[int, str]:
    """Return the number of lines of a file, and its SHA-256.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                lines += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return lines + (last != b"\n"), digest.hexdigest()


def open_at(path: Path, size: int) -> FileIO:
    """Open a file to append, cut to the size that the journal knows of.

    Raises
    ------
    InputError
        If it is shorter than that, or cannot be written.
    """
    try:
        file = FileIO(path, "ab")
        found = os.fstat(file.fileno()).st_size
        file.truncate(min(size, found))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    if found < size:
        file.close()
        raise InputError(
            f"{path} is shorter than its journal says, so it was changed; begin anew in another "
            "place"
        )
    return file


def append(file: FileIO, path: Path, content: str) -> int:
    """Write, wait until it is on disk, and return the size of the file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        write_through(file, content.encode())
        return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
