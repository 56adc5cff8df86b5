"""Sockets of connections: what the system keeps for clients that do not read it is bounded."""

import asyncio
import os
import socket
import struct
import sys
from asyncio import BaseProtocol, BaseTransport, Protocol, Transport, WriteTransport
from contextlib import suppress

# That the system takes of an answer before its client reads it; Linux takes twice as much memory.
# Without a bound it takes some megabytes of each, which nothing else counts. An answer that is as
# large takes as long as before on one machine, and on a network 256 KiB a round trip.
SEND_BYTES = 256 * 1024
# What a client reads is heard of once its system has room again for up to 128 KB: of one that
# reads 4 KB a second after 32 s. So what is in the system's hands has longer than what is in ours.
PATIENCE = 3
# Where Linux has the bytes that were acknowledged, in what it tells of a connection; and first the
# state: what it has when the client has closed it in order, or by a reset.
_INFO_BYTES, _ACKNOWLEDGED = 192, slice(120, 128)
_CLOSE_WAIT, _CLOSE = 8, 7


def bound(transport: BaseTransport, unread_seconds: float) -> None:
    """Bound what the system keeps for a client: in bytes, and on Linux in seconds unread.

    The seconds are PATIENCE times those. Both hold after an answer's end too, and after its
    connection was closed here. The connection is then reset, and lost here with TimeoutError.
    """
    raw = transport.get_extra_info("socket")
    # Head and body of an answer are two writes. Without this the second waits for the client's
    # acknowledgement of the first, which comes 40 ms later.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    if sys.platform == "linux":
        milliseconds = round(1000 * PATIENCE * unread_seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def acknowledged(transport: BaseTransport) -> int | None:
    """Return how many bytes a client's system has taken; None where this one does not say."""
    info = _info(transport)
    return int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder) if len(info) >= 128 else None


def is_ended(transport: BaseTransport) -> bool:
    """Return whether its client is known to have closed a connection, read to its end or not."""
    return _info(transport)[:1] in (bytes([_CLOSE_WAIT]), bytes([_CLOSE]))


def _info(transport: BaseTransport) -> bytes:
    """Return what Linux tells of a connection; nothing of one that is closed here, or elsewhere."""
    raw = transport.get_extra_info("socket")
    if sys.platform != "linux" or raw.fileno() < 0:
        return b""
    return bytes(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES))


def drop_unread(transport: BaseTransport, count: int) -> None:
    """Read and drop up to so many bytes that have arrived on a connection.

    The system resets one that is closed with bytes unread, and clients may lose the answer then.
    """
    with suppress(OSError):
        os.read(transport.get_extra_info("socket").fileno(), count)


class _Ended(Protocol):
    """Drops what still comes on a connection whose last answer is written."""

    def __init__(self, before: BaseProtocol) -> None:
        self._before = before

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)


def linger(transport: Transport, seconds: float) -> None:
    """Close a connection once its client does, or after some seconds; drop what comes till then.

    A client that goes on to send to one that is closed is reset, and may lose the last answer.
    """
    transport.set_protocol(_Ended(transport.get_protocol()))
    try:
        transport.write_eof()
    except OSError:  # so it has been reset already, and nobody reads an answer
        transport.abort()
        return
    transport.resume_reading()
    asyncio.get_running_loop().call_later(seconds, transport.close)


def reset(transport: WriteTransport) -> None:
    """Close a connection at once, and drop what is still kept for its client."""
    raw = transport.get_extra_info("socket")
    if raw.fileno() >= 0:
        # Else the system would go on to keep it, of a connection that is counted no more.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
