"""Answers that are read whole, within bounds: one that breaks off is requested again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from service.client.errors import UnexpectedAnswerError

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
        self._response = response
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._content = bytearray()

    def add(self, part: bytes) -> None:
        """Take a part, unpacked.

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
            raise httpx.ReadTimeout(f"the answer took more than {self._seconds:g} seconds")

    def whole(self) -> httpx.Response:
        """Return the answer, with its body, which is not packed any more."""
        packed = ("content-encoding", "content-length", "transfer-encoding")
        headers = [(n, v) for n, v in self._response.headers.multi_items() if n not in packed]
        return httpx.Response(
            self._response.status_code,
            headers=headers,
            content=bytes(self._content),
            extensions=self._response.extensions,
        )


@contextmanager
def _unpacking() -> Iterator[None]:
    """Raise UnexpectedAnswerError where an answer is not packed as its headers say."""
    try:
        yield
    except httpx.DecodingError as error:
        # Unlike other errors of httpx here, it is of what came, not of what was sent.
        raise UnexpectedAnswerError(f"it is not packed as it says ({error})") from error


class ReadingTransport(httpx.BaseTransport):
    """Reads each answer before it is given back; the arguments are of the client's."""

    def __init__(self, transport: httpx.BaseTransport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer."""
        response = self._transport.handle_request(request)
        answer = _Answer(response, self._seconds)
        try:
            with _unpacking():
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
        response = await self._transport.handle_async_request(request)
        answer = _Answer(response, self._seconds)
        try:
            with _unpacking():
                async for part in response.aiter_bytes():
                    answer.add(part)
        finally:
            await response.aclose()
        return answer.whole()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
