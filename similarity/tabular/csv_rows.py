"""The rows of CSV, one by one: one that is too long or damaged is one error, and costs no other.

Such a row ends where it would if its mistakes were letters: what stands within its quotation marks
is never taken for a row.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import StringIO

from similarity.errors import InputError
from similarity.prompts import is_blank
from similarity.tabular.dialects import csv_fault, long_fields
from similarity.tabular.formats import MAX_LINE_BYTES
from similarity.tabular.lines import SHOWN_BYTES, Line


@dataclass(frozen=True)
class CsvRow:
    """One row of CSV.

    Attributes
    ----------
    number
        Of its first line, from 1.
    fields
        None where it cannot be read.
    shown
        What to show of it in a message.
    error
        Why it cannot be read, or None.
    """

    number: int
    fields: list[str] | None
    shown: str
    error: InputError | None


@dataclass
class _Taken:
    """The lines of a row, as far as they are read.

    Attributes
    ----------
    first, last
        Their numbers; 0 before a line is taken.
    size
        Their bytes, with their ends.
    is_long
        Whether they are several, with more bytes than a line may have: no more is kept of them
        than is shown.
    why
        Why the first of them that cannot be read cannot be.
    """

    first: int = 0
    last: int = 0
    size: int = 0
    is_long: bool = False
    why: InputError | None = None
    _shown: StringIO = field(default_factory=StringIO)

    def add(self, line: Line) -> None:
        if line.fault and self.why is None:
            # A message names the first line of a row.
            here = f"line {line.number} {line.fault}"
            self.why = InputError(here) if self.first else line.error
        if self.first and not self.is_long:
            self._shown.write("\n")
            self.is_long = self.size + line.size > MAX_LINE_BYTES
            if self.is_long:
                self._shown = StringIO((self.shown + line.shown)[:SHOWN_BYTES])
        if not self.is_long:
            self._shown.write(line.shown)
        self.first = self.first or line.number
        self.last = line.number
        self.size += line.size + len(line.end)

    @property
    def shown(self) -> str:
        return self._shown.getvalue()

    @property
    def named(self) -> str:
        return named_lines(self.first, self.last)


def csv_rows(lines: Iterator[Line], delimiter: str) -> Iterator[CsvRow]:
    """Yield the rows of CSV that are not blank; a quoted field may go over several lines.

    A row whose lines together have more than `MAX_LINE_BYTES` bytes is an error, wherever it ends.
    """
    taken = _Taken()
    # The last line that was read, and whether it began within a quoted field.
    last, within = "", False

    def fed() -> Iterator[str]:
        nonlocal last, within
        for line in lines:
            within = taken.first > 0
            taken.add(line)
            if line.text is None or taken.is_long:
                # The row is an error, and of this line only where it ends matters.
                last = '"' if _goes_on(line.pieces, delimiter, within) != within else ""
            else:
                last = line.text + line.end
            yield last

    reader = csv.reader(fed(), strict=True, delimiter=delimiter)
    while True:
        taken = _Taken()
        fields: list[str] | None = None
        why: InputError | None = None
        try:
            with long_fields():
                fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = csv_fault(error, delimiter, taken.shown.split("\n"), taken.first)
            going_on = _goes_on([last.encode()], delimiter, within)
            while going_on and (line := next(lines, None)):
                taken.add(line)
                going_on = _goes_on(_bytes_of(line), delimiter, within=True)
            why = InputError(f"{taken.named} {fault}")
        # That a line cannot be read is the reason of all else.
        why = taken.why or why
        if taken.is_long:
            why = InputError(
                f"{taken.named} has more than {MAX_LINE_BYTES} bytes; close its quotation marks, "
                "or shorten it"
            )
        if taken.why or not is_blank(taken.shown):
            yield CsvRow(taken.first, None if why else fields, taken.shown, why)


def named_lines(first: int, last: int) -> str:
    """Name the lines that were read as one row, as they are where a quotation mark is missing."""
    return "it" if first == last else f"what is read as one row, lines {first} to {last},"


def _bytes_of(line: Line) -> Iterable[bytes]:
    return line.pieces if line.text is None else [(line.text + line.end).encode()]


def _goes_on(pieces: Iterable[bytes], delimiter: str, within: bool) -> bool:
    """Return whether a quoted field goes on after a line, as Python's csv has it if not strict.

    Parameters
    ----------
    pieces
        Of the line, with its end.
    within
        Whether the line begins within a quoted field.
    """
    sign = delimiter.encode()
    begin = sign + b'"'
    left = b"" if within else sign
    for piece in pieces:
        line, at, left = left + piece, 0, b""
        while at < len(line):
            if not within:
                at = line.find(begin, at)
                if at < 0:
                    left = sign if line.endswith(sign) else b""
                    break
                within, at = True, at + len(begin)
                continue
            at = line.find(b'"', at)
            after = line[at + 1 : at + 2]
            if at < 0 or not after:
                left = line[at:] if at >= 0 else b""
                break
            # Two are one of the field; after one alone, the field goes on without, or ends.
            within, at = (True, at + 2) if after == b'"' else (False, at + 1)
    return within and not left
