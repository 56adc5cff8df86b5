"""Standard streams as a process may be given them: closed, full, or of a narrow encoding."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from similarity.cli.stopping import ReaderGone

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# What messages call it, as the file name of an error.
STANDARD_OUTPUT = "standard output"


class _Output(FileIO):
    """Standard output: a failure to write it has its name, and what is left then is dropped."""

    _failed = False

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write what fits, and return its bytes."""
        # click tries by writing nothing what kind of stream it is, and ignores errors.
        if self._failed or not memoryview(content).nbytes:
            return memoryview(content).nbytes
        try:
            return super().write(content)
        except OSError as error:
            self._failed = True
            if error.errno == errno.EPIPE:
                # No OSError: rich ends the process at one, and click too, with the status 1.
                raise ReaderGone from error
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OSError(error.errno, why, STANDARD_OUTPUT) from error


class _Messages(FileIO):
    """Standard error: where it cannot be written, the work goes on without."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write what fits, and return its bytes."""
        try:
            return super().write(content)
        except OSError:
            return memoryview(content).nbytes


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let commands use the standard streams of the process, whatever those are.

    A closed standard input is empty. Standard output that cannot be written raises OSError with
    `STANDARD_OUTPUT` as its file name, or `ReaderGone` if its reader has ended. What its encoding
    lacks is escaped, as it always is on standard error. Streams that somebody else has put there
    are left.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    # In this order: each takes the lowest number that is free, which is its own.
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BufferedReader(FileIO(_nothing(os.O_RDONLY))))
    if sys.stdout is sys.__stdout__:
        # What is opened to read refuses to be written.
        sys.stdout = _text(_Output, sys.stdout, os.O_RDONLY)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Messages, sys.stderr, os.O_WRONLY, line_buffering=True)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def _nothing(flags: int) -> int:
    """Return an open file that has nothing, which processes that this one starts have too."""
    opened = os.open(os.devnull, flags)
    os.set_inheritable(opened, True)
    return opened


def _text(
    kind: type[FileIO], stream: TextIO | None, flags: int, line_buffering: bool = False
) -> TextIO:
    """Return a stream of text in the place of one, which is None if it is closed."""
    if stream is None:
        closed = BufferedWriter(kind(_nothing(flags), "wb"))
        return TextIOWrapper(closed, "utf-8", "backslashreplace", line_buffering=line_buffering)
    stream.flush()
    raw: Any = kind(stream.fileno(), "wb", closefd=False)
    given: Any = stream
    # Without buffers, as PYTHONUNBUFFERED has it.
    buffer = raw if given.write_through else BufferedWriter(raw)
    # The second is what the locale C gives, where what its encoding lacks is an error too.
    fails = given.errors in ("strict", "surrogateescape")
    errors = "backslashreplace" if fails else given.errors
    return TextIOWrapper(
        buffer,
        given.encoding,
        errors,
        line_buffering=given.line_buffering,
        write_through=given.write_through,
    )
