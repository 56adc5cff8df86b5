"""Reads of a client that waits, which an answer that trickles in cannot make endless.

httpx has a limit for each read alone. A thread's own deadline shortens the limits of all reads
that the thread makes on connections of httpx.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

# By the clock of `time.monotonic`, of what this thread sends at present; None of other senders.
_end: ContextVar[float | None] = ContextVar("end", default=None)


def late(seconds: float) -> httpx.ReadTimeout:
    """Return the error of an answer that has not come whole in so many seconds."""
    return httpx.ReadTimeout(f"the answer took more than {seconds:g} seconds")


@contextmanager
def reads_within(seconds: float) -> Iterator[Callable[[], None]]:
    """Give what starts the time in which all reads of this thread end, and starts it anew.

    Raises
    ------
    httpx.ReadTimeout
        If they do not.
    """

    def begin() -> None:
        _end.set(time.monotonic() + seconds)

    before = _end.set(None)
    try:
        yield begin
    finally:
        _end.reset(before)


def bound_reads(transport: httpx.BaseTransport) -> None:
    """Have the reads of a transport end in time; one that is not httpx's own is left as it is.

    Nothing public of httpx takes a network: the tests show that this place is the right one.
    """
    pool = getattr(transport, "_pool", None)
    if isinstance(pool, httpcore.ConnectionPool):
        network = pool._network_backend
        if not isinstance(network, _Network):
            pool._network_backend = _Network(network)


class _Network(httpcore.NetworkBackend):
    """Opens connections whose reads end in time."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host."""
        opened = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(opened)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a socket of this machine."""
        return _Stream(self._network.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait before another attempt to connect."""
        self._network.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads end in time."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at least one byte unless the connection has ended."""
        end = _end.get()
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                raise httpcore.ReadTimeout("the answer trickled in")
            timeout = left if timeout is None else min(left, timeout)
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Return the connection under TLS."""
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection by that name."""
        return self._stream.get_extra_info(info)
