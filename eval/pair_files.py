"""Reads files of pairs with human scores, and refuses what cannot be evaluated, with its line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from similarity.errors import InputError
from similarity.prompts import checked_text
from similarity.tabular.records import Record, read_records
from similarity.tabular.texts import comma_hint
from similarity.tabular.values import no_text, to_number
from similarity.tabular.writing import BYTE_ORDER_MARK

Row = dict[str, object]

# What to do where a user's own file has other columns.
NAMED = "name yours by --columns"
# What the column of the subset is usually called.
_SUBSET = "subset"
# The formats of such files, by their endings.
KINDS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


@dataclass(frozen=True)
class ScoredPair:
    """Two sentences and how alike people found them."""

    subset: str
    score: float
    first: str
    second: str


@dataclass(frozen=True)
class Columns:
    """What the columns of a user's own file are called.

    A file may lack the subset where it has its usual name; then all is one.
    """

    score: str = "score"
    first: str = "sentence1"
    second: str = "sentence2"
    subset: str = _SUBSET

    @property
    def required(self) -> tuple[str, str, str]:
        """Return the names of all columns but the subset."""
        return self.score, self.first, self.second


def read_pairs(path: Path, columns: Columns | None = None, remedy: str = "") -> list[ScoredPair]:
    """Return the rows of a UTF-8 file: .tsv, .csv, .jsonl or .parquet.

    In .tsv a quotation mark is a character, as benchmarks have it: theirs are not balanced.

    Parameters
    ----------
    columns
        What they are called; None is as in a benchmark's file.
    remedy
        As `rows` takes it.

    Raises
    ------
    InputError
        If it cannot be read, has no rows, or a row is malformed; it names the line. If no row has
        a subset, and its column has another name than usual.
    """
    columns = columns or Columns()
    pairs, subset_there = list[ScoredPair](), columns.subset == _SUBSET
    for place, row in rows(path, columns.required, remedy, optional=[columns.subset]):
        pairs.append(scored_pair(place, row, columns))
        subset_there |= columns.subset in row
    if not subset_there:
        hint = remedy and f"; {remedy}, or leave its name out"
        raise InputError(f"{path} has no column {columns.subset}, that of the subset{hint}")
    return pairs


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Raises
    ------
    InputError
        If it cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if why := no_text(content):
        raise InputError(f"{path} line 1 {why}")
    try:
        return content.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = error.start - content.rfind(b"\n", 0, error.start)
        raise InputError(f"{path} line {line} is not UTF-8 at byte {byte}") from error


def scored_pair(place: str, row: Row, columns: Columns) -> ScoredPair:
    """Return a row as a pair.

    Raises
    ------
    InputError
        If the score is no finite number, or a text is missing, blank or not valid Unicode.
    """
    score, first, second = (row.get(name) for name in columns.required)
    number = to_number(score)
    if number is None or not isinstance(first, str) or not isinstance(second, str):
        raise InputError(
            f"{place}: want a number and two texts as {', '.join(columns.required)}; "
            f"got {str(row)[:200]}"
        )
    if not math.isfinite(number):
        raise InputError(f"{place}: {columns.score} must be a finite number, got {str(score)[:40]}")
    for text in (first, second):
        try:
            checked_text(text)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
    subset = row.get(columns.subset)
    return ScoredPair("" if subset is None else str(subset), number, first, second)


def check_differ(place: str, pairs: Sequence[ScoredPair]) -> None:
    """Raise InputError unless two scores differ: no correlation is defined otherwise."""
    if len({pair.score for pair in pairs}) < 2:
        raise InputError(
            f"{place} has the score {pairs[0].score:g} in all of its {len(pairs)} pairs: the "
            "correlation with it is undefined; give pairs of which two scores differ"
        )


def rows(
    path: Path, required: Sequence[str], remedy: str, *, optional: Sequence[str] = ()
) -> Iterator[tuple[str, Row]]:
    """Yield the place and the fields of each row of a file, by column.

    Parameters
    ----------
    remedy
        What a message of a missing column says to do; "" where the columns are fixed.
    optional
        Columns that are read too where they are there.

    Raises
    ------
    InputError
        If it ends in none of KINDS, cannot be read, or lacks a required column; it names the line.
    """
    if path.suffix not in KINDS:
        raise InputError(f"{path} must end in one of {', '.join(KINDS)}")
    wanted = f"{path} must begin with a line of columns that has {', '.join(required)}"
    empty = True
    for record in _records(path, required, [*required, *optional]):
        place, empty = f"{path} line {record.number}", False
        if record.columns and not set(required) <= set(record.columns):
            got = ", ".join(record.columns)
            hint = remedy and f"; {remedy}{comma_hint(record.columns)}"
            raise InputError(f"{wanted}; got {got}{hint}")
        if record.error is not None:
            raise InputError(f"{place}: {record.error}")
        if not isinstance(record.value, dict):
            raise InputError(f"{place} is no object of JSON: {record.shown[:40]}")
        if record.short and not set(required) <= set(record.value):
            raise InputError(f"{place}: {record.short}")
        yield place, record.value
    if empty:
        raise InputError(f"{wanted}, and rows below it; it has none")


def _records(path: Path, required: Sequence[str], read: Sequence[str]) -> Iterator[Record]:
    try:
        with path.open("rb") as source:
            kind = KINDS[path.suffix]
            yield from read_records(source, kind, names=required, literal=True, only=read)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
