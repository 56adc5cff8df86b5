"""Log-probabilities of chosen next tokens, which a vLLM server gives without listing all others."""

import re
from collections.abc import Sequence, Set
from functools import partial
from typing import Any

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.errors import (
    BackendRefusedError,
    ModelChangedError,
    ModelError,
    RequestRefusedError,
    WrongAnswerError,
)
from similarity.models.base import OnProgress, TokenIds
from similarity.models.checks import Check
from similarity.models.gaps import TOLERANCE, Gap
from similarity.models.vllm_server import values, wire
from similarity.models.vllm_server.apart import check_different
from similarity.models.vllm_server.batches import prefix_batches
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.probing import Probing
from similarity.models.vllm_server.replica import TOO_MANY_LISTED, Replica
from similarity.models.vllm_server.vocabulary import NO_BIAS, checks_biases
from similarity.slices import slices

# Tokens whose log-probabilities one request may choose.
MAX_CHOSEN = 128
# Numbers that are listed in one answer, about: each takes some 75 bytes of JSON.
LISTED = 1 << 16
# The log-probabilities of fewer tokens may be the same after very different prompts, in half
# precision: then some of the probe's are chosen too.
TELLING = 16
NAME = "chosen tokens"
# What a server that does not know the field says of it, or of a request that it cannot validate.
_UNKNOWN_FIELD = re.compile(r"logprob|extra[ _]|unexpected|unrecognized|validat", re.IGNORECASE)


_MUST_KNOW = "it must know logprob_token_ids (vLLM 0.32 or later)"
_UNKNOWN = f"lists other tokens than were chosen; {_MUST_KNOW}"


class FieldUnknownError(WrongAnswerError):
    """A well-formed answer lists other tokens than the chosen, or none: the field was unknown."""


def chosen_body(
    model: str, prefixes: Sequence[TokenIds], token_ids: Sequence[int]
) -> dict[str, Any]:
    """Return the request for the log-probabilities of chosen next tokens, MAX_CHOSEN at most."""
    return {
        **wire.PLAIN,
        "model": model,
        "prompt": [list(prefix) for prefix in prefixes],
        "max_tokens": 1,
        "logprobs": len(token_ids),
        "logprob_token_ids": list(token_ids),
        "return_tokens_as_token_ids": True,
        "return_token_ids": True,
    }


def read_chosen(answer: Any, prefixes: Sequence[TokenIds], token_ids: Sequence[int]) -> LogProbs:
    """Return log P(token | prefix), shape "prefix token" in nats.

    Raises
    ------
    FieldUnknownError
        If other tokens are listed.
    WrongAnswerError
        If one is left out, is not finite, was clamped, or is no log-probability, if those after
        a prefix have more than all probability, if the answer is to other prefixes, or if it
        lists the numbers of another choice.
    """
    names = [f"token_id:{token}" for token in token_ids]
    choices = wire.completions_of(answer, prefixes)
    try:
        if all(choice.get("logprobs", {}) is None for choice in choices):
            raise FieldUnknownError(_UNKNOWN)
        listed = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
        places = [values.numbers(list(place.values())) for place in listed]
        # The token that is sampled is listed too, beside the chosen.
        if any(len(place.keys() - set(names)) > 1 for place in listed):
            values.check_places(places)
            raise FieldUnknownError(_UNKNOWN)
        rows = [[place[name] for name in names] for place in listed]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise WrongAnswerError(
            f"left out the log-probability of a chosen token; {_MUST_KNOW}"
        ) from error
    for choice, place in zip(choices, listed, strict=True):
        _check_own(choice, place, set(names))
    values.check_places(places)
    found = np.array(rows, np.float64).reshape(len(prefixes), len(names))
    check_different(prefixes, found, "log-probabilities")
    return found


def _check_own(choice: Any, place: Any, names: Set[str]) -> None:
    """Check that what a choice lists is of the token that it says that it sampled.

    Parameters
    ----------
    place
        What it lists: of the chosen tokens, and of that one.
    """
    ids = wire.given_ids(choice)
    values.check_listed(choice["logprobs"], ids)
    sampled = {f"token_id:{token}" for token in ids}
    if len(ids) != 1 or place.keys() | names != names | sampled:
        raise values.other_listed()


