"""A server whose answers trickle in: a few bytes at a time, without end."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What is sent at once, and what follows again and again; by what trickles.
TRICKLES = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "header": (b"HTTP/1.1 200 OK\r\nX-a: ", b"a"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
}
PAUSE = 0.02


def _serve(connection: socket.socket, first: bytes, drip: bytes) -> None:
    with suppress(OSError), connection:
        if connection.recv(2**16).startswith(b"CONNECT "):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            connection.recv(2**16)
        connection.sendall(first)
        while True:
            connection.sendall(drip)
            time.sleep(PAUSE)


@contextmanager
def trickling(what: str, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer every request so, also as a proxy; give host and port."""
    listening = socket.create_server(("127.0.0.1", 0))
    if context is not None:
        listening = context.wrap_socket(listening, server_side=True)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            threading.Thread(target=_serve, args=(connection, *TRICKLES[what]), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"localhost:{listening.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
