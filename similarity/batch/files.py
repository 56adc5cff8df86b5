"""The files of a batch: which they are, and how they are read and written."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from similarity.batch.claims import ERRORS_FILE, check_unclaimed
from similarity.batch.lines import check_columns
from similarity.errors import ConfigError, InputError
from similarity.storage.files import is_open_file
from similarity.tabular.dialects import CsvDialect, csv_dialect
from similarity.tabular.formats import QUOTED_TSV, format_of, open_binary, rule_of
from similarity.tabular.records import Record, read_records
from similarity.tabular.texts import has_header, split_columns, unfit_columns

READ, WRITTEN = ("jsonl", "csv", "tsv", "parquet"), ("jsonl", "csv", "tsv")


@dataclass(frozen=True, kw_only=True)
class BatchFiles:
    """Where a batch is read from and written to; the journal lies beside the output.

    Parameters
    ----------
    errors
        Lines that were refused; None is "<output's name>.errors.jsonl".
    kind
        Format of the input, of `READ`; None is that of its ending, and JSON lines without one.
    columns
        Names of the columns that have the texts of a pair, and maybe its id, between commas.
    called
        What messages call the input, and whose ending it has; "" is its path.

    Raises
    ------
    ConfigError
        If a format cannot be read or written, two files are one, or the columns are not two or
        three.
    """

    input: Path
    output: Path
    errors: Path | None = None
    kind: str | None = None
    columns: str | None = None
    called: str = ""

    def __post_init__(self) -> None:
        if self.output.is_dir():
            raise ConfigError(f"OUTPUT {self.output} is a folder; name a file in it")
        # Not `Path.resolve`, which fails in words of its own where links go in a circle.
        files = self.input, self.output, self.refused, self.journal
        if len(set(map(os.path.realpath, files))) < len(files):
            raise ConfigError("input, output and errors must be different files")
        if len(self.names) not in (0, 2, 3):
            raise unfit_columns("two texts and maybe an id", self.columns)
        _ = self.read_as, self.written_as

    @property
    def refused(self) -> Path:
        """Return the errors file, JSON lines."""
        # By the whole name: o.csv and o.tsv are of two batches.
        return self.errors or self.output.with_name(f"{self.output.name}.errors.jsonl")

    @property
    def journal(self) -> Path:
        """Return the file that records what is on disk, chunk by chunk."""
        return self.output.with_name(f"{self.output.name}.journal")

    @property
    def source(self) -> str:
        """Return what messages call the input."""
        return self.called or str(self.input)

    @property
    def anew(self) -> str:
        """Return what to do to begin anew, as a message ends."""
        names = f"{self.output}, {self.refused.name} and {self.journal.name}"
        return f"write to another place, or delete {names} to begin anew"

    @property
    def read_as(self) -> str:
        """Return the format of the input."""
        return format_of(
            self.source, self.kind, allowed=READ, default="jsonl", flag="--format", packed=True
        )

    @property
    def written_as(self) -> str:
        """Return the format of the output, by its ending."""
        return format_of(str(self.output), None, allowed=WRITTEN, default="jsonl", flag=None)

    @property
    def dialect(self) -> CsvDialect:
        """Return how the output is written as CSV: as the input is, if that is CSV."""
        if self.read_as != "csv":
            return CsvDialect()
        with open_binary(str(self.input)) as source:
            return csv_dialect(source, header=has_header(self.names), names=self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns that are given."""
        return split_columns(self.columns)

    def records(self) -> Iterator[Record]:
        """Yield the records of the input.

        Raises
        ------
        InputError
            If nothing of it can be read.
        """
        try:
            with open_binary(str(self.input)) as source:
                yield from read_records(
                    source, self.read_as, header=has_header(self.names), names=self.names
                )
        except InputError as error:
            message = str(error)
            place = "" if str(self.input) in message else f"{self.source}: "
            raise InputError(f"{place}{message}") from error


def check_files(files: BatchFiles) -> None:
    """Refuse an input that has nothing to compare, and files that are not of a batch.

    Raises
    ------
    InputError
        If the input cannot be read or is empty, or is a table without columns of texts, or the
        output or the errors file has content and there is no journal of it.
    """
    if files.input.is_dir():
        raise InputError(
            f"{files.input} is a folder; give a file of pairs, as {', '.join(READ)}; texts of a "
            "folder are compared with each other by trajsim matrix"
        )
    check_new(files)
    first = next(files.records(), None)
    if first is None:
        raise InputError(f"{files.source} has no lines; give one for each pair")
    # Here, as a journal of such a batch would refuse the same output with the right columns.
    if first.columns:
        try:
            check_columns(first.columns, files.names)
        except InputError as error:
            raise InputError(f"{files.source} has {error}") from error


def check_new(files: BatchFiles) -> None:
    """Refuse to append to an output or an errors file that is not of this batch.

    Raises
    ------
    InputError
        If the output or the errors file has content, and there is no journal of it, or is of
        another batch, or is a device or a pipe, which could not be taken up again.
    """
    check_unclaimed(files.output, files.refused, files.journal)
    for path in (files.output, files.refused):
        # What is open may be a file; another run has another there, and the same journal.
        if is_open_file(path) or (path.exists() and not (path.is_file() or path.is_dir())):
            raise InputError(f"{path} is a device or a pipe; write to a file, and send that on")
        if not _begun(files.journal) and path.exists() and path.stat().st_size:
            raise InputError(
                f"{path} is there and {files.journal.name} is not or is empty, so it is of no "
                "batch; move it away, or write to another place"
            )


def _begun(journal: Path) -> bool:
    """Return whether a journal has its header: before that, a batch has written nothing else."""
    if not journal.is_file():
        return journal.exists()
    with journal.open("rb") as file:
        return file.readline().endswith(b"\n")


def stamp_of(files: BatchFiles) -> tuple[int, int]:
    """Return size and time of change of the input, in nanoseconds.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        found = files.input.stat()
    except OSError as error:
        raise InputError(f"cannot read {files.source}: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with open_binary(str(path)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def header_of(files: BatchFiles) -> dict[str, Any]:
    """Return what a journal says of the files.

    Raises
    ------
    InputError
        If the input cannot be read.
    """
    return {
        "SHA-256 of the input": sha256_of_file(files.input),
        "format of the input": rule_of(files.read_as),
        "columns": files.columns,
        ERRORS_FILE: os.path.relpath(files.refused, files.output.parent),
        # Journals had none of any other format before.
        **({"format of the output": QUOTED_TSV} if files.written_as == "tsv" else {}),
    }
