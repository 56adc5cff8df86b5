"""A model given by its next-token distribution alone: sampled and scored in the plainest way.

One text, one continuation, one step after the other, in NumPy: the definition of what a backend
must compute, whichever way it does.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from similarity.arrays import LogProbs, Rows
from similarity.law import Law
from similarity.models.base import (
    Ability,
    Continuation,
    LanguageModel,
    OnProgress,
    SampleRequest,
    ScoreRequest,
    TokenIds,
    ignore_progress,
)
from similarity.noise import exponential, step_key


class StepwiseModel(LanguageModel):
    """A model that gives next-token distributions, and nothing else."""

    abilities = frozenset({Ability.DISTRIBUTIONS, Ability.TOP_TOKENS, Ability.TOKEN_LOG_PROBS})
    remedy = "give a model that is a network, such as embedded or smollm2"

    @abstractmethod
    def step_log_probs(self, context: TokenIds, law: Law) -> LogProbs:
        """Return log P(token | context) under the law, shape "token" in nats."""

    def sample(
        self, requests: Sequence[SampleRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[Continuation]]:
        """Sample each continuation on its own, by the exponential race."""
        results = []
        for request in requests:
            results.append([self._sample_one(request, i, law) for i in request.numbers])
            on_progress(1)
        return results

    def score(
        self, requests: Sequence[ScoreRequest], law: Law, on_progress: OnProgress = ignore_progress
    ) -> list[list[LogProbs]]:
        """Score each continuation on its own."""
        results = []
        for request in requests:
            scored = request.continuations
            results.append([self._score_one(request.prefix, ids, law) for ids in scored])
            on_progress(1)
        return results

    def distributions(self, requests: Sequence[ScoreRequest], law: Law) -> list[list[Rows]]:
        """Read the next-token distribution at each token of each continuation."""
        return [
            [self._distributions_of(request.prefix, ids, law) for ids in request.continuations]
            for request in requests
        ]

    def _sample_one(self, request: SampleRequest, trajectory: int, law: Law) -> Continuation:
        steps = list(self._walk(request, trajectory, law))
        return Continuation(
            token_ids=tuple(token for token, _ in steps),
            log_probs=np.array([log_prob for _, log_prob in steps]),
            ended=steps[-1][0] in self.end_ids,
        )

    def _walk(
        self, request: SampleRequest, trajectory: int, law: Law
    ) -> Iterator[tuple[int, float]]:
        context = request.prefix
        for step in range(request.max_tokens):
            log_probs = self.step_log_probs(context, law)
            waits = exponential(step_key(request.key, trajectory, step), log_probs.size)
            token = int(np.argmax(log_probs - np.log(waits)))
            yield token, float(log_probs[token])
            if token in self.end_ids:
                return
            context += (token,)

    def _score_one(self, prefix: TokenIds, continuation: TokenIds, law: Law) -> LogProbs:
        contexts = (prefix + continuation[:i] for i in range(len(continuation)))
        return np.array(
            [
                self.step_log_probs(context, law)[token]
                for context, token in zip(contexts, continuation, strict=True)
            ]
        )

    def _distributions_of(self, prefix: TokenIds, continuation: TokenIds, law: Law) -> Rows:
        contexts = (prefix + continuation[:i] for i in range(len(continuation)))
        return np.array([self.step_log_probs(context, law) for context in contexts], np.float32)
