"""Bodies of requests, bounded in bytes, each and together, and in time while they arrive.

What is fetched for a request counts with its body. What is made of a body takes several times as
much memory, and each may be allowed by itself: so all are bounded together, from arrival to answer.
"""

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from service.engine.exceptions import BusyError
from service.http.room import Room

# So much of a refused body is read and dropped, so that its sender gets to read why.
DROPPED_BYTES = 32 * 2**20
# So little of each is not counted among those of all: a small request is never refused
# because of large ones, and connections are bounded.
UNCOUNTED_BYTES = 2**16
# What arrives for longer makes room for others: else a few senders that never end would hold all
# of it again and again.
SLOW_SECONDS = 2.0
# A clock that rings so much too late shows that the process stood still, and read nothing.
STANDSTILL_SECONDS = 0.2


class Body:
    """Receives a body for the application, and knows whether all of it has come.

    Parameters
    ----------
    receive
        Of the server.
    max_bytes, seconds
        Bounds; a body that announces more bytes is not read at all.
    asks
        Says whether its sender waits to be told to send it (Expect: 100-continue).
    bodies
        Of all requests.
    """

    def __init__(
        self,
        receive: Receive,
        headers: Headers,
        *,
        max_bytes: int,
        seconds: float,
        bodies: Room,
        asks: Callable[[], bool] = lambda: False,
    ) -> None:
        self._receive = receive
        self._asks = asks
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._began = time.monotonic()
        self._end = self._began + seconds
        self._arrived = self._fetched = 0
        self._bodies = bodies
        # While more is waited for, and why that is given up.
        self._waiting: asyncio.Timeout | None = None
        self._refusal: BusyError | None = None
        self._announced = int(headers.get("content-length") or 0)
        self.ambiguous = "content-length" in headers and "transfer-encoding" in headers
        self.complete = not (self._announced or "transfer-encoding" in headers)

    async def receive(self) -> Message:
        """Return the next message.

        Raises
        ------
        HTTPException
            413 if the body is too large, 408 if it comes too slowly.
        BusyError
            If there is no room for it beside the bodies of other requests.
        """
        if self.complete:
            return await self._receive()
        if self._announced > self._max_bytes:
            raise self._too_large()
        message = await self._next()
        if self._arrived > self._max_bytes:
            raise self._too_large()
        if self._refusal is not None and not self.complete:
            # Another took its room as this part came.
            raise self._refusal
        self._hold()
        return message

    def hold_fetched(self, count: int) -> None:
        """Count so many bytes more, that were fetched for the request.

        Raises
        ------
        BusyError
            If there is no room for them beside what other requests have.
        """
        self._fetched += count
        self._hold()

    def _hold(self) -> None:
        count = self._arrived + self._fetched
        if count <= UNCOUNTED_BYTES:
            return
        try:
            self._bodies.hold(self, count)
        except BusyError:
            # Now, or of many that arrive together none would have room.
            self.release()
            raise

    def release(self) -> None:
        """Let others have its room: the request is answered."""
        self._bodies.release(self)

    @property
    def overdue(self) -> float:
        """Return for how many seconds more than SLOW_SECONDS it has been arriving."""
        return 0.0 if self.complete else time.monotonic() - self._began - SLOW_SECONDS

    def give_up(self, refusal: BusyError) -> None:
        """Wait for no more of it: who receives gets the refusal."""
        self._refusal = refusal
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def drop(self) -> None:
        """Read and forget the rest of a body that is not wanted, if it is sent and not long."""
        if self.complete or self._announced > DROPPED_BYTES or self._asks():
            return
        # It holds nothing any more, so nobody gives it up: that would end this answer.
        self.release()
        self._refusal = None
        try:
            while not self.complete and self._arrived < DROPPED_BYTES:
                await self._next()
        except HTTPException:
            # Too slow to be waited for: the connection is closed then.
            return

    async def _next(self) -> Message:
        message = None
        while message is None:
            left = 0.0 if self._refusal else max(0.0, self._end - time.monotonic())
            try:
                async with asyncio.timeout(left) as self._waiting:
                    message = await self._receive()
            except TimeoutError:
                self._expire()
            finally:
                self._waiting = None
        self._arrived += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        return message

    def _expire(self) -> None:
        """Refuse it, or give it the time again for which the process stood still."""
        refusal, self._refusal = self._refusal, None
        late = time.monotonic() - self._end
        if refusal or late < STANDSTILL_SECONDS:
            raise refusal or HTTPException(
                408, f"the body did not arrive within {self._seconds:g} seconds; send it faster"
            ) from None
        self._end = time.monotonic() + late

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413,
            f"the body has more than the {self._max_bytes} bytes allowed here; split the request",
        )
