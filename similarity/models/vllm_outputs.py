"""What vLLM's engine is given at a time, and reads of what it gives for a prompt."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import WrongAnswerError
from similarity.models.base import Continuation, TokenIds
from similarity.models.top import TopTokens, listed_tokens

T = TypeVar("T")

# Requests handed to the engine at a time, which batches them itself: enough to fill it, few
# enough that progress is seen.
CHUNK = 1024


def chunks_of(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield CHUNK items at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def continuation_of(choice: Any) -> Continuation:
    """Return a sampled continuation."""
    return Continuation(token_ids=tuple(choice.token_ids), log_probs=None, text=choice.text)


def log_probs_of(listed: Any, ids: TokenIds) -> LogProbs:
    """Return log P(token | before) of a continuation, nats, or raise WrongAnswerError."""
    places = listed[-len(ids) :]
    scores = np.array(
        [place[token].logprob for token, place in zip(ids, places, strict=True)], dtype=np.float64
    )
    if not np.isfinite(scores).all():
        raise WrongAnswerError(
            "the engine gave log-probabilities that are not finite; load the model in another dtype"
        )
    return scores


def top_of(listed: Any, ids: TokenIds, k: int) -> TopTokens:
    """Return the k most probable next tokens at each token of a continuation."""
    places = [
        {token: found.logprob for token, found in place.items()} for place in listed[-len(ids) :]
    ]
    return listed_tokens(places, k)
