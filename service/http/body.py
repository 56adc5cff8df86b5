"""Bodies of requests, bounded in bytes, each and together, and in time while they arrive."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from service.engine.exceptions import BusyError

# So much of a refused body is read and dropped, so that its sender gets to read why.
DROPPED_BYTES = 32 * 2**20
# So little of each body is not counted among those of all: a small request is never refused
# because of large ones, and connections are bounded.
UNCOUNTED_BYTES = 2**16


class Bodies:
    """The bodies of all requests: so many bytes are held at once, from arrival to answer.

    What is made of a body takes several times as much memory, and each may be allowed by itself.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    def hold(self, more: int, own: int) -> None:
        """Count more bytes of a body that has `own` already; one that is alone has room.

        Raises
        ------
        BusyError
            If there is no room for them.
        """
        if self._held + more > self._max_bytes and self._held > own:
            raise BusyError(
                f"the requests that are being answered have bodies of {self._held} bytes, and at "
                f"most {self._max_bytes} are allowed at once; send it again later",
                retry_after=1.0,
            )
        self._held += more

    def release(self, count: int) -> None:
        """Count so many bytes no more."""
        self._held -= count


class Body:
    """Receives a body for the application, and knows whether all of it has come.

    Parameters
    ----------
    receive
        Of the server.
    max_bytes, seconds
        Bounds; a body that announces more bytes is not read at all.
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
        bodies: Bodies,
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._arrived = 0
        self._bodies = bodies
        self._held = 0
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
        if self._arrived > UNCOUNTED_BYTES:
            self._hold(self._arrived - self._held)
        return message

    def _hold(self, more: int) -> None:
        try:
            self._bodies.hold(more, self._held)
        except BusyError:
            # Now, or of many that arrive together none would have room.
            self.release()
            raise
        self._held += more

    def release(self) -> None:
        """Let others have its room: the request is answered."""
        self._bodies.release(self._held)
        self._held = 0

    async def drop(self) -> None:
        """Read and forget the rest of a body that is not wanted, if it is not long."""
        if self._announced > DROPPED_BYTES:
            return
        try:
            while not self.complete and self._arrived < DROPPED_BYTES:
                await self._next()
        except HTTPException:
            # Too slow to be waited for: the connection is closed then.
            return

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408, f"the body did not arrive within {self._seconds:g} seconds; send it faster"
            ) from None
        self._arrived += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        return message

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413,
            f"the body has more than the {self._max_bytes} bytes allowed here; split the request",
        )
