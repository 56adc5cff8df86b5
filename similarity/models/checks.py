"""What must hold of any model before its scores can be believed; every backend is checked alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import ModelError, TextTooLongError, WrongAnswerError
from similarity.law import Law
from similarity.models.base import LanguageModel, SampleRequest, ScoreRequest, TokenIds
from similarity.models.gaps import Gap, worst_gap

# What to do where scores of a model in this process depend on what they must not.
IN_PROCESS = "give another device; in float32 on a CPU rounding is least"
# Tokens of the longest text that is tried.
LONGEST = 512

# What is read after an image, to find out whether the image is seen: any tokens would do. Then its
# beginning alone: many tokens, since noise moves the mean over few by more.
AFTER_IMAGE: TokenIds = (5, 3, 4, 5, 3, 4, 5, 3)
FIRST_AFTER_IMAGE = AFTER_IMAGE[:4]

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
    """One check of a model: its name, what was found, and the error if the model fails it."""

    name: str
    found: str
    error: ModelError | None = None


def check_scores(model: LanguageModel, advice: str = IN_PROCESS) -> Iterator[Check]:
    """Check that scores are numbers, and depend on nothing but prefix and continuation.

    Parameters
    ----------
    advice
        What to do where they depend on something else.
    """
    requests = probe_requests(model)
    first = model.score(requests, Law())
    yield _check_range(first)
    again = model.score(requests, Law())
    yield _check_equal("scores twice", first, again, advice)
    backwards = model.score(_reversed(requests), Law())
    reordered = [row[::-1] for row in backwards[::-1]]
    yield _check_equal("scores in another order", first, reordered, advice)
    alone = [
        [
            model.score([replace(one, continuations=(ids,))], Law())[0][0]
            for ids in one.continuations
        ]
        for one in requests
    ]
    yield _check_equal("scores one at a time", first, alone, advice)
    yield _check_later(model, requests, first)


def check_use(model: LanguageModel) -> Iterator[Check]:
    """Check a model in use: what it samples, texts that are joined, and long texts."""
    for check in (_check_sampled, _check_joined, _check_long):
        try:
            yield check(model)
        except ModelError as error:
            yield Check("use", "the model failed", error)


def probe_requests(model: LanguageModel) -> list[ScoreRequest]:
    """Return two prefixes, one the beginning of the other, with some continuations of each."""
    room = model.info.context_length
    ids = model.encode(PARAGRAPH)[: max(2, room // 2)]
    continuations = tuple(
        model.encode_continuation(f" {text}")[: max(1, min(20, room // 4))] for text in ENDINGS
    )
    parts = (ids, ids[: max(1, len(ids) // 2)])
    return [ScoreRequest(prefix=part, continuations=continuations) for part in parts]


def _reversed(requests: Sequence[ScoreRequest]) -> list[ScoreRequest]:
    return [
        replace(request, continuations=request.continuations[::-1])
        for request in reversed(requests)
    ]


def _check_range(scores: Sequence[Sequence[LogProbs]]) -> Check:
    numbers = np.concatenate([scored for row in scores for scored in row])
    found = f"{numbers.mean():.3f} nats per token over {numbers.size} tokens"
    if np.isfinite(numbers).all() and numbers.max() < 1e-3:
        return Check("scores are log-probabilities", found)
    error = WrongAnswerError(f"the model's scores are not log-probabilities: {found}")
    return Check("scores are log-probabilities", found, error)


def _check_equal(
    name: str,
    first: Sequence[Sequence[LogProbs]],
    second: Sequence[Sequence[LogProbs]],
    advice: str,
) -> Check:
    worst = worst_gap(first, second)
    found = f"they differ by {worst}"
    if worst.is_rounding:
        return Check(name, found)
    wrong = f"{name} are not the same: {found}, and {worst.advice(advice)}"
    return Check(name, found, WrongAnswerError(wrong))


def _check_later(
    model: LanguageModel, requests: Sequence[ScoreRequest], first: Sequence[Sequence[LogProbs]]
) -> Check:
    """Check that tokens after a continuation do not change its score."""
    longer = [
        replace(request, continuations=tuple(ids + ids[::-1] for ids in request.continuations))
        for request in requests
    ]
    begun = [
        [scored[: len(ids)] for scored, ids in zip(row, request.continuations, strict=True)]
        for row, request in zip(model.score(longer, Law()), requests, strict=True)
    ]
    advice = "the model sees what comes later; give a causal language model"
    return _check_equal("scores with more behind", first, begun, advice)


def _check_sampled(model: LanguageModel) -> Check:
    """Check that sampled continuations have the log-probabilities that scoring gives them."""
    prefix = probe_requests(model)[1].prefix
    length = max(1, min(20, model.info.context_length // 4))
    (sampled,) = model.sample([SampleRequest(prefix=prefix, n=4, max_tokens=length, key=1)], Law())
    continuations = tuple(one.token_ids for one in sampled)
    (scored,) = model.score([ScoreRequest(prefix=prefix, continuations=continuations)], Law())
    known = [
        (one.log_probs, row)
        for one, row in zip(sampled, scored, strict=True)
        if one.log_probs is not None
    ]
    if not known:
        return Check("what is sampled", "scored again, as its own numbers are rounded otherwise")
    own, scored_again = zip(*known, strict=True)
    advice = "use another dtype"
    return _check_equal("the scores of what is sampled", [own], [scored_again], advice)


def _check_joined(model: LanguageModel) -> Check:
    """Count the pairs of texts whose tokens, one after the other, are those of both together."""
    joined = sum(
        model.encode(first) + model.encode_continuation(f" {second}")
        == model.encode(f"{first} {second}")
        for first, second in pairwise(ENDINGS)
    )
    opening = len(model.encode("a")) - len(model.encode_continuation("a"))
    return Check(
        "prefix and continuation",
        f"{joined} of {len(ENDINGS) - 1} pairs of texts have the tokens of both together; "
        f"{opening} tokens begin a text",
    )


def _check_long(model: LanguageModel) -> Check:
    """Check that a long text is read, and its end scored alike as prefix and as continuation."""
    name, limit = "long texts", model.info.context_length
    count = min(limit, LONGEST)
    ids = model.encode(PARAGRAPH * (1 + count // 50))[:count]
    end = max(1, min(20, len(ids) // 4))
    cuts = (len(ids) - end, len(ids) - 2 * end)
    requests = [ScoreRequest(prefix=ids[:cut], continuations=(ids[cut:],)) for cut in cuts]
    try:
        short, whole = (rows[0] for rows in model.score(requests, Law()))
    except TextTooLongError as error:
        return Check(name, str(error), WrongAnswerError(f"{error} (its settings say {limit})"))
    advice = "give another dtype, or texts that are not so long"
    check = _check_equal("the scores of long texts", [[short]], [[whole[end:]]], advice)
    return Check(name, f"read up to {len(ids)} tokens of {limit}; {check.found}", check.error)


def check_after_images(whole: LogProbs, begun: LogProbs, turned: LogProbs) -> None:
    """Check how a continuation scores after two images.

    Parameters
    ----------
    whole, turned
        Of a continuation after the one and after the other.
    begun
        Of its first tokens after the one.

    Raises
    ------
    WrongAnswerError
        If what is read later changes a score, or the image does not.
    """
    gap = Gap.between(whole[: len(begun)], begun)
    if not gap.is_rounding:
        raise WrongAnswerError(
            "what the model predicts after an image depends on what is read later: by "
            f"{gap}, and {gap.advice('take a causal language model')}"
        )
    if np.array_equal(whole, turned):
        raise WrongAnswerError("the model predicts the same after any image; it sees none")
