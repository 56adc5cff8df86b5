"""A model that keeps in a store what it sampled and scored, so that nothing is computed twice."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields

import numpy as np

from similarity.arrays import LogProbs
from similarity.law import Law
from similarity.models.base import (
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    ignore_progress,
)
from similarity.models.prefix import ImageTokens, prefix_bytes
from similarity.models.revision import UNKNOWN_REVISION, identity
from similarity.models.wrapper import WrapperModel
from similarity.storage.store import Store
from similarity.version import __version__

TRAJECTORIES, LIKELIHOODS = "trajectories", "likelihoods"
# A call for more continuations is neither looked up nor kept: all pairs of many texts are of no use
# to others, and cost more on the disk than they save.
MOST_CONTINUATIONS = 50_000
# The key, in the header of a stored entry, of whether log-probabilities follow.
_HAS_LOG_PROBS = "told"
# Keeps values by their keys, of a kind.
_Keep = Callable[[str, Mapping[bytes, bytes]], None]


class StoredModel(WrapperModel):
    """Takes answers from the store where it has them, else from the wrapped model.

    The key of an answer is a digest of all that it depends on.

    A text's trajectories are one entry, and so are the log-probabilities of one continuation.
    """

    def __init__(self, wrapped: LanguageModel, store: Store) -> None:
        super().__init__(wrapped)
        self._store = store

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample the trajectories that are not in the store."""
        start = self._begin("continuations", law)
        keys = [_sample_key(start, request) for request in requests]
        found = self._store.get(list(dict.fromkeys(keys)))
        missing = {
            key: request for key, request in zip(keys, requests, strict=True) if key not in found
        }
        on_progress(len(requests) - len(missing))
        with keeping(self.wrapped, self._store) as keep:
            wanted = list(missing.values())
            sampled = self.wrapped.sample(wanted, law, on_progress) if missing else []
            fresh = dict(zip(missing, sampled, strict=True))
            keep(TRAJECTORIES, {key: _packed(rows) for key, rows in fresh.items()})
        return [fresh[key] if key in fresh else _unpacked(found[key]) for key in keys]

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score the continuations that are not in the store."""
        if sum(len(request.continuations) for request in requests) > MOST_CONTINUATIONS:
            return self.wrapped.score(requests, law, on_progress)
        start = self._begin("score", law)
        keys = [_score_keys(start, request) for request in requests]
        found = self._store.get(list(dict.fromkeys(key for row in keys for key in row)))
        known: dict[bytes, LogProbs] = {
            key: np.frombuffer(value, np.float64) for key, value in found.items()
        }
        remaining, remaining_keys = [], []
        for request, row in zip(requests, keys, strict=True):
            missing = {
                key: continuation
                for key, continuation in zip(row, request.continuations, strict=True)
                if key not in known
            }
            if missing:
                remaining_keys.append(list(missing))
                remaining.append(
                    ScoreRequest(prefix=request.prefix, continuations=tuple(missing.values()))
                )
        on_progress(len(requests) - len(remaining))
        with keeping(self.wrapped, self._store) as keep:
            scored = self.wrapped.score(remaining, law, on_progress) if remaining else []
            fresh = {
                key: np.asarray(log_probs, np.float64)
                for row, answers in zip(remaining_keys, scored, strict=True)
                for key, log_probs in zip(row, answers, strict=True)
            }
            keep(LIKELIHOODS, {key: row.tobytes() for key, row in fresh.items()})
        known |= fresh
        return [[known[key] for key in row] for row in keys]

    def _begin(self, what: str, law: Law) -> bytes:
        # Another version may sample or score otherwise, and is part of a fingerprint too.
        content = {"model": identity(self.info), "law": asdict(law), "version": __version__}
        return _key(what.encode(), content)


def can_be_stored(model: LanguageModel) -> bool:
    """Return whether a model's revision distinguishes it from others of its name."""
    return model.info.revision != UNKNOWN_REVISION


@contextmanager
def keeping(model: LanguageModel, store: Store) -> Iterator[_Keep]:
    """Give what keeps values of a kind; all are forgotten if another model is found meanwhile."""
    changes, kept = model.changes(), list[bytes]()

    def keep(kind: str, values: Mapping[bytes, bytes]) -> None:
        kept.extend(values)
        store.put(kind, values)

    try:
        yield keep
    finally:
        # Which of them the other one computed is not known.
        if model.changes() != changes:
            store.forget(kept)


def _key(start: bytes, content: Mapping[str, object]) -> bytes:
    line = json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(start + line, digest_size=16).digest()


def _sample_key(start: bytes, request: SampleRequest) -> bytes:
    content = {field.name: getattr(request, field.name) for field in fields(request)}
    if isinstance(request.prefix, ImageTokens):
        content["images"] = [image.digest for image in request.prefix.images]
    return _key(start, content)


def _score_keys(start: bytes, request: ScoreRequest) -> list[bytes]:
    begin = hashlib.blake2b(start, digest_size=16)
    begin.update(prefix_bytes(request.prefix))
    keys = []
    for continuation in request.continuations:
        whole = begin.copy()
        # The length, so that no prefix and continuation are taken for others.
        whole.update(len(request.prefix).to_bytes(8, "little") + prefix_bytes(continuation))
        keys.append(whole.digest())
    return keys


def _packed(continuations: Sequence[Continuation]) -> bytes:
    """Return continuations as a line of JSON, then their token ids and log-probabilities."""
    has_log_probs = all(one.log_probs is not None for one in continuations)
    header = {
        "lengths": [len(one.token_ids) for one in continuations],
        _HAS_LOG_PROBS: has_log_probs,
        "texts": [one.text for one in continuations],
        "ended": [one.ended for one in continuations],
    }
    ids = np.array([i for one in continuations for i in one.token_ids], np.int64)
    rows = [one.log_probs for one in continuations if has_log_probs and one.log_probs is not None]
    numbers = np.concatenate(rows) if rows else np.empty(0)
    return json.dumps(header).encode() + b"\n" + ids.tobytes() + numbers.tobytes()


def _unpacked(content: bytes) -> list[Continuation]:
    line, _, numbers = content.partition(b"\n")
    header = json.loads(line)
    count = sum(header["lengths"])
    ids = np.frombuffer(numbers, np.int64, count).tolist()
    has_log_probs = header[_HAS_LOG_PROBS]
    log_probs = np.frombuffer(numbers, np.float64, offset=8 * count) if has_log_probs else None
    continuations, start = [], 0
    for length, text, ended in zip(
        header["lengths"], header["texts"], header["ended"], strict=True
    ):
        part = slice(start, start := start + length)
        continuations.append(
            Continuation(
                token_ids=tuple(ids[part]),
                log_probs=None if log_probs is None else log_probs[part],
                ended=ended,
                text=text,
            )
        )
    return continuations
