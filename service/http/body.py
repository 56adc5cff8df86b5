"""A request's body, bounded in bytes and in time while it arrives."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

# So much of a refused body is read and dropped, so that its sender gets to read why.
DROPPED_BYTES = 32 * 2**20


class Body:
    """Receives a body for the application, and knows whether all of it has come.

    Parameters
    ----------
    receive
        Of the server.
    max_bytes, seconds
        Bounds; a body that announces more bytes is not read at all.
    """

    def __init__(
        self, receive: Receive, headers: Headers, *, max_bytes: int, seconds: float
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._arrived = 0
        self._announced = int(headers.get("content-length") or 0)
        self.ambiguous = "content-length" in headers and "transfer-encoding" in headers
        self.complete = not (self._announced or "transfer-encoding" in headers)

    async def receive(self) -> Message:
        """Return the next message.

        Raises
        ------
        HTTPException
            413 if the body is too large, 408 if it comes too slowly.
        """
        if self.complete:
            return await self._receive()
        if self._announced > self._max_bytes:
            raise self._too_large()
        message = await self._next()
        if self._arrived > self._max_bytes:
            raise self._too_large()
        return message

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
