"""States before the output head, which vLLM servers give that pool the last token.

Token ids go to them, never strings. Each request says that states keep their length, whatever the
server was started with.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.errors import ModelChangedError, WrongAnswerError
from similarity.models.base import OnProgress, TokenIds
from similarity.models.checks import STATE_TOLERANCE, worst_drift
from similarity.models.vllm_server import values
from similarity.models.vllm_server.batches import prefix_batches
from similarity.models.vllm_server.config import ServerAddress
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import (
    SHORT_PROBE,
    ServedName,
    identify_name,
    probe_tokens,
)
from similarity.models.vllm_server.pool import Pool

EMBEDDINGS = "/v1/embeddings"
# States of one answer: a megabyte or two at the usual widths.
MOST_STATES = 256
# How many times shorter or longer than those of a paragraph's beginnings states may be: those of
# the embedded model differ by 8 %, and other models may have more.
LENGTH_FACTOR = 10.0
# The part of its tokens in which a prompt differs from another that cannot have the same state.
LEAST_APART = 1 / 8


@dataclass(frozen=True, kw_only=True)
class PooledIdentity(ServedName):
    """What makes two servers, or one server twice, give the same states.

    Parameters
    ----------
    paragraph
        Tokens that were looked at.
    walk
        The states after each of the paragraph's beginnings, the shortest first: shape
        "beginning width".
    revision
        A digest that differs for another model.
    """

    paragraph: TokenIds
    walk: Rows
    revision: str

    @property
    def beginnings(self) -> list[TokenIds]:
        """Return the beginnings of the paragraph that `walk` has the states of."""
        first = len(self.paragraph) - len(self.walk) + 1
        return [self.paragraph[:end] for end in range(first, len(self.paragraph) + 1)]

    @property
    def probe(self) -> TokenIds:
        """Return the beginning that goes with every request: servers may be started anew."""
        return self.beginnings[self._place]

    def drift(self, state: Rows) -> float:
        """Return how far the probe's state is from the first one, in parts of its length."""
        return worst_drift(state[None], self.walk[[self._place]])

    @property
    def lengths(self) -> tuple[float, float]:
        """Return the least and the greatest length of the states of the walk."""
        lengths = np.linalg.norm(self.walk.astype(np.float64), axis=1)
        return float(lengths.min()), float(lengths.max())

    @property
    def _place(self) -> int:
        return min(SHORT_PROBE, len(self.walk)) - 1


def states_body(model: str, prefixes: Sequence[TokenIds]) -> dict[str, Any]:
    """Return the request for the states after prefixes, at their own length."""
    return {
        "model": model,
        "input": [list(prefix) for prefix in prefixes],
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
        "use_activation": False,
    }


