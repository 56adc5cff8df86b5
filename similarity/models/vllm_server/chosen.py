"""Log-probabilities of chosen next tokens, which a vLLM server tells without listing all others."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from similarity.arrays import LogProbs
from similarity.errors import BackendRefusedError, WrongAnswerError
from similarity.models.base import TokenIds
from similarity.models.checks import TOLERANCE, Check
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.wire import MAX_CHOSEN

T = TypeVar("T")

# Nats by which the one token that goes with each request may be off: in half precision a single
# token moves more than the mean over many.
TOKEN_TOLERANCE = 0.3
NAME = "chosen tokens"


async def tell_chosen(
    pool: Pool, identity: Identity, prefixes: Sequence[TokenIds], token_ids: Sequence[int]
) -> LogProbs:
    """Return log P(token | prefix), shape "prefix token" in nats, by one request.

    The probe's last token is asked for too, and its number believed to be the model's name.

    Parameters
    ----------
    token_ids
        MAX_CHOSEN − 1 at most.

    Raises
    ------
    WrongAnswerError
        If a number is missing or wrong, or the server has another model than before.
    """
    probe, (*before, last) = identity.probe, identity.probe.continuation
    asked_after = [(*probe.prefix, *before), *prefixes]
    asked = list(dict.fromkeys((last, *token_ids)))
    found = await pool.ask(
        wire.COMPLETIONS,
        lambda answer: wire.read_chosen(answer, len(asked_after), asked),
        wire.chosen_body(identity.name, asked_after, asked),
        tokens=sum(map(len, asked_after)),
    )
    drift = float(abs(found[0, 0] - identity.expected[-1]))
    if drift > TOKEN_TOLERANCE:
        raise WrongAnswerError(
            f"a server of {identity.name!r} tells another log-probability of a chosen token than "
            f"it scores, {drift:.2g} nats away; load the model anew"
        )
    return found[1:, [asked.index(token) for token in token_ids]]


async def check_chosen(pool: Pool, identity: Identity) -> tuple[bool, Check]:
    """Find out whether a server tells the log-probabilities of chosen tokens, rightly."""
    probe = identity.probe
    prefixes = [(*probe.prefix, *probe.continuation[:i]) for i in range(len(probe.continuation))]
    tokens = list(dict.fromkeys(probe.continuation))
    try:
        found = await tell_chosen(pool, identity, prefixes, tokens)
    except (BackendRefusedError, WrongAnswerError) as error:
        return False, Check(NAME, f"not told: {error}")
    own = [found[i, tokens.index(token)] for i, token in enumerate(probe.continuation)]
    drift = identity.drift(np.array(own))
    if drift > TOLERANCE:
        return False, Check(NAME, f"not used: {drift:.2g} nats from scored ones")
    return True, Check(NAME, f"told, {MAX_CHOSEN} a request, {drift:.2g} nats from scored ones")


def parts(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yield parts of at most `size` items."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def prefix_batches(
    prefixes: Sequence[TokenIds], max_tokens: int, max_prefixes: int
) -> Iterator[list[int]]:
    """Yield numbers of prefixes, about `max_tokens` tokens at a time."""
    batch: list[int] = []
    tokens = 0
    for number, prefix in enumerate(prefixes):
        if batch and (tokens + len(prefix) > max_tokens or len(batch) == max_prefixes):
            yield batch
            batch, tokens = [], 0
        batch.append(number)
        tokens += len(prefix)
    if batch:
        yield batch
