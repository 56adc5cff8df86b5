"""Meaning vectors that are never made twice: each is kept in a store by its text."""

import hashlib
from collections.abc import Sequence

import numpy as np

from similarity.arrays import Rows
from similarity.models.base import Advance
from similarity.storage.store import Store
from similarity.vectors.meaning import MeaningVectors
from similarity.vectors.scorer import Encode
from similarity.vectors.storage import fingerprint

VECTORS = "vectors"
# Vectors that are made and kept together: what a killed process does again, at most.
_TOGETHER = 512


def stored_encode(vectors: MeaningVectors, store: Store) -> Encode:
    """Return what gives the vectors of texts, from the store where it has them."""
    start = str(fingerprint(vectors)["id"]).encode()

    def encode(texts: Sequence[str], advance: Advance) -> Rows:
        # Also of those that are known: a text is refused whether or not it was read before.
        vectors.tokens(texts)
        keys = [hashlib.blake2b(start + text.encode(), digest_size=16).digest() for text in texts]
        rows = np.empty((len(texts), vectors.width), np.float32)
        found = store.get(keys)
        missing = [i for i, key in enumerate(keys) if key not in found]
        for i, key in enumerate(keys):
            if key in found:
                rows[i] = np.frombuffer(found[key], np.float32)
        advance(len(texts) - len(missing))
        for begin in range(0, len(missing), _TOGETHER):
            some = missing[begin : begin + _TOGETHER]
            rows[some] = vectors.encode([texts[i] for i in some], advance=advance)
            store.put(VECTORS, {keys[i]: rows[i].tobytes() for i in some})
        return rows

    return encode
