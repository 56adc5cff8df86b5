"""Answers that may be large: their arrays are written piece by piece, never whole in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from numpy.typing import NDArray
from starlette.responses import Response, StreamingResponse

CHUNK_BYTES = 2**16
JSON = "application/json"


@dataclass(frozen=True)
class JsonArray:
    """An array whose items are JSON already, and are made when they are written."""

    items: Iterable[bytes]

    def parts(self) -> Iterator[bytes]:
        """Give the array's bytes."""
        separator = b"["
        for item in self.items:
            yield separator
            yield item
            separator = b","
        yield b"[]" if separator == b"[" else b"]"


def json_answer(content: Mapping[str, Any]) -> Response:
    """Return an object as an answer; JsonArrays in it, or in its objects, are streamed if large."""
    return _streamed(_parts(content))


def json_list(items: JsonArray) -> Response:
    """Return an array as an answer, streamed if it is large."""
    return _streamed(items.parts())


def _streamed(parts: Iterator[bytes]) -> Response:
    chunks = _chunks(parts)
    first, second = next(chunks), next(chunks, None)
    if second is None:
        return Response(first, media_type=JSON)
    return StreamingResponse(_yielding(chain([first, second], chunks)), media_type=JSON)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def number_rows(rows: Iterable[NDArray[Any]]) -> JsonArray:
    """Return rows of numbers as an array of arrays, made when they are written."""
    return JsonArray(json_bytes(row.tolist()) for row in rows)


def _parts(content: Mapping[str, Any]) -> Iterator[bytes]:
    separator = b"{"
    for name, value in content.items():
        yield separator + json_bytes(name) + b":"
        if isinstance(value, JsonArray):
            yield from value.parts()
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
