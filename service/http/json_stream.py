"""Answers that may be large: their arrays are written piece by piece, never whole in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from numpy.typing import NDArray
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.http.writing import Writing

CHUNK_BYTES = 2**16
JSON = "application/json"
# Of a number as Python writes it, with the comma: as -0.12345678901234567, at most about.
NUMBER_BYTES = 22


@dataclass(frozen=True)
class JsonArray:
    """An array whose items are JSON already, and are made when they are written.

    Parameters
    ----------
    size
        Bytes of the whole array, about, at most: known before the items are made.
    """

    items: Iterable[bytes]
    size: int

    @classmethod
    def of(cls, items: Collection[bytes]) -> Self:
        """Return an array of items that are at hand."""
        return cls(items, sum(map(len, items)) + len(items) + 1)

    def parts(self) -> Iterator[bytes]:
        """Give the array's bytes."""
        separator = b"["
        for item in self.items:
            yield separator
            yield item
            separator = b","
        yield b"[]" if separator == b"[" else b"]"


class JsonStream(StreamingResponse):
    """An answer that is written chunk by chunk, and counts among all that are being written.

    Parameters
    ----------
    size
        Bytes of all chunks, about, at most.
    """

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        super().__init__(_yielding(chunks), media_type=JSON)
        self.size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write it.

        Raises
        ------
        BusyError
            If there is no room for it beside other answers.
        """
        with Writing(scope, send, self.size) as writing:
            await super().__call__(scope, receive, writing.send)


def json_answer(content: Mapping[str, Any]) -> Response:
    """Return an object as an answer; JsonArrays in it, or in its objects, are streamed if large."""
    parts = list(_parts(content))
    size = sum(part.size if isinstance(part, JsonArray) else len(part) for part in parts)
    written = (part.parts() if isinstance(part, JsonArray) else (part,) for part in parts)
    return _streamed(chain.from_iterable(written), size)


def json_list(items: JsonArray) -> Response:
    """Return an array as an answer, streamed if it is large."""
    return _streamed(items.parts(), items.size)


def answer_size(answer: Response) -> int:
    """Return the bytes of an answer, about, at most."""
    return answer.size if isinstance(answer, JsonStream) else len(answer.body)


def in_chunks(answer: Response) -> Response:
    """Return an answer that is written chunk by chunk if it is large, as all of these are."""
    if isinstance(answer, JsonStream) or len(answer.body) <= CHUNK_BYTES:
        return answer
    whole = memoryview(answer.body)
    chunks = (bytes(whole[at : at + CHUNK_BYTES]) for at in range(0, len(whole), CHUNK_BYTES))
    return JsonStream(chunks, len(whole))


def _streamed(parts: Iterator[bytes], size: int) -> Response:
    chunks = _chunks(parts)
    first, second = next(chunks), next(chunks, None)
    if second is None:
        return Response(first, media_type=JSON)
    return JsonStream(chain([first, second], chunks), size)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def number_rows(rows: Iterable[NDArray[Any]], count: int) -> JsonArray:
    """Return rows of numbers as an array of arrays, made when they are written.

    Parameters
    ----------
    count
        Of all numbers.
    """
    return JsonArray((json_bytes(row.tolist()) for row in rows), NUMBER_BYTES * count)


def _parts(content: Mapping[str, Any]) -> Iterator[bytes | JsonArray]:
    separator = b"{"
    for name, value in content.items():
        yield separator + json_bytes(name) + b":"
        if isinstance(value, JsonArray):
            yield value
        elif isinstance(value, Mapping):
            yield from _parts(value)
        else:
            yield json_bytes(value)
        separator = b","
    yield b"{}" if separator == b"{" else b"}"


def _chunks(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Join parts to chunks of CHUNK_BYTES or somewhat more; the last may be shorter."""
    chunk = bytearray()
    for part in parts:
        chunk += part
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


async def _yielding(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        # Others get their turn between two chunks, also where the client reads at once.
        await asyncio.sleep(0)
