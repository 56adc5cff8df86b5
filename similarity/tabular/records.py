"""From a file of any format to its records, one by one; a bad one says why and loses no other."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice, tee
from typing import Any, BinaryIO, TypeVar

from similarity.errors import InputError
from similarity.prompts import is_blank
from similarity.tabular.csv_rows import csv_rows, named_lines
from similarity.tabular.dialects import (
    SIGNS,
    TAB,
    bare_mark,
    declared_sign,
    delimiter_of,
    note_bare_mark,
)
from similarity.tabular.lines import SHOWN_BYTES, Line, read_lines
from similarity.tabular.parquet import open_parquet
from similarity.tabular.values import json_fault, json_value

# Is called with the number of texts or lines that were read since it was called last.
OnRead = Callable[[int], object]
# So many are read between two calls of it.
_COUNTED_TOGETHER = 100
_Item = TypeVar("_Item")

# Of TSV without quotation marks, as `_remedy` has it.
_LITERAL = "tabs; a quotation mark is a character here, so write CSV or JSON lines"


@dataclass(frozen=True)
class Record:
    """What one line of a file holds, or one row of a table.

    Attributes
    ----------
    number
        Of its first line, from 1; of its row where the format has no lines.
    value
        A line of text, the fields of a row by column, or any value of JSON. If `error`, None,
        or of Parquet the fields that can be read.
    shown
        What to show of it in a message.
    error
        Why it cannot be read, or None.
    columns
        Of a row of a table, the names of its columns, also where the row cannot be read. They have
        no blanks around them, unless two would be alike; so it is of the fields of an object.
    written
        By such a name, how the file has it, where that is otherwise.
    short
        Of a row with fewer fields than columns, what to say where one that is read is missing.
    """

    number: int
    value: Any
    shown: str
    error: InputError | None = None
    columns: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    short: str = ""

    @property
    def there(self) -> tuple[str, ...]:
        """Return the names of the columns of a row, or of the fields of an object."""
        return self.columns or (tuple(self.value) if isinstance(self.value, dict) else ())

    def lacks(self, otherwise: str) -> InputError:
        """Return the error of a column that is missing: it is the row's where that is short."""
        return InputError(self.short or otherwise)


@dataclass(frozen=True, kw_only=True)
class PlacedTexts:
    """Texts with what messages call the places they are from.

    Attributes
    ----------
    ids
        Of the texts of a folder, the paths of their files in it; None of those of a file.
    left_out
        What of a folder was not read, in words; "" where that is nothing.
    """

    texts: list[str]
    places: list[str]
    ids: tuple[str, ...] | None = None
    left_out: str = ""


def ignore_read(_count: int) -> None:
    """Do nothing with the number of what was read: the default of `on_read`."""


def counted(items: Iterable[_Item], on_read: OnRead) -> Iterator[_Item]:
    """Yield what is read from a file, and tell `on_read` now and then how much that is."""
    since = 0
    for item in items:
        yield item
        since += 1
        if since == _COUNTED_TOGETHER:
            on_read(since)
            since = 0
    on_read(since)


def read_records(
    source: BinaryIO,
    kind: str,
    *,
    header: bool = True,
    names: Sequence[str] = (),
    literal: bool = False,
    only: Sequence[str] = (),
) -> Iterator[Record]:
    """Yield the records of a file; blank lines are left out.

    TSV is CSV with tabs. Where its first lines show that it has no quotation marks, each is a
    character, and a warning says so.

    Parameters
    ----------
    kind
        One of `similarity.tabular.formats.READ_FORMATS`.
    header
        Whether the first row of CSV and TSV names the columns; else they are "1", "2", ….
    names
        The columns to read. A delimiter of CSV by which the file has them goes before others.
    literal
        Whether a quotation mark in TSV is a character, whatever the first lines show.
    only
        The columns that are wanted, in any case; of Parquet no other is read. () is all.

    Raises
    ------
    InputError
        If nothing of it can be read.
    """
    if kind == "parquet":
        return _parquet(source, only)
    lines = read_lines(source)
    if kind == "csv":
        begin = list(islice(lines, 1))
        delimiter = declared_sign(begin[0].shown) if begin else ""
        if not delimiter:
            lines, ahead = tee(chain(begin, lines))
            delimiter = delimiter_of((line.sampled for line in ahead), names, header=header)
            del ahead  # it would hold all lines
        return _rows(_csv(lines, delimiter), header, _remedy(delimiter))
    if kind == "tsv" and not literal:
        lines, ahead = tee(lines)
        number = bare_mark(line.sampled for line in ahead)
        del ahead
        if number is None:
            return _rows(_csv(lines, TAB), header, _remedy(TAB))
        note_bare_mark(number)
    # A line that cannot be read is an error, also where what is shown of it is blank.
    filled = (line for line in lines if line.error or not is_blank(line.shown))
    if kind == "tsv":
        return _rows(_tsv(filled), header, _LITERAL)
    return map(_json if kind == "jsonl" else _text, filled)


