"""Answers that are being written: those that are read slowest make room for others."""

import math
import time
from collections.abc import Callable
from types import TracebackType

from starlette.types import Message, Scope, Send

from service.engine.exceptions import BusyError
from service.http.room import Room

# An answer of which nothing was read for longer makes room for others. A client's system tells of
# what is read by up to 128 KB at once, and nothing else does. So 26 KB a second are seen in time.
SLOW_SECONDS = 5.0
# In the log and the metrics, of an answer whose connection was closed as nobody read it.
UNREAD = "answer_not_read"


class Writing:
    """One answer, which counts among all from its first byte to its last.

    What it is made of is kept until then, and takes about as much memory at most.

    Parameters
    ----------
    size
        Bytes of the answer.
    """

    def __init__(self, scope: Scope, send: Send, size: int) -> None:
        self._send = send
        self._size = size
        self._room: Room = scope["app"].state.answers
        # Closes the connection at once and records why; None where the server has no way to.
        self._abort: Callable[[str], None] | None = scope["state"].get("abort")
        self._read = time.monotonic()
        # When the client was last seen to read, as the connection knows.
        self._seen: Callable[[], float] = scope["state"].get("read", lambda: -math.inf)

    def __enter__(self) -> "Writing":
        self._room.hold(self, self._size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._room.release(self)

    async def send(self, message: Message) -> None:
        """Send a part; that ends once its client has read the parts before it."""
        await self._send(message)
        self._read = time.monotonic()

    @property
    def overdue(self) -> float:
        """Return for how many seconds more than SLOW_SECONDS its client has read nothing."""
        if self._abort is None:
            return 0.0
        return time.monotonic() - max(self._read, self._seen()) - SLOW_SECONDS

    def give_up(self, refusal: BusyError) -> None:
        """Close its connection: an answer that has begun can be refused no more."""
        if self._abort is not None:
            self._abort(UNREAD)
