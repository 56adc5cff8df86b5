"""Reading of files of xz, each of whose streams must be whole."""

import io
import lzma
from typing import Any, BinaryIO

# Packed bytes that are read at a time.
_CHUNK = 2**16


class XzReader(io.RawIOBase):
    """Unpacks a file of one or more streams, with zeros between them and at the end.

    `lzma.open` takes a later stream whose beginning is damaged for something else that may follow,
    and leaves out all that is in it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream: lzma.LZMADecompressor | None = lzma.LZMADecompressor()
        # Packed bytes that were read and not yet given to a stream.
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read up to as many bytes as the buffer has; return how many, 0 at the end.

        Raises
        ------
        lzma.LZMAError, EOFError
            If a stream is damaged, or ends too early.
        """
        found = self._unpacked(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _unpacked(self, most: int) -> bytes:
        while self._stream is not None or self._next_stream():
            stream = self._stream
            assert stream is not None
            packed = b""
            if stream.needs_input:
                packed, self._left = self._left or self._file.read(_CHUNK), b""
                if not packed:
                    raise EOFError("the file ends within a stream")
            found = stream.decompress(packed, most)
            if stream.eof:
                self._stream, self._left = None, stream.unused_data
            if found:
                return found
        return b""

    def _next_stream(self) -> bool:
        """Begin with the next stream; return whether there is one."""
        while packed := self._left or self._file.read(_CHUNK):
            self._left = packed.lstrip(b"\0")
            if self._left:
                self._stream = lzma.LZMADecompressor()
                return True
        return False


def open_xz(file: BinaryIO) -> BinaryIO:
    """Return what unpacks a file of xz."""
    return io.BufferedReader(XzReader(file))