def _text(line: Line) -> Record:
    return Record(line.number, line.text, line.shown, line.error)


def _json(line: Line) -> Record:
    if line.text is None:
        return _text(line)
    try:
        value = json_value(line.text)
    except (ValueError, RecursionError) as error:
        why = InputError(f"the line is not JSON: {json_fault(error)}")
        return Record(line.number, None, line.shown, why)
    written: Mapping[str, str] = {}
    if isinstance(value, dict):
        names, written = _named(tuple(value))
        value = dict(zip(names, value.values(), strict=True)) if written else value
    return Record(line.number, value, line.shown, written=written)


def _tsv(lines: Iterator[Line]) -> Iterator[Record]:
    # A quotation mark is a character of the text, as benchmarks have it.
    for line in lines:
        if line.text is None:
            yield _text(line)
        else:
            yield Record(line.number, line.text.split("\t"), line.shown)


def _csv(lines: Iterator[Line], delimiter: str) -> Iterator[Record]:
    for row in csv_rows(lines, delimiter):
        yield Record(row.number, row.fields, row.shown, row.error)


def _remedy(delimiter: str) -> str:
    """Return what parts the fields of rows, and what to do where that parts them too often."""
    return f"{SIGNS[delimiter]}; quote a field that has what parts fields, or write JSON lines"


def _rows(rows: Iterator[Record], header: bool, parted: str) -> Iterator[Record]:
    """Give the fields of each row by the names of the columns."""
    names: tuple[str, ...] = ()
    written: Mapping[str, str] = {}
    for row in rows:
        if row.error is not None and header and not names:
            # The next row would be taken for the names, and not be read.
            raise InputError(f"line {row.number} names the columns, and {row.error}")
        if row.error is not None:
            yield replace(row, columns=names, written=written)
        elif header and not names:
            names, written = _named(_numbered(row.value))
            _check_unlike(names)
        else:
            columns = names or tuple(str(number) for number in range(1, len(row.value) + 1))
            yield _row(row, columns, written, parted)


def _numbered(names: Sequence[str]) -> Sequence[str]:
    """Return the names of columns; where several have none, as spreadsheets write, numbers."""
    if sum(not name.strip() for name in names) < 2:
        return names
    return [name if name.strip() else f"column {i}" for i, name in enumerate(names, 1)]


def _named(given: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return names without the blanks around them, unless two would be alike.

    By each that differs it is also how the file has it.
    """
    found = tuple(name.strip() for name in given)
    if found == tuple(given):
        return found, {}
    counts = Counter(found)
    names = tuple(
        short if counts[short] == 1 else name for short, name in zip(found, given, strict=True)
    )
    return names, {name: one for name, one in zip(names, given, strict=True) if name != one}


def _check_unlike(names: Sequence[str]) -> None:
    """Refuse names of columns of which two are alike: either could be meant."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"two of its columns are named {twice[:40]!r}; keep one, or rename it")


def _row(row: Record, columns: tuple[str, ...], written: Mapping[str, str], parted: str) -> Record:
    """Return a row with its fields by the names of its columns."""
    count = len(row.value)
    lines = named_lines(row.number, row.number + row.shown.count("\n"))
    there = f"{lines} has {count} {'field' if count == 1 else 'fields'} and the first line "
    there += f"{len(columns)}, parted by "
    if count > len(columns):
        why = InputError(f"{there}{parted}")
        return replace(row, value=None, error=why, columns=columns, written=written)
    signs = parted.partition(";")[0]
    short = f"{there}{signs}; add those that are missing" if count < len(columns) else ""
    value = dict(zip(columns, row.value, strict=False))
    return replace(row, value=value, columns=columns, written=written, short=short)


def _parquet(source: BinaryIO, only: Sequence[str]) -> Iterator[Record]:
    file = open_parquet(source, only)
    _check_unlike(file.columns)
    columns, written = _named(file.columns)
    of_file = {written.get(name, name): name for name in columns}
    for number, row in enumerate(file.rows, 1):
        values = {of_file[name]: value for name, value in row.values.items()}
        shown = json.dumps(row.values, default=str, ensure_ascii=False)[:SHOWN_BYTES]
        yield Record(number, values, shown, row.error, columns=columns, written=written)
