"""The rows of CSV as Python's csv has them if strict; after one that is none, the next row is read.

Such a row ends where it would if its mistakes were letters: what stands within its quotation marks
is never taken for a row.
"""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from similarity.tabular.formats import MAX_LINE_BYTES


@dataclass(frozen=True)
class WrongRow:
    """A row that is not CSV.

    Attributes
    ----------
    error
        What Python's csv says of it.
    lines
        How many of its lines show that. It may have more.
    """

    error: csv.Error
    lines: int


def strict_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str] | WrongRow]:
    """Yield the fields of each row; a blank row has none.

    Parameters
    ----------
    lines
        With their ends. When a row is yielded, its own lines are taken and none after them.
    delimiter
        What parts fields.
    """
    last, count = "", 0

    def fed() -> Iterator[str]:
        nonlocal last, count
        for last in lines:
            count += 1
            yield last

    ahead = fed()
    reader = csv.reader(ahead, strict=True, delimiter=delimiter)
    while True:
        count = 0
        try:
            with _long_fields():
                fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong = WrongRow(error, count)
            within = goes_on([last.encode()], delimiter, within=count > 1)
            while within and (line := next(ahead, None)) is not None:
                within = goes_on([line.encode()], delimiter, within=True)
            yield wrong
        else:
            yield fields


def goes_on(pieces: Iterable[bytes], delimiter: str, within: bool) -> bool:
    """Return whether a quoted field goes on after a line, as Python's csv has it if not strict.

    Parameters
    ----------
    pieces
        Of the line, with its end.
    delimiter
        What parts fields.
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


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let a field of CSV be as long as a line may be; the limit is the process's."""
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
