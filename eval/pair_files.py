"""Reads files of pairs with human scores, and refuses what cannot be evaluated, with its line."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from similarity.errors import InputError
from similarity.prompts import checked_text
from similarity.tabular.dialects import csv_fault, delimiter_of
from similarity.tabular.values import json_fault, no_text, to_number, without_repeats
from similarity.tabular.writing import BYTE_ORDER_MARK

Row = dict[str, object]


@dataclass(frozen=True)
class ScoredPair:
    """Two sentences and how alike people found them."""

    subset: str
    score: float
    first: str
    second: str


@dataclass(frozen=True)
class Columns:
    """What the columns of a user's own file are called; without a subset, all is one."""

    score: str = "score"
    first: str = "sentence1"
    second: str = "sentence2"
    subset: str = "subset"

    @property
    def required(self) -> tuple[str, str, str]:
        """Return the names of all columns but the subset."""
        return self.score, self.first, self.second


def read_pairs(path: Path, columns: Columns | None = None) -> list[ScoredPair]:
    """Return the rows of a UTF-8 file: .tsv (never quoted), .csv or .jsonl.

    Raises
    ------
    InputError
        If it cannot be read, has no rows, or a row is malformed; it names the line.
    """
    columns = columns or Columns()
    lines = read_text(path).split("\n")
    rows = READERS[path.suffix](path, lines, columns.required)
    pairs = [scored_pair(f"{path} line {number}", row, columns) for number, row in rows]
    if not pairs:
        raise InputError(f"{path} has no pairs after line 1; give at least two")
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
        raise InputError(f"{path} line {line} is not UTF-8 at byte {error.start}") from error


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


def _tsv(path: Path, lines: Sequence[str], required: Sequence[str]) -> Iterator[tuple[int, Row]]:
    # Not by the csv module: a quotation mark in these files is a character of the text.
    header, *rows = (line.removesuffix("\r").split("\t") for line in lines)
    _check_header(path, header, required)
    for number, row in enumerate(rows, 2):
        if row != [""]:
            _check_width(path, number, row, header)
            yield number, dict(zip(header, row, strict=False))


def _csv(path: Path, lines: Sequence[str], required: Sequence[str]) -> Iterator[tuple[int, Row]]:
    delimiter = delimiter_of(_with_ends(lines), required)
    reader = csv.reader(_with_ends(lines), strict=True, delimiter=delimiter)
    header: list[str] = []
    begin = 1
    try:
        for row in reader:
            if not header:
                header = row
                _check_header(path, header, required)
            elif row:
                _check_width(path, begin, row, header)
                yield begin, dict(zip(header, row, strict=False))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} line {begin} {csv_fault(error)}") from error
    if not header:
        _check_header(path, header, required)


def _with_ends(lines: Sequence[str]) -> Iterable[str]:
    """Return lines as a file gives them: the last has an end only where it is not empty."""
    return (f"{line}\n" for line in (lines if lines[-1] else lines[:-1]))


def _jsonl(path: Path, lines: Sequence[str], _required: object) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line, object_pairs_hook=without_repeats)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path} line {number} is not JSON: {json_fault(error)}"
                ) from error
            if not isinstance(row, dict):
                raise InputError(f"{path} line {number} is no object of JSON: {line[:40]}")
            yield number, row


READERS = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl}


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    if not set(required) <= set(header):
        raise InputError(
            f"{path} must begin with a line of columns that has {', '.join(required)}; "
            f"got {', '.join(header)}; --columns names others in a file of your own"
        )
    if twice := [name for name in required if header.count(name) > 1]:
        raise InputError(f"{path} line 1 has the column {twice[0]} more than once; keep one")


def _check_width(path: Path, number: int, row: Sequence[str], header: Sequence[str]) -> None:
    if len(row) > len(header):
        raise InputError(
            f"{path} line {number} has {len(row)} fields and the header {len(header)}; quote a "
            "field that has what parts fields, or use .jsonl"
        )
