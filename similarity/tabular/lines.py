"""The lines of a file, with their ends, held one at a time."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import BinaryIO

from similarity.tabular.formats import MAX_LINE_BYTES

# Read at once: a line that may be, and what shows that one is longer.
_AT_ONCE = MAX_LINE_BYTES + 1
_LONE_RETURN = re.compile(rb"\r[^\n]")


def byte_lines(source: BinaryIO) -> Iterator[bytes]:
    r"""Yield each line of a file with its end, which is a line feed, maybe after a carriage return.

    Where the first line ends with a carriage return alone, as on old Macs, each of those ends a
    line too. In other files one is a character of its line. Of a line of more than
    `MAX_LINE_BYTES` bytes more than these are given, and maybe not all.
    """
    pieces = iter(partial(source.readline, _AT_ONCE), b"")
    begin = next(pieces, b"")
    pieces = chain([begin] if begin else [], pieces)
    return _by_any_end(pieces) if _LONE_RETURN.search(begin) else _by_feeds(pieces)


def _by_feeds(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for line in pieces:
        yield line
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = next(pieces, b"")


def _by_any_end(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        # Of bytes, no other character ends a line.
        *whole, left = (left + piece).splitlines(keepends=True)
        yield from whole
        if left.endswith(b"\n"):
            yield left
            left = b""
        elif not left.endswith(b"\r"):  # which a line feed may follow
            left = left[:_AT_ONCE]
    if left:
        yield left
