"""The lines of a file, with their ends, held one at a time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import BinaryIO

from similarity.errors import InputError
from similarity.tabular.formats import MAX_LINE_BYTES
from similarity.tabular.values import no_text

# Of a line that is longer, what is shown.
SHOWN_BYTES = 1000
# Read at once: a line that may be, with its end.
_AT_ONCE = MAX_LINE_BYTES + 2
_LONE_RETURN = re.compile(rb"\r[^\n]")
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes
    ----------
    number
        From 1.
    text
        Without its end, or None where it cannot be read.
    shown
        What to show of it in a message.
    end
        How it ends: within quotation marks that is of the text.
    size
        Its bytes without the end; of one that is too long, more than a line may have.
    pieces
        All its bytes with the end, which can be taken once, and before the next line is.
    fault
        Why it cannot be read and what to do, as a sentence about it goes on; or "".
    """

    number: int
    text: str | None
    shown: str
    end: str
    size: int
    pieces: Iterable[bytes] = field(repr=False)
    fault: str = ""

    @property
    def error(self) -> InputError | None:
        """Return the error of what is this line alone; None where it can be read."""
        return InputError(f"the line {self.fault}") if self.fault else None

    @property
    def sampled(self) -> str | None:
        """Return it with its end, as a dialect is found by; None where it is too long."""
        return None if self.size > MAX_LINE_BYTES else self.shown + self.end


def read_lines(source: BinaryIO) -> Iterator[Line]:
    """Yield the lines of a file, as `byte_lines` parts them.

    Raises
    ------
    InputError
        If it is no text in UTF-8, as UTF-16 and archives are none.
    """
    for number, (given, rest) in enumerate(_in_pieces(source), 1):
        yield _line(number, without_mark(given) if number == 1 else given, rest)


def without_mark(content: bytes) -> bytes:
    """Return the beginning of a file without the byte-order mark of UTF-8.

    Raises
    ------
    InputError
        If it is no text in UTF-8, as UTF-16 and archives are none.
    """
    if why := no_text(content):
        raise InputError(f"it {why}")
    return content.removeprefix(_MARK)


def byte_lines(source: BinaryIO) -> Iterator[bytes]:
    r"""Yield each line of a file with its end, which is a line feed, maybe after a carriage return.

    Where the first line ends with a carriage return alone, as on old Macs, each of those ends a
    line too. In other files one is a character of its line. Of a line of more than
    `MAX_LINE_BYTES` bytes more than these are given, and maybe not all.
    """
    return (begin for begin, _ in _in_pieces(source))


def _line(number: int, given: bytes, rest: Iterator[bytes]) -> Line:
    content = given.removesuffix(b"\n").removesuffix(b"\r")
    end = given[len(content) :].decode() or "\n"
    text, shown, fault = None, "", ""
    if len(content) > MAX_LINE_BYTES:
        shown = content[:SHOWN_BYTES].decode(errors="backslashreplace")
        fault = f"has more than {MAX_LINE_BYTES} bytes; shorten it"
    else:
        try:
            shown = text = content.decode()
        except UnicodeDecodeError as error:
            shown = content.decode(errors="backslashreplace")
            fault = f"is not UTF-8 at byte {error.start + 1}; convert it to UTF-8"
    return Line(number, text, shown, end, len(content), chain([given], rest), fault)


def _in_pieces(source: BinaryIO) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Yield each line as its first bytes and what is left of it, which only a long one has."""
    pieces = iter(partial(source.readline, _AT_ONCE), b"")
    begin = next(pieces, b"")
    pieces = chain([begin] if begin else [], pieces)
    ends: tuple[bytes, ...] = (b"\n",)
    if _LONE_RETURN.search(begin):
        pieces, ends = _by_any_end(pieces), (b"\n", b"\r")
    for first in pieces:
        given = first
        while len(given) < _AT_ONCE and not given.endswith(ends) and (more := next(pieces, b"")):
            given += more
        rest = _rest(given, pieces, ends)
        yield given, rest
        for _ in rest:  # nobody wants it
            pass


def _rest(given: bytes, pieces: Iterator[bytes], ends: tuple[bytes, ...]) -> Iterator[bytes]:
    while given and not given.endswith(ends):
        given = next(pieces, b"")
        yield given


def _by_any_end(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Part pieces where a line ends."""
    left = b""
    for piece in pieces:
        # Of bytes, no other character ends a line.
        *whole, left = (left + piece).splitlines(keepends=True)
        yield from whole
        if not left.endswith(b"\r"):  # which a line feed may follow
            yield left
            left = b""
    if left:
        yield left
