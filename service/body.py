"""Bounds on a request's body, in bytes and in time, kept while it arrives."""

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


def bounded(receive: Receive, length: str | None, *, max_bytes: int, seconds: float) -> Receive:
    """Return a `receive` that raises HTTPException at a body too large (413) or slow (408).

    Parameters
    ----------
    length
        The header Content-Length: a body that says it is too large is not read at all.
    """
    end = time.monotonic() + seconds
    arrived = 0
    complete = False

    async def limited() -> Message:
        nonlocal arrived, complete
        if complete:
            return await receive()
        if length and int(length) > max_bytes:
            raise _too_large(max_bytes)
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408, f"the body did not arrive within {seconds:g} seconds; send it faster"
            ) from None
        arrived += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if arrived > max_bytes:
            raise _too_large(max_bytes)
        return message

    return limited


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(
        413, f"the body has more than the {max_bytes} bytes allowed here; split the request"
    )
