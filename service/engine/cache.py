"""A bounded cache of what the model has answered: trajectories, log-probabilities, vectors."""

import hashlib
import threading
from collections.abc import Sequence
from typing import Literal

import numpy as np
from cachetools import LRUCache

from similarity.arrays import LogProbs, Rows
from similarity.images.image import Content, as_read, content_bytes
from similarity.law import Law
from similarity.models.base import Continuation, SampleRequest, TokenIds
from similarity.models.prefix import prefix_bytes

Stage = Literal["sample", "score", "embed", "states"]
# Of a sampled text its trajectories, of scored continuations their log-probabilities, of an
# embedded text its vector.
Answer = Sequence[Continuation | LogProbs | Rows]

# What CPython spends on a key and on each object around the numbers, about.
ENTRY_BYTES = 300
CONTINUATION_BYTES = 350
TOKEN_BYTES = 44


class Cache:
    """The answers used last, up to a size in bytes; safe to use from several threads.

    A text's trajectories are one entry; of scored continuations each is one. Their keys have the
    model's `changes`, so that what was computed before another model was found is not used again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._entries: LRUCache[bytes, Answer] = LRUCache(max_bytes, getsizeof=size_in_bytes)
        self._lock = threading.Lock()

    def get(self, stage: Stage, keys: Sequence[bytes]) -> Answer | None:
        """Return the whole answer if all of it is known; what is used stays longer."""
        if not keys:
            return None
        with self._lock:
            found = [entry for key in keys if (entry := self._entries.get(key)) is not None]
        if len(found) < len(keys):
            return None
        return found[0] if stage == "sample" else [row for entry in found for row in entry]

    def has(self, keys: Sequence[bytes]) -> bool:
        """Return whether the whole answer is known."""
        with self._lock:
            return all(key in self._entries for key in keys)

    def put(self, stage: Stage, keys: Sequence[bytes], answer: Answer) -> None:
        """Keep an answer, at the cost of those used longest ago; without keys forget it."""
        if not keys:
            return
        # Copies of rows, as a row may be a view that keeps the whole batch alive.
        entries = [answer] if stage == "sample" else [[np.array(row)] for row in answer]
        with self._lock:
            for key, entry in zip(keys, entries, strict=True):
                if size_in_bytes(entry) <= self._entries.maxsize:
                    self._entries[key] = entry

    @property
    def bytes_used(self) -> int:
        """Return the size of all entries, about."""
        return int(self._entries.currsize)


def sample_key(request: SampleRequest, law: Law, changes: int) -> bytes:
    """Return the key of a text's trajectories: all that they depend on, besides the model."""
    numbers = (request.start, request.n, request.max_tokens, request.key)
    return _digest(("sample", changes, law, *numbers), request.prefix)


def score_keys(
    prefix: TokenIds, continuations: Sequence[TokenIds], law: Law, changes: int
) -> tuple[bytes, ...]:
    """Return the keys of the continuations' log-probabilities after a prefix."""
    start = _digest(("score", changes, law), prefix)
    return tuple(_digest(start, continuation) for continuation in continuations)


def embed_key(content: Content, groups: Sequence[str], changes: int) -> bytes:
    """Return the key of the meaning vector, of these groups, of a text or an image."""
    begin = repr(("embed", changes, *groups)).encode()
    return hashlib.blake2b(begin + b"\0" + content_bytes(as_read(content)), digest_size=16).digest()


def size_in_bytes(entry: Answer) -> int:
    """Return about how much memory an entry takes."""
    size = ENTRY_BYTES
    for part in entry:
        if isinstance(part, Continuation):
            size += (
                CONTINUATION_BYTES + TOKEN_BYTES * len(part.token_ids) + 4 * len(part.text or "")
            )
        else:
            size += part.nbytes
    return size


def _digest(start: object, ids: TokenIds) -> bytes:
    begin = start if isinstance(start, bytes) else repr(start).encode()
    return hashlib.blake2b(begin + b"\0" + prefix_bytes(ids), digest_size=16).digest()