def read_states(answer: Any, count: int) -> Rows:
    """Return the states of an answer, shape "prefix width".

    Raises
    ------
    WrongAnswerError
        If there are not so many in order, or one is of another width, 0 or not finite.
    """
    try:
        data = values.listed(answer["data"])
        numbers = [one["index"] for one in data]
        rows = [
            np.frombuffer(base64.b64decode(one["embedding"], validate=True), "<f4") for one in data
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(
            "gave no list of states in base64; it must know embed_dtype, as vLLM 0.32 does"
        ) from error
    if numbers != list(range(count)):
        raise WrongAnswerError(f"gave {len(numbers)} states, or in another order, for {count}")
    if len({len(row) for row in rows}) > 1:
        raise WrongAnswerError("gave states of different widths; is it the pooling of one token?")
    states = np.array(rows, np.float32)
    if not (np.isfinite(states).all() and states.any(axis=1).all()):
        raise WrongAnswerError(
            "gave states that are zero or not finite; serve the model in another dtype"
        )
    return states


def check_apart(prefixes: Sequence[TokenIds], states: Rows, lengths: tuple[float, float]) -> None:
    """Check that prefixes that differ much have different states, of lengths that may be.

    Parameters
    ----------
    lengths
        The least and the greatest of a paragraph's beginnings.

    Raises
    ------
    WrongAnswerError
        If two have one state, or one is far shorter or longer than those.
    """
    first: dict[bytes, TokenIds] = {}
    for prefix, state in zip(prefixes, states, strict=True):
        if _much_apart(first.setdefault(state.tobytes(), prefix), prefix):
            raise WrongAnswerError(
                "gave two different prompts the same state; does something between repeat answers "
                "or cut prompts?"
            )
    found = np.linalg.norm(states.astype(np.float64), axis=1)
    least, most = lengths[0] / LENGTH_FACTOR, lengths[1] * LENGTH_FACTOR
    if found.min() < least or found.max() > most:
        raise WrongAnswerError(
            f"gave a state of length {found.min():.3g} to {found.max():.3g}, and from {least:.3g} "
            f"to {most:.3g} are possible after those at loading; does something change its answers?"
        )


def _much_apart(one: TokenIds, other: TokenIds) -> bool:
    """Return whether what differs between two prompts is more than a few of their tokens.

    By a token far before the end a state may differ less than rounding shows.
    """
    same = _alike(one, other)
    same += _alike(one[same:][::-1], other[same:][::-1])
    longest = max(len(one), len(other))
    return longest - same > LEAST_APART * longest


def _alike(one: TokenIds, other: TokenIds) -> int:
    """Return how many tokens are the same at the beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


async def identify_pooling(pool: Pool, address: ServerAddress) -> PooledIdentity:
    """Return the identity of a server that pools; raises as `identify_name` does."""
    served = await identify_name(pool, address)
    paragraph, start = await probe_tokens(pool, served)
    beginnings = [paragraph[:end] for end in range(start, len(paragraph) + 1)]
    walk = await request_states(pool, served.name, beginnings)
    revision = served.revision_of("states", _named_by(walk), address.revision)
    probe = (EMBEDDINGS, states_body(served.name, beginnings[:1]))
    served = replace(served, wanted=replace(served.wanted, probe=probe))
    return PooledIdentity(**vars(served), paragraph=paragraph, walk=walk, revision=revision)


def _named_by(walk: Rows) -> tuple[float, float]:
    """Return two numbers of order 1 that name a model by its states.

    Every coordinate of their directions moves the first. The second is the logarithm of their
    length, on which scores depend too.
    """
    rows = walk.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    signs = np.where(np.arange(walk.shape[1]) % 2, -1.0, 1.0)
    return float((rows @ signs / lengths).mean()), float(np.log(lengths).mean())


def same_states(first: PooledIdentity, second: PooledIdentity) -> bool:
    """Return whether two servers hold one model."""
    return (first.name, first.tokenizer, first.begin, first.paragraph) == (
        second.name,
        second.tokenizer,
        second.begin,
        second.paragraph,
    ) and worst_drift(second.walk, first.walk) <= STATE_TOLERANCE


async def request_states(
    pool: Pool,
    name: str,
    prefixes: Sequence[TokenIds],
    check: Callable[[Rows], None] = lambda _states: None,
) -> Rows:
    """Return the states after some prefixes, shape "prefix width", by one request.

    What `check` raises of them is an error of the server that gave them.
    """
    tokens = sum(map(len, prefixes))

    def checked(answer: Any) -> Rows:
        values.check_read(answer, tokens)
        states = read_states(answer, len(prefixes))
        check(states)
        return states

    return await pool.request(
        EMBEDDINGS,
        checked,
        states_body(name, prefixes),
        tokens=tokens,
    )


async def all_states(
    pool: Pool, identity: PooledIdentity, prefixes: Sequence[TokenIds], count: OnProgress
) -> Rows:
    """Return the states after prefixes, shape "prefix width", by as many requests as it takes.

    Parameters
    ----------
    count
        Called with the number of prefixes of each request that was answered.

    Raises
    ------
    ModelChangedError
        If a server has another model than before.
    """
    states = np.empty((len(prefixes), identity.walk.shape[1]), np.float32)
    lengths = identity.lengths

    def check(sent: Sequence[TokenIds], found: Rows) -> None:
        if (drift := identity.drift(found[0])) > STATE_TOLERANCE:
            raise ModelChangedError(
                f"has another model than before as {identity.name!r}: its state of one text is "
                f"{drift:.2g} of its length away; serve the old one, or load this one anew"
            )
        check_apart(sent, found, lengths)

    async def one(numbers: list[int]) -> None:
        with_probe = [identity.probe, *(prefixes[i] for i in numbers)]
        _, *states[numbers] = await request_states(
            pool, identity.name, with_probe, partial(check, with_probe)
        )
        count(len(numbers))

    batches = prefix_batches(prefixes, pool.config.request_tokens, MOST_STATES)
    await gather([partial(one, numbers) for numbers in batches], pool.workers)
    return states
