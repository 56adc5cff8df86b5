"""The log-probabilities of given continuations after given texts, token by token."""

from collections.abc import Sequence

from similarity.arrays import LogProbs
from similarity.errors import InputError
from similarity.law import Law
from similarity.models.base import LanguageModel, ScoreRequest, TokenIds
from similarity.scorer import Progress, no_progress


def scored(
    model: LanguageModel, conditionals: Sequence[tuple[str, str]], progress: Progress = no_progress
) -> list[LogProbs]:
    """Return log P(token | before) of the tokens of continuations after prefixes, nats.

    Parameters
    ----------
    conditionals
        Pairs of a prefix and its continuation.

    Raises
    ------
    InputError
        If prefix and continuation are too long for the model.
    """
    requests = []
    for prefix, continuation in conditionals:
        before: TokenIds = model.encode(prefix)
        ids = model.encode_continuation(continuation)
        if len(before) + len(ids) > model.info.context_length:
            text = max(prefix, continuation.strip(), key=len)
            raise InputError(
                f"the text that begins {text[:40]!r} is too long: the model takes "
                f"{model.info.context_length} tokens; shorten it",
                text,
            )
        requests.append(ScoreRequest(prefix=before, continuations=(ids,)))
    return [row for (row,) in model.score(requests, Law(), progress("scoring", len(requests)))]
