"""Checks of what a server says that it sampled: whether it did, and whether the model ended it."""

import math
from collections import Counter
from collections.abc import Sequence

from similarity.errors import WrongAnswerError
from similarity.law import Law
from similarity.models.base import SampleRequest
from similarity.models.vllm_server import wire
from similarity.models.vllm_server.identity import Identity
from similarity.models.vllm_server.replica import Replica
from similarity.models.vllm_server.wire import Sample

# An answer of a right server has equal samples that are less likely than this hardly ever.
LEAST_LIKELY = 1e-15
# Tokens that are requested of a server which may give only one: more than a half of them is left
# where something between cuts what was sampled.
_ON = 4


def check_copies(samples: Sequence[Sample]) -> None:
    """Raise WrongAnswerError if equal samples are too unlikely to be independent ones.

    Parameters
    ----------
    samples
        Of one prefix, with log-probabilities under the law that they were sampled from.
    """
    own = {sample.token_ids: sample.log_probs for sample in samples}
    for ids, copies in Counter(sample.token_ids for sample in samples).items():
        log_probs = own[ids]
        if copies == 1 or log_probs is None:
            continue
        # The first of any that are equal may be anything; the others are to be just that.
        chance = math.log(math.comb(len(samples), copies)) + (copies - 1) * log_probs.sum()
        if chance < math.log(LEAST_LIKELY):
            raise WrongAnswerError(
                f"gave {copies} equal samples of {len(samples)}, which has a probability below "
                f"{LEAST_LIKELY:g}; does something between repeat answers, or give all one seed?"
            )


class Endings:
    """Which tokens end what the servers of one model sample, as far as was seen.

    A server does not say which do, but a request that allows this token alone shows it: the answer
    has one such token, or many.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._known: set[int] = set()

    async def check(self, replica: Replica, samples: Sequence[Sample]) -> None:
        """Check that samples that count as ended have an end.

        Raises
        ------
        WrongAnswerError
            If one of them ends with a token after which that server goes on.
        """
        last = {sample.token_ids[-1] for sample in samples if sample.ended}
        for token in sorted(last - self._known):
            if await self._goes_on(replica, token):
                raise WrongAnswerError(
                    f"{replica.url} ended a sample with token {token}, after which it goes on: the "
                    "end was taken away; does something change its answers?"
                )
            self._known.add(token)

    async def _goes_on(self, replica: Replica, token: int) -> bool:
        """Have a server sample this token alone; return whether more than one came."""
        prefix = self._identity.probe.prefix
        request = SampleRequest(prefix=prefix, n=1, max_tokens=_ON, key=0)
        body = wire.sampling_body(self._identity.name, request, Law())
        (said,) = await replica.request(
            wire.COMPLETIONS,
            lambda answer: wire.read_samples(answer, request),
            {**body, "allowed_token_ids": [token]},
        )
        return said.token_ids[:2] == (token, token)
