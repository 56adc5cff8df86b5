"""Sockets of connections: what the system keeps for clients that do not read it is bounded."""

import socket
import struct
import sys
from asyncio import BaseTransport, WriteTransport

# That the system takes of an answer before its client reads it; Linux takes twice as much memory.
# Without a bound it takes some megabytes of each, which nothing else counts. An answer that is as
# large takes as long as before on one machine, and on a network 256 KiB a round trip.
SEND_BYTES = 256 * 1024


def bound(transport: BaseTransport, unread_seconds: float) -> None:
    """Bound what the system keeps for a client: in bytes, and on Linux in seconds unread.

    Those hold after an answer's end too, and after its connection was closed here. The connection
    is then reset, and lost here with TimeoutError.
    """
    raw = transport.get_extra_info("socket")
    # Head and body of an answer are two writes. Without this the second waits for the client's
    # acknowledgement of the first, which comes 40 ms later.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    if sys.platform == "linux":
        milliseconds = round(1000 * unread_seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def reset(transport: WriteTransport) -> None:
    """Close a connection at once, and drop what is still kept for its client."""
    raw = transport.get_extra_info("socket")
    if raw.fileno() >= 0:
        # Else the system would go on to keep it, of a connection that is counted no more.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
