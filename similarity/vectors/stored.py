"""Features that are never read twice: those of a text are kept in a store."""

import hashlib
from collections.abc import Sequence

import numpy as np

from similarity.images.image import Content, content_bytes
from similarity.models.base import OnProgress
from similarity.slices import slices
from similarity.storage.store import Store
from similarity.vectors.meaning import Features, MeaningVectors, in_batches
from similarity.vectors.scorer import Read
from similarity.vectors.storage import fingerprint

VECTORS = "vectors"
# Texts that are read and kept together: what a killed process does again, at most.
_TOGETHER = 512


def stored_read(vectors: MeaningVectors, store: Store) -> Read:
    """Return what gives the features of texts, from the store where it has them."""
    start = str(fingerprint(vectors)["id"]).encode()

    def read(texts: Sequence[Content], on_progress: OnProgress) -> Features:
        # Also of those that are known: a text is refused whether or not it was read before.
        vectors.tokens(texts)
        keys = [
            hashlib.blake2b(start + content_bytes(text), digest_size=16).digest() for text in texts
        ]
        found = store.get(keys)
        missing = [i for i, key in enumerate(keys) if key not in found]
        on_progress(len(texts) - len(missing))
        for some in slices(missing, _TOGETHER):
            new = vectors.packed(in_batches(vectors.read, [texts[i] for i in some], on_progress))
            fresh = {keys[i]: row.tobytes() for i, row in zip(some, new, strict=True)}
            store.put(VECTORS, fresh)
            found = {**found, **fresh}
        return vectors.unpacked(np.stack([np.frombuffer(found[key], np.float32) for key in keys]))

    return read
