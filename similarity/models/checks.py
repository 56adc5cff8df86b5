"""What must hold of any model before its scores can be believed; every backend is checked alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import ModelError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds

# Nats per token by which the scores of one continuation may differ from each other. Half
# precision in batches of other sizes differs by less; stale or misplaced numbers by far more.
TOLERANCE = 0.05

# Longer than a block of a prefix cache, so that a cache that is wrong has something to be
# wrong about.
PARAGRAPH = (
    "The harbour lay quiet in the early light. Two men were mending a net on the quay, and a dog "
    "slept beside them in the sun. A woman came down the steps with a basket of bread, stopped to "
    "talk about the weather, and went on towards the market. Later the boats came in, one after "
    "the other, and the gulls rose over the water. Nobody saw the boy who sat on the wall with a "
    "book on his knees. He read the same page again and again, looked up whenever a sail appeared "
    "at the mouth of the bay, and counted under his breath. By noon he had counted eleven boats, "
    "but not the blue one that he was waiting for. "
)
ENDINGS = (
    "It came at last when the sun was low.",
    "He closed the book and went home.",
    "The market was empty by then, and 3 gulls fought over a crust.",
    "Why did nobody tell him?",
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and the error if it will not do."""

    name: str
    found: str
    error: ModelError | None = None


def check_scores(model: LanguageModel) -> Iterator[Check]:
    """Check that scores are numbers, and depend on nothing but prefix and continuation."""
    requests = probe_requests(model)
    first = model.score(requests, Law())
    yield _check_range(first)
    again = model.score(requests, Law())
    yield _check_equal("scores twice", first, again)
    backwards = model.score(_reversed(requests), Law())
    yield _check_equal("scores in another order", first, [row[::-1] for row in backwards[::-1]])
    alone = [
        [model.score([_only(request, ids)], Law())[0][0] for ids in request.continuations]
        for request in requests
    ]
    yield _check_equal("scores one at a time", first, alone)


def probe_requests(model: LanguageModel) -> list[ScoreRequest]:
    """Return two prefixes, one the beginning of the other, with some continuations of each."""
    ids = model.encode(PARAGRAPH)[: model.info.context_length // 2]
    begin = model.encode("a")
    continuations = tuple(model.encode(text)[:20] for text in ENDINGS)
    bare = tuple(_without(begin, continuation) for continuation in continuations)
    return [ScoreRequest(prefix=part, continuations=bare) for part in (ids, ids[: len(ids) // 2])]


def worst_difference(
    first: Sequence[Sequence[LogProbs]], second: Sequence[Sequence[LogProbs]]
) -> float:
    """Return the largest mean difference of two scorings of a continuation, nats per token."""
    return max(
        float(np.abs(a - b).mean())
        for row, other in zip(first, second, strict=True)
        for a, b in zip(row, other, strict=True)
    )


def _without(begin: TokenIds, ids: TokenIds) -> TokenIds:
    """Return ids without the beginning of text that they share with another text."""
    shared = 0
    while shared < min(len(begin), len(ids) - 1) and begin[shared] == ids[shared]:
        shared += 1
    return ids[shared:]


def _reversed(requests: Sequence[ScoreRequest]) -> list[ScoreRequest]:
    return [
        ScoreRequest(prefix=request.prefix, continuations=request.continuations[::-1])
        for request in reversed(requests)
    ]


def _only(request: ScoreRequest, ids: TokenIds) -> ScoreRequest:
    return ScoreRequest(prefix=request.prefix, continuations=(ids,))


def _check_range(scores: Sequence[Sequence[LogProbs]]) -> Check:
    numbers = np.concatenate([scored for row in scores for scored in row])
    found = f"{numbers.mean():.3f} nats per token over {numbers.size} tokens"
    if np.isfinite(numbers).all() and numbers.max() < 1e-3:
        return Check("scores are log-probabilities", found)
    error = WrongAnswerError(f"the model's scores are not log-probabilities: {found}")
    return Check("scores are log-probabilities", found, error)


def _check_equal(
    name: str, first: Sequence[Sequence[LogProbs]], second: Sequence[Sequence[LogProbs]]
) -> Check:
    worst = worst_difference(first, second)
    found = f"they differ by {worst:.2g} nats per token"
    if worst <= TOLERANCE:
        return Check(name, found)
    error = WrongAnswerError(
        f"{name} are not the same: {found}; start a vLLM server with --no-enable-prefix-caching, "
        "or use another dtype"
    )
    return Check(name, found, error)
