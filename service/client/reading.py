"""Answers that are read whole, within bounds: one that breaks off is requested again."""

import time
from collections.abc import Callable

import httpx

from service.client.errors import UnexpectedAnswerError
from service.client.reads import bound_reads, late, reads_within
from similarity.answering import answered_within, awaited_trace_of, compression_of, trace_of

# More than any answer of the service has by default.
MAX_BYTES = 256 * 2**20


class _Answer:
    """What has been read of an answer.

    Parameters
    ----------
    seconds
        For all of it to come: a time-out between two reads never ends what trickles in.
    """

    def __init__(self, response: httpx.Response, seconds: float) -> None:
        if (kind := compression_of(response)) is not None:
            raise UnexpectedAnswerError(
                f"it is compressed by {kind!r}, though it was asked not to be, so turn off "
                "compression in the gateway between"
            )
        self._response = response
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._content = bytearray()

    def add(self, part: bytes) -> None:
        """Take a part.

        Raises
        ------
        httpx.ReadTimeout
            If it is late.
        UnexpectedAnswerError
            If the answer has too many bytes.
        """
        self._content += part
        if len(self._content) > MAX_BYTES:
            raise UnexpectedAnswerError(f"it has more than {MAX_BYTES} bytes")
        if time.monotonic() > self._end:
            raise late(self._seconds)

    def whole(self) -> httpx.Response:
        """Return the answer, with its body."""
        of_sending = (b"content-encoding", b"content-length", b"transfer-encoding")
        # As bytes: httpx makes text of any, and bytes again of ASCII alone.
        raw = self._response.headers.raw
        headers = [(name, value) for name, value in raw if name.lower() not in of_sending]
        return httpx.Response(
            self._response.status_code,
            headers=headers,
            content=bytes(self._content),
            extensions=self._response.extensions,
        )


class ReadingTransport(httpx.BaseTransport):
    """Reads each answer before it is given back; the arguments are of the client's."""

    def __init__(self, transport: httpx.BaseTransport, seconds: float) -> None:
        bound_reads(transport)
        self._transport = transport
        self._seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer."""
        with reads_within(self._seconds) as begin:
            request.extensions["trace"] = trace_of(begin)
            response = self._transport.handle_request(request)
            begin()
            try:
                answer = _Answer(response, self._seconds)
                for part in response.iter_bytes():
                    answer.add(part)
            finally:
                response.close()
            return answer.whole()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class AsyncReadingTransport(httpx.AsyncBaseTransport):
    """Does what `ReadingTransport` does, and is awaited."""

    def __init__(self, transport: httpx.AsyncBaseTransport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer."""
        try:
            with answered_within(self._seconds) as begin:
                request.extensions["trace"] = awaited_trace_of(begin)
                return await self._answer(request, begin)
        except TimeoutError as error:
            raise late(self._seconds) from error

    async def _answer(self, request: httpx.Request, begin: Callable[[], None]) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        begin()
        try:
            answer = _Answer(response, self._seconds)
            async for part in response.aiter_bytes():
                answer.add(part)
        finally:
            await response.aclose()
        return answer.whole()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