async def all_chosen(
    pool: Pool,
    probing: Probing,
    prefixes: Sequence[TokenIds],
    token_ids: Sequence[int],
    count: OnProgress,
) -> Rows:
    """Return log P(token | prefix), shape "prefix token" in nats, by as many requests as it takes.

    Parameters
    ----------
    count
        Called with the number of prefixes whose last request was answered.

    Raises
    ------
    WrongAnswerError
        If a number is missing or wrong.
    ModelChangedError
        If a server has another model than before.
    """
    columns = {token: place for place, token in enumerate(dict.fromkeys(token_ids))}
    rows = np.empty((len(prefixes), len(columns)), np.float32)
    of_columns = list(slices(list(columns), MAX_CHOSEN - 1))
    unfinished = [len(of_columns)] * len(prefixes)

    async def one(numbers: list[int], chosen: Sequence[int]) -> None:
        some = [prefixes[i] for i in numbers]
        found = await pool.call(
            lambda replica: _believed(replica, probing, some, chosen),
            tokens=sum(map(len, [probing.identity.probe.token_ids, *some])),
        )
        rows[np.ix_(numbers, [columns[token] for token in chosen])] = found
        for i in numbers:
            unfinished[i] -= 1
        count(sum(unfinished[i] == 0 for i in numbers))

    calls = [
        partial(one, numbers, chosen)
        for numbers in prefix_batches(prefixes, pool.config.request_tokens, LISTED // MAX_CHOSEN)
        for chosen in of_columns
    ]
    await gather(calls, pool.workers)
    return rows[:, [columns[token] for token in token_ids]]


async def _believed(
    replica: Replica, probing: Probing, prefixes: Sequence[TokenIds], token_ids: Sequence[int]
) -> LogProbs:
    """Return log P(token | prefix) of a server that is found to have the model as at loading."""
    identity = probing.identity
    drift, found = await _chosen_of(replica, identity, prefixes, token_ids)
    # One token tells little of a model: scores of a text tell more, and what has changed.
    await probing.confirm(replica)
    if drift.is_rounding and drift.mean > TOLERANCE:
        drift = await _probe_drift(replica, identity)
    if not drift.is_rounding:
        raise _changed(replica.url, identity.name, drift)
    return found


async def _chosen_of(
    replica: Replica, identity: Identity, prefixes: Sequence[TokenIds], token_ids: Sequence[int]
) -> tuple[Gap, LogProbs]:
    """Return log P(token | prefix), shape "prefix token" in nats, by one request.

    Before them stands the gap of the probe's last token, which is requested too.

    Parameters
    ----------
    token_ids
        MAX_CHOSEN − 1 at most.

    Raises
    ------
    WrongAnswerError
        If a number is missing or wrong.
    """
    probe, (*before, last) = identity.probe, identity.probe.continuation
    with_probe = [(*probe.prefix, *before), *prefixes]
    chosen = list(dict.fromkeys((last, *token_ids)))
    if len(chosen) < TELLING:
        chosen = list(dict.fromkeys((*chosen, *before)))
    tokens = sum(map(len, with_probe))

    def read(answer: Any) -> LogProbs:
        values.check_read(answer, tokens)
        return read_chosen(answer, with_probe, chosen)

    body = chosen_body(identity.name, with_probe, chosen)
    found = await replica.request(wire.COMPLETIONS, read, body)
    own = Gap.between(found[0, :1], identity.expected[-1:])
    return own, found[1:, [chosen.index(token) for token in token_ids]]


async def _probe_drift(replica: Replica, identity: Identity) -> Gap:
    """Return how far the probe's tokens, chosen, are from the scored: all, or the last alone.

    It is the gap that exceeds more what is allowed.
    """
    probe = identity.probe
    prefixes = [(*probe.prefix, *probe.continuation[:i]) for i in range(len(probe.continuation))]
    tokens = list(dict.fromkeys(probe.continuation))
    alone, found = await _chosen_of(replica, identity, prefixes, tokens)
    own = [found[i, tokens.index(token)] for i, token in enumerate(probe.continuation)]
    return max(identity.drift(np.array(own)), alone, key=lambda gap: gap.excess)


def _changed(url: str, name: str, drift: Gap) -> ModelChangedError:
    return ModelChangedError(
        f"{url} gives chosen tokens other log-probabilities as {name!r} than it scored at loading, "
        f"by {drift}, and {drift.advice('load the model anew')}"
    )


def _unlike_scored(url: str, name: str, drift: Gap) -> WrongAnswerError:
    """Return the error of a server at loading: no other model, its numbers are not believed yet.

    Log-probabilities that a sampling law has changed are such numbers.
    """
    return WrongAnswerError(
        f"{url} gives chosen tokens other log-probabilities as {name!r} than it scores, by "
        f"{drift}, and "
        f"{drift.advice(f'see whether it lists them under the right tokens, and {values.OWN_LAW}')}"
    )


async def check_chosen(pool: Pool, identity: Identity) -> tuple[str, Check]:
    """Find out why a server does not give the log-probabilities of chosen tokens; "" if it does.

    Which tokens are chosen depends on the size of the vocabulary, so that is to be found too.

    Raises
    ------
    BackendError, WrongAnswerError
        If it fails in another way than a server that does not know the field: the scores of the
        default preset must not depend on a failure that passes.
    """
    try:
        drift = await pool.call(lambda replica: _probe_drift(replica, identity))
    except (BackendRefusedError, FieldUnknownError) as error:
        if not _is_unknown(error):
            raise
        return str(error), Check(NAME, f"not given: {error}")
    wrong: ModelError | None = None
    if not drift.is_rounding:
        wrong = _unlike_scored(pool.replicas[0].url, identity.name, drift)
    if wrong is None and not await checks_biases(pool, identity.name, identity.probe):
        return NO_BIAS, Check(NAME, f"not used: {NO_BIAS}")
    said = f"given, {MAX_CHOSEN} a request, {drift.mean:.2g} nats from scored ones"
    return "", Check(NAME, said, wrong)


def _is_unknown(error: BackendRefusedError | FieldUnknownError) -> bool:
    """Return whether a server said that it does not know the field, or cannot list so many."""
    said = str(error)
    if isinstance(error, RequestRefusedError):
        return _UNKNOWN_FIELD.search(said) is not None
    return isinstance(error, FieldUnknownError) or TOO_MANY_LISTED in said
