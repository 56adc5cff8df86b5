"""States before the output head, which vLLM servers give that pool the last token.

Token ids go to them, never strings. Each request says that states keep their length, whatever the
server was started with.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from similarity.arrays import Rows
from similarity.errors import ModelChangedError, WrongAnswerError
from similarity.models.base import OnProgress, TokenIds
from similarity.models.drifts import ALLOWED, Drift
from similarity.models.vllm_server import values
from similarity.models.vllm_server.address import ServerAddress
from similarity.models.vllm_server.apart import check_apart
from similarity.models.vllm_server.batches import prefix_batches
from similarity.models.vllm_server.gathering import gather
from similarity.models.vllm_server.identity import (
    SHORT_PROBE,
    ServedName,
    identify_name,
    probe_tokens,
)
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.replica import Replica

EMBEDDINGS = "/v1/embeddings"
# States of one answer: a megabyte or two at the usual widths.
MOST_STATES = 256
# States that are looked at where the one of the probe leaves a doubt.
MORE_PROBES = 8


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
        return self.more_probes[-1]

    @property
    def more_probes(self) -> list[TokenIds]:
        """Return the beginnings up to the probe that are read where it leaves a doubt."""
        return self.beginnings[self._few]

    def drift(self, state: Rows) -> Drift:
        """Return how far the probe's state is from the first one."""
        return Drift.between(state[None], self.walk[self._few][-1:])

    def check_more(self, states: Rows) -> None:
        """Check the states of `more_probes`; raise as `check_drift`."""
        drift = Drift.between(states, self.walk[self._few])
        self.check_drift(drift, possible=drift.is_rounding)

    def check_drift(self, drift: Drift, *, possible: bool) -> None:
        """Raise ModelChangedError unless it is possible that a drift is rounding."""
        if not possible:
            raise ModelChangedError(
                f"has another model than before as {self.name!r}: its states of one text differ "
                f"by {drift}; {ALLOWED}; serve the old one, or load this one anew"
            )

    @property
    def lengths(self) -> tuple[float, float]:
        """Return the least and the greatest length of the states of the walk."""
        lengths = np.linalg.norm(self.walk.astype(np.float64), axis=1)
        return float(lengths.min()), float(lengths.max())

    @property
    def _few(self) -> slice:
        end = min(SHORT_PROBE, len(self.walk))
        return slice(max(0, end - MORE_PROBES), end)


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


async def identify_pooling(pool: Pool, address: ServerAddress) -> PooledIdentity:
    """Return the identity of a server that pools; raises as `identify_name` does."""
    served = await identify_name(pool, address)
    paragraph, start = await probe_tokens(pool, served)
    beginnings = [paragraph[:end] for end in range(start, len(paragraph) + 1)]
    walk = await request_states(pool, served.name, beginnings)
    revision = served.revision_of("states", _named_by(walk), address.revision)
    identity = PooledIdentity(**vars(served), paragraph=paragraph, walk=walk, revision=revision)

    def check(answer: Any) -> None:
        identity.check_more(read_states(answer, len(identity.more_probes)))

    probe = (EMBEDDINGS, states_body(served.name, identity.more_probes), check)
    return replace(identity, wanted=replace(served.wanted, probe=probe))


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
    ) and Drift.between(second.walk, first.walk).is_rounding


async def request_states(pool: Pool, name: str, prefixes: Sequence[TokenIds]) -> Rows:
    """Return the states after some prefixes, shape "prefix width", by one request."""
    return await pool.call(
        lambda replica: _states_of(replica, name, prefixes), tokens=sum(map(len, prefixes))
    )


async def _states_of(
    replica: Replica,
    name: str,
    prefixes: Sequence[TokenIds],
    check: Callable[[Rows], None] = lambda _states: None,
) -> Rows:
    """Return what a server gives, if `check` raises nothing of it."""
    tokens = sum(map(len, prefixes))

    def checked(answer: Any) -> Rows:
        values.check_read(answer, tokens)
        states = read_states(answer, len(prefixes))
        check(states)
        return states

    return await replica.request(EMBEDDINGS, checked, states_body(name, prefixes))


async def _believed(
    replica: Replica, identity: PooledIdentity, prefixes: Sequence[TokenIds]
) -> Rows:
    """Return a server's states; check by the probe, and by more of them, that it is as before."""
    sent = [identity.probe, *prefixes]
    lengths = identity.lengths

    def check(found: Rows) -> None:
        drift = identity.drift(found[0])
        identity.check_drift(drift, possible=drift.may_be_rounding)
        check_apart(sent, found, lengths)

    probed, *found = await _states_of(replica, identity.name, sent, check)
    if not identity.drift(probed).is_rounding:
        await _states_of(replica, identity.name, identity.more_probes, identity.check_more)
    return np.array(found, np.float32)


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

    async def one(numbers: list[int]) -> None:
        some = [prefixes[i] for i in numbers]
        states[numbers] = await pool.call(
            lambda replica: _believed(replica, identity, some),
            tokens=sum(map(len, [identity.probe, *some])),
        )
        count(len(numbers))

    batches = prefix_batches(prefixes, pool.config.request_tokens, MOST_STATES)
    await gather([partial(one, numbers) for numbers in batches], pool.workers)
    return states
