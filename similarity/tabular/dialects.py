"""The dialect of a CSV file: its delimiter, found from its first lines, and its first bytes."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from similarity.tabular.formats import MAX_LINE_BYTES

COMMA = ","
# What may part fields, and what messages call it. Spreadsheets write semicolons where numbers have
# a decimal comma.
SIGNS = {COMMA: "commas", ";": "semicolons", "\t": "tabs"}
# Of a file, what is looked at to find its sign: so many lines, or fewer that are longer.
_SAMPLE_LINES = 200
_SAMPLE_CHARACTERS = 2**20


@dataclass(frozen=True)
class CsvDialect:
    """How a file of CSV is written, besides its fields.

    Parameters
    ----------
    delimiter
        What parts fields.
    mark
        Whether the file begins with the byte-order mark of UTF-8, by which spreadsheets know it.
    """

    delimiter: str = COMMA
    mark: bool = False


@dataclass(frozen=True)
class _Parted:
    """The first rows of a file as one sign parts them.

    Attributes
    ----------
    columns
        The names of the first row; "1", "2", … where it names none.
    fields
        The mean number of fields of the other rows. A row with more fields than columns counts as
        0, and so does one that is not CSV.
    """

    sign: str
    columns: tuple[str, ...]
    fields: float

    @property
    def is_even(self) -> bool:
        return self.fields == len(self.columns)


def delimiter_of(lines: Iterable[str], names: Sequence[str] = (), *, header: bool = True) -> str:
    r"""Return what parts the fields of CSV, by its first lines.

    Of commas, semicolons and tabs it is the one that parts the header and the rows below it into
    equally many fields. Of several such it is the one that gives the most, and so it is if there is
    none. Signs by which a named column is missing are left out, if others have it. Without a header
    it is the comma wherever that parts all rows alike.

    Parameters
    ----------
    lines
        With their ends. Some hundred are taken at most. The header may go over several.
    names
        The columns to read.
    header
        Whether the first row names the columns.
    """
    sample, is_whole = _sample(lines)
    found = [_parted(sign, sample, is_whole, header) for sign in SIGNS]
    parted = [one for one in found if one is not None]
    parted = [one for one in parted if set(names) <= set(one.columns)] or parted
    several = [one for one in parted if len(one.columns) > 1]
    if not header:
        return next((one.sign for one in several if one.is_even), COMMA)
    if several:
        # Of equals the last: a comma is in the name of a column more often than a semicolon.
        return max(reversed(several), key=lambda one: (one.is_even, one.fields)).sign
    return parted[0].sign if parted else COMMA


def _sample(lines: Iterable[str]) -> tuple[list[str], bool]:
    """Return the first lines, and whether they are all there are."""
    sample: list[str] = []
    left = _SAMPLE_CHARACTERS
    for line in lines:
        if len(sample) == _SAMPLE_LINES or left < 0:
            return sample, False
        sample.append(line)
        left -= len(line)
    return sample, True


def _parted(sign: str, sample: Sequence[str], is_whole: bool, header: bool) -> _Parted | None:
    """Return the rows of a sample as a sign parts them; None if the first is not CSV then."""
    rows = list(_rows(sign, sample))
    if not is_whole and len(rows) > 1:
        # The last may go on.
        rows.pop()
    if not rows or (first := rows[0]) is None:
        return None
    numbers = tuple(str(number) for number in range(1, len(first) + 1))
    counts = [0 if row is None or len(row) > len(first) else len(row) for row in rows[1:]]
    return _Parted(
        sign,
        tuple(name.strip() for name in first) if header else numbers,
        sum(counts) / len(counts) if counts else len(first),
    )


def _rows(sign: str, sample: Sequence[str]) -> Iterator[list[str] | None]:
    """Yield the rows of a sample that are not blank; None for one that is not CSV."""
    reader = csv.reader(iter(sample), strict=True, delimiter=sign)
    while True:
        try:
            with long_fields():
                row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
        else:
            if any(field.strip() for field in row) or len(row) > 1:
                yield row


@contextmanager
def long_fields() -> Iterator[None]:
    """Let a field of CSV be as long as a line may be; the limit is the process's."""
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def csv_fault(error: csv.Error) -> str:
    """Return what is wrong with a row of CSV, and what to do."""
    if "new-line character" in str(error):
        what = "a carriage return stands outside quotation marks"
        return f"is not CSV: {what}; end lines with line feeds"
    return f"is not CSV: {error}; check its quotation marks and its length"
