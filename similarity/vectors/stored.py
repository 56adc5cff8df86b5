"""Keeps the features of texts in a store, so that no text is read twice."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from similarity.images.image import Content, as_read, content_bytes
from similarity.models.base import OnProgress, ignore_progress
from similarity.models.stored import can_be_stored, keeping
from similarity.slices import slices
from similarity.storage.store import Store
from similarity.vectors.meaning import Features, MeaningVectors, in_batches
from similarity.vectors.storage import fingerprint

VECTORS = "vectors"
# Texts that are read and kept together: what a killed process does again, at most.
_TOGETHER = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredVectors(MeaningVectors):
    """Meaning vectors that take the features of texts from a store where it has them."""

    store: Store

    def read(self, texts: Sequence[Content], on_progress: OnProgress = ignore_progress) -> Features:
        """Return the features of texts, by group; raises InputError as `encode` does."""
        # Also of those that are known: a text is refused whether or not it was read before.
        self.tokens(texts)
        start = str(fingerprint(self)["id"]).encode()
        keys = [
            hashlib.blake2b(start + content_bytes(as_read(text)), digest_size=16).digest()
            for text in texts
        ]
        found = self.store.get(keys)
        missing = [i for i, key in enumerate(keys) if key not in found]
        on_progress(len(texts) - len(missing))
        with keeping(self.model, self.store) as keep:
            for some in slices(missing, _TOGETHER):
                new = self.packed(in_batches(super().read, [texts[i] for i in some], on_progress))
                fresh = {keys[i]: row.tobytes() for i, row in zip(some, new, strict=True)}
                keep(VECTORS, fresh)
                found = {**found, **fresh}
        return self.unpacked(np.stack([np.frombuffer(found[key], np.float32) for key in keys]))


def stored(vectors: MeaningVectors, store: Store | None) -> MeaningVectors:
    """Return vectors that keep features in the store, and so read no text twice.

    Without a store, or if the revision of the model is unknown, the given vectors are returned.
    """
    if store is None or not can_be_stored(vectors.model):
        return vectors
    same = {field.name: getattr(vectors, field.name) for field in fields(MeaningVectors)}
    return StoredVectors(**same, store=store)
