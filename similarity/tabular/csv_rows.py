"""The rows of CSV, one by one: one that is too long or damaged is one error, and costs no other."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

from similarity.errors import InputError
from similarity.prompts import is_blank
from similarity.tabular.dialects import csv_fault
from similarity.tabular.formats import MAX_LINE_BYTES
from similarity.tabular.lines import SHOWN_BYTES, Line
from similarity.tabular.strict_csv import WrongRow, goes_on, strict_rows


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

    def fed() -> Iterator[str]:
        for line in lines:
            within = taken.first > 0
            taken.add(line)
            if line.text is None or taken.is_long:
                # The row is an error, and of this line only where it ends matters.
                yield '"' if goes_on(line.pieces, delimiter, within) != within else ""
            else:
                yield line.text + line.end

    for found in strict_rows(fed(), delimiter):
        fields: list[str] | None = None
        why: InputError | None = None
        if isinstance(found, WrongRow):
            shown = taken.shown.split("\n")[: found.lines]
            fault = csv_fault(found.error, delimiter, shown, taken.first)
            why = InputError(f"{taken.named} {fault}")
        else:
            fields = found
        # That a line cannot be read is the reason of all else.
        why = taken.why or why
        if taken.is_long:
            why = InputError(
                f"{taken.named} has more than {MAX_LINE_BYTES} bytes; close its quotation marks, "
                "or shorten it"
            )
        if taken.why or not is_blank(taken.shown):
            yield CsvRow(taken.first, None if why else fields, taken.shown, why)
        taken = _Taken()


def named_lines(first: int, last: int) -> str:
    """Name the lines that were read as one row, as they are where a quotation mark is missing."""
    return "it" if first == last else f"what is read as one row, lines {first} to {last},"
