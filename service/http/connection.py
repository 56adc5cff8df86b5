"""Connections: uvicorn's protocol, with limits for their number and for slow heads and readers."""

import asyncio
import secrets
import sys
import time
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from typing import cast

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.http.crowd import TOO_MANY, WAIT_SECONDS, Crowd
from service.http.descriptors import Connections
from service.http.problems import Problem, request_id_of
from service.http.sockets import acknowledged, bound, drop_unread, is_ended, linger, reset
from service.http.unreadable import HEAD_BYTES, answer_of, is_endless, skip_empty_lines, unreadable
from service.http.writing import UNREAD

# Read at a time, before other connections have their turn: what is sent as chunks of one byte each
# takes as long to read as thousands of times as much does otherwise.
READ_BYTES = 16 * 1024

# Between two looks at a client: whether it reads what is kept for it, and whether it is there.
LOOK_SECONDS = 0.5


def connection_class(
    head_seconds: float,
    write_seconds: float,
    answer_seconds: float,
    connections: Connections,
    on_failure: Callable[[str], None],
    on_refusal: Callable[[Problem, str], None],
) -> type[asyncio.Protocol]:
    """Return a protocol that closes connections that are too slow, or too many.

    Parameters
    ----------
    head_seconds
        For a request's head to arrive.
    write_seconds
        For a client to read what is buffered for it, some of it at a time.
    answer_seconds
        For a client to read all of an answer, once it has let it wait: until then it is kept.
    connections
        Beyond those served, that which has waited longest for the rest of a request is closed. So
        those that are opened and left, or send slowly, keep nobody out for long. Where none has
        waited, the request of one more is refused once it has come: whoever sends it then reads
        the answer. Beyond those told, one more is refused at once.
    on_failure
        Is told the code of each failure that no request is recorded with.
    on_refusal
        Is told of each refusal before there was a request, and its id.
    """
    crowd = Crowd(connections.served)

    class Connection(H11Protocol):
        _head_timer: TimerHandle | None = None
        _write_timer: TimerHandle | None = None
        _answer_timer: TimerHandle | None = None
        _end_timer: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._unread = bytearray()
            self._acknowledged: int | None = None
            self._read_at = time.monotonic()
            bound(transport, write_seconds)
            # For whoever finds that an answer will not be written whole.
            self.app_state = {
                **self.app_state,
                "abort": self._cut,
                "read": lambda: self._read_at,
                # For whoever would read the body: it may not have been sent yet.
                "asks_before_body": self._asks,
            }
            # Until the first byte of a request.
            self._silent = True
            if crowd.let_in(self):
                self._await_head()
                crowd.wait(self)
            elif len(self.connections) <= connections.served + connections.told:
                self.app_state["turned_away"] = True
                self._head_timer = self.loop.call_later(WAIT_SECONDS, self._refuse, TOO_MANY)
            else:
                drop_unread(transport, HEAD_BYTES)
                self._refuse(TOO_MANY)

        def _asks(self) -> bool:
            """Return whether the rest of a body waits for our word; to h11 none that has begun."""
            cycle = self.cycle
            return bool(cycle and cycle.waiting_for_100_continue and cycle.more_body)

        @property
        def _waits(self) -> bool:
            """Return whether the rest of a request is still to come."""
            return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

        def make_room(self) -> None:
            """Close it at once, as another has its place."""
            if self.cycle is not None and not self.cycle.response_started:
                # What the log and the metrics say of the request that has begun.
                self.cycle.scope["state"]["refused"] = TOO_MANY
            self._cut(TOO_MANY.code)

        def data_received(self, data: bytes) -> None:
            begun = bool(self._unread)
            self._unread += data
            if not begun:
                self._read_on()

        def _read_on(self) -> None:
            """Read some of what has arrived; no more arrives until all is read."""
            if self.transport.is_closing() or not self._unread:
                self._unread.clear()
                return
            part = bytes(self._unread[:READ_BYTES])
            self._read(part)
            del self._unread[: len(part)]
            if self._unread:
                self.transport.pause_reading()
                self.loop.call_soon(self._read_on)
            elif not self.flow.read_paused:
                self.transport.resume_reading()

        def _read(self, data: bytes) -> None:
            super().data_received(data)
            if not self._waits:
                crowd.stop_waiting(self)
            elif self._silent:
                # It has kept nobody waiting since: another second for the rest.
                crowd.wait(self)
            self._silent = False
            if self.conn.their_state is not h11.IDLE:
                self._stop_awaiting_head()
            elif self._head_timer is None:
                self._await_head()

        def _should_upgrade(self) -> bool:
            """Answer as if nothing had been offered: clients offer HTTP/2 with every request.

            For each of those uvicorn gives two warnings, and one says what to install.
            """
            return False

        def handle_events(self) -> None:
            skip_empty_lines(self.conn)
            super().handle_events()
            if is_endless(self.conn):
                self._refuse(unreadable(None, in_body=True))
            if self.flow.read_paused and self._end_timer is None:
                self._look_for_end()

        def _look_for_end(self) -> None:
            """Close it if its client has left: what is not read on does not come to its end."""
            self._end_timer = None
            if not self.flow.read_paused or self.transport.is_closing():
                return
            if is_ended(self.transport):
                reset(self.transport)
            else:
                self._end_timer = self.loop.call_later(LOOK_SECONDS, self._look_for_end)

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP as every other mistake is answered, and close."""
            in_body = self.cycle is not None and self.cycle.more_body
            # uvicorn calls this where it has caught h11's error.
            self._refuse(unreadable(sys.exception(), in_body=in_body))

        def _refuse(self, problem: Problem) -> None:
            """Answer in the place of the application, if it has not begun to, and close."""
            request_id = self._take_over(problem)
            if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.close()
                return
            self.transport.write(answer_of(self.conn, problem, request_id))
            if len(self.connections) <= connections.served + connections.told:
                crowd.leave(self)
                self._unread.clear()
                linger(self.transport, WAIT_SECONDS)
            else:
                self.transport.close()

        def _take_over(self, problem: Problem) -> str:
            """Have the application answer and read no more; return the id of the request."""
            if self.cycle is None or self.cycle.response_complete:
                request_id = secrets.token_hex(8)
                on_refusal(problem, request_id)
                return request_id
            state = self.cycle.scope["state"]
            if not self.cycle.response_started:
                # What the log and the metrics say of the request.
                state["refused"] = problem
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            return request_id_of(cast(Scope, self.cycle.scope))

        def pause_writing(self) -> None:
            super().pause_writing()
            self._await_reading()
            if self._answer_timer is None:
                self._answer_timer = self.loop.call_later(answer_seconds, self._give_up)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_awaiting_reading()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._stop_awaiting_answer()
            if self._waits:
                self._silent = True
                crowd.wait(self)
            # The next head may have begun to arrive while this answer was written.
            begun, _ = self.conn.trailing_data
            if begun and self.conn.their_state is h11.IDLE and self._head_timer is None:
                self._await_head()
            if self._write_timer is None and self.transport.get_write_buffer_size():
                self._await_reading()

        def connection_lost(self, exc: Exception | None) -> None:
            crowd.leave(self)
            self._stop_awaiting_head()
            self._stop_awaiting_reading()
            self._stop_awaiting_answer()
            if isinstance(exc, TimeoutError):
                # The system has given it up, as `bound` has it.
                self._note(UNREAD)
            super().connection_lost(exc)

        def _await_head(self, seconds: float = head_seconds) -> None:
            self._head_timer = self.loop.call_later(seconds, self._miss_head)

        def _miss_head(self) -> None:
            """Close it, once all that has come is read: the process may have stood still."""
            if self._unread:
                self._await_head(0)
            else:
                self.transport.close()

        def _stop_awaiting_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _await_reading(self) -> None:
            self._stop_awaiting_reading()
            self._read_at = time.monotonic()
            self._look_later()

        def _look_later(self) -> None:
            seconds = min(write_seconds, LOOK_SECONDS)
            self._write_timer = self.loop.call_later(seconds, self._check_reading)

        def _stop_awaiting_reading(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _stop_awaiting_answer(self) -> None:
            if self._answer_timer is not None:
                self._answer_timer.cancel()
                self._answer_timer = None

        def _check_reading(self) -> None:
            self._write_timer = None
            if not self.transport.get_write_buffer_size():
                return
            # What is buffered here becomes less only by large steps, and a slow client's late.
            before, self._acknowledged = self._acknowledged, acknowledged(self.transport)
            if before != self._acknowledged:
                self._read_at = time.monotonic()
            if time.monotonic() - self._read_at >= write_seconds:
                self._give_up()
            else:
                self._look_later()

        def _give_up(self) -> None:
            """Close it, as its client does not read what is kept for it."""
            self._cut(UNREAD)

        def _cut(self, code: str) -> None:
            """Close it at once, with a code that says why."""
            self._note(code)
            # Not `close`, which would wait for the buffer to be read.
            reset(self.transport)

        def _note(self, code: str) -> None:
            """Have the metrics, and the log where the request is not there yet, say why."""
            if self.cycle is None or self.cycle.response_complete:
                on_failure(code)
                return
            self.cycle.scope["state"]["code"] = code
            # Or uvicorn would report an answer that is not whole as a fault of the application.
            self.cycle.disconnected = True

    return Connection
