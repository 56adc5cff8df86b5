"""A connection: uvicorn's protocol, with limits for slow heads and for clients that do not read."""

import asyncio
import socket
from asyncio import TimerHandle, Transport

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def connection_class(head_seconds: float, write_seconds: float) -> type[asyncio.Protocol]:
    """Return a protocol that closes connections that are too slow.

    Parameters
    ----------
    head_seconds
        For a request's head to arrive.
    write_seconds
        For a client to read what is buffered for it, about 64 KiB at a time.
    """

    class Connection(H11Protocol):
        _head_timer: TimerHandle | None = None
        _write_timer: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # Head and body of an answer are two writes. Without this the second waits for the
            # client's acknowledgement of the first, which comes 40 ms later.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_awaiting_head()
            elif self._head_timer is None:
                self._await_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._await_reading()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_awaiting_reading()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            # The next head may have begun to arrive while this answer was written.
            begun, _ = self.conn.trailing_data
            if begun and self.conn.their_state is h11.IDLE and self._head_timer is None:
                self._await_head()
            if self._write_timer is None and self.transport.get_write_buffer_size():
                self._await_reading()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_awaiting_head()
            self._stop_awaiting_reading()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            self._head_timer = self.loop.call_later(head_seconds, self.transport.close)

        def _stop_awaiting_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _await_reading(self) -> None:
            self._stop_awaiting_reading()
            self._write_timer = self.loop.call_later(write_seconds, self._abort_if_unread)

        def _stop_awaiting_reading(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _abort_if_unread(self) -> None:
            self._write_timer = None
            if self.transport.get_write_buffer_size():
                # Not `close`, which would wait for the buffer to be read.
                self.transport.abort()

    return Connection
