"""The dialect of a CSV file: its delimiter, found from its first lines, and its first bytes."""

import csv
import logging
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import BinaryIO

from similarity.errors import InputError
from similarity.prompts import is_blank
from similarity.tabular.formats import MAX_LINE_BYTES
from similarity.tabular.lines import byte_lines
from similarity.tabular.strict_csv import WrongRow, strict_rows

logger = logging.getLogger(__name__)

COMMA, TAB = ",", "\t"
# What may part fields, and what messages call it. Spreadsheets write semicolons where numbers have
# a decimal comma.
SIGNS = {COMMA: "commas", ";": "semicolons", TAB: "tabs"}
# The line by which Excel is told what parts fields; it is none of the table.
_DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
# Of a file, what is looked at to find its sign: so many lines, or fewer that are longer.
_SAMPLE_LINES = 200
_SAMPLE_CHARACTERS = 2**20
_DOUBLED = "quote the whole field and double the marks that are of its text"
# What Python's csv says of quotation marks that are not as CSV has them.
_NO_END, _MORE = "unexpected end of data", "expected after"


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


def csv_dialect(source: BinaryIO, *, header: bool = True, names: Sequence[str] = ()) -> CsvDialect:
    """Return the dialect of a file, by its first lines.

    Parameters
    ----------
    header, names
        As `read_records` takes them.
    """
    lines = byte_lines(source)
    begin = next(lines, b"")
    mark, begin = begin.startswith(BOM_UTF8), begin.removeprefix(BOM_UTF8)
    if sign := declared_sign(begin.decode(errors="replace")):
        return CsvDialect(sign, mark=mark)
    texts = (
        line.decode(errors="replace") if len(line) <= MAX_LINE_BYTES else None
        for line in chain([begin], lines)
    )
    return CsvDialect(delimiter_of(texts, names, header=header), mark=mark)


def declared_sign(line: str) -> str:
    """Return what parts fields, as the first line of a file such as `sep=;` says; "" of others.

    Raises
    ------
    InputError
        If it is a sign that is not read.
    """
    found = _DECLARED.fullmatch(line.rstrip("\r\n"))
    if found and found[1] not in SIGNS:
        raise InputError(
            f"its first line says that {found[1]!r} parts fields, and {', '.join(SIGNS.values())} "
            "are read; write it with one of those, and without that line"
        )
    return found[1] if found else ""


def delimiter_of(
    lines: Iterable[str | None], names: Sequence[str] = (), *, header: bool = True
) -> str:
    r"""Return what parts the fields of CSV, by its first lines.

    Of commas, semicolons and tabs it is the one that parts the header and the rows below it into
    equally many fields. Of several such it is the one that gives the most, and so it is if there is
    none. Signs by which a named column is missing are left out, if others have it. Without a header
    it is the comma wherever that parts all rows alike.

    Parameters
    ----------
    lines
        With their ends. Some hundred are taken at most, and none from one that is too long, which
        is None. The header may go over several.
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


def _sample(lines: Iterable[str | None]) -> tuple[list[str], bool]:
    """Return the first lines, and whether they are all there are."""
    sample: list[str] = []
    left = _SAMPLE_CHARACTERS
    for line in lines:
        if line is None or len(sample) == _SAMPLE_LINES or left < 0:
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
    for row in strict_rows(sample, sign):
        if isinstance(row, WrongRow):
            yield None
        elif not all(map(is_blank, row)) or len(row) > 1:
            yield row


def bare_mark(lines: Iterable[str | None]) -> int | None:
    """Return the line of TSV, from 1, by which its first lines have no quotation marks, or None.

    There, a field begins with a quotation mark and does not end as CSV wants. So the marks are
    characters of the texts.

    Parameters
    ----------
    lines
        With their ends. A million characters or so are taken, and none from a line that is too
        long, which is None. A field that goes on beyond them shows nothing.
    """
    is_cut, taken = False, 0

    def sample() -> Iterator[str]:
        nonlocal is_cut, taken
        left = _SAMPLE_CHARACTERS
        for line in lines:
            is_cut = line is None or left < 0
            if line is None or is_cut:
                return
            taken += 1
            yield line
            left -= len(line)

    number = 1
    for row in strict_rows(sample(), TAB):
        said = str(row.error) if isinstance(row, WrongRow) else ""
        if _MORE in said or (_NO_END in said and not is_cut):
            return number
        number = taken + 1
    return None


@cache
def note_bare_mark(number: int) -> None:
    """Say once that a file of TSV is read without quotation marks, and which line shows that."""
    logger.warning(
        "the TSV is read without quotation marks: each is a character of a text. On line %d a "
        "field begins with one and does not end as CSV wants",
        number,
    )


def csv_fault(error: csv.Error, delimiter: str, lines: Sequence[str], first: int) -> str:
    """Return what is wrong with a row of CSV, or of TSV, on which line, and what to do.

    Parameters
    ----------
    lines
        That were read as the row, of which the first has the number `first`.
    """
    no = f"is not {'TSV' if delimiter == TAB else 'CSV'}:"
    if "new-line character" in str(error):
        what = "a carriage return stands outside quotation marks"
        return f"{no} {what}; quote the field that has it, or end lines with line feeds"
    begun = ended = missing = ""
    if len(lines) > 1:
        begun = f" on line {first + _opened(lines, delimiter)}"
        ended = f" on line {first + len(lines) - 1}"
        missing = f" close that which begins it{begun}, or"
    if _NO_END in str(error):
        what = f"a quotation mark that begins a field{begun} is not closed"
        return f"{no} {what}; close it, or {_DOUBLED}"
    if _MORE in str(error):
        what = f"more follows the quotation mark that ends a field{ended}"
        return f"{no} {what};{missing} {_DOUBLED}"
    return f"{no} {error}; shorten it, or write JSON lines"


def _opened(lines: Sequence[str], delimiter: str) -> int:
    """Return in which line of a row, from 0, the quoted field begins that does not end as it must.

    Of several it is the first, where a reader stops.
    """
    text = "\n".join(lines)
    begins = 0
    for found in re.finditer(rf'(?:^|{delimiter})"[^"]*(?:""[^"]*)*(?:"|\Z)', text):
        begins = found.start()
        if text[found.end() : found.end() + 1] not in ("", delimiter):
            break
    return text.count("\n", 0, begins)
