"""Answers over HTTP that are bounded: in time from their first byte on, and as they are sent.

A few bytes of a compressed answer may become many, so that none is asked for or unpacked.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import httpx

# What asks that an answer be not compressed.
AS_IT_IS: Mapping[str, str] = {"accept-encoding": "identity"}
# What httpcore calls the beginnings of the phases that a trickle could make endless. Connecting
# comes before them, and has a limit of its own.
_BEGINNINGS = (".send_request_headers.started", ".receive_response_headers.started")


def compression_of(response: httpx.Response) -> str | None:
    """Return how an answer is compressed, as its header says; None if it is not."""
    said = response.headers.get("content-encoding", "")
    kinds = [kind.strip().lower() for kind in said.split(",")]
    return None if all(kind in ("", "identity") for kind in kinds) else said[:40]


def trace_of(begin: Callable[[], None]) -> Callable[[str, Mapping[str, Any]], None]:
    """Return the extension "trace" of a request that calls `begin` at each of its phases."""

    def trace(event: str, _: Mapping[str, Any]) -> None:
        if event.endswith(_BEGINNINGS):
            begin()

    return trace


def awaited_trace_of(
    begin: Callable[[], None],
) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """Return that of an asynchronous client's request."""
    trace = trace_of(begin)

    async def awaited_trace(event: str, info: Mapping[str, Any]) -> None:
        trace(event, info)

    return awaited_trace


@contextmanager
def answered_within(seconds: float) -> Iterator[Callable[[], None]]:
    """Give what starts the time of an answer, and starts it anew, within an asynchronous function.

    The limits of httpx are between two reads, which one byte a second never exceeds.

    Raises
    ------
    TimeoutError
        If so many seconds pass after the last start.
    """
    with anyio.CancelScope() as scope:

        def begin() -> None:
            scope.deadline = anyio.current_time() + seconds

        yield begin
    if scope.cancelled_caught:
        raise TimeoutError
